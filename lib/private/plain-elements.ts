import { TerraformDataSource, TerraformResource, TerraformResourceConfig } from "cdktf";
import { Construct } from "constructs";

/** Attributes as Terraform names them: an object is a block, unless it is one of `MAPS`. */
export interface PlainAttributes {
  readonly [name: string]: any;
}

/** Attributes that are maps, which HCL writes otherwise than blocks. */
const MAPS = ["labels", "limits", "requests"];

/**
 * A resource whose attributes are written as Terraform names them. It stands for classes of the provider packages that are
 * so large that loading one costs a tenth of a synth; the tests check the attributes against the provider's schema.
 */
export class PlainResource extends TerraformResource {
  constructor(
    scope: Construct,
    id: string,
    config: TerraformResourceConfig,
    private readonly attributes: PlainAttributes,
  ) {
    super(scope, id, config);
  }

  protected override synthesizeAttributes(): PlainAttributes {
    return this.attributes;
  }

  protected override synthesizeHclAttributes(): PlainAttributes {
    return hclAttributes(this.attributes);
  }
}

/** A data source whose attributes are written as Terraform names them; see `PlainResource`. */
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
    return this.attributes;
  }

  protected override synthesizeHclAttributes(): PlainAttributes {
    return hclAttributes(this.attributes);
  }
}

/** Says of each attribute what cdktf wants to know to write it as HCL. */
function hclAttributes(attributes: PlainAttributes): PlainAttributes {
  const given = Object.entries(attributes).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given.map(([name, value]) => [name, hclAttribute(name, value)]));
}

function hclAttribute(name: string, value: any): PlainAttributes {
  if (value === null || typeof value !== "object") {
    return { value, isBlock: false, type: "simple", storageClassType: typeof value };
  }
  if (MAPS.includes(name)) return { value, isBlock: false, type: "map", storageClassType: "stringMap" };
  const items = [value].flat();
  if (typeof items[0] !== "object")
    return { value, isBlock: false, type: "list", storageClassType: "stringList" };
  return { value: items.map(hclAttributes), isBlock: true, type: "list", storageClassType: "blockList" };
}
