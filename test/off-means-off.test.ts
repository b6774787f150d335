import { GkeNodePool, GkeWorkloadIdentityClusterProps } from "../lib";
import { bucketAccess, emptyStack, standardCluster } from "./support/stacks";
import { Template } from "./support/template";

function clusterOf(props: Partial<GkeWorkloadIdentityClusterProps> = {}): any {
  const stack = emptyStack();
  standardCluster(stack, { rayOperatorAddon: undefined, ...props });
  return Template.of(stack).resource("google_container_cluster");
}

function poolOf(pool: Partial<GkeNodePool>, props: Partial<GkeWorkloadIdentityClusterProps> = {}): any {
  const stack = emptyStack();
  const nodePools = [{ name: "ray", machineType: "e2-standard-8", maxNodeCount: 1, ...pool }];
  standardCluster(stack, { nodePools, ...props });
  return Template.of(stack).resource("google_container_node_pool");
}

test("what a cluster does not have is written as off, because the provider keeps what is left out", () => {
  expect(clusterOf()).toMatchObject({
    addons_config: {
      gcs_fuse_csi_driver_config: { enabled: false },
      ray_operator_config: [{ enabled: false }],
    },
    binary_authorization: { evaluation_mode: "DISABLED" },
    control_plane_endpoints_config: { dns_endpoint_config: { allow_external_traffic: false } },
    node_locations: [],
    private_cluster_config: { enable_private_nodes: false },
  });
});

test("Autopilot is told nothing of the driver that it always has", () => {
  expect(clusterOf({ autopilot: true }).addons_config).toEqual({ ray_operator_config: [{ enabled: false }] });
});

test("the zones of a regional cluster are Google's choice until they are named", () => {
  expect(clusterOf({ location: "us-west1" })).not.toHaveProperty("node_locations");
});

test("the group for RBAC can be turned off", () => {
  const stack = emptyStack();
  const cluster = standardCluster(stack, { securityGroup: "" });

  expect(Template.of(stack).resource("google_container_cluster").authenticator_groups_config).toEqual({
    security_group: "",
  });
  expect(cluster.securityGroup).toBeUndefined();
  expect(clusterOf()).not.toHaveProperty("authenticator_groups_config");
});

test("what a pool does not have is written as off", () => {
  expect(poolOf({})).toMatchObject({
    node_locations: ["us-west1-b"],
    node_config: {
      disk_size_gb: 100,
      disk_type: "pd-balanced",
      guest_accelerator: [{ count: 0, type: "" }],
      labels: { "managed-by": "cdktf-gke-ray" },
      spot: false,
    },
  });
});

test("a pool keeps a label of ours beside the user's, since the provider cannot take the last one away", () => {
  expect(poolOf({ labels: { team: "a" } }).node_config.labels).toEqual({
    "managed-by": "cdktf-gke-ray",
    team: "a",
  });
  expect(poolOf({ labels: { "managed-by": "me" } }).node_config.labels).toEqual({ "managed-by": "me" });
});

test("machines that come with GPUs are not told to have none, and of their disks Google decides", () => {
  const { node_config: config } = poolOf({ machineType: "a3-highgpu-8g" });

  expect(config).not.toHaveProperty("guest_accelerator");
  expect(config).not.toHaveProperty("disk_type");
});

test("a pool has the zones of its cluster, as far as they are known", () => {
  expect(poolOf({}, { nodeZones: ["us-west1-a"] }).node_locations).toEqual(["us-west1-b", "us-west1-a"]);
  expect(poolOf({}, { location: "us-west1", nodeZones: ["us-west1-a"] }).node_locations).toEqual([
    "us-west1-a",
  ]);
  expect(poolOf({}, { location: "us-west1" }).node_locations).toMatch(
    /^\$\{google_container_cluster\.\w+\.node_locations\}$/,
  );
});

test("grants are created again with their bucket, whose name stays the same", () => {
  const stack = emptyStack();
  bucketAccess(stack, standardCluster(stack));
  const grants = Template.of(stack).resources("google_storage_bucket_iam_member");

  expect(grants.length).toBeGreaterThan(0);
  for (const { lifecycle } of grants) {
    expect(lifecycle).toEqual({
      replace_triggered_by: [expect.stringMatching(/^google_storage_bucket\.\w+\.id$/)],
    });
  }
});

test("grants on a bucket that exists already stand alone", () => {
  const stack = emptyStack();
  bucketAccess(stack, standardCluster(stack), { createBucket: false });
  const [grant] = Template.of(stack).resources("google_storage_bucket_iam_member");

  expect(grant).not.toHaveProperty("lifecycle");
});
