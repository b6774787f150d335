/**
 * A Ray cluster that is deployed by KubeRay's own `ray-cluster` chart, on a cluster and an operator that exist already; of
 * this library only the proxy in front of its dashboard, and the network policy that lets nobody else in.
 */
import { GoogleProvider } from "@cdktf/provider-google/lib/provider";
import { Release } from "@cdktf/provider-helm/lib/release";
import { ServiceAccountV1 } from "@cdktf/provider-kubernetes/lib/service-account-v1";
import { App, TerraformOutput, TerraformStack } from "cdktf";
import { RbacSubject } from "../lib/contracts/rbac-subject";
import { GkeWorkloadIdentityCluster } from "../lib/gke-workload-identity-cluster";
import { RayAuthProxy } from "../lib/ray-auth-proxy";
import { RayCluster } from "../lib/ray-cluster";

const app = new App();
const stack = new TerraformStack(app, "helm-ray-cluster");
new GoogleProvider(stack, "google", { project: "my-project-id" });

const cluster = GkeWorkloadIdentityCluster.fromClusterName(stack, "cluster", {
  clusterName: "team-cluster",
  location: "us-east4",
});
const ray = RayCluster.fromRayClusterAttributes(stack, "ray", {
  cluster,
  namespace: "team-a",
  rayClusterName: "raycluster-helm",
  headServiceAccountName: "raycluster-helm",
  kuberayVersion: "1.6.2",
  rayVersion: "2.60.0",
});

const auth = new RayAuthProxy(stack, "auth", { rayCluster: ray });
auth.grantSubmit(RbacSubject.user("ada@example.com"));
auth.grantView(RbacSubject.serviceAccount("dashboards", "monitoring"));

// An account of their own without a token in its pods, which the chart cannot say of the pods themselves: jobs run in them.
const account = new ServiceAccountV1(stack, "account", {
  metadata: { name: ray.headServiceAccountName, namespace: ray.namespace },
  automountServiceAccountToken: false,
  provider: cluster.kubernetesProvider,
});
const toEnv = (env: { [name: string]: string }) =>
  Object.entries(env).map(([name, value]) => ({ name, value }));
new Release(stack, "ray-cluster", {
  name: "raycluster-helm",
  namespace: "team-a",
  repository: "https://ray-project.github.io/kuberay-helm/",
  chart: "ray-cluster",
  version: "1.6.2",
  values: [
    JSON.stringify({
      fullnameOverride: "raycluster-helm",
      image: { tag: "2.60.0" },
      head: {
        rayVersion: "2.60.0",
        serviceAccountName: ray.headServiceAccountName,
        containerEnv: toEnv(ray.head.env),
      },
      worker: { serviceAccountName: ray.headServiceAccountName, containerEnv: toEnv(ray.workers.env) },
    }),
  ],
  dependsOn: [account, ...ray.head.dependencies],
  provider: cluster.helmProvider,
});

new TerraformOutput(stack, "job_headers_command", {
  description: "Lets the Ray client call as the Google identity of gcloud.",
  value: auth.googleJobHeadersCommand,
});

app.synth();
