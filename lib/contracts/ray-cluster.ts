import { ITerraformDependable } from "cdktf";
import { IConstruct } from "constructs";
import type { IGkeWorkloadIdentityCluster } from "./gke-workload-identity-cluster";
import type { IKubeRayOperator } from "./kuberay-operator";
import type { PodSecurityStandard } from "./pod-security-standard";
import type { RayAuthOptions } from "./ray-auth-options";
import type { RayAutoscalerOptions } from "./ray-autoscaler-options";
import type { RayGcsFaultToleranceOptions } from "./ray-gcs-fault-tolerance-options";
import type { RayGroup, RayWorkerGroup } from "./ray-groups";
import type { RayNetworkPeer } from "./ray-network-peer";
import type { RayPods } from "./ray-pods";
import type { RayReadinessOptions } from "./ray-readiness-options";
import type { IWorkloadIdentity } from "./workload-identity";

/** How running pods follow a change of the Ray cluster. */
export enum RayClusterUpgradeStrategy {
  /** All pods are replaced, running jobs end. Needs KubeRay 1.6. */
  RECREATE = "Recreate",
  /** Running pods stay as they are; only new ones follow the change. */
  NONE = "None",
}

/** A Ray cluster, ours or not, that features can add to until synth. */
export interface IRayCluster extends IConstruct {
  /** The cluster that it runs on. */
  readonly cluster: IGkeWorkloadIdentityCluster;
  /** Its namespace. */
  readonly namespace: string;
  /** Name of the RayCluster object. */
  readonly rayClusterName: string;
  /** Service account of the head pod. */
  readonly headServiceAccountName: string;
  /** Version of KubeRay that runs it; none where it is not known. */
  readonly kuberayVersion?: string;
  /** Version of Ray in its pods; none where it is not known. */
  readonly rayVersion?: string;
  /** Options of Ray's own authentication; none where Ray does not authenticate callers. */
  readonly authOptions?: RayAuthOptions;
  /** Resources that objects in its namespace wait for: the namespace, where the same plan creates it. */
  readonly namespaceDependencies: ITerraformDependable[];
  /** True if this library creates the network policy of the pods, so that `allowFrom` can let somebody in. */
  readonly networkPolicy: boolean;
  /** Additions to the head pod. */
  readonly head: RayPods;
  /** Additions to the pods of every worker group. */
  readonly workers: RayPods;
  /**
   * Lets somebody reach the pods over the network.
   *
   * @throws if `networkPolicy` is false
   */
  allowFrom(peer: RayNetworkPeer): void;
}

/** A Ray cluster that is deployed by other means. */
export interface RayClusterAttributes {
  /** The cluster that it runs on. */
  readonly cluster: IGkeWorkloadIdentityCluster;
  /** Its namespace. */
  readonly namespace: string;
  /** Name of the RayCluster object. */
  readonly rayClusterName: string;
  /** Service account of the head pod. */
  readonly headServiceAccountName: string;
  /** @default - not known */
  readonly kuberayVersion?: string;
  /** @default - not known */
  readonly rayVersion?: string;
  /** @default - Ray does not authenticate callers */
  readonly authOptions?: RayAuthOptions;
  /**
   * Resources that objects in its namespace wait for, such as the namespace where the same stack creates it.
   * @default - the cluster's nodes, and the namespace where another construct of the stack has it created
   */
  readonly namespaceDependencies?: ITerraformDependable[];
  /**
   * Create the network policy of its pods as soon as somebody is let in, by `allowFrom` or a `RayAuthProxy`. It lets in the Ray
   * cluster's own pods, the operator and those peers, and refuses everybody else on every port.
   * @default true
   */
  readonly networkPolicy?: boolean;
  /**
   * From where the operator reaches the pods.
   * @default - Google's add-on where the cluster has it, else the upstream chart in the namespace `kuberay-operator`
   */
  readonly operatorNetworkPeer?: RayNetworkPeer;
}

