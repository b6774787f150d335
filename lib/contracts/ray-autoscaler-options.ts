/** The two autoscalers of Ray. */
export enum RayAutoscalerVersion {
  /** The one that has been there from the start. */
  V1 = "v1",
  /** The second autoscaler. The operator replaces a pod whose container has ended (`restartPolicy: Never`). */
  V2 = "v2",
}

/** Speed at which the number of workers grows. */
export enum RayUpscalingMode {
  /** At most as many workers are pending as the Ray cluster is large. */
  CONSERVATIVE = "Conservative",
  /** All pending workers at once, as fast as nodes come. */
  DEFAULT = "Default",
}

/**
 * Settings of Ray's autoscaler, which runs beside the head.
 *
 * https://docs.ray.io/en/latest/cluster/kubernetes/user-guides/configuring-autoscaling.html
 */
export interface RayAutoscalerOptions {
  /**
   * Which of Ray's autoscalers runs. V2 needs KubeRay 1.4 or newer, and any other needs nothing.
   * @default - Ray's: V2 from Ray 2.47 on
   */
  readonly version?: RayAutoscalerVersion;
  /**
   * Seconds that a worker is idle before it ends.
   * @default 60
   */
  readonly idleTimeoutSeconds?: number;
  /** @default RayUpscalingMode.DEFAULT */
  readonly upscalingMode?: RayUpscalingMode;
  /**
   * CPUs of the autoscaler's container: request and limit.
   * @default 0.5
   */
  readonly cpu?: number;
  /**
   * Memory of the autoscaler's container in GiB: request and limit.
   * @default 0.5
   */
  readonly memoryGiB?: number;
}
