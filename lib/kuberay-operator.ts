import { ITerraformDependable, TerraformResource } from "cdktf";
import { Construct } from "constructs";
import type { IGkeWorkloadIdentityCluster } from "./contracts/gke-workload-identity-cluster";
import type {
  ExistingKubeRayOperatorProps,
  IKubeRayOperator,
  KubeRayAddonProps,
  KubeRayChartProps,
} from "./contracts/kuberay-operator";
import type { RayNetworkPeer } from "./contracts/ray-network-peer";
import { requireTolerations } from "./private/kubernetes/tolerations";
import { WAITING_RESOURCES, waitingJob } from "./private/kubernetes/waiting-job";
import { requireRoom } from "./private/ray/node-fit";
import { ADDON_OPERATOR_PEER, chartOperatorPeer } from "./private/ray/operator-peers";
import { DEFAULT_RAY_IMAGE } from "./private/ray/versions";
import { terraformJson } from "./private/terraform/json";
import { claimNamespace, NamespacePurpose } from "./private/terraform/namespace-purposes";
import { useNamespace } from "./private/terraform/namespaces";
import { PlainResource } from "./private/terraform/plain-elements";
import {
  DNS_LABEL,
  IMAGE,
  invalid,
  KUBERAY_VERSION,
  requireAtLeast,
  requireName,
} from "./private/validation";

export type * from "./contracts/kuberay-operator";

/** The chart version that this library is rehearsed with. */
const DEFAULT_CHART_VERSION = "1.6.2";

const KUBERAY_REPOSITORY = "https://ray-project.github.io/kuberay-helm/";

/** The KubeRay operator, which makes pods of RayClusters: Google's add-on, the upstream chart, or one that is there already. */
export abstract class KubeRayOperator extends Construct implements IKubeRayOperator {
  /**
   * The operator that Google hosts. Nothing tells Terraform when the add-on is ready, so a Job in the cluster waits for it.
   *
   * @throws if the cluster does not have the add-on, or if no node pool of a cluster created here can hold the Job
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
      purpose: NamespacePurpose.OPERATOR,
      property: "gateNamespace",
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
    this.resource = new PlainResource(this, "release", "helm_release", {
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
    const isAddon = props.namespace === undefined && props.cluster.rayOperatorAddon;
    this.networkPeer = isAddon ? ADDON_OPERATOR_PEER : chartOperatorPeer(props.namespace);
    if (isAddon) return;
    claimNamespace(this, {
      namespace: this.networkPeer.namespace!,
      purpose: NamespacePurpose.OPERATOR,
      property: "namespace",
      provider: () => props.cluster.kubernetesProvider,
    });
  }
}
