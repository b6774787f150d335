/**
 * A token for Kubernetes that is asked for anew at every plan and every apply: it is in no state, and a plan that was saved
 * hours ago can still be applied. Whoever runs Terraform needs `roles/iam.serviceAccountTokenCreator` on the account named
 * below, and that account `roles/container.admin` on the project.
 */
import { GoogleProvider } from "@cdktf/provider-google/lib/provider";
import { App, TerraformStack } from "cdktf";
import { GkeWorkloadIdentityCluster } from "../lib/gke-workload-identity-cluster";
import { KubeRayOperator } from "../lib/kuberay-operator";
import { RayCluster } from "../lib/ray-cluster";

const app = new App();
const stack = new TerraformStack(app, "ephemeral-token");
new GoogleProvider(stack, "google", { project: "my-project-id" });

// cdktf has no class for it.
stack.addOverride("ephemeral.google_service_account_access_token.deployer", {
  target_service_account: "deployer@my-project-id.iam.gserviceaccount.com",
  scopes: ["cloud-platform"],
});

const cluster = new GkeWorkloadIdentityCluster(stack, "cluster", {
  clusterName: "ray-ephemeral",
  location: "us-west1-b",
  project: "my-project-id",
  nodePools: [{ name: "ray", machineType: "e2-standard-8", initialNodeCount: 1, maxNodeCount: 1 }],
  rayOperatorAddon: true,
  kubernetesToken: "${ephemeral.google_service_account_access_token.deployer.access_token}",
});
const operator = KubeRayOperator.gkeAddon(stack, "operator", { cluster });
new RayCluster(stack, "ray", {
  operator,
  rayClusterName: "raycluster-mini",
  namespace: "ray",
  head: { cpu: 2, memoryGiB: 8 },
});

app.synth();
