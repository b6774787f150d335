import { Configuration } from "./configuration";
import { GraphEdge } from "./graph";

/** A resource as it stands in the configuration. */
interface Resource {
  readonly type: string;
  readonly address: string;
  readonly body: any;
}

/** Which APIs a type calls. The provider reads the project by Resource Manager wherever it enables an API. */
const APIS: { [type: string]: string[] } = {
  google_container_cluster: ["container", "compute", "cloudresourcemanager"],
  google_container_node_pool: ["container"],
  google_service_account: ["iam", "cloudresourcemanager"],
  google_service_account_iam_member: ["iam", "iamcredentials"],
  google_project_iam_member: ["cloudresourcemanager"],
  google_project_service: ["cloudresourcemanager"],
  google_storage_bucket: ["storage", "cloudresourcemanager"],
  google_storage_bucket_iam_member: ["storage"],
};

/**
 * Every pair of which the first must wait for the second, read from what the resources say and not from their edges: which
 * account a pod names, which namespace an object is in, whose member a grant is for.
 */
export function mustWaitFor(configuration: Configuration): GraphEdge[] {
  const resources = resourcesOf(configuration);
  const clusters = new Map(resources.map((resource) => [resource, clusterOf(resource, configuration)]));
  const apart = (resource: Resource, other: Resource) =>
    new Set([clusters.get(resource), clusters.get(other)].filter(Boolean)).size > 1;
  const edges: GraphEdge[] = [];
  for (const resource of resources) {
    for (const other of resources) {
      if (resource !== other && !apart(resource, other) && needs(resource, other, resources)) {
        edges.push({ from: resource.address, to: other.address });
      }
    }
  }
  return edges;
}

/** Whether a Helm release holds a RayCluster. */
function rayClusterOf({ type, body }: { type: string; body: any }): any {
  if (type !== "helm_release") return undefined;
  const values = (body.values ?? []).filter((text: string) => text.startsWith('{"manifests"')).map(parse);
  return values.flatMap(({ manifests }: any) => manifests).find(({ kind }: any) => kind === "RayCluster");
}

function resourcesOf(configuration: Configuration): Resource[] {
  return Object.entries<any>(configuration.resource ?? {}).flatMap(([type, bodies]) =>
    Object.entries<any>(bodies).map(([name, body]) => ({ type, address: `${type}.${name}`, body })),
  );
}

/** Name of the block of the one cluster of this stack that a resource is about or in, if there is one. */
function clusterOf(
  { type, address, body }: Resource,
  { provider, resource }: Configuration,
): string | undefined {
  const named = (value: unknown) => /google_container_cluster\.([\w-]+)/.exec(JSON.stringify(value))?.[1];
  const pools = Object.values<any>(resource.google_container_node_pool ?? {});
  switch (type) {
    case "google_container_cluster":
      return address.replace(/^.*\./, "");
    case "google_container_node_pool":
    case "google_service_account_iam_member":
      return named(body);
    case "google_project_iam_member": {
      const account = body.member.replace(/\.member\}$/, ".email}");
      return named(pools.find(({ node_config: config }) => config.service_account === account));
    }
    default: {
      const [name, alias] = (body.provider ?? "").split(".");
      return named([provider?.[name] ?? []].flat().find((block: any) => block.alias === alias));
    }
  }
}

function needs(resource: Resource, other: Resource, all: Resource[]): boolean {
  return (
    needsApi(resource, other) ||
    needsNodes(resource, other) ||
    needsNamespace(resource, other) ||
    needsPool(resource, other) ||
    needsRole(resource, other) ||
    needsAccount(resource, other) ||
    needsPolicy(resource, other) ||
    needsRelease(resource, other) ||
    deploymentNeeds(resource, other) ||
    rayClusterNeeds(resource, other, all)
  );
}

function needsApi({ type }: Resource, other: Resource): boolean {
  return (
    other.type === "google_project_service" &&
    (APIS[type] ?? []).some((api) => other.body.service === `${api}.googleapis.com`)
  );
}

/** Kubernetes objects need an API server and nodes whose account may work; so they do to be deleted. */
function needsNodes({ type }: Resource, other: Resource): boolean {
  const nodes = ["google_container_cluster", "google_container_node_pool", "google_project_iam_member"];
  const inCluster = type.startsWith("kubernetes_") || type === "helm_release";
  const pool = type === "google_container_node_pool" && other.type === "google_project_iam_member";
  return pool || (inCluster && nodes.includes(other.type));
}

function needsNamespace({ type, body }: Resource, other: Resource): boolean {
  const namespace = type === "helm_release" ? body.namespace : body.metadata?.namespace;
  return other.type === "kubernetes_namespace_v1" && other.body.metadata.name === namespace;
}

