import { Fn, TerraformResource, Token } from "cdktf";
import { Construct } from "constructs";
import type { RayAutoscalerPolicyProps } from "./contracts/ray-autoscaler-policy";
import type { IRayCluster } from "./contracts/ray-cluster";
import { autoscalerPolicies } from "./private/ray/autoscaler-rules";
import { clusterKey } from "./private/terraform/claims";
import { manifestRelease } from "./private/terraform/manifest-release";
import { shortHash } from "./private/terraform/names";
import { PerStack } from "./private/terraform/per-stack";
import { invalid } from "./private/validation";

export type * from "./contracts/ray-autoscaler-policy";

/** With a dot, which the name of a Ray cluster, and so of its release, cannot have. */
const RELEASE_PREFIX = "ray-autoscaler.";

/** Helm's limit. */
const LONGEST_RELEASE_NAME = 53;

/** Where Ray clusters have their policies, by GKE cluster, namespace and name. */
const policies = new PerStack(() => new Map<string, string>());

/**
 * Holds the service account of the head to what Ray's autoscaler does with it, by admission policies of Kubernetes.
 *
 * KubeRay lets this account change every RayCluster and every pod of its namespace, and so start any pod there: whoever got
 * hold of its token could run privileged containers under any account of the namespace. With the policies the account
 * changes `replicas` and `scaleStrategy` of the worker groups of its own RayCluster, and nothing else: no other field, no
 * other RayCluster, and no pod but for in-place resizing. Its right to read stays.
 *
 * `RayCluster` creates one where the autoscaler runs. A Ray cluster that is deployed by other means must wait for `resource`.
 *
 * Needs Kubernetes 1.30 or newer.
 *
 * https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/
 */
export class RayAutoscalerPolicy extends Construct {
  /** The Helm release that holds the policies; the pods wait for it. */
  public readonly resource: TerraformResource;

  /** @throws if the Ray cluster has a policy already */
  constructor(scope: Construct, id: string, props: RayAutoscalerPolicyProps) {
    super(scope, id);
    const { rayCluster } = props;
    const { cluster, namespace, rayClusterName, headServiceAccountName } = rayCluster;
    this.registerOnlyOne(rayCluster);
    this.resource = manifestRelease(this, "policy", {
      cluster,
      releaseName: releaseName(rayClusterName),
      namespace,
      values: () => ({
        manifests: autoscalerPolicies({ namespace, rayClusterName, headServiceAccountName }),
      }),
      dependencies: () => rayCluster.namespaceDependencies,
    });
    rayCluster.head.addDependency(this.resource);
  }

  /** Policies of one name would be taken away from each other by Helm. */
  private registerOnlyOne({ cluster, namespace, rayClusterName }: IRayCluster): void {
    const known = policies.of(this);
    const key = `${namespace}/${rayClusterName}`;
    const other = known.get(`${clusterKey(cluster)} ${key}`);
    if (other !== undefined) {
      throw invalid(this, "rayCluster", `have no other policy (${other} is one)`, key);
    }
    known.set(`${clusterKey(cluster)} ${key}`, this.node.path);
  }
}

/** Of the Ray cluster's name where that fits, else of a hash of it; both unique in the namespace. */
function releaseName(rayClusterName: string): string {
  if (Token.isUnresolved(rayClusterName)) {
    return `${RELEASE_PREFIX}sha256.${Fn.substr(Fn.sha256(rayClusterName), 0, 20)}`;
  }
  const room = LONGEST_RELEASE_NAME - RELEASE_PREFIX.length;
  if (rayClusterName.length <= room) return `${RELEASE_PREFIX}${rayClusterName}`;
  return `${RELEASE_PREFIX}${rayClusterName.slice(0, room - 8).replace(/-+$/, "")}.${shortHash(rayClusterName)}`;
}
