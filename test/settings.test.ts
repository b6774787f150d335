import { Testing } from "cdktf";
import { RayPlatformStack, RayPlatformStackProps } from "../lib";
import { synthesizeApp } from "./support/apps";

/** The resources of a type that `main.ts` asks for. */
function resources(type: string, environment: Record<string, string>): any[] {
  return Object.values(synthesizeApp("main.ts", environment)["ray-platform"].json.resource[type]);
}

test("a project without a network default is told of another by two settings", () => {
  const [cluster] = resources("google_container_cluster", {
    RAY_NETWORK: "vpc",
    RAY_SUBNETWORK: "nodes",
  });

  expect(cluster).toMatchObject({ network: "vpc", subnetwork: "nodes" });
});

test("the cluster's network, nodes and endpoints have settings", () => {
  const environment = {
    RAY_PROJECT: "my-project-id",
    RAY_NETWORK: "projects/host-project/global/networks/vpc",
    RAY_SUBNETWORK: "projects/host-project/regions/us-west1/subnetworks/nodes",
    RAY_PODS_RANGE: "pods",
    RAY_SERVICES_RANGE: "services",
    RAY_PRIVATE_NODES: "true",
    RAY_ARTIFACT_REGISTRY_ACCESS: "true",
    RAY_AUTHORIZED_NETWORKS: "203.0.113.0/24, 198.51.100.0/24",
    RAY_DNS_ENDPOINT: "true",
    RAY_SKYPILOT: "false",
    RAY_MACHINE_TYPE: "n2-standard-16",
    RAY_MIN_NODES: "2",
    RAY_MAX_NODES: "5",
    RAY_NODE_SERVICE_ACCOUNT_ID: "ray-nodes",
  };
  const [cluster] = resources("google_container_cluster", environment);
  const [pool] = resources("google_container_node_pool", environment);

  expect(cluster).toMatchObject({
    network: environment.RAY_NETWORK,
    subnetwork: environment.RAY_SUBNETWORK,
    ip_allocation_policy: { cluster_secondary_range_name: "pods", services_secondary_range_name: "services" },
    private_cluster_config: { enable_private_nodes: true },
    control_plane_endpoints_config: { dns_endpoint_config: { allow_external_traffic: true } },
    master_authorized_networks_config: {
      cidr_blocks: [{ cidr_block: "203.0.113.0/24" }, { cidr_block: "198.51.100.0/24" }],
    },
  });
  expect(pool).toMatchObject({
    initial_node_count: 2,
    autoscaling: { min_node_count: 2, max_node_count: 5 },
    node_config: { machine_type: "n2-standard-16" },
  });
  const roles = resources("google_project_iam_member", environment).map(({ role }) => role);
  expect(roles).toContain("roles/artifactregistry.reader");
  const ids = resources("google_service_account", environment).map(({ account_id: id }) => id);
  expect(ids).toContain("ray-nodes");
});

test.each([
  ["RAY_NAMSPACE", "RAY_NAMESPACE"],
  ["RAY_NETWORKS", "RAY_NETWORK"],
  ["RAY_FORCE_DESTROY", "RAY_FORCE_DESTROY_BUCKET"],
])("%s is no setting, and the error names %s", (name, nearest) => {
  expect(() => synthesizeApp("main.ts", { [name]: "x" })).toThrow(
    new Error(`${name} is no setting: the nearest is ${nearest}. Rename it, or unset it`),
  );
});

test("variables of Ray's own clients are let be", () => {
  const environment = { RAY_ADDRESS: "http://localhost:8265", RAY_JOB_HEADERS: "{}", RAY_AUTH_TOKEN: "x" };

  expect(() => synthesizeApp("main.ts", environment)).not.toThrow();
});

test("a number of nodes that is none is refused", () => {
  expect(() => synthesizeApp("main.ts", { RAY_MAX_NODES: "many" })).toThrow(
    new Error('RAY_MAX_NODES must be a whole number, got "many"'),
  );
});

test.each<[RayPlatformStackProps, string]>([
  [
    {
      machineType: "e2-standard-4",
      nodePools: [{ name: "a", machineType: "e2-standard-8", maxNodeCount: 1 }],
    },
    `'machineType' must not be given together with 'nodePools', got "e2-standard-4" (at stack)`,
  ],
  [
    { maxNodeCount: 3, autopilot: true },
    "'maxNodeCount' must not be given together with 'autopilot', got 3 (at stack)",
  ],
  [
    { authProxy: false, submitterServiceAccountName: "ci" },
    `'submitterServiceAccountName' must not be given with 'authProxy' off: nobody asks then who submits, got "ci" (at stack)`,
  ],
])("settings of the platform that contradict each other are refused: %j", (props, message) => {
  expect(() => new RayPlatformStack(Testing.app(), "stack", props)).toThrow(new Error(message));
});
