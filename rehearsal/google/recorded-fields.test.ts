import { Json } from "./json";
import * as recorded from "./recorded-fields.json";
import { PROJECT, TestClient, withApis } from "./test-client";

/** What the double does not answer, and why. */
const MISSING: { [field: string]: string } = {
  "addonsConfig.istioConfig.auth: string": "of v1beta1",
  "addonsConfig.istioConfig.disabled: boolean": "of v1beta1",
  "addonsConfig.kalmConfig: object": "of v1beta1",
  "clusterTelemetry.type: string": "of v1beta1",
  "controlPlaneEndpointsConfig.dnsEndpointConfig.enableK8sTokensViaDns: boolean": "of v1beta1",
  "protectConfig.workloadConfig.auditMode: string": "of v1beta1",
  "protectConfig.workloadVulnerabilityMode: string": "of v1beta1",
  "initialNodeCount: number": "of a pool with queued provisioning Google notes 1 where 0 was asked for",
};

/** What the double answers and the recordings leave out, and why. */
const MORE: { [field: string]: string } = {
  "nodePools[].selfLink: string": "taken out of the recordings, as are other addresses",
  "locations[]: string": "of a pool alone; the recordings have it in the cluster's list of pools",
};

/** A request that was recorded, and the fields of what was read afterwards. */
interface Recording {
  readonly location?: string;
  readonly request: Json;
  readonly fields: string[];
}

/** Every field with the type of its value, as `a.b[].c: string`; the keys of maps are the user's own. */
function fieldsOf(value: unknown, path = ""): string[] {
  if (Array.isArray(value)) {
    return value.length === 0 ? [`${path}[]: empty`] : value.flatMap((item) => fieldsOf(item, `${path}[]`));
  }
  if (value !== null && typeof value === "object") {
    const entries = Object.entries(value);
    if (entries.length === 0) return [`${path}: object`];
    const isMap = /(^|\.)(labels|resourceLabels|sysctls|maintenanceExclusions)$/.test(path);
    return entries.flatMap(([key, item]) => {
      const name = isMap ? "*" : key;
      return fieldsOf(item, path === "" ? name : `${path}.${name}`);
    });
  }
  return [`${path}: ${value === null ? "null" : typeof value}`];
}

async function create(client: TestClient, parent: string, location: string, body: Json): Promise<Json> {
  const [resource] = Object.values<Json>(body);
  await client.done(await client.post(parent, body), location);
  return (await client.get(`${parent}/${resource.name}`)).body;
}

/** Sends such a request to the double and reads what became of it. */
const READ: { [kind: string]: (client: TestClient, recording: Recording) => Promise<Json> } = {
  clusters: (client, { location, request }) =>
    create(client, `/v1/projects/${PROJECT}/locations/${location}/clusters`, location!, { cluster: request }),
  nodePools: async (client, { location, request }) => {
    const clusters = `/v1/projects/${PROJECT}/locations/${location}/clusters`;
    const cluster = { name: "recorded", initialNodeCount: 1, network: "default" };
    await create(client, clusters, location!, { cluster });
    return create(client, `${clusters}/recorded/nodePools`, location!, { nodePool: request });
  },
  serviceAccounts: async (client, { request }) => {
    const { email } = (await client.post(`/v1/projects/${PROJECT}/serviceAccounts`, request)).body;
    return (await client.get(`/v1/projects/${PROJECT}/serviceAccounts/${email}`)).body;
  },
  buckets: async (client, { request }) => {
    await client.post(`/storage/v1/b?project=${PROJECT}`, request);
    return (await client.get(`/storage/v1/b/${request.name}`)).body;
  },
};

/** Each with the fields that all clusters were recorded with. */
const RECORDINGS = Object.entries<Pick<Recording, "fields"> & Partial<Recording>>(recorded)
  .filter(([name]) => name.includes("/"))
  .map(([name, recording]): [string, Recording] => {
    const common = name.startsWith("clusters/") ? recorded.clusters.fields : [];
    return [name, { request: {}, ...recording, fields: [...common, ...recording.fields] }];
  });

test.each(RECORDINGS)(
  "%s has the fields that Google was recorded to answer with",
  async (name, recording) => {
    await withApis({}, async (client) => {
      const answer = new Set(fieldsOf(await READ[name.replace(/\/.*/, "")](client, recording)));
      const expected = new Set(recording.fields);

      expect([...expected].filter((field) => !answer.has(field) && !(field in MISSING))).toEqual([]);
      expect([...answer].filter((field) => !expected.has(field) && !(field in MORE))).toEqual([]);
    });
  },
);

test("every exception is one", async () => {
  const missing = new Set<string>();
  const more = new Set<string>();
  for (const [name, recording] of RECORDINGS) {
    await withApis({}, async (client) => {
      const answer = fieldsOf(await READ[name.replace(/\/.*/, "")](client, recording));
      recording.fields.filter((field) => !answer.includes(field)).forEach((field) => missing.add(field));
      answer.filter((field) => !recording.fields.includes(field)).forEach((field) => more.add(field));
    });
  }

  expect([...missing].sort()).toEqual(Object.keys(MISSING).sort());
  expect([...more].sort()).toEqual(Object.keys(MORE).sort());
});
