import { Fn, Token } from "cdktf";
import {
  GkeGpuDriverVersion,
  GkeLocationPolicy,
  GkeNodePool,
  GkeTaint,
  GkeTaintEffect,
} from "../../contracts/gke-node-pool";
import { PlainAttributes } from "../terraform/plain-elements";
import { SPOT_LABEL } from "./accelerators";
import { defaultDiskType, isAcceleratorMachine } from "./machine-types";
import { upgradeSettings } from "./upgrade-settings";

/** https://cloud.google.com/kubernetes-engine/docs/how-to/custom-boot-disks */
const SMALLEST_DISK_GB = 10;

/** 7 days, which is also the default. */
export const LONGEST_FLEX_START_SECONDS = 7 * 24 * 3600;

const OWN_LABEL = { "managed-by": "cdktf-gke-ray" };

/** Keeps pods off spot nodes that do not say that they may be taken away. GKE puts none there by itself. */
const SPOT_TAINT: GkeTaint = { key: SPOT_LABEL, value: "true", effect: GkeTaintEffect.NO_SCHEDULE };

/** The taints of a pool's nodes: the user's, and of spot nodes ours. */
export function taintsOfPool({ spot, taints = [] }: GkeNodePool): GkeTaint[] {
  const isGiven = taints.some(({ key, effect }) => key === SPOT_TAINT.key && effect === SPOT_TAINT.effect);
  return spot && !isGiven ? [...taints, SPOT_TAINT] : taints;
}

/** Whether GKE taints the nodes of a pool where the cluster has other nodes too: those with GPUs or TPUs. */
export function hasAccelerators({ acceleratorType, machineType }: GkeNodePool): boolean {
  return acceleratorType !== undefined || isAcceleratorMachine(machineType);
}

/** The user's, and one of ours: google 6.50 cannot take the last label away. */
export function labelsOfPool({ labels = {} }: GkeNodePool): { [name: string]: string } {
  return Token.isUnresolved(labels) ? Fn.merge([OWN_LABEL, labels]) : { ...OWN_LABEL, ...labels };
}

/** Said outright: google 6.50 leaves as it is what is not said. https://cloud.google.com/kubernetes-engine/docs/concepts/cluster-autoscaler#location_policy */
function locationPolicy({ locationPolicy: policy, spot, flexStart }: GkeNodePool): GkeLocationPolicy {
  return policy ?? (spot || flexStart ? GkeLocationPolicy.ANY : GkeLocationPolicy.BALANCED);
}

function maxRunDuration({ flexStart, maxRunDurationSeconds }: GkeNodePool): string | undefined {
  const seconds = maxRunDurationSeconds ?? (flexStart ? LONGEST_FLEX_START_SECONDS : undefined);
  return seconds === undefined ? undefined : `${seconds}s`;
}

/** Flex-start nodes are of no reservation, which must be said. */
function reservationAffinity({ flexStart, reservationName }: GkeNodePool) {
  if (flexStart) return { consumeReservationType: "NO_RESERVATION" };
  if (reservationName === undefined) return undefined;
  return {
    consumeReservationType: "SPECIFIC_RESERVATION",
    key: "compute.googleapis.com/reservation-name",
    values: [reservationName],
  };
}

/** By a count of 0 the provider knows that GPUs are taken away; machines that come with GPUs cannot be without. */
function noAccelerator(machineType: string) {
  if (Token.isUnresolved(machineType) || isAcceleratorMachine(machineType)) return undefined;
  return [{ type: "", count: 0 }];
}

/** What all nodes have. */
function nodesOf(serviceAccount: string) {
  return {
    serviceAccount,
    // Access is decided by IAM roles, not by scopes. https://cloud.google.com/compute/docs/access/service-accounts
    oauthScopes: ["https://www.googleapis.com/auth/cloud-platform"],
    workloadMetadataConfig: { mode: "GKE_METADATA" },
    shieldedInstanceConfig: { enableSecureBoot: true, enableIntegrityMonitoring: true },
  };
}

/**
 * The nodes that GKE makes with a cluster, for the minutes until they are removed: small, and such as an organization that
 * disables the default account, or requires secure boot or keys of its own, lets there be.
 */
export function temporaryNodes(serviceAccount: string, bootDiskKmsKey?: string) {
  return {
    ...nodesOf(serviceAccount),
    diskType: "pd-standard",
    diskSizeGb: SMALLEST_DISK_GB,
    bootDiskKmsKey,
  };
}

/** What a node pool is made of, as the provider wants it. */
export function nodePoolAttributes(
  pool: GkeNodePool,
  serviceAccount: string,
  bootDiskKmsKey?: string,
): PlainAttributes {
  const minNodeCount = pool.minNodeCount ?? 0;
  const taints = taintsOfPool(pool);
  return {
    name: pool.name,
    initialNodeCount: pool.initialNodeCount ?? minNodeCount,
    autoscaling: { minNodeCount, maxNodeCount: pool.maxNodeCount, locationPolicy: locationPolicy(pool) },
    // https://cloud.google.com/kubernetes-engine/docs/how-to/dws-flex-start-training
    management: { autoRepair: !pool.flexStart, autoUpgrade: true },
    upgradeSettings: upgradeSettings(pool),
    placementPolicy: pool.tpuTopology
      ? {
          type: pool.placementPolicyName === undefined ? "COMPACT" : "",
          policyName: pool.placementPolicyName,
          tpuTopology: pool.tpuTopology,
        }
      : undefined,
    nodeConfig: {
      machineType: pool.machineType,
      diskSizeGb: pool.diskSizeGb ?? 100,
      diskType: pool.diskType ?? defaultDiskType(pool.machineType),
      labels: labelsOfPool(pool),
      resourceLabels: pool.resourceLabels,
      taint: taints.length > 0 ? taints.map(({ key, value, effect }) => ({ key, value, effect })) : undefined,
      spot: pool.spot ?? false,
      flexStart: pool.flexStart || undefined,
      maxRunDuration: maxRunDuration(pool),
      // Not written unless it is given: the nodes of a pool that was applied before would be made anew for nothing.
      gcfsConfig: pool.imageStreaming === undefined ? undefined : { enabled: pool.imageStreaming },
      ephemeralStorageLocalSsdConfig: pool.localSsdCount ? { localSsdCount: pool.localSsdCount } : undefined,
      reservationAffinity: reservationAffinity(pool),
      bootDiskKmsKey,
      ...nodesOf(serviceAccount),
      guestAccelerator: pool.acceleratorType
        ? [
            {
              type: pool.acceleratorType,
              count: pool.acceleratorCount ?? 1,
              gpuDriverInstallationConfig: {
                gpuDriverVersion: pool.gpuDriverVersion ?? GkeGpuDriverVersion.DEFAULT,
              },
              gpuSharingConfig: pool.gpuSharing && {
                gpuSharingStrategy: pool.gpuSharing.strategy,
                maxSharedClientsPerGpu: pool.gpuSharing.maxSharedClientsPerGpu,
              },
            },
          ]
        : noAccelerator(pool.machineType),
    },
  };
}
