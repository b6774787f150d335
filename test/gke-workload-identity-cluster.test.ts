import { KubernetesProvider } from "@cdktf/provider-kubernetes/lib/provider";
import { HelmProvider } from "@cdktf/provider-helm/lib/provider";
import { TerraformVariable } from "cdktf";
import {
  GkeNodePool,
  GkeTaintEffect,
  GkeWorkloadIdentityCluster,
  GkeWorkloadIdentityClusterProps,
} from "../lib";
import { bucketAccess, emptyStack, existingCluster, standardCluster } from "./support/stacks";
import { Template } from "./support/template";

function clusterOf(props: Partial<GkeWorkloadIdentityClusterProps> = {}): any {
  const stack = emptyStack();
  standardCluster(stack, props);
  return Template.of(stack).resource("google_container_cluster");
}

function poolOf(pool: Partial<GkeNodePool>): any {
  const stack = emptyStack();
  standardCluster(stack, {
    nodePools: [{ name: "ray", machineType: "e2-standard-8", maxNodeCount: 1, ...pool }],
  });
  return Template.of(stack).resource("google_container_node_pool");
}

test.each([
  [
    "endpoint",
    "https://203.0.113.7",
    'a host name or an address, and a port if need be, without a scheme, such as "203.0.113.7"',
  ],
  [
    "endpoint",
    '203.0.113.7"\n      token: "x',
    'a host name or an address, and a port if need be, without a scheme, such as "203.0.113.7"',
  ],
  [
    "workloadIdentityPool",
    "my-project-id.svc.id.goog[kube-system/admin]",
    'the pool of a project, such as "my-project-id.svc.id.goog"',
  ],
])("an attribute that would be read as something else is refused: %s %j", (property, value, rule) => {
  expect(() =>
    GkeWorkloadIdentityCluster.fromClusterAttributes(emptyStack(), "cluster", {
      clusterName: "my-cluster",
      location: "us-west1",
      workloadIdentityPool: "my-project-id.svc.id.goog",
      [property]: value,
    }),
  ).toThrow(new Error(`'${property}' must be ${rule}, got ${JSON.stringify(value)} (at stack/cluster)`));
});

test("a cluster has what Ray and a reviewer want without being asked", () => {
  const cluster = clusterOf();

  expect(cluster).toMatchObject({
    workload_identity_config: {
      workload_pool: "${data.google_client_config.google-client.project}.svc.id.goog",
    },
    networking_mode: "VPC_NATIVE",
    ip_allocation_policy: { stack_type: "IPV4" },
    datapath_provider: "ADVANCED_DATAPATH",
    network_policy: { enabled: false },
    enable_intranode_visibility: true,
    enable_shielded_nodes: true,
    release_channel: { channel: "REGULAR" },
    master_auth: { client_certificate_config: { issue_client_certificate: false } },
    resource_labels: { "managed-by": "cdktf-gke-ray" },
    deletion_protection: true,
    remove_default_node_pool: true,
    lifecycle: { ignore_changes: ["initial_node_count", "node_config"], prevent_destroy: true },
  });
});

test("a node pool gives pods the metadata server, repairs and upgrades itself and has secure boot", () => {
  expect(poolOf({})).toMatchObject({
    autoscaling: { min_node_count: 0, max_node_count: 1 },
    initial_node_count: 0,
    lifecycle: { ignore_changes: ["initial_node_count"] },
    management: { auto_repair: true, auto_upgrade: true },
    node_config: {
      workload_metadata_config: { mode: "GKE_METADATA" },
      shielded_instance_config: { enable_secure_boot: true, enable_integrity_monitoring: true },
    },
  });
});

