import { TerraformProvider, TerraformStack } from "cdktf";
import { IConstruct } from "constructs";
import { invalid } from "../validation";
import { providerKey } from "./claims";
import { resolvedText } from "./names";
import { PerStack } from "./per-stack";

/**
 * What a namespace is for. Whoever may start pods in a namespace can use every service account and every Secret in it, so a
 * namespace has one purpose.
 */
export enum NamespacePurpose {
  OPERATOR = "the KubeRay operator",
  RAY = "the pods of a Ray cluster",
  RAY_PROXY = "the proxy of a Ray cluster",
  SKYPILOT_LAUNCHER = "the launcher of SkyPilot",
  SKYPILOT_WORKLOADS = "the tasks of SkyPilot",
  SKYPILOT_SYSTEM = "the DaemonSet of SkyPilot",
}

/** Somebody's use of a namespace. */
export interface NamespaceClaim {
  readonly namespace: string;
  readonly purpose: NamespacePurpose;
  /** The property that names the namespace, for error messages. */
  readonly property: string;
  /** The provider of the cluster, asked for only where a namespace of that name has two purposes. */
  readonly provider: () => TerraformProvider;
}

interface KnownClaim extends NamespaceClaim {
  readonly scope: IConstruct;
}

/** The claims of each stack. */
const claims = new PerStack((): KnownClaim[] => []);

/** @throws if another construct has the namespace, on the same cluster, for a purpose that does not go with this one */
export function claimNamespace(scope: IConstruct, claim: NamespaceClaim): void {
  const stack = TerraformStack.of(scope);
  const known = claims.of(scope);
  const other = known.find(
    (earlier) =>
      !goTogether(earlier.purpose, claim.purpose) &&
      resolvedText(stack, earlier.namespace) === resolvedText(stack, claim.namespace) &&
      providerKey(earlier.provider()) === providerKey(claim.provider()),
  );
  if (other !== undefined) {
    const namespace = JSON.stringify(resolvedText(stack, claim.namespace));
    const requirement = `not use the namespace ${namespace}, which ${other.scope.node.path} has for ${other.purpose}: whoever may start pods in a namespace can use every service account in it`;
    throw invalid(scope, claim.property, requirement);
  }
  known.push({ ...claim, scope });
}

/** Ray clusters have long been put beside the operator, as in Ray's own guides. */
function goTogether(one: NamespacePurpose, other: NamespacePurpose): boolean {
  const both = [one, other];
  return one === other || (both.includes(NamespacePurpose.RAY) && both.includes(NamespacePurpose.OPERATOR));
}
