import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { keyOf, type ToolCache } from "../tools/cache";
import { runCommand } from "../tools/command";
import { RequestScaling, type RequestScale } from "./admission";
import { type AuditEvent, readAuditLog } from "./audit";
import { killControlGroup } from "./cgroups";
import { ContainerHost, NODE_NAME } from "./container-host";
import { ControlPlane, type StaticUser } from "./control-plane";
import { NameServer } from "./dns";
import { FuseDriver, type PodToken } from "./fuse-driver";
import { KubeClient, type KubeObject } from "./kube-client";
import { coverRun, coverSystemFolders, STATE_FOLDER, useNameServer } from "./mounts";
import { ADDRESSES, freePort, setUpNetwork } from "./network";
import { startNetworkPolicies } from "./network-policies";
import { HostedOperator } from "./operator";
import type { Level, Run } from "./run";
import { Supervisor } from "./supervisor";

export interface NodeProps {
  readonly cache: ToolCache;
  readonly run: Run;
  /**
   * Names that the node's DNS answers, with their addresses; every other foreign name does not exist.
   *
   * @default - none
   */
  readonly hosts?: Readonly<Record<string, string>>;
  /**
   * Further users known by their tokens, for instance Google accounts.
   *
   * @default - none
   */
  readonly users?: readonly StaticUser[];
}

/** A pod as the metadata server needs to know it. */
export interface PodIdentity {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly serviceAccountName: string;
}

export interface KubectlOptions {
  /** Text for standard input, as in `kubectl apply -f -`. */
  readonly input?: string;
  /**
   * Whose token to use.
   *
   * @default - the rehearsal's own user, whose reading the audit log leaves out
   */
  readonly token?: string;
}

const REQUEST_SCALE: RequestScale = { cpu: 1 / 16, memory: 1 / 16 };

/** Labels that GKE puts on the nodes of a Standard cluster with Workload Identity. */
const GKE_LABELS = {
  "cloud.google.com/gke-nodepool": "rehearsal",
  "cloud.google.com/gke-os-distribution": "cos",
  "cloud.google.com/gke-container-runtime": "containerd",
  "iam.gke.io/gke-metadata-server-enabled": "true",
  "topology.kubernetes.io/region": "us-west1",
  "topology.kubernetes.io/zone": "us-west1-b",
};

/** Under this name an administrator appears to Kubernetes. */
const ADMINISTRATOR = "rehearsal-admin";

const ADMINISTRATORS = ["system:masters"];

/** The users of the node's own programs, with the names that Kubernetes' built-in roles expect. */
const PROGRAM_USERS: readonly Omit<StaticUser, "token">[] = [
  { name: "system:kube-controller-manager" },
  { name: "system:kube-scheduler" },
  { name: "system:kube-proxy" },
  { name: `system:node:${NODE_NAME}`, groups: ["system:nodes"] },
  { name: "rehearsal:coredns", groups: ADMINISTRATORS },
  { name: "rehearsal:kube-router", groups: ADMINISTRATORS },
  { name: "rehearsal:node", groups: ADMINISTRATORS },
  { name: "rehearsal:kuberay-operator", groups: ADMINISTRATORS },
];

/** A real Kubernetes on this machine: one node, or its control plane alone where pods cannot run. */
export class Node {
  /**
   * Starts everything and returns when pods can be created and, at level `node`, run. A run has one node: its
   * addresses and mounts are the namespaces' own.
   *
   * @throws when a part does not come up; the message names the part and the folder of the logs
   */
  public static async start(props: NodeProps): Promise<Node> {
    const inNamespaces = props.run.isolation !== "loopback";
    if (inNamespaces) {
      await coverRun();
      await setUpNetwork();
      await useNameServer(ADDRESSES.node);
    }
    const node = new Node(props, inNamespaces ? await namespaceSettings() : await loopbackSettings());
    try {
      await node.bringUp();
    } catch (error) {
      await node.stop();
      const { message } = error as Error;
      const logs = message.includes(node.logDir) ? "" : ` (logs: ${node.logDir})`;
      throw new Error(`the node did not come up: ${message}${logs}`, { cause: error });
    }
    return node;
  }

