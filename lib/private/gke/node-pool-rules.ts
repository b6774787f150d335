import { Token } from "cdktf";
import { Construct } from "constructs";
import {
  GkeGpuDriverVersion,
  GkeGpuSharingStrategy,
  GkeLocationPolicy,
  type GkeNodePool,
  GkeTaintEffect,
} from "../../contracts/gke-node-pool";
import { requireLabelValue } from "../kubernetes/labels";
import {
  CLUSTER_NAME,
  invalid,
  requireAtLeast,
  requireInteger,
  requireName,
  requireOneOf,
  RESERVATION,
} from "../validation";
import { chipsOfTopology } from "./accelerators";
import { requireNodeLabelKey, requireNodeLabels, requireResourceLabels } from "./google-formats";
import { requireNodeZones } from "./locations";
import { requireMachine } from "./machine-rules";
import { tpuOf } from "./machine-types";
import { LONGEST_FLEX_START_SECONDS } from "./node-pools";
import { requireUpgradeSettings } from "./upgrade-settings";

/** https://cloud.google.com/kubernetes-engine/docs/concepts/timesharing-gpus */
const MOST_CLIENTS_PER_GPU = 48;

/** The checks of node pools that Terraform would only report in mid-apply, if at all. */
export function requireNodePools(
  scope: Construct,
  pools: GkeNodePool[] | undefined,
  { autopilot, location }: { autopilot?: boolean; location: string },
): void {
  if (autopilot) {
    if (pools !== undefined) {
      throw invalid(scope, "nodePools", "not be given with 'autopilot', which manages the nodes itself");
    }
    return;
  }
  if (pools === undefined || pools.length === 0) {
    throw invalid(scope, "nodePools", "name at least one pool, unless 'autopilot' is on");
  }
  const names = new Set<string>();
  pools.forEach((pool, index) => {
    requireNodePool(scope, `nodePools[${index}]`, pool, location);
    if (names.has(pool.name)) throw invalid(scope, `nodePools[${index}].name`, "be unique", pool.name);
    names.add(pool.name);
  });
}

function requireNodePool(scope: Construct, path: string, pool: GkeNodePool, location: string): void {
  const minimum = pool.minNodeCount ?? 0;
  requireName(scope, `${path}.name`, pool.name, CLUSTER_NAME);
  requireInteger(scope, `${path}.minNodeCount`, minimum, 0);
  requireInteger(scope, `${path}.maxNodeCount`, pool.maxNodeCount, 0);
  requireAtLeast(scope, `${path}.maxNodeCount`, pool.maxNodeCount, minimum, `minNodeCount (${minimum})`);
  requireInteger(scope, `${path}.initialNodeCount`, pool.initialNodeCount, 0);
  const counts = [minimum, pool.maxNodeCount, pool.initialNodeCount];
  if (pool.initialNodeCount !== undefined && !counts.some((count) => Token.isUnresolved(count))) {
    if (pool.initialNodeCount < minimum || pool.initialNodeCount > pool.maxNodeCount) {
      const range = `be between minNodeCount (${minimum}) and maxNodeCount (${pool.maxNodeCount})`;
      throw invalid(scope, `${path}.initialNodeCount`, range, pool.initialNodeCount);
    }
  }
  requireInteger(scope, `${path}.diskSizeGb`, pool.diskSizeGb, 10);
  requireInteger(scope, `${path}.acceleratorCount`, pool.acceleratorCount, 1);
  for (const property of ["acceleratorCount", "gpuDriverVersion", "gpuSharing"] as const) {
    if (pool[property] !== undefined && pool.acceleratorType === undefined) {
      throw invalid(scope, `${path}.${property}`, "not be given without 'acceleratorType'", pool[property]);
    }
  }
  requireMachine(scope, path, pool);
  requireProvisioning(scope, path, pool);
  requireUpgradeSettings(scope, path, pool);
  const clients = pool.gpuSharing?.maxSharedClientsPerGpu;
  requireInteger(scope, `${path}.gpuSharing.maxSharedClientsPerGpu`, clients, 2, MOST_CLIENTS_PER_GPU);
  requireResourceLabels(scope, `${path}.resourceLabels`, pool.resourceLabels);
  requireNodeLabels(scope, `${path}.labels`, pool.labels);
  requireWords(scope, path, pool);
  pool.taints?.forEach(({ key, value, effect }, at) => {
    requireNodeLabelKey(scope, `${path}.taints[${at}].key`, key);
    requireLabelValue(scope, `${path}.taints[${at}].value`, value);
    requireOneOf(scope, `${path}.taints[${at}].effect`, effect, Object.values(GkeTaintEffect));
  });
  requireSlice(scope, path, pool);
  requireNodeZones(scope, `${path}.zones`, pool.zones, location);
}

