import { TerraformDataSource, TerraformResource, TerraformResourceConfig, Token } from "cdktf";
import { Construct } from "constructs";

/**
 * Attributes as a provider package's config types name them: an object is a block, unless it is one of `MAPS`. They are not
 * of those types, whose declarations are as slow to check as the classes are to load: the schema test holds them.
 */
export interface PlainAttributes {
  readonly [name: string]: unknown;
}

/** Attributes that are maps: their keys are the user's words, and HCL writes them otherwise than blocks. */
const MAPS = ["hard", "labels", "limits", "match_labels", "node_selector", "requests", "resource_labels"];

/** A capital letter, or several that are one word, such as the API in `downwardAPI`. */
const WORD_STARTS = /[A-Z]+(?![a-z])|[A-Z]/g;

/** A resource without its class from the provider package, for classes so large that loading one costs a tenth of a synth. */
export class PlainResource extends TerraformResource {
  constructor(
    scope: Construct,
    id: string,
    config: TerraformResourceConfig,
    protected attributes: PlainAttributes,
  ) {
    super(scope, id, config);
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
  constructor(
    scope: Construct,
    id: string,
    config: TerraformResourceConfig,
    private readonly attributes: PlainAttributes,
  ) {
    super(scope, id, config);
  }

  protected override synthesizeAttributes(): PlainAttributes {
    return terraformAttributes(this.attributes);
  }

  protected override synthesizeHclAttributes(): PlainAttributes {
    return hclAttributes(terraformAttributes(this.attributes));
  }
}
/* jscpd:ignore-end */

/** The same attributes under Terraform's own names. */
function terraformAttributes(attributes: PlainAttributes): PlainAttributes {
  const given = Object.entries(attributes).filter(([, value]) => value !== undefined);
  return Object.fromEntries(
    given.map(([name, value]) => {
      const terraformName = name.replace(WORD_STARTS, (start) => `_${start.toLowerCase()}`);
      return [terraformName, MAPS.includes(terraformName) ? value : terraformValue(value)];
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
  if (MAPS.includes(name)) return { value, isBlock: false, type: "map", storageClassType: "stringMap" };
  const items = [value].flat() as PlainAttributes[];
  if (typeof items[0] !== "object")
    return { value, isBlock: false, type: "list", storageClassType: "stringList" };
  return { value: items.map(hclAttributes), isBlock: true, type: "list", storageClassType: "blockList" };
}
