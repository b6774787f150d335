import { TerraformVariable, Testing } from "cdktf";
import { GkeWorkloadIdentityCluster, RayPlatformStack } from "../lib";
import { emptyStack, existingCluster, standardCluster } from "./support/stacks";

test("Autopilot clusters are regional, whether they are created, looked up or described", () => {
  const message =
    "'location' must be a region with 'autopilot', such as \"us-west1\": Google makes no zonal Autopilot clusters, got \"us-west1-b\" (at stack/cluster)";
  const inZone = { autopilot: true, location: "us-west1-b" };

  expect(() => standardCluster(emptyStack(), inZone)).toThrow(new Error(message));
  expect(() => existingCluster(emptyStack(), inZone)).toThrow(new Error(message));
  expect(() =>
    GkeWorkloadIdentityCluster.fromClusterAttributes(emptyStack(), "cluster", {
      ...inZone,
      clusterName: "my-cluster",
      workloadIdentityPool: "my-project-id.svc.id.goog",
    }),
  ).toThrow(new Error(message));
});

test("a location that Terraform alone knows is not judged", () => {
  const stack = emptyStack();
  const location = new TerraformVariable(stack, "location", { type: "string" }).stringValue;

  expect(() => standardCluster(stack, { autopilot: true, location })).not.toThrow();
});

test("the platform chooses a location that its kind of cluster can have", () => {
  const locationOf = (autopilot: boolean) => {
    const stack = new RayPlatformStack(Testing.app(), "stack", { autopilot });
    return JSON.parse(Testing.synth(stack)).resource.google_container_cluster.cluster_A4C38409.location;
  };

  expect(locationOf(false)).toBe("us-west1-b");
  expect(locationOf(true)).toBe("us-west1");
});
