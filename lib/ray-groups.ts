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

/** What the head group and a worker group have in common. */
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
   * Parameters of `ray start`, without the dashes.
   * @default - KubeRay's
   */
  readonly rayStartParams?: { [name: string]: string };
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
   * Most workers. Where it is more than `minReplicas`, Ray's autoscaler decides between the two.
   */
  readonly maxReplicas: number;
}
