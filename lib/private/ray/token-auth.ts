import { ClusterRoleBindingV1 } from "@cdktf/provider-kubernetes/lib/cluster-role-binding-v1";
import { RoleV1 } from "@cdktf/provider-kubernetes/lib/role-v1";
import { ITerraformDependable, Token } from "cdktf";
import { Construct, IConstruct } from "constructs";
import type { IGkeWorkloadIdentityCluster } from "../../contracts/gke-workload-identity-cluster";
import type { RayAuthOptions } from "../../contracts/ray-auth-options";
import { RbacSubject } from "../../contracts/rbac-subject";
import { AUTH_DELEGATOR, bindSubject, requireRbacSubject } from "../kubernetes/rbac";
import { DNS_SUBDOMAIN, invalid, requireName } from "../validation";
import { isAtLeast } from "./versions";

/** What the options are judged by. */
interface Versions {
  readonly kuberayVersion?: string;
  readonly rayVersion: string;
}

/**
 * @throws if the operator or Ray is too old for what is asked for, or the options contradict each other
 *
 * https://github.com/ray-project/kuberay/blob/v1.6.2/ray-operator/controllers/ray/utils/validation.go (ValidateRayClusterSpec)
 */
export function requireAuthOptions(scope: IConstruct, options: RayAuthOptions, versions: Versions): void {
  requireName(scope, "authOptions.secretName", options.secretName, DNS_SUBDOMAIN);
  requireVersions(scope, "authOptions", versions, "1.5.1", "2.52.0");
  if (options.secretName !== undefined) {
    requireVersions(scope, "authOptions.secretName", versions, "1.6.0", "2.52.0");
  }
  if (!options.enableK8sTokenAuth) return;
  requireVersions(scope, "authOptions.enableK8sTokenAuth", versions, "1.6.0", "2.55.0");
  if (options.secretName !== undefined) {
    throw invalid(
      scope,
      "authOptions.secretName",
      "not be given together with 'enableK8sTokenAuth': then callers have tokens of their own",
      options.secretName,
    );
  }
}

function requireVersions(
  scope: IConstruct,
  property: string,
  { kuberayVersion, rayVersion }: Versions,
  kuberayMinimum: string,
  rayMinimum: string,
): void {
  if (!isAtLeast(kuberayVersion, kuberayMinimum)) {
    const hint =
      "state 'kuberayVersion' at the operator if it has that, or use RayAuthProxy, which needs no version";
    const version = kuberayVersion ?? "not known";
    throw invalid(
      scope,
      property,
      `not be given with an operator whose KubeRay version is ${version}: it needs ${kuberayMinimum} (${hint})`,
    );
  }
  if (!Token.isUnresolved(rayVersion) && !isAtLeast(rayVersion, rayMinimum)) {
    throw invalid(scope, property, `be used with Ray ${rayMinimum} or newer, not with ${rayVersion}`);
  }
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
  private readonly role: RoleV1;

  constructor(
    scope: Construct,
    id: string,
    private readonly props: RayTokenAuthProps,
  ) {
    super(scope, id);
    const { cluster, namespace, rayClusterName, dependencies } = props;
    const provider = cluster.kubernetesProvider;
    const accounts = [...new Set(props.serviceAccountNames)];
    const delegation = new ClusterRoleBindingV1(this, "auth-delegator", {
      metadata: { name: `ray-token-auth:${namespace}:${rayClusterName}` },
      roleRef: AUTH_DELEGATOR,
      subject: accounts.map((name) => ({ kind: "ServiceAccount", name, namespace })),
      dependsOn: dependencies,
      provider,
    });
    this.role = new RoleV1(this, "write-role", {
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
