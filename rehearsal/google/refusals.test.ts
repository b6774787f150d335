import { Json } from "./json";
import { OrganizationPolicies } from "./project";
import { NUMBER, PROJECT, TestClient, withApis } from "./test-client";

/** What Google refuses of what the constructs could ask for; the words are those that users reported. */
const ZONE = "us-central1-a";
const NODES = `nodes@${PROJECT}.iam.gserviceaccount.com`;
const KEY = `projects/${PROJECT}/locations/us-central1/keyRings/ring/cryptoKeys/key`;

function clusters(location: string): string {
  return `/v1/projects/${PROJECT}/locations/${location}/clusters`;
}

/** The error of a creation: of its request, or of its operation. */
async function problem(
  client: TestClient,
  path: string,
  body: Json,
  location: string,
): Promise<string | undefined> {
  const answer = await client.post(path, body);
  if (answer.status !== 200) return `${answer.status}: ${answer.body.error.message}`;
  return (await client.done(answer, location)).error?.message;
}

async function clusterProblem(cluster: Json, organization: OrganizationPolicies = {}, location = ZONE) {
  let found: string | undefined;
  await withApis({ organization, seed: { serviceAccounts: [NODES] } }, async (client) => {
    const requested = { name: "ray", initialNodeCount: 1, ...cluster };
    found = await problem(client, clusters(location), { cluster: requested }, location);
  });
  return found;
}

async function poolProblem(nodePool: Json) {
  let found: string | undefined;
  await withApis(
    { seed: { clusters: [{ location: ZONE, cluster: { name: "ray", initialNodeCount: 1 } }] } },
    async (client) => {
      const requested = { name: "pool", initialNodeCount: 0, ...nodePool };
      found = await problem(client, `${clusters(ZONE)}/ray/nodePools`, { nodePool: requested }, ZONE);
    },
  );
  return found;
}

test("Autopilot clusters in a zone", async () => {
  const autopilot = { enabled: true };

  expect(await clusterProblem({ autopilot })).toBe("400: Autopilot clusters must be regional clusters.");
  expect(await clusterProblem({ autopilot }, {}, "us-central1")).toBeUndefined();
});

test("nodes of the default account where it is disabled, of the pool that GKE makes too", async () => {
  const disabled = { defaultComputeAccountDisabled: true };

  expect(await clusterProblem({}, disabled)).toBe(
    `400: Service account ${NUMBER}-compute@developer.gserviceaccount.com is disabled.`,
  );
  expect(await clusterProblem({ nodeConfig: { serviceAccount: NODES } }, disabled)).toBeUndefined();
});

test("nodes without secure boot, where the organization requires it", async () => {
  const secure = { shieldedInstanceConfig: { enableSecureBoot: true } };

  expect(await clusterProblem({}, { shieldedNodes: true })).toBe(
    "Not all instances running in IGM after 32.252902304s. Expected 1, running 0, transitioning 1. Current errors: " +
      `[CONDITION_NOT_MET]: Constraint constraints/compute.requireShieldedVm violated for project projects/${PROJECT}. ` +
      "Secure Boot is not enabled in the 'shielded_instance_config' field.",
  );
  expect(await clusterProblem({ nodeConfig: secure }, { shieldedNodes: true })).toBeUndefined();
});

test("disks without a key of one's own, where the organization requires one", async () => {
  const required = { customerManagedKeys: true };

  expect(await clusterProblem({}, required)).toBe(
    `400: Failed precondition: Constraint \`constraints/gcp.restrictNonCmekServices\` violated for \`projects/${NUMBER}\` ` +
      "attempting to create a resource without specifying a KMS CryptoKey.",
  );
  expect(await clusterProblem({ nodeConfig: { bootDiskKmsKey: KEY } }, required)).toBeUndefined();
});

