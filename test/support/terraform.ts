import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runTerraform, startTerraform } from "../../rehearsal/terraform/command";
import { installInto } from "../../rehearsal/terraform/providers";
import { providerSchemas } from "./schema";

/** The providers of the schema extract, in exactly its versions. */
interface Installation {
  /** Why they cannot be installed, if they cannot. */
  readonly problem?: string;
  /** Where `terraform init` put the plugins; later runs take them from there and nothing is fetched twice. */
  readonly folder: string;
}

let installation: Installation | undefined;
afterAll(() => installation && rmSync(installation.folder, { recursive: true, force: true }));

/**
 * A test that needs the providers; where they cannot be installed it is skipped, and says so itself: jest prints no
 * name of a suite in which everything is skipped.
 */
export function testWithPlugins(name: string, run: () => void | Promise<void>): void {
  const check = async () => run();
  const { problem } = install();
  if (problem === undefined) {
    test(name, check, 120_000);
  } else {
    process.stderr.write(`skipped: ${name}: ${problem}\n`);
    test.skip(name, check);
  }
}

/**
 * Errors and warnings of `terraform init` and `terraform validate` on a folder with a cdk.tf.json. Afterwards its state is
 * in the folder.
 */
export function terraformDiagnostics(folder: string): string[] {
  keepStateIn(folder);
  const plugins = join(install().folder, ".terraform/providers");
  const place = { folder, env: process.env };
  const init = runTerraform(["init", `-plugin-dir=${plugins}`], place);
  if (init.exitCode !== 0) return [`init: ${firstError(init.stderr)}`];
  const { diagnostics } = JSON.parse(runTerraform(["validate", "-json"], place).stdout);
  return diagnostics.map(
    ({ severity, summary, detail }: Record<string, string | undefined>) =>
      `${severity}: ${summary}: ${detail}`,
  );
}

/** How a plan ended, on a folder that was found valid: what it would do, or its errors. */
export interface Plan {
  readonly errors: string[];
  /** Address and actions of each resource. */
  readonly changes: string[];
}

/** `terraform plan`, while this process goes on to answer what Terraform asks of a double. */
export async function terraformPlan(folder: string, environment: Record<string, string>): Promise<Plan> {
  const env = { ...withoutGoogle(process.env), ...environment };
  const run = (...args: string[]) => startTerraform(args, { folder, env }).finished;
  const { exitCode, output } = await run("plan", "-out=plan.bin");
  if (exitCode !== 0)
    return {
      errors: output
        .split(/^Error: /m)
        .slice(1)
        .map(oneLine),
      changes: [],
    };
  const { stdout } = await run("show", "-json", "plan.bin");
  const { resource_changes: changes = [] } = JSON.parse(stdout);
  return {
    errors: [],
    changes: changes.map(({ address, change }: any) => `${address}: ${change.actions.join(", ")}`),
  };
}

/** What the machine knows of Google Cloud. */
function withoutGoogle(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const kept = Object.entries(environment).filter(([name]) => !/^(GOOGLE|GCLOUD|CLOUDSDK)_/.test(name));
  return Object.fromEntries(kept);
}

function keepStateIn(folder: string): void {
  const file = join(folder, "cdk.tf.json");
  const { terraform, ...configuration } = JSON.parse(readFileSync(file, "utf8"));
  delete terraform.backend;
  writeFileSync(file, JSON.stringify({ ...configuration, terraform }, null, 2));
}

/** Tried once. */
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
  return { problem: installInto(folder, Object.fromEntries(required)), folder };
}

/** Terraform draws a frame around an error and breaks its lines; a test's name wants one line. */
function firstError(stderr: string): string {
  const [, error = stderr] = stderr.split(/^.*Error: /m);
  return oneLine(error);
}

function oneLine(text: string): string {
  return text.replace(/[│╷╵\s]+/g, " ").trim();
}
