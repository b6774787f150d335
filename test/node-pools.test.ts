import { TerraformVariable } from "cdktf";
import { GkeGpuSharingStrategy, GkeNodePool, GkeWorkloadIdentityClusterProps } from "../lib";
import { emptyStack, standardCluster } from "./support/stacks";
import { Graph } from "./support/graph";
import { Template } from "./support/template";

const cpu: GkeNodePool = { name: "cpu", machineType: "e2-standard-8", maxNodeCount: 1 };
const gpu: GkeNodePool = {
  name: "gpu",
  machineType: "g2-standard-12",
  maxNodeCount: 1,
  acceleratorType: "nvidia-l4",
};
const tpu: GkeNodePool = { name: "tpu", machineType: "ct6e-standard-4t", maxNodeCount: 1 };
const slice: GkeNodePool = { ...tpu, tpuTopology: "4x4", maxNodeCount: 4 };
const KEY = "projects/my-project-id/locations/us-west1/keyRings/ring/cryptoKeys/key";

function clusterWith(props: Partial<GkeWorkloadIdentityClusterProps>) {
  const stack = emptyStack();
  const cluster = standardCluster(stack, props);
  return { stack, cluster, template: Template.of(stack) };
}

test("the nodes that GKE makes with a cluster are small, and run as the nodes' own account with secure boot", () => {
  const { template } = clusterWith({});
  const cluster = template.resource("google_container_cluster");

  expect(cluster.node_config).toEqual({
    service_account: expect.stringMatching(/^\$\{google_service_account\.[\w-]+\.email\}$/),
    oauth_scopes: ["https://www.googleapis.com/auth/cloud-platform"],
    workload_metadata_config: { mode: "GKE_METADATA" },
    shielded_instance_config: { enable_secure_boot: true, enable_integrity_monitoring: true },
    disk_type: "pd-standard",
    disk_size_gb: 10,
  });
  expect(cluster.lifecycle.ignore_changes).toContain("node_config");
});

test("a key for boot disks is one of every node", () => {
  const { template } = clusterWith({ bootDiskKmsKey: KEY, nodePools: [cpu, gpu] });
  const nodes = [
    template.resource("google_container_cluster"),
    ...template.resources("google_container_node_pool"),
  ];

  expect(nodes.map(({ node_config }) => node_config.boot_disk_kms_key)).toEqual([KEY, KEY, KEY]);
});

test("node pools are replaced with their cluster, whose name stays the same", () => {
  const { template } = clusterWith({ nodePools: [cpu, gpu] });

  for (const pool of template.resources("google_container_node_pool")) {
    expect(pool.lifecycle).toEqual({
      ignore_changes: ["initial_node_count"],
      replace_triggered_by: [expect.stringMatching(/^google_container_cluster\.[\w-]+\.id$/)],
    });
  }
});

test.each([
  ["GPUs", gpu],
  ["GPUs of the machine type alone", { ...gpu, acceleratorType: undefined }],
  ["TPUs", tpu],
])("a pool with %s waits for one without, in whatever order they are given", (_what, accelerated) => {
  for (const nodePools of [
    [cpu, accelerated, { ...cpu, name: "more" }],
    [accelerated, cpu],
  ]) {
    const { stack, cluster } = clusterWith({ nodePools });
    const graph = Graph.of(stack);
    const resourceOf = (name: string) => cluster.nodePoolResource(name);

    expect(graph.dependsOn(resourceOf(accelerated.name), resourceOf("cpu"))).toBe(true);
    expect(graph.dependsOn(resourceOf("cpu"), resourceOf(accelerated.name))).toBe(false);
  }
});

test("pools with accelerators alone wait for nothing of the kind", () => {
  const { stack, cluster } = clusterWith({ nodePools: [gpu, tpu] });
  const graph = Graph.of(stack);

  expect(graph.dependsOn(cluster.nodePoolResource("gpu"), cluster.nodePoolResource("tpu"))).toBe(false);
  expect(graph.dependsOn(cluster.nodePoolResource("tpu"), cluster.nodePoolResource("gpu"))).toBe(false);
});

test("clusters of one name in two locations have node accounts of different ids", () => {
  const idOf = (location: string) =>
    clusterWith({ clusterName: "ray", location }).template.resource("google_service_account").account_id;

  expect([idOf("us-west1-b"), idOf("us-east4-a")]).toEqual(["ray-us-west1-b-nodes", "ray-us-east4-a-nodes"]);
  expect(
    clusterWith({ nodeServiceAccountId: "ray-nodes" }).template.resource("google_service_account").account_id,
  ).toBe("ray-nodes");
});

