import { ClusterRoleBindingV1 } from "@cdktf/provider-kubernetes/lib/cluster-role-binding-v1";
import { ConfigMapV1 } from "@cdktf/provider-kubernetes/lib/config-map-v1";
import { RoleV1 } from "@cdktf/provider-kubernetes/lib/role-v1";
import { ServiceAccountV1 } from "@cdktf/provider-kubernetes/lib/service-account-v1";
import { Fn, TerraformResource, Token } from "cdktf";
import { Construct } from "constructs";
import { shortHash } from "./private/names";
import { headProbes } from "./private/ray-probes";
import { headHost, jobHeadersCommand, jobSubmitCommand, portForwardCommand } from "./private/ray-commands";
import { AUTH_DELEGATOR, bindSubject, requireRbacSubject } from "./private/rbac";
import { CONTAINER_SECURITY_CONTEXT, POD_SECURITY_CONTEXT } from "./private/security-context";
import { DNS_SUBDOMAIN, IMAGE, invalid, requireName } from "./private/validation";
import type { IRayCluster } from "./ray-cluster";
import { RbacSubject, RbacSubjectKind } from "./rbac-subject";

/** https://github.com/kube-rbac-proxy/kube-rbac-proxy/releases */
const DEFAULT_IMAGE = "quay.io/brancz/kube-rbac-proxy:v0.22.1";

const CONTAINER_NAME = "kube-rbac-proxy";
const CONFIG_VOLUME = "kube-rbac-proxy-config";
const CONFIG_FOLDER = "/etc/kube-rbac-proxy";
const CONFIG_FILE = "config-file.yaml";
const TLS_VOLUME = "kube-rbac-proxy-tls";
const TLS_FOLDER = "/etc/kube-rbac-proxy-tls";

/** Where everybody expects the dashboard, and where Ray's own is instead. */
const PUBLIC_PORT = 8265;
const RAY_PORT = 8443;

/** Where the proxy with a certificate says how it is; a probe that only connected to the other port would fill its log. */
const HEALTH_PORT = 8643;

/**
 * How often the proxy may ask the API server. Its own limit is 5 times a second, and until it knows the answer it asks for
 * every request: 200 at once of somebody new would wait for 40 seconds.
 */
const API_QUERIES_PER_SECOND = 100;
const API_BURST = 200;

/** The user that the image runs as. */
const IMAGE_USER = 65532;

/** On what Kubernetes object somebody must have rights to pass the proxy. */
export enum RayAuthResource {
  /** A subresource that exists for this alone: rights on it are rights at the proxy and nothing else. */
  DASHBOARD = "rayclusters/dashboard",
  /**
   * The RayCluster object. Who may submit jobs may then edit the RayCluster too, and so run any pod in its namespace; and
   * who may read RayClusters, such as the head's own account where the autoscaler runs, may read the dashboard.
   */
  RAY_CLUSTER = "rayclusters",
}

/** What a proxy is told. */
export interface RayAuthProxyProps {
  /** Whose dashboard and job API are protected; made here or by other means. Only a RayCluster, not a RayJob or RayService. */
  readonly rayCluster: IRayCluster;
  /** @default RayAuthResource.DASHBOARD */
  readonly authorizeOn?: RayAuthResource;
  /**
   * Name of a Kubernetes service account that is made in the Ray cluster's namespace and may submit jobs.
   * @default - none is made
   */
  readonly submitterServiceAccountName?: string;
  /**
   * Secret of type `kubernetes.io/tls` in the Ray cluster's namespace; the proxy then answers by HTTPS with its certificate.
   * @default - plain HTTP: whoever can listen inside the cluster's network can take a token and use it
   */
  readonly tlsSecretName?: string;
  /** @default quay.io/brancz/kube-rbac-proxy:v0.22.1 */
  readonly image?: string;
}

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
 * It guards port 8265 and nothing else. The other ports of the pods are the business of the Ray cluster's network policy;
 * who may `exec` into the head pod or forward its ports passes by the proxy.
 *
 * https://github.com/kube-rbac-proxy/kube-rbac-proxy
 */
