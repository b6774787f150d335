import { IConstruct } from "constructs";
import type { InvalidProperty } from "../validation";

/**
 * Has things checked that are known only when the construct tree is complete. They all run when it is validated, and cdktf
 * reports what is wrong in one list, with the path of each construct and without a stack trace of each.
 *
 * @param checks asked for then; each one throws an `InvalidProperty` if something cannot stand
 */
export function checkLate(scope: IConstruct, checks: () => (() => void)[]): void {
  scope.node.addValidation({ validate: () => checks().flatMap((check) => problemOf(scope, check)) });
}

function problemOf(scope: IConstruct, check: () => void): string[] {
  try {
    check();
    return [];
  } catch (error) {
    const { problem, scope: place, message } = error as Partial<InvalidProperty>;
    if (problem === undefined) throw error;
    // cdktf says itself where the problem is.
    return [place === scope ? problem : message!];
  }
}
