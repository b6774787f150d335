import { ITerraformDependable, Token } from "cdktf";
import { Construct, IConstruct } from "constructs";
import type { IGkeWorkloadIdentityCluster } from "../../contracts/gke-workload-identity-cluster";
import type { RayAuthOptions } from "../../contracts/ray-auth-options";
import type { RayClusterProps } from "../../contracts/ray-cluster";
import { RbacSubject } from "../../contracts/rbac-subject";
import { AUTH_DELEGATOR, bindSubject, requireRbacSubject } from "../kubernetes/rbac";
import { DNS_SUBDOMAIN, invalid, requireName } from "../validation";
import { type KubeRayFeature, requireFeature } from "./kuberay-features";
import { DEFAULT_RAY_VERSION, isAtLeast } from "./versions";
import { PlainResource } from "../terraform/plain-elements";

/**
 * @throws if the operator or Ray is too old for what is asked for, or the options contradict each other
 *
 * https://github.com/ray-project/kuberay/blob/v1.6.2/ray-operator/controllers/ray/utils/validation.go (ValidateRayClusterSpec)
 */
export function requireAuthOptions(
  scope: IConstruct,
  options: RayAuthOptions,
  { operator, rayVersion = DEFAULT_RAY_VERSION }: RayClusterProps,
): void {
  const path = "authOptions";
  requireName(scope, `${path}.secretName`, options.secretName, DNS_SUBDOMAIN);
  const requireKubeRay = (property: string, feature: KubeRayFeature) =>
    requireFeature(scope, property, operator, {
      feature,
      otherwise: "use RayAuthProxy, which needs no version",
    });
  requireKubeRay(path, "authOptions");
  requireRay(scope, path, rayVersion, "2.52.0");
  if (options.secretName !== undefined) requireKubeRay(`${path}.secretName`, "authSecret");
  if (!options.enableK8sTokenAuth) return;
  requireKubeRay(`${path}.enableK8sTokenAuth`, "k8sTokenAuth");
  requireRay(scope, `${path}.enableK8sTokenAuth`, rayVersion, "2.55.0");
  if (options.secretName !== undefined) {
    const rule = "not be given together with 'enableK8sTokenAuth': then callers have tokens of their own";
    throw invalid(scope, `${path}.secretName`, rule, options.secretName);
  }
}

function requireRay(scope: IConstruct, property: string, rayVersion: string, minimum: string): void {
  if (Token.isUnresolved(rayVersion) || isAtLeast(rayVersion, minimum)) return;
  throw invalid(scope, property, `be used with Ray ${minimum} or newer, not with ${rayVersion}`);
}

/** What Ray's Kubernetes token mode works for. */
export interface RayTokenAuthProps {
  readonly cluster: IGkeWorkloadIdentityCluster;
  readonly namespace: string;
  readonly rayClusterName: string;
  readonly serviceAccountNames: string[];
  readonly dependencies: ITerraformDependable[];
}

/**
 * The rights of Ray's Kubernetes token mode: every Ray pod asks the API server about callers, and calls the others itself.
 *
 * https://docs.ray.io/en/latest/cluster/kubernetes/user-guides/kuberay-auth-rbac.html
 */
export class RayTokenAuth extends Construct {
  /** What the pods wait for. */
  public readonly dependencies: ITerraformDependable[];
  private readonly role: PlainResource;

  constructor(
    scope: Construct,
    id: string,
    private readonly props: RayTokenAuthProps,
  ) {
    super(scope, id);
    const { cluster, namespace, rayClusterName, dependencies } = props;
    const provider = cluster.kubernetesProvider;
    const accounts = [...new Set(props.serviceAccountNames)];
    const delegation = new PlainResource(this, "auth-delegator", "kubernetes_cluster_role_binding_v1", {
      metadata: { name: `ray-token-auth:${namespace}:${rayClusterName}` },
      roleRef: AUTH_DELEGATOR,
      subject: accounts.map((name) => ({ kind: "ServiceAccount", name, namespace })),
      dependsOn: dependencies,
      provider,
    });
    this.role = new PlainResource(this, "write-role", "kubernetes_role_v1", {
      metadata: { name: this.roleName, namespace },
      rule: [
        {
          apiGroups: ["ray.io"],
          resources: ["rayclusters"],
          resourceNames: [rayClusterName],
          verbs: ["ray:write"],
        },
      ],
      dependsOn: dependencies,
      provider,
    });
    const own = accounts.map((name) => this.bind(RbacSubject.serviceAccount(name, namespace)));
    this.dependencies = [delegation, ...own];
  }

  public grant(property: string, subject: RbacSubject): void {
    requireRbacSubject(this, property, this.props.cluster, subject);
    this.bind(subject);
  }

  private bind(subject: RbacSubject): ITerraformDependable {
    return bindSubject(
      this,
      "write",
      { ...this.props, roleName: this.roleName, dependencies: [this.role] },
      subject,
    );
  }

  /** Never the Ray cluster's own name: the operator makes a Role of that name and leaves one that is there as it is. */
  private get roleName(): string {
    return `ray:${this.props.rayClusterName}:write`;
  }
}
