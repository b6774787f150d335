/** Everything but the Ray cluster is there already: cluster, operator, namespace, both accounts and the bucket. */
import { GoogleProvider } from "@cdktf/provider-google/lib/provider";
import { App, TerraformStack } from "cdktf";
import { GkeWorkloadIdentityCluster, KubeRayOperator, RayBucketAccess, RayCluster } from "../lib";

const app = new App();
const stack = new TerraformStack(app, "existing");
new GoogleProvider(stack, "google", { project: "my-project-id" });

const cluster = GkeWorkloadIdentityCluster.fromClusterName(stack, "cluster", {
  clusterName: "team-cluster",
  location: "us-east4",
});
const operator = KubeRayOperator.existing(stack, "operator", { cluster, kuberayVersion: "1.6.2" });

const access = new RayBucketAccess(stack, "bucket", {
  cluster,
  bucketName: "my-existing-bucket",
  createBucket: false,
  namespace: "team-a",
  createNamespace: false,
  serviceAccountName: "team-a-ray",
  createServiceAccount: false,
  googleServiceAccountEmail: "team-a-ray@data-project-id.iam.gserviceaccount.com",
});

new RayCluster(stack, "ray", {
  operator,
  rayClusterName: "raycluster-team-a",
  identity: access.identity,
  head: { cpu: 2, memoryGiB: 8 },
  networkPeers: [{ namespace: "notebooks", ports: [8265, 10001] }],
});

app.synth();