test("a node pool can have GPUs, taints, labels, spot machines, zones and a TPU topology", () => {
  const gpu = poolOf({
    machineType: "g2-standard-24",
    acceleratorType: "nvidia-l4",
    acceleratorCount: 2,
    spot: true,
    labels: { team: "a" },
    taints: [{ key: "team", value: "a", effect: GkeTaintEffect.NO_SCHEDULE }],
    zones: ["us-west1-b"],
    diskSizeGb: 200,
    diskType: "pd-ssd",
  });
  const tpu = poolOf({ machineType: "ct5lp-hightpu-4t", tpuTopology: "2x4", maxNodeCount: 2 });

  expect(gpu).toMatchObject({
    node_locations: ["us-west1-b"],
    node_config: {
      spot: true,
      labels: { team: "a" },
      taint: [
        { key: "team", value: "a", effect: "NO_SCHEDULE" },
        { key: "cloud.google.com/gke-spot", value: "true", effect: "NO_SCHEDULE" },
      ],
      disk_size_gb: 200,
      disk_type: "pd-ssd",
      guest_accelerator: [
        { type: "nvidia-l4", count: 2, gpu_driver_installation_config: { gpu_driver_version: "DEFAULT" } },
      ],
    },
  });
  expect(tpu.placement_policy).toEqual({ type: "COMPACT", tpu_topology: "2x4" });
});

test("the nodes run as an account of their own with the least role", () => {
  const stack = emptyStack();
  standardCluster(stack, { clusterName: "a-cluster-name-that-is-long" });
  const template = Template.of(stack);

  const { account_id: accountId } = template.resource("google_service_account");
  expect(accountId).toMatch(/^a-cluster-name-that-is-[0-9a-f]{6}$/);
  expect(accountId.length).toBeLessThanOrEqual(30);
  expect(template.resource("google_project_iam_member").role).toBe(
    "roles/container.defaultNodeServiceAccount",
  );
  expect(template.resource("google_container_node_pool").node_config.service_account).toMatch(
    /google_service_account\.[\w-]+\.email/,
  );
});

test("an account given for the nodes is used and granted nothing", () => {
  const stack = emptyStack();
  standardCluster(stack, { nodeServiceAccountEmail: "nodes@my-project-id.iam.gserviceaccount.com" });
  const template = Template.of(stack);

  expect(template.resources("google_service_account")).toEqual([]);
  expect(template.resources("google_project_iam_member")).toEqual([]);
  expect(template.resource("google_container_node_pool").node_config.service_account).toBe(
    "nodes@my-project-id.iam.gserviceaccount.com",
  );
});

test("each finding that a scanner leaves is one prop away", () => {
  const cluster = clusterOf({
    privateNodes: true,
    authorizedNetworks: [{ cidrBlock: "203.0.113.0/24", displayName: "office" }],
    binaryAuthorization: true,
    securityGroup: "gke-security-groups@example.com",
    maintenanceWindow: {
      startTime: "2026-01-03T02:00:00Z",
      endTime: "2026-01-03T08:00:00Z",
      recurrence: "FREQ=WEEKLY;BYDAY=SA",
    },
  });

  expect(cluster).toMatchObject({
    private_cluster_config: { enable_private_nodes: true },
    master_authorized_networks_config: {
      cidr_blocks: [{ cidr_block: "203.0.113.0/24", display_name: "office" }],
    },
    binary_authorization: { evaluation_mode: "PROJECT_SINGLETON_POLICY_ENFORCE" },
    authenticator_groups_config: { security_group: "gke-security-groups@example.com" },
    maintenance_policy: { recurring_window: { recurrence: "FREQ=WEEKLY;BYDAY=SA" } },
  });
});

test("Autopilot has no pools and nothing that the provider refuses with it", () => {
  const stack = emptyStack();
  standardCluster(stack, { autopilot: true });
  const template = Template.of(stack);
  const cluster = template.resource("google_container_cluster");

  expect(template.resources("google_container_node_pool")).toEqual([]);
  expect(cluster).toMatchObject({
    enable_autopilot: true,
    cluster_autoscaling: {
      auto_provisioning_defaults: { service_account: expect.stringContaining(".email}") },
    },
  });
  for (const refused of [
    "network_policy",
    "enable_shielded_nodes",
    "enable_intranode_visibility",
    "remove_default_node_pool",
  ]) {
    expect(cluster).not.toHaveProperty(refused);
  }
});

