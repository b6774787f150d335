import { Token } from "cdktf";
import { IConstruct } from "constructs";
import type { RayToleration } from "../../contracts/ray-groups";
import { invalid, requireOneOf } from "../validation";
import { requireLabelKey, requireLabelValue } from "./labels";

/** https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#scheduling */
const EFFECTS = ["NoSchedule", "PreferNoSchedule", "NoExecute"];
const OPERATORS = ["Equal", "Exists"];

/** @throws unless Kubernetes takes these; an effect of GKE's API is spelled otherwise there */
export function requireTolerations(
  scope: IConstruct,
  path: string,
  tolerations: RayToleration[] | undefined,
): void {
  tolerations?.forEach(({ key, operator, value, effect }, index) => {
    const at = `${path}[${index}]`;
    requireOneOf(scope, `${at}.effect`, effect, EFFECTS);
    requireOneOf(scope, `${at}.operator`, operator, OPERATORS);
    if (operator === "Exists" && value) {
      throw invalid(scope, `${at}.value`, "not be given with operator Exists", value);
    }
    if (key) requireLabelKey(scope, `${at}.key`, key);
    requireLabelValue(scope, `${at}.value`, value);
    if (!key && operator !== "Exists" && !Token.isUnresolved(operator)) {
      throw invalid(scope, `${at}.key`, "be given unless operator is Exists, which tolerates every taint");
    }
  });
}
