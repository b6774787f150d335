import { ITerraformDependable } from "cdktf";
import { Construct } from "constructs";
import type { IGkeWorkloadIdentityCluster } from "../../contracts/gke-workload-identity-cluster";
import type { RayAuthOptions } from "../../contracts/ray-auth-options";
import type { IRayCluster, RayClusterAttributes } from "../../contracts/ray-cluster";
import type { RayNetworkPeer } from "../../contracts/ray-network-peer";
import { RayPods } from "../../contracts/ray-pods";
import { lateNamespace } from "../terraform/namespaces";
import { claimNamespace, NamespacePurpose } from "../terraform/namespace-purposes";
import {
  DNS_LABEL,
  DNS_SUBDOMAIN,
  KUBERAY_VERSION,
  RAY_CLUSTER_NAME,
  RAY_VERSION,
  requireName,
} from "../validation";
import { RayNetworkPolicy, requireNetworkPeer, requireNetworkPolicy } from "./network-policy";
import { ADDON_OPERATOR_PEER, chartOperatorPeer } from "./operator-peers";
import { refuseOperatorsRoleName } from "./operator-role";

/** A Ray cluster that is deployed by other means: features hand out what belongs into its manifest. */
export class ImportedRayCluster extends Construct implements IRayCluster {
  public readonly cluster: IGkeWorkloadIdentityCluster;
  public readonly namespace: string;
  public readonly rayClusterName: string;
  public readonly headServiceAccountName: string;
  public readonly kuberayVersion?: string;
  public readonly rayVersion?: string;
  public readonly authOptions?: RayAuthOptions;
  public readonly namespaceDependencies: ITerraformDependable[];
  public readonly networkPolicy: boolean;
  public readonly head = new RayPods(this, "head");
  public readonly workers = new RayPods(this, "workers");
  private readonly operatorPeer: RayNetworkPeer;
  private policy?: RayNetworkPolicy;

  constructor(scope: Construct, id: string, attributes: RayClusterAttributes) {
    super(scope, id);
    requireName(this, "rayClusterName", attributes.rayClusterName, RAY_CLUSTER_NAME);
    requireName(this, "namespace", attributes.namespace, DNS_LABEL);
    requireName(this, "headServiceAccountName", attributes.headServiceAccountName, DNS_SUBDOMAIN);
    requireName(this, "kuberayVersion", attributes.kuberayVersion, KUBERAY_VERSION);
    requireName(this, "rayVersion", attributes.rayVersion, RAY_VERSION);
    this.cluster = attributes.cluster;
    this.namespace = attributes.namespace;
    claimNamespace(this, {
      namespace: this.namespace,
      purpose: NamespacePurpose.RAY,
      property: "namespace",
      provider: () => this.cluster.kubernetesProvider,
    });
    this.rayClusterName = attributes.rayClusterName;
    this.headServiceAccountName = attributes.headServiceAccountName;
    this.kuberayVersion = attributes.kuberayVersion;
    this.rayVersion = attributes.rayVersion;
    this.authOptions = attributes.authOptions;
    this.networkPolicy = attributes.networkPolicy ?? true;
    this.operatorPeer =
      attributes.operatorNetworkPeer ??
      (this.cluster.rayOperatorAddon ? ADDON_OPERATOR_PEER : chartOperatorPeer());
    requireNetworkPeer(this, "operatorNetworkPeer", this.operatorPeer);
    refuseOperatorsRoleName(this);
    this.namespaceDependencies = attributes.namespaceDependencies ?? [
      ...attributes.cluster.kubernetesDependencies,
      lateNamespace(this, this.namespace, () => this.cluster.kubernetesProvider),
    ];
  }

  public allowFrom(peer: RayNetworkPeer): void {
    requireNetworkPolicy(this);
    requireNetworkPeer(this, "peer", peer);
    this.policy ??= this.createNetworkPolicy();
    this.policy.allow(peer);
  }

  private createNetworkPolicy(): RayNetworkPolicy {
    const policy = new RayNetworkPolicy(this, "network-policy", {
      cluster: this.cluster,
      namespace: this.namespace,
      rayClusterName: this.rayClusterName,
      operatorPeer: this.operatorPeer,
      peers: [],
      dependencies: this.namespaceDependencies,
    });
    this.head.addDependency(policy);
    return policy;
  }
}
