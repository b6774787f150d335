import { ITerraformDependable, TerraformResource } from "cdktf";
import { Construct } from "constructs";
import type { BucketMountOptions } from "./contracts/bucket-mount-options";
import type { IGkeWorkloadIdentityCluster } from "./contracts/gke-workload-identity-cluster";
import type { ManifestPart } from "./contracts/manifest";
import type { RayAuthOptions } from "./contracts/ray-auth-options";
import {
  IRayCluster,
  RayClusterAttributes,
  RayClusterProps,
  RayClusterUpgradeStrategy,
} from "./contracts/ray-cluster";
import type { RayGroup } from "./contracts/ray-groups";
import type { RayNetworkPeer } from "./contracts/ray-network-peer";
import { RayPods } from "./contracts/ray-pods";
import type { RayReadinessOptions } from "./contracts/ray-readiness-options";
import type { RbacSubject } from "./contracts/rbac-subject";
import type { IWorkloadIdentity } from "./contracts/workload-identity";
import { noteIdentity } from "./private/gke/identities";
import { headTolerations } from "./private/gke/accelerators";
import { copyOf, override } from "./private/kubernetes/manifest";
import { waitingPod } from "./private/kubernetes/waiting-job";
import { BucketMounts } from "./private/ray/bucket-mounts";
import { autoscales, requireAutoscalerAccount, requireRayClusterProps } from "./private/ray/cluster-checks";
import { headHost, headServiceName, jobSubmitCommand, portForwardCommand } from "./private/ray/commands";
import { ImportedRayCluster } from "./private/ray/imported-cluster";
import { rayClusterManifest } from "./private/ray/manifest";
import { RayNetworkPolicy, requireNetworkPeer, requireNetworkPolicy } from "./private/ray/network-policy";
import { statesAuthMode, warnOfOpenApi } from "./private/ray/auth-mode";
import { hasFeature, requireFeature } from "./private/ray/kuberay-features";
import { refuseOperatorsRoleName } from "./private/ray/operator-role";
import { renderedChecks } from "./private/ray/rendered-checks";
import { markHead, RayReadiness } from "./private/ray/readiness";
import { RayTokenAuth } from "./private/ray/token-auth";
import { keepWorkersApart } from "./private/ray/worker-names";
import { DEFAULT_RAY_IMAGE, DEFAULT_RAY_VERSION, rayImage } from "./private/ray/versions";
import { claim, clusterKey } from "./private/terraform/claims";
import { checkLate } from "./private/terraform/late-checks";
import { manifestRelease } from "./private/terraform/manifest-release";
import { claimNamespace, NamespacePurpose } from "./private/terraform/namespace-purposes";
import {
  refuseBuiltInNamespace,
  refuseStandardOfExisting,
  useNamespace,
} from "./private/terraform/namespaces";
import { PlainResource } from "./private/terraform/plain-elements";
import { invalid } from "./private/validation";
import { RayAutoscalerPolicy } from "./ray-autoscaler-policy";
import type { RayBucketAccess } from "./ray-bucket-access";

export * from "./contracts/ray-cluster";

/** How long the pods may take to end before the destroy of a Ray cluster gives up waiting for them. */
const DRAIN_TIMEOUT_SECONDS = 180;

/** A Ray cluster on Kubernetes, whose pods start only when they may do what they need. */
export class RayCluster extends Construct implements IRayCluster {
  /** A Ray cluster that is deployed by other means, for features that serve it too. */
  public static fromRayClusterAttributes(
    scope: Construct,
    id: string,
    attributes: RayClusterAttributes,
  ): IRayCluster {
    return new ImportedRayCluster(scope, id, attributes);
  }

  public readonly cluster: IGkeWorkloadIdentityCluster;
  public readonly namespace: string;
  public readonly rayClusterName: string;
  public readonly headServiceAccountName: string;
  /** Service account of the worker pods. */
  public readonly workerServiceAccountName: string;
  public readonly kuberayVersion?: string;
  public readonly rayVersion?: string;
  public readonly authOptions?: RayAuthOptions;
  public readonly namespaceDependencies: ITerraformDependable[];
  public readonly head: RayPods;
  public readonly workers: RayPods;
  /** The Helm release that holds the RayCluster. */
  public readonly resource: TerraformResource;
  /** Resources that exist once the pods are Ready, with `waitUntilReady`; else the release. */
  public readonly readyDependencies: ITerraformDependable[];
  public readonly networkPolicy: boolean;
  /** The network policy, if there is one. */
  public readonly networkPolicyResource?: TerraformResource;
  private readonly policy?: RayNetworkPolicy;
  private readonly tokenAuth?: RayTokenAuth;
  private readonly identities: { [property: string]: IWorkloadIdentity };
  private readonly bucketMounts = new BucketMounts(this);
  private readonly overrides: [string, unknown][] = [];

