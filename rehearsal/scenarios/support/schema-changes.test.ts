import { fieldChanges, Schema } from "./schema-changes";

const text: Schema = { type: "string" };

/** What is changed, as `field: operation path value`. */
function changesOf(schema: Schema, value: unknown, known = {}): string[] {
  return fieldChanges(schema, value, "spec", known).map(
    ({ field, patch: [{ op, path, value: to }] }) => `${field}: ${op} ${path} ${JSON.stringify(to)}`,
  );
}

test("each field is changed to another value, and taken away unless it is required", () => {
  const schema: Schema = {
    properties: {
      on: { type: "boolean" },
      count: { type: "integer" },
      kind: { enum: ["A", "B"] },
      missing: text,
    },
    required: ["kind"],
  };

  expect(changesOf(schema, { on: true, count: 7, kind: "A" })).toEqual([
    "spec.on: remove /spec/on undefined",
    "spec.on: add /spec/on false",
    "spec.count: remove /spec/count undefined",
    "spec.count: add /spec/count 8",
    'spec.kind: add /spec/kind "B"',
    'spec.missing: add /spec/missing "changed"',
  ]);
});

test("what a field stands in is made where it is missing, with what is required there", () => {
  const item: Schema = {
    properties: { name: text, deep: { properties: { value: text } } },
    required: ["name"],
  };

  expect(changesOf({ properties: { list: { items: item } } }, {})).toEqual([
    'spec.list[].name: add /spec/list [{"name":"changed"}]',
    'spec.list[].deep.value: add /spec/list [{"name":"changed","deep":{"value":"changed"}}]',
  ]);
});

test("an item that is added has the value that is known for items", () => {
  const schema: Schema = { properties: { list: { items: text } } };

  expect(changesOf(schema, { list: ["a"] }, { "spec.list[]": "known" })).toEqual([
    "spec.list: remove /spec/list undefined",
    "spec.list[]: remove /spec/list/0 undefined",
    'spec.list[]: add /spec/list/0 "known"',
    'spec.list: add /spec/list/- "known"',
  ]);
});

test("an item of a list is changed, taken away and added, and so is a key of a map", () => {
  const schema: Schema = { properties: { list: { items: text }, map: { additionalProperties: text } } };

  expect(changesOf(schema, { list: ["a"], map: { "a/b": "c" } })).toEqual([
    "spec.list: remove /spec/list undefined",
    "spec.list[]: remove /spec/list/0 undefined",
    'spec.list[]: add /spec/list/0 "changed"',
    'spec.list: add /spec/list/- "changed"',
    "spec.map: remove /spec/map undefined",
    "spec.map{}: remove /spec/map/a~1b undefined",
    'spec.map{}: add /spec/map/a~1b "changed"',
    'spec.map{}: add /spec/map/changed "changed"',
  ]);
});

test("a value fits the pattern, the format or what is known of the field, and is not the default", () => {
  const schema: Schema = {
    properties: {
      quantity: { type: "string", pattern: "^[0-9]+$" },
      time: { type: "string", format: "date-time" },
      either: { "x-kubernetes-int-or-string": true },
      on: { type: "boolean", default: true },
      special: text,
    },
  };

  expect(changesOf(schema, { on: true }, { "spec.special": "known" })).toEqual([
    'spec.quantity: add /spec/quantity "7"',
    'spec.time: add /spec/time "2030-01-01T00:00:00Z"',
    "spec.either: add /spec/either 7",
    "spec.on: add /spec/on false",
    'spec.special: add /spec/special "known"',
  ]);
});
