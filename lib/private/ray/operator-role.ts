import { TerraformElement, TerraformResource, TerraformStack } from "cdktf";
import type { IRayCluster } from "../../contracts/ray-cluster";
import { PerStack } from "../terraform/per-stack";
import { invalid } from "../validation";

const ROLES_AND_BINDINGS = /^kubernetes_role(_binding)?(_v1)?$/;

/** KubeRay cuts longer names from the front. */
const LONGEST_NAME = 50;

/** The Ray clusters of each stack by the namespace and name of the operator's Role. */
const operatorRoles = new PerStack((stack) => {
  const roles = new Map<string, IRayCluster>();
  stack.node.addValidation({ validate: () => takenNames(stack, roles) });
  return roles;
});

/**
 * KubeRay gives the autoscaler its rights by a Role and a RoleBinding with the Ray cluster's name, and leaves those alone
 * that are there already: the autoscaler would then have none. Looks for such in the same stack when that is complete.
 *
 * https://github.com/ray-project/kuberay/blob/v1.6.2/ray-operator/controllers/ray/raycluster_controller.go (reconcileAutoscalerRole)
 */
export function refuseOperatorsRoleName(ray: IRayCluster): void {
  operatorRoles.of(ray).set(key(ray.namespace, ray.rayClusterName.slice(-LONGEST_NAME)), ray);
}

function takenNames(stack: TerraformStack, operatorRoles: Map<string, IRayCluster>): string[] {
  return stack.node
    .findAll()
    .filter((construct) => TerraformElement.isTerraformElement(construct))
    .filter((element) => TerraformResource.isTerraformResource(element))
    .filter(({ terraformResourceType }) => ROLES_AND_BINDINGS.test(terraformResourceType))
    .flatMap((role) => {
      const metadata = (role as { metadataInput?: { name?: string; namespace?: string } }).metadataInput;
      const ray = operatorRoles.get(key(metadata?.namespace ?? "default", metadata?.name ?? ""));
      if (ray === undefined) return [];
      const requirement = `not be the name of the Ray cluster at ${ray.node.path}: KubeRay gives the autoscaler its rights by a Role and a RoleBinding of that name, and leaves alone what is there`;
      return [invalid(role, "metadata.name", requirement, metadata?.name).message];
    });
}

function key(namespace: string, name: string): string {
  return `${namespace}/${name}`;
}