export class RayAuthProxy extends Construct {
  /** The Ray cluster behind the proxy. */
  public readonly rayCluster: IRayCluster;
  /** On what rights are asked for. */
  public readonly authorizeOn: RayAuthResource;
  /** The account that was made to submit jobs, if one was. */
  public readonly submitter?: RbacSubject;
  /** The proxy's configuration file. */
  public readonly configuration: string;
  /** Name of the ConfigMap that holds the configuration; another configuration has another name, and so reaches the pod. */
  public readonly configMapName: string;
  private readonly tls: boolean;

  /**
   * @throws if Ray authenticates callers itself (`authOptions`), if the head's service account mounts no token, or if
   * something else uses the ports, the container name or `RAY_AUTH_MODE` of the head
   */
  constructor(scope: Construct, id: string, props: RayAuthProxyProps) {
    super(scope, id);
    this.rayCluster = props.rayCluster;
    this.authorizeOn = props.authorizeOn ?? RayAuthResource.DASHBOARD;
    this.tls = props.tlsSecretName !== undefined;
    this.requireProps(props);
    this.configuration = this.renderConfiguration();
    this.configMapName = `${this.rayCluster.rayClusterName}-kube-rbac-proxy-${this.configurationHash()}`;
    const { head, workers } = this.rayCluster;
    head.addDependency(this.createConfigMap());
    head.addDependency(this.createDelegation());
    this.addToHead(props);
    // The proxy takes the caller's token off, so Ray must not ask for one; nor may workers of a head that does not.
    for (const pods of [head, workers]) pods.addEnv("RAY_AUTH_MODE", "disabled");
    if (props.submitterServiceAccountName !== undefined) {
      this.submitter = this.createSubmitter(props.submitterServiceAccountName);
    }
  }

  /** Where the dashboard and the job API are once the port is forwarded. */
  public get address(): string {
    return this.urlOn("localhost");
  }

  /** Where the dashboard and the job API are, inside the cluster. */
  public get dashboardUrl(): string {
    return this.urlOn(headHost(this.rayCluster));
  }

  /** Command that makes the dashboard and the job API reachable at `address`. */
  public get portForwardCommand(): string {
    return portForwardCommand(this.rayCluster);
  }

  /** Command that runs a small job, once the port is forwarded and `RAY_JOB_HEADERS` is set; with TLS it trusts `ca.crt`. */
  public get jobSubmitCommand(): string {
    return jobSubmitCommand(this.tls ? `${this.address} --verify ca.crt` : this.address);
  }

  /** Command that sets `RAY_JOB_HEADERS`, by which the Ray client says who is calling, to the Google identity of gcloud. */
  public get googleJobHeadersCommand(): string {
    return jobHeadersCommand("gcloud auth print-access-token");
  }

  /** Command that sets `RAY_JOB_HEADERS` for a service account, with a token of one hour; for others as `googleJobHeadersCommand`. */
  public jobHeadersCommand(subject: RbacSubject): string {
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
    return `${this.tls ? "https" : "http"}://${host}:${PUBLIC_PORT}`;
  }

  private grant(tier: Tier, subject: RbacSubject): void {
    const { cluster, namespace } = this.rayCluster;
    requireRbacSubject(this, "subject", cluster, subject);
    const id = `${tier.name}-role`;
    const role = (this.node.tryFindChild(id) as RoleV1 | undefined) ?? this.createRole(id, tier);
    const roleName = this.roleName(tier);
    bindSubject(this, tier.name, { cluster, namespace, roleName, dependencies: [role] }, subject);
  }

