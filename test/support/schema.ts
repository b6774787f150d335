import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  Block,
  blocksOf,
  ConfigurationSource,
  configurationOf,
  entries,
  Reference,
  referencesIn,
  Step,
} from "./configuration";

/** A type as Terraform writes it in JSON: `"string"`, `["list", "string"]`, `["object", { "name": "string" }]`. */
type ValueType = string | [string, ValueType] | ["object", Record<string, ValueType>];

type How = "required" | "optional" | "computed" | "optional computed";
type Nesting = "single" | "list" | "set" | "map";

interface BlockSchema {
  readonly attributes?: Record<string, [How, ValueType]>;
  /** Attributes whose type is described as a block is, written as values all the same. */
  readonly nested?: Record<string, BlockSchema & { readonly how: How; readonly nesting: Nesting }>;
  readonly blocks?: Record<
    string,
    BlockSchema & { readonly nesting: Nesting; readonly min?: number; readonly max?: number }
  >;
}

/** What scripts/extract-schema.mjs keeps of a provider. */
export interface ProviderSchema {
  readonly provider: string;
  readonly version: string;
  readonly configuration: BlockSchema;
  readonly resources: Record<string, BlockSchema>;
  readonly dataSources: Record<string, BlockSchema>;
  readonly ephemeralResources: Record<string, BlockSchema>;
}

/** The extract's folder, one file a provider. */
export const SCHEMA_FOLDER = join(__dirname, "../schema");

export const providerSchemas: Record<string, ProviderSchema> = Object.fromEntries(
  ["google", "helm", "kubernetes"].map((name) => [
    name,
    JSON.parse(readFileSync(join(SCHEMA_FOLDER, `${name}.json`), "utf8")),
  ]),
);

const META_ARGUMENTS: Partial<Record<Block["kind"], readonly string[]>> = {
  resource: ["depends_on", "provider", "lifecycle", "count", "for_each"],
  data: ["depends_on", "provider", "lifecycle", "count", "for_each"],
  ephemeral: ["depends_on", "provider", "lifecycle", "count", "for_each"],
  provider: ["alias"],
};
const LIFECYCLE_ARGUMENTS = [
  "create_before_destroy",
  "ignore_changes",
  "postcondition",
  "precondition",
  "prevent_destroy",
  "replace_triggered_by",
];

/**
 * What the pinned providers would not accept in a synthesized stack, one line a problem; empty when all is well.
 *
 * Resource types, data sources and providers outside the extract are reported too, since nothing can be said of them.
 */
export function schemaProblems(source: ConfigurationSource): string[] {
  const configuration = configurationOf(source);
  const blocks = blocksOf(configuration);
  const byAddress = new Map(blocks.map((block) => [block.address, block]));
  return [
    ...versionProblems(configuration.terraform?.required_providers),
    ...blocks.flatMap((block) => [
      ...blockProblems(block).map((problem) => `${block.address}: ${problem}`),
      ...referencesIn(block.body).flatMap((reference) =>
        referenceProblems(reference, byAddress).map((problem) => `${block.address}: ${problem}`),
      ),
    ]),
  ];
}

function versionProblems(required: any): string[] {
  return entries(required)
    .filter(([name, { version }]) => name in providerSchemas && providerSchemas[name].version !== version)
    .map(
      ([name, { version }]) =>
        `terraform: provider ${name} is ${version}, the schema extract is of ${providerSchemas[name].version}`,
    );
}

function schemaOf(block: Block): BlockSchema | undefined {
  const provider = providerSchemas[block.type.split("_")[0]];
  switch (block.kind) {
    case "resource":
      return provider?.resources[block.type];
    case "data":
      return provider?.dataSources[block.type];
    case "ephemeral":
      return provider?.ephemeralResources[block.type];
    case "provider":
      return provider?.configuration;
    default:
      return undefined;
  }
}

function blockProblems(block: Block): string[] {
  const metaArguments = META_ARGUMENTS[block.kind];
  if (metaArguments === undefined || block.type === "terraform_remote_state") {
    return [];
  }
  const schema = schemaOf(block);
  if (schema === undefined) {
    return [`the schema extract has no ${block.kind} ${block.type}, add it to scripts/extract-schema.mjs`];
  }
  const own = entries(block.body).filter(([name]) => !metaArguments.includes(name));
  return [...bodyProblems(schema, Object.fromEntries(own), ""), ...metaArgumentProblems(schema, block.body)];
}

