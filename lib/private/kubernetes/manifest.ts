/** Without what is empty: an empty field of a manifest says nothing and would show up in every plan's diff. */
export function compact(fields: { [field: string]: any }): { [field: string]: any } {
  const isEmpty = (value: any) =>
    value === undefined || (typeof value === "object" && Object.keys(value).length === 0);
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => !isEmpty(value)));
}
