import { ITerraformDependable } from "cdktf";
import { IConstruct } from "constructs";
import type { IGkeWorkloadIdentityCluster } from "./gke-workload-identity-cluster";
import type { ManifestPart } from "./manifest";
import type { RayToleration } from "./ray-groups";
import type { RayNetworkPeer } from "./ray-network-peer";

/** The KubeRay operator of a cluster, ours or not. */
export interface IKubeRayOperator extends IConstruct {
  /** The cluster that it runs on. */
  readonly cluster: IGkeWorkloadIdentityCluster;
  /** Version of KubeRay, for example `1.6.2`; none where it is not known, and then only what all versions know is used. */
  readonly kuberayVersion?: string;
  /** From where the operator reaches Ray pods. */
  readonly networkPeer: RayNetworkPeer;
  /** Resources that a RayCluster waits for: the operator is then ready, and its types are served. */
  readonly rayClusterDependencies: ITerraformDependable[];
}

/** Properties of `KubeRayOperator.gkeAddon`. */
export interface KubeRayAddonProps {
  /** A cluster with `rayOperatorAddon`. */
  readonly cluster: IGkeWorkloadIdentityCluster;
  /**
   * Version of KubeRay that Google runs. It is Google's choice and may change; a Ray pod's annotation
   * `ray.io/kuberay-version` tells.
   * @default - not known
   */
  readonly kuberayVersion?: string;
  /**
   * Image for the Job that waits for the add-on: anything with python3.
   * @default - the default Ray image, which the nodes pull anyway
   */
  readonly gateImage?: string;
  /**
   * Namespace of that Job, created here.
   * @default - `ray-operator-addon-` and a hash of the construct's path: stacks that share a cluster have one each
   */
  readonly gateNamespace?: string;
  /**
   * Taints of nodes that the Job may run on.
   * @default - none: it needs a node without taints
   */
  readonly gateTolerations?: RayToleration[];
  /**
   * The longest time, in minutes, that the add-on may take to be ready after the first node.
   * @default 20
   */
  readonly timeoutMinutes?: number;
}

/** Properties of `KubeRayOperator.chart`. */
export interface KubeRayChartProps {
  /** A cluster without the Ray Operator add-on. */
  readonly cluster: IGkeWorkloadIdentityCluster;
  /**
   * Version of the chart, and of KubeRay.
   * @default 1.6.2
   */
  readonly kuberayVersion?: string;
  /**
   * Namespace of the operator, created here.
   * @default kuberay-operator
   */
  readonly namespace?: string;
  /**
   * Whether to create the namespace.
   * @default true
   */
  readonly createNamespace?: boolean;
  /**
   * Chart repository; the Helm provider loads the chart from it at every plan. An `oci://` address works too.
   * @default https://ray-project.github.io/kuberay-helm/
   */
  readonly repository?: string;
  /**
   * Name of the chart in the repository, or path of a chart archive with no repository.
   * @default kuberay-operator
   */
  readonly chart?: string;
  /**
   * Values for the chart, for what is not modelled here.
   * @default - the chart's own
   */
  readonly values?: ManifestPart;
}

/** Properties of `KubeRayOperator.existing`. */
export interface ExistingKubeRayOperatorProps {
  /** The cluster that the operator runs on. */
  readonly cluster: IGkeWorkloadIdentityCluster;
  /**
   * Version of KubeRay.
   * @default - not known: only what every version from 1.3 on knows is used
   */
  readonly kuberayVersion?: string;
  /**
   * Namespace of the operator.
   * @default kuberay-operator
   */
  readonly namespace?: string;
}
