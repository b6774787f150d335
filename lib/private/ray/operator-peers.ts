import type { RayNetworkPeer } from "../../contracts/ray-network-peer";

/** The add-on's operator runs in Google's control plane, which reaches pods through the konnectivity agents. */
export const ADDON_OPERATOR_PEER: RayNetworkPeer = {
  namespace: "kube-system",
  podLabels: { "k8s-app": "konnectivity-agent" },
};

/** The operator of the upstream chart. */
export function chartOperatorPeer(namespace: string = "kuberay-operator"): RayNetworkPeer {
  return { namespace, podLabels: { "app.kubernetes.io/name": "kuberay-operator" } };
}
