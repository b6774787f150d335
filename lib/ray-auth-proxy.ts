import { Annotations, Fn, ITerraformDependable, TerraformResource, Token } from "cdktf";
import { Construct } from "constructs";
import { PodSecurityStandard } from "./contracts/pod-security-standard";
import { RayAuthProxyPlacement, RayAuthProxyProps, RayAuthResource } from "./contracts/ray-auth-proxy";
import type { IRayCluster } from "./contracts/ray-cluster";
import { RbacSubject, RbacSubjectKind } from "./contracts/rbac-subject";
import { AUTH_DELEGATOR, bindSubject, requireRbacSubject } from "./private/kubernetes/rbac";
import { proxyNamespace, requireProxyProps } from "./private/ray/auth-proxy-checks";
import { CONFIG_FILE, DASHBOARD_PORT, ProxyContainerOptions } from "./private/ray/auth-proxy-container";
import { ProxyDeployment } from "./private/ray/auth-proxy-deployment";
import { addProxySidecar } from "./private/ray/auth-proxy-sidecar";
import {
  headServiceName,
  jobHeadersCommand,
  jobSubmitCommand,
  portForwardCommand,
  proxyServiceName,
  serviceHost,
} from "./private/ray/commands";
import { AUTH_DISABLED, noteGuard } from "./private/ray/auth-mode";
import { claim, clusterKey } from "./private/terraform/claims";
import { shortHash } from "./private/terraform/names";
import { NamespacePurpose } from "./private/terraform/namespace-purposes";
import { useNamespace } from "./private/terraform/namespaces";
import { PlainResource } from "./private/terraform/plain-elements";

export * from "./contracts/ray-auth-proxy";

/** What a grant lets somebody do, as the verbs that the proxy makes of HTTP methods. */
interface Tier {
  readonly name: string;
  readonly verbs: string[];
}

const VIEW: Tier = { name: "view", verbs: ["get"] };
const SUBMIT: Tier = { name: "submit", verbs: ["get", "create", "update"] };
const ADMIN: Tier = { name: "admin", verbs: ["get", "create", "update", "delete"] };

/**
 * A proxy in front of Ray's dashboard and job API that asks Kubernetes who is calling and whether they may: 401 without a
 * valid token, 403 without a right, and Ray's answer for those whom `grantView`, `grantSubmit` or `grantAdmin` name.
 *
 * It guards port 8265 and nothing else. The Ray cluster's network policy closes the other ports, and 8265 to everybody but the
 * proxy. Whoever may `exec` into Ray's pods or forward their ports passes by the proxy.
 *
 * https://github.com/kube-rbac-proxy/kube-rbac-proxy
 */
export class RayAuthProxy extends Construct {
  /** The Ray cluster behind the proxy. */
  public readonly rayCluster: IRayCluster;
  /** Placement of the proxy. */
  public readonly placement: RayAuthProxyPlacement;
  /** The Kubernetes resource on which callers need rights. */
  public readonly authorizeOn: RayAuthResource;
  /** Namespace of the proxy's pods and its Service. */
  public readonly namespace: string;
  /** Name of the Service that callers forward or call: the proxy's own, or the head's with `HEAD_SIDECAR`. */
  public readonly serviceName: string;
  /**
   * Resources that objects in the proxy's namespace, such as a Secret with a certificate, wait for: the namespace, where it is
   * created here.
   */
  public readonly namespaceDependencies: ITerraformDependable[];
  /** The account that was created to submit jobs, if one was. */
  public readonly submitter?: RbacSubject;
  /** The proxy's configuration file. */
  public readonly configuration: string;
  /** Name of the ConfigMap that holds the configuration; another configuration has another name, and so reaches the pods. */
  public readonly configMapName: string;
  private readonly deployment?: ProxyDeployment;
  private readonly tls: boolean;

