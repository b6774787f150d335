import { createHash } from "node:crypto";
import { failedPrecondition, GoogleError, invalidArgument } from "./errors";
import { Json, overlay, withoutDefaults } from "./json";
import { checkClusterName, checkLabels, checkNodeLabels } from "./names";
import { checkDiskKey, checkNodeServiceAccount, checkTpuSlice, machineProblem } from "./node-rules";
import { Project } from "./project";

export const NODE_VERSION = "1.34.4-gke.1043000";

export const OAUTH_SCOPES = [
  "https://www.googleapis.com/auth/devstorage.read_only",
  "https://www.googleapis.com/auth/logging.write",
  "https://www.googleapis.com/auth/monitoring",
  "https://www.googleapis.com/auth/service.management.readonly",
  "https://www.googleapis.com/auth/servicecontrol",
  "https://www.googleapis.com/auth/trace.append",
];

/** A node pool and what its answer does not say: how many nodes it has in each zone. */
export interface NodePool {
  readonly pool: Json;
  nodesPerZone: number;
  /** Why it gets no machines, if it gets none: the operation that makes it then fails. */
  readonly problem?: string;
}

export interface NodePoolPlace {
  readonly project: Project;
  readonly location: string;
  readonly cluster: Json;
}

/**
 * A pool as the API answers it, from what was asked for.
 *
 * @throws GoogleError 400 for what the API refuses
 */
export function newNodePool(requested: Json, place: NodePoolPlace): NodePool {
  checkNodePool(requested, place);
  const { project, location, cluster } = place;
  const { name } = requested;
  const locations: string[] = requested.locations?.length ? requested.locations : cluster.locations;
  const initialNodeCount = requested.initialNodeCount ?? requested.autoscaling?.minNodeCount ?? 0;
  const path = `projects/${project.id}/locations/${location}/clusters/${cluster.name}/nodePools/${name}`;
  const pool = withoutDefaults({
    ...requested,
    config: nodeConfig(requested.config),
    initialNodeCount,
    instanceGroupUrls: locations.map((zone) => instanceGroupUrl(project, cluster.name, name, zone)),
    locations,
    management: requested.management ?? { autoRepair: true, autoUpgrade: true },
    maxPodsConstraint: requested.maxPodsConstraint ?? { maxPodsPerNode: "110" },
    networkConfig: overlay(
      {
        enablePrivateNodes: cluster.networkConfig.defaultEnablePrivateNodes,
        podIpv4CidrBlock: cluster.clusterIpv4Cidr,
        podIpv4RangeUtilization: 0.001,
        podRange: `${name}-pods-${shortHash(cluster.name, name)}`,
        subnetwork: cluster.networkConfig.subnetwork,
      },
      requested.networkConfig,
    ),
    podIpv4CidrSize: 24,
    selfLink: `https://container.googleapis.com/v1/${path}`,
    status: "PROVISIONING",
    upgradeSettings: requested.upgradeSettings ?? { maxSurge: 1, strategy: "SURGE" },
    version: requested.version || cluster.currentMasterVersion,
  });
  return { pool, nodesPerZone: initialNodeCount, problem: machineProblem(pool, project) };
}

