import {
  dependable,
  ITerraformDependable,
  Lazy,
  TerraformElement,
  TerraformResource,
  TerraformStack,
} from "cdktf";
import { IConstruct } from "constructs";

/**
 * A `depends_on` list that is decided at synth, so that what is granted after a resource was constructed is waited for.
 *
 * Something of another stack cannot stand in `depends_on`: the whole stack is made to wait instead.
 */
export function lateDependencies(scope: IConstruct, produce: () => ITerraformDependable[]): string[] {
  return Lazy.listValue({
    produce: () => {
      const stack = TerraformStack.of(scope);
      const here: ITerraformDependable[] = [];
      for (const dependency of new Set(produce())) {
        const other = TerraformElement.isTerraformElement(dependency) ? TerraformStack.of(dependency) : stack;
        if (other === stack) here.push(dependency);
        else stack.addDependency(other);
      }
      return here.length === 0 ? undefined : here.map(address);
    },
  });
}

/** Of a resource at once: two tokens for each edge of the graph would take a tenth of the synth. */
function address(dependency: ITerraformDependable): string {
  const element = TerraformElement.isTerraformElement(dependency) ? dependency : undefined;
  return TerraformResource.isTerraformResource(element)
    ? `${element.terraformResourceType}.${element.friendlyUniqueId}`
    : dependable(dependency);
}
