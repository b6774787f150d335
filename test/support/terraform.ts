import { execFile, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { installInto } from "../../rehearsal/providers";
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
  const init = terraform(folder, ["init", "-input=false", "-no-color", `-plugin-dir=${plugins}`]);
  if (!init.succeeded) {
    return [`init: ${init.errors}`];
  }
  const { diagnostics } = JSON.parse(terraform(folder, ["validate", "-json"]).output);
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
  const run = async (...args: string[]) =>
    promisify(execFile)("terraform", args, { cwd: folder, env, maxBuffer: 2 ** 26 });
  try {
    await run("plan", "-input=false", "-no-color", "-out=plan.bin");
  } catch (error) {
    const { stderr } = error as { stderr: string };
    return {
      errors: stderr
        .split(/^Error: /m)
        .slice(1)
        .map(oneLine),
      changes: [],
    };
  }
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
  return oneLine(error);
}

function oneLine(text: string): string {
  return text.replace(/[│╷╵\s]+/g, " ").trim();
}
