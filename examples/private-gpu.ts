/** A regional cluster with private nodes, the operator from its chart, spot GPUs, and workers that see a bucket as a folder. */
import { GoogleProvider } from "@cdktf/provider-google/lib/provider";
import { App, TerraformStack } from "cdktf";
import {
  GkeReleaseChannel,
  GkeTaintEffect,
  GkeWorkloadIdentityCluster,
  KubeRayOperator,
  RayBucketAccess,
  RayCluster,
  WorkloadIdentity,
} from "../lib";

const app = new App();
const stack = new TerraformStack(app, "private-gpu");
new GoogleProvider(stack, "google", { project: "my-project-id" });

const cluster = new GkeWorkloadIdentityCluster(stack, "cluster", {
  clusterName: "ray-gpu",
  location: "us-central1",
  nodeZones: ["us-central1-a", "us-central1-c"],
  network: "ray-vpc",
  subnetwork: "ray-nodes",
  podsRangeName: "ray-pods",
  servicesRangeName: "ray-services",
  privateNodes: true,
  authorizedNetworks: [{ cidrBlock: "203.0.113.0/24", displayName: "office" }],
  releaseChannel: GkeReleaseChannel.STABLE,
  maintenanceWindow: {
    startTime: "2026-01-03T02:00:00Z",
    endTime: "2026-01-03T08:00:00Z",
    recurrence: "FREQ=WEEKLY;BYDAY=SA,SU",
  },
  binaryAuthorization: true,
  securityGroup: "gke-security-groups@example.com",
  gcsFuseAddon: true,
  nodePools: [
    { name: "head", machineType: "e2-standard-8", minNodeCount: 1, maxNodeCount: 2, diskType: "pd-balanced" },
    {
      name: "l4",
      machineType: "g2-standard-12",
      maxNodeCount: 4,
      acceleratorType: "nvidia-l4",
      spot: true,
      labels: { team: "research" },
      taints: [{ key: "team", value: "research", effect: GkeTaintEffect.NO_SCHEDULE }],
    },
  ],
});
const operator = KubeRayOperator.chart(stack, "operator", { cluster });

const access = new RayBucketAccess(stack, "bucket", {
  cluster,
  bucketName: "my-training-data",
  bucketLocation: "US",
  versioning: true,
  accessLogBucketName: "my-access-logs",
  namespace: "research",
  serviceAccountName: "ray-head",
  googleServiceAccountId: "ray-head",
});
const readers = new WorkloadIdentity(stack, "workers", {
  cluster,
  namespace: "research",
  serviceAccountName: "ray-worker",
  googleServiceAccountId: "ray-worker",
});
access.grantRead(readers);

const ray = new RayCluster(stack, "ray", {
  operator,
  rayClusterName: "research",
  identity: access.identity,
  workerIdentity: readers,
  waitUntilReady: { timeoutMinutes: 30 },
  head: { cpu: 4, memoryGiB: 16, numCpus: 0 },
  workerGroups: [
    {
      groupName: "l4",
      cpu: 8,
      memoryGiB: 32,
      maxReplicas: 4,
      acceleratorType: "nvidia-l4",
      spot: true,
      nodeSelector: { team: "research" },
      tolerations: [{ key: "team", value: "research", effect: "NoSchedule" }],
    },
  ],
});
ray.mountBucket(access, "/data", { readOnly: true, fileCacheGiB: 20 });

app.synth();
