import { appendFileSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type RunningTerraform, startTerraform, type TerraformRun } from "./command";

/** One planned change of a resource. */
export interface PlannedChange {
  readonly address: string;
  /** For example `["update"]`, or `["delete", "create"]` for a replacement. */
  readonly actions: readonly string[];
  /** What the resource is to be, as far as that is known. */
  readonly after: any;
  /** Paths of the values that differ or that only the apply will tell, also inside JSON; for example `labels.team`. */
  readonly attributes: readonly string[];
}

/**
 * Real Terraform on a copy of a stack's folder, with a state of its own: all that a remote runner would get. The files of
 * the stack are not touched.
 */
export class Terraform {
  /** Copies the folder and installs the providers. */
  public static async of(stackFolder: string, options: TerraformOptions): Promise<Terraform> {
    const terraform = new Terraform(mkdtempSync(join(tmpdir(), "terraform-")), options);
    terraform.copy(stackFolder);
    const init = await terraform.run("init", "-reconfigure", ...terraform.backendFlags());
    terraform.requireDone("terraform init", init);
    return terraform;
  }

  private constructor(
    public readonly folder: string,
    private readonly options: TerraformOptions,
  ) {}

  /** Takes another version of the stack, with the state as it is. */
  public async update(stackFolder: string): Promise<void> {
    this.copy(stackFolder);
    this.requireDone("terraform init", await this.run("init", ...this.backendFlags()));
  }

  /** @throws when it fails, with Terraform's own errors */
  public async apply(...flags: string[]): Promise<TerraformRun> {
    return this.requireDone("terraform apply", await this.run("apply", "-auto-approve", ...flags));
  }

  /** Applies and tells how it went, whether well or not. */
  public async tryApply(...flags: string[]): Promise<TerraformRun> {
    return this.run("apply", "-auto-approve", ...flags);
  }

  /** Starts an apply without waiting for it. */
  public startApply(...flags: string[]): RunningTerraform {
    return this.start("apply", "-auto-approve", ...flags);
  }

  /** Starts a destroy without waiting for it. */
  public startDestroy(...flags: string[]): RunningTerraform {
    return this.start("destroy", "-auto-approve", ...flags);
  }

  /** @throws when it fails, with Terraform's own errors */
  public async destroy(): Promise<TerraformRun> {
    return this.requireDone("terraform destroy", await this.run("destroy", "-auto-approve"));
  }

  /** Saves a plan and returns its file. @throws when it fails, with Terraform's own errors */
  public async savePlan(): Promise<string> {
    const file = join(this.folder, "plan.bin");
    this.requireDone("terraform plan", await this.run("plan", `-out=${file}`));
    return file;
  }

  /** What an apply would change now. */
  public async plannedChanges(): Promise<PlannedChange[]> {
    const file = await this.savePlan();
    const shown = await this.run("show", "-json", file);
    const plan = JSON.parse(this.requireDone("terraform show", shown).stdout);
    rmSync(file);
    return (plan.resource_changes ?? [])
      .map(({ address, change }: any) => ({
        address,
        actions: change.actions,
        after: change.after,
        attributes: changedPaths(change.before, change.after, change.after_unknown),
      }))
      .filter(({ actions }: PlannedChange) => !["no-op", "read"].includes(actions[0]));
  }

  /** Addresses of the resources in the state. */
  public async stateList(): Promise<string[]> {
    const run = await this.run("state", "list");
    if (/No state file was found/.test(run.output)) return [];
    const lines = this.requireDone("terraform state list", run).stdout.split("\n");
    return lines.filter((line) => line !== "" && !line.startsWith("data."));
  }

  /** @throws when it fails, with Terraform's own errors */
  public async import(address: string, id: string): Promise<void> {
    this.requireDone("terraform import", await this.run("import", address, id));
  }

  /** Forgets that a resource's creation failed. @throws when it fails, with Terraform's own errors */
  public async untaint(address: string): Promise<void> {
    this.requireDone("terraform untaint", await this.run("untaint", address));
  }

  /** The value of an output. */
  public async output(name: string): Promise<string> {
    return this.requireDone("terraform output", await this.run("output", "-raw", name)).stdout;
  }

  /** The state as it is in its file. */
  public state(): any {
    return JSON.parse(readFileSync(this.statePath, "utf8"));
  }

  /** Changes the environment of the following commands. */
  public setEnv(env: Readonly<Record<string, string>>): void {
    Object.assign(this.options.env, env);
  }

  public remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Where the state is, and where the synthesized stack says it is. */
  public get statePaths(): { readonly here: string; readonly synthesized?: string } {
    const { backend } = this.configuration().terraform ?? {};
    return { here: this.statePath, synthesized: backend?.local?.path };
  }