  /** How much of a Kubernetes this is. */
  public readonly level: Level;
  /** Folder with the logs of every part and pod. */
  public readonly logDir: string;
  /** Host, with a port unless it is 443, as GKE gives a cluster's endpoint. */
  public readonly endpoint: string;
  /** Token of the administrator. */
  public readonly adminToken: string;
  /** Talks to the API server as the rehearsal's own user. */
  public client!: KubeClient;
  /** Kubeconfig of the administrator. */
  public kubeconfigPath!: string;

  private readonly supervisor: Supervisor;
  private readonly controlPlane: ControlPlane;
  private readonly nameServer: NameServer | undefined;
  private readonly tokens: ReadonlyMap<string, string>;
  private host: ContainerHost | undefined;
  private admission: RequestScaling | undefined;

  private constructor(
    private readonly props: NodeProps,
    private readonly settings: Settings,
  ) {
    this.level = props.run.level;
    this.logDir = props.run.logDir;
    this.adminToken = randomToken();
    this.tokens = new Map(PROGRAM_USERS.map(({ name }) => [name, randomToken()]));
    this.supervisor = new Supervisor(props.run.logDir);
    this.controlPlane = new ControlPlane({
      ...settings,
      cache: props.cache,
      supervisor: this.supervisor,
      users: [
        { token: this.adminToken, name: ADMINISTRATOR, groups: ADMINISTRATORS },
        ...PROGRAM_USERS.map((user) => ({ ...user, token: this.tokenOf(user.name) })),
        ...(props.users ?? []),
      ],
    });
    this.nameServer = settings.temporary ? undefined : new NameServer(settings.stateDir, props.hosts ?? {});
    this.endpoint = settings.apiPort === 443 ? settings.address : `${settings.address}:${settings.apiPort}`;
  }

  /** Certificate of the authority that signed the API server's, as PEM. */
  public get caPem(): string {
    return this.controlPlane.caPem;
  }

  /** Runs the kubectl of the node's own version and returns what it printed. */
  public async kubectl(args: readonly string[], options: KubectlOptions = {}): Promise<string> {
    this.supervisor.throwIfCrashed();
    const kubeconfig = this.kubeconfigFor(options.token ?? this.tokenOf("rehearsal:node"));
    const kubectl = this.props.cache.program("kubectl");
    return runCommand(kubectl, [`--kubeconfig=${kubeconfig}`, ...args], { input: options.input });
  }

  /** Writes a kubeconfig for a token, which among arguments would show up in error messages; returns its path. */
  public kubeconfigFor(token: string): string {
    return this.controlPlane.writeKubeconfig(`kubectl-${keyOf(token)}`, token);
  }

  /** Talks to the API server as whoever a token belongs to. */
  public clientFor(token: string): KubeClient {
    return new KubeClient(this.controlPlane.url, this.caPem, token);
  }

  /** Makes the node's DNS answer more names; without a DNS of its own (level control-plane) it does nothing. */
  public addHosts(hosts: Readonly<Record<string, string>>): void {
    this.nameServer?.addHosts(hosts);
  }

  /** Takes the API server away for a while; everything else stays up and has to cope. */
  public async restartApiServer(downMs = 0): Promise<void> {
    await this.controlPlane.stopApiServer();
    await sleep(downMs);
    this.controlPlane.startApiServer();
    await this.waitForApiServer();
  }

