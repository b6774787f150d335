import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { clientProgram } from "./clients";
import type { StaticUser } from "../node/control-plane";
import type { ToolCache } from "../tools/cache";
import { CommandError, runCommand } from "../tools/command";

/** Stands for Google's, which would ask Google for a token of who signed in. */
const GCLOUD = `#!/bin/sh
if [ "$*" = "auth print-access-token" ]; then exec cat "$(dirname "$0")/access-token"; fi
echo "gcloud: unknown command: $*" >&2
exit 2
`;

/** How a command of a user ended. */
export interface UserRun {
  readonly succeeded: boolean;
  /** All that it printed. */
  readonly output: string;
}

export interface ServiceAccount {
  readonly namespace: string;
  readonly name: string;
}

/** A port that is forwarded until somebody stops it. */
export interface Forward {
  stop(): Promise<void>;
}

/**
 * The shell of somebody who uses a deployment from outside the cluster: kubectl with their kubeconfig, the Ray client, and
 * gcloud. Commands run as they are printed by outputs and documentation.
 */
export class UserShell {
  /** The home folder, where commands run. */
  public readonly folder = mkdtempSync(join(tmpdir(), "user-"));
  private readonly bin = join(this.folder, "bin");

  constructor(
    private readonly cache: ToolCache,
    private readonly kubeconfig: string,
  ) {
    mkdirSync(this.bin);
    symlinkSync(cache.program("kubectl"), join(this.bin, "kubectl"));
    writeFileSync(join(this.bin, "gcloud"), GCLOUD, { mode: 0o755 });
  }

  /** From now on gcloud has the token of this Google identity. */
  public signIn({ token }: StaticUser): void {
    writeFileSync(join(this.bin, "access-token"), token, { mode: 0o600 });
  }

  /**
   * Runs a script of bash and returns what it printed to standard output.
   *
   * @throws CommandError when it fails
   */
  public run(script: string, input?: string): Promise<string> {
    return runCommand("bash", ["-ec", script], { cwd: this.folder, env: this.env, input });
  }

  /** Runs a script that may fail. */
  public async tryRun(script: string): Promise<UserRun> {
    try {
      return { succeeded: true, output: await this.run(script) };
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      return { succeeded: false, output: error.output };
    }
  }

  /** Runs a script of Python with the Ray client's packages and returns what it printed. */
  public python(script: string): Promise<string> {
    return this.run("python -", script);
  }

  /** What `kubectl auth can-i` says of a service account. */
  public async canI(
    account: ServiceAccount,
    verb: string,
    object: string,
    ...flags: string[]
  ): Promise<boolean> {
    const { namespace, name } = account;
    const who = `--as=system:serviceaccount:${namespace}:${name}`;
    const question = ["kubectl auth can-i", verb, object, ...flags, `--namespace ${namespace}`, who].join(
      " ",
    );
    const { output } = await this.tryRun(question);
    const answer = output.trim().split("\n").at(-1);
    if (answer !== "yes" && answer !== "no") throw new Error(`'${question}' gave no answer: ${output}`);
    return answer === "yes";
  }

  /** A token of a service account, another one at each call. */
  public async tokenOf({ namespace, name }: ServiceAccount): Promise<string> {
    return (await this.run(`kubectl create token ${name} --namespace ${namespace} --duration=1h`)).trim();
  }

  /** How the job API at the forwarded port answers: to a question, or to a submission that says nothing. */
  public async askJobApi(token?: string, method: "GET" | "POST" = "GET"): Promise<number> {
    const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const response = await fetch("http://127.0.0.1:8265/api/jobs/", { method, headers });
    await response.arrayBuffer();
    return response.status;
  }

  /**
   * Starts a `kubectl port-forward` and waits until it forwards.
   *
   * @throws when it ends instead
   */
  public async forward(command: string): Promise<Forward> {
    const child = spawn("bash", ["-c", `exec ${command}`], { cwd: this.folder, env: this.env });
    const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
    let printed = "";
    await new Promise<void>((resolve, reject) => {
      const look = (data: Buffer) => {
        printed += data.toString();
        if (printed.includes("Forwarding from")) resolve();
      };
      child.stdout.on("data", look);
      child.stderr.on("data", look);
      void ended.then(() => reject(new Error(`'${command}' ended: ${printed}`)));
    });
    return {
      stop: async () => {
        child.kill();
        await ended;
      },
    };
  }

  /** Removes the home folder. */
  public remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  private get env(): NodeJS.ProcessEnv {
    const client = dirname(clientProgram(this.cache, "ray-client", "ray"));
    return {
      ...process.env,
      HOME: this.folder,
      KUBECONFIG: this.kubeconfig,
      PATH: [this.bin, client, process.env.PATH].join(":"),
    };
  }
}
