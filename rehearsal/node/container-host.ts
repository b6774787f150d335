import { copyFileSync, existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ToolCache } from "../tools/cache";
import { PAUSE_IMAGE } from "../tools/images";
import { runCommand } from "../tools/command";
import { createControlGroup } from "./cgroups";
import { bind, mountOverlay } from "./mounts";
import { ADDRESSES, allowForwarding, POD_RANGE } from "./network";
import type { Supervisor } from "./supervisor";

/** The API server finds the kubelet under this name, so exec, logs and port-forward need no DNS. */
export const NODE_NAME = "localhost";

const CONTENT = "io.containerd.content.v1.content";
const METADATA = "io.containerd.metadata.v1.bolt";
const SNAPSHOTS = "io.containerd.snapshotter.v1.overlayfs";

export interface ContainerHostProps {
  readonly cache: ToolCache;
  readonly supervisor: Supervisor;
  readonly stateDir: string;
  readonly controlGroup: string;
  readonly authorityCertificate: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** What makes a machine a node: containerd with its images, the kubelet and kube-proxy. */
export class ContainerHost {
  private readonly socket: string;

  constructor(private readonly props: ContainerHostProps) {
    this.socket = this.path("containerd.sock");
  }

  /** Where the kubelet keeps its pods' volumes and finds its plugins. */
  public get kubeletFolder(): string {
    return this.path("kubelet");
  }

  public async startContainerd(): Promise<void> {
    const root = this.path("containerd");
    await this.openImageStore(root);
    this.writeNetworkConfig();
    writeFileSync(this.path("containerd.toml"), this.containerdConfig(root));
    this.props.supervisor.start("containerd", "containerd", ["--config", this.path("containerd.toml")]);
    await this.props.supervisor.waitFor("containerd's socket", 10_000, async () => existsSync(this.socket));
  }

  public startKubelet(kubeconfig: string): void {
    const { cache, supervisor, controlGroup, labels } = this.props;
    createControlGroup(controlGroup);
    allowForwarding();
    writeFileSync(this.path("kubelet.json"), JSON.stringify(this.kubeletConfig()));
    supervisor.start("kubelet", cache.program("kubelet"), [
      `--config=${this.path("kubelet.json")}`,
      `--kubeconfig=${kubeconfig}`,
      `--hostname-override=${NODE_NAME}`,
      `--node-ip=${ADDRESSES.node}`,
      `--node-labels=${Object.entries(labels)
        .map(([name, value]) => `${name}=${value}`)
        .join(",")}`,
      `--root-dir=${this.kubeletFolder}`,
      `--cert-dir=${this.path("kubelet-certificates")}`,
    ]);
  }

  public startKubeProxy(kubeconfig: string): void {
    const config = {
      apiVersion: "kubeproxy.config.k8s.io/v1alpha1",
      kind: "KubeProxyConfiguration",
      mode: "iptables",
      clusterCIDR: POD_RANGE,
      hostnameOverride: NODE_NAME,
      clientConnection: { kubeconfig },
      // These are settings of the whole machine, not of the namespace.
      conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: "0s", tcpCloseWaitTimeout: "0s" },
      iptables: { minSyncPeriod: "100ms" },
    };
    writeFileSync(this.path("kube-proxy.json"), JSON.stringify(config));
    const { cache, supervisor } = this.props;
    supervisor.start("kube-proxy", cache.program("kube-proxy"), [`--config=${this.path("kube-proxy.json")}`]);
  }

  /** Adds the images of a docker-archive file for this run only. */
  public async importImages(archive: string): Promise<void> {
    const address = ["--address", this.socket, "--namespace", "k8s.io"];
    await runCommand("ctr", [...address, "images", "import", archive]);
  }