  constructor(scope: Construct, id: string, props: RayClusterProps) {
    super(scope, id);
    this.cluster = props.operator.cluster;
    this.kuberayVersion = props.operator.kuberayVersion;
    this.rayClusterName = props.rayClusterName;
    this.rayVersion = rayVersionOf(props);
    this.authOptions = props.authOptions;
    requireRayClusterProps(this, props);
    this.requireUpgradeStrategy(props);
    const identity = props.identity ?? this.createPlainAccount(props);
    const workerIdentity = props.workerIdentity ?? identity;
    this.identities = givenIdentities(props);
    for (const [property, given] of Object.entries(this.identities)) {
      noteIdentity("ray", { scope: this, property, identity: given });
    }
    this.namespace = identity.namespace;
    if (this.namespace !== "default") {
      refuseBuiltInNamespace(this, props.identity ? "identity" : "namespace", this.namespace);
    }
    claimNamespace(this, {
      namespace: this.namespace,
      purpose: NamespacePurpose.RAY,
      property: props.identity ? "identity" : "namespace",
      provider: () => this.cluster.kubernetesProvider,
    });
    this.claimNames(props, identity);
    this.headServiceAccountName = identity.serviceAccountName;
    this.workerServiceAccountName = workerIdentity.serviceAccountName;
    this.namespaceDependencies = identity.namespaceDependencies;
    this.head = new RayPods(this, "head");
    this.workers = new RayPods(this, "workers");
    this.mountTokens(props);
    if (autoscales(props)) requireAutoscalerAccount(this, this.headServiceAccountName);

    this.networkPolicy = props.networkPolicy ?? true;
    if (this.networkPolicy) {
      this.policy = this.createNetworkPolicy(props);
      this.networkPolicyResource = this.policy;
    }
    if (props.autoscalerPolicy ?? autoscales(props)) {
      new RayAutoscalerPolicy(this, "autoscaler-policy", { rayCluster: this });
    }
    if (props.authOptions?.enableK8sTokenAuth) this.tokenAuth = this.createTokenAuth();
    refuseOperatorsRoleName(this);
    if (!statesAuthMode(props)) warnOfOpenApi(this);
    this.resource = manifestRelease(this, "ray-cluster", {
      cluster: this.cluster,
      releaseName: this.rayClusterName,
      namespace: this.namespace,
      values: () => ({ manifests: [this.render(props)], drain: this.drain(props) }),
      dependencies: () => [
        ...props.operator.rayClusterDependencies,
        ...identity.podDependencies,
        ...workerIdentity.podDependencies,
        ...(this.networkPolicyResource ? [this.networkPolicyResource] : []),
        ...(this.tokenAuth?.dependencies ?? []),
        ...this.head.dependencies,
        ...this.workers.dependencies,
      ],
    });
    checkLate(this, () => [
      () => this.bucketMounts.requireGrants(this.identities),
      ...renderedChecks(this, props, this.render(props), this.workerServiceAccountName),
    ]);
    keepWorkersApart(this, props.workerGroups ?? [], autoscales(props));
    const readiness = props.waitUntilReady && this.createReadiness(props.waitUntilReady, props.head);
    this.readyDependencies = readiness?.dependencies ?? [this.resource];
  }

  /** Service of the head, inside the cluster. */
  public get headServiceName(): string {
    return headServiceName(this);
  }

  /** Address of Ray's dashboard and job API inside the cluster. Callers behind a `RayAuthProxy` use its `dashboardUrl`. */
  public get dashboardUrl(): string {
    return `http://${headHost(this)}:8265`;
  }

  /**
   * Command that makes the dashboard and the job API reachable at http://localhost:8265, past a `RayAuthProxy`. It needs rights
   * on the pods of the namespace, which are an administrator's.
   */
  public get portForwardCommand(): string {
    return portForwardCommand(this.namespace, this.headServiceName);
  }

  /** Command that runs a small job, once the port is forwarded. */
  public get jobSubmitCommand(): string {
    return jobSubmitCommand("http://localhost:8265");
  }

