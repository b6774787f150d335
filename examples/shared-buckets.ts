/** One identity for several buckets, and several identities for one bucket, each with its own part of it. */
import { GoogleProvider } from "@cdktf/provider-google/lib/provider";
import { App, TerraformStack } from "cdktf";
import {
  BucketRole,
  GkeWorkloadIdentityCluster,
  KubeRayOperator,
  RayBucketAccess,
  RayCluster,
  WorkloadIdentity,
} from "../lib";

const app = new App();
const stack = new TerraformStack(app, "shared-buckets");
new GoogleProvider(stack, "google", { project: "my-project-id" });

const cluster = GkeWorkloadIdentityCluster.fromClusterName(stack, "cluster", {
  clusterName: "ray-shared",
  location: "us-west1",
  rayOperatorAddon: true,
});
const operator = KubeRayOperator.gkeAddon(stack, "operator", { cluster });

const teams = ["red", "blue"].map((team) => {
  const identity = new WorkloadIdentity(stack, `${team}-identity`, {
    cluster,
    namespace: team,
    serviceAccountName: "ray",
    projectNumber: "123456789012",
  });
  const ray = new RayCluster(stack, `${team}-ray`, {
    operator,
    rayClusterName: "ray",
    identity,
    head: { cpu: 1, memoryGiB: 4 },
  });
  return { team, identity, ray };
});

const results = new RayBucketAccess(stack, "results", {
  cluster,
  bucketName: "my-results",
  identity: teams[0].identity,
  roles: [BucketRole.ADMIN],
});
const datasets = new RayBucketAccess(stack, "datasets", {
  cluster,
  bucketName: "my-datasets",
  createBucket: false,
  identity: teams[0].identity,
  readOnly: true,
});
datasets.grantRead(teams[1].identity);
results.grantReadWrite(teams[1].identity, { objectPrefix: "blue/" });
teams[1].ray.allowFrom({ namespace: "red", podLabels: { "ray.io/cluster": "ray" }, ports: [10001] });

app.synth();
