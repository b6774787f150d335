import { isReady, type KubeObject } from "../node/kube-client";
import type { Node } from "../node/node";

/** Name of the namespace that holds the proxies of the Ray clusters of a namespace. */
export function proxyNamespace(namespace: string): string {
  return `${namespace}-auth`;
}

/** The pods of the proxy in front of one Ray cluster. */
export class ProxyPods {
  constructor(
    private readonly node: Node,
    private readonly namespace: string,
    private readonly rayClusterName: string,
  ) {}

  /** The pods that are there and are not ending. */
  public async list(): Promise<KubeObject[]> {
    const labels = `app.kubernetes.io/name=ray-auth-proxy,app.kubernetes.io/instance=${this.rayClusterName}`;
    const path = `/api/v1/namespaces/${this.namespace}/pods?labelSelector=${encodeURIComponent(labels)}`;
    const pods = await this.node.client.list(path);
    return pods.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  }

  /** Waits until so many pods are Ready. */
  public async waitForReady(count: number, timeoutMs = 60_000): Promise<void> {
    const what = `${count} proxies of ${this.namespace}/${this.rayClusterName}`;
    await this.node.waitFor(
      what,
      timeoutMs,
      async () => (await this.list()).filter(isReady).length === count,
    );
  }
}