test.each<[string, Json, string | undefined]>([
  [
    "a topology of one host",
    { config: { machineType: "ct6e-standard-4t" }, placementPolicy: { type: "COMPACT", tpuTopology: "2x2" } },
    "400: TPU topology can't be specified with single-host TPU slice pool; please remove the tpu_topology from the node pool creation request if the node pool is intented to run with single-host TPU slice nodes.",
  ],
  [
    "a pool that is larger than its slice",
    {
      config: { machineType: "ct6e-standard-4t" },
      placementPolicy: { type: "COMPACT", tpuTopology: "4x4" },
      autoscaling: { enabled: true, maxNodeCount: 5 },
    },
    "400: Maximum node count 5 is not a valid size of TPU pod slice with topology 4x4",
  ],
  [
    "a slice of tpu7x that is placed compactly",
    {
      config: { machineType: "tpu7x-standard-4t" },
      placementPolicy: { type: "COMPACT", tpuTopology: "2x2x2" },
    },
    "Not all instances running in IGM after 32.252902304s. Expected 1, running 0, transitioning 1. Current errors: [CONDITION_NOT_MET]: Creation of a managed instance group with tpu7x-standard-4t machine type with placement policy is not supported. Use workload policy instead.",
  ],
  [
    "a slice with all its hosts",
    {
      config: { machineType: "ct6e-standard-4t" },
      placementPolicy: { type: "COMPACT", tpuTopology: "4x4" },
      autoscaling: { enabled: true, maxNodeCount: 4 },
    },
    undefined,
  ],
  [
    "a slice of tpu7x with a workload policy",
    {
      config: { machineType: "tpu7x-standard-4t" },
      placementPolicy: { policyName: "slices", tpuTopology: "2x2x2" },
    },
    undefined,
  ],
])("TPU pools: %s", async (_what, pool, message) => {
  expect(await poolProblem(pool)).toBe(message);
});

test.each<[string, Json, string | undefined]>([
  [
    "a GPU of another machine",
    { machineType: "n1-standard-8", accelerators: [{ acceleratorType: "nvidia-l4", acceleratorCount: 1 }] },
    "nvidia-l4, n1-standard-8",
  ],
  [
    "a disk that the machine cannot boot from",
    { machineType: "c4-standard-16", diskType: "pd-balanced" },
    "pd-balanced, c4-standard-16",
  ],
  [
    "a disk that older machines lack",
    { machineType: "e2-standard-8", diskType: "hyperdisk-balanced" },
    "hyperdisk-balanced, e2-standard-8",
  ],
  [
    "the disk that is the default, on a machine without it",
    { machineType: "n4-standard-8" },
    "pd-balanced, n4-standard-8",
  ],
  [
    "a GPU of the machine's own",
    { machineType: "g2-standard-8", accelerators: [{ acceleratorType: "nvidia-l4", acceleratorCount: 1 }] },
    undefined,
  ],
  [
    "a disk of the machine's own",
    { machineType: "n4-standard-8", diskType: "hyperdisk-balanced" },
    undefined,
  ],
])("machines: %s", async (_what, config, pair) => {
  const failed = await poolProblem({ config });

  expect(failed?.replace(/^.*Current errors: \[\w+\]: /, "")).toBe(
    pair && `[${pair}] features are not compatible for creating instance.`,
  );
});

test("lifecycle rules without a condition, and age 0 is one", async () => {
  await withApis({}, async (client) => {
    const create = (name: string, condition: Json) =>
      client.post(`/storage/v1/b?project=${PROJECT}`, {
        name,
        lifecycle: { rule: [{ action: { type: "Delete" }, condition }] },
      });

    const refused = await create("my-bucket", {});
    expect([refused.status, refused.body.error.message]).toEqual([400, "Invalid argument."]);
    const { body } = await create("my-bucket", { age: 0 });
    expect(body.lifecycle.rule[0].condition).toEqual({ age: 0 });
    const patched = await client.patch("/storage/v1/b/my-bucket", {
      lifecycle: { rule: [{ action: { type: "Delete" }, condition: {} }] },
    });
    expect(patched.status).toBe(400);
  });
});
