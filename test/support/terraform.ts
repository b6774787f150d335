import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { providerSchemas } from "./schema";

export interface TerraformPlugins {
  readonly available: boolean;
  /** Why they are not available; empty when they are. */
  readonly reason: string;
}

interface Installation extends TerraformPlugins {
  /** Where `terraform init` put the plugins; later runs take them from there and nothing is fetched twice. */
  readonly folder: string;
}

let installation: Installation | undefined;
afterAll(() => installation && rmSync(installation.folder, { recursive: true, force: true }));

/** Whether the providers of the schema extract, in exactly its versions, can be installed here; tried once. */
export function terraformPlugins(): TerraformPlugins {
  return install();
}

/**
 * A test that needs the providers; where they cannot be installed it is skipped, and says so itself: jest prints no
 * name of a suite in which everything is skipped.
 */
export function testWithPlugins(name: string, run: () => void): void {
  const { available, reason } = terraformPlugins();
  if (available) {
    test(name, run, 120_000);
  } else {
    process.stderr.write(`skipped: ${name}: terraform providers cannot be installed (${reason})\n`);
    test.skip(name, run);
  }
}

/** Errors and warnings of `terraform init` and `terraform validate` on a folder with a cdk.tf.json. */
export function terraformDiagnostics(folder: string): string[] {
  const plugins = join(install().folder, ".terraform/providers");
  const init = terraform(folder, [
    "init",
    "-backend=false",
    "-input=false",
    "-no-color",
    `-plugin-dir=${plugins}`,
  ]);
  if (!init.succeeded) {
    return [`init: ${init.errors}`];
  }
  const { diagnostics } = JSON.parse(terraform(folder, ["validate", "-json"]).output);
  return diagnostics.map(
    ({ severity, summary, detail }: Record<string, string | undefined>) =>
      `${severity}: ${summary}: ${detail}`,
  );
}

function install(): Installation {
  installation ??= tryInstallation();
  return installation;
}

function tryInstallation(): Installation {
  const folder = mkdtempSync(join(tmpdir(), "terraform-plugins-"));
  const required = Object.entries(providerSchemas).map(([name, { provider: source, version }]) => [
    name,
    { source, version },
  ]);
  writeFileSync(
    join(folder, "main.tf.json"),
    JSON.stringify({ terraform: { required_providers: Object.fromEntries(required) } }),
  );
  const init = terraform(folder, ["init", "-input=false", "-no-color"]);
  if (!init.succeeded) {
    rmSync(folder, { recursive: true });
  }
  return { available: init.succeeded, reason: init.succeeded ? "" : init.errors, folder };
}

function terraform(cwd: string, args: string[]) {
  const { error, status, stdout, stderr } = spawnSync("terraform", args, { cwd, encoding: "utf8" });
  if (error !== undefined) {
    return { succeeded: false, output: "", errors: `terraform cannot be run (${error.message})` };
  }
  return { succeeded: status === 0, output: stdout, errors: firstError(stderr) };
}

/** Terraform draws a frame around an error and breaks its lines; a test's name wants one line. */
function firstError(stderr: string): string {
  const [, error = stderr] = stderr.split(/^.*Error: /m);
  return error.replace(/[│╷╵\s]+/g, " ").trim();
}
