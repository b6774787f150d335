import { Token } from "cdktf";
import { IConstruct } from "constructs";
import { GkeNodePool, GkeTaint, GkeTaintEffect } from "../../contracts/gke-node-pool";
import type { IGkeWorkloadIdentityCluster } from "../../contracts/gke-workload-identity-cluster";
import type { ManifestPart, ManifestValue } from "../../contracts/manifest";
import {
  chipsOfTopology,
  GPU_LABEL,
  GPU_RESOURCE,
  SPOT_LABEL,
  TPU_LABEL,
  TPU_RESOURCE,
  TPU_TOPOLOGY_LABEL,
} from "../gke/accelerators";
import { allocatable, NodeResources, tpuOf } from "../gke/machine-types";
import { labelsOfPool, taintsOfPool } from "../gke/node-pools";
import { quantityValue } from "../kubernetes/quantities";
import { invalid } from "../validation";
import { MOUNTED_ANNOTATION } from "./bucket-mounts";

/** Labels by which a pool says what its nodes are; of others under Google's and Kubernetes' names nothing is known here. */
const POOL_LABELS = [GPU_LABEL, TPU_LABEL, SPOT_LABEL, "cloud.google.com/gke-nodepool"];
const SYSTEM_LABEL = /(^|\.)(kubernetes\.io|k8s\.io|cloud\.google\.com|gke\.io)\//;

/** https://cloud.google.com/kubernetes-engine/docs/concepts/about-custom-compute-classes */
const COMPUTE_CLASS_LABEL = "cloud.google.com/compute-class";

/** Where pods go that no pool of the cluster is for. */
const WAYS_OUT = `nodes from elsewhere are stated by 'otherNodePools' of the cluster or a nodeSelector ${COMPUTE_CLASS_LABEL}`;

/** https://github.com/GoogleCloudPlatform/gcs-fuse-csi-driver/blob/main/docs/usage.md */
const FUSE_SIDECAR = { cpu: "250m", memory: "256Mi" };

/** What one pod of a group asks of a node. */
interface PodNeeds extends NodeResources {
  readonly gpus: number;
  readonly tpuChips: number;
  readonly hosts: number;
  readonly nodeSelector: { [name: string]: string };
  readonly tolerations: ManifestPart[];
}

/**
 * @param path of the group, for the error
 * @param group as it stands in the manifest of the Ray cluster
 * @param injected containers that the operator adds
 * @param what begins the sentence that goes on with "a node pool"
 * @throws if the cluster is made here and no node of its pools could ever hold a pod of the group
 */
export function requireRoom(
  scope: IConstruct,
  cluster: IGkeWorkloadIdentityCluster,
  path: string,
  group: ManifestPart,
  injected: NodeResources[] = [],
  what = "fit on",
): void {
  if (cluster.otherNodePools || cluster.nodePools.length === 0) return;
  const needs = needsOf(group, injected);
  // A compute class leads pods to nodes that it creates itself.
  if (COMPUTE_CLASS_LABEL in needs.nodeSelector) return;
  const candidates = cluster.nodePools.map((pool) => ({
    pool,
    obstacles: obstaclesOf(pool, cluster.nodePools, needs),
  }));
  if (candidates.some(({ obstacles }) => obstacles.length === 0)) return;
  const size = ({ pool }: { pool: GkeNodePool }) => allocatable(pool.machineType)?.memoryGiB ?? 0;
  const [nearest] = candidates.sort(
    (one, other) => one.obstacles.length - other.obstacles.length || size(other) - size(one),
  );
  const { name, machineType } = nearest.pool;
  throw invalid(
    scope,
    path,
    `${what} a node pool of ${cluster.node.path}: the nearest, ${JSON.stringify(name)} (${machineType}), ${nearest.obstacles.join(" and ")}; ${WAYS_OUT}`,
  );
}

function needsOf(group: ManifestPart, injected: NodeResources[]): PodNeeds {
  const { metadata, spec } = group.template;
  const annotations = metadata?.annotations ?? {};
  const all = [...injected];
  if (annotations[MOUNTED_ANNOTATION] === "true") {
    const quantityOf = (resource: "cpu" | "memory") =>
      annotations[`gke-gcsfuse/${resource}-request`] ??
      annotations[`gke-gcsfuse/${resource}-limit`] ??
      FUSE_SIDECAR[resource];
    all.push({ cpu: quantityValue(quantityOf("cpu")), memoryGiB: gib(quantityOf("memory")) });
  }
  const sidecars = (spec.initContainers ?? []).filter(
    ({ restartPolicy }: ManifestValue) => restartPolicy === "Always",
  );
  for (const container of [...spec.containers, ...sidecars]) {
    all.push({ cpu: request(container, "cpu"), memoryGiB: request(container, "memory") / 2 ** 30 });
  }
  const limits = spec.containers[0].resources?.limits ?? {};
  return {
    cpu: all.reduce((sum, { cpu }) => sum + cpu, 0),
    memoryGiB: all.reduce((sum, { memoryGiB }) => sum + memoryGiB, 0),
    gpus: quantityValue(limits[GPU_RESOURCE]),
    tpuChips: quantityValue(limits[TPU_RESOURCE]),
    hosts: group.numOfHosts ?? 1,
    nodeSelector: spec.nodeSelector ?? {},
    tolerations: spec.tolerations ?? [],
  };
}