  /**
   * @throws if Ray authenticates callers itself (`authOptions`), if the cluster enforces no network policies where the proxy
   * depends on them, if the Ray cluster has a proxy already, or if something else uses the ports, the container name or
   * `RAY_AUTH_MODE` of the head
   */
  constructor(scope: Construct, id: string, props: RayAuthProxyProps) {
    super(scope, id);
    this.rayCluster = props.rayCluster;
    this.placement = props.placement ?? RayAuthProxyPlacement.DEPLOYMENT;
    this.authorizeOn = props.authorizeOn ?? RayAuthResource.DASHBOARD;
    this.tls = props.tlsSecretName !== undefined;
    requireProxyProps(this, props);
    const { cluster, namespace, rayClusterName, headServiceAccountName, head, workers } = this.rayCluster;
    const isSidecar = this.placement === RayAuthProxyPlacement.HEAD_SIDECAR;
    noteGuard(this.rayCluster, this.placement);
    this.namespace = isSidecar ? this.rayCluster.namespace : proxyNamespace(props);
    this.serviceName = isSidecar ? headServiceName(this.rayCluster) : proxyServiceName(this.rayCluster);
    this.namespaceDependencies = isSidecar
      ? this.rayCluster.namespaceDependencies
      : this.useOwnNamespace(props);
    this.configuration = this.renderConfiguration();
    this.configMapName = `${rayClusterName}-kube-rbac-proxy-${this.configurationHash()}`;
    const account = isSidecar ? headServiceAccountName : this.serviceName;
    const podDependencies = [this.createConfigMap(), this.createDelegation(account)];
    const { image, cpu, memoryGiB, tlsSecretName } = props;
    const container = { image, cpu, memoryGiB, tlsSecretName, configMapName: this.configMapName };
    if (isSidecar) {
      addProxySidecar(this.rayCluster, container, podDependencies);
    } else {
      this.deployment = this.createDeployment(props, container, podDependencies);
      this.closeRaysPort();
    }
    // The proxy takes the caller's token off, so Ray must not ask for one; nor may workers of a head that does not.
    for (const pods of [head, workers]) pods.addEnv(...AUTH_DISABLED);
    if (props.submitterServiceAccountName !== undefined) {
      this.submitter = this.createSubmitter(props.submitterServiceAccountName);
    }
    claim(this, {
      property: "rayCluster",
      name: rayClusterName,
      what: `RayAuthProxy ${clusterKey(cluster)} ${namespace}/${rayClusterName}`,
      advice: "use that proxy, which may grant more callers access",
    });
  }

  /** Address of the dashboard and the job API once the port is forwarded. */
  public get address(): string {
    return this.urlOn("localhost");
  }

  /** Address of the dashboard and the job API inside the cluster. */
  public get dashboardUrl(): string {
    return this.urlOn(serviceHost(this.namespace, this.serviceName));
  }

  /** Command that makes the dashboard and the job API reachable at `address`. */
  public get portForwardCommand(): string {
    return portForwardCommand(this.namespace, this.serviceName);
  }

  /** Command that runs a small job, once the port is forwarded and `RAY_JOB_HEADERS` is set; with TLS it trusts `ca.crt`. */
  public get jobSubmitCommand(): string {
    return jobSubmitCommand(this.tls ? `${this.address} --verify ca.crt` : this.address);
  }

  /** Command that sets `RAY_JOB_HEADERS`, by which the Ray client says who is calling, to the Google identity of gcloud. */
  public get googleJobHeadersCommand(): string {
    return jobHeadersCommand("gcloud auth print-access-token");
  }

  /**
   * Command that sets `RAY_JOB_HEADERS` for a service account, with a token of one hour; for others as `googleJobHeadersCommand`.
   */
  public jobHeadersCommand(subject: RbacSubject): string {
    requireRbacSubject(this, "subject", this.rayCluster.cluster, subject);
    if (subject.kind !== RbacSubjectKind.SERVICE_ACCOUNT) return this.googleJobHeadersCommand;
    const { subjectName, namespace } = subject;
    return jobHeadersCommand(`kubectl create token ${subjectName} --namespace ${namespace} --duration=1h`);
  }

  /**
   * Lets somebody look: the dashboard, lists of jobs and their logs, with whatever jobs print, and Ray's profilers.
   *
   * @throws if the subject is a group and the cluster knows none
   */
  public grantView(subject: RbacSubject): void {
    this.grant(VIEW, subject);
  }

  /**
   * Lets somebody submit and stop jobs, upload their working directories and deploy Serve applications: that is, run any
   * code as the Ray pods and with all that these may do, such as use the bucket.
   *
   * @throws if the subject is a group and the cluster knows none
   */
  public grantSubmit(subject: RbacSubject): void {
    this.grant(SUBMIT, subject);
  }

  /**
   * Lets somebody delete jobs and Serve applications too. With `RayAuthResource.RAY_CLUSTER` these are all rights on the
   * RayCluster object.
   *
   * @throws if the subject is a group and the cluster knows none
   */
  public grantAdmin(subject: RbacSubject): void {
    const everything = this.authorizeOn === RayAuthResource.RAY_CLUSTER;
    this.grant(everything ? { ...ADMIN, verbs: ["*"] } : ADMIN, subject);
  }

  private urlOn(host: string): string {
    return `${this.tls ? "https" : "http"}://${host}:${DASHBOARD_PORT}`;
  }

  private grant(tier: Tier, subject: RbacSubject): void {
    const { cluster, namespace } = this.rayCluster;
    requireRbacSubject(this, "subject", cluster, subject);
    const id = `${tier.name}-role`;
    const role = (this.node.tryFindChild(id) as PlainResource | undefined) ?? this.createRole(id, tier);
    const roleName = this.roleName(tier);
    bindSubject(this, tier.name, { cluster, namespace, roleName, dependencies: [role] }, subject);
    this.deployment?.grantPortForward(subject);
  }

