import { existsSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { close, listen } from "../tools/servers";
import type { ToolCache } from "../tools/cache";
import { NODE_NAME } from "./container-host";
import type { KubeClient } from "./kube-client";
import type { Part, Supervisor } from "./supervisor";

const NAME = "gcsfuse.csi.storage.gke.io";
const CSI_DRIVERS = "/apis/storage.k8s.io/v1/csidrivers";

/** Gives the token of a pod, by its namespace and name; rejects with the reason when there is none. */
export type PodToken = (namespace: string, name: string) => Promise<object>;

export interface FuseDriverProps {
  readonly cache: ToolCache;
  readonly supervisor: Supervisor;
  readonly client: KubeClient;
  readonly kubeletFolder: string;
  readonly podToken: PodToken;
}

/** Why pods cannot mount buckets here, if they cannot. */
export function whyNoFuse(): string | undefined {
  return existsSync("/dev/fuse")
    ? undefined
    : "buckets as folders need /dev/fuse, which this system does not have";
}

/** Plays the Cloud Storage FUSE driver that a cluster with the add-on has on its nodes. */
export class FuseDriver {
  /** Settles when the kubelet knows the driver. */
  public readonly ready: Promise<void>;
  private readonly tokens: Server;
  private part: Part | undefined;

  constructor(private readonly props: FuseDriverProps) {
    this.tokens = createServer((request, response) => {
      const [namespace, name] = (request.url ?? "").split("/").slice(1).map(decodeURIComponent);
      props.podToken(namespace, name).then(
        (token) => response.setHeader("content-type", "application/json").end(JSON.stringify(token)),
        (error: Error) => response.writeHead(403).end(error.message),
      );
    });
    this.ready = this.start();
    // Whoever awaits it still sees the error; nobody has to.
    this.ready.catch(() => undefined);
  }

  /** Ends the driver, and what it mounted with it. */
  public async stop(): Promise<void> {
    await this.ready.catch(() => undefined);
    await this.props.client.attempt("DELETE", `${CSI_DRIVERS}/${NAME}`);
    if (this.part !== undefined) await this.props.supervisor.stop(this.part);
    await close(this.tokens);
  }

  private async start(): Promise<void> {
    const { cache, supervisor, client, kubeletFolder } = this.props;
    const port = await listen(this.tokens, 0, "127.0.0.1");
    await client.create(CSI_DRIVERS, {
      apiVersion: "storage.k8s.io/v1",
      kind: "CSIDriver",
      metadata: { name: NAME },
      spec: {
        attachRequired: false,
        podInfoOnMount: true,
        volumeLifecycleModes: ["Persistent", "Ephemeral"],
      },
    });
    this.part = supervisor.start(
      "gcsfuse-driver",
      cache.program("gcsfuse-driver"),
      [
        `--kubelet-folder=${kubeletFolder}`,
        `--node=${NODE_NAME}`,
        `--gcsfuse=${cache.program("gcsfuse")}`,
        `--token-url=http://127.0.0.1:${port}`,
        `--log-folder=${supervisor.logDir}`,
      ],
      { SSL_CERT_FILE: cache.authorityCertificate },
    );
    await supervisor.waitFor("the kubelet's knowledge of the FUSE driver", 30_000, async () => {
      const { spec } = await client.get(`/apis/storage.k8s.io/v1/csinodes/${NODE_NAME}`);
      return (spec.drivers ?? []).some((driver: { name: string }) => driver.name === NAME);
    });
  }
}