/** Properties of `RayCluster`. */
export interface RayClusterProps {
  /** The operator that creates the pods, and with it the GKE cluster. */
  readonly operator: IKubeRayOperator;
  /** Name of the RayCluster object. */
  readonly rayClusterName: string;
  /**
   * Version of Ray; it chooses the image.
   * @default 2.60.0
   */
  readonly rayVersion?: string;
  /** @default - rayproject/ray of the Ray version */
  readonly image?: string;
  /**
   * Identity of the pods in Google Cloud. The pods wait for every grant that is created to it.
   * @default - a plain service account, with no rights in Google Cloud
   */
  readonly identity?: IWorkloadIdentity;
  /** @default - the head's identity */
  readonly workerIdentity?: IWorkloadIdentity;
  /**
   * Namespace of the pods.
   * @default - the identity's; required without one
   */
  readonly namespace?: string;
  /**
   * Whether to create the namespace; only without `identity`.
   * @default - true, but for `default`, `kube-system` and a reference to another resource
   */
  readonly createNamespace?: boolean;
  /**
   * Which pods the namespace admits, where it is created here; only without `identity`, whose `podSecurityStandard` it is then.
   * What is added to the Ray pods and falls short of it is an error at synth.
   * @default PodSecurityStandard.BASELINE
   */
  readonly podSecurityStandard?: PodSecurityStandard;
  /**
   * Name of the plain service account; only without `identity`.
   * @default - `rayClusterName`
   */
  readonly serviceAccountName?: string;
  /** The head group. */
  readonly head: RayGroup;
  /** @default - none: tasks run on the head */
  readonly workerGroups?: RayWorkerGroup[];
  /**
   * Let Ray's autoscaler choose the number of workers.
   * @default - true when a worker group can grow
   */
  readonly enableInTreeAutoscaling?: boolean;
  /** @default - Ray's own settings */
  readonly autoscalerOptions?: RayAutoscalerOptions;
  /**
   * Hold the head's service account to what Ray's autoscaler does with it, by a `RayAutoscalerPolicy`. Needs Kubernetes 1.30 or
   * newer. Without it, whoever gets hold of the account's token can change the RayCluster and every pod of its namespace, and
   * so run privileged containers under any account there.
   *
   * It may be on without the autoscaler: KubeRay leaves the account its rights when the autoscaler is switched off.
   * @default - true where the autoscaler runs
   */
  readonly autoscalerPolicy?: boolean;
  /**
   * A Redis that keeps what the head knows, so that it may be lost.
   * @default - none: the state of the head ends with it
   */
  readonly gcsFaultToleranceOptions?: RayGcsFaultToleranceOptions;
  /**
   * Ray's own authentication of callers, instead of a `RayAuthProxy`. With neither, a warning tells, unless `RAY_AUTH_MODE` is in
   * `head.env`.
   * @default - none: whoever reaches the ports may use Ray
   */
  readonly authOptions?: RayAuthOptions;
  /**
   * Mount the token of the pods' Kubernetes service account into the Ray containers, for tasks that call the API server. Every
   * job can then act as that account. Where the autoscaler runs, KubeRay lets the head's account change RayClusters and pods of
   * the namespace: without the policy that bounds it, a job could start any pod there, under any service account of the
   * namespace. Ray, its autoscaler, Google Cloud and `RayAuthProxy` work without this.
   * @default - false; true with `authOptions.enableK8sTokenAuth`, by which every Ray pod asks the API server who is calling
   */
  readonly automountServiceAccountToken?: boolean;
  /** @default - RECREATE where the operator is known to be 1.6 or newer, else NONE */
  readonly upgradeStrategy?: RayClusterUpgradeStrategy;
  /**
   * Wait in every apply that changes the Ray cluster until the head and the fewest workers of each group are Ready, and fail
   * with the reason if they do not become so.
   * @default - an apply ends when the Ray cluster is described; its pods come later
   */
  readonly waitUntilReady?: RayReadinessOptions;
  /**
   * Refuse connections to the pods from everybody but the Ray cluster's own pods, the operator and `networkPeers`.
   * @default true
   */
  readonly networkPolicy?: boolean;
  /** @default - nobody else */
  readonly networkPeers?: RayNetworkPeer[];
  /**
   * Labels on the RayCluster and its pods.
   * @default - none
   */
  readonly labels?: { [name: string]: string };
}