test("enabled APIs stay enabled on destroy", () => {
  const stack = emptyStack();
  standardCluster(stack, { enableApis: true });

  const services = Template.of(stack).resources("google_project_service");
  expect(services.map(({ service }) => service.replace(".googleapis.com", "")).sort()).toEqual([
    "cloudresourcemanager",
    "compute",
    "container",
    "iam",
    "iamcredentials",
    "storage",
  ]);
  expect(services.every((service) => service.disable_on_destroy === false)).toBe(true);
});

test("providers are made on first use, from the cluster's own attributes, with an alias of their own", () => {
  const stack = emptyStack();
  const cluster = standardCluster(stack);
  expect(Template.of(stack).providers("kubernetes")).toEqual([]);

  bucketAccess(stack, cluster);

  expect(Template.of(stack).providers("kubernetes")).toEqual([
    expect.objectContaining({
      alias: "cluster",
      host: expect.stringMatching(/^https:\/\/\$\{google_container_cluster\.\w+\.endpoint\}$/),
      cluster_ca_certificate: expect.stringContaining("master_auth[0].cluster_ca_certificate"),
      token: "${data.google_client_config.google-client.access_token}",
    }),
  ]);
});

test("two clusters of one stack have providers and accounts that do not collide", () => {
  const stack = emptyStack();
  for (const name of ["east", "west"]) {
    const cluster = new GkeWorkloadIdentityCluster(stack, name, {
      clusterName: name,
      location: "us-east4",
      nodePools: [{ name: "ray", machineType: "e2-standard-8", maxNodeCount: 1 }],
    });
    void cluster.kubernetesProvider.fqn;
  }
  const template = Template.of(stack);

  expect(template.providers("kubernetes").map(({ alias }) => alias)).toEqual(["east", "west"]);
  expect(template.resources("google_service_account").map((account) => account.account_id)).toEqual([
    "east-us-east4-nodes",
    "west-us-east4-nodes",
  ]);
  expect(template.dataSources("google_client_config")).toHaveLength(1);
});

test("the DNS endpoint is reached without a certificate of the cluster", () => {
  const stack = emptyStack();
  const cluster = standardCluster(stack, { dnsEndpoint: true });
  bucketAccess(stack, cluster);
  const template = Template.of(stack);
  const [provider] = template.providers("kubernetes");

  expect(template.resource("google_container_cluster").control_plane_endpoints_config).toEqual({
    dns_endpoint_config: { allow_external_traffic: true },
  });
  expect(provider.host).toMatch(/control_plane_endpoints_config\[0\]\.dns_endpoint_config\[0\]\.endpoint/);
  expect(provider).not.toHaveProperty("cluster_ca_certificate");
  expect(cluster.credentialsCommand).toMatch(/ --dns-endpoint$/);
});

test("an existing cluster is looked up by name and given nothing", () => {
  const stack = emptyStack();
  bucketAccess(stack, existingCluster(stack, { project: "other-project" }));
  const template = Template.of(stack);

  expect(template.resources("google_container_cluster")).toEqual([]);
  expect(template.dataSources("google_container_cluster")).toEqual([
    expect.objectContaining({
      name: "my-cluster",
      location: "us-west1-b",
      project: "other-project",
      lifecycle: {
        postcondition: [
          {
            condition: "${length(self.workload_identity_config) > 0}",
            error_message:
              "The cluster my-cluster has no workload identity pool. Turn Workload Identity on, or name another cluster.",
          },
          {
            condition: "${!try(self.enable_autopilot, false)}",
            error_message:
              "The cluster my-cluster is Autopilot, whose pods are made otherwise. Set 'autopilot' to true, or name another cluster.",
          },
        ],
      },
    }),
  ]);
  expect(template.providers("kubernetes")[0].host).toMatch(/data\.google_container_cluster\.\w+\.endpoint/);
});

