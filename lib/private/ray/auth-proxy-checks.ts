import { Token } from "cdktf";
import { IConstruct } from "constructs";
import { RayAuthProxyPlacement, RayAuthProxyProps, RayAuthResource } from "../../contracts/ray-auth-proxy";
import { requireLabels } from "../kubernetes/labels";
import { requireOwnAccountName } from "../kubernetes/rbac";
import { requireTolerations } from "../kubernetes/tolerations";
import { refuseBuiltInNamespace } from "../terraform/namespaces";
import {
  DNS_LABEL,
  DNS_SUBDOMAIN,
  IMAGE,
  invalid,
  requireInteger,
  requireName,
  requireOneOf,
  requirePositive,
} from "../validation";

/** Properties that only pods of the proxy's own have. */
const DEPLOYMENT_ONLY = ["namespace", "createNamespace", "replicas", "nodeSelector", "tolerations"] as const;

/** Namespace of a proxy in pods of its own. */
export function proxyNamespace({ namespace, rayCluster }: RayAuthProxyProps): string {
  return namespace ?? `${rayCluster.namespace}-auth`;
}

/** @throws if a property of a proxy cannot stand, by itself, beside another one or with its Ray cluster */
export function requireProxyProps(scope: IConstruct, props: RayAuthProxyProps): void {
  const { rayCluster, submitterServiceAccountName: submitter } = props;
  requireOneOf(scope, "placement", props.placement, Object.values(RayAuthProxyPlacement));
  requireOneOf(scope, "authorizeOn", props.authorizeOn, Object.values(RayAuthResource));
  requireOwnAccountName(scope, "submitterServiceAccountName", submitter);
  requireName(scope, "tlsSecretName", props.tlsSecretName, DNS_SUBDOMAIN);
  requireName(scope, "image", props.image, IMAGE);
  requireInteger(scope, "replicas", props.replicas, 1);
  requirePositive(scope, "cpu", props.cpu);
  requirePositive(scope, "memoryGiB", props.memoryGiB);
  requireLabels(scope, "nodeSelector", props.nodeSelector);
  requireTolerations(scope, "tolerations", props.tolerations);
  requirePlace(scope, props);
  if (rayCluster.authOptions !== undefined) {
    throw invalid(
      scope,
      "rayCluster",
      `not have 'authOptions' (${rayCluster.node.path} has): the proxy takes the caller's token off, so Ray would refuse every call. Use either the proxy or Ray's own authentication`,
    );
  }
  if (submitter !== undefined && submitter === rayCluster.headServiceAccountName) {
    throw invalid(
      scope,
      "submitterServiceAccountName",
      "not be the head's own account, which jobs have already",
      submitter,
    );
  }
}

function requirePlace(scope: IConstruct, props: RayAuthProxyProps): void {
  if (props.placement === RayAuthProxyPlacement.HEAD_SIDECAR) {
    const property = DEPLOYMENT_ONLY.find((name) => props[name] !== undefined);
    if (property === undefined) return;
    const rule = "not be given with 'placement' HEAD_SIDECAR: the head pod has its own";
    throw invalid(scope, property, rule, props[property]);
  }
  const namespace = proxyNamespace(props);
  if (namespace === props.rayCluster.namespace) {
    throw invalid(
      scope,
      "namespace",
      "not be the Ray cluster's namespace: whoever may run pods there could take the place of the proxy",
      props.namespace,
    );
  }
  if (
    props.namespace === undefined &&
    !Token.isUnresolved(namespace) &&
    namespace.length > DNS_LABEL.maxLength
  ) {
    const rule = `be given where ${JSON.stringify(namespace)} has more than ${DNS_LABEL.maxLength} characters`;
    throw invalid(scope, "namespace", rule);
  }
  // Who may forward the proxy's port may forward every pod's of its namespace.
  refuseBuiltInNamespace(scope, "namespace", namespace);
}
