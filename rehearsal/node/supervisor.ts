import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isPresent } from "../tools/requirements";

/** One running program of the node. */
export interface Part {
  readonly name: string;
  readonly logFile: string;
  readonly process: ChildProcess;
  /** Settles when the program has ended. */
  readonly ended: Promise<void>;
}

/** How long a program may take to end by itself before it is killed. */
const GRACE_MS = 3_000;

/** Starts the node's programs, keeps their logs in one folder and notices when one dies. */
export class Supervisor {
  private readonly parts = new Set<Part>();
  private readonly expectedEnds = new WeakSet<Part>();
  private crash: Error | undefined;

  constructor(public readonly logDir: string) {
    mkdirSync(logDir, { recursive: true });
  }

  public start(name: string, program: string, args: readonly string[], env?: NodeJS.ProcessEnv): Part {
    const logFile = join(this.logDir, `${name}.log`);
    const log = openSync(logFile, "a");
    // The kernel ends the program when this process dies, even by SIGKILL.
    const command = isPresent("setpriv") ? ["setpriv", "--pdeathsig", "KILL", "--", program] : [program];
    const child = spawn(command[0], [...command.slice(1), ...args], {
      env: { ...process.env, ...env },
      stdio: ["ignore", log, log],
    });
    closeSync(log);
    const ended = new Promise<void>((resolve) => {
      child.once("error", () => resolve());
      child.once("exit", () => resolve());
    });
    const part: Part = { name, logFile, process: child, ended };
    this.parts.add(part);
    void ended.then(() => this.onEnd(part));
    return part;
  }

  /** Asks a program to end, insists after a while, and waits until it has. */
  public async stop(part: Part, signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    this.expectedEnds.add(part);
    part.process.kill(signal);
    const timer = setTimeout(() => part.process.kill("SIGKILL"), GRACE_MS);
    await part.ended;
    clearTimeout(timer);
  }

  /** Ends every program at once: none of them has anything to save. */
  public async stopAll(): Promise<void> {
    await Promise.all([...this.parts].map((part) => this.stop(part, "SIGKILL")));
  }

  /**
   * Asks again and again until the answer is yes.
   *
   * @throws when a program of the node has died meanwhile, or the time is up; the message names the logs
   */
  public async waitFor(what: string, timeoutMs: number, probe: () => Promise<boolean>): Promise<void> {
    const deadline = Date.now() + timeoutMs;
    let lastProblem = "";
    while (Date.now() < deadline) {
      this.throwIfCrashed();
      try {
        if (await probe()) {
          return;
        }
      } catch (error) {
        lastProblem = `: ${(error as Error).message}`;
      }
      await sleep(50);
    }
    this.throwIfCrashed();
    throw new Error(
      `${what} did not happen within ${timeoutMs / 1000} s${lastProblem} (logs: ${this.logDir})`,
    );
  }

  /** @throws when a program ended that nobody stopped */
  public throwIfCrashed(): void {
    if (this.crash !== undefined) {
      throw this.crash;
    }
  }

  private onEnd(part: Part): void {
    this.parts.delete(part);
    if (this.expectedEnds.has(part)) {
      return;
    }
    const { exitCode, signalCode } = part.process;
    const tail = readFileSync(part.logFile, "utf8").trim().split("\n").slice(-8).join("\n");
    this.crash ??= new Error(
      `${part.name} ended unexpectedly (${signalCode ?? `status ${exitCode}`})\n${tail}\n(logs: ${this.logDir})`,
    );
  }
}
