import { Fn, Token } from "cdktf";

/** A value as JSON that Terraform puts together, for values that are known to it alone. */
export function terraformJson(value: unknown): string {
  return Fn.jsonencode(quotable(value));
}

/** cdktf 0.21 puts strings between quotes as they are, but for line breaks and references. */
function quotable(value: unknown): unknown {
  if (typeof value === "string") return value.replace(/["\\]/g, "\\$&").replace(/%\{/g, "%%{");
  if (Array.isArray(value)) return value.map(quotable);
  if (value === null || typeof value !== "object" || Token.isUnresolved(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [quotable(key), quotable(item)]));
}

/** Whether a value, or something in it, is known to Terraform alone. */
export function hasToken(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(hasToken);
  if (value !== null && typeof value === "object" && !Token.isUnresolved(value)) {
    return Object.entries(value).some(([key, item]) => hasToken(key) || hasToken(item));
  }
  return Token.isUnresolved(value);
}
