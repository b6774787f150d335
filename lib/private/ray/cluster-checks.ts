import { Token } from "cdktf";
import { IConstruct } from "constructs";
import { RayAuthMode } from "../../contracts/ray-auth-options";
import { type RayClusterProps, RayClusterUpgradeStrategy } from "../../contracts/ray-cluster";
import type { RayGroup, RayTopologySpreadConstraint } from "../../contracts/ray-groups";
import { requireAccelerators } from "../gke/accelerators";
import { requireIdentity } from "../gke/identities";
import { requireLabelKey, requireLabels } from "../kubernetes/labels";
import { requireOwnAccountName } from "../kubernetes/rbac";
import { requireTolerations } from "../kubernetes/tolerations";
import {
  DNS_LABEL,
  DNS_SUBDOMAIN,
  IMAGE,
  invalid,
  RAY_CLUSTER_NAME,
  RAY_VERSION,
  requireAtLeast,
  requireInteger,
  requireName,
  requireOneOf,
  requirePositive,
} from "../validation";
import { requireAuthModeOnce } from "./auth-mode";
import { requireNetworkPeer } from "./network-policy";
import { requireAutoscalerOptions, requireGcsFaultTolerance } from "./options";
import { requireAuthOptions } from "./token-auth";

/** Below this the head runs out of memory while it starts. */
const LEAST_MEMORY_GIB = 2;

/** KubeRay cuts longer names when it binds the autoscaler's role, and so binds another account. */
const LONGEST_AUTOSCALER_ACCOUNT = 50;

/** What Ray counts by these names itself. */
const RAY_RESOURCES = ["CPU", "GPU", "TPU", "memory", "object_store_memory"];

/** https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/ */
const UNSATISFIABLE = ["DoNotSchedule", "ScheduleAnyway"];

/** Whether Ray's autoscaler chooses the number of workers. */
export function autoscales({ enableInTreeAutoscaling, workerGroups }: RayClusterProps): boolean {
  const canGrow = (workerGroups ?? []).some((group) => group.maxReplicas !== (group.minReplicas ?? 0));
  return enableInTreeAutoscaling ?? canGrow;
}

/** @throws if a property of a Ray cluster cannot stand, by itself or beside another one */
export function requireRayClusterProps(scope: IConstruct, props: RayClusterProps): void {
  requireName(scope, "rayClusterName", props.rayClusterName, RAY_CLUSTER_NAME);
  requireName(scope, "rayVersion", props.rayVersion, RAY_VERSION);
  requireName(scope, "image", props.image, IMAGE);
  requireName(scope, "namespace", props.namespace, DNS_LABEL);
  if (props.identity === undefined) {
    requireOwnAccountName(scope, "serviceAccountName", props.serviceAccountName);
  }
  requireOneOf(scope, "upgradeStrategy", props.upgradeStrategy, Object.values(RayClusterUpgradeStrategy));
  requireOneOf(scope, "authOptions.mode", props.authOptions?.mode, Object.values(RayAuthMode));
  requireLabels(scope, "labels", props.labels);
  requireGroup(scope, "head", props.head, props);
  requireWorkerGroups(scope, props);
  requireIdentities(scope, props);
  requireAutoscalerOptions(scope, props, autoscales(props));
  requireGcsFaultTolerance(scope, props);
  requireInteger(scope, "waitUntilReady.timeoutMinutes", props.waitUntilReady?.timeoutMinutes, 1);
  requireName(scope, "waitUntilReady.image", props.waitUntilReady?.image, IMAGE);
  if (props.authOptions !== undefined) requireAuthOptions(scope, props.authOptions, props);
  if (props.authOptions?.enableK8sTokenAuth && props.automountServiceAccountToken === false) {
    const rule =
      "not be false with 'authOptions.enableK8sTokenAuth': every Ray pod asks the API server who is calling";
    throw invalid(scope, "automountServiceAccountToken", rule, false);
  }
  props.networkPeers?.forEach((peer, index) => requireNetworkPeer(scope, `networkPeers[${index}]`, peer));
  if (props.networkPolicy === false && props.networkPeers !== undefined) {
    throw invalid(scope, "networkPeers", "not be given with 'networkPolicy' off: then everybody is let in");
  }
}

/**
 * @throws if the operator would give the autoscaler's role to another account than the head's
 *
 * https://github.com/ray-project/kuberay/blob/v1.6.2/ray-operator/controllers/ray/utils/util.go (CheckName)
 */
export function requireAutoscalerAccount(scope: IConstruct, name: string): void {
  if (Token.isUnresolved(name)) return;
  if (name.length > LONGEST_AUTOSCALER_ACCOUNT || !/^[a-z]/.test(name)) {
    throw invalid(
      scope,
      "serviceAccountName",
      `start with a letter and have at most ${LONGEST_AUTOSCALER_ACCOUNT} characters where the autoscaler runs: KubeRay changes other names when it gives the autoscaler its role`,
      name,
    );
  }
}

