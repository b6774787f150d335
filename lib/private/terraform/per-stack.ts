import { TerraformStack } from "cdktf";
import type { IConstruct } from "constructs";

/** Something that the constructs of a stack share, created when one of them first asks for it. */
export class PerStack<T> {
  private readonly created = new WeakMap<TerraformStack, T>();

  constructor(private readonly create: (stack: TerraformStack) => T) {}

  /** That of the stack which holds a construct. */
  public of(construct: IConstruct): T {
    const stack = TerraformStack.of(construct);
    let shared = this.created.get(stack);
    if (shared === undefined) {
      shared = this.create(stack);
      this.created.set(stack, shared);
    }
    return shared;
  }
}