/** A member of a workload identity pool is refused before there is a cluster with that pool. */
function needsPool({ body }: Resource, other: Resource): boolean {
  return other.type === "google_container_cluster" && /svc\.id\.goog\[|workload_pool/.test(body.member ?? "");
}

/** A binding is refused, or gives nobody anything, without its role. */
function needsRole({ body }: Resource, other: Resource): boolean {
  const { kind, name } = body.role_ref ?? {};
  const types: { [kind: string]: string } = {
    Role: "kubernetes_role_v1",
    ClusterRole: "kubernetes_cluster_role_v1",
  };
  return (
    other.type === types[kind] &&
    other.body.metadata.name === name &&
    (kind === "ClusterRole" || other.body.metadata.namespace === body.metadata.namespace)
  );
}

/** A token is refused without the account that it is for. */
function needsAccount({ type, body }: Resource, other: Resource): boolean {
  const account = body.metadata?.annotations?.["kubernetes.io/service-account.name"];
  return (
    type === "kubernetes_secret_v1" &&
    account !== undefined &&
    other.type === "kubernetes_service_account_v1" &&
    other.body.metadata.name === account &&
    other.body.metadata.namespace === body.metadata.namespace
  );
}

/** Nobody may make DaemonSets where these may be privileged before there is a policy that says which. */
function needsPolicy({ type, body }: Resource, other: Resource): boolean {
  return (
    type === "kubernetes_role_v1" &&
    [body.rule].flat().some(({ resources }) => resources.includes("daemonsets")) &&
    isPolicy(other) &&
    other.body.namespace === body.metadata.namespace
  );
}

/** Whether a Helm release holds admission policies. */
function isPolicy({ type, body }: Resource): boolean {
  return type === "helm_release" && /"ValidatingAdmissionPolicy"/.test(body.values?.[0] ?? "");
}

/** Whether an admission policy is about the account of a Ray cluster's head. */
function holdsAccountOf({ body }: Resource, rayCluster: any): boolean {
  const user = `system:serviceaccount:${rayCluster.metadata.namespace}:${accountsOf(rayCluster)[0]}`;
  return body.values[0].includes(JSON.stringify(`"${user}"`).slice(1, -1));
}

/** The Job that waits for a Ray cluster has something to wait for only once that is described. */
function needsRelease({ type, body }: Resource, other: Resource): boolean {
  const rayCluster = type === "kubernetes_job_v1" ? rayClusterOf(other) : undefined;
  return (
    rayCluster !== undefined &&
    body.metadata.namespace === rayCluster.metadata.namespace &&
    body.metadata.name === `${rayCluster.metadata.name}-ready`
  );
}

/** Pods start with their account, what it may ask, and the ConfigMaps that they mount. */
function deploymentNeeds({ type, body }: Resource, other: Resource): boolean {
  if (type !== "kubernetes_deployment_v1") return false;
  const { namespace } = body.metadata;
  const { service_account_name: account, volume } = body.spec.template.spec;
  switch (other.type) {
    case "kubernetes_service_account_v1":
      return other.body.metadata.namespace === namespace && other.body.metadata.name === account;
    case "kubernetes_cluster_role_binding_v1":
      return other.body.subject.some(
        (subject: any) => subject.namespace === namespace && subject.name === account,
      );
    case "kubernetes_config_map_v1":
      return (
        other.body.metadata.namespace === namespace &&
        volume.some(({ config_map }: any) => config_map?.name === other.body.metadata.name)
      );
    default:
      return false;
  }
}

function rayClusterNeeds(release: Resource, other: Resource, all: Resource[]): boolean {
  const rayCluster = rayClusterOf(release);
  if (rayCluster === undefined) return false;
  const { namespace, name } = rayCluster.metadata;
  const accounts = accountsOf(rayCluster);
  switch (other.type) {
    case "kubernetes_service_account_v1":
    case "kubernetes_annotations":
      return other.body.metadata.namespace === namespace && accounts.includes(other.body.metadata.name);
    case "kubernetes_network_policy_v1":
      return (
        other.body.metadata.namespace === namespace &&
        other.body.spec.pod_selector.match_labels["ray.io/cluster"] === name
      );
    case "kubernetes_config_map_v1":
      return (
        other.body.metadata.namespace === namespace &&
        volumesOf(rayCluster).includes(other.body.metadata.name)
      );
    case "kubernetes_secret_v1":
      return (
        other.body.metadata.namespace === namespace &&
        volumesOf(rayCluster).includes(other.body.metadata.name)
      );
    case "kubernetes_cluster_role_binding_v1":
      return other.body.subject.some(
        (subject: any) => subject.namespace === namespace && accounts.includes(subject.name),
      );
    case "google_service_account_iam_member":
      return accounts.some((account) => other.body.member.endsWith(`[${namespace}/${account}]`));
    case "google_storage_bucket_iam_member":
      return accounts.some((account) => membersOf(namespace, account, all).some((m) => isMember(other, m)));
    case "kubernetes_job_v1":
      // The operator's, not the one that waits for the Ray cluster.
      return other.body.metadata.name === "ray-operator-addon-gate";
    case "helm_release":
      return rayClusterOf(other) === undefined && (!isPolicy(other) || holdsAccountOf(other, rayCluster));
    default:
      return false;
  }
}

function accountsOf(rayCluster: any): string[] {
  const { headGroupSpec, workerGroupSpecs } = rayCluster.spec;
  return [headGroupSpec, ...workerGroupSpecs].map(({ template }) => template.spec.serviceAccountName);
}

/** The ConfigMaps and Secrets that pods mount. */
function volumesOf(rayCluster: any): string[] {
  const { headGroupSpec, workerGroupSpecs } = rayCluster.spec;
  return [headGroupSpec, ...workerGroupSpecs].flatMap(({ template }) =>
    (template.spec.volumes ?? []).map((volume: any) => volume.configMap?.name ?? volume.secret?.secretName),
  );
}

/** What a grant's member contains when it is for a Kubernetes service account. */
function membersOf(namespace: string, account: string, all: Resource[]): string[] {
  const bindings = all.filter(
    ({ type, body }) =>
      type === "google_service_account_iam_member" && body.member.endsWith(`[${namespace}/${account}]`),
  );
  const googleAccounts = bindings.map(({ body }) =>
    body.service_account_id.replace(/^.*\//, "").replace(/\.name\}$/, "."),
  );
  return [...googleAccounts, `/subject/ns/${namespace}/sa/${account}`];
}

function isMember(grant: Resource, member: string): boolean {
  return grant.body.member.includes(member);
}

function parse(text: string): any {
  return JSON.parse(text);
}
