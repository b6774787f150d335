/** SkyPilot on a cluster of ours: tasks that use a bucket without a key, and two people who launch them. */
import { GoogleProvider } from "@cdktf/provider-google/lib/provider";
import { App, TerraformOutput, TerraformStack } from "cdktf";
import {
  GkeWorkloadIdentityCluster,
  RayBucketAccess,
  RbacSubject,
  SkyPilotServiceAccount,
  WorkloadIdentity,
} from "../lib";

const app = new App();
const stack = new TerraformStack(app, "skypilot");
new GoogleProvider(stack, "google", { project: "my-project-id" });

const cluster = new GkeWorkloadIdentityCluster(stack, "cluster", {
  clusterName: "skypilot-cluster",
  location: "us-central1-a",
  nodePools: [{ name: "cpu", machineType: "e2-standard-8", initialNodeCount: 1, maxNodeCount: 4 }],
});

const tasks = new WorkloadIdentity(stack, "tasks", {
  cluster,
  namespace: "sky",
  serviceAccountName: "sky-sa-workload",
  googleServiceAccountId: "sky-tasks",
});
const data = new RayBucketAccess(stack, "data", { cluster, bucketName: "my-sky-data", identity: tasks });

const sky = new SkyPilotServiceAccount(stack, "sky", {
  cluster,
  namespace: "sky",
  additionalNamespaces: ["sky-research"],
  serviceAccountName: "sky-sa",
  workloadIdentity: tasks,
  features: { gpuAvailability: true, objectStoreMounts: true, volumes: true },
  resourceQuota: { "requests.cpu": "64", "requests.memory": "256Gi" },
});
sky.grantLauncher(RbacSubject.user("ada@example.com"));
sky.grantLauncher(RbacSubject.user("bob@example.com"));

new TerraformOutput(stack, "get_credentials_command", { value: cluster.credentialsCommand });
new TerraformOutput(stack, "sky_config", { value: sky.skyConfig });
new TerraformOutput(stack, "bucket_url", { value: data.bucketUrl });

app.synth();