  private get statePath(): string {
    return join(this.folder, "terraform.tfstate");
  }

  /**
   * A `cloud` block is passed over, as Terraform Cloud does when it runs a folder itself, and other stacks' states are read
   * where they are here.
   */
  private copy(stackFolder: string): void {
    cpSync(stackFolder, this.folder, { recursive: true });
    const config = this.configuration();
    const states = Object.values<any>(config.data?.terraform_remote_state ?? {});
    // Everything else stays as it was synthesized, byte for byte.
    if (config.terraform?.cloud === undefined && states.length === 0) return;
    delete config.terraform?.cloud;
    for (const { config: state } of states) {
      state.path = this.options.states?.get(state.path) ?? state.path;
    }
    writeFileSync(join(this.folder, "cdk.tf.json"), JSON.stringify(config, null, 2));
  }

  private configuration(): any {
    return JSON.parse(readFileSync(join(this.folder, "cdk.tf.json"), "utf8"));
  }

  /** The path that was synthesized is one of the machine that synthesized it. */
  private backendFlags(): string[] {
    const config = this.configuration();
    return config.terraform?.backend?.local ? [`-backend-config=path=${this.statePath}`] : [];
  }

  private run(...args: string[]): Promise<TerraformRun> {
    return this.start(...args).finished;
  }

  private start(...args: string[]): RunningTerraform {
    const started = Date.now();
    const running = startTerraform(args, {
      folder: this.folder,
      env: { ...process.env, ...this.options.env },
    });
    return { ...running, finished: running.finished.then((run) => this.noted(args, started, run)) };
  }

  /** What `show` prints is long, and in the state already. */
  private noted(args: string[], started: number, run: TerraformRun): TerraformRun {
    const seconds = ((Date.now() - started) / 1000).toFixed(1);
    const text = args[0] === "show" ? "" : run.output;
    const line = `$ terraform ${args.join(" ")}  (${seconds} s, ${run.exitCode})`;
    appendFileSync(this.options.logFile, `${line}\n${text}\n`);
    return run;
  }

  private requireDone(what: string, run: TerraformRun): TerraformRun {
    if (run.exitCode === 0) return run;
    throw new Error(
      `${what} failed (${run.exitCode}):\n${errorsOf(run.output)}\nwhole output: ${this.options.logFile}`,
    );
  }
}

export interface TerraformOptions {
  /** Environment besides that of this process. */
  readonly env: Record<string, string>;
  /** Gets everything that Terraform prints. */
  readonly logFile: string;
  /**
   * Where the states are that a stack reads, by the paths that were synthesized.
   * @default - there
   */
  readonly states?: ReadonlyMap<string, string>;
}

/** The part of Terraform's output that says what went wrong. */
export function errorsOf(output: string): string {
  const at = output.indexOf("Error: ");
  return at < 0 ? output.slice(-2000) : output.slice(at, at + 4000).trim();
}

/** Terraform's errors, each with the resource that it is about. @throws when one is about none */
export function errorsByAddress({ output }: TerraformRun): { address: string; message: string }[] {
  const errors = output
    .slice(output.indexOf("Error: "))
    .split(/^Error: /m)
    .slice(1);
  return errors.map((message) => {
    const address = /^ +with (\S+),$/m.exec(message)?.[1];
    if (address === undefined) throw new Error(`an error names no resource: ${message}`);
    return { address, message };
  });
}

/** @throws when a command failed, with Terraform's own errors */
export function requireDone(run: TerraformRun): void {
  if (run.exitCode !== 0) throw new Error(`terraform failed (${run.exitCode}): ${errorsOf(run.output)}`);
}

/** Where two values differ, or where one is not known yet. */
function changedPaths(before: any, after: any, unknown: any, path: string[] = []): string[] {
  if (unknown === true) return [path.join(".")];
  const [old, now] = [unpacked(before), unpacked(after)];
  if (!isComposite(old) && !isComposite(now)) return old === now ? [] : [path.join(".")];
  const keys = [old, now, unknown].flatMap((value) => (isComposite(value) ? Object.keys(value) : []));
  return [...new Set(keys)].flatMap((key) =>
    changedPaths(old?.[key], now?.[key], unknown?.[key], [...path, key]),
  );
}

/** The values of a Helm release are JSON in a string. Terraform says null where nothing is set. */
function unpacked(value: any): any {
  if (typeof value !== "string" || !value.startsWith("{")) return value ?? undefined;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

function isComposite(value: any): boolean {
  return typeof value === "object" && value !== null;
}
