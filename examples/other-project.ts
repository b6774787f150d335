/**
 * A team with a project of its own on a cluster of the platform's project: one Google provider a project, each with an alias.
 * The bucket and the account that pods act as are the team's.
 */
import { GoogleProvider } from "@cdktf/provider-google/lib/provider";
import { ServiceAccount } from "@cdktf/provider-google/lib/service-account";
import { StorageBucket } from "@cdktf/provider-google/lib/storage-bucket";
import { App, TerraformStack } from "cdktf";
import { GkeWorkloadIdentityCluster } from "../lib/gke-workload-identity-cluster";
import { RayBucketAccess } from "../lib/ray-bucket-access";

const app = new App();
const stack = new TerraformStack(app, "other-project");
const platform = new GoogleProvider(stack, "platform", { alias: "platform", project: "platform-project-id" });
const team = new GoogleProvider(stack, "team", { alias: "team", project: "my-project-id" });

const bucket = new StorageBucket(stack, "bucket", {
  name: "my-project-id-team",
  location: "US-EAST4",
  uniformBucketLevelAccess: true,
  publicAccessPrevention: "enforced",
  provider: team,
});
const account = new ServiceAccount(stack, "account", { accountId: "team-ray", provider: team });

const cluster = GkeWorkloadIdentityCluster.fromClusterName(stack, "cluster", {
  clusterName: "platform-cluster",
  location: "us-east4",
  project: "platform-project-id",
  googleProvider: platform,
});
new RayBucketAccess(stack, "access", {
  cluster,
  bucketName: bucket.name,
  createBucket: false,
  namespace: "team",
  serviceAccountName: "ray",
  googleServiceAccountEmail: account.email,
});

app.synth();
