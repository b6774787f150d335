import { Token } from "cdktf";
import type { IRayCluster } from "../../contracts/ray-cluster";
import type { RayWorkerGroup } from "../../contracts/ray-groups";
import { clusterKey } from "../terraform/claims";
import { checkLate } from "../terraform/late-checks";
import { resolvedText } from "../terraform/names";
import { PerStack } from "../terraform/per-stack";
import { invalid } from "../validation";
import { LONGEST_POD_PREFIX } from "./autoscaler-rules";

/** A Ray cluster and its worker groups. */
interface NamedGroups {
  readonly ray: IRayCluster;
  readonly groups: readonly RayWorkerGroup[];
  /** Whether an autoscaler names pods to delete. */
  readonly autoscales: boolean;
}

/** The Ray clusters of each stack. */
const rayClusters = new PerStack((stack) => {
  const known: NamedGroups[] = [];
  checkLate(stack, () =>
    known
      .filter(({ autoscales }) => autoscales)
      .flatMap((one) =>
        known
          .filter((other) => other !== one && shareNamespace(one.ray, other.ray))
          .map((other) => () => requireApart(one, other)),
      ),
  );
  return known;
});

/**
 * Has it checked that no pods of another Ray cluster of the namespace have names that begin as the worker pods of this one: its
 * autoscaler says by name which pods are deleted, and the admission policy can tell them by the beginning alone.
 */
export function keepWorkersApart(
  ray: IRayCluster,
  groups: readonly RayWorkerGroup[],
  autoscales: boolean,
): void {
  rayClusters.of(ray).push({ ray, groups, autoscales });
}

function shareNamespace(one: IRayCluster, other: IRayCluster): boolean {
  return (
    clusterKey(one.cluster) === clusterKey(other.cluster) &&
    resolvedText(one, one.namespace) === resolvedText(one, other.namespace)
  );
}

function requireApart({ ray, groups }: NamedGroups, other: NamedGroups): void {
  const theirs = [
    `${podPrefix(other.ray.rayClusterName)}-`,
    ...other.groups.map((group) => workerPrefix(other.ray, group)),
  ];
  groups.forEach((group, index) => {
    if (Token.isUnresolved(`${ray.rayClusterName}${group.groupName}`)) return;
    const own = workerPrefix(ray, group);
    if (!theirs.some((name) => name.startsWith(own))) return;
    const rule = `make other names than ${own}..., as which pods of ${other.ray.node.path} in the same namespace are named: the autoscaler could have them deleted`;
    throw invalid(ray, `workerGroups[${index}].groupName`, rule, group.groupName);
  });
}

function workerPrefix({ rayClusterName }: IRayCluster, { groupName }: RayWorkerGroup): string {
  return `${podPrefix(`${rayClusterName}-${groupName}`)}-worker-`;
}

/** https://github.com/ray-project/kuberay/blob/v1.6.2/ray-operator/controllers/ray/utils/util.go (PodName) */
function podPrefix(name: string): string {
  return name.toLowerCase().slice(0, LONGEST_POD_PREFIX);
}
