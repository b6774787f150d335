import {
  TerraformDataSource,
  TerraformMetaArguments,
  TerraformResource,
  TerraformResourceConfig,
  Token,
} from "cdktf";
import { Construct } from "constructs";

/**
 * Attributes and meta-arguments as a provider package's config types name them: an object is a block, unless it is a map. They
 * are not of those types, whose declarations are as slow to check as the classes are to load: the schema test holds them.
 */
export interface PlainConfig extends Pick<TerraformMetaArguments, "dependsOn" | "lifecycle" | "provider"> {
  readonly [attribute: string]: unknown;
}

/** Attributes alone. */
export type PlainAttributes = Readonly<Record<string, unknown>>;

/** Attributes that are maps: their keys are the user's words, and HCL writes them otherwise than blocks. */
const MAPS = [
  "annotations",
  "data",
  "data_wo",
  "hard",
  "labels",
  "limits",
  "match_labels",
  "node_selector",
  "requests",
  "resource_labels",
];

/** A capital letter, or several that are one word, such as the API in `downwardAPI`. */
const WORD_STARTS = /[A-Z]+(?![a-z])|[A-Z]/g;

/**
 * A resource without its class from the provider package. Together those classes would take a fifth of a synth, most of it to
 * load what is never used.
 */
export class PlainResource extends TerraformResource {
  private attributes: PlainAttributes;

  /** @param type for example `kubernetes_role_v1` */
  constructor(scope: Construct, id: string, type: string, config: PlainConfig) {
    super(scope, id, metaArguments(type, config));
    this.attributes = attributesOf(config);
  }

  /** Name, namespace and metadata as they were given, under the names that the provider packages' classes have for them. */
  public get nameInput(): unknown {
    return this.attributes.name;
  }

  public get namespaceInput(): unknown {
    return this.attributes.namespace;
  }

  public get metadataInput(): unknown {
    return this.attributes.metadata;
  }

  /** Sets some attributes anew. */
  public put(attributes: PlainAttributes): void {
    this.attributes = { ...this.attributes, ...attributes };
  }

  protected override synthesizeAttributes(): PlainAttributes {
    return terraformAttributes(this.attributes);
  }

  protected override synthesizeHclAttributes(): PlainAttributes {
    return hclAttributes(terraformAttributes(this.attributes));
  }
}

// The same again, since cdktf has no common base of resources and data sources that is synthesized.
/* jscpd:ignore-start */
/** A data source without its class from the provider package; see `PlainResource`. */
export class PlainDataSource extends TerraformDataSource {
  private readonly attributes: PlainAttributes;

  constructor(scope: Construct, id: string, type: string, config: PlainConfig) {
    super(scope, id, metaArguments(type, config));
    this.attributes = attributesOf(config);
  }

  protected override synthesizeAttributes(): PlainAttributes {
    return terraformAttributes(this.attributes);
  }

  protected override synthesizeHclAttributes(): PlainAttributes {
    return hclAttributes(terraformAttributes(this.attributes));
  }
}
/* jscpd:ignore-end */

/** A type begins with the name of its provider. */
function metaArguments(type: string, config: PlainConfig): TerraformResourceConfig {
  const { dependsOn, lifecycle, provider } = config;
  const terraformGeneratorMetadata = { providerName: type.replace(/_.*$/, "") };
  return { terraformResourceType: type, terraformGeneratorMetadata, dependsOn, lifecycle, provider };
}

function attributesOf(config: PlainConfig): PlainAttributes {
  return { ...config, dependsOn: undefined, lifecycle: undefined, provider: undefined };
}

/** The same attributes under Terraform's own names. */
function terraformAttributes(attributes: PlainAttributes): PlainAttributes {
  const given = Object.entries(attributes).filter(([, value]) => value !== undefined);
  return Object.fromEntries(
    given.map(([name, value]) => {
      const terraformName = name.replace(WORD_STARTS, (start) => `_${start.toLowerCase()}`);
      return [terraformName, isMap(terraformName, value) ? value : terraformValue(value)];
    }),
  );
}

function terraformValue(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(terraformValue);
  const isBlock = value !== null && typeof value === "object" && !Token.isUnresolved(value);
  return isBlock ? terraformAttributes(value as PlainAttributes) : value;
}

/** Says of each attribute what cdktf wants to know to write it as HCL. */
function hclAttributes(attributes: PlainAttributes): PlainAttributes {
  return Object.fromEntries(
    Object.entries(attributes).map(([name, value]) => [name, hclAttribute(name, value)]),
  );
}

function hclAttribute(name: string, value: unknown): PlainAttributes {
  if (value === null || typeof value !== "object") {
    return { value, isBlock: false, type: "simple", storageClassType: typeof value };
  }
  if (isMap(name, value)) return { value, isBlock: false, type: "map", storageClassType: "stringMap" };
  const items = [value].flat() as PlainAttributes[];
  if (typeof items[0] !== "object")
    return { value, isBlock: false, type: "list", storageClassType: "stringList" };
  return { value: items.map(hclAttributes), isBlock: true, type: "list", storageClassType: "blockList" };
}

/** Also where the name is a block's elsewhere, as `selector`: no attribute has a dot or a slash in its name. */
function isMap(name: string, value: unknown): boolean {
  if (value === null || typeof value !== "object") return false;
  return MAPS.includes(name) || Object.keys(value).some((key) => /[./]/.test(key));
}
