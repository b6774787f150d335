import { Release } from "@cdktf/provider-helm/lib/release";
import { ITerraformDependable, TerraformResource } from "cdktf";
import { Construct, IConstruct } from "constructs";
import type { IGkeWorkloadIdentityCluster } from "./gke-workload-identity-cluster";
import { NamespacePurpose, claimNamespace } from "./private/namespace-purposes";
import { useNamespace } from "./private/namespaces";
import { requireRoom } from "./private/node-fit";
import { ADDON_OPERATOR_PEER, chartOperatorPeer } from "./private/operator-peers";
import { terraformJson } from "./private/terraform-json";
import { requireTolerations } from "./private/tolerations";
import { DEFAULT_RAY_IMAGE } from "./private/versions";
import {
  DNS_LABEL,
  IMAGE,
  KUBERAY_VERSION,
  invalid,
  requireAtLeast,
  requireName,
} from "./private/validation";
import { WAITING_RESOURCES, waitingJob } from "./private/waiting-job";
import type { RayToleration } from "./ray-groups";
import { RayNetworkPeer } from "./ray-network-peer";

/** The chart version that this library is rehearsed with. */
const DEFAULT_CHART_VERSION = "1.6.2";

const KUBERAY_REPOSITORY = "https://ray-project.github.io/kuberay-helm/";

/** The KubeRay operator of a cluster, ours or not. */
export interface IKubeRayOperator extends IConstruct {
  /** Where it runs. */
  readonly cluster: IGkeWorkloadIdentityCluster;
  /** Version of KubeRay, for example `1.6.2`; none where it is not known, and then only what all versions know is used. */
  readonly kuberayVersion?: string;
  /** From where the operator reaches Ray pods. */
  readonly networkPeer: RayNetworkPeer;
  /** What a RayCluster waits for: the operator ready and its types served. */
  readonly rayClusterDependencies: ITerraformDependable[];
}

/** How to wait for the add-on. */
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
   * Namespace of that Job, made here.
   * @default - `ray-operator-addon-` and a hash of the construct's path: stacks that share a cluster have one each
   */
  readonly gateNamespace?: string;
  /**
   * Taints of nodes that the Job may run on.
   * @default - none: it needs a node without taints
   */
  readonly gateTolerations?: RayToleration[];
  /**
   * How long the add-on may take to be ready after the first node.
   * @default 20
   */
  readonly timeoutMinutes?: number;
}

/** How to install the chart. */
export interface KubeRayChartProps {
  /** A cluster without the Ray Operator add-on. */
  readonly cluster: IGkeWorkloadIdentityCluster;
  /**
   * Version of the chart, and of KubeRay.
   * @default 1.6.2
   */
  readonly kuberayVersion?: string;
  /**
   * Namespace of the operator, made here.
   * @default kuberay-operator
   */
  readonly namespace?: string;
  /**
   * Whether to make the namespace.
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
  readonly values?: { [key: string]: any };
}

/** What is known of an existing operator. */
export interface ExistingKubeRayOperatorProps {
  /** Where the operator runs. */
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

/** The KubeRay operator, which makes pods of RayClusters: Google's add-on, the upstream chart, or one that is there already. */
export abstract class KubeRayOperator extends Construct implements IKubeRayOperator {
  /**
   * The operator that Google hosts. Nothing tells Terraform when the add-on is ready, so a Job in the cluster waits for it.
   *
   * @throws if the cluster does not have the add-on, or if no node pool of a cluster made here can hold the Job
   */
  public static gkeAddon(scope: Construct, id: string, props: KubeRayAddonProps): KubeRayOperator {
    return new GkeAddonOperator(scope, id, props);
  }

  /**
   * The upstream Helm chart.
   *
   * @throws if the cluster has the add-on, which would fight over the same types
   */
  public static chart(scope: Construct, id: string, props: KubeRayChartProps): KubeRayOperator {
    return new ChartOperator(scope, id, props);
  }

  /** An operator that runs in the cluster already. */
  public static existing(scope: Construct, id: string, props: ExistingKubeRayOperatorProps): KubeRayOperator {
    return new ExistingOperator(scope, id, props);
  }

  public readonly cluster: IGkeWorkloadIdentityCluster;
  public readonly kuberayVersion?: string;
  public abstract readonly networkPeer: RayNetworkPeer;
  public abstract readonly rayClusterDependencies: ITerraformDependable[];
  /** The Helm release or the gate's Job, for `addOverride` of what is not modelled here; none for an existing operator. */
  public abstract readonly resource?: TerraformResource;

