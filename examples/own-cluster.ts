/** One construct in a stack of one's own: the cluster and the providers are the user's. */
import { ContainerCluster } from "@cdktf/provider-google/lib/container-cluster";
import { DataGoogleClientConfig } from "@cdktf/provider-google/lib/data-google-client-config";
import { GoogleProvider } from "@cdktf/provider-google/lib/provider";
import { HelmProvider } from "@cdktf/provider-helm/lib/provider";
import { KubernetesProvider } from "@cdktf/provider-kubernetes/lib/provider";
import { App, Fn, TerraformStack } from "cdktf";
import { GkeWorkloadIdentityCluster } from "../lib/gke-workload-identity-cluster";
import { RayBucketAccess } from "../lib/ray-bucket-access";

const app = new App();
const stack = new TerraformStack(app, "own-cluster");
const google = new GoogleProvider(stack, "google", { project: "my-project-id", alias: "workloads" });

const gke = new ContainerCluster(stack, "gke", {
  name: "my-own-cluster",
  location: "us-west1",
  enableAutopilot: true,
  provider: google,
});
const client = new DataGoogleClientConfig(stack, "client", { provider: google });
const connection = {
  host: `https://${gke.endpoint}`,
  token: client.accessToken,
  clusterCaCertificate: Fn.base64decode(gke.masterAuth.clusterCaCertificate),
};

const cluster = GkeWorkloadIdentityCluster.fromClusterAttributes(stack, "cluster", {
  clusterName: "my-own-cluster",
  location: "us-west1",
  autopilot: true,
  workloadIdentityPool: gke.workloadIdentityConfig.workloadPool,
  kubernetesDependencies: [gke],
  googleProvider: google,
  kubernetesProvider: new KubernetesProvider(stack, "kubernetes", connection),
  helmProvider: new HelmProvider(stack, "helm", { kubernetes: connection }),
});

new RayBucketAccess(stack, "bucket", {
  cluster,
  bucketName: "my-bucket",
  namespace: "ray",
  serviceAccountName: "my-ksa",
});

app.synth();
