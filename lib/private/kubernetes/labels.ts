import { Token } from "cdktf";
import { IConstruct } from "constructs";
import { invalid } from "../validation";

/** https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set */
const LABEL_KEY = /^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const LABEL_VALUE = /^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;

/** @throws unless it can be the key of a Kubernetes label or taint */
export function requireLabelKey(scope: IConstruct, property: string, key: string): void {
  if (Token.isUnresolved(key) || LABEL_KEY.test(key)) return;
  const rule = 'have keys of Kubernetes labels, such as "team" or "example.com/team"';
  throw invalid(scope, property, rule, key);
}

/** @throws unless it can be the value of a Kubernetes label or taint */
export function requireLabelValue(scope: IConstruct, property: string, value: string | undefined): void {
  if (value === undefined || Token.isUnresolved(value) || LABEL_VALUE.test(value)) return;
  const rule = "be at most 63 letters, digits, -, _ and ., starting and ending with a letter or digit";
  throw invalid(scope, property, rule, value);
}

/**
 * @throws unless these can be labels of Kubernetes, each with a value: one that is left undefined would be left out, and the
 * selector would mean more than was said
 */
export function requireLabels(
  scope: IConstruct,
  property: string,
  labels: { readonly [name: string]: string } | undefined,
): void {
  if (labels === undefined || Token.isUnresolved(labels)) return;
  for (const [key, value] of Object.entries(labels)) {
    requireLabelKey(scope, property, key);
    if (typeof value !== "string") throw invalid(scope, `${property}.${key}`, "have a value", value ?? null);
    requireLabelValue(scope, `${property}.${key}`, value);
  }
}
