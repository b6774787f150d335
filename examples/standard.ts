/** A cluster of one's own nodes, a bucket, and a Ray cluster that uses it: the constructs one by one. */
import { GoogleProvider } from "@cdktf/provider-google/lib/provider";
import { App, TerraformOutput, TerraformStack } from "cdktf";
import { GkeWorkloadIdentityCluster, KubeRayOperator, RayBucketAccess, RayCluster } from "../lib";

const app = new App();
const stack = new TerraformStack(app, "standard");
new GoogleProvider(stack, "google", { project: "my-project-id" });

const cluster = new GkeWorkloadIdentityCluster(stack, "cluster", {
  clusterName: "cloud-bucket-cluster",
  location: "us-west1-b",
  nodePools: [
    { name: "ray", machineType: "e2-standard-8", initialNodeCount: 1, minNodeCount: 0, maxNodeCount: 1 },
  ],
  rayOperatorAddon: true,
});
const operator = KubeRayOperator.gkeAddon(stack, "operator", { cluster });

const access = new RayBucketAccess(stack, "bucket", {
  cluster,
  bucketName: "my-bucket",
  namespace: "ray",
  serviceAccountName: "my-ksa",
  googleServiceAccountId: "my-iam-sa",
});

const ray = new RayCluster(stack, "ray", {
  operator,
  rayClusterName: "raycluster-mini",
  rayVersion: "2.60.0",
  identity: access.identity,
  head: { cpu: 2, memoryGiB: 8 },
  workerGroups: [{ groupName: "cpu", cpu: 2, memoryGiB: 8, minReplicas: 0, maxReplicas: 1 }],
});

new TerraformOutput(stack, "port-forward", { value: ray.portForwardCommand });
app.synth();