  /** Lets the operator of the GKE add-on appear, its custom resource definitions after a delay. */
  public startOperator(options: { readonly crdDelayMs?: number } = {}): HostedOperator {
    const user = "rehearsal:kuberay-operator";
    const token = this.tokenOf(user);
    return new HostedOperator({
      cache: this.props.cache,
      supervisor: this.supervisor,
      client: this.client,
      kubeconfig: this.controlPlane.writeKubeconfig("kuberay-operator", token),
      crdDelayMs: options.crdDelayMs ?? 0,
      kubectl: (args) => this.kubectl(args, { token }),
    });
  }

  /**
   * Lets Google's Cloud Storage FUSE driver appear on the node.
   *
   * @throws at a level without pods
   */
  public startFuseDriver(podToken: PodToken): FuseDriver {
    if (this.host === undefined) throw new Error("there is no node to mount anything on");
    const { supervisor, client } = this;
    const { kubeletFolder } = this.host;
    return new FuseDriver({ cache: this.props.cache, supervisor, client, kubeletFolder, podToken });
  }

  /** Every request so far, without the reading of the node's own programs. */
  public auditEvents(): AuditEvent[] {
    return readAuditLog(this.controlPlane.auditLog);
  }

  /** The running pod that has this address, or undefined. */
  public async podForIp(address: string): Promise<PodIdentity | undefined> {
    const path = `/api/v1/pods?fieldSelector=status.podIP=${encodeURIComponent(address)}`;
    // A container may speak before the kubelet has reported its pod's address.
    for (let attempt = 1; attempt <= 20; attempt++) {
      const pods = (await this.client.list(path)).filter(isActive);
      if (pods.length === 1) {
        const { metadata, spec } = pods[0];
        return {
          namespace: metadata.namespace ?? "",
          name: metadata.name,
          uid: metadata.uid ?? "",
          serviceAccountName: spec.serviceAccountName,
        };
      }
      await sleep(100);
    }
    return undefined;
  }

  /** Adds the images of a docker-archive file, until the end of the run. */
  public async importImages(archive: string): Promise<void> {
    await this.host?.importImages(archive);
  }

  /** @throws when a part of the node has died; the message names it and the folder of the logs */
  public throwIfCrashed(): void {
    this.supervisor.throwIfCrashed();
  }

  /** Waits until a condition holds, and gives up early when a part of the node dies. */
  public async waitFor(what: string, timeoutMs: number, probe: () => Promise<boolean>): Promise<void> {
    await this.supervisor.waitFor(what, timeoutMs, probe);
  }

  /** Ends every part and every pod. What the namespaces hold besides goes when the command ends. */
  public async stop(): Promise<void> {
    await this.supervisor.stopAll();
    this.admission?.stop();
    this.client?.close();
    if (this.host !== undefined) {
      killControlGroup(this.props.run.controlGroup);
    }
    if (this.settings.temporary) {
      rmSync(this.settings.stateDir, { recursive: true, force: true });
    }
  }

  private async bringUp(): Promise<void> {
    const { cache, run } = this.props;
    if (this.level === "node") {
      await coverSystemFolders([cache.root, process.cwd(), tmpdir()]);
      this.host = new ContainerHost({
        cache,
        supervisor: this.supervisor,
        stateDir: this.settings.stateDir,
        controlGroup: run.controlGroup,
        authorityCertificate: this.controlPlane.authority.certificate,
        labels: GKE_LABELS,
      });
    }
    await Promise.all([this.startControlPlane(), this.host?.startContainerd()]);
    this.nameServer?.start(cache, this.supervisor, this.kubeconfigOf("rehearsal:coredns"));
    this.host?.startKubelet(this.kubeconfigOf(`system:node:${NODE_NAME}`));
    this.host?.startKubeProxy(this.kubeconfigOf("system:kube-proxy"));
    await Promise.all([
      this.waitForDefaultNamespace(),
      this.waitForNameServer(),
      ...(this.host === undefined ? [] : [this.waitForNode(), this.startNetworkPolicies()]),
    ]);
  }

