/**
 * The platform in one stack and a team in another, each with a plan and a state of its own. The team's reads from the
 * platform's state what it refers to, and is applied after it: `cdktf deploy platform team`.
 */
import { GoogleProvider } from "@cdktf/provider-google/lib/provider";
import { StorageBucket } from "@cdktf/provider-google/lib/storage-bucket";
import { App, TerraformStack } from "cdktf";
import { GkeWorkloadIdentityCluster, KubeRayOperator, RayBucketAccess, RayCluster } from "../lib";

const app = new App();

const platform = new TerraformStack(app, "platform");
new GoogleProvider(platform, "google", { project: "my-project-id" });
const cluster = new GkeWorkloadIdentityCluster(platform, "cluster", {
  clusterName: "platform",
  location: "us-west1-b",
  nodePools: [{ name: "ray", machineType: "e2-standard-8", initialNodeCount: 1, maxNodeCount: 4 }],
  rayOperatorAddon: true,
});
const datasets = new StorageBucket(platform, "datasets", {
  name: "my-project-id-datasets",
  location: "US-WEST1",
  uniformBucketLevelAccess: true,
  publicAccessPrevention: "enforced",
});

const team = new TerraformStack(app, "team");
new GoogleProvider(team, "google", { project: "my-project-id" });
// A provider serves its own stack only, so the cluster is looked up here.
const teamCluster = GkeWorkloadIdentityCluster.fromClusterName(team, "cluster", {
  clusterName: cluster.clusterName,
  location: cluster.location,
  rayOperatorAddon: cluster.rayOperatorAddon,
});
const access = new RayBucketAccess(team, "datasets", {
  cluster: teamCluster,
  bucketName: datasets.name,
  createBucket: false,
  readOnly: true,
  namespace: "team",
  serviceAccountName: "ray",
  googleServiceAccountId: "team-ray",
});
new RayCluster(team, "ray", {
  operator: KubeRayOperator.gkeAddon(team, "operator", { cluster: teamCluster }),
  rayClusterName: "team",
  identity: access.identity,
  head: { cpu: 2, memoryGiB: 8 },
});

app.synth();
