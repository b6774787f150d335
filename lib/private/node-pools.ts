import type { ContainerNodePoolConfig } from "@cdktf/provider-google/lib/container-node-pool";
import { Token } from "cdktf";
import { Construct } from "constructs";
import { GkeGpuDriverVersion, GkeNodePool, GkeTaint, GkeTaintEffect } from "../gke-node-pool";
import { SPOT_LABEL } from "./accelerators";
import { CLUSTER_NAME, LOCATION, invalid, requireAtLeast, requireInteger, requireName } from "./validation";

/** Keeps pods off spot nodes that do not say that they may be taken away. GKE puts none there by itself. */
const SPOT_TAINT: GkeTaint = { key: SPOT_LABEL, value: "true", effect: GkeTaintEffect.NO_SCHEDULE };

/** The taints of a pool's nodes: the user's, and of spot nodes ours. */
export function taintsOfPool({ spot, taints = [] }: GkeNodePool): GkeTaint[] {
  const isGiven = taints.some(({ key, effect }) => key === SPOT_TAINT.key && effect === SPOT_TAINT.effect);
  return spot && !isGiven ? [...taints, SPOT_TAINT] : taints;
}

/** What a node pool is made of, as the provider wants it. */
export function nodePoolConfig(
  pool: GkeNodePool,
  serviceAccount: string,
): Omit<ContainerNodePoolConfig, "cluster"> {
  const minNodeCount = pool.minNodeCount ?? 0;
  const taints = taintsOfPool(pool);
  return {
    name: pool.name,
    nodeLocations: pool.zones,
    initialNodeCount: pool.initialNodeCount ?? minNodeCount,
    autoscaling: { minNodeCount, maxNodeCount: pool.maxNodeCount },
    management: { autoRepair: true, autoUpgrade: true },
    placementPolicy: pool.tpuTopology ? { type: "COMPACT", tpuTopology: pool.tpuTopology } : undefined,
    nodeConfig: {
      machineType: pool.machineType,
      diskSizeGb: pool.diskSizeGb ?? 100,
      diskType: pool.diskType,
      labels: pool.labels,
      taint: taints.length > 0 ? taints.map(({ key, value, effect }) => ({ key, value, effect })) : undefined,
      spot: pool.spot,
      serviceAccount,
      // Access is decided by IAM roles, not by scopes. https://cloud.google.com/compute/docs/access/service-accounts
      oauthScopes: ["https://www.googleapis.com/auth/cloud-platform"],
      workloadMetadataConfig: { mode: "GKE_METADATA" },
      shieldedInstanceConfig: { enableSecureBoot: true, enableIntegrityMonitoring: true },
      guestAccelerator: pool.acceleratorType
        ? [
            {
              type: pool.acceleratorType,
              count: pool.acceleratorCount ?? 1,
              gpuDriverInstallationConfig: {
                gpuDriverVersion: pool.gpuDriverVersion ?? GkeGpuDriverVersion.DEFAULT,
              },
            },
          ]
        : undefined,
    },
    // The size belongs to the autoscaler once the pool exists; a change here would replace the pool.
    lifecycle: { ignoreChanges: ["initial_node_count"] },
  };
}

/** The checks of node pools that Terraform would only report in mid-apply, if at all. */
export function requireNodePools(
  scope: Construct,
  pools: GkeNodePool[] | undefined,
  autopilot: boolean,
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
    requireNodePool(scope, `nodePools[${index}]`, pool);
    if (names.has(pool.name)) throw invalid(scope, `nodePools[${index}].name`, "be unique", pool.name);
    names.add(pool.name);
  });
}

function requireNodePool(scope: Construct, path: string, pool: GkeNodePool): void {
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
  for (const property of ["acceleratorCount", "gpuDriverVersion"] as const) {
    if (pool[property] !== undefined && pool.acceleratorType === undefined) {
      throw invalid(scope, `${path}.${property}`, "not be given without 'acceleratorType'", pool[property]);
    }
  }
  if (pool.tpuTopology !== undefined && !Token.isUnresolved(pool.tpuTopology)) {
    if (!/^\d+x\d+(x\d+)?$/.test(pool.tpuTopology)) {
      throw invalid(scope, `${path}.tpuTopology`, 'be a topology such as "4x4" or "2x2x2"', pool.tpuTopology);
    }
  }
  pool.zones?.forEach((zone, index) => requireName(scope, `${path}.zones[${index}]`, zone, LOCATION));
}