function bodyProblems(schema: BlockSchema, body: any, prefix: string): string[] {
  if (!isObject(body)) {
    return [`'${prefix.slice(0, -1)}' must be an object, got ${JSON.stringify(body)}`];
  }
  const { attributes = {}, nested = {}, blocks = {} } = schema;
  const unknown = entries(body)
    .filter(([name]) => !(name in attributes || name in nested || name in blocks))
    .map(([name]) => `'${prefix}${name}' is not in the schema`);
  return [
    ...unknown,
    ...Object.entries(attributes).flatMap(([name, [how, type]]) =>
      presenceProblems(how, body[name], `${prefix}${name}`, (value, path) =>
        valueProblems(type, value, path),
      ),
    ),
    ...Object.entries(nested).flatMap(([name, child]) =>
      presenceProblems(child.how, body[name], `${prefix}${name}`, (value, path) =>
        nestedProblems(child, value, path),
      ),
    ),
    ...Object.entries(blocks).flatMap(([name, child]) => {
      const instances = [body[name] ?? []].flat();
      return [
        ...countProblems(child, instances.length, `${prefix}${name}`),
        ...instances.flatMap((instance) => bodyProblems(child, instance, `${prefix}${name}.`)),
      ];
    }),
  ];
}

function presenceProblems(
  how: How,
  value: any,
  path: string,
  check: (value: any, path: string) => string[],
): string[] {
  if (value === undefined || value === null) {
    return how === "required" ? [`'${path}' is required`] : [];
  }
  return how === "computed" ? [`'${path}' is decided by the provider and cannot be set`] : check(value, path);
}

function countProblems(block: { nesting: Nesting; min?: number; max?: number }, count: number, path: string) {
  const max = block.nesting === "single" ? 1 : block.max;
  if (count < (block.min ?? 0)) {
    return [`'${path}' must be given at least ${block.min} time(s), got ${count}`];
  }
  return max !== undefined && count > max
    ? [`'${path}' must be given at most ${max} time(s), got ${count}`]
    : [];
}

function nestedProblems(schema: BlockSchema & { nesting: Nesting }, value: any, path: string): string[] {
  if (isWholeExpression(value)) {
    return [];
  }
  if (schema.nesting === "single") {
    return bodyProblems(schema, value, `${path}.`);
  }
  if (schema.nesting === "map") {
    return isObject(value)
      ? entries(value).flatMap(([key, child]) => bodyProblems(schema, child, `${path}.${key}.`))
      : [mismatch(path, "an object", value)];
  }
  return Array.isArray(value)
    ? value.flatMap((child) => bodyProblems(schema, child, `${path}.`))
    : [mismatch(path, "a list", value)];
}

/** Accepts what Terraform converts: `"5"` for a number, `5` or `true` for a string, any whole expression. */
function valueProblems(type: ValueType, value: any, path: string): string[] {
  if (isWholeExpression(value)) {
    return [];
  }
  if (typeof type === "string") {
    return primitiveFits(type, value) ? [] : [mismatch(path, `a ${type}`, value)];
  }
  const [container, element] = type;
  if (container === "object") {
    return objectProblems(element as Record<string, ValueType>, value, path);
  }
  if (container === "map") {
    return isObject(value)
      ? entries(value).flatMap(([key, child]) => valueProblems(element as ValueType, child, `${path}.${key}`))
      : [mismatch(path, "an object", value)];
  }
  // The older providers' lists of objects may be written as blocks are: one object stands for a list of one.
  const items = isObject(value) && (element as ValueType)[0] === "object" ? [value] : value;
  return Array.isArray(items)
    ? items.flatMap((child, index) => valueProblems(element as ValueType, child, `${path}[${index}]`))
    : [mismatch(path, "a list", value)];
}

function objectProblems(types: Record<string, ValueType>, value: any, path: string): string[] {
  if (!isObject(value)) {
    return [mismatch(path, "an object", value)];
  }
  return entries(value).flatMap(([name, child]) => {
    if (!(name in types)) {
      return [`'${path}.${name}' is not in the schema`];
    }
    return child === null ? [] : valueProblems(types[name], child, `${path}.${name}`);
  });
}

