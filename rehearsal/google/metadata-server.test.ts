import { request } from "node:http";
import { PodIdentity } from "./metadata-server";
import { NUMBER, POOL, PROJECT, TestClient, withApis } from "./test-client";

const EMAIL = `my-iam-sa@${PROJECT}.iam.gserviceaccount.com`;
const ACCOUNT = `/v1/projects/${PROJECT}/serviceAccounts/${EMAIL}`;
const DEFAULT = "/computeMetadata/v1/instance/service-accounts/default";
const PRINCIPAL =
  `principal://iam.googleapis.com/projects/${NUMBER}/locations/global/workloadIdentityPools/${POOL}` +
  "/subject/ns/ray/sa/my-ksa";

const plain: PodIdentity = { namespace: "ray", serviceAccountName: "my-ksa", annotations: {} };
const annotated = { ...plain, annotations: { "iam.gke.io/gcp-service-account": EMAIL } };

const seed = {
  serviceAccounts: [EMAIL],
  clusters: [
    {
      location: "us-west1-b",
      cluster: { name: "ray", initialNodeCount: 1, workloadIdentityConfig: { workloadPool: POOL } },
    },
  ],
};

interface Metadata {
  readonly status: number;
  readonly text: string;
  readonly headers: Record<string, unknown>;
}

type Get = (path: string, headers?: Record<string, string>) => Promise<Metadata>;

/** Asks as the given pod does, through a socket of its own. */
async function asPod(
  pod: PodIdentity | undefined,
  run: (get: Get, client: TestClient) => Promise<void>,
): Promise<void> {
  await withApis({ seed }, async (client) => {
    const podForIp = (ip: string) => (ip === "127.0.0.1" ? pod : undefined);
    const { port } = await client.apis.startMetadataServer({ host: "127.0.0.1", port: 0, podForIp });
    const get: Get = (path, headers = { "Metadata-Flavor": "Google" }) =>
      new Promise((resolve, reject) => {
        const sent = request({ host: "127.0.0.1", port, path, headers }, (response) => {
          let text = "";
          response.on("data", (data) => (text += data));
          response.on("end", () =>
            resolve({ status: response.statusCode!, text, headers: response.headers }),
          );
        });
        sent.on("error", reject);
        sent.end();
      });
    await run(get, client);
  });
}

const bind = (client: TestClient, member: string, role = "roles/iam.workloadIdentityUser") =>
  client.post(`${ACCOUNT}:setIamPolicy`, { policy: { bindings: [{ role, members: [member] }] } });

const memberOf = ({ text }: Metadata, client: TestClient) =>
  client.apis.tokens.member(JSON.parse(text).access_token);

test("answers what google-auth asks, with the headers it looks for", async () => {
  await asPod(plain, async (get) => {
    expect((await get("/", {})).headers["metadata-flavor"]).toBe("Google");
    const project = await get("/computeMetadata/v1/project/project-id");
    expect(project).toMatchObject({ status: 200, text: PROJECT, headers: { "metadata-flavor": "Google" } });
    expect((await get("/computeMetadata/v1/universe/universe-domain")).text).toBe("googleapis.com");
    const account = await get(`${DEFAULT}/?recursive=true`);
    expect(account.headers["content-type"]).toBe("application/json");
    expect(JSON.parse(account.text)).toMatchObject({ email: POOL, aliases: ["default"] });
    expect((await get("/computeMetadata/v1/instance/attributes/cluster-name")).text).toBe("ray");
  });
});

test("answers nobody who does not say that they want metadata, or who forwards", async () => {
  await asPod(plain, async (get) => {
    expect((await get(`${DEFAULT}/token`, {})).status).toBe(403);
    const forwarded = { "Metadata-Flavor": "Google", "X-Forwarded-For": "10.0.0.1" };
    expect((await get(`${DEFAULT}/token`, forwarded)).status).toBe(403);
  });
});

test("without an annotation the token stands for the service account itself", async () => {
  await asPod(plain, async (get, client) => {
    const token = await get(
      `${DEFAULT}/token?scopes=https%3A%2F%2Fwww.googleapis.com%2Fauth%2Fcloud-platform`,
    );
    expect(JSON.parse(token.text)).toMatchObject({ expires_in: 3600, token_type: "Bearer" });
    expect(memberOf(token, client)).toBe(PRINCIPAL);
  });
});

test("annotated and bound, the token stands for the Google account", async () => {
  await asPod(annotated, async (get, client) => {
    await bind(client, `serviceAccount:${POOL}[ray/my-ksa]`);
    expect((await get(`${DEFAULT}/email`)).text).toBe(EMAIL);
    expect(memberOf(await get(`${DEFAULT}/token`), client)).toBe(`serviceAccount:${EMAIL}`);
    expect(memberOf(await get(`${DEFAULT.replace("default", EMAIL)}/token`), client)).toBe(
      `serviceAccount:${EMAIL}`,
    );
  });
});

test.each([
  ["no binding at all", undefined, undefined],
  ["a binding of another service account", `serviceAccount:${POOL}[ray/other]`, undefined],
  ["a binding of the same name in another namespace", `serviceAccount:${POOL}[other/my-ksa]`, undefined],
  ["a binding of another role", `serviceAccount:${POOL}[ray/my-ksa]`, "roles/iam.serviceAccountUser"],
])("annotated, but with %s, there is no token", async (_what, member, role) => {
  await asPod(annotated, async (get, client) => {
    if (member) await bind(client, member, role);
    const { status, text } = await get(`${DEFAULT}/token`);
    expect(status).toBe(403);
    expect(text).toContain("Permission 'iam.serviceAccounts.getAccessToken' denied on resource");
  });
});

test("annotated with an account that is gone or disabled, there is no token", async () => {
  await asPod(annotated, async (get, client) => {
    await bind(client, `serviceAccount:${POOL}[ray/my-ksa]`);
    await client.post(`${ACCOUNT}:disable`);
    expect((await get(`${DEFAULT}/token`)).status).toBe(403);
    await client.delete(ACCOUNT);
    expect((await get(`${DEFAULT}/token`)).status).toBe(403);
  });
});

test("what is not a pod has no identity", async () => {
  await asPod(undefined, async (get) => {
    expect((await get(`${DEFAULT}/token`)).status).toBe(404);
  });
});