test("a TPU slice of several hosts is placed compactly, and one of tpu7x by a policy", () => {
  const { template } = clusterWith({
    nodePools: [
      cpu,
      slice,
      {
        name: "tpu7x",
        machineType: "tpu7x-standard-4t",
        tpuTopology: "2x2x2",
        maxNodeCount: 2,
        placementPolicyName: "slices",
      },
    ],
  });
  const pools = template.resources("google_container_node_pool");
  const [compact, byPolicy] = ["tpu", "tpu7x"].map((wanted) => pools.find(({ name }) => name === wanted));

  expect(compact.placement_policy).toEqual({ type: "COMPACT", tpu_topology: "4x4" });
  expect(byPolicy.placement_policy).toEqual({ type: "", policy_name: "slices", tpu_topology: "2x2x2" });
});

test("nodes can come from a reservation, for a time, when there are some, with local disks and streamed images", () => {
  const configOf = (pool: Partial<GkeNodePool>) =>
    clusterWith({ nodePools: [{ ...cpu, ...pool }] }).template.resource("google_container_node_pool");

  expect(configOf({}).node_config).not.toHaveProperty("gcfs_config");
  expect(configOf({ imageStreaming: false }).node_config.gcfs_config).toEqual({ enabled: false });
  expect(
    configOf({
      imageStreaming: true,
      localSsdCount: 2,
      reservationName: "mine",
      maxRunDurationSeconds: 3600,
    }).node_config,
  ).toMatchObject({
    gcfs_config: { enabled: true },
    ephemeral_storage_local_ssd_config: { local_ssd_count: 2 },
    max_run_duration: "3600s",
    reservation_affinity: {
      consume_reservation_type: "SPECIFIC_RESERVATION",
      key: "compute.googleapis.com/reservation-name",
      values: ["mine"],
    },
  });
  const flexStart = configOf({ flexStart: true });
  expect(flexStart.management).toEqual({ auto_repair: false, auto_upgrade: true });
  expect(flexStart.node_config).toMatchObject({
    flex_start: true,
    max_run_duration: "604800s",
    reservation_affinity: { consume_reservation_type: "NO_RESERVATION" },
  });
});

test("what is not said of zones and upgrades is GKE's default, said outright", () => {
  const configOf = (pool: Partial<GkeNodePool>) =>
    clusterWith({ nodePools: [{ ...cpu, ...pool }] }).template.resource("google_container_node_pool");

  expect(configOf({})).toMatchObject({
    autoscaling: { location_policy: "BALANCED" },
    upgrade_settings: { strategy: "SURGE", max_surge: 1, max_unavailable: 0 },
  });
  expect(configOf({ spot: true }).autoscaling.location_policy).toBe("ANY");
  const flexStart = configOf({ flexStart: true });
  expect(flexStart.autoscaling.location_policy).toBe("ANY");
  expect(flexStart).not.toHaveProperty("upgrade_settings");
});

test("pools are upgraded, labelled for the bill and shared as they say", () => {
  const configOf = (pool: Partial<GkeNodePool>) =>
    clusterWith({ nodePools: [cpu, { ...gpu, ...pool }] }).template.resources(
      "google_container_node_pool",
    )[1];

  expect(configOf({ upgradeSettings: { maxSurge: 0, maxUnavailable: 3 } }).upgrade_settings).toEqual({
    strategy: "SURGE",
    max_surge: 0,
    max_unavailable: 3,
  });
  expect(
    configOf({ upgradeSettings: { blueGreen: { batchPercentage: 25, batchSoakSeconds: 60 } } })
      .upgrade_settings,
  ).toEqual({
    strategy: "BLUE_GREEN",
    blue_green_settings: {
      standard_rollout_policy: { batch_percentage: 0.25, batch_soak_duration: "60s" },
      node_pool_soak_duration: "3600s",
    },
  });
  const { MPS } = GkeGpuSharingStrategy;
  const { node_config } = configOf({
    resourceLabels: { team: "research" },
    gpuSharing: { strategy: MPS, maxSharedClientsPerGpu: 4 },
  });
  expect(node_config.resource_labels).toEqual({ team: "research" });
  expect(node_config.guest_accelerator[0]).toMatchObject({
    type: "nvidia-l4",
    gpu_sharing_config: { gpu_sharing_strategy: "MPS", max_shared_clients_per_gpu: 4 },
  });
});