  private async startControlPlane(): Promise<void> {
    await this.controlPlane.start();
    const { address } = this.settings;
    const certificate = await this.controlPlane.issueServerCertificate("request-scaling", [address]);
    this.admission = await RequestScaling.start(address, certificate, REQUEST_SCALE);
    this.kubeconfigPath = this.controlPlane.writeKubeconfig("admin", this.adminToken);
    this.client = new KubeClient(this.controlPlane.url, this.caPem, this.tokenOf("rehearsal:node"));
    await this.waitForApiServer();
    this.controlPlane.startControllers(
      this.kubeconfigOf("system:kube-controller-manager"),
      this.kubeconfigOf("system:kube-scheduler"),
    );
    await this.admission.register(this.client, this.caPem);
  }

  private async waitForApiServer(): Promise<void> {
    await this.supervisor.waitFor("the API server's readiness", 60_000, async () => {
      return (await this.client.getText("/readyz")) === "ok";
    });
  }

  /** Pods of the default namespace need its service account and the certificate that goes with it. */
  private async waitForDefaultNamespace(): Promise<void> {
    const namespace = "/api/v1/namespaces/default";
    await this.supervisor.waitFor("the default service account", 30_000, async () => {
      await this.client.get(`${namespace}/serviceaccounts/default`);
      await this.client.get(`${namespace}/configmaps/kube-root-ca.crt`);
      return true;
    });
  }

  private async waitForNameServer(): Promise<void> {
    const nameServer = this.nameServer;
    if (nameServer !== undefined) {
      await this.supervisor.waitFor("the DNS server's readiness", 30_000, () => nameServer.isReady());
    }
  }

  private async waitForNode(): Promise<void> {
    await this.supervisor.waitFor("the node's readiness", 60_000, async () => {
      const { status, spec } = await this.client.get(`/api/v1/nodes/${NODE_NAME}`);
      const conditions: { type: string; status: string }[] = status.conditions ?? [];
      const ready = conditions.some(({ type, status: value }) => type === "Ready" && value === "True");
      return ready && (spec?.taints ?? []).length === 0;
    });
  }

  /** The engine looks its node up when it starts, so the kubelet has to have registered it. */
  private async startNetworkPolicies(): Promise<void> {
    await this.supervisor.waitFor("the node's registration", 60_000, async () => {
      await this.client.get(`/api/v1/nodes/${NODE_NAME}`);
      return true;
    });
    const { cache } = this.props;
    await startNetworkPolicies(cache, this.supervisor, this.kubeconfigOf("rehearsal:kube-router"));
  }

  private kubeconfigOf(user: string): string {
    return this.controlPlane.writeKubeconfig(user.replaceAll(":", "-"), this.tokenOf(user));
  }

  private tokenOf(user: string): string {
    return this.tokens.get(user) ?? "";
  }
}

interface Settings {
  readonly stateDir: string;
  readonly address: string;
  readonly apiPort: number;
  readonly etcdPort: number;
  readonly etcdPeerPort: number;
  /** Whether the state lies on disk and has to be removed. */
  readonly temporary: boolean;
}

async function namespaceSettings(): Promise<Settings> {
  return {
    stateDir: STATE_FOLDER,
    address: ADDRESSES.node,
    apiPort: 443,
    etcdPort: 2379,
    etcdPeerPort: 2380,
    temporary: false,
  };
}

async function loopbackSettings(): Promise<Settings> {
  const [apiPort, etcdPort, etcdPeerPort] = [await freePort(), await freePort(), await freePort()];
  const stateDir = mkdtempSync(join(tmpdir(), "cdktf-gke-ray-"));
  return { stateDir, address: "127.0.0.1", apiPort, etcdPort, etcdPeerPort, temporary: true };
}

function isActive(pod: KubeObject): boolean {
  return !["Succeeded", "Failed"].includes(pod.status?.phase);
}

function randomToken(): string {
  return randomBytes(24).toString("hex");
}
