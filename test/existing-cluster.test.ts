import { GkeClusterOptions, GkeWorkloadIdentityCluster } from "../lib";
import { emptyStack, existingCluster } from "./support/stacks";
import { Template } from "./support/template";

function postconditionsOf(options: Partial<GkeClusterOptions>): { [condition: string]: string } {
  const stack = emptyStack();
  existingCluster(stack, options);
  const [{ lifecycle }] = Template.of(stack).dataSources("google_container_cluster");
  return Object.fromEntries(
    lifecycle.postcondition.map(({ condition, error_message }: any) => [condition, error_message]),
  );
}

const UNSAID = {
  "${length(self.workload_identity_config) > 0}":
    "The cluster my-cluster has no workload identity pool. Turn Workload Identity on, or name another cluster.",
  "${!try(self.enable_autopilot, false)}":
    "The cluster my-cluster is Autopilot, whose pods are made otherwise. Set 'autopilot' to true, or name another cluster.",
};

test("what is said of a cluster is compared with what it has, and each difference says what to change", () => {
  expect(postconditionsOf({})).toEqual(UNSAID);
  expect(
    postconditionsOf({
      rayOperatorAddon: true,
      gcsFuseAddon: true,
      dnsEndpoint: true,
      securityGroup: "gke-security-groups@example.com",
    }),
  ).toEqual({
    ...UNSAID,
    "${try(self.addons_config[0].ray_operator_config[0].enabled, false)}":
      "The cluster my-cluster does not have the Ray Operator add-on. Turn it on, or leave 'rayOperatorAddon' out.",
    "${try(self.addons_config[0].gcs_fuse_csi_driver_config[0].enabled, false)}":
      "The cluster my-cluster does not have the Cloud Storage FUSE CSI driver. Turn it on, or leave 'gcsFuseAddon' out.",
    "${try(self.control_plane_endpoints_config[0].dns_endpoint_config[0].allow_external_traffic, false)}":
      "The cluster my-cluster takes no traffic on its DNS endpoint. Allow it there, or leave 'dnsEndpoint' out.",
    '${try(self.authenticator_groups_config[0].security_group, "") == "gke-security-groups@example.com"}':
      "The cluster my-cluster does not know the groups of gke-security-groups@example.com. Turn Google Groups for RBAC on with that group, or change 'securityGroup'.",
  });
});

test("a cluster that is said to be Autopilot must be", () => {
  expect(postconditionsOf({ autopilot: true, gcsFuseAddon: true })).toEqual({
    "${length(self.workload_identity_config) > 0}": expect.any(String),
    "${try(self.enable_autopilot, false)}":
      "The cluster my-cluster is not Autopilot. Leave 'autopilot' out, or name another cluster.",
  });
});

test.each(["https://203.0.113.10", "203.0.113.10/path", "my host"])(
  "the endpoint %s is refused",
  (endpoint) => {
    const cluster = () =>
      GkeWorkloadIdentityCluster.fromClusterAttributes(emptyStack(), "cluster", {
        clusterName: "my-cluster",
        location: "us-west1",
        workloadIdentityPool: "my-project-id.svc.id.goog",
        endpoint,
      });

    expect(cluster).toThrow(
      new Error(
        `'endpoint' must be a host name or an address, and a port if need be, without a scheme, such as "203.0.113.7", got "${endpoint}" (at stack/cluster)`,
      ),
    );
  },
);

test.each(["203.0.113.10", "gke-1234.us-west1.gke.goog", "198.18.0.1:6443", "[2001:db8::1]:443"])(
  "the endpoint %s is taken",
  (endpoint) => {
    const cluster = GkeWorkloadIdentityCluster.fromClusterAttributes(emptyStack(), "cluster", {
      clusterName: "my-cluster",
      location: "us-west1",
      workloadIdentityPool: "my-project-id.svc.id.goog",
      endpoint,
    });

    expect(cluster.endpoint).toBe(endpoint);
  },
);
