import type { IRayCluster } from "./ray-cluster";

/** Properties of `RayAutoscalerPolicy`. */
export interface RayAutoscalerPolicyProps {
  /** The Ray cluster whose autoscaler is bounded; created here or by other means. */
  readonly rayCluster: IRayCluster;
}