test("providers of the user's own are used as they are", () => {
  const stack = emptyStack();
  const kubernetesProvider = new KubernetesProvider(stack, "kubernetes", { alias: "mine" });
  const helmProvider = new HelmProvider(stack, "helm", { alias: "mine" });
  const cluster = GkeWorkloadIdentityCluster.fromClusterAttributes(stack, "cluster", {
    clusterName: "my-cluster",
    location: "us-west1",
    workloadIdentityPool: "my-project-id.svc.id.goog",
    kubernetesProvider,
    helmProvider,
  });
  bucketAccess(stack, cluster);
  const template = Template.of(stack);

  expect(template.resource("kubernetes_service_account_v1").provider).toBe("kubernetes.mine");
  expect(template.providers("kubernetes")).toHaveLength(1);
  expect(template.dataSources("google_container_cluster")).toEqual([]);
});

test("a token of the user's own leaves the Google provider's out of the configuration", () => {
  const stack = emptyStack();
  const kubernetesToken = "${ephemeral.google_service_account_access_token.deployer.access_token}";
  const cluster = standardCluster(stack, { project: "my-project-id", kubernetesToken });
  void cluster.helmProvider.fqn;
  bucketAccess(stack, cluster);
  const template = Template.of(stack);

  expect(template.providers("kubernetes")[0].token).toBe(kubernetesToken);
  expect(template.providers("helm")[0].kubernetes.token).toBe(kubernetesToken);
  expect(template.dataSources("google_client_config")).toEqual([]);
});

test("a Google provider without a project is noticed when Terraform plans, where its project is wanted", () => {
  const [withProject, without] = ["my-project-id", undefined].map((project) => {
    const stack = emptyStack();
    void standardCluster(stack, { project }).kubernetesProvider;
    return Template.of(stack).dataSources("google_client_config")[0];
  });

  expect(withProject).not.toHaveProperty("lifecycle");
  expect(without.lifecycle.postcondition).toEqual([
    {
      condition: '${self.project != ""}',
      error_message:
        "The Google provider has no project. Set the environment variable GOOGLE_PROJECT, or the provider's 'project'.",
    },
  ]);
});

test("a token in code is refused and not repeated", () => {
  expect(() => standardCluster(emptyStack(), { kubernetesToken: "ya29.secret" })).toThrow(
    new Error(
      "'kubernetesToken' must be a reference such as \"${ephemeral...}\", so that the token is in no code (at stack/cluster)",
    ),
  );
});

test("what is not modelled can be set on the resources themselves", () => {
  const stack = emptyStack();
  const cluster = standardCluster(stack);
  cluster.resource.addOverride("description", "mine");
  cluster.nodePoolResource("ray").addOverride("max_pods_per_node", 32);
  const template = Template.of(stack);

  expect(template.resource("google_container_cluster").description).toBe("mine");
  expect(template.resource("google_container_node_pool").max_pods_per_node).toBe(32);
});

test("a value that is known only later is not judged", () => {
  const stack = emptyStack();
  const name = new TerraformVariable(stack, "name", { type: "string" }).stringValue;
  const count = new TerraformVariable(stack, "count_of_nodes", { type: "number" }).numberValue;

  expect(() =>
    standardCluster(stack, {
      clusterName: name,
      location: name,
      project: name,
      securityGroup: name,
      nodePools: [
        { name, machineType: name, minNodeCount: count, maxNodeCount: count, initialNodeCount: count },
      ],
    }),
  ).not.toThrow();
});

const pool = { name: "ray", machineType: "e2-standard-8", maxNodeCount: 1 };
const LABEL =
  "1 to 40 lower-case letters, digits or hyphens, starting with a letter and not ending with a hyphen";