test("lists and zones that Terraform alone knows are taken as they are", () => {
  const stack = emptyStack();
  const variable = new TerraformVariable(stack, "zones", { type: "list(string)" });
  const location = new TerraformVariable(stack, "location", { type: "string" }).stringValue;
  standardCluster(stack, {
    location,
    nodeZones: variable.listValue,
    nodePools: [{ ...cpu, zones: variable.listValue }],
  });
  const template = Template.of(stack);

  expect(template.resource("google_container_cluster").node_locations).toBe("${var.zones}");
  expect(template.resource("google_container_node_pool").node_locations).toBe("${var.zones}");
});

test.each<[string, Partial<GkeWorkloadIdentityClusterProps>, string]>([
  [
    "a topology that is none",
    { nodePools: [{ ...slice, tpuTopology: "8" }] },
    `'nodePools[0].tpuTopology' must be a topology such as "4x4" or "2x2x2", got "8"`,
  ],
  [
    "a topology on machines without TPUs",
    { nodePools: [{ ...cpu, tpuTopology: "4x4" }] },
    `'nodePools[0].tpuTopology' must not be given for e2-standard-8, which has no TPU, got "4x4"`,
  ],
  [
    "a topology of one host",
    { nodePools: [{ ...tpu, tpuTopology: "2x2" }] },
    `'nodePools[0].tpuTopology' must be left out for a slice of one host: a ct6e-standard-4t has 4 chips, and Google refuses a topology there, got "2x2"`,
  ],
  [
    "a topology that no number of hosts makes",
    { nodePools: [{ ...tpu, tpuTopology: "3x3" }] },
    `'nodePools[0].tpuTopology' must have a multiple of the 4 chips of a ct6e-standard-4t, got "3x3"`,
  ],
  [
    "more nodes than a slice has hosts",
    { nodePools: [{ ...slice, maxNodeCount: 8 }] },
    "'nodePools[0].maxNodeCount' must be 4, the hosts of a slice of 4x4, got 8",
  ],
  [
    "fewer nodes than a slice has hosts",
    { nodePools: [{ ...slice, maxNodeCount: 2 }] },
    "'nodePools[0].maxNodeCount' must be 4, the hosts of a slice of 4x4, got 2",
  ],
  [
    "a part of a slice at first",
    { nodePools: [{ ...slice, initialNodeCount: 1 }] },
    "'nodePools[0].initialNodeCount' must be 0 or 4, the hosts of a slice of 4x4, got 1",
  ],
  [
    "a part of a slice at least",
    { nodePools: [{ ...slice, minNodeCount: 2 }] },
    "'nodePools[0].minNodeCount' must be 0 or 4, the hosts of a slice of 4x4, got 2",
  ],
  [
    "a slice of tpu7x without a policy",
    {
      nodePools: [{ name: "tpu", machineType: "tpu7x-standard-4t", tpuTopology: "2x2x2", maxNodeCount: 2 }],
    },
    "'nodePools[0].placementPolicyName' must be given for a slice of tpu7x-standard-4t, which is placed by a workload policy of yours",
  ],
  [
    "a placement policy without a slice",
    { nodePools: [{ ...cpu, placementPolicyName: "slices" }] },
    `'nodePools[0].placementPolicyName' must not be given without 'tpuTopology', got "slices"`,
  ],
  [
    "spot and flex-start at once",
    { nodePools: [{ ...cpu, spot: true, flexStart: true }] },
    "'nodePools[0].flexStart' must not be given together with 'spot', got true",
  ],
  [
    "spot nodes of a reservation",
    { nodePools: [{ ...cpu, spot: true, reservationName: "mine" }] },
    `'nodePools[0].reservationName' must not be given together with 'spot', got "mine"`,
  ],
  [
    "a flex-start pool that does not start empty",
    { nodePools: [{ ...cpu, flexStart: true, initialNodeCount: 1 }] },
    "'nodePools[0].initialNodeCount' must be 0 with 'flexStart', whose pools start empty, got 1",
  ],
  [
    "flex-start for longer than a week",
    { nodePools: [{ ...cpu, flexStart: true, maxRunDurationSeconds: 700_000 }] },
    "'nodePools[0].maxRunDurationSeconds' must be a whole number between 600 and 604800, got 700000",
  ],
  [
    "upgrades of a flex-start pool",
    { nodePools: [{ ...cpu, flexStart: true, upgradeSettings: { maxSurge: 2 } }] },
    `'nodePools[0].upgradeSettings' must not be given together with 'flexStart': such nodes are upgraded when they are replaced, got {"maxSurge":2}`,
  ],
  [
    "upgrades that never get on",
    { nodePools: [{ ...cpu, upgradeSettings: { maxSurge: 0 } }] },
    `'nodePools[0].upgradeSettings' must have 'maxSurge' and 'maxUnavailable' that are 1 to 20 together, got {"maxSurge":0,"maxUnavailable":0}`,
  ],
  [
    "more upgrades at once than GKE does",
    { nodePools: [{ ...cpu, upgradeSettings: { maxSurge: 15, maxUnavailable: 6 } }] },
    `'nodePools[0].upgradeSettings' must have 'maxSurge' and 'maxUnavailable' that are 1 to 20 together, got {"maxSurge":15,"maxUnavailable":6}`,
  ],
  [
    "two ways of upgrading",
    { nodePools: [{ ...cpu, upgradeSettings: { maxSurge: 2, blueGreen: {} } }] },
    "'nodePools[0].upgradeSettings.maxSurge' must not be given together with 'blueGreen', got 2",
  ],
  [
    "batches of two sizes",
    { nodePools: [{ ...cpu, upgradeSettings: { blueGreen: { batchNodeCount: 1, batchPercentage: 10 } } }] },
    "'nodePools[0].upgradeSettings.blueGreen.batchPercentage' must not be given together with 'batchNodeCount', got 10",
  ],
  [
    "a batch of a tenth of a percent",
    { nodePools: [{ ...cpu, upgradeSettings: { blueGreen: { batchPercentage: 0.1 } } }] },
    "'nodePools[0].upgradeSettings.blueGreen.batchPercentage' must be a whole number between 1 and 100, got 0.1",
  ],
  [
    "more than a week before the old nodes go",
    { nodePools: [{ ...cpu, upgradeSettings: { blueGreen: { soakSeconds: 604_801 } } }] },
    "'nodePools[0].upgradeSettings.blueGreen.soakSeconds' must be a whole number between 0 and 604800, got 604801",
  ],
  [
    "a GPU that is shared by one",
    {
      nodePools: [
        { ...gpu, gpuSharing: { strategy: GkeGpuSharingStrategy.TIME_SHARING, maxSharedClientsPerGpu: 1 } },
      ],
    },
    "'nodePools[0].gpuSharing.maxSharedClientsPerGpu' must be a whole number between 2 and 48, got 1",
  ],
  [
    "a GPU that is shared and is not there",
    {
      nodePools: [
        { ...cpu, gpuSharing: { strategy: GkeGpuSharingStrategy.TIME_SHARING, maxSharedClientsPerGpu: 2 } },
      ],
    },
    `'nodePools[0].gpuSharing' must not be given without 'acceleratorType', got {"strategy":"TIME_SHARING","maxSharedClientsPerGpu":2}`,
  ],
  [
    "a label for the bill that Google refuses",
    { nodePools: [{ ...cpu, resourceLabels: { Team: "ml" } }] },
    `'nodePools[0].resourceLabels' must have keys of 1 to 63 lower-case letters, digits, _ and -, starting with a letter, got "Team"`,
  ],
  [
    "half a local disk",
    { nodePools: [{ ...cpu, localSsdCount: 0.5 }] },
    "'nodePools[0].localSsdCount' must be a whole number of at least 0, got 0.5",
  ],
  [
    "a zone of a pool in another region",
    { nodePools: [{ ...cpu, zones: ["us-east4-a"] }] },
    `'nodePools[0].zones[0]' must be a zone of the cluster's region us-west1, got "us-east4-a"`,
  ],
  [
    "a region as a zone of nodes",
    { nodeZones: ["us-west1"] },
    `'nodeZones[0]' must be a zone of the cluster's region us-west1, got "us-west1"`,
  ],
  [
    "a key that is no path",
    { bootDiskKmsKey: "my-key" },
    `'bootDiskKmsKey' must be the path of a Cloud KMS key, such as "projects/my-project/locations/us-west1/keyRings/ring/cryptoKeys/key", got "my-key"`,
  ],
])("%s is refused", (_what, props, message) => {
  expect(() => standardCluster(emptyStack(), props)).toThrow(new Error(`${message} (at stack/cluster)`));
});