/** Why a pool cannot hold such a pod, as ends of the sentence "the pool ...". */
function obstaclesOf(pool: GkeNodePool, pools: GkeNodePool[], needs: PodNeeds): string[] {
  if (Token.isUnresolved(pool.machineType)) return [];
  return [
    ...missingLabels(pool, needs),
    ...missingResources(pool, needs),
    ...taintsOf(pool, pools, needs)
      .filter((taint) => !needs.tolerations.some((toleration) => tolerates(toleration, taint)))
      .map(
        ({ key, value, effect }) =>
          `has the taint ${key}=${value}:${EFFECTS[effect] ?? effect}, which is not tolerated`,
      ),
  ];
}

function missingLabels(pool: GkeNodePool, { nodeSelector }: PodNeeds): string[] {
  const tpu = tpuOf(pool.machineType);
  const labels: { [name: string]: string | undefined } = {
    ...labelsOfPool(pool),
    "cloud.google.com/gke-nodepool": pool.name,
    [GPU_LABEL]: pool.acceleratorType,
    [TPU_LABEL]: tpu && (tpu.accelerator ?? nodeSelector[TPU_LABEL]),
    [SPOT_LABEL]: pool.spot ? "true" : undefined,
  };
  return Object.entries(nodeSelector)
    .filter(([name, wanted]) => {
      if (name === TPU_TOPOLOGY_LABEL) return !hasTopology(pool, wanted);
      if (labels[name] === undefined && SYSTEM_LABEL.test(name) && !POOL_LABELS.includes(name)) return false;
      return labels[name] !== wanted && !Token.isUnresolved(wanted) && !Token.isUnresolved(labels[name]);
    })
    .map(([name, wanted]) => `is not labelled ${name}=${wanted}`);
}

/** A pool without a topology has slices of one host. */
function hasTopology(pool: GkeNodePool, topology: string): boolean {
  if (pool.tpuTopology !== undefined) return pool.tpuTopology === topology;
  return tpuOf(pool.machineType)?.chips === chipsOfTopology(topology);
}

function missingResources(pool: GkeNodePool, needs: PodNeeds): string[] {
  const node = allocatable(pool.machineType);
  const gpus = pool.acceleratorType === undefined ? 0 : (pool.acceleratorCount ?? 1);
  const tpuChips = tpuOf(pool.machineType)?.chips ?? 0;
  const lacks: [what: string, has: number, wanted: number][] = [
    ["CPUs for pods", node?.cpu ?? Infinity, needs.cpu],
    ["GiB for pods", node?.memoryGiB ?? Infinity, needs.memoryGiB],
    ["GPUs", gpus, needs.gpus],
    ["TPU chips", tpuChips, needs.tpuChips],
    ["nodes at the most", pool.maxNodeCount, needs.hosts],
  ];
  return lacks
    .filter(([, has, wanted]) => wanted > has && !Token.isUnresolved(has))
    .map(([what, has, wanted]) => `has ${rounded(has)} ${what}, not ${rounded(wanted)}`);
}

/** Its own, and those that GKE puts on nodes with accelerators where there are others too. */
function taintsOf(pool: GkeNodePool, pools: GkeNodePool[], needs: PodNeeds): GkeTaint[] {
  const present = (key: string) => ({ key, value: "present", effect: GkeTaintEffect.NO_SCHEDULE });
  const isGpu = (one: GkeNodePool) => one.acceleratorType !== undefined;
  const isTpu = (one: GkeNodePool) => tpuOf(one.machineType) !== undefined;
  return [
    ...taintsOfPool(pool).filter(({ effect }) => effect !== GkeTaintEffect.PREFER_NO_SCHEDULE),
    ...(isGpu(pool) && !pools.every(isGpu) && needs.gpus === 0 ? [present(GPU_RESOURCE)] : []),
    ...(isTpu(pool) && !pools.every(isTpu) && needs.tpuChips === 0 ? [present(TPU_RESOURCE)] : []),
  ];
}

/** https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/ */
function tolerates(toleration: ManifestPart, taint: GkeTaint): boolean {
  const { key, operator = "Equal", value = "", effect } = toleration;
  if ([key, value, taint.key, taint.value].some((part) => Token.isUnresolved(part))) return true;
  if (effect !== undefined && EFFECTS[taint.effect] !== effect) return false;
  if (key === undefined) return operator === "Exists";
  return key === taint.key && (operator === "Exists" || value === taint.value);
}

/** Kubernetes' words for GKE's. */
const EFFECTS: { [effect in GkeTaintEffect]: string } = {
  [GkeTaintEffect.NO_SCHEDULE]: "NoSchedule",
  [GkeTaintEffect.PREFER_NO_SCHEDULE]: "PreferNoSchedule",
  [GkeTaintEffect.NO_EXECUTE]: "NoExecute",
};

function request({ resources }: ManifestValue, resource: "cpu" | "memory"): number {
  return quantityValue(resources?.requests?.[resource] ?? resources?.limits?.[resource] ?? 0);
}

function gib(quantity: string): number {
  return quantityValue(quantity) / 2 ** 30;
}

function rounded(amount: number): number {
  return Math.round(amount * 100) / 100;
}
