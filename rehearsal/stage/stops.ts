import { setTimeout as sleep } from "node:timers/promises";
import type { Faults, HoldOptions, RequestMatch } from "../google/faults";
import type { RunningTerraform } from "../terraform/command";

/** Every request that changes something, of whatever resource. */
export const WRITES: RequestMatch = {
  method: /^(POST|PUT|PATCH|DELETE)$/,
  path: /^(?!.*:(get|test)Iam)/,
};

/** How long Terraform takes to tell its plugins after it has said that it stops. */
const TELLS_PLUGINS_MS = 500;

/** How long what Terraform has printed may be on its way, which is another than that of its requests. */
const PRINTED_MS = 5_000;

/** Ctrl-C or a power cut, and whether the request that it meets has taken effect. */
export interface Ending extends Required<HoldOptions> {
  readonly signal: "SIGINT" | "SIGKILL";
}

/** A command that stands still at a request. */
export interface Stop {
  /** Terraform's address of what is being changed. */
  readonly address: string;
  /** Method and path of the request. */
  readonly request: string;
  readonly ending: Ending;
  /** Lets the request go on. */
  release(): void;
}

/** Stops Terraform at one request after the other. */
export class Stops {
  private readonly seen = new Set<string>();
  private readonly stopped = new Set<string>();

  /** @param endings the ways to stop, taken in turn */
  constructor(
    private readonly faults: { readonly google: Faults; readonly kubernetes: Faults },
    private readonly endings: readonly Ending[],
    private readonly match: RequestMatch = WRITES,
  ) {}

  /** Addresses that a command was stopped at so far. */
  public get addresses(): string[] {
    return [...this.stopped].sort();
  }

  /**
   * Lets a command go on, which does one resource at a time, up to the next request that no command was stopped at yet;
   * returns undefined when it came to its end.
   */
  public async next(command: RunningTerraform): Promise<Stop | undefined> {
    const stop = await Promise.race([this.watch(command), command.finished.then(() => undefined)]);
    this.faults.google.clear();
    this.faults.kubernetes.clear();
    return stop;
  }

  /** Ends a command that stands still, and lets the request go on to whoever is still there. */
  public async end(command: RunningTerraform, { ending, release }: Stop): Promise<void> {
    if (ending.signal === "SIGKILL") {
      command.kill();
      await command.finished;
      release();
      return;
    }
    command.interrupt();
    await command.printed(/Stopping operation/);
    await sleep(TELLS_PLUGINS_MS);
    release();
    await command.finished;
  }

  private watch(command: RunningTerraform): Promise<Stop> {
    const ending = this.endings[this.seen.size % this.endings.length];
    return new Promise((resolve) => {
      let arrived = false;
      const visit = async (method: string, path: string): Promise<void> => {
        const address = await addressOfNow(command);
        const request = `${method} ${withoutRevision(path)}`;
        if (address === undefined || arrived || this.seen.has(`${address} ${request}`)) return;
        arrived = true;
        this.seen.add(`${address} ${request}`);
        this.stopped.add(address);
        await new Promise<void>((release) => resolve({ address, request, ending, release }));
      };
      for (const faults of [this.faults.google, this.faults.kubernetes]) {
        faults.visit(this.match, visit, ending);
      }
    });
  }
}

/** Without what differs each time that the same is done again, such as the revision of a Helm release. */
function withoutRevision(path: string): string {
  return path.replace(/\?.*$/, "").replace(/\.v\d+$/, "");
}

/** What Terraform has begun and not finished. */
async function addressOfNow(command: RunningTerraform): Promise<string | undefined> {
  for (let waited = 0; waited < PRINTED_MS; waited += 50) {
    await sleep(50);
    const lines = [
      ...command.output().matchAll(/^(\S+): (?:(Creat|Modify|Destroy)ing\.\.\.|.* complete after )/gm),
    ];
    const [, address, begun] = lines.at(-1) ?? [];
    if (begun !== undefined) return address;
  }
  return undefined;
}
