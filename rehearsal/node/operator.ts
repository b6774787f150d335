import { setTimeout as sleep } from "node:timers/promises";
import type { ToolCache } from "../tools/cache";
import type { KubeClient } from "./kube-client";
import type { Part, Supervisor } from "./supervisor";

export interface HostedOperatorProps {
  readonly cache: ToolCache;
  readonly supervisor: Supervisor;
  readonly client: KubeClient;
  /** Kubeconfig of the operator's own user. */
  readonly kubeconfig: string;
  /** How long the custom resource definitions take to appear. */
  readonly crdDelayMs: number;
  readonly kubectl: (args: readonly string[]) => Promise<string>;
}

/** Plays the KubeRay operator that Google runs for a cluster with the add-on: no pod, and it comes when it comes. */
export class HostedOperator {
  /** Settles when the API server serves the custom resources and the operator runs. */
  public readonly ready: Promise<void>;
  private readonly stopped = new AbortController();
  private part: Part | undefined;

  constructor(private readonly props: HostedOperatorProps) {
    this.ready = this.start();
    // Whoever awaits it still sees the error; nobody has to.
    this.ready.catch(() => undefined);
  }

  /** Ends the operator; custom resources and their definitions stay. */
  public async stop(): Promise<void> {
    this.stopped.abort();
    await this.ready.catch(() => undefined);
    if (this.part !== undefined) {
      await this.props.supervisor.stop(this.part);
    }
  }

  private async start(): Promise<void> {
    const { cache, supervisor, client, kubeconfig, crdDelayMs, kubectl } = this.props;
    await sleep(crdDelayMs, undefined, { signal: this.stopped.signal });
    // The definitions are too large for the annotation of a client-side apply.
    await kubectl(["apply", "--server-side", "-f", cache.customResourceDefinitions]);
    await supervisor.waitFor("the API server's service of ray.io/v1", 30_000, async () => {
      const { resources } = await client.get<{ resources: { name: string }[] }>("/apis/ray.io/v1");
      return resources.some(({ name }) => name === "rayclusters");
    });
    this.part = supervisor.start("kuberay-operator", cache.program("kuberay-operator"), [
      ...["-kubeconfig", kubeconfig],
      "-enable-leader-election=false",
      ...["-metrics-addr", "0"],
      ...["-health-probe-bind-address", "0"],
    ]);
  }
}
