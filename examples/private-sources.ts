/** Jobs whose code comes from a private GitHub repository, with a token that Terraform writes and does not remember. */
import { GoogleProvider } from "@cdktf/provider-google/lib/provider";
import { App, TerraformStack, TerraformVariable } from "cdktf";
import { GkeWorkloadIdentityCluster, KubeRayOperator, RayCluster, RuntimeEnvNetrc } from "../lib";

const app = new App();
const stack = new TerraformStack(app, "private-sources");
new GoogleProvider(stack, "google", { project: "my-project-id" });

const cluster = GkeWorkloadIdentityCluster.fromClusterName(stack, "cluster", {
  clusterName: "team-cluster",
  location: "us-east4",
});
const operator = KubeRayOperator.existing(stack, "operator", { cluster, kuberayVersion: "1.6.2" });
const ray = new RayCluster(stack, "ray", {
  operator,
  rayClusterName: "raycluster-private",
  namespace: "private",
  head: { cpu: 2, memoryGiB: 8 },
  workerGroups: [{ groupName: "cpu", cpu: 2, memoryGiB: 8, minReplicas: 1, maxReplicas: 1 }],
});

const token = new TerraformVariable(stack, "github_token", {
  type: "string",
  description: "Reads the repositories that jobs come from.",
});
new RuntimeEnvNetrc(stack, "netrc", {
  rayCluster: ray,
  machines: [
    { machine: "github.com", login: "my-user", password: token },
    { machine: "codeload.github.com", login: "my-user", password: token },
  ],
});

app.synth();
