import { ITerraformDependable } from "cdktf";
import { Construct } from "constructs";
import type { IRayCluster } from "../../contracts/ray-cluster";
import type { RayToleration } from "../../contracts/ray-groups";
import type { RbacSubject } from "../../contracts/rbac-subject";
import { bindSubject } from "../kubernetes/rbac";
import { POD_SECURITY_CONTEXT } from "../kubernetes/security-context";
import { PlainAttributes, PlainResource } from "../terraform/plain-elements";
import {
  DASHBOARD_PORT,
  HEALTH_PORT,
  proxyContainer,
  ProxyContainerOptions,
  proxyVolumes,
} from "./auth-proxy-container";
import { headHost } from "./commands";
import { requireRoom } from "./node-fit";

/**
 * Where the proxy answers by HTTPS with a certificate of its own making, asking for the same rights. It serves its health only
 * beside such a port.
 */
const SELF_SIGNED_PORT = 8443;

/** How long a node may take to come and the image to be pulled. */
const ROLLOUT_TIMEOUT = "20m";

export interface ProxyDeploymentProps extends ProxyContainerOptions {
  readonly rayCluster: IRayCluster;
  readonly namespace: string;
  /** Name of the Deployment, its Service and its service account. */
  readonly name: string;
  readonly replicas: number;
  readonly nodeSelector?: { [name: string]: string };
  readonly tolerations?: RayToleration[];
  readonly namespaceDependencies: ITerraformDependable[];
  /** What the pods need before they start. */
  readonly podDependencies: ITerraformDependable[];
}

/**
 * The proxy in pods of its own, in a namespace where no job runs: whoever takes the place of a proxy reads the tokens of its
 * callers.
 */
export class ProxyDeployment extends Construct {
  private readonly labels: { [name: string]: string };

  constructor(
    scope: Construct,
    id: string,
    private readonly props: ProxyDeploymentProps,
  ) {
    super(scope, id);
    this.labels = {
      "app.kubernetes.io/name": "ray-auth-proxy",
      "app.kubernetes.io/instance": props.rayCluster.rayClusterName,
    };
    const account = this.createServiceAccount();
    this.createDeployment(account);
    this.createService();
    if (props.replicas !== 1) this.createDisruptionBudget();
    if (props.rayCluster.networkPolicy) {
      props.rayCluster.allowFrom({ namespace: props.namespace, podLabels: this.labels });
    }
  }

  /** Lets somebody forward the Service's port, for which `kubectl` looks up the Service and its pods. */
  public grantPortForward(subject: RbacSubject): void {
    const { rayCluster, namespace, name } = this.props;
    const { cluster } = rayCluster;
    const roleName = `ray:${rayCluster.rayClusterName}:connect`;
    const role =
      (this.node.tryFindChild("connect-role") as PlainResource | undefined) ??
      new PlainResource(this, "connect-role", "kubernetes_role_v1", {
        metadata: { name: roleName, namespace },
        rule: [
          { apiGroups: [""], resources: ["services"], resourceNames: [name], verbs: ["get"] },
          { apiGroups: [""], resources: ["pods"], verbs: ["get", "list"] },
          { apiGroups: [""], resources: ["pods/portforward"], verbs: ["get", "create"] },
        ],
        dependsOn: this.props.namespaceDependencies,
        provider: cluster.kubernetesProvider,
      });
    bindSubject(this, "connect", { cluster, namespace, roleName, dependencies: [role] }, subject);
  }

  private createServiceAccount(): PlainResource {
    const { namespace, name, rayCluster, namespaceDependencies } = this.props;
    return new PlainResource(this, "service-account", "kubernetes_service_account_v1", {
      metadata: { name, namespace, labels: this.labels },
      automountServiceAccountToken: false,
      dependsOn: namespaceDependencies,
      provider: rayCluster.cluster.kubernetesProvider,
    });
  }

  private createDeployment(account: PlainResource): void {
    const { namespace, name, replicas, rayCluster, podDependencies } = this.props;
    const pod = this.pod();
    const { container, toleration, nodeSelector } = pod;
    const description = { spec: { containers: container, tolerations: toleration, nodeSelector } };
    const owner = this.node.scope!;
    requireRoom(
      owner,
      rayCluster.cluster,
      "placement",
      { template: description },
      [],
      "find room for the proxy on",
    );
    new PlainResource(this, "deployment", "kubernetes_deployment_v1", {
      metadata: { name, namespace, labels: this.labels },
      spec: {
        replicas: `${replicas}`,
        selector: { matchLabels: this.labels },
        template: { metadata: { labels: this.labels }, spec: pod },
      },
      timeouts: { create: ROLLOUT_TIMEOUT, update: ROLLOUT_TIMEOUT },
      dependsOn: [account, ...podDependencies],
      provider: rayCluster.cluster.kubernetesProvider,
    });
  }

  /** The pod, as the attributes of Terraform's resource. */
  private pod(): PlainAttributes {
    const { rayCluster, name, nodeSelector, tolerations, tlsSecretName } = this.props;
    const selfSigned = [
      `--secure-listen-address=0.0.0.0:${SELF_SIGNED_PORT}`,
      `--proxy-endpoints-port=${HEALTH_PORT}`,
    ];
    const { volumeMounts, ...container } = proxyContainer(this.props, {
      upstream: `http://${headHost(rayCluster)}:${DASHBOARD_PORT}/`,
      args: tlsSecretName === undefined ? selfSigned : [],
    });
    const health = { httpGet: { path: "/healthz", port: `${HEALTH_PORT}`, scheme: "HTTPS" } };
    return {
      serviceAccountName: name,
      automountServiceAccountToken: false,
      securityContext: POD_SECURITY_CONTEXT,
      nodeSelector,
      toleration: tolerations,
      // On two nodes where there are two.
      topologySpreadConstraint: [
        {
          maxSkew: 1,
          topologyKey: "kubernetes.io/hostname",
          whenUnsatisfiable: "ScheduleAnyway",
          labelSelector: { matchLabels: this.labels },
        },
      ],
      container: [
        {
          ...container,
          port: [{ name: "dashboard", containerPort: DASHBOARD_PORT }],
          readinessProbe: { ...health, periodSeconds: 2 },
          livenessProbe: { ...health, timeoutSeconds: 5, failureThreshold: 6 },
          volumeMount: volumeMounts,
        },
      ],
      volume: proxyVolumes(this.props),
    };
  }

  private createService(): void {
    const { namespace, name, rayCluster, namespaceDependencies } = this.props;
    new PlainResource(this, "service", "kubernetes_service_v1", {
      metadata: { name, namespace, labels: this.labels },
      spec: {
        selector: this.labels,
        port: [{ name: "dashboard", port: DASHBOARD_PORT, targetPort: `${DASHBOARD_PORT}` }],
      },
      dependsOn: namespaceDependencies,
      provider: rayCluster.cluster.kubernetesProvider,
    });
  }

  /** The nodes of a cluster are drained one after the other, and one of the pods always answers. */
  private createDisruptionBudget(): void {
    const { namespace, name, rayCluster, namespaceDependencies } = this.props;
    new PlainResource(this, "disruption-budget", "kubernetes_pod_disruption_budget_v1", {
      metadata: { name, namespace, labels: this.labels },
      spec: { maxUnavailable: "1", selector: { matchLabels: this.labels } },
      dependsOn: namespaceDependencies,
      provider: rayCluster.cluster.kubernetesProvider,
    });
  }
}