  private createRole(id: string, tier: Tier): RoleV1 {
    const { cluster, namespace, namespaceDependencies, rayClusterName } = this.rayCluster;
    return new RoleV1(this, id, {
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
    new ServiceAccountV1(this, "submitter", {
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

  private createConfigMap(): TerraformResource {
    const { namespace, cluster, namespaceDependencies } = this.rayCluster;
    return new ConfigMapV1(this, "config", {
      metadata: { name: this.configMapName, namespace },
      data: { [CONFIG_FILE]: this.configuration },
      // The proxy reads it once, when it starts.
      immutable: true,
      dependsOn: namespaceDependencies,
      provider: cluster.kubernetesProvider,
    });
  }

  /** Lets the head ask the API server whose a token is and what its owner may do. */
  private createDelegation(): TerraformResource {
    const { namespace, rayClusterName, headServiceAccountName, cluster } = this.rayCluster;
    return new ClusterRoleBindingV1(this, "auth-delegator", {
      metadata: { name: `ray-auth-proxy:${namespace}:${rayClusterName}` },
      roleRef: AUTH_DELEGATOR,
      subject: [{ kind: "ServiceAccount", name: headServiceAccountName, namespace }],
      dependsOn: cluster.kubernetesDependencies,
      provider: cluster.kubernetesProvider,
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

  private addToHead(props: RayAuthProxyProps): void {
    const { head, kuberayVersion, rayVersion } = this.rayCluster;
    head.addRayStartParam("dashboard-host", "127.0.0.1");
    head.addRayStartParam("dashboard-port", `${RAY_PORT}`);
    head.needServiceAccountToken("RayAuthProxy asks the API server with it");
    const probes = headProbes({ kuberayVersion, rayVersion, dashboardPort: RAY_PORT });
    if (probes !== undefined) head.setProbes(probes.readiness, probes.liveness);
    head.addVolume({ name: CONFIG_VOLUME, configMap: { name: this.configMapName } });
    if (props.tlsSecretName !== undefined) {
      head.addVolume({ name: TLS_VOLUME, secret: { secretName: props.tlsSecretName } });
    }
    head.addInitContainer(this.container(props.image ?? DEFAULT_IMAGE));
  }

  /** A native sidecar: it starts before Ray, is started again when it fails, and ends after Ray. */
  private container(image: string): { [field: string]: any } {
    const listen = this.tls
      ? [
          `--secure-listen-address=0.0.0.0:${PUBLIC_PORT}`,
          `--tls-cert-file=${TLS_FOLDER}/tls.crt`,
          `--tls-private-key-file=${TLS_FOLDER}/tls.key`,
          `--proxy-endpoints-port=${HEALTH_PORT}`,
        ]
      : [`--insecure-listen-address=0.0.0.0:${PUBLIC_PORT}`];
    const readinessProbe = this.tls
      ? { httpGet: { path: "/healthz", port: HEALTH_PORT, scheme: "HTTPS" } }
      : { tcpSocket: { port: PUBLIC_PORT } };
    const tlsMounts = this.tls ? [{ name: TLS_VOLUME, mountPath: TLS_FOLDER, readOnly: true }] : [];
    return {
      name: CONTAINER_NAME,
      image,
      restartPolicy: "Always",
      args: [
        ...listen,
        `--upstream=http://127.0.0.1:${RAY_PORT}/`,
        `--config-file=${CONFIG_FOLDER}/${CONFIG_FILE}`,
        `--kube-api-qps=${API_QUERIES_PER_SECOND}`,
        `--kube-api-burst=${API_BURST}`,
      ],
      resources: { requests: { cpu: "50m", memory: "64Mi" }, limits: { cpu: "100m", memory: "128Mi" } },
      readinessProbe,
      // All of it, because the pod may be somebody else's.
      securityContext: {
        ...POD_SECURITY_CONTEXT,
        ...CONTAINER_SECURITY_CONTEXT,
        readOnlyRootFilesystem: true,
        runAsUser: IMAGE_USER,
      },
      volumeMounts: [{ name: CONFIG_VOLUME, mountPath: CONFIG_FOLDER, readOnly: true }, ...tlsMounts],
    };
  }

  private requireProps(props: RayAuthProxyProps): void {
    const { rayCluster, submitterServiceAccountName: submitter } = props;
    requireName(this, "submitterServiceAccountName", submitter, DNS_SUBDOMAIN);
    requireName(this, "tlsSecretName", props.tlsSecretName, DNS_SUBDOMAIN);
    requireName(this, "image", props.image, IMAGE);
    if (rayCluster.authOptions !== undefined) {
      throw invalid(
        this,
        "rayCluster",
        `not have 'authOptions' (${rayCluster.node.path} has): the proxy takes the caller's token off, so Ray would refuse every call. Use either the proxy or Ray's own authentication`,
      );
    }
    if (submitter !== undefined && submitter === rayCluster.headServiceAccountName) {
      throw invalid(
        this,
        "submitterServiceAccountName",
        "not be the head's own account, which jobs have already",
        submitter,
      );
    }
  }
}
