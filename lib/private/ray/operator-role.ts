import type { IRayCluster } from "../../contracts/ray-cluster";
import { KubernetesObject, kubernetesObjects } from "../terraform/kubernetes-objects";
import { clusterKey } from "../terraform/claims";
import { checkLate } from "../terraform/late-checks";
import { resolvedText } from "../terraform/names";
import { PerStack } from "../terraform/per-stack";
import { invalid } from "../validation";

/** KubeRay cuts longer names from the front. */
const LONGEST_NAME = 50;

/** The Ray clusters of each stack. */
const rayClusters = new PerStack((stack) => {
  const known: IRayCluster[] = [];
  checkLate(stack, () =>
    kubernetesObjects(stack)
      .filter(({ kind }) => /^role(_binding)?$/.test(kind))
      .map((role) => () => {
        const ray = known.find((candidate) => isOperatorsRole(role, candidate));
        if (ray === undefined) return;
        const requirement = `not be the name of the Ray cluster at ${ray.node.path}: KubeRay gives the autoscaler its rights by a Role and a RoleBinding of that name, and leaves alone what is there`;
        throw invalid(role.resource, "metadata.name", requirement, role.name);
      }),
  );
  return known;
});

/**
 * KubeRay gives the autoscaler its rights by a Role and a RoleBinding with the Ray cluster's name, and leaves those alone
 * that are there already: the autoscaler would then have none. Looks for such in the same stack when that is complete.
 *
 * https://github.com/ray-project/kuberay/blob/v1.6.2/ray-operator/controllers/ray/raycluster_controller.go (reconcileAutoscalerRole)
 */
export function refuseOperatorsRoleName(ray: IRayCluster): void {
  rayClusters.of(ray).push(ray);
}

function isOperatorsRole(
  { resource, cluster, namespace, name }: KubernetesObject,
  ray: IRayCluster,
): boolean {
  return (
    cluster === clusterKey(ray.cluster) &&
    (namespace || "default") === resolvedText(resource, ray.namespace) &&
    name === resolvedText(resource, ray.rayClusterName).slice(-LONGEST_NAME)
  );
}
