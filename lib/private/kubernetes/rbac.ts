import { ITerraformDependable, Token } from "cdktf";
import { Construct, IConstruct } from "constructs";
import type { IGkeWorkloadIdentityCluster } from "../../contracts/gke-workload-identity-cluster";
import { RbacSubject, RbacSubjectKind } from "../../contracts/rbac-subject";
import { resolvedText, shortHash } from "../terraform/names";
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

/** Everybody, whom no grant should be for: on GKE the last is whoever has a Google account. */
const EVERYBODY = ["system:anonymous", "system:unauthenticated", "system:authenticated"];

/**
 * @throws if an account that is created here cannot have the name; every namespace has `default`, which its pods are unless told
 * otherwise
 */
export function requireOwnAccountName(scope: IConstruct, property: string, name: string | undefined): void {
  requireName(scope, property, name, DNS_SUBDOMAIN);
  if (name === "default") throw invalid(scope, property, "not be one that every namespace has already", name);
}

/** How IAM writes members; Kubernetes knows them without what is before the colon. */
const IAM_MEMBER = /^(user|group|serviceAccount|domain):/;

/** https://cloud.google.com/kubernetes-engine/docs/how-to/role-based-access-control#rbac-vs-iam */
const USER = /^([^\s@:]+@[^\s@]+|\d+|system:\S+|principal:\/\/\S+)$/;
const GROUP = /^([^\s@:]+@[^\s@]+|system:\S+|principalSet:\/\/\S+)$/;

/** @throws if Kubernetes knows nobody by that name, or everybody, or the cluster is one of ours that knows no groups */
export function requireRbacSubject(
  scope: IConstruct,
  property: string,
  cluster: IGkeWorkloadIdentityCluster,
  subject: RbacSubject,
): void {
  const { kind, subjectName, namespace } = subject;
  if (subjectName === "") throw invalid(scope, property, "have a name", subjectName);
  if (kind === RbacSubjectKind.SERVICE_ACCOUNT) {
    requireName(scope, `${property}.subjectName`, subjectName, DNS_SUBDOMAIN);
    if (!namespace) throw invalid(scope, `${property}.namespace`, "be given", namespace ?? null);
    requireName(scope, `${property}.namespace`, namespace, DNS_LABEL);
    return;
  }
  if (Token.isUnresolved(subjectName)) return;
  if (EVERYBODY.includes(subjectName)) {
    throw invalid(scope, property, "not be everybody: name who may", subjectName);
  }
  if (IAM_MEMBER.test(subjectName)) {
    const name = JSON.stringify(subjectName.replace(IAM_MEMBER, ""));
    throw invalid(scope, property, `be named as Kubernetes does, ${name}, and not as IAM does`, subjectName);
  }
  const isUser = kind === RbacSubjectKind.USER;
  if (!(isUser ? USER : GROUP).test(subjectName)) {
    const example = isUser ? "ada@example.com" : "ray-users@example.com";
    throw invalid(scope, property, `be an email, such as "${example}"`, subjectName);
  }
  // Those of Kubernetes itself and of workforce pools are no Google Groups.
  const isGoogleGroup = !isUser && subjectName.includes("@");
  if (isGoogleGroup && cluster.owned && cluster.securityGroup === undefined) {
    throw invalid(
      scope,
      property,
      `not be a group while 'securityGroup' of ${cluster.node.path} is not set: without it the API server is told of no groups (set it, or name users)`,
      subjectName,
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

/** The bindings of each construct by what tells them apart. */
const bindings = new WeakMap<IConstruct, Map<string, PlainResource>>();

/** Binds somebody to a Role, by a binding of their own, so that others keep theirs when it goes. A second binding of the same subject changes nothing. */
export function bindSubject(
  scope: Construct,
  idPrefix: string,
  role: SubjectRole,
  subject: RbacSubject,
): PlainResource {
  const known = bindings.get(scope) ?? new Map<string, PlainResource>();
  bindings.set(scope, known);
  const slug = subjectSlug(subject);
  const key = `${idPrefix} ${resolvedText(scope, slug)}`;
  const same = known.get(key);
  if (same !== undefined) return same;
  const id = `${idPrefix}-${Token.isUnresolved(slug) ? scope.node.children.length : slug}`;
  const binding = new PlainResource(scope, id, "kubernetes_role_binding_v1", {
    metadata: { name: `${role.roleName}:${slug}`, namespace: role.namespace },
    roleRef: roleRef(role.roleName),
    subject: [rbacSubjectOf(subject)],
    dependsOn: role.dependencies,
    provider: role.cluster.kubernetesProvider,
  });
  known.set(key, binding);
  return binding;
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
