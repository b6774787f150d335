import { IConstruct } from "constructs";
import { checkLate } from "../terraform/late-checks";
import { PerStack } from "../terraform/per-stack";
import { invalid } from "../validation";
import { KubernetesObject, kubernetesObjects } from "../terraform/kubernetes-objects";

/** One check in each stack, however many clusters it has. */
const checked = new PerStack((stack) => {
  checkLate(stack, () => {
    const known = new Map<string, KubernetesObject>();
    return kubernetesObjects(stack).map((object) => () => {
      const key = [object.cluster, object.kind, object.namespace, object.name].join(" ");
      const other = known.get(key);
      if (other !== undefined) throw twice(object, other);
      known.set(key, object);
    });
  });
  return true;
});

/**
 * Has it checked, when the tree is complete, that no Kubernetes object of the stack is created twice. Terraform would find out
 * in mid-apply, and two Helm releases of one name would take turns.
 */
export function refuseDuplicates(scope: IConstruct): void {
  checked.of(scope);
}

function twice({ resource, kind, namespace, name }: KubernetesObject, other: KubernetesObject): Error {
  const what = kind.replace(/_/g, " ");
  const place = namespace === "" ? "" : ` in the namespace ${JSON.stringify(namespace)}`;
  const requirement = `not be that of ${other.resource.node.path}, which is the same ${what}${place}: give another name or namespace, or share what is there`;
  return invalid(resource, "name", requirement, name);
}
