import { ITerraformDependable, Token } from "cdktf";
import { Construct, IConstruct } from "constructs";
import type { IGkeWorkloadIdentityCluster } from "../../contracts/gke-workload-identity-cluster";
import { RbacSubject, RbacSubjectKind } from "../../contracts/rbac-subject";
import { shortHash } from "../terraform/names";
import { DNS_LABEL, DNS_SUBDOMAIN, invalid, requireName } from "../validation";
import { PlainAttributes, PlainResource } from "../terraform/plain-elements";

const API_GROUP = "rbac.authorization.k8s.io";

export function roleRef(name: string) {
  return { apiGroup: API_GROUP, kind: "Role", name };
}

export function clusterRoleRef(name: string) {
  return { apiGroup: API_GROUP, kind: "ClusterRole", name };
}

/** The role of Kubernetes that may ask who a token belongs to and what its owner may do. */
export const AUTH_DELEGATOR = clusterRoleRef("system:auth-delegator");

/** @throws if the subject has no name, or is a group on a cluster of ours that knows no groups */
export function requireRbacSubject(
  scope: IConstruct,
  property: string,
  cluster: IGkeWorkloadIdentityCluster,
  subject: RbacSubject,
): void {
  if (subject.subjectName === "") throw invalid(scope, property, "have a name", subject.subjectName);
  if (subject.kind === RbacSubjectKind.SERVICE_ACCOUNT) {
    requireName(scope, `${property}.subjectName`, subject.subjectName, DNS_SUBDOMAIN);
    requireName(scope, `${property}.namespace`, subject.namespace, DNS_LABEL);
  }
  if (subject.kind === RbacSubjectKind.GROUP && cluster.owned && cluster.securityGroup === undefined) {
    throw invalid(
      scope,
      property,
      `not be a group while 'securityGroup' of ${cluster.node.path} is not set: without it the API server is told of no groups (set it, or name users)`,
      subject.subjectName,
    );
  }
}

/** A Role of a namespace that somebody gets. */
export interface SubjectRole {
  readonly cluster: IGkeWorkloadIdentityCluster;
  readonly namespace: string;
  readonly roleName: string;
  readonly dependencies: ITerraformDependable[];
}

/** Binds somebody to a Role, by a binding of their own, so that others keep theirs when it goes. Twice is once. */
export function bindSubject(
  scope: Construct,
  idPrefix: string,
  role: SubjectRole,
  subject: RbacSubject,
): PlainResource {
  const slug = subjectSlug(subject);
  const id = `${idPrefix}-${Token.isUnresolved(slug) ? scope.node.children.length : slug}`;
  const known = scope.node.tryFindChild(id) as PlainResource | undefined;
  return (
    known ??
    new PlainResource(scope, id, "kubernetes_role_binding_v1", {
      metadata: { name: `${role.roleName}:${slug}`, namespace: role.namespace },
      roleRef: roleRef(role.roleName),
      subject: [rbacSubjectOf(subject)],
      dependsOn: role.dependencies,
      provider: role.cluster.kubernetesProvider,
    })
  );
}

/** As Terraform wants it: without a namespace the provider would write "default" also for users and groups. */
export function rbacSubjectOf({ kind, subjectName, namespace }: RbacSubject): PlainAttributes {
  return namespace === undefined
    ? { kind, name: subjectName, apiGroup: API_GROUP, namespace: "" }
    : { kind, name: subjectName, apiGroup: "", namespace };
}

/** Tells subjects apart in the name of a binding, which may hold everything but a slash and a percent sign. */
function subjectSlug({ kind, namespace, subjectName }: RbacSubject): string {
  const parts = [kind.toLowerCase(), ...(namespace === undefined ? [] : [namespace]), subjectName];
  const name = parts.join(":");
  const slug = name.replace(/[/%]/g, "-");
  return slug === name ? slug : `${slug}-${shortHash(name)}`;
}