  protected constructor(
    scope: Construct,
    id: string,
    cluster: IGkeWorkloadIdentityCluster,
    kuberayVersion: string | undefined,
  ) {
    super(scope, id);
    requireName(this, "kuberayVersion", kuberayVersion, KUBERAY_VERSION);
    this.cluster = cluster;
    this.kuberayVersion = kuberayVersion;
  }
}

class GkeAddonOperator extends KubeRayOperator {
  public readonly networkPeer = ADDON_OPERATOR_PEER;
  public readonly rayClusterDependencies: ITerraformDependable[];
  public readonly resource: TerraformResource;

  constructor(scope: Construct, id: string, props: KubeRayAddonProps) {
    super(scope, id, props.cluster, props.kuberayVersion);
    requireAtLeast(this, "timeoutMinutes", props.timeoutMinutes, 1);
    requireName(this, "gateImage", props.gateImage, IMAGE);
    if (!props.cluster.rayOperatorAddon) {
      throw invalid(this, "cluster", `have 'rayOperatorAddon' on (${props.cluster.node.path} does not)`);
    }
    const timeoutMinutes = props.timeoutMinutes ?? 20;
    const namespace = props.gateNamespace ?? `ray-operator-addon-${this.node.addr.slice(-8)}`;
    const dependencies = useNamespace(this, {
      namespace,
      provider: props.cluster.kubernetesProvider,
      dependencies: props.cluster.kubernetesDependencies,
    });
    const pod = { containers: [{ resources: WAITING_RESOURCES }], tolerations: props.gateTolerations };
    const group = { template: { spec: pod } };
    requireTolerations(this, "gateTolerations", props.gateTolerations);
    requireRoom(this, props.cluster, "gateTolerations", group, [], "let the gate run on");
    this.resource = waitingJob(this, "gate", {
      name: "ray-operator-addon-gate",
      namespace,
      containerName: "gate",
      program: "wait_for_ray_api",
      image: props.gateImage ?? DEFAULT_RAY_IMAGE,
      restartPolicy: "Never",
      tolerations: props.gateTolerations,
      deadlineMinutes: timeoutMinutes,
      dependencies,
      provider: props.cluster.kubernetesProvider,
    });
    this.rayClusterDependencies = [this.resource];
  }
}

class ChartOperator extends KubeRayOperator {
  public readonly networkPeer: RayNetworkPeer;
  public readonly rayClusterDependencies: ITerraformDependable[];
  public readonly resource: TerraformResource;

  constructor(scope: Construct, id: string, props: KubeRayChartProps) {
    const kuberayVersion = props.kuberayVersion ?? DEFAULT_CHART_VERSION;
    super(scope, id, props.cluster, kuberayVersion);
    if (props.cluster.rayOperatorAddon) {
      throw invalid(
        this,
        "cluster",
        `not have 'rayOperatorAddon' on (${props.cluster.node.path} does): both would own the same types`,
      );
    }
    const namespace = props.namespace ?? "kuberay-operator";
    const dependencies = useNamespace(this, {
      namespace,
      createNamespace: props.createNamespace,
      purpose: NamespacePurpose.OPERATOR,
      provider: props.cluster.kubernetesProvider,
      dependencies: props.cluster.kubernetesDependencies,
    });
    this.networkPeer = chartOperatorPeer(namespace);
    this.resource = new Release(this, "release", {
      name: "kuberay-operator",
      namespace,
      repository: props.repository ?? (props.chart === undefined ? KUBERAY_REPOSITORY : undefined),
      chart: props.chart ?? "kuberay-operator",
      version: kuberayVersion,
      values: props.values ? [terraformJson(props.values)] : undefined,
      // A release that Terraform lost sight of is taken over instead of failing; safe only with a version.
      upgradeInstall: true,
      atomic: true,
      wait: true,
      timeout: 600,
      maxHistory: 10,
      dependsOn: dependencies,
      provider: props.cluster.helmProvider,
    });
    this.rayClusterDependencies = [this.resource];
  }
}

class ExistingOperator extends KubeRayOperator {
  public readonly networkPeer: RayNetworkPeer;
  public readonly rayClusterDependencies: ITerraformDependable[] = [];
  public readonly resource = undefined;

  constructor(scope: Construct, id: string, props: ExistingKubeRayOperatorProps) {
    super(scope, id, props.cluster, props.kuberayVersion);
    requireName(this, "namespace", props.namespace, DNS_LABEL);
    this.networkPeer = chartOperatorPeer(props.namespace);
    claimNamespace(this, {
      namespace: this.networkPeer.namespace!,
      purpose: NamespacePurpose.OPERATOR,
      property: "namespace",
      provider: () => props.cluster.kubernetesProvider,
    });
  }
}