  private createRole(id: string, tier: Tier): PlainResource {
    const { cluster, namespace, namespaceDependencies, rayClusterName } = this.rayCluster;
    return new PlainResource(this, id, "kubernetes_role_v1", {
      metadata: { name: this.roleName(tier), namespace },
      rule: [
        {
          apiGroups: ["ray.io"],
          resources: [this.authorizeOn],
          resourceNames: [rayClusterName],
          verbs: tier.verbs,
        },
      ],
      dependsOn: namespaceDependencies,
      provider: cluster.kubernetesProvider,
    });
  }

  /** With colons, which the name of a RayCluster cannot have: the operator makes a Role of that name and leaves ours alone. */
  private roleName(tier: Tier): string {
    return `ray:${this.rayCluster.rayClusterName}:${tier.name}`;
  }

  private createSubmitter(name: string): RbacSubject {
    const { namespace, cluster, namespaceDependencies } = this.rayCluster;
    new PlainResource(this, "submitter", "kubernetes_service_account_v1", {
      metadata: { name, namespace },
      // It is for people and pipelines outside; no pod needs it.
      automountServiceAccountToken: false,
      dependsOn: namespaceDependencies,
      provider: cluster.kubernetesProvider,
    });
    const submitter = RbacSubject.serviceAccount(name, namespace);
    this.grantSubmit(submitter);
    return submitter;
  }

  private useOwnNamespace({ namespace, createNamespace }: RayAuthProxyProps): ITerraformDependable[] {
    const { cluster } = this.rayCluster;
    return useNamespace(this, {
      namespace: this.namespace,
      // The default is made also where it hangs on a reference.
      createNamespace: createNamespace ?? (namespace === undefined ? true : undefined),
      podSecurity: { standard: PodSecurityStandard.RESTRICTED, property: "namespace" },
      purpose: NamespacePurpose.RAY_PROXY,
      provider: cluster.kubernetesProvider,
      dependencies: cluster.kubernetesDependencies,
    });
  }

  private createConfigMap(): TerraformResource {
    return new PlainResource(this, "config", "kubernetes_config_map_v1", {
      metadata: { name: this.configMapName, namespace: this.namespace },
      data: { [CONFIG_FILE]: this.configuration },
      // The proxy reads it once, when it starts.
      immutable: true,
      dependsOn: this.namespaceDependencies,
      provider: this.rayCluster.cluster.kubernetesProvider,
    });
  }

  /** Lets the proxy's account ask the API server whose a token is and what its owner may do. */
  private createDelegation(serviceAccountName: string): TerraformResource {
    const { namespace, rayClusterName, cluster } = this.rayCluster;
    return new PlainResource(this, "auth-delegator", "kubernetes_cluster_role_binding_v1", {
      metadata: { name: `ray-auth-proxy:${namespace}:${rayClusterName}` },
      roleRef: AUTH_DELEGATOR,
      subject: [{ kind: "ServiceAccount", name: serviceAccountName, namespace: this.namespace }],
      dependsOn: cluster.kubernetesDependencies,
      provider: cluster.kubernetesProvider,
    });
  }

  /** Nobody but the proxy must reach Ray, so the cluster must enforce what the network policy says. */
  private closeRaysPort(): void {
    const { networkPolicy, cluster, node } = this.rayCluster;
    cluster.requireNetworkPolicyEngine(this);
    if (networkPolicy) return;
    Annotations.of(this).addWarning(
      `'networkPolicy' of ${node.path} is off: everybody who reaches port ${DASHBOARD_PORT} of its head passes by the proxy, unless a network policy of yours lets in the proxy alone`,
    );
  }

  private createDeployment(
    props: RayAuthProxyProps,
    container: ProxyContainerOptions,
    podDependencies: ITerraformDependable[],
  ): ProxyDeployment {
    return new ProxyDeployment(this, "proxy", {
      ...container,
      rayCluster: this.rayCluster,
      namespace: this.namespace,
      name: this.serviceName,
      replicas: props.replicas ?? 2,
      nodeSelector: props.nodeSelector,
      tolerations: props.tolerations,
      namespaceDependencies: this.namespaceDependencies,
      podDependencies,
    });
  }

  /** The `authorization` key must be there: the proxy crashes without it. Quoted, because a namespace may be called 123. */
  private renderConfiguration(): string {
    const [resource, subresource] = this.authorizeOn.split("/");
    const { namespace, rayClusterName } = this.rayCluster;
    return [
      "authorization:",
      "  resourceAttributes:",
      "    apiGroup: ray.io",
      "    apiVersion: v1",
      `    resource: ${resource}`,
      ...(subresource === undefined ? [] : [`    subresource: ${subresource}`]),
      `    namespace: '${namespace}'`,
      `    name: '${rayClusterName}'`,
      "",
    ].join("\n");
  }

  /** Of the whole text, or where a name in it is known to Terraform alone, of what tells it from others. */
  private configurationHash(): string {
    if (!Token.isUnresolved(this.configuration)) return shortHash(this.configuration);
    const { namespace, rayClusterName } = this.rayCluster;
    return Fn.substr(Fn.sha256(Fn.join("/", [this.authorizeOn, namespace, rayClusterName])), 0, 6);
  }
}
