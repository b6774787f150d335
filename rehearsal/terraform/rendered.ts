import { readFileSync } from "node:fs";
import { join } from "node:path";

/** Kubernetes kinds of the resource types that the constructs use. */
const KINDS: Readonly<Record<string, { apiVersion: string; kind: string }>> = {
  kubernetes_namespace_v1: { apiVersion: "v1", kind: "Namespace" },
  kubernetes_config_map_v1: { apiVersion: "v1", kind: "ConfigMap" },
  kubernetes_secret_v1: { apiVersion: "v1", kind: "Secret" },
  kubernetes_cluster_role_v1: { apiVersion: "rbac.authorization.k8s.io/v1", kind: "ClusterRole" },
  kubernetes_cluster_role_binding_v1: {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "ClusterRoleBinding",
  },
  kubernetes_role_v1: { apiVersion: "rbac.authorization.k8s.io/v1", kind: "Role" },
  kubernetes_role_binding_v1: { apiVersion: "rbac.authorization.k8s.io/v1", kind: "RoleBinding" },
  kubernetes_service_account_v1: { apiVersion: "v1", kind: "ServiceAccount" },
  kubernetes_network_policy_v1: { apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy" },
  kubernetes_service_v1: { apiVersion: "v1", kind: "Service" },
  kubernetes_deployment_v1: { apiVersion: "apps/v1", kind: "Deployment" },
  kubernetes_pod_disruption_budget_v1: { apiVersion: "policy/v1", kind: "PodDisruptionBudget" },
  kubernetes_job_v1: { apiVersion: "batch/v1", kind: "Job" },
  kubernetes_resource_quota_v1: { apiVersion: "v1", kind: "ResourceQuota" },
};

/** Attributes whose keys are the user's own words. */
const MAPS = [
  "data",
  "data_wo",
  "labels",
  "annotations",
  "match_labels",
  "node_selector",
  "limits",
  "requests",
  "hard",
];

/** Lists that Terraform names in the singular, one block an item. */
const PLURALS: Readonly<Record<string, string>> = {
  container: "containers",
  port: "ports",
  rule: "rules",
  subject: "subjects",
  toleration: "tolerations",
  topology_spread_constraint: "topologySpreadConstraints",
  volume: "volumes",
  volume_mount: "volumeMounts",
};

/** Attributes that are text in Terraform, and numbers in Kubernetes where they are written as one: a port may have a name. */
const NUMBERS = ["max_unavailable", "port", "replicas", "target_port"];

/** Attributes that Kubernetes calls otherwise: the provider encodes `data_wo` as it is, and DownwardAPI is an acronym. */
const RENAMED: Readonly<Record<string, string>> = {
  data_wo: "stringData",
  downward_api: "downwardAPI",
};

/** Attributes that only Terraform reads. */
const TERRAFORM_ONLY = [
  "//",
  "data_wo_revision",
  "depends_on",
  "provider",
  "lifecycle",
  "timeouts",
  "wait_for_completion",
];

/**
 * The Kubernetes objects of a synthesized stack, as the providers would send them: for machines where the providers cannot
 * be installed. What only an apply knows is a placeholder. Namespaces come first and RayClusters last.
 */
export function renderedObjects(stackFolder: string): any[] {
  const { resource = {} } = JSON.parse(readFileSync(join(stackFolder, "cdk.tf.json"), "utf8"));
  const typed = Object.keys(KINDS).flatMap((type) =>
    Object.values<any>(resource[type] ?? {}).map((body) => ({ ...KINDS[type], ...objectOf(body) })),
  );
  const manifests = Object.values<any>(resource.helm_release ?? {})
    .flatMap(({ values = [] }) => values)
    .filter((text: string) => text.startsWith('{"manifests"'))
    .flatMap((text: string) => JSON.parse(text).manifests);
  return [...typed, ...manifests];
}

function objectOf(body: any): any {
  const own = Object.entries(body).filter(([name]) => !TERRAFORM_ONLY.includes(name));
  return Object.fromEntries(own.map(([name, value]) => [fieldName(name, value), fieldValue(name, value)]));
}

function fieldName(name: string, value: unknown): string {
  const isBlock = typeof value === "object";
  if (name in RENAMED) return RENAMED[name];
  if (isBlock && name in PLURALS) return PLURALS[name];
  return name.replace(/_([a-z])/g, (_match, letter: string) => letter.toUpperCase());
}

function fieldValue(name: string, value: any): any {
  if (typeof value === "string") {
    if (NUMBERS.includes(name) && /^\d+$/.test(value)) return Number(value);
    return value.replace(/\$\{[^}]*\}/g, "known-after-apply");
  }
  if (value === null || typeof value !== "object") return value;
  if (MAPS.includes(name) || isServiceSelector(name, value)) return mapOf(value);
  if (Array.isArray(value)) return value.map((item) => (typeof item === "object" ? objectOf(item) : item));
  return name in PLURALS ? [objectOf(value)] : objectOf(value);
}

function mapOf(value: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fieldValue("", item)]));
}

/** A Service selects by labels alone; the selectors of other kinds say `match_labels`. */
function isServiceSelector(name: string, value: object): boolean {
  return name === "selector" && Object.values(value).every((label) => typeof label === "string");
}
