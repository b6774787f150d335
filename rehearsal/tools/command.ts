import { spawn } from "node:child_process";
import { createWriteStream, mkdirSync } from "node:fs";
import { dirname } from "node:path";

export interface CommandOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Text for the command's standard input. */
  readonly input?: string;
  /** File that receives everything the command prints, besides the returned text. */
  readonly logFile?: string;
}

/** A command ended with another status than 0; the message carries the end of what it printed. */
export class CommandError extends Error {
  constructor(
    command: string,
    public readonly status: number | null,
    public readonly output: string,
    logFile?: string,
  ) {
    const tail = output.trim().split("\n").slice(-15).join("\n");
    const where = logFile === undefined ? "" : `\nwhole output: ${logFile}`;
    super(`'${command}' failed with status ${status ?? "none (killed)"}\n${tail}${where}`);
  }
}

/**
 * Runs a command to its end and returns what it printed to standard output.
 *
 * @throws CommandError when it ends with another status than 0
 */
export async function runCommand(
  command: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  const child = spawn(command, args, { cwd: options.cwd, env: options.env ?? process.env, stdio: "pipe" });
  let stdout = "";
  let all = "";
  child.stdout.on("data", (chunk: Buffer) => {
    stdout += chunk.toString();
    all += chunk.toString();
  });
  child.stderr.on("data", (chunk: Buffer) => (all += chunk.toString()));
  if (options.logFile !== undefined) {
    mkdirSync(dirname(options.logFile), { recursive: true });
    const log = createWriteStream(options.logFile);
    child.stdout.pipe(log, { end: false });
    child.stderr.pipe(log, { end: false });
    child.on("close", () => log.end());
  }
  // A command that ends before it has read its input closes the pipe; its status tells more than EPIPE.
  child.stdin.on("error", () => undefined);
  child.stdin.end(options.input ?? "");
  const status = await new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  if (status !== 0) {
    throw new CommandError([command, ...args].join(" ").slice(0, 300), status, all, options.logFile);
  }
  return stdout;
}

/** Whether there is a process with this id. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
