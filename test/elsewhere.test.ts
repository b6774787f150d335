import { GkeWorkloadIdentityClusterProps, RayBucketAccessProps } from "../lib";
import { Graph } from "./support/graph";
import { bucketAccess, emptyStack, existingCluster, standardCluster } from "./support/stacks";
import { Template } from "./support/template";

/** What must exist elsewhere for a setting to work, and is created or asked for here. */
test("nodes may read the project's images where they are to, before there are any nodes", () => {
  const stack = emptyStack();
  const cluster = standardCluster(stack, { artifactRegistryAccess: true });
  const graph = Graph.of(stack);
  const roles = Template.of(stack).resources("google_project_iam_member");

  expect(roles.map(({ role }) => role)).toEqual([
    "roles/artifactregistry.reader",
    "roles/container.defaultNodeServiceAccount",
  ]);
  for (const address of graph.addressesOfType("google_project_iam_member")) {
    expect(graph.dependsOn(cluster.nodePoolResource("ray"), address)).toBe(true);
  }
});

test("Cloud Storage may write access logs where it is let", () => {
  const grantsOf = (props: Partial<RayBucketAccessProps>) => {
    const stack = emptyStack();
    bucketAccess(stack, existingCluster(stack), { accessLogBucketName: "my-logs", ...props });
    return Template.of(stack)
      .resources("google_storage_bucket_iam_member")
      .filter(({ bucket }) => bucket === "my-logs");
  };

  expect(grantsOf({})).toEqual([]);
  expect(grantsOf({ createAccessLogGrant: true })).toEqual([
    expect.objectContaining({
      role: "roles/storage.objectCreator",
      member: "group:cloud-storage-analytics@google.com",
    }),
  ]);
});

test("a grant for access logs needs a bucket for them", () => {
  const stack = emptyStack();

  expect(() => bucketAccess(stack, existingCluster(stack), { createAccessLogGrant: true })).toThrow(
    new Error(
      "'createAccessLogGrant' must not be given without 'accessLogBucketName', got true (at stack/bucket)",
    ),
  );
});

const shared = {
  project: "my-project-id",
  network: "projects/host-project/global/networks/vpc",
  subnetwork: "projects/host-project/regions/us-west1/subnetworks/nodes",
  podsRangeName: "pods",
  servicesRangeName: "services",
};

test.each<[string, Partial<GkeWorkloadIdentityClusterProps>]>([
  ["a shared network with all that belongs to it", shared],
  [
    "a network of the own project by its self link",
    { project: "my-project-id", network: "projects/my-project-id/global/networks/vpc" },
  ],
  ["a whole URL", { ...shared, network: `https://www.googleapis.com/compute/v1/${shared.network}` }],
  ["a network of a project that is not known here", { network: shared.network }],
  ["a name", { network: "vpc" }],
])("%s is taken", (_what, props) => {
  expect(() => standardCluster(emptyStack(), props)).not.toThrow();
});

test.each<[string, Partial<GkeWorkloadIdentityClusterProps>, string]>([
  [
    "a shared network without a subnetwork",
    { ...shared, subnetwork: undefined },
    "'subnetwork' must be given with the network of another project (host-project)",
  ],
  [
    "a shared network without a range for pods",
    { ...shared, podsRangeName: undefined },
    "'podsRangeName' must be given with the network of another project (host-project)",
  ],
  [
    "a shared network without a range for Services",
    { ...shared, servicesRangeName: undefined },
    "'servicesRangeName' must be given with the network of another project (host-project)",
  ],
  [
    "a network that is no name",
    { network: "My VPC" },
    `'network' must be the name of a network or its self link, such as "projects/host-project/global/networks/vpc", got "My VPC"`,
  ],
  [
    "rights for an account that is not ours",
    { artifactRegistryAccess: true, nodeServiceAccountEmail: "a@my-project-id.iam.gserviceaccount.com" },
    "'artifactRegistryAccess' must be left to the owner of 'nodeServiceAccountEmail', to whom nothing is granted here, got true",
  ],
])("%s is refused", (_what, props, message) => {
  expect(() => standardCluster(emptyStack(), props)).toThrow(new Error(`${message} (at stack/cluster)`));
});
