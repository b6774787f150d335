import { SkyPilotFeatures } from "../../lib/contracts/skypilot-options";

export type Feature = keyof SkyPilotFeatures;

/** Where a request goes: one of the namespaces that the accounts are about, or the whole cluster. */
export type Place = "workload" | "system" | "ingress" | "launcher" | "cluster" | "kube-system" | "elsewhere";

/** Requests of one kind that SkyPilot's code sends. */
export interface AllowRow {
  /** What needs it. */
  readonly use: string;
  /** Whose request it is. */
  readonly who: "launcher" | "workload";
  /** Without which it must be refused. */
  readonly feature?: Feature;
  readonly verbs: readonly string[];
  /** As in `kubectl auth can-i`: `pods/exec`, `deployments.apps`, `deployments.apps/status`. */
  readonly resource: string;
  readonly name?: string;
  readonly place: Place;
}

/** Requests of one kind that nobody may send. */
export interface DenyRow {
  readonly verbs: readonly string[];
  readonly resource: string;
  readonly name?: string;
  readonly places: readonly Place[];
  /** The feature that allows them nevertheless. */
  readonly unless?: Feature;
}

/** The one DaemonSet that SkyPilot makes. */
export const FUSE_DAEMON_SET = "fusermount-server";

/** The Secret of SkyPilot up to 0.10. */
const LEGACY_SECRET = "sky-ssh-keys";

function words(text: string): readonly string[] {
  return text.split(" ");
}

function launcher(
  use: string,
  verbs: string,
  resource: string,
  place: Place,
  more: { readonly feature?: Feature; readonly name?: string } = {},
): AllowRow {
  return { use, who: "launcher", verbs: words(verbs), resource, place, ...more };
}

function workload(use: string, verbs: string, resource: string, feature?: Feature): AllowRow {
  return { use, who: "workload", verbs: words(verbs), resource, place: "workload", feature };
}

/** What SkyPilot 0.14 calls, row by row, read from its source. https://github.com/skypilot-org/skypilot */
export const ALLOW: readonly AllowRow[] = [
  launcher("sky check", "list", "pods", "workload"),
  launcher("sky check", "list", "nodes", "cluster"),
  launcher("sky launch", "list create patch", "services", "workload"),
  launcher("sky launch", "get list create patch delete", "pods", "workload"),
  launcher("sky launch", "list", "runtimeclasses.node.k8s.io", "cluster"),
  launcher("sky launch that fails", "list", "events", "workload"),
  launcher("sky exec, sky logs, file mounts", "get create", "pods/exec", "workload"),
  launcher("ssh, sky jobs queue", "get create", "pods/portforward", "workload"),
  launcher("sky status --refresh", "get", "nodes", "cluster"),
  launcher("sky launch, sky down", "list", "deployments.apps", "workload"),
  launcher("sky down", "list delete", "pods", "workload"),
  launcher("sky down", "delete deletecollection", "services", "workload"),
  launcher("sky autostop --down", "patch", "pods", "workload"),
  launcher("ports by load balancer", "get create update delete", "services", "workload"),
  launcher("ports by pod address", "get", "pods", "workload"),

  launcher("sky gpus list", "list", "pods", "cluster", { feature: "gpuAvailability" }),
  launcher("sky volumes", "get list create delete", "persistentvolumeclaims", "workload", {
    feature: "volumes",
  }),
  launcher("sky volumes apply", "get list", "storageclasses.storage.k8s.io", "cluster", {
    feature: "volumes",
  }),
  launcher("sky volumes ls", "list", "persistentvolumes", "cluster", { feature: "volumes" }),
  launcher("controller that survives", "get create delete", "deployments.apps", "workload", {
    feature: "haControllers",
  }),
  launcher("controller that survives", "get", "deployments.apps/status", "workload", {
    feature: "haControllers",
  }),
  launcher("controller that survives", "get create delete", "persistentvolumeclaims", "workload", {
    feature: "haControllers",
  }),
  launcher("kubectl exec deployment/NAME", "watch", "pods", "workload", { feature: "haControllers" }),
  launcher("ports by ingress", "list", "ingressclasses.networking.k8s.io", "cluster", {
    feature: "ingressPorts",
  }),
  launcher("ports by ingress", "get create update delete", "ingresses.networking.k8s.io", "workload", {
    feature: "ingressPorts",
  }),
  launcher("address of the ingress", "list", "services", "ingress", { feature: "ingressPorts" }),
  launcher("ports of tasks on the node's network", "get", "configmaps", "workload", {
    feature: "hostNetwork",
  }),
  launcher("identity of the cluster", "get", "namespaces", "cluster", {
    feature: "gpuMetrics",
    name: "kube-system",
  }),
  launcher("mounts of object stores", "create", "daemonsets.apps", "system", {
    feature: "objectStoreMounts",
  }),
  launcher("mounts of object stores", "get patch", "daemonsets.apps", "system", {
    feature: "objectStoreMounts",
    name: FUSE_DAEMON_SET,
  }),
  launcher("sky launch up to 0.10", "create", "secrets", "workload", { feature: "legacySshSecret" }),
  launcher("sky launch up to 0.10", "get patch", "secrets", "workload", {
    feature: "legacySshSecret",
    name: LEGACY_SECRET,
  }),

  workload("autodown", "list delete", "pods"),
  workload("autodown of pods with devices", "get", "pods"),
  workload("autodown", "delete deletecollection", "services"),
  workload("autodown", "list", "deployments.apps"),
  workload("autodown", "create", "events"),
  workload("ports of tasks on the node's network", "get create update", "configmaps", "hostNetwork"),
];

