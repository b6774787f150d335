import type { AuditEvent } from "../node/audit";
import type { KubeObject } from "../node/kube-client";
import type { Node } from "../node/node";
import { type Access, describeWhole } from "./access";
import type { Account } from "./account";

const RBAC = "/apis/rbac.authorization.k8s.io/v1";

/** One verb on one resource that a role gives an account. */
export interface RbacGrant extends Access {
  /** Path of the Role or ClusterRole in the API. */
  readonly role: string;
}

/** Everything that roles give an account, one verb and one resource at a time. */
export async function grantsOf(node: Node, account: Account): Promise<RbacGrant[]> {
  const [inNamespaces, inCluster] = await Promise.all([
    node.client.list(`${RBAC}/rolebindings`),
    node.client.list(`${RBAC}/clusterrolebindings`),
  ]);
  const mine = [...inNamespaces, ...inCluster].filter(({ subjects = [] }) =>
    subjects.some(
      ({ kind, name, namespace }: any) =>
        kind === "ServiceAccount" && name === account.name && namespace === account.namespace,
    ),
  );
  const grants = await Promise.all(mine.map((binding) => grantsOfBinding(node, binding)));
  // Two features may give the same.
  return [
    ...new Map(grants.flat().map((grant) => [`${grant.role} ${describeWhole(grant)}`, grant])).values(),
  ];
}

async function grantsOfBinding(node: Node, { metadata, roleRef }: KubeObject): Promise<RbacGrant[]> {
  const namespace = metadata.namespace ?? "";
  const role =
    roleRef.kind === "Role"
      ? `${RBAC}/namespaces/${namespace}/roles/${roleRef.name}`
      : `${RBAC}/clusterroles/${roleRef.name}`;
  const { rules = [] } = await node.client.get(role);
  return rules.flatMap(({ verbs, apiGroups, resources, resourceNames = [""] }: any) =>
    verbs.flatMap((verb: string) =>
      apiGroups.flatMap((group: string) =>
        resources.flatMap((whole: string) => {
          const [resource, subresource = ""] = whole.split("/");
          return resourceNames.map((name: string) => ({
            verb,
            group,
            resource,
            subresource,
            namespace,
            name,
            role,
          }));
        }),
      ),
    ),
  );
}

/** The requests of an account. */
export function requestsOf(events: readonly AuditEvent[], account: Account): AuditEvent[] {
  return events.filter(
    ({ user, objectRef }) => user.username === account.userName && objectRef !== undefined,
  );
}

/** Those that RBAC refused. */
export function refusedOf(events: readonly AuditEvent[], account: Account): AuditEvent[] {
  return requestsOf(events, account).filter(
    ({ annotations }) => annotations?.["authorization.k8s.io/decision"] === "forbid",
  );
}

/** Which grant a request needs: that of its namespace, rather than that of the cluster, if it has both. */
export function grantFor<T extends Access>(
  grants: readonly T[],
  { verb, objectRef }: AuditEvent,
): T | undefined {
  const fitting = grants.filter(
    (grant) =>
      grant.verb === verb &&
      grant.group === (objectRef?.apiGroup ?? "") &&
      grant.resource === objectRef?.resource &&
      grant.subresource === (objectRef?.subresource ?? "") &&
      (grant.name === "" || grant.name === objectRef?.name) &&
      (grant.namespace === "" || grant.namespace === objectRef?.namespace),
  );
  return fitting.find(({ namespace }) => namespace !== "") ?? fitting[0];
}

/** In short what was asked for. */
export function requestText({ verb, requestURI, responseStatus }: AuditEvent): string {
  return `${verb} ${requestURI} (${responseStatus?.code})`;
}
