/** The effect of a taint on pods that do not tolerate it. */
export enum GkeTaintEffect {
  /** They are not put on the node. */
  NO_SCHEDULE = "NO_SCHEDULE",
  /** They are put on the node where nothing else is free. */
  PREFER_NO_SCHEDULE = "PREFER_NO_SCHEDULE",
  /** They are not put on the node, and those that run there are ended. */
  NO_EXECUTE = "NO_EXECUTE",
}

/** A taint on every node of a pool. */
export interface GkeTaint {
  /** The key that pods tolerate, for example `team`. */
  readonly key: string;
  /** For example `research`. */
  readonly value: string;
  /** The effect on pods that do not tolerate it. */
  readonly effect: GkeTaintEffect;
}

/** Which NVIDIA driver GKE installs on the nodes. */
export enum GkeGpuDriverVersion {
  /** The default version of the node's GKE version. */
  DEFAULT = "DEFAULT",
  /** The latest that the GKE version offers. */
  LATEST = "LATEST",
  /** None: you install one. */
  INSTALLATION_DISABLED = "INSTALLATION_DISABLED",
}

/** In which zones the autoscaler adds nodes. */
export enum GkeLocationPolicy {
  /** The same number in each zone, as far as machines are available. */
  BALANCED = "BALANCED",
  /** Zones with available machines: unused reservations come first, and spot nodes go where they last longest. */
  ANY = "ANY",
}

/** Sharing of a GPU between pods. */
export enum GkeGpuSharingStrategy {
  /** They take turns. */
  TIME_SHARING = "TIME_SHARING",
  /** NVIDIA's Multi-Process Service: they run at the same time, each with its part of the memory. */
  MPS = "MPS",
}

/** Several pods share each GPU of a node; each asks for one GPU. */
export interface GkeGpuSharing {
  /** The way of sharing. */
  readonly strategy: GkeGpuSharingStrategy;
  /** Most pods on one GPU, 2 to 48. */
  readonly maxSharedClientsPerGpu: number;
}

/** An upgrade that creates all new nodes first, and deletes the old ones after a time in which you can go back. */
export interface GkeBlueGreenUpgrade {
  /**
   * Nodes that are drained at once.
   * @default 1
   */
  readonly batchNodeCount?: number;
  /**
   * Nodes that are drained at once, in percent of the pool, 1 to 100. Instead of `batchNodeCount`.
   * @default - `batchNodeCount`
   */
  readonly batchPercentage?: number;
  /**
   * Time after each batch, in seconds, 7 days at most.
   * @default 0
   */
  readonly batchSoakSeconds?: number;
  /**
   * Time between the last batch and the deletion of the old nodes, in seconds, 7 days at most.
   * @default 3600
   */
  readonly soakSeconds?: number;
}

/** Upgrade settings of a pool: how GKE replaces its nodes with those of a new version. */
export interface GkeUpgradeSettings {
  /**
   * Nodes that are added for the time of the upgrade. Together with `maxUnavailable` 1 to 20.
   * @default 1
   */
  readonly maxSurge?: number;
  /**
   * Nodes that may be missing during the upgrade.
   * @default 0
   */
  readonly maxUnavailable?: number;
  /**
   * All new nodes first, instead of a few at a time. Needs the quota for twice the nodes.
   * @default - a few at a time
   */
  readonly blueGreen?: GkeBlueGreenUpgrade;
}

