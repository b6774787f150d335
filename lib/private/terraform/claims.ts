import { TerraformProvider, Token } from "cdktf";
import { IConstruct } from "constructs";
import type { IGkeWorkloadIdentityCluster } from "../../contracts/gke-workload-identity-cluster";
import { invalid } from "../validation";
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

/** Tells clusters apart, as far as they are known; two constructs may stand for the same one. */
export function clusterKey({ clusterName, location, node }: IGkeWorkloadIdentityCluster): string {
  return [clusterName, location].some((part) => Token.isUnresolved(part))
    ? node.path
    : `${clusterName} ${location}`;
}

/** Tells projects apart, as far as they are known. */
export function projectKey(project: string | undefined, provider?: TerraformProvider): string {
  return project === undefined || Token.isUnresolved(project) ? (provider?.alias ?? "default") : project;
}
