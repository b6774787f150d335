import { GoogleProvider } from "@cdktf/provider-google/lib/provider";
import { App, TerraformStack, TerraformVariable } from "cdktf";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BucketMountOptions } from "../../../lib/contracts/bucket-mount-options";
import { GkeWorkloadIdentityClusterProps } from "../../../lib/contracts/gke-workload-identity-cluster";
import { RayBucketAccessProps } from "../../../lib/contracts/ray-bucket-access";
import { RayClusterProps } from "../../../lib/contracts/ray-cluster";
import { GkeWorkloadIdentityCluster } from "../../../lib/gke-workload-identity-cluster";
import { KubeRayOperator } from "../../../lib/kuberay-operator";
import { RayBucketAccess } from "../../../lib/ray-bucket-access";
import { RayCluster } from "../../../lib/ray-cluster";
import { RuntimeEnvNetrc } from "../../../lib/runtime-env-netrc";
import { SiteOptions } from "../../stage/site";

/** Who the nodes are: an account that is there already, because a new one takes the provider ten seconds. */
const NODE_ACCOUNT = "ray-nodes@my-project-id.iam.gserviceaccount.com";

/** What is there before the platform is. */
export const PLATFORM_SITE: SiteOptions = {
  seed: { serviceAccounts: [NODE_ACCOUNT], buckets: [{ name: "my-access-logs" }] },
  // The operator runs from the start; the add-on's would be a second one.
  onAddonEnabled: () => undefined,
};

export const PLATFORM = { namespace: "ray", rayClusterName: "raycluster" };

/** What a user changes in a platform from one apply to the next. */
export interface PlatformChange {
  readonly cluster?: Partial<GkeWorkloadIdentityClusterProps>;
  readonly operator?: { readonly kuberayVersion?: string };
  readonly bucket?: Partial<RayBucketAccessProps>;
  readonly ray?: Partial<RayClusterProps>;
  /** The netrc file of the pods, whose password is the Terraform variable `password`. */
  readonly netrc?: { readonly revision: number };
  /** Where the bucket is mounted into the pods, and how. */
  readonly mounts?: readonly (readonly [mountPath: string, options?: BucketMountOptions])[];
  /** Where an empty folder is mounted into the pods. */
  readonly scratchPath?: string;
  /** For `RayCluster.addOverride`. */
  readonly overrides?: Readonly<Record<string, unknown>>;
}

/** One change after another, each prop as it was given last. */
export function merge(first: PlatformChange, second: PlatformChange): PlatformChange {
  return {
    cluster: { ...first.cluster, ...second.cluster },
    operator: { ...first.operator, ...second.operator },
    bucket: { ...first.bucket, ...second.bucket },
    ray: { ...first.ray, ...second.ray },
    netrc: second.netrc ?? first.netrc,
    mounts: second.mounts ?? first.mounts,
    scratchPath: second.scratchPath ?? first.scratchPath,
    overrides: { ...first.overrides, ...second.overrides },
  };
}

/** A small platform with every construct, whose operator is there already; returns the folder of its stack. */
export function synthesizePlatform(change: PlatformChange): string {
  const outdir = mkdtempSync(join(tmpdir(), "synthesized-"));
  const app = new App({ outdir });
  const stack = new TerraformStack(app, "platform");
  new GoogleProvider(stack, "google", { project: "my-project-id" });
  const cluster = new GkeWorkloadIdentityCluster(stack, "cluster", {
    clusterName: "changing",
    location: "us-west1-b",
    nodeServiceAccountEmail: NODE_ACCOUNT,
    nodePools: [{ name: "ray", machineType: "e2-standard-8", maxNodeCount: 1 }],
    ...change.cluster,
  });
  const operator = KubeRayOperator.existing(stack, "operator", {
    cluster,
    // Said outright: it stays where it is when the cluster gets the add-on.
    namespace: "kuberay-operator",
    ...change.operator,
  });
  const access = new RayBucketAccess(stack, "bucket", {
    cluster,
    bucketName: "my-project-id-ray",
    namespace: PLATFORM.namespace,
    serviceAccountName: "ray",
    projectNumber: "123456789012",
    ...change.bucket,
  });
  const ray = new RayCluster(stack, "ray", {
    operator,
    rayClusterName: PLATFORM.rayClusterName,
    identity: access.identity,
    head: { cpu: 1, memoryGiB: 4 },
    ...change.ray,
  });
  if (change.netrc !== undefined) addNetrc(ray, change.netrc.revision);
  for (const [mountPath, options] of change.mounts ?? []) ray.mountBucket(access, mountPath, options);
  if (change.scratchPath !== undefined) addScratch(ray, change.scratchPath);
  for (const [path, value] of Object.entries(change.overrides ?? {})) ray.addOverride(path, value);
  app.synth();
  return join(outdir, "stacks", "platform");
}

function addNetrc(ray: RayCluster, revision: number): void {
  const password = new TerraformVariable(ray, "password", { type: "string" });
  password.overrideLogicalId("password");
  const machines = [{ machine: "github.com", login: "my-user", password }];
  new RuntimeEnvNetrc(ray, "netrc", { rayCluster: ray, machines, revision });
}

function addScratch(ray: RayCluster, mountPath: string): void {
  for (const pods of [ray.head, ray.workers]) {
    pods.addVolume({ name: "scratch", emptyDir: {} });
    pods.addVolumeMount({ name: "scratch", mountPath });
  }
}