/** Nodes of one kind. */
export interface GkeNodePool {
  /** Unique in the cluster. */
  readonly name: string;
  /** For example `e2-standard-8`, or `ct5lp-hightpu-4t` for TPUs. */
  readonly machineType: string;
  /**
   * Fewest nodes in each zone.
   * @default 0
   */
  readonly minNodeCount?: number;
  /** Most nodes in each zone. */
  readonly maxNodeCount: number;
  /**
   * Nodes in each zone when the pool is created; ignored afterwards, when the autoscaler decides.
   * @default - `minNodeCount`
   */
  readonly initialNodeCount?: number;
  /**
   * Zones of this pool.
   * @default - the zones of the cluster
   */
  readonly zones?: string[];
  /**
   * In which zones the autoscaler adds nodes.
   * @default - GkeLocationPolicy.ANY for `spot` and `flexStart`, else GkeLocationPolicy.BALANCED
   */
  readonly locationPolicy?: GkeLocationPolicy;
  /**
   * How GKE replaces the nodes when it upgrades them. It cannot be given with `flexStart`.
   * https://cloud.google.com/kubernetes-engine/docs/concepts/node-pool-upgrade-strategies
   * @default - one new node, then one old one less, and so on
   */
  readonly upgradeSettings?: GkeUpgradeSettings;
  /** @default 100 */
  readonly diskSizeGb?: number;
  /**
   * `pd-standard`, `pd-balanced`, `pd-ssd`, `hyperdisk-balanced`, ...
   * @default - GKE chooses by the machine type
   */
  readonly diskType?: string;
  /**
   * Kubernetes labels on the nodes.
   * @default - none
   */
  readonly labels?: { [name: string]: string };
  /**
   * Labels of the machines and disks in Compute Engine, for example for the bill.
   * @default - those of the cluster
   */
  readonly resourceLabels?: { [name: string]: string };
  /** @default - that of `spot`; GKE taints GPU and TPU nodes by itself */
  readonly taints?: GkeTaint[];
  /**
   * Spot VMs: far cheaper, and taken away with 30 seconds' notice. The nodes have the taint
   * `cloud.google.com/gke-spot=true:NoSchedule`, so that only pods run there that tolerate it: GKE's own pods and a Ray head need
   * a pool without it.
   * https://cloud.google.com/kubernetes-engine/docs/concepts/spot-vms
   * @default false
   */
  readonly spot?: boolean;
  /**
   * Image streaming: containers start before their images are there as a whole. The images must be in Artifact Registry. Taken out
   * again, it stays, because google 6.50 leaves it so: `false` turns it off.
   * https://cloud.google.com/kubernetes-engine/docs/how-to/image-streaming
   * @default - off
   */
  readonly imageStreaming?: boolean;
  /**
   * Local SSDs of each node, for the ephemeral storage of pods. Another number replaces the pool.
   * https://cloud.google.com/kubernetes-engine/docs/how-to/persistent-volumes/local-ssd
   * @default - those that the machine type comes with
   */
  readonly localSsdCount?: number;
  /**
   * Name of a reservation of Compute Engine that the nodes are taken from, and from nowhere else. Not with `spot` or `flexStart`.
   * Another one replaces the pool.
   * @default - none, unless one matches by itself
   */
  readonly reservationName?: string;
  /**
   * The longest time that a node runs, in seconds. GKE deletes it then. Another time replaces the pool.
   * @default - without end, or 7 days with `flexStart`
   */
  readonly maxRunDurationSeconds?: number;
  /**
   * Flex-start: nodes come when there are some, at a lower price, and run for `maxRunDurationSeconds`. The pool starts empty, and
   * GKE repairs none of its nodes. A change replaces the pool.
   * https://cloud.google.com/kubernetes-engine/docs/concepts/dws
   * @default false
   */
  readonly flexStart?: boolean;
  /**
   * GPU type, for example `nvidia-l4`.
   * @default - no GPU
   */
  readonly acceleratorType?: string;
  /**
   * GPUs on each node.
   * @default 1
   */
  readonly acceleratorCount?: number;
  /** @default GkeGpuDriverVersion.DEFAULT */
  readonly gpuDriverVersion?: GkeGpuDriverVersion;
  /**
   * Several pods share each GPU. Needs `acceleratorType`. A change replaces the pool.
   * https://cloud.google.com/kubernetes-engine/docs/concepts/timesharing-gpus
   * @default - a GPU has one pod
   */
  readonly gpuSharing?: GkeGpuSharing;
  /**
   * Topology of a TPU slice of several hosts, for example `4x4`. The pool then has all hosts of the slice or none:
   * `maxNodeCount` is their number.
   * @default - each node is a slice of its own
   */
  readonly tpuTopology?: string;
  /**
   * Name of a workload policy (`google_compute_resource_policy`) of the cluster's region, by which a slice of `tpu7x` machines
   * is placed.
   * @default - the slice is placed compactly, which all other TPUs can be
   */
  readonly placementPolicyName?: string;
}
