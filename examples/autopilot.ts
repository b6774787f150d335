/** Autopilot: Google manages the nodes. The pods act as themselves, without a Google service account. */
import { GoogleProvider } from "@cdktf/provider-google/lib/provider";
import { App, TerraformStack } from "cdktf";
import { GkeWorkloadIdentityCluster, KubeRayOperator, RayBucketAccess, RayCluster } from "../lib";

const app = new App();
const stack = new TerraformStack(app, "autopilot");
new GoogleProvider(stack, "google", { project: "my-project-id" });

const cluster = new GkeWorkloadIdentityCluster(stack, "cluster", {
  clusterName: "ray-autopilot",
  location: "europe-west4",
  autopilot: true,
  rayOperatorAddon: true,
  enableApis: true,
});
const operator = KubeRayOperator.gkeAddon(stack, "operator", { cluster });

const access = new RayBucketAccess(stack, "bucket", {
  cluster,
  bucketName: "my-project-id-ray-autopilot",
  namespace: "ray",
  serviceAccountName: "ray",
  softDeleteRetentionDays: 0,
  lifecycleRules: [{ ageDays: 30, prefixes: ["tmp/"] }],
});

new RayCluster(stack, "ray", {
  operator,
  rayClusterName: "raycluster-autopilot",
  identity: access.identity,
  head: { cpu: 2, memoryGiB: 8 },
  workerGroups: [{ groupName: "cpu", cpu: 4, memoryGiB: 16, minReplicas: 0, maxReplicas: 10 }],
});

app.synth();
