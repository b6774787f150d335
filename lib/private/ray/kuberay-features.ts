import type { IConstruct } from "constructs";
import type { IKubeRayOperator } from "../../contracts/kuberay-operator";
import { invalid } from "../validation";
import { isAtLeast } from "./versions";

/**
 * The first version of KubeRay that has each feature.
 *
 * https://github.com/ray-project/kuberay/releases
 */
const SINCE = {
  gcsFaultToleranceOptions: "1.3.0",
  autoscalerVersion: "1.4.0",
  authOptions: "1.5.1",
  authSecret: "1.6.0",
  k8sTokenAuth: "1.6.0",
  recreateUpgrade: "1.6.0",
  probesOfAnyPort: "1.6.0",
};

export type KubeRayFeature = keyof typeof SINCE;

/** Whether a version of KubeRay is known to have a feature. */
export function hasFeature(kuberayVersion: string | undefined, feature: KubeRayFeature): boolean {
  return isAtLeast(kuberayVersion, SINCE[feature]);
}

/** What is asked of an operator. */
export interface KubeRayDemand {
  readonly feature: KubeRayFeature;
  /** What the property must not be without the feature, `given` by default. */
  readonly value?: string;
  /** Another way that needs no such version, in the words of an error. */
  readonly otherwise?: string;
}

/** @throws if the operator's version is too old for what a property asks for, or is not known */
export function requireFeature(
  scope: IConstruct,
  property: string,
  { kuberayVersion, node }: IKubeRayOperator,
  { feature, value = "given", otherwise }: KubeRayDemand,
): void {
  if (hasFeature(kuberayVersion, feature)) return;
  const state = `state 'kuberayVersion' at ${node.path} if it has that`;
  const advice = otherwise === undefined ? state : `${state}, or ${otherwise}`;
  throw invalid(
    scope,
    property,
    `not be ${value} with an operator whose KubeRay version is ${kuberayVersion ?? "not known"}: it needs ${SINCE[feature]} (${advice})`,
  );
}
