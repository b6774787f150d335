import { Token } from "cdktf";
import { IConstruct } from "constructs";
import type { GkeNodePool } from "../../contracts/gke-node-pool";
import { warnUnlessKnown } from "../nearest";
import { invalid } from "../validation";
import { machineTypesLike } from "./machine-types";

/**
 * Machine types that a GPU type comes with, or can be attached to.
 *
 * https://cloud.google.com/compute/docs/gpus
 */
const MACHINES_OF_GPU: { [acceleratorType: string]: RegExp } = {
  "nvidia-l4": /^g2-/,
  "nvidia-rtx-pro-6000": /^g4-/,
  "nvidia-tesla-a100": /^a2-(high|mega)gpu-/,
  "nvidia-a100-80gb": /^a2-ultragpu-/,
  "nvidia-h100-80gb": /^a3-(high|edge)gpu-/,
  "nvidia-h100-mega-80gb": /^a3-megagpu-/,
  "nvidia-h200-141gb": /^a3-ultragpu-/,
  "nvidia-b200": /^a4-/,
  "nvidia-gb200": /^a4x-/,
  "nvidia-tesla-k80": /^n1-|^custom-/,
  "nvidia-tesla-p100": /^n1-|^custom-/,
  "nvidia-tesla-p4": /^n1-|^custom-/,
  "nvidia-tesla-t4": /^n1-|^custom-/,
  "nvidia-tesla-v100": /^n1-|^custom-/,
};

/** How many GPUs can be attached to a machine that comes without. https://cloud.google.com/compute/docs/gpus#n1-gpus */
const ATTACHABLE: { [acceleratorType: string]: number[] } = {
  "nvidia-tesla-k80": [1, 2, 4, 8],
  "nvidia-tesla-p100": [1, 2, 4],
  "nvidia-tesla-p4": [1, 2, 4],
  "nvidia-tesla-t4": [1, 2, 4],
  "nvidia-tesla-v100": [1, 2, 4, 8],
};

/** GPUs of the machine types whose names do not say it. https://cloud.google.com/compute/docs/accelerator-optimized-machines */
const GPUS_OF_G_MACHINE: { [machineType: string]: number } = {
  ...Object.fromEntries([4, 8, 12, 16, 32].map((cpus) => [`g2-standard-${cpus}`, 1])),
  "g2-standard-24": 2,
  "g2-standard-48": 4,
  "g2-standard-96": 8,
  "g4-standard-48": 1,
  "g4-standard-96": 2,
  "g4-standard-192": 4,
  "g4-standard-384": 8,
};

/** https://cloud.google.com/compute/docs/disks */
const DISK_TYPES = [
  ...["pd-standard", "pd-balanced", "pd-ssd", "pd-extreme"],
  ...["hyperdisk-balanced", "hyperdisk-extreme", "hyperdisk-ml", "hyperdisk-throughput"],
];

/** https://cloud.google.com/compute/docs/disks/hyperdisks#limitations */
const NOT_BOOTABLE = /^hyperdisk-(extreme|ml|throughput)$/;

/** Boot disks that machine series lack. https://cloud.google.com/compute/docs/disks/hyperdisks#machine-type-support */
const LACKING: [series: RegExp, disk: RegExp, instead: string][] = [
  [/^(n4|n4d|c4|c4a|c4d|h4d|x4|m4|a4|a4x|g4)-/, /^pd-/, "hyperdisk-balanced"],
  [/^(c3|c3d|h3|m3|z3|a3|g2)-/, /^pd-standard$/, "pd-balanced"],
  [/^(e2|n1|n2|n2d|c2|c2d|t2a|t2d|a2|g2)-|^custom-/, /^hyperdisk-balanced$/, "pd-balanced"],
];

/** @throws if Google is known to make no such machines; of what is not known here it warns */
export function requireMachine(scope: IConstruct, path: string, pool: GkeNodePool): void {
  const { machineType } = pool;
  if (Token.isUnresolved(machineType)) return;
  if (!/^[a-z][a-z0-9]*(-[a-z0-9]+)+$/.test(machineType)) {
    throw invalid(scope, `${path}.machineType`, 'be a machine type, such as "e2-standard-8"', machineType);
  }
  warnUnlessKnown(scope, `${path}.machineType`, machineType, "machine type", machineTypesLike(machineType));
  requireGpus(scope, path, pool);
  requireDisk(scope, path, pool);
}

function requireGpus(scope: IConstruct, path: string, pool: GkeNodePool): void {
  const { machineType, acceleratorType, acceleratorCount = 1 } = pool;
  if (acceleratorType === undefined || Token.isUnresolved(acceleratorType)) return;
  const property = `${path}.acceleratorType`;
  if (!/^[a-z][a-z0-9-]*$/.test(acceleratorType)) {
    throw invalid(scope, property, 'be a type as GKE names it, such as "nvidia-l4"', acceleratorType);
  }
  warnUnlessKnown(scope, property, acceleratorType, "GPU type", Object.keys(MACHINES_OF_GPU));
  const machines = MACHINES_OF_GPU[acceleratorType];
  if (machines === undefined) return;
  if (!machines.test(machineType)) {
    throw invalid(scope, property, `be one that a ${machineType} has or can have`, acceleratorType);
  }
  if (Token.isUnresolved(acceleratorCount)) return;
  const counts = countsOf(machineType, acceleratorType);
  if (counts === undefined || counts.includes(acceleratorCount)) return;
  const rule = `be ${counts.join(", ")}, as a ${machineType} has them`;
  throw invalid(scope, `${path}.acceleratorCount`, rule, acceleratorCount);
}

/** How many GPUs a machine has, or can have; not known of every type. */
function countsOf(machineType: string, acceleratorType: string): number[] | undefined {
  const [, count] = /-(\d+)g$/.exec(machineType) ?? [];
  if (count !== undefined) return [Number(count)];
  const gpus = GPUS_OF_G_MACHINE[machineType];
  return gpus === undefined ? ATTACHABLE[acceleratorType] : [gpus];
}

function requireDisk(scope: IConstruct, path: string, { machineType, diskType }: GkeNodePool): void {
  if (diskType === undefined || Token.isUnresolved(diskType)) return;
  const property = `${path}.diskType`;
  if (!/^(pd|hyperdisk)-[a-z-]+$/.test(diskType)) {
    throw invalid(scope, property, 'be a disk type, such as "pd-balanced"', diskType);
  }
  warnUnlessKnown(scope, property, diskType, "disk type", DISK_TYPES);
  if (NOT_BOOTABLE.test(diskType)) {
    throw invalid(scope, property, "be a disk that machines boot from, such as hyperdisk-balanced", diskType);
  }
  const lacking = LACKING.find(([series, disk]) => series.test(machineType) && disk.test(diskType));
  if (lacking === undefined) return;
  throw invalid(
    scope,
    property,
    `be one that a ${machineType} can boot from, such as ${lacking[2]}`,
    diskType,
  );
}
