import { ITerraformDependable } from "cdktf";
import { Construct } from "constructs";
import type { IGkeWorkloadIdentityCluster } from "../../contracts/gke-workload-identity-cluster";
import type { IRayCluster } from "../../contracts/ray-cluster";
import type { RayNetworkPeer } from "../../contracts/ray-network-peer";
import { requireCidrBlock } from "../gke/google-formats";
import { requireLabels } from "../kubernetes/labels";
import { PlainAttributes, PlainResource } from "../terraform/plain-elements";
import { DNS_LABEL, invalid, requireInteger, requireName } from "../validation";

const DASHBOARD_PORT = 8265;

export interface RayNetworkPolicyProps {
  readonly cluster: IGkeWorkloadIdentityCluster;
  readonly namespace: string;
  readonly rayClusterName: string;
  readonly operatorPeer: RayNetworkPeer;
  readonly peers: RayNetworkPeer[];
  readonly dependencies: ITerraformDependable[];
}

/** Lets the Ray cluster's own pods and the operator in on every port, chosen peers on theirs, and nobody else. */
export class RayNetworkPolicy extends PlainResource {
  private readonly allowed: RayNetworkPeer[];

  constructor(
    scope: Construct,
    id: string,
    private readonly props: RayNetworkPolicyProps,
  ) {
    super(scope, id, "kubernetes_network_policy_v1", {
      ...policyOf(props, props.peers),
      dependsOn: props.dependencies,
      provider: props.cluster.kubernetesProvider,
    });
    this.allowed = [...props.peers];
  }

  public allow(peer: RayNetworkPeer): void {
    this.allowed.push(peer);
    this.put(policyOf(this.props, this.allowed));
  }
}

function policyOf(
  { rayClusterName, namespace, operatorPeer }: RayNetworkPolicyProps,
  peers: readonly RayNetworkPeer[],
): PlainAttributes {
  const ownPods = { matchLabels: { "ray.io/cluster": rayClusterName } };
  return {
    metadata: { name: `${rayClusterName}-ray`, namespace },
    spec: {
      podSelector: ownPods,
      policyTypes: ["Ingress"],
      ingress: [
        { from: [{ podSelector: ownPods }, peerSelector(operatorPeer)] },
        ...peers.map((peer) => ({
          from: [peerSelector(peer)],
          ports: (peer.ports ?? [DASHBOARD_PORT]).map((port) => ({ port: `${port}`, protocol: "TCP" })),
        })),
      ],
    },
  };
}

/** @throws if the network policy of a Ray cluster is not made by this library */
export function requireNetworkPolicy(rayCluster: IRayCluster): void {
  if (rayCluster.networkPolicy) return;
  throw invalid(rayCluster, "networkPolicy", "be on to let only chosen peers in", false);
}

/** @throws if the peer names both pods and an address range, or neither a port nor a name that can be */
export function requireNetworkPeer(scope: Construct, property: string, peer: RayNetworkPeer): void {
  requireName(scope, `${property}.namespace`, peer.namespace, DNS_LABEL);
  if (peer.cidrBlock !== undefined) requireCidrBlock(scope, `${property}.cidrBlock`, peer.cidrBlock);
  requireLabels(scope, `${property}.podLabels`, peer.podLabels);
  if (
    peer.podLabels !== undefined &&
    Object.keys(peer.podLabels).length === 0 &&
    peer.namespace === undefined
  ) {
    const rule = "name at least one label: without any it would be every pod of the Ray cluster's namespace";
    throw invalid(scope, `${property}.podLabels`, rule, peer.podLabels);
  }
  if (peer.cidrBlock !== undefined && (peer.namespace ?? peer.podLabels) !== undefined) {
    throw invalid(
      scope,
      `${property}.cidrBlock`,
      "not be given together with 'namespace' or 'podLabels'",
      peer.cidrBlock,
    );
  }
  if (peer.cidrBlock === undefined && peer.namespace === undefined && peer.podLabels === undefined) {
    throw invalid(scope, property, "have 'namespace', 'podLabels' or 'cidrBlock'", peer);
  }
  if (peer.ports?.length === 0)
    throw invalid(scope, `${property}.ports`, "name at least one port", peer.ports);
  peer.ports?.forEach((port, index) => requireInteger(scope, `${property}.ports[${index}]`, port, 1, 65535));
}

function peerSelector(peer: RayNetworkPeer) {
  if (peer.cidrBlock !== undefined) return { ipBlock: { cidr: peer.cidrBlock } };
  return {
    namespaceSelector: peer.namespace
      ? { matchLabels: { "kubernetes.io/metadata.name": peer.namespace } }
      : undefined,
    podSelector: peer.podLabels ? { matchLabels: peer.podLabels } : undefined,
  };
}
