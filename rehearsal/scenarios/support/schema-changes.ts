/** One operation of a JSON patch. */
export interface PatchOperation {
  readonly op: "add" | "remove";
  /** A JSON pointer. */
  readonly path: string;
  readonly value?: unknown;
}

/** A change of one field of an object. */
export interface FieldChange {
  /** The field, for example `spec.workerGroupSpecs[].replicas`, with `[]` for an item of a list and `{}` for a key of a map. */
  readonly field: string;
  readonly patch: readonly PatchOperation[];
}

/** The part of a structural OpenAPI schema that is read here. */
export interface Schema {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema;
  readonly items?: Schema;
  readonly required?: readonly string[];
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
  readonly pattern?: string;
  readonly format?: string;
  readonly "x-kubernetes-int-or-string"?: boolean;
}

/** Values of which one fits each pattern. */
const TEXTS = ["changed", "7", "2030-01-01T00:00:00Z"];

/** What a new key of a map is called. */
const NEW_KEY = "changed";

/**
 * Every field that a schema has, changed alone and to something that the schema admits, and every field that the object has,
 * taken away. What a field stands in is made where it is missing, with what the schema requires there.
 *
 * @param known values for fields whose schema does not tell what they may be
 */
export function fieldChanges(
  schema: Schema,
  value: unknown,
  field: string,
  known: Readonly<Record<string, unknown>> = {},
): FieldChange[] {
  const changes: FieldChange[] = [];
  const pointer = `/${field.replaceAll(".", "/")}`;
  const change = (place: Place, patch: PatchOperation) =>
    changes.push({ field: place.field, patch: [patch] });
  visit({ field, pointer, schema, value, set: (to) => ({ op: "add", path: pointer, value: to }) });
  return changes;

  function visit(place: Place): void {
    if (place.removable) change(place, { op: "remove", path: place.pointer });
    const { schema: own } = place;
    if (own.properties !== undefined) {
      for (const [name, child] of Object.entries(own.properties)) visit(property(place, name, child));
    } else if (own.items !== undefined) {
      visitItems(place, own.items);
    } else if (own.additionalProperties !== undefined) {
      const [first] = Object.keys((place.value as object | undefined) ?? {});
      if (first !== undefined) visit(key(place, first, own.additionalProperties));
      visit(key(place, NEW_KEY, own.additionalProperties));
    } else {
      change(place, place.set(known[place.field] ?? otherValue(own, place.value)));
    }
  }

  function visitItems(place: Place, items: Schema): void {
    const [first] = (place.value as unknown[] | undefined) ?? [];
    const item = { field: `${place.field}[]`, schema: items };
    if (first === undefined) {
      visit({ ...item, pointer: "", value: undefined, set: (to) => place.set([to]) });
      return;
    }
    const at = `${place.pointer}/0`;
    visit({
      ...item,
      pointer: at,
      value: first,
      removable: true,
      set: (to) => ({ op: "add", path: at, value: to }),
    });
    change(place, { op: "add", path: `${place.pointer}/-`, value: known[item.field] ?? leastValue(items) });
  }
}

/** Where a value stands in the object, or would stand. */
interface Place {
  readonly field: string;
  readonly pointer: string;
  readonly schema: Schema;
  /** None where the object has none. */
  readonly value: unknown;
  readonly removable?: boolean;
  /** Puts another value there. */
  readonly set: (value: unknown) => PatchOperation;
}

function property(parent: Place, name: string, schema: Schema): Place {
  const required = parent.schema.required?.includes(name) ?? false;
  return member(parent, `${parent.field}.${name}`, name, schema, !required);
}

function key(parent: Place, name: string, schema: Schema): Place {
  return member(parent, `${parent.field}{}`, name, schema, true);
}

function member(parent: Place, field: string, name: string, schema: Schema, removable: boolean): Place {
  const pointer = `${parent.pointer}/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`;
  const siblings = parent.value as Record<string, unknown> | undefined;
  return {
    field,
    pointer,
    schema,
    value: siblings?.[name],
    // The API server would put a default back.
    removable: removable && siblings?.[name] !== undefined && siblings[name] !== schema.default,
    set: (to) =>
      siblings === undefined
        ? parent.set({ ...(leastValue(parent.schema) as object), [name]: to })
        : { op: "add", path: pointer, value: to },
  };
}

/** The smallest value that a schema admits. */
function leastValue(schema: Schema): unknown {
  if (schema.properties !== undefined) {
    const required = (schema.required ?? []).map((name) => [name, leastValue(schema.properties![name])]);
    return Object.fromEntries(required);
  }
  if (schema.items !== undefined) return [];
  if (schema.additionalProperties !== undefined || schema.type === "object") return {};
  return otherValue(schema, undefined);
}

/** A value of a field that has none in it, other than the one it has. */
function otherValue(schema: Schema, value: unknown): unknown {
  const taken = [value, schema.default];
  const fits = (candidate: unknown) => !taken.includes(candidate);
  if (schema.enum !== undefined) return schema.enum.find(fits);
  switch (schema.type) {
    case "boolean":
      return !(value ?? schema.default ?? false);
    case "integer":
    case "number":
      return [7, 8, 9].find(fits);
    case "string":
      return TEXTS.find(
        (text) => fits(text) && new RegExp(schema.pattern ?? "").test(text) && isOf(schema, text),
      );
    case "object":
      return { [NEW_KEY]: "changed" };
    default:
      if (schema["x-kubernetes-int-or-string"]) return [7, 8, 9].find(fits);
      throw new Error(`no value for ${JSON.stringify(schema)}`);
  }
}

function isOf({ format }: Schema, text: string): boolean {
  return (format === "date-time") === text.includes("T00:");
}