function primitiveFits(type: string, value: any): boolean {
  switch (type) {
    case "string":
      return ["string", "number", "boolean"].includes(typeof value);
    case "number":
      return typeof value === "number" || (typeof value === "string" && /^-?\d+(\.\d+)?$/.test(value));
    case "bool":
      return [true, false, "true", "false"].includes(value);
    default:
      return true;
  }
}

function metaArgumentProblems(schema: BlockSchema, body: any): string[] {
  const problems: string[] = [];
  const { depends_on: dependsOn = [], provider, lifecycle = {} } = body;
  if (!Array.isArray(dependsOn) || dependsOn.some((entry) => !/^[\w.-]+(\[.*\])?$/.test(entry))) {
    problems.push(mismatch("depends_on", "a list of addresses", dependsOn));
  }
  if (provider !== undefined && !/^[\w-]+(\.[\w-]+)?$/.test(provider)) {
    problems.push(mismatch("provider", "a provider's name and alias", provider));
  }
  for (const [name] of entries(lifecycle).filter(([name]) => !LIFECYCLE_ARGUMENTS.includes(name))) {
    problems.push(`'lifecycle.${name}' is not in the schema`);
  }
  const ignored: string[] = lifecycle.ignore_changes === "all" ? [] : [lifecycle.ignore_changes ?? []].flat();
  for (const path of ignored) {
    const [name] = path.split(/[.[]/);
    if (!(name in { ...schema.attributes, ...schema.nested, ...schema.blocks })) {
      problems.push(`'lifecycle.ignore_changes' names '${path}', which is not in the schema`);
    }
  }
  return problems;
}

function referenceProblems(reference: Reference, blocks: ReadonlyMap<string, Block>): string[] {
  const block = blocks.get(reference.address);
  const schema = block && schemaOf(block);
  if (block === undefined || schema === undefined) {
    return [];
  }
  const repeated = block.body.count !== undefined || block.body.for_each !== undefined;
  const problem = blockPathProblem(schema, repeated ? reference.path.slice(1) : reference.path);
  return problem === undefined ? [] : [`reference '${reference.text}': ${problem}`];
}

function blockPathProblem(schema: BlockSchema, [step, ...rest]: readonly Step[]): string | undefined {
  if (step === undefined) {
    return undefined;
  }
  if (!("name" in step)) {
    return "an attribute's name is expected instead of an index";
  }
  const { name } = step;
  if (schema.attributes?.[name] !== undefined) {
    return valuePathProblem(schema.attributes[name][1], rest, name);
  }
  const child = schema.nested?.[name] ?? schema.blocks?.[name];
  if (child === undefined) {
    return `'${name}' is not in the schema`;
  }
  if (child.nesting === "single") {
    return blockPathProblem(child, rest);
  }
  return indexProblem(child.nesting, rest, name) ?? blockPathProblem(child, rest.slice(1));
}

function valuePathProblem(type: ValueType, steps: readonly Step[], name: string): string | undefined {
  if (steps.length === 0 || type === "dynamic") {
    return undefined;
  }
  if (typeof type === "string") {
    return `'${name}' is a ${type} and has no parts`;
  }
  const [container, element] = type;
  const [step, ...rest] = steps;
  if (container !== "object") {
    return indexProblem(container, steps, name) ?? valuePathProblem(element as ValueType, rest, name);
  }
  const field = "name" in step ? step.name : JSON.stringify(step.index);
  const fieldType = (element as Record<string, ValueType>)[field];
  return fieldType === undefined
    ? `'${name}.${field}' is not in the schema`
    : valuePathProblem(fieldType, rest, field);
}

function indexProblem(container: string, [step]: readonly Step[], name: string): string | undefined {
  if (step === undefined || container === "map") {
    return undefined;
  }
  if ("name" in step) {
    return `'${name}' is a ${container}, an index must come before '${step.name}'`;
  }
  return container === "set" && step.index !== "*" ? `'${name}' is a set and has no index` : undefined;
}

function isWholeExpression(value: any): boolean {
  return typeof value === "string" && /^\$\{.*\}$/s.test(value);
}

function isObject(value: any): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function mismatch(path: string, expected: string, value: any): string {
  return `'${path}' must be ${expected}, got ${JSON.stringify(value)}`;
}
