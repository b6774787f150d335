import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runTerraform, type TerraformResult } from "./command";
import { keyOf, type ToolCache } from "../tools/cache";

/** What a configuration says of its providers, by their names there. */
type RequiredProviders = Readonly<Record<string, { readonly source: string; readonly version?: string }>>;

/** Those of the constructs, in the versions of the rehearsal's own stacks. */
const REQUIRED: RequiredProviders = {
  google: { source: "hashicorp/google", version: "6.50.0" },
  kubernetes: { source: "hashicorp/kubernetes", version: "2.38.0" },
  helm: { source: "hashicorp/helm", version: "3.1.1" },
};

/**
 * Lets Terraform install providers, from the registry or a mirror of yours, while there is a network: in its namespaces a
 * rehearsal has none. Every `terraform init` of this process and its children takes them from there.
 *
 * @param stackFolders stacks whose providers are wanted besides those of the constructs
 * @returns why that cannot be, if it cannot
 */
export function installProviders(cache: ToolCache, stackFolders: readonly string[]): string | undefined {
  const wanted = [REQUIRED, ...stackFolders.map(requiredProviders)];
  const folders = wanted.map((required) => cache.path("providers", keyOf(JSON.stringify(required))));
  for (const [index, folder] of folders.entries()) {
    const problem = installInto(folder, wanted[index]);
    if (problem) return problem;
  }
  const mirrors = folders.map((folder) => join(folder, ".terraform", "providers"));
  process.env.TF_CLI_ARGS_init = mirrors.map((mirror) => `-plugin-dir=${mirror}`).join(" ");
  process.env.TF_CLI_ARGS_providers_lock = `-fs-mirror=${mirrors[0]}`;
  return undefined;
}

function requiredProviders(stackFolder: string): RequiredProviders {
  const config = JSON.parse(readFileSync(join(stackFolder, "cdk.tf.json"), "utf8"));
  return config.terraform?.required_providers ?? {};
}

/**
 * Has `terraform init` put providers into a folder, whose `.terraform/providers` then serves as a mirror.
 *
 * @returns why that cannot be, if it cannot
 */
export function installInto(folder: string, required: RequiredProviders): string | undefined {
  mkdirSync(folder, { recursive: true });
  const config = { terraform: { required_providers: required } };
  writeFileSync(join(folder, "main.tf.json"), JSON.stringify(config));
  const init = tryInit(folder);
  if (typeof init === "string") return init;
  if (init.exitCode === 0) return undefined;
  const reason = /Error: ([^\n]*)/.exec(init.stderr)?.[1] ?? "unknown reason";
  return `terraform providers cannot be installed (${reason})`;
}

function tryInit(folder: string): TerraformResult | string {
  try {
    return runTerraform(["init", "-backend=false"], { folder, env: process.env });
  } catch (error) {
    return (error as Error).message;
  }
}