/** @throws unless words that Google fixes are among them, which whoever has no types may miss */
function requireWords(scope: Construct, path: string, pool: GkeNodePool): void {
  const { gpuDriverVersion, gpuSharing, locationPolicy, reservationName } = pool;
  requireOneOf(scope, `${path}.gpuDriverVersion`, gpuDriverVersion, Object.values(GkeGpuDriverVersion));
  const strategies = Object.values(GkeGpuSharingStrategy);
  requireOneOf(scope, `${path}.gpuSharing.strategy`, gpuSharing?.strategy, strategies);
  requireOneOf(scope, `${path}.locationPolicy`, locationPolicy, Object.values(GkeLocationPolicy));
  requireName(scope, `${path}.reservationName`, reservationName, RESERVATION);
}

/** @throws if nodes were to come in two ways that Google offers only apart */
function requireProvisioning(scope: Construct, path: string, pool: GkeNodePool): void {
  const { flexStart, maxRunDurationSeconds } = pool;
  requireInteger(scope, `${path}.localSsdCount`, pool.localSsdCount, 0);
  const longest = flexStart ? LONGEST_FLEX_START_SECONDS : undefined;
  requireInteger(scope, `${path}.maxRunDurationSeconds`, maxRunDurationSeconds, 600, longest);
  requireAtMostOneWay(scope, path, pool);
  if (!flexStart) return;
  for (const property of ["minNodeCount", "initialNodeCount"] as const) {
    const count = pool[property] ?? 0;
    if (count === 0 || Token.isUnresolved(count)) continue;
    throw invalid(scope, `${path}.${property}`, "be 0 with 'flexStart', whose pools start empty", count);
  }
}

function requireAtMostOneWay(scope: Construct, path: string, pool: GkeNodePool): void {
  const ways = { spot: pool.spot, flexStart: pool.flexStart, reservationName: pool.reservationName };
  const [first, second] = Object.entries(ways).filter(([, given]) => given);
  if (second === undefined) return;
  throw invalid(scope, `${path}.${second[0]}`, `not be given together with '${first[0]}'`, second[1]);
}

/**
 * A slice of several hosts is created and scaled as a whole, in each zone.
 *
 * https://cloud.google.com/kubernetes-engine/docs/how-to/tpus
 */
function requireSlice(scope: Construct, path: string, pool: GkeNodePool): void {
  const { tpuTopology, placementPolicyName, machineType } = pool;
  if (placementPolicyName !== undefined && tpuTopology === undefined) {
    const rule = "not be given without 'tpuTopology'";
    throw invalid(scope, `${path}.placementPolicyName`, rule, placementPolicyName);
  }
  if (tpuTopology === undefined || Token.isUnresolved(tpuTopology)) return;
  const chips = chipsOfTopology(tpuTopology);
  if (chips === undefined) {
    throw invalid(scope, `${path}.tpuTopology`, 'be a topology such as "4x4" or "2x2x2"', tpuTopology);
  }
  if (Token.isUnresolved(machineType)) return;
  const tpu = tpuOf(machineType);
  if (tpu === undefined) {
    throw invalid(
      scope,
      `${path}.tpuTopology`,
      `not be given for ${machineType}, which has no TPU`,
      tpuTopology,
    );
  }
  if (chips <= tpu.chips) {
    const rule = `be left out for a slice of one host: a ${machineType} has ${tpu.chips} chips, and Google refuses a topology there`;
    throw invalid(scope, `${path}.tpuTopology`, rule, tpuTopology);
  }
  const hosts = chips / tpu.chips;
  if (!Number.isInteger(hosts)) {
    const rule = `have a multiple of the ${tpu.chips} chips of a ${machineType}`;
    throw invalid(scope, `${path}.tpuTopology`, rule, tpuTopology);
  }
  if (/^tpu7x-/.test(machineType) && placementPolicyName === undefined) {
    const rule = `be given for a slice of ${machineType}, which is placed by a workload policy of yours`;
    throw invalid(scope, `${path}.placementPolicyName`, rule);
  }
  requireSliceSize(scope, path, pool, hosts);
}

function requireSliceSize(scope: Construct, path: string, pool: GkeNodePool, hosts: number): void {
  const what = `the hosts of a slice of ${pool.tpuTopology}`;
  const { maxNodeCount } = pool;
  if (maxNodeCount !== hosts && !Token.isUnresolved(maxNodeCount)) {
    throw invalid(scope, `${path}.maxNodeCount`, `be ${hosts}, ${what}`, maxNodeCount);
  }
  for (const property of ["minNodeCount", "initialNodeCount"] as const) {
    const count = pool[property] ?? 0;
    if (count === 0 || count === hosts || Token.isUnresolved(count)) continue;
    throw invalid(scope, `${path}.${property}`, `be 0 or ${hosts}, ${what}`, count);
  }
}