  public allowFrom(peer: RayNetworkPeer): void {
    requireNetworkPolicy(this);
    requireNetworkPeer(this, "peer", peer);
    this.policy?.allow(peer);
  }

  /**
   * Lets somebody use Ray by a Kubernetes token: everything, on every port of Ray.
   *
   * @throws if `authOptions.enableK8sTokenAuth` is off, or the subject is a group and the cluster knows none
   */
  public grantRayWrite(subject: RbacSubject): void {
    if (this.tokenAuth === undefined) {
      throw invalid(
        this,
        "authOptions.enableK8sTokenAuth",
        "be on for callers to have rights of their own",
        false,
      );
    }
    this.tokenAuth.grant("subject", subject);
  }

  /**
   * Mounts a bucket into the Ray container of every pod, by the Cloud Storage FUSE CSI driver. The bucket must be granted to
   * the identity of the head and of the workers, before or after; the pods wait for the grants.
   *
   * https://cloud.google.com/kubernetes-engine/docs/concepts/cloud-storage-fuse-csi-driver
   *
   * @param access the bucket
   * @param mountPath where it appears in the container, for example `/data`
   * @throws if the pods have no identity, if the cluster is created here without `gcsFuseAddon`, or if the path is one that the
   * pods need or where something is mounted
   */
  public mountBucket(access: RayBucketAccess, mountPath: string, options: BucketMountOptions = {}): void {
    if (this.identities.identity === undefined) {
      throw invalid(this, "identity", `be given for the pods to mount ${access.node.path}`);
    }
    if (this.cluster.owned && !this.cluster.gcsFuseAddon) {
      throw invalid(this, "operator.cluster", `have 'gcsFuseAddon' on (${this.cluster.node.path} does not)`);
    }
    this.bucketMounts.add(access, mountPath, options, [this.head, this.workers]);
  }

  /**
   * Sets a field of the RayCluster that is not modelled here.
   *
   * @param path for example `spec.headGroupSpec.template.spec.priorityClassName` or `spec.workerGroupSpecs.0.scaleStrategy`
   * @param value what the field is to be; `undefined` removes it
   */
  public addOverride(path: string, value: unknown): void {
    this.overrides.push([path, value]);
  }

  private render(props: RayClusterProps): ManifestPart {
    const manifest = copyOf(
      rayClusterManifest({
        namespace: this.namespace,
        rayClusterName: this.rayClusterName,
        rayVersion: rayVersionOf(props),
        image: this.image(props),
        labels: props.labels ?? {},
        autopilot: this.cluster.autopilot,
        enableInTreeAutoscaling: autoscales(props),
        autoscalerOptions: props.autoscalerOptions,
        gcsFaultToleranceOptions: props.gcsFaultToleranceOptions,
        recreate: this.recreate(props),
        authOptions: props.authOptions,
        defaultAnnotations: this.bucketMounts.defaultAnnotations,
        head: props.head,
        headServiceAccountName: this.headServiceAccountName,
        headPods: this.head,
        workerGroups: props.workerGroups ?? [],
        workerServiceAccountName: this.workerServiceAccountName,
        workerPods: this.workers,
      }),
    );
    for (const [path, value] of this.overrides) override(manifest, path.split("."), value);
    if (props.waitUntilReady !== undefined && this.recreate(props)) markHead(manifest);
    return manifest;
  }

  /** The pods lose their rights only after they have ended. */
  private drain(props: RayClusterProps) {
    const tolerations = headTolerations(props.head, this.cluster.autopilot);
    const name = `${this.rayClusterName}-drain`;
    const pod = waitingPod({
      containerName: "drain",
      program: "drain",
      args: [this.namespace, this.rayClusterName],
      // Where the nodes have an image that waited for the pods: the pods' own may have been what was wrong.
      image: props.waitUntilReady
        ? readinessImage(props.waitUntilReady)
        : (props.head.image ?? this.image(props)),
      serviceAccountName: name,
      restartPolicy: "OnFailure",
      tolerations,
    });
    return { name, namespace: this.namespace, timeoutSeconds: DRAIN_TIMEOUT_SECONDS, pod };
  }

  private image(props: RayClusterProps): string {
    return props.image ?? rayImage(rayVersionOf(props));
  }

  private recreate(props: RayClusterProps): boolean {
    const wanted = props.upgradeStrategy;
    return wanted === undefined
      ? hasFeature(this.kuberayVersion, "recreateUpgrade")
      : wanted === RayClusterUpgradeStrategy.RECREATE;
  }