/** What the API makes of the node settings that were asked for. */
function nodeConfig(requested: Json = {}): Json {
  const diskSizeGb = requested.diskSizeGb || 100;
  const diskType = requested.diskType || "pd-balanced";
  const provisioning = requested.spot ? "spot" : requested.preemptible ? "preemptible" : "on-demand";
  const filled = overlay(
    {
      effectiveCgroupMode: "EFFECTIVE_CGROUP_MODE_V2",
      imageType: "COS_CONTAINERD",
      kubeletConfig: { insecureKubeletReadonlyPortEnabled: false, maxParallelImagePulls: 2 },
      machineType: "e2-medium",
      oauthScopes: OAUTH_SCOPES,
      serviceAccount: "default",
      shieldedInstanceConfig: { enableIntegrityMonitoring: true },
      windowsNodeConfig: {},
    },
    requested,
  );
  return withoutDefaults({
    ...filled,
    bootDisk: { diskType, sizeGb: String(diskSizeGb) },
    diskSizeGb,
    diskType,
    // The API adds these to whatever was asked for, so that a configuration that asks for other metadata but
    // leaves this key out never settles.
    metadata: { "disable-legacy-endpoints": "true", ...requested.metadata },
    resourceLabels: { ...requested.resourceLabels, "goog-gke-node-pool-provisioning-model": provisioning },
    accelerators: requested.accelerators?.map((accelerator: Json) => ({
      ...accelerator,
      acceleratorCount: String(accelerator.acceleratorCount),
    })),
  });
}

export function instanceGroupName(cluster: string, pool: string): string {
  return `gke-${cluster.slice(0, 20)}-${pool.slice(0, 20)}-${shortHash(cluster, pool)}-grp`;
}

function instanceGroupUrl(project: Project, cluster: string, pool: string, zone: string): string {
  return (
    `https://www.googleapis.com/compute/v1/projects/${project.id}/zones/${zone}` +
    `/instanceGroupManagers/${instanceGroupName(cluster, pool)}`
  );
}

function shortHash(...parts: string[]): string {
  return createHash("sha256").update(parts.join("/")).digest("hex").slice(0, 8);
}

function checkNodePool(requested: Json, { project, cluster }: NodePoolPlace): void {
  checkClusterName("node_pool.name", requested.name);
  checkNodeConfig(requested.config ?? {}, project, cluster);
  checkTpuSlice(requested);
  checkUpgradeSettings(requested.upgradeSettings);
  const { autoscaling, initialNodeCount = 0 } = requested;
  if (initialNodeCount < 0) throw invalidArgument("node_pool.initial_node_count must not be negative.");
  if (!autoscaling?.enabled) return;
  checkAutoscaling(autoscaling);
}

/** https://cloud.google.com/kubernetes-engine/docs/concepts/node-pool-upgrade-strategies */
function checkUpgradeSettings(settings: Json | undefined): void {
  const { strategy = "SURGE", maxSurge = 0, maxUnavailable = 0, blueGreenSettings } = settings ?? {};
  if (settings === undefined || strategy === "SHORT_LIVED") return;
  if (strategy === "BLUE_GREEN") {
    if (maxSurge + maxUnavailable > 0) {
      throw invalidArgument("max_surge and max_unavailable must not be set with the BLUE_GREEN strategy.");
    }
    return;
  }
  if (blueGreenSettings !== undefined) {
    throw invalidArgument("blue_green_settings must not be set with the SURGE strategy.");
  }
  if (maxSurge + maxUnavailable < 1 || maxSurge + maxUnavailable > 20) {
    throw invalidArgument("The sum of max_surge and max_unavailable must be between 1 and 20.");
  }
}

export function checkAutoscaling(autoscaling: Json): void {
  const { minNodeCount = 0, maxNodeCount = 0, totalMinNodeCount = 0, totalMaxNodeCount = 0 } = autoscaling;
  if (maxNodeCount > 0 && totalMaxNodeCount > 0) {
    throw invalidArgument("Only one of max_node_count and total_max_node_count may be set.");
  }
  if (maxNodeCount === 0 && totalMaxNodeCount === 0) {
    throw invalidArgument("node_pool.autoscaling.max_node_count must be at least 1.");
  }
  if (
    (maxNodeCount > 0 && minNodeCount > maxNodeCount) ||
    totalMinNodeCount > (totalMaxNodeCount || Infinity)
  ) {
    throw invalidArgument("node_pool.autoscaling.min_node_count must not be more than max_node_count.");
  }
}

