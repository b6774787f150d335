import { setTimeout as sleep } from "node:timers/promises";
import type { Faults, HoldOptions, RequestMatch } from "./google/faults";
import type { RunningTerraform, Terraform } from "./terraform";

/** A request that makes an object, or writes down that it was made. */
interface Creation {
  readonly api: "google" | "kubernetes";
  readonly match: RequestMatch;
}

const google = (method: string, path: RegExp): Creation => ({ api: "google", match: { method, path } });
const kubernetes = (method: string, path: RegExp): Creation => ({
  api: "kubernetes",
  match: { method, path },
});

/** What the default stack is made by. */
export const CREATIONS = {
  cluster: google("POST", /\/clusters(\?|$)/),
  nodePool: google("POST", /\/nodePools(\?|$)/),
  googleServiceAccount: google("POST", /\/serviceAccounts(\?|$)/),
  projectGrant: google("POST", /\/projects\/[^/]+:setIamPolicy/),
  workloadIdentityBinding: google("POST", /\/serviceAccounts\/[^/]+:setIamPolicy/),
  bucket: google("POST", /\/storage\/v1\/b\?/),
  bucketGrant: google("PUT", /\/storage\/v1\/b\/[^/]+\/iam/),
  namespace: kubernetes("POST", /^\/api\/v1\/namespaces(\?|$)/),
  serviceAccount: kubernetes("POST", /\/serviceaccounts(\?|$)/),
  networkPolicy: kubernetes("POST", /\/networkpolicies(\?|$)/),
  job: kubernetes("POST", /\/jobs(\?|$)/),
  rayCluster: kubernetes("POST", /\/rayclusters(\?|$)/),
  /** Helm marks the release as deployed. */
  helmRelease: kubernetes("PUT", /\/secrets\/sh\.helm\.release\./),
} as const;

export type CreationName = keyof typeof CREATIONS;

/** An apply that stands still at a creation. */
export interface StoppedAt {
  readonly creation: CreationName;
  /** Terraform's address of what is being created. */
  readonly address: string;
  /** Lets the request go on. */
  release(): void;
}

export interface StopOptions extends HoldOptions {
  /** @default - every creation */
  readonly creations?: readonly CreationName[];
}

/** Stops applies at one creation after the other. */
export class Stops {
  private readonly seen = new Set<string>();
  private readonly creations: readonly CreationName[];

  constructor(
    private readonly faults: { readonly google: Faults; readonly kubernetes: Faults },
    private readonly options: StopOptions = {},
  ) {
    this.creations = options.creations ?? (Object.keys(CREATIONS) as CreationName[]);
  }

  /** Addresses that an apply was stopped at so far. */
  public get addresses(): string[] {
    return [...new Set([...this.seen].map((stop) => stop.split(" ")[0]))].sort();
  }

  /** Applies, one resource at a time, up to the next creation that no apply was stopped at yet, or to the end. */
  public async apply(terraform: Terraform): Promise<{ apply: RunningTerraform; stopped?: StoppedAt }> {
    const apply = terraform.startApply("-parallelism=1");
    const stopped = await Promise.race([this.next(apply), apply.finished.then(() => undefined)]);
    this.faults.google.clear();
    this.faults.kubernetes.clear();
    return { apply, stopped };
  }

  private next(apply: RunningTerraform): Promise<StoppedAt> {
    return new Promise((resolve) => {
      this.creations.forEach((creation) => void this.watch(creation, apply, resolve));
    });
  }

  private async watch(
    creation: CreationName,
    apply: RunningTerraform,
    arrive: (stopped: StoppedAt) => void,
  ): Promise<void> {
    const { api, match } = CREATIONS[creation];
    const hold = this.faults[api].hold(match, this.options);
    await hold.reached;
    // What Terraform printed before takes another way here than its request.
    await sleep(50);
    const address = lastCreated(apply.output());
    const stop = `${address} ${creation}`;
    if (this.seen.has(stop)) {
      void this.watch(creation, apply, arrive);
      hold.release();
    } else {
      this.seen.add(stop);
      arrive({ creation, address, release: hold.release });
    }
  }
}

function lastCreated(output: string): string {
  const lines = [...output.matchAll(/^(\S+): (Creating|Modifying)\.\.\./gm)];
  const last = lines.at(-1);
  if (last === undefined) throw new Error("something is created before Terraform says so");
  return last[1];
}