/** Namespaces in which nothing of SkyPilot runs. */
const FOREIGN: readonly Place[] = ["kube-system", "elsewhere", "launcher"];

const EVERYWHERE: readonly Place[] = ["workload", "system", "ingress", ...FOREIGN];

/** Everywhere but where SkyPilot's pods are. */
const OUTSIDE: readonly Place[] = ["system", "ingress", ...FOREIGN];

function deny(
  verbs: string,
  resource: string,
  places: readonly Place[],
  more: Partial<DenyRow> = {},
): DenyRow {
  return { verbs: words(verbs), resource, places, ...more };
}

/** What no account may, whatever features are on, besides what is another account's or another feature's. */
export const DENY: readonly DenyRow[] = [
  deny("get list watch", "secrets", EVERYWHERE),
  deny("patch update delete deletecollection", "secrets", EVERYWHERE),
  deny("create", "secrets", OUTSIDE),
  deny("create", "secrets", ["workload"], { unless: "legacySshSecret" }),
  deny("get patch", "secrets", ["workload"], { name: LEGACY_SECRET, unless: "legacySshSecret" }),
  deny("delete update", "secrets", ["workload"], { name: LEGACY_SECRET }),
  deny("create", "serviceaccounts/token", EVERYWHERE),
  deny("get list create update patch delete", "serviceaccounts", EVERYWHERE),
  deny("get list create update patch delete escalate bind", "roles.rbac.authorization.k8s.io", EVERYWHERE),
  deny("get list create update patch delete", "rolebindings.rbac.authorization.k8s.io", EVERYWHERE),
  deny("get list create update patch delete escalate bind", "clusterroles.rbac.authorization.k8s.io", [
    "cluster",
  ]),
  deny("get list create update patch delete", "clusterrolebindings.rbac.authorization.k8s.io", ["cluster"]),
  deny("impersonate", "users", ["cluster"]),
  deny("impersonate", "groups", ["cluster"]),
  deny("impersonate", "serviceaccounts", EVERYWHERE),
  deny("create update patch delete watch", "nodes", ["cluster"]),
  deny("get create", "nodes/proxy", ["cluster"]),
  deny("patch", "nodes/status", ["cluster"]),
  deny("list create update patch delete", "namespaces", ["cluster"]),
  deny("get", "namespaces", ["cluster"], { name: "default" }),
  deny("get", "namespaces", ["cluster"], { name: "kube-system", unless: "gpuMetrics" }),
  deny("get create update patch delete deletecollection watch", "pods", OUTSIDE),
  deny("create update patch delete deletecollection get watch", "services", OUTSIDE),
  deny("get create", "pods/exec", OUTSIDE),
  deny("get create", "pods/portforward", OUTSIDE),
  deny("get create", "pods/attach", EVERYWHERE),
  deny("get create patch", "pods/ephemeralcontainers", EVERYWHERE),
  deny("get create", "pods/proxy", EVERYWHERE),
  deny("create", "pods/eviction", EVERYWHERE),
  deny("create", "pods/binding", EVERYWHERE),
  deny("get update patch", "pods/status", EVERYWHERE),
  deny("get create", "services/proxy", EVERYWHERE),
  deny("get", "pods/log", EVERYWHERE),
  deny("update deletecollection", "pods", ["workload"]),
  deny("watch", "pods", ["workload"], { unless: "haControllers" }),
  deny("watch", "services", ["workload"]),
  deny("list", "pods", ["cluster"], { unless: "gpuAvailability" }),
  deny("list", "services", ["ingress"], { unless: "ingressPorts" }),
  deny("list", "services", ["system", ...FOREIGN, "cluster"]),
  deny("update delete deletecollection", "daemonsets.apps", EVERYWHERE),
  deny("list watch", "daemonsets.apps", EVERYWHERE),
  deny("get patch", "daemonsets.apps", EVERYWHERE, { name: "another" }),
  deny("get patch", "daemonsets.apps", ["system"], { name: FUSE_DAEMON_SET, unless: "objectStoreMounts" }),
  deny("create", "daemonsets.apps", ["system"], { unless: "objectStoreMounts" }),
  deny("create", "daemonsets.apps", ["workload", "ingress", ...FOREIGN]),
  deny("create delete get", "deployments.apps", ["workload"], { unless: "haControllers" }),
  deny("update patch deletecollection watch", "deployments.apps", ["workload"]),
  deny("create update patch delete", "deployments.apps", OUTSIDE),
  deny("create update patch delete", "deployments.apps/scale", EVERYWHERE),
  deny("create update patch delete", "replicasets.apps", EVERYWHERE),
  deny("create update patch delete", "statefulsets.apps", EVERYWHERE),
  deny("create update patch delete", "jobs.batch", EVERYWHERE),
  deny("create update patch delete", "cronjobs.batch", EVERYWHERE),
  deny("list watch patch delete", "configmaps", EVERYWHERE),
  deny("get create update", "configmaps", OUTSIDE),
  deny("get create update", "configmaps", ["workload"], { unless: "hostNetwork" }),
  deny("update patch watch", "persistentvolumeclaims", EVERYWHERE),
  deny("list", "persistentvolumeclaims", ["workload"], { unless: "volumes" }),
  deny("get list create delete", "persistentvolumeclaims", OUTSIDE),
  deny("create update patch delete", "persistentvolumes", ["cluster"]),
  deny("list", "persistentvolumes", ["cluster"], { unless: "volumes" }),
  deny("create update patch delete", "storageclasses.storage.k8s.io", ["cluster"]),
  deny("get list", "storageclasses.storage.k8s.io", ["cluster"], { unless: "volumes" }),
  deny("list watch patch", "ingresses.networking.k8s.io", EVERYWHERE),
  deny("get create update delete", "ingresses.networking.k8s.io", OUTSIDE),
  deny("get create update delete", "ingresses.networking.k8s.io", ["workload"], { unless: "ingressPorts" }),
  deny("create delete", "networkpolicies.networking.k8s.io", EVERYWHERE),
  deny("create update patch delete", "ingressclasses.networking.k8s.io", ["cluster"]),
  deny("create patch delete", "validatingwebhookconfigurations.admissionregistration.k8s.io", ["cluster"]),
  deny("create patch delete", "mutatingwebhookconfigurations.admissionregistration.k8s.io", ["cluster"]),
  deny("create patch delete", "validatingadmissionpolicies.admissionregistration.k8s.io", ["cluster"]),
  deny("create patch delete", "validatingadmissionpolicybindings.admissionregistration.k8s.io", ["cluster"]),
  deny("create patch delete", "customresourcedefinitions.apiextensions.k8s.io", ["cluster"]),
  deny("create patch delete", "apiservices.apiregistration.k8s.io", ["cluster"]),
  deny("create approve", "certificatesigningrequests.certificates.k8s.io", ["cluster"]),
  deny("update", "certificatesigningrequests.certificates.k8s.io/approval", ["cluster"]),
  deny("create", "tokenreviews.authentication.k8s.io", ["cluster"]),
  deny("create", "subjectaccessreviews.authorization.k8s.io", ["cluster"]),
];
