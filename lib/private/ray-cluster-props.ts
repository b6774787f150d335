import { Token } from "cdktf";
import { IConstruct } from "constructs";
import type { RayClusterProps } from "../ray-cluster";
import type { RayGroup, RayWorkerGroup } from "../ray-groups";
import { requireAuthOptions } from "./ray-auth";
import { requireNetworkPeer } from "./ray-network-policy";
import {
  DNS_LABEL,
  DNS_SUBDOMAIN,
  RAY_CLUSTER_NAME,
  RAY_VERSION,
  invalid,
  requireAtLeast,
  requireInteger,
  requireName,
} from "./validation";
import { DEFAULT_RAY_VERSION } from "./versions";

/** Below this the head runs out of memory while it starts. */
const LEAST_MEMORY_GIB = 2;

/** KubeRay cuts longer names when it binds the autoscaler's role, and so binds another account. */
const LONGEST_AUTOSCALER_ACCOUNT = 50;

/** Whether Ray's autoscaler chooses the number of workers. */
export function autoscales({ enableInTreeAutoscaling, workerGroups }: RayClusterProps): boolean {
  const canGrow = (workerGroups ?? []).some((group) => group.maxReplicas !== (group.minReplicas ?? 0));
  return enableInTreeAutoscaling ?? canGrow;
}

/** @throws if a property of a Ray cluster cannot stand, by itself or beside another one */
export function requireRayClusterProps(scope: IConstruct, props: RayClusterProps): void {
  requireName(scope, "rayClusterName", props.rayClusterName, RAY_CLUSTER_NAME);
  requireName(scope, "rayVersion", props.rayVersion, RAY_VERSION);
  requireName(scope, "namespace", props.namespace, DNS_LABEL);
  requireName(scope, "serviceAccountName", props.serviceAccountName, DNS_SUBDOMAIN);
  requireGroup(scope, "head", props.head, props);
  requireWorkerGroups(scope, props);
  requireIdentities(scope, props);
  if (props.authOptions !== undefined) {
    const rayVersion = props.rayVersion ?? DEFAULT_RAY_VERSION;
    requireAuthOptions(scope, props.authOptions, {
      kuberayVersion: props.operator.kuberayVersion,
      rayVersion,
    });
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
  if (!(group.cpu > 0) && !Token.isUnresolved(group.cpu))
    throw invalid(scope, `${path}.cpu`, "be more than 0", group.cpu);
  requireAtLeast(scope, `${path}.memoryGiB`, group.memoryGiB, LEAST_MEMORY_GIB);
  const mode = group.env?.RAY_AUTH_MODE;
  if (props.authOptions !== undefined && mode !== undefined) {
    throw invalid(scope, `${path}.env.RAY_AUTH_MODE`, "be left to 'authOptions'", mode);
  }
}

function requireWorkerGroups(scope: IConstruct, props: RayClusterProps): void {
  const names = new Set<string>();
  (props.workerGroups ?? []).forEach((group: RayWorkerGroup, index) => {
    const path = `workerGroups[${index}]`;
    const minimum = group.minReplicas ?? 0;
    requireName(scope, `${path}.groupName`, group.groupName, DNS_LABEL);
    if (names.has(group.groupName)) throw invalid(scope, `${path}.groupName`, "be unique", group.groupName);
    names.add(group.groupName);
    requireInteger(scope, `${path}.minReplicas`, minimum, 0);
    requireInteger(scope, `${path}.maxReplicas`, group.maxReplicas, 0);
    requireAtLeast(scope, `${path}.maxReplicas`, group.maxReplicas, minimum, `minReplicas (${minimum})`);
    requireGroup(scope, path, group, props);
  });
}

function requireIdentities(scope: IConstruct, props: RayClusterProps): void {
  const { identity, workerIdentity, operator } = props;
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
    if (props.createNamespace !== undefined) {
      throw invalid(scope, "createNamespace", "be left to 'identity'", props.createNamespace);
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
