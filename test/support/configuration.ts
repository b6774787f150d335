import { Testing, TerraformStack } from "cdktf";

/** A parsed cdk.tf.json. */
export type Configuration = Record<string, any>;

/** A stack, its synthesized JSON as text, or that JSON parsed. */
export type ConfigurationSource = TerraformStack | string | Configuration;

export function configurationOf(source: ConfigurationSource): Configuration {
  if (typeof source === "string") {
    return JSON.parse(source);
  }
  return TerraformStack.isStack(source) ? JSON.parse(Testing.synth(source, true)) : source;
}

export type BlockKind =
  "resource" | "data" | "ephemeral" | "provider" | "local" | "output" | "variable" | "module";

/** One block of a configuration that other blocks can wait for. */
export interface Block {
  /** As Terraform writes it: `google_container_cluster.x`, `data.google_project.x`, `provider helm.x`, `local.x`. */
  readonly address: string;
  readonly kind: BlockKind;
  /** Resource type, data source type or provider name; empty for the other kinds. */
  readonly type: string;
  readonly body: any;
}

/** Every block of the configuration, in the order of the file. */
export function blocksOf(configuration: Configuration): Block[] {
  return [
    ...typedBlocks(configuration, "resource", ""),
    ...typedBlocks(configuration, "data", "data."),
    ...typedBlocks(configuration, "ephemeral", "ephemeral."),
    ...providerBlocks(configuration),
    ...namedBlocks(configuration.locals, "local", "local."),
    ...namedBlocks(configuration.output, "output", "output."),
    ...namedBlocks(configuration.variable, "variable", "var."),
    ...namedBlocks(configuration.module, "module", "module."),
  ];
}

function typedBlocks(
  configuration: Configuration,
  kind: "resource" | "data" | "ephemeral",
  prefix: string,
): Block[] {
  return entries(configuration[kind]).flatMap(([type, named]) =>
    entries(named).map(([name, body]) => ({ address: `${prefix}${type}.${name}`, kind, type, body })),
  );
}

function providerBlocks(configuration: Configuration): Block[] {
  return entries(configuration.provider).flatMap(([type, bodies]) =>
    [bodies].flat().map((body) => ({
      address: body.alias === undefined ? `provider ${type}` : `provider ${type}.${body.alias}`,
      kind: "provider" as const,
      type,
      body,
    })),
  );
}

function namedBlocks(named: any, kind: BlockKind, prefix: string): Block[] {
  return entries(named).map(([name, body]) => ({ address: `${prefix}${name}`, kind, type: "", body }));
}

/** The entries that Terraform reads; `//` is a comment, where cdktf keeps the construct's path. */
export function entries(value: any): [string, any][] {
  return Object.entries<any>(value ?? {}).filter(([key]) => key !== "//");
}

/** A step from a block into its attributes: a name or key, an index, `*` for all, `?` for a computed index. */
export type Step = { readonly name: string } | { readonly index: number | "*" | "?" };

/** One `type.name.attribute` in an expression. */
export interface Reference {
  /** As it stands in the expression. */
  readonly text: string;
  /** Address of the block it leads to. */
  readonly address: string;
  /** The way from the block to the attribute. */
  readonly path: readonly Step[];
}

/** The references in all strings of a value, keys included, since Terraform reads each of them as a template. */
export function referencesIn(value: unknown): Reference[] {
  if (typeof value === "string") {
    return new TemplateReader(value).template();
  }
  if (Array.isArray(value)) {
    return value.flatMap(referencesIn);
  }
  if (value !== null && typeof value === "object") {
    return entries(value).flatMap(([key, child]) => [...referencesIn(key), ...referencesIn(child)]);
  }
  return [];
}

/** The references of a string that is an expression as a whole, as in `depends_on`. */
export function referencesInExpression(expression: string): Reference[] {
  return expression.includes("${") ? referencesIn(expression) : referencesIn(`\${${expression}}`);
}

/** Roots that name something of the block itself or of the run, never another block. */
const LOCAL_ROOTS = ["each", "self", "count", "path", "terraform"];
const CLOSER: Record<string, string> = { "{": "}", "[": "]", "(": ")" };

/**
 * Finds references in Terraform's template language. A search by pattern alone would take a file name in a quoted
 * string or the attribute of a function's result for a reference, so strings and brackets are followed.
 */
class TemplateReader {
  private readonly found: Reference[] = [];
  private readonly bound = new Set<string>(LOCAL_ROOTS);
  private position = 0;

  constructor(private readonly text: string) {}

  public template(): Reference[] {
    while (this.position < this.text.length) {
      this.templateCharacter();
    }
    return this.found.filter(({ text }) => !this.bound.has(/^[\w-]+/.exec(text)![0]));
  }

  private templateCharacter(): void {
    if (this.take(/(\$\$|%%)\{/y) === undefined) {
      if (this.take(/[$%]\{/y) === undefined) {
        this.position++;
      } else {
        this.expression("}");
      }
    }
  }

  /** Reads to the closing bracket and past it. */
  private expression(closer: string): void {
    while (this.position < this.text.length) {
      const character = this.text[this.position];
      if (character === closer) {
        this.position++;
        return;
      } else if (character === '"') {
        this.position++;
        this.quoted();
      } else if (character in CLOSER) {
        this.position++;
        this.expression(CLOSER[character]);
      } else if (character !== "." || this.step() === undefined) {
        // A step without a root belongs to the result of a function or a bracket, and is passed over.
        this.word();
      }
    }
  }

  private quoted(): void {
    while (this.position < this.text.length && this.text[this.position] !== '"') {
      if (this.take(/\\./sy) === undefined) {
        this.templateCharacter();
      }
    }
    this.position++;
  }

  private word(): void {
    const start = this.position;
    const root = this.take(/[A-Za-z_][\w-]*/y);
    if (root === undefined) {
      this.position++;
      return;
    }
    if (root === "for") {
      const names = this.take(/\s+[\w-]+(\s*,\s*[\w-]+)?\s+in\b/y) ?? "";
      names.match(/[\w-]+/g)?.forEach((name) => this.bound.add(name));
      return;
    }
    const steps = this.steps();
    const own = root === "data" || root === "ephemeral" ? 2 : 1;
    const names = steps.slice(0, own).map((step) => ("name" in step ? step.name : undefined));
    if (names.length === own && !names.includes(undefined)) {
      this.found.push({
        text: this.text.slice(start, this.position),
        address: [root, ...names].join("."),
        path: steps.slice(own),
      });
    }
  }

  private steps(): Step[] {
    const steps: Step[] = [];
    for (let step = this.step(); step !== undefined; step = this.step()) {
      steps.push(step);
    }
    return steps;
  }

  private step(): Step | undefined {
    const name = this.take(/\.[A-Za-z_][\w-]*/y);
    if (name !== undefined) {
      return { name: name.slice(1) };
    }
    const index = this.take(/\.\d+|\[\d+\]/y);
    if (index !== undefined) {
      return { index: Number(index.replace(/\D/g, "")) };
    }
    if (this.take(/\.\*|\[\*\]/y) !== undefined) {
      return { index: "*" };
    }
    return this.text[this.position] === "[" ? this.bracketStep() : undefined;
  }

  private bracketStep(): Step {
    const key = this.take(/\["[^"\\$%]*"\]/y);
    if (key !== undefined) {
      return { name: key.slice(2, -2) };
    }
    this.position++;
    this.expression("]");
    return { index: "?" };
  }

  private take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.position;
    const match = pattern.exec(this.text)?.[0];
    this.position += match?.length ?? 0;
    return match;
  }
}
