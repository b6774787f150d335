import { DefaultTokenResolver, Fn, StringConcat, TerraformStack, Token, Tokenization } from "cdktf";
import { IConstruct } from "constructs";
import { createHash } from "node:crypto";

/** https://cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts (field `displayName`) */
export const LONGEST_DISPLAY_NAME = 100;

/** https://cloud.google.com/iam/docs/reference/rest/v1/Policy (field `condition`) */
export const LONGEST_CONDITION_DESCRIPTION = 256;

/** The path of a construct below its stack: stable when the stack or the app is renamed. */
export function pathInStack(construct: IConstruct): string {
  const stack = TerraformStack.of(construct).node.path;
  return construct.node.path.slice(stack.length).replace(/^\//, "");
}

/** A few characters that tell two long or nested names apart. */
export function shortHash(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 6);
}

/**
 * Something to tell a construct from others in one Terraform stack, from its path: the path itself where that is one
 * plain word, else its last part with a hash.
 */
export function uniqueName(construct: IConstruct): string {
  const path = pathInStack(construct);
  if (/^[A-Za-z][A-Za-z0-9_-]*$/.test(path)) return path;
  const last = construct.node.id.replace(/[^A-Za-z0-9_-]/g, "-").replace(/^[^A-Za-z]+/, "");
  return `${last || "c"}-${shortHash(path)}`;
}

/** The text as Terraform will read it, to compare references: each asking for one gives another token. */
export function resolvedText(scope: IConstruct, text: string): string {
  if (!Token.isUnresolved(text)) return text;
  const resolver = new DefaultTokenResolver(new StringConcat());
  const resolved = Tokenization.resolve(text, { scope: TerraformStack.of(scope), resolver });
  return typeof resolved === "string" ? resolved : text;
}

/** Cuts a text that only people read, which Google limits; one that Terraform knows later is cut by Terraform. */
export function fitText(text: string, maxLength: number): string {
  if (Token.isUnresolved(text)) return Fn.substr(text, 0, maxLength);
  return text.length <= maxLength ? text : `${text.slice(0, maxLength - 3).trimEnd()}...`;
}

/** Cuts a name to a length; what is cut off stays distinguishable by a hash. One that Terraform knows later is left whole. */
export function fitName(name: string, maxLength: number): string {
  if (Token.isUnresolved(name) || name.length <= maxLength) return name;
  return `${name.slice(0, maxLength - 7).replace(/-+$/, "")}-${shortHash(name)}`;
}