function requireGroup(scope: IConstruct, path: string, group: RayGroup, props: RayClusterProps): void {
  requirePositive(scope, `${path}.cpu`, group.cpu);
  requireAtLeast(scope, `${path}.memoryGiB`, group.memoryGiB, LEAST_MEMORY_GIB);
  requireName(scope, `${path}.image`, group.image, IMAGE);
  requireName(scope, `${path}.priorityClassName`, group.priorityClassName, DNS_SUBDOMAIN);
  requireTolerations(scope, `${path}.tolerations`, group.tolerations);
  requireLabels(scope, `${path}.nodeSelector`, group.nodeSelector);
  requireLabels(scope, `${path}.labels`, group.labels);
  requireEnv(scope, `${path}.env`, group.env);
  Object.keys(group.annotations ?? {}).forEach((key) =>
    requireLabelKey(scope, `${path}.annotations`, key.toLowerCase()),
  );
  requireRayResources(scope, path, group);
  group.topologySpreadConstraints?.forEach((constraint, index) =>
    requireSpread(scope, `${path}.topologySpreadConstraints[${index}]`, constraint),
  );
  requireAuthModeOnce(scope, path, group, props.authOptions);
}

/** https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#environment-variables */
function requireEnv(scope: IConstruct, path: string, env: { readonly [name: string]: string } = {}): void {
  for (const [name, value] of Object.entries(env)) {
    if (!Token.isUnresolved(name) && !/^[-._a-zA-Z][-._a-zA-Z0-9]*$/.test(name)) {
      throw invalid(
        scope,
        path,
        "have names of letters, digits, -, _ and ., not beginning with a digit",
        name,
      );
    }
    if (typeof value !== "string") throw invalid(scope, `${path}.${name}`, "be a text", value ?? null);
  }
}

/** Ray takes whole numbers only, and knows some names itself. */
function requireRayResources(scope: IConstruct, path: string, group: RayGroup): void {
  requireInteger(scope, `${path}.numCpus`, group.numCpus, 0);
  for (const [property, parameter] of [
    ["numCpus", "num-cpus"],
    ["customResources", "resources"],
  ] as const) {
    const given = group.rayStartParams?.[parameter];
    if (group[property] !== undefined && given !== undefined) {
      throw invalid(scope, `${path}.rayStartParams.${parameter}`, `be left to '${path}.${property}'`, given);
    }
  }
  for (const [name, amount] of Object.entries(group.customResources ?? {})) {
    if (RAY_RESOURCES.includes(name) || !/^[A-Za-z0-9][\w.:/-]*$/.test(name)) {
      const rule = `have names of letters, digits and _.:/- other than ${RAY_RESOURCES.join(", ")}`;
      throw invalid(scope, `${path}.customResources`, rule, name);
    }
    requireInteger(scope, `${path}.customResources.${name}`, amount, 1);
  }
}

function requireSpread(scope: IConstruct, path: string, constraint: RayTopologySpreadConstraint): void {
  const { topologyKey, maxSkew, whenUnsatisfiable } = constraint;
  if (topologyKey === "") throw invalid(scope, `${path}.topologyKey`, "be the label of a node", topologyKey);
  requireInteger(scope, `${path}.maxSkew`, maxSkew, 1);
  if (whenUnsatisfiable !== undefined && !UNSATISFIABLE.includes(whenUnsatisfiable)) {
    throw invalid(scope, `${path}.whenUnsatisfiable`, `be ${UNSATISFIABLE.join(" or ")}`, whenUnsatisfiable);
  }
}

function requireWorkerGroups(scope: IConstruct, props: RayClusterProps): void {
  const names = new Set<string>();
  (props.workerGroups ?? []).forEach((group, index) => {
    const path = `workerGroups[${index}]`;
    const minimum = group.minReplicas ?? 0;
    requireName(scope, `${path}.groupName`, group.groupName, DNS_LABEL);
    if (names.has(group.groupName)) throw invalid(scope, `${path}.groupName`, "be unique", group.groupName);
    names.add(group.groupName);
    requireInteger(scope, `${path}.minReplicas`, minimum, 0);
    requireInteger(scope, `${path}.maxReplicas`, group.maxReplicas, 0);
    requireAtLeast(scope, `${path}.maxReplicas`, group.maxReplicas, minimum, `minReplicas (${minimum})`);
    requireGroup(scope, path, group, props);
    requireAccelerators(scope, path, group, props.operator.cluster.rayOperatorAddon);
  });
}

function requireIdentities(scope: IConstruct, props: RayClusterProps): void {
  const { identity, workerIdentity, operator } = props;
  requireIdentity(scope, "identity", identity);
  requireIdentity(scope, "workerIdentity", workerIdentity);
  if (identity !== undefined) {
    for (const property of ["serviceAccountName", "namespace"] as const) {
      if (props[property] !== undefined && props[property] !== identity[property]) {
        throw invalid(
          scope,
          property,
          `be left to 'identity' (${identity.node.path} has ${JSON.stringify(identity[property])}): a pod has one service account`,
          props[property],
        );
      }
    }
    for (const property of ["createNamespace", "podSecurityStandard"] as const) {
      if (props[property] !== undefined) {
        throw invalid(scope, property, "be left to 'identity'", props[property]);
      }
    }
  }
  const namespace = identity?.namespace ?? props.namespace;
  if (workerIdentity !== undefined && workerIdentity.namespace !== namespace) {
    throw invalid(
      scope,
      "workerIdentity",
      `be in the head's namespace ${JSON.stringify(namespace)}`,
      workerIdentity.namespace,
    );
  }
  for (const [property, given] of Object.entries({ identity, workerIdentity })) {
    if (given !== undefined && given.cluster !== operator.cluster) {
      const clusters = `${operator.cluster.node.path}, not of ${given.cluster.node.path}`;
      throw invalid(scope, property, `be of the operator's cluster ${clusters}`);
    }
  }
}
