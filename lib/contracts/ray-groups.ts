/** Lets pods run on nodes with a taint. https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/ */
export interface RayToleration {
  /** @default - every key */
  readonly key?: string;
  /**
   * `Equal` or `Exists`.
   * @default Equal
   */
  readonly operator?: string;
  /** @default - none */
  readonly value?: string;
  /**
   * `NoSchedule`, `PreferNoSchedule` or `NoExecute`.
   * @default - every effect
   */
  readonly effect?: string;
}

/**
 * A rule by which the pods of a group are spread evenly.
 * https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/
 */
export interface RayTopologySpreadConstraint {
  /** Label of the nodes that tells places apart, for example `topology.kubernetes.io/zone`. */
  readonly topologyKey: string;
  /**
   * The number of pods by which two places may differ.
   * @default 1
   */
  readonly maxSkew?: number;
  /**
   * `DoNotSchedule` or `ScheduleAnyway`.
   * @default DoNotSchedule
   */
  readonly whenUnsatisfiable?: string;
}

/** Properties of the head group and of worker groups. */
export interface RayGroup {
  /** CPUs of a pod: request and limit. */
  readonly cpu: number;
  /** Memory of a pod in GiB: request and limit. At least 2. */
  readonly memoryGiB: number;
  /** @default - the official image of the cluster's Ray version */
  readonly image?: string;
  /**
   * Environment of the Ray container.
   * @default - none
   */
  readonly env?: { [name: string]: string };
  /**
   * Labels on the pods.
   * @default - none
   */
  readonly labels?: { [name: string]: string };
  /**
   * Annotations on the pods.
   * @default - none
   */
  readonly annotations?: { [name: string]: string };
  /**
   * Labels that a node must have.
   * @default - any node with Workload Identity
   */
  readonly nodeSelector?: { [name: string]: string };
  /** @default - none */
  readonly tolerations?: RayToleration[];
  /**
   * Run on spot machines, and only there: far cheaper, and taken away with 30 seconds' notice.
   * @default - the head runs on other machines, unless its `nodeSelector` or `tolerations` name spot nodes; workers wherever no
   * taint keeps them off
   */
  readonly spot?: boolean;
  /**
   * CPUs that Ray counts on for tasks and actors; 0 keeps those away that ask for any. Ray's `num-cpus`.
   * @default - `cpu`, rounded up
   */
  readonly numCpus?: number;
  /**
   * Resources of your own that each pod has for tasks and actors, in whole numbers. Ray's `resources`.
   * https://docs.ray.io/en/latest/ray-core/scheduling/resources.html#custom-resources
   * @default - none
   */
  readonly customResources?: { [name: string]: number };
  /**
   * Parameters of `ray start`, without the dashes.
   * @default - KubeRay's
   */
  readonly rayStartParams?: { [name: string]: string };
  /**
   * Name of a PriorityClass that exists.
   * https://kubernetes.io/docs/concepts/scheduling-eviction/pod-priority-preemption/
   * @default - the cluster's default priority
   */
  readonly priorityClassName?: string;
  /** @default - none: the scheduler chooses the nodes */
  readonly topologySpreadConstraints?: RayTopologySpreadConstraint[];
}

/** Worker pods of one kind. */
export interface RayWorkerGroup extends RayGroup {
  /** Unique in the Ray cluster. */
  readonly groupName: string;
  /**
   * Fewest workers.
   * @default 0
   */
  readonly minReplicas?: number;
  /**
   * Most workers. Where it is more than `minReplicas`, Ray's autoscaler decides between the two. A TPU slice of several hosts
   * counts as one.
   */
  readonly maxReplicas: number;
  /**
   * GPU type of the nodes, for example `nvidia-l4`.
   * https://cloud.google.com/kubernetes-engine/docs/how-to/gpus
   * @default - no GPU
   */
  readonly acceleratorType?: string;
  /**
   * GPUs of a pod.
   * @default 1
   */
  readonly acceleratorCount?: number;
  /**
   * TPU type of the nodes, for example `tpu-v6e-slice`.
   * https://cloud.google.com/kubernetes-engine/docs/concepts/plan-tpus
   * @default - no TPU
   */
  readonly tpuAccelerator?: string;
  /**
   * Topology of a TPU slice, for example `4x4`. A slice of more chips than a host has is one replica of several pods, for
   * which the cluster needs the Ray Operator add-on.
   * @default - required with `tpuAccelerator`
   */
  readonly tpuTopology?: string;
  /**
   * TPU chips of a pod: all that its host has.
   * @default - 4, or all chips of a smaller slice
   */
  readonly tpuChips?: number;
}