test.each<[string, Partial<GkeWorkloadIdentityClusterProps>, string]>([
  ["a cluster name with a capital", { clusterName: "Ray" }, `'clusterName' must be ${LABEL}, got "Ray"`],
  [
    "a cluster name that is too long",
    { clusterName: "a".repeat(41) },
    `'clusterName' must be ${LABEL}, got "${"a".repeat(41)}"`,
  ],
  [
    "a location that is neither zone nor region",
    { location: "us-west" },
    `'location' must be a zone such as "us-west1-b" or a region such as "us-west1", got "us-west"`,
  ],
  [
    "a project number or name for a project id",
    { project: "My Project" },
    `'project' must be a project id: 6 to 30 lower-case letters, digits or hyphens, starting with a letter and not ending with a hyphen, got "My Project"`,
  ],
  ["no pools", { nodePools: [] }, "'nodePools' must name at least one pool, unless 'autopilot' is on"],
  [
    "pools with Autopilot",
    { autopilot: true, nodePools: [pool] },
    "'nodePools' must not be given with 'autopilot', which manages the nodes itself",
  ],
  [
    "a pool whose minimum is above its maximum",
    { nodePools: [{ ...pool, minNodeCount: 3 }] },
    "'nodePools[0].maxNodeCount' must be at least minNodeCount (3), got 1",
  ],
  [
    "a pool that starts outside its limits",
    { nodePools: [{ ...pool, initialNodeCount: 2 }] },
    "'nodePools[0].initialNodeCount' must be between minNodeCount (0) and maxNodeCount (1), got 2",
  ],
  [
    "a node zone that is the cluster's own",
    { nodeZones: ["us-west1-a", "us-west1-b"] },
    `'nodeZones[1]' must not be the zone of a zonal cluster, which has nodes there anyway, got "us-west1-b"`,
  ],
  [
    "half a node",
    { nodePools: [{ ...pool, maxNodeCount: 1.5 }] },
    "'nodePools[0].maxNodeCount' must be a whole number of at least 0, got 1.5",
  ],
  ["two pools of one name", { nodePools: [pool, pool] }, "'nodePools[1].name' must be unique, got \"ray\""],
  [
    "a number of GPUs without a type",
    { nodePools: [{ ...pool, acceleratorCount: 2 }] },
    "'nodePools[0].acceleratorCount' must not be given without 'acceleratorType', got 2",
  ],
  [
    "a network that is no address range",
    { authorizedNetworks: [{ cidrBlock: "office" }] },
    `'authorizedNetworks[0].cidrBlock' must be an address range such as "203.0.113.0/24", got "office"`,
  ],
  [
    "another group for Google Groups",
    { securityGroup: "ray@example.com" },
    `'securityGroup' must be the group "gke-security-groups@DOMAIN", which GKE asks for by that very name, got "ray@example.com"`,
  ],
  [
    "an existing node account together with the id of a new one",
    { nodeServiceAccountEmail: "a@my-project-id.iam.gserviceaccount.com", nodeServiceAccountId: "my-nodes" },
    "'nodeServiceAccountEmail' must not be given together with 'nodeServiceAccountId'",
  ],
  [
    "a node account id that is too short",
    { nodeServiceAccountId: "nodes" },
    `'nodeServiceAccountId' must be 6 to 30 lower-case letters, digits or hyphens, starting with a letter and not ending with a hyphen, got "nodes"`,
  ],
])("%s is refused", (_what, props, message) => {
  expect(() => standardCluster(emptyStack(), props)).toThrow(new Error(`${message} (at stack/cluster)`));
});

test("an existing cluster without an endpoint is refused where a provider would need it", () => {
  const cluster = GkeWorkloadIdentityCluster.fromClusterAttributes(emptyStack(), "cluster", {
    clusterName: "my-cluster",
    location: "us-west1",
    workloadIdentityPool: "my-project-id.svc.id.goog",
  });

  expect(() => cluster.kubernetesProvider).toThrow(
    new Error(
      "'endpoint' must be given unless 'kubernetesProvider' and 'helmProvider' are (at stack/cluster)",
    ),
  );
});

test("a pool that is not there cannot be asked for", () => {
  const cluster = standardCluster(emptyStack());

  expect(() => cluster.nodePoolResource("gpu")).toThrow(
    new Error("'name' must be one of ray, got \"gpu\" (at stack/cluster)"),
  );
});
