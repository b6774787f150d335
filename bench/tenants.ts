import { GoogleProvider } from "@cdktf/provider-google/lib/provider";
import { App, TerraformStack } from "cdktf";
import { performance } from "node:perf_hooks";
import { GkeWorkloadIdentityCluster } from "../lib/gke-workload-identity-cluster";
import { KubeRayOperator } from "../lib/kuberay-operator";
import { RayBucketAccess } from "../lib/ray-bucket-access";
import { RayCluster } from "../lib/ray-cluster";

/**
 * As many Ray tenants on one cluster as the first argument says, each with a namespace, an identity, a bucket and a Ray
 * cluster of its own. Prints the milliseconds from the first construct to the end of synth, without the loading of modules,
 * which would hide a part of the growth.
 */
const start = performance.now();
const app = new App();
const stack = new TerraformStack(app, "tenants");
new GoogleProvider(stack, "google", { project: "my-project" });
const cluster = new GkeWorkloadIdentityCluster(stack, "cluster", {
  clusterName: "tenants",
  location: "us-west1-b",
  nodePools: [
    { name: "ray", machineType: "e2-standard-8", initialNodeCount: 1, minNodeCount: 0, maxNodeCount: 100 },
  ],
});
const operator = KubeRayOperator.chart(stack, "operator", { cluster });
for (let index = 0; index < Number(process.argv[2]); index++) {
  const tenant = `tenant-${index}`;
  const access = new RayBucketAccess(stack, `${tenant}-bucket`, {
    cluster,
    bucketName: `my-project-${tenant}`,
    namespace: tenant,
    serviceAccountName: "ray",
    googleServiceAccountId: tenant,
  });
  new RayCluster(stack, `${tenant}-ray`, {
    operator,
    rayClusterName: "ray",
    identity: access.identity,
    head: { cpu: 2, memoryGiB: 8 },
    workerGroups: [{ groupName: "cpu", cpu: 2, memoryGiB: 8, minReplicas: 0, maxReplicas: 4 }],
  });
}
app.synth();
process.stdout.write(String(performance.now() - start));
