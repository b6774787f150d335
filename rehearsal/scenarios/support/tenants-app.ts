/** Fifty tenants on one cluster, each with a namespace, an identity, a bucket and a Ray cluster of its own. */
import { GoogleProvider } from "@cdktf/provider-google/lib/provider";
import { App, TerraformStack } from "cdktf";
import { GkeWorkloadIdentityCluster } from "../../../lib/gke-workload-identity-cluster";
import { KubeRayOperator } from "../../../lib/kuberay-operator";
import { RayBucketAccess } from "../../../lib/ray-bucket-access";
import { RayCluster } from "../../../lib/ray-cluster";

const app = new App();
const stack = new TerraformStack(app, "tenants");
new GoogleProvider(stack, "google", { project: "my-project-id" });

const cluster = new GkeWorkloadIdentityCluster(stack, "cluster", {
  clusterName: "tenants",
  location: "us-west1-b",
  nodePools: [
    {
      name: "ray",
      machineType: "e2-standard-8",
      initialNodeCount: 1,
      maxNodeCount: 100,
      labels: { "example.com/ray": "true" },
    },
  ],
  rayOperatorAddon: true,
  deletionProtection: false,
});
const operator = KubeRayOperator.gkeAddon(stack, "operator", { cluster });

for (let index = 0; index < 50; index++) {
  const tenant = `tenant-${index}`;
  const access = new RayBucketAccess(stack, `${tenant}-bucket`, {
    cluster,
    bucketName: `my-project-id-${tenant}`,
    namespace: tenant,
    serviceAccountName: "ray",
    googleServiceAccountId: tenant,
  });
  new RayCluster(stack, `${tenant}-ray`, {
    operator,
    rayClusterName: "ray",
    identity: access.identity,
    // The node of the rehearsal has no label of the pool: fifty Ray heads would not fit on it.
    head: { cpu: 2, memoryGiB: 8, nodeSelector: { "example.com/ray": "true" } },
    workerGroups: [{ groupName: "cpu", cpu: 2, memoryGiB: 8, maxReplicas: 4 }],
  });
}

app.synth();
