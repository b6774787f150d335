/** Several tenants on one cluster: each has a namespace, an identity, a bucket and a Ray cluster, and its own people. */
import { GoogleProvider } from "@cdktf/provider-google/lib/provider";
import { App, TerraformStack } from "cdktf";
import {
  GkeWorkloadIdentityCluster,
  KubeRayOperator,
  RayAuthProxy,
  RayBucketAccess,
  RayCluster,
  RbacSubject,
} from "../lib";

const TENANTS = [
  { name: "vision", submitters: ["ada@example.com"] },
  { name: "speech", submitters: ["grace@example.com", "alan@example.com"] },
];

const app = new App();
const stack = new TerraformStack(app, "tenants");
new GoogleProvider(stack, "google", { project: "my-project-id" });

const cluster = new GkeWorkloadIdentityCluster(stack, "cluster", {
  clusterName: "tenants",
  location: "us-west1-b",
  nodePools: [{ name: "ray", machineType: "e2-standard-8", initialNodeCount: 1, maxNodeCount: 10 }],
  rayOperatorAddon: true,
});
const operator = KubeRayOperator.gkeAddon(stack, "operator", { cluster });

for (const { name, submitters } of TENANTS) {
  const access = new RayBucketAccess(stack, `${name}-bucket`, {
    cluster,
    bucketName: `my-project-id-${name}`,
    namespace: name,
    serviceAccountName: "ray",
    googleServiceAccountId: `ray-${name}`,
  });
  const ray = new RayCluster(stack, `${name}-ray`, {
    operator,
    rayClusterName: "ray",
    identity: access.identity,
    head: { cpu: 2, memoryGiB: 8 },
    workerGroups: [{ groupName: "cpu", cpu: 2, memoryGiB: 8, maxReplicas: 4 }],
  });
  const auth = new RayAuthProxy(stack, `${name}-auth`, { rayCluster: ray });
  submitters.forEach((email) => auth.grantSubmit(RbacSubject.user(email)));
}

app.synth();
