import { TerraformProvider, Token } from "cdktf";
import { IConstruct } from "constructs";
import type { IGkeWorkloadIdentityCluster } from "../../contracts/gke-workload-identity-cluster";
import { invalid } from "../validation";
import { resolvedText } from "./names";
import { PerStack } from "./per-stack";

/** Who creates what in a stack, so that nothing is created twice: Terraform would find out in mid-apply. */
const CLAIMS = new PerStack(() => new Map<string, string>());

/** Something that there can be once. */
interface Claim {
  /** The property that names it. */
  readonly property: string;
  readonly name: string;
  /** What it is, with all that tells it from others of that name. */
  readonly what: string;
  /** Completes the sentence "... creates it already: ...". */
  readonly advice: string;
}

/** @throws if another construct of the stack creates it already, with what to share */
export function claim(scope: IConstruct, { property, name, what, advice }: Claim): void {
  if (Token.isUnresolved(name)) return;
  const claims = CLAIMS.of(scope);
  const owner = claims.get(what);
  if (owner !== undefined) {
    throw invalid(scope, property, `not be one that ${owner} creates already: ${advice}`, name);
  }
  claims.set(what, scope.node.path);
}

/** The key of each cluster's Kubernetes and Helm provider. */
const providerKeys = new WeakMap<TerraformProvider, string>();

/** Tells clusters apart, as far as they are known; two constructs may stand for the same one. */
export function clusterKey(cluster: IGkeWorkloadIdentityCluster): string {
  return providerKey(cluster.kubernetesProvider);
}

/** Tells by their providers what is on one cluster. */
export function providerKey(provider: TerraformProvider): string {
  return providerKeys.get(provider) ?? provider.node.path;
}

/** What tells a cluster from others. */
interface ClusterAddress {
  readonly clusterName: string;
  readonly location: string;
  readonly project?: string;
  readonly googleProvider?: TerraformProvider;
}

/** Notes which cluster a Kubernetes or Helm provider is of. */
export function noteProvider(
  provider: TerraformProvider,
  cluster: IConstruct,
  address: ClusterAddress,
): void {
  providerKeys.set(provider, addressKey(cluster, address));
}

/** Tells clusters apart by their names; where one is known to Terraform alone, by the construct. */
export function addressKey(cluster: IConstruct, address: ClusterAddress): string {
  const { clusterName, location, project, googleProvider } = address;
  return [clusterName, location].some((part) => Token.isUnresolved(part))
    ? cluster.node.path
    : `${projectKey(cluster, project, googleProvider)} ${clusterName} ${location}`;
}

/** Tells projects apart: by the id, by the reference behind it, or by the provider that has it. */
export function projectKey(
  scope: IConstruct,
  project: string | undefined,
  provider?: TerraformProvider,
): string {
  return project === undefined ? (provider?.alias ?? "default") : resolvedText(scope, project);
}
