import type { SkyPilotFeatures } from "../../contracts/skypilot-options";

/** A rule of RBAC as provider-kubernetes writes it. */
export interface SkyPilotRule {
  readonly apiGroups: string[];
  readonly resources: string[];
  readonly resourceNames?: string[];
  readonly verbs: string[];
}

/** The rules of one SkyPilot, by where they hold. */
export interface SkyPilotRules {
  /** Of the launcher, in each workload namespace. */
  readonly launcher: SkyPilotRule[];
  /** Of the launcher, in the whole cluster. */
  readonly cluster: SkyPilotRule[];
  /** Of the launcher, in `skypilot-system`. */
  readonly system: SkyPilotRule[];
  /** Of the launcher, in `ingress-nginx`. */
  readonly ingress: SkyPilotRule[];
  /** Of the pods, in their own namespace. */
  readonly workload: SkyPilotRule[];
}

/** The only DaemonSet that SkyPilot makes for object stores. */
export const FUSE_DAEMON_SET = "fusermount-server";

/** The Secret in which SkyPilot up to 0.10 keeps its SSH keys. */
const LEGACY_SSH_SECRET = "sky-ssh-keys";

/**
 * What SkyPilot's own code calls, verb by verb, and nothing else: read from the source of 0.14.1. RBAC cannot limit `create`
 * to a name.
 *
 * https://github.com/skypilot-org/skypilot/tree/v0.14.1/sky/provision/kubernetes
 */
export function skyPilotRules(features: SkyPilotFeatures): SkyPilotRules {
  const launcher = [...LAUNCHER];
  const cluster = [...CLUSTER];
  const system: SkyPilotRule[] = [];
  const ingress: SkyPilotRule[] = [];
  const workload = [...WORKLOAD];
  if (features.gpuAvailability) cluster.push(core(["pods"], ["list"]));
  if (features.gpuMetrics) cluster.push({ ...core(["namespaces"], ["get"]), resourceNames: ["kube-system"] });
  if (features.volumes) {
    launcher.push(core(["persistentvolumeclaims"], ["get", "list", "create", "delete"]));
    cluster.push(rule("storage.k8s.io", ["storageclasses"], ["get", "list"]));
    cluster.push(core(["persistentvolumes"], ["list"]));
  }
  if (features.haControllers) {
    launcher.push(rule("apps", ["deployments"], ["get", "create", "delete"]));
    launcher.push(rule("apps", ["deployments/status"], ["get"]));
    launcher.push(core(["persistentvolumeclaims"], ["get", "create", "delete"]));
    // `kubectl exec deployment/NAME` watches where there is no pod yet.
    launcher.push(core(["pods"], ["watch"]));
  }
  if (features.ingressPorts) {
    launcher.push(rule("networking.k8s.io", ["ingresses"], ["get", "create", "update", "delete"]));
    cluster.push(rule("networking.k8s.io", ["ingressclasses"], ["list"]));
    ingress.push(core(["services"], ["list"]));
  }
  if (features.hostNetwork) {
    launcher.push(core(["configmaps"], ["get"]));
    workload.push(core(["configmaps"], ["get", "create", "update"]));
  }
  if (features.objectStoreMounts) {
    system.push(rule("apps", ["daemonsets"], ["create"]));
    system.push({ ...rule("apps", ["daemonsets"], ["get", "patch"]), resourceNames: [FUSE_DAEMON_SET] });
  }
  if (features.legacySshSecret) {
    launcher.push(core(["secrets"], ["create"]));
    launcher.push({ ...core(["secrets"], ["get", "patch"]), resourceNames: [LEGACY_SSH_SECRET] });
  }
  return { launcher, cluster, system, ingress, workload };
}

function rule(apiGroup: string, resources: string[], verbs: string[]): SkyPilotRule {
  return { apiGroups: [apiGroup], resources, verbs };
}

function core(resources: string[], verbs: string[]): SkyPilotRule {
  return rule("", resources, verbs);
}

const LAUNCHER = [
  core(["pods"], ["get", "list", "create", "patch", "delete"]),
  // kubectl over WebSocket starts with GET, over SPDY with POST; from Kubernetes 1.35 on GET is checked as both.
  core(["pods/exec", "pods/portforward"], ["get", "create"]),
  // `delete` does not hold for a whole collection, which `sky down` deletes.
  core(["services"], ["get", "list", "create", "update", "patch", "delete", "deletecollection"]),
  core(["events"], ["list"]),
  rule("apps", ["deployments"], ["list"]),
];

const CLUSTER = [core(["nodes"], ["get", "list"]), rule("node.k8s.io", ["runtimeclasses"], ["list"])];

/** A pod ends its own SkyPilot cluster when it has been idle (`sky autostop --down`). */
const WORKLOAD = [
  // `get` is how it waits for the end of pods with devices (dynamic resource allocation) before it forces it.
  core(["pods"], ["get", "list", "delete"]),
  core(["services"], ["delete", "deletecollection"]),
  rule("apps", ["deployments"], ["list"]),
  core(["events"], ["create"]),
];
