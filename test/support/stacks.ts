import { GoogleProvider } from "@cdktf/provider-google/lib/provider";
import { AnnotationMetadataEntryType, TerraformStack, Testing } from "cdktf";
import {
  GkeClusterOptions,
  GkeWorkloadIdentityCluster,
  GkeWorkloadIdentityClusterProps,
  IGkeWorkloadIdentityCluster,
  KubeRayOperator,
  RayAuthProxy,
  RayAuthProxyProps,
  RayBucketAccess,
  RayBucketAccessProps,
  RayCluster,
  RayClusterProps,
  SkyPilotServiceAccount,
  SkyPilotServiceAccountProps,
} from "../../lib";

/** An empty stack named `stack` with a Google provider. */
export function emptyStack(id = "stack"): TerraformStack {
  const stack = new TerraformStack(Testing.app(), id);
  new GoogleProvider(stack, "google", { project: "my-project-id" });
  return stack;
}

/** A cluster of ours, zonal unless it is Autopilot, with one pool and the Ray add-on. */
export function standardCluster(
  stack: TerraformStack,
  props: Partial<GkeWorkloadIdentityClusterProps> = {},
): GkeWorkloadIdentityCluster {
  return new GkeWorkloadIdentityCluster(stack, "cluster", {
    clusterName: "my-cluster",
    location: props.autopilot ? "us-west1" : "us-west1-b",
    nodePools: props.autopilot ? undefined : [{ name: "ray", machineType: "e2-standard-8", maxNodeCount: 1 }],
    rayOperatorAddon: true,
    ...props,
  });
}

/** A cluster that exists already. */
export function existingCluster(
  stack: TerraformStack,
  options: Partial<GkeClusterOptions> = {},
  id = "cluster",
): IGkeWorkloadIdentityCluster {
  return GkeWorkloadIdentityCluster.fromClusterName(stack, id, {
    clusterName: "my-cluster",
    location: options.autopilot ? "us-west1" : "us-west1-b",
    ...options,
  });
}

/** A bucket of ours, with a Google service account of ours. */
export function bucketAccess(
  stack: TerraformStack,
  cluster: IGkeWorkloadIdentityCluster,
  props: Partial<RayBucketAccessProps> = {},
): RayBucketAccess {
  const identity = props.identity
    ? {}
    : { namespace: "ray", serviceAccountName: "my-ksa", googleServiceAccountId: "my-iam-sa" };
  return new RayBucketAccess(stack, "bucket", { cluster, bucketName: "my-bucket", ...identity, ...props });
}

/** A Ray cluster of a head alone, on a cluster and operator that exist already. */
export function rayCluster(
  props: Partial<RayClusterProps> = {},
  kuberayVersion?: string,
): { stack: TerraformStack; ray: RayCluster } {
  const stack = emptyStack();
  const operator =
    props.operator ??
    KubeRayOperator.existing(stack, "operator", { cluster: existingCluster(stack), kuberayVersion });
  const ray = new RayCluster(stack, "ray", {
    operator,
    rayClusterName: "raycluster-mini",
    head: { cpu: 2, memoryGiB: 8 },
    ...(props.identity ? {} : { namespace: "ray" }),
    ...props,
  });
  return { stack, ray };
}

/** A proxy in front of such a Ray cluster. */
export function authProxy(
  props: Partial<RayAuthProxyProps> = {},
  rayProps: Partial<RayClusterProps> = {},
  kuberayVersion = "1.6.2",
): { stack: TerraformStack; ray: RayCluster; proxy: RayAuthProxy } {
  const { stack, ray } = rayCluster(rayProps, kuberayVersion);
  const proxy = new RayAuthProxy(stack, "auth", { rayCluster: ray, ...props });
  return { stack, ray, proxy };
}

/** SkyPilot in the namespace `sky` of a cluster that exists already. */
export function skyPilot(
  props: Partial<SkyPilotServiceAccountProps> = {},
  cluster: Partial<GkeClusterOptions> = {},
): { stack: TerraformStack; sky: SkyPilotServiceAccount } {
  const stack = emptyStack();
  const sky = new SkyPilotServiceAccount(stack, "sky", {
    cluster: existingCluster(stack, { project: "my-project-id", ...cluster }),
    namespace: "sky",
    ...props,
  });
  return { stack, sky };
}

/** What cdktf says of a stack that cannot stand: its path and the problem, one line each; nothing where it can. */
export function problemsOf(stack: TerraformStack): string[] {
  try {
    Testing.synth(stack, true);
  } catch (error) {
    const [title, ...lines] = (error as Error).message.split("\n");
    if (title !== "Validation failed with the following errors:") throw error;
    return lines.filter((line) => line.startsWith("  ")).map((line) => line.trim());
  }
  return [];
}

/** The warnings of a stack as cdktf's manifest has them, each with the path of its construct. */
export function warningsOf(stack: TerraformStack): [string, string][] {
  Testing.synth(stack, true);
  return stack.node
    .findAll()
    .flatMap(({ node }) =>
      node.metadata
        .filter(({ type }) => type === AnnotationMetadataEntryType.WARN)
        .map(({ data }): [string, string] => [node.path, data]),
    );
}