function checkNodeConfig(config: Json, project: Project, cluster: Json): void {
  checkLabels("node_config.resource_labels", config.resourceLabels);
  checkNodeLabels(config.labels);
  checkNodeServiceAccount(config.serviceAccount, project);
  checkDiskKey(config, project);
  if (config.spot && config.preemptible) {
    throw invalidArgument("Only one of spot and preemptible may be set.");
  }
  const metadataMode = config.workloadMetadataConfig?.mode;
  if (metadataMode === "GKE_METADATA" && !cluster.workloadIdentityConfig?.workloadPool) {
    throw failedPrecondition(
      "Workload metadata mode GKE_METADATA requires Workload Identity to be enabled on the cluster.",
    );
  }
}

/** Fields of UpdateNodePoolRequest and where they go in the pool. */
const UPDATES: Readonly<Record<string, (pool: Json, value: any) => void>> = {
  nodeVersion: (pool, value) => (pool.version = value),
  imageType: (pool, value) => (pool.config.imageType = value),
  locations: (pool, value: string[]) => {
    const [url] = pool.instanceGroupUrls;
    pool.locations = value;
    pool.instanceGroupUrls = value.map((zone) => url.replace(/zones\/[^/]+/, `zones/${zone}`));
  },
  workloadMetadataConfig: (pool, value) => (pool.config.workloadMetadataConfig = value),
  upgradeSettings: (pool, value) => {
    checkUpgradeSettings(value);
    pool.upgradeSettings = value;
  },
  tags: (pool, value) => (pool.config.tags = value.tags),
  taints: (pool, value) => (pool.config.taints = value.taints),
  labels: (pool, value) => (pool.config.labels = value.labels),
  resourceLabels: (pool, value) => (pool.config.resourceLabels = value.labels),
  linuxNodeConfig: (pool, value) => (pool.config.linuxNodeConfig = value),
  kubeletConfig: (pool, value) => (pool.config.kubeletConfig = overlay(pool.config.kubeletConfig, value)),
  nodeNetworkConfig: (pool, value) => (pool.networkConfig = overlay(pool.networkConfig, value)),
  gcfsConfig: (pool, value) => (pool.config.gcfsConfig = value),
  gvnic: (pool, value) => (pool.config.gvnic = value),
  fastSocket: (pool, value) => (pool.config.fastSocket = value),
  loggingConfig: (pool, value) => (pool.config.loggingConfig = value),
  windowsNodeConfig: (pool, value) => (pool.config.windowsNodeConfig = value),
  containerdConfig: (pool, value) => (pool.config.containerdConfig = value),
  confidentialNodes: (pool, value) => (pool.config.confidentialNodes = value),
  resourceManagerTags: (pool, value) => (pool.config.resourceManagerTags = value),
  storagePools: (pool, value) => (pool.config.storagePools = value),
  accelerators: (pool, value) => (pool.config.accelerators = value),
  bootDisk: (pool, value) => {
    if (value.diskType) pool.config.diskType = value.diskType;
    if (value.sizeGb) pool.config.diskSizeGb = Number(value.sizeGb);
  },
  machineType: (pool, value) => (pool.config.machineType = value),
  diskType: (pool, value) => (pool.config.diskType = value),
  diskSizeGb: (pool, value) => (pool.config.diskSizeGb = Number(value)),
};

/** Names the request also carries, which repeat what its path says. */
const NAMES = ["name", "nodePoolId", "clusterId", "projectId", "zone"];

/** @throws GoogleError 501 for a field whose effect is not known here */
export function updateNodePool(pool: Json, request: Json): void {
  for (const [field, value] of Object.entries(request)) {
    if (NAMES.includes(field)) continue;
    const update = UPDATES[field];
    if (!update) throw new GoogleError(501, `Update of node pool field ${field} is not rehearsed.`);
    update(pool, value);
  }
  const config = nodeConfig(pool.config);
  for (const field of Object.keys(pool.config)) delete pool.config[field];
  Object.assign(pool.config, config);
}
