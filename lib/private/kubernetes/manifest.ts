import type { ManifestPart } from "../../contracts/manifest";

/** Without what is empty: an empty field of a manifest says nothing and would show up in every plan's diff. */
export function compact(fields: ManifestPart): ManifestPart {
  const isEmpty = (value: unknown) =>
    value === undefined || (typeof value === "object" && value !== null && Object.keys(value).length === 0);
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => !isEmpty(value)));
}
