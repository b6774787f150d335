import { Token } from "cdktf";
import type { ManifestPart, ManifestValue } from "../../contracts/manifest";

/** Without what is empty: an empty field of a manifest says nothing and would show up in every plan's diff. */
export function compact(fields: ManifestPart): ManifestPart {
  const isEmpty = (value: unknown) =>
    value === undefined || (typeof value === "object" && value !== null && Object.keys(value).length === 0);
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => !isEmpty(value)));
}

/** Shares nothing: an override of one pod must not reach another, nor another Ray cluster. */
export function copyOf(value: ManifestValue): ManifestValue {
  if (Array.isArray(value)) return value.map(copyOf);
  if (value === null || typeof value !== "object" || Token.isUnresolved(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, copyOf(item)]));
}

/** Sets a field in nested objects and lists; the objects on the way are created where they are missing. */
export function override(target: ManifestValue, path: string[], value: ManifestValue): void {
  const [first, ...rest] = path;
  if (rest.length > 0) {
    target[first] ??= {};
    override(target[first], rest, value);
  } else if (value === undefined) {
    delete target[first];
  } else {
    target[first] = value;
  }
}