  /**
   * The store in the cache is only ever read: its small databases are copied, its layers show through, and
   * what this run adds goes to memory. So runs may overlap, and a killed one spoils nothing.
   */
  private async openImageStore(root: string): Promise<void> {
    const store = this.props.cache.imageStore;
    for (const file of [join(METADATA, "meta.db"), join(SNAPSHOTS, "metadata.db")]) {
      mkdirSync(join(root, file, ".."), { recursive: true });
      copyFileSync(join(store, file), join(root, file));
    }
    const [upper, work] = [this.path("content-upper"), this.path("content-work")];
    [upper, work, join(root, CONTENT)].forEach((folder) => mkdirSync(folder, { recursive: true }));
    await mountOverlay(join(root, CONTENT), [join(store, CONTENT)], upper, work);
    for (const snapshot of readdirSync(join(store, SNAPSHOTS, "snapshots"))) {
      const target = join(root, SNAPSHOTS, "snapshots", snapshot);
      mkdirSync(target, { recursive: true });
      await bind(join(store, SNAPSHOTS, "snapshots", snapshot), target);
    }
  }

  private containerdConfig(root: string): string {
    const cri = 'plugins."io.containerd.grpc.v1.cri"';
    // A process in a namespace may not lower its out-of-memory score; without restrict_oom_score_adj
    // every sandbox fails with "can't get final child's PID from pipe: EOF".
    return `version = 2
root = "${root}"
state = "${this.path("containerd-state")}"
disabled_plugins = ["io.containerd.internal.v1.opt"]
[grpc]
address = "${this.socket}"
[${cri}]
sandbox_image = "${PAUSE_IMAGE}"
restrict_oom_score_adj = true
stream_server_address = "127.0.0.1"
[${cri}.cni]
bin_dir = "/usr/lib/cni"
conf_dir = "${this.path("cni")}"
[${cri}.containerd]
snapshotter = "overlayfs"
default_runtime_name = "runc"
[${cri}.containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[${cri}.containerd.runtimes.runc.options]
SystemdCgroup = false
`;
  }

  /** One pair of interfaces a pod and no bridge, as in GKE: all traffic passes the node's own routing. */
  private writeNetworkConfig(): void {
    const config = {
      cniVersion: "0.4.0",
      name: "rehearsal",
      plugins: [
        {
          type: "ptp",
          ipam: {
            type: "host-local",
            dataDir: this.path("cni-addresses"),
            ranges: [[{ subnet: POD_RANGE }]],
            routes: [{ dst: "0.0.0.0/0" }],
          },
        },
      ],
    };
    mkdirSync(this.path("cni"), { recursive: true });
    writeFileSync(this.path("cni/rehearsal.conflist"), JSON.stringify(config));
  }

  private kubeletConfig(): object {
    return {
      apiVersion: "kubelet.config.k8s.io/v1beta1",
      kind: "KubeletConfiguration",
      address: "127.0.0.1",
      authentication: {
        anonymous: { enabled: false },
        webhook: { enabled: false },
        x509: { clientCAFile: this.props.authorityCertificate },
      },
      authorization: { mode: "AlwaysAllow" },
      cgroupDriver: "cgroupfs",
      cgroupRoot: `/${this.props.controlGroup}`,
      failCgroupV1: false,
      enforceNodeAllocatable: [],
      localStorageCapacityIsolation: false,
      failSwapOn: false,
      oomScoreAdj: 0,
      containerRuntimeEndpoint: `unix://${this.socket}`,
      clusterDNS: [ADDRESSES.node],
      clusterDomain: "cluster.local",
      podLogsDir: join(this.props.supervisor.logDir, "pods"),
      volumePluginDir: this.path("volume-plugins"),
      // The images are shared with other runs and the disk is not the node's: never free space.
      imageGCHighThresholdPercent: 100,
      evictionHard: { "memory.available": "0%", "nodefs.available": "0%", "imagefs.available": "0%" },
      maxPods: 500,
      serializeImagePulls: false,
    };
  }

  private path(name: string): string {
    return join(this.props.stateDir, name);
  }
}