  private claimNames(props: RayClusterProps, { namespace, serviceAccountName }: PodAccount): void {
    claim(this, {
      property: "rayClusterName",
      name: props.rayClusterName,
      what: `RayCluster ${clusterKey(this.cluster)} ${namespace}/${props.rayClusterName}`,
      advice: "give another name or namespace",
    });
    if (props.identity !== undefined) return;
    claim(this, {
      property: "serviceAccountName",
      name: serviceAccountName,
      what: `Kubernetes service account ${clusterKey(this.cluster)} ${namespace}/${serviceAccountName}`,
      advice: "give another name, or share an identity ('identity')",
    });
  }

  private createPlainAccount(props: RayClusterProps): PodAccount {
    if (props.namespace === undefined) throw invalid(this, "namespace", "be given unless 'identity' is");
    const provider = this.cluster.kubernetesProvider;
    const podSecurity = { standard: props.podSecurityStandard, property: "podSecurityStandard" };
    refuseStandardOfExisting(this, podSecurity, props.namespace, props.createNamespace);
    const namespaceDependencies = useNamespace(this, {
      namespace: props.namespace,
      createNamespace: props.createNamespace,
      podSecurity,
      provider,
      dependencies: this.cluster.kubernetesDependencies,
    });
    const serviceAccountName = props.serviceAccountName ?? props.rayClusterName;
    const account = new PlainResource(this, "service-account", "kubernetes_service_account_v1", {
      metadata: { name: serviceAccountName, namespace: props.namespace },
      automountServiceAccountToken: false,
      dependsOn: namespaceDependencies,
      provider,
    });
    return {
      namespace: props.namespace,
      serviceAccountName,
      namespaceDependencies,
      podDependencies: [account],
    };
  }

  /** The autoscaler has a token of its own, in its container alone. */
  private mountTokens(props: RayClusterProps): void {
    const needed = props.authOptions?.enableK8sTokenAuth ?? false;
    if (!(props.automountServiceAccountToken ?? needed)) return;
    for (const pods of [this.head, this.workers]) pods.mountServiceAccountToken();
  }

  private createReadiness(options: RayReadinessOptions, head: RayGroup): RayReadiness {
    return new RayReadiness(this, "readiness", {
      cluster: this.cluster,
      namespace: this.namespace,
      rayClusterName: this.rayClusterName,
      timeoutMinutes: options.timeoutMinutes ?? 20,
      image: readinessImage(options),
      tolerations: headTolerations(head, this.cluster.autopilot),
      release: this.resource,
      dependencies: this.namespaceDependencies,
    });
  }

  private createTokenAuth(): RayTokenAuth {
    return new RayTokenAuth(this, "token-auth", {
      cluster: this.cluster,
      namespace: this.namespace,
      rayClusterName: this.rayClusterName,
      serviceAccountNames: [this.headServiceAccountName, this.workerServiceAccountName],
      dependencies: this.namespaceDependencies,
    });
  }

  private createNetworkPolicy(props: RayClusterProps): RayNetworkPolicy {
    return new RayNetworkPolicy(this, "network-policy", {
      cluster: this.cluster,
      namespace: this.namespace,
      rayClusterName: this.rayClusterName,
      operatorPeer: props.operator.networkPeer,
      peers: props.networkPeers ?? [],
      dependencies: this.namespaceDependencies,
    });
  }

  private requireUpgradeStrategy(props: RayClusterProps): void {
    if (props.upgradeStrategy === RayClusterUpgradeStrategy.RECREATE) {
      const demand = { feature: "recreateUpgrade", value: "RECREATE" } as const;
      requireFeature(this, "upgradeStrategy", props.operator, demand);
    }
  }
}

/** What a pod's account is to a Ray cluster, whether it means something in Google Cloud or not. */
interface PodAccount {
  readonly namespace: string;
  readonly serviceAccountName: string;
  readonly namespaceDependencies: ITerraformDependable[];
  readonly podDependencies: ITerraformDependable[];
}

/** The identities of the head and, where it is another, of the workers, by property. */
function givenIdentities({ identity, workerIdentity }: RayClusterProps): {
  [property: string]: IWorkloadIdentity;
} {
  return { ...(identity ? { identity } : {}), ...(workerIdentity ? { workerIdentity } : {}) };
}

function rayVersionOf(props: RayClusterProps): string {
  return props.rayVersion ?? DEFAULT_RAY_VERSION;
}

function readinessImage({ image }: RayReadinessOptions): string {
  return image ?? DEFAULT_RAY_IMAGE;
}
