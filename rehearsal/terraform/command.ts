import { ChildProcess, spawn, spawnSync } from "node:child_process";

/** How one Terraform command ended. */
export interface TerraformRun {
  /** Exit code; -1 when it was killed. */
  readonly exitCode: number;
  /** What it printed to standard output: results, and what it was doing. */
  readonly stdout: string;
  /** Everything it printed, errors and warnings too. */
  readonly output: string;
}

/** A command that is still running. */
export interface RunningTerraform {
  readonly finished: Promise<TerraformRun>;
  /** What it has printed so far. */
  output(): string;
  /** Resolves when it has printed this, or has ended. */
  printed(pattern: RegExp): Promise<void>;
  /** Asks Terraform to stop after what it is doing, as Ctrl-C does. */
  interrupt(): void;
  /** Ends Terraform and its plugins at once. */
  kill(): void;
}

/** Where a command runs. */
export interface TerraformPlace {
  readonly folder: string;
  /** The whole environment. */
  readonly env: NodeJS.ProcessEnv;
}

/** Starts a Terraform command, which asks nothing and prints no colors. */
export function startTerraform(args: readonly string[], place: TerraformPlace): RunningTerraform {
  const child = spawn("terraform", automated(args), {
    cwd: place.folder,
    // A group of its own, so that killing it takes the plugins too.
    detached: true,
    env: environment(place.env),
  });
  const streams = [child.stdout, child.stderr];
  let output = "";
  streams.forEach((stream) => stream.on("data", (data: Buffer) => (output += data.toString())));
  const printed = (pattern: RegExp) =>
    new Promise<void>((resolve) => {
      const look = () => (pattern.test(output) ? resolve() : undefined);
      streams.forEach((stream) => stream.on("data", look));
      child.once("close", () => resolve());
      look();
    });
  return {
    finished: finish(child, () => output),
    output: () => output,
    printed,
    interrupt: () => child.kill("SIGINT"),
    kill: () => killGroup(child),
  };
}

/** How a command ended that was waited for. */
export interface TerraformResult extends TerraformRun {
  readonly stderr: string;
}

/**
 * Runs a Terraform command and waits for it, with this whole process.
 *
 * @throws when there is no Terraform
 */
export function runTerraform(args: readonly string[], place: TerraformPlace): TerraformResult {
  const { error, status, stdout, stderr } = spawnSync("terraform", automated(args), {
    cwd: place.folder,
    encoding: "utf8",
    timeout: 600_000,
    maxBuffer: 2 ** 28,
    env: environment(place.env),
  });
  if (error) throw new Error(`terraform does not run here (${error.message})`);
  return { exitCode: status ?? -1, stdout, stderr, output: stdout + stderr };
}

function environment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return { CHECKPOINT_DISABLE: "1", TF_IN_AUTOMATION: "1", ...env };
}

function finish(child: ChildProcess, printed: () => string): Promise<TerraformRun> {
  let stdout = "";
  child.stdout!.on("data", (data: Buffer) => (stdout += data.toString()));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ exitCode: code ?? -1, stdout, output: printed() }));
  });
}

function automated([command, ...rest]: readonly string[]): string[] {
  return [command, ...automationFlags(command), ...rest];
}

/** These ask nothing, and know no such flags. */
function automationFlags(command: string): string[] {
  if (command === "state" || command === "untaint") return [];
  return ["show", "output", "validate"].includes(command) ? ["-no-color"] : ["-no-color", "-input=false"];
}

function killGroup(child: ChildProcess): void {
  if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, "SIGKILL");
}
