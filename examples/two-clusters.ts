/** Two clusters in one stack: one that trains, and one elsewhere that serves what the first has written. */
import { GoogleProvider } from "@cdktf/provider-google/lib/provider";
import { App, TerraformStack } from "cdktf";
import {
  GkeWorkloadIdentityCluster,
  IGkeWorkloadIdentityCluster,
  IWorkloadIdentity,
  KubeRayOperator,
  RayBucketAccess,
  RayCluster,
  WorkloadIdentity,
} from "../lib";

const app = new App();
const stack = new TerraformStack(app, "two-clusters");
new GoogleProvider(stack, "google", { project: "my-project-id" });

function createCluster(name: string, location: string): IGkeWorkloadIdentityCluster {
  return new GkeWorkloadIdentityCluster(stack, name, {
    clusterName: name,
    location,
    nodePools: [{ name: "ray", machineType: "e2-standard-8", initialNodeCount: 1, maxNodeCount: 1 }],
    rayOperatorAddon: true,
  });
}

function createRay(name: string, identity: IWorkloadIdentity): void {
  const operator = KubeRayOperator.gkeAddon(stack, `${name}-operator`, { cluster: identity.cluster });
  new RayCluster(stack, `${name}-ray`, {
    operator,
    rayClusterName: name,
    identity,
    head: { cpu: 2, memoryGiB: 8 },
  });
}

const models = new RayBucketAccess(stack, "models", {
  cluster: createCluster("training", "us-west1-b"),
  bucketName: "my-project-id-models",
  namespace: "training",
  serviceAccountName: "ray",
  googleServiceAccountId: "ray-training",
});
const serving = new WorkloadIdentity(stack, "serving-identity", {
  cluster: createCluster("serving", "europe-west4-a"),
  namespace: "serving",
  serviceAccountName: "ray",
  googleServiceAccountId: "ray-serving",
});
models.grantRead(serving);
createRay("training", models.identity);
createRay("serving", serving);

app.synth();
