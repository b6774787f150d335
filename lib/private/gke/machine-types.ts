/** CPUs and memory of a node. */
export interface NodeResources {
  readonly cpu: number;
  readonly memoryGiB: number;
}

/**
 * Memory for each CPU, in GiB, of predefined machine types `<series>-<kind>-<CPUs>`; where a series rounds it down for some
 * sizes, the largest.
 *
 * https://cloud.google.com/compute/docs/machine-resource
 */
const MEMORY_GIB_PER_CPU: { [family: string]: number } = {
  ...series(["e2", "n2", "n2d"], { standard: 4, highmem: 8, highcpu: 1 }),
  ...series(["n4", "c2d", "c3", "c3d", "c4a"], { standard: 4, highmem: 8, highcpu: 2 }),
  ...series(["n1"], { standard: 3.75, highmem: 6.5, highcpu: 0.9 }),
  ...series(["c4"], { standard: 3.75, highmem: 7.75, highcpu: 2 }),
  ...series(["c4d"], { standard: 3.875, highmem: 7.875, highcpu: 1.9375 }),
  ...series(["c2", "t2d", "t2a", "h3", "g2"], { standard: 4 }),
  ...series(["z3"], { highmem: 8 }),
  ...series(["g4"], { standard: 3.75 }),
};

/** Machine types whose size is not in their name. https://cloud.google.com/kubernetes-engine/docs/concepts/plan-tpus */
const MACHINES: { [machineType: string]: NodeResources } = {
  ...machines("a2-highgpu", { "1g": [12, 85], "2g": [24, 170], "4g": [48, 340], "8g": [96, 680] }),
  ...machines("a2-ultragpu", { "1g": [12, 170], "2g": [24, 340], "4g": [48, 680], "8g": [96, 1360] }),
  ...machines("a2-megagpu", { "16g": [96, 1360] }),
  ...machines("a3-highgpu", { "1g": [26, 234], "2g": [52, 468], "4g": [104, 936], "8g": [208, 1872] }),
  ...machines("a3-megagpu", { "8g": [208, 1872] }),
  ...machines("a3-edgegpu", { "8g": [208, 1872] }),
  ...machines("a3-ultragpu", { "8g": [224, 2952] }),
  ...machines("a4-highgpu", { "8g": [224, 3968] }),
  ...machines("e2", { micro: [2, 1], small: [2, 2], medium: [2, 4] }),
  ...machines("ct4p-hightpu", { "4t": [240, 407] }),
  ...machines("ct5lp-hightpu", { "1t": [24, 48], "4t": [112, 192], "8t": [224, 384] }),
  ...machines("ct5p-hightpu", { "4t": [208, 448] }),
  ...machines("ct6e-standard", { "1t": [44, 176], "4t": [180, 720], "8t": [180, 1440] }),
  ...machines("tpu7x-standard", { "4t": [224, 960] }),
};

/** Series of which only the names are known here. */
const OTHER_SERIES = /^(a4x|c3-metal|f1|g1|h4d|m1|m2|m3|m4|n4d|x4|z3|custom)-/;

/** Label that GKE puts on the nodes of a TPU machine series. */
const TPU_ACCELERATORS: { [series: string]: string } = {
  ct3: "tpu-v3-device",
  ct3p: "tpu-v3-slice",
  ct4p: "tpu-v4-podslice",
  ct5lp: "tpu-v5-lite-podslice",
  ct5p: "tpu-v5p-slice",
  ct6e: "tpu-v6e-slice",
  tpu7x: "tpu7x",
};

/** CPU that GKE keeps of an e2 machine with shared cores. */
const SHARED_CORE_RESERVATION = 1.06;

/** Below this much free memory the kubelet evicts pods. */
const EVICTION_THRESHOLD_GIB = 100 / 1024;

/** The share of each further part of a machine that GKE keeps for itself: up to where, and how much of that part. */
const CPU_RESERVATION = [
  [1, 0.06],
  [2, 0.01],
  [4, 0.005],
  [Infinity, 0.0025],
];
const MEMORY_RESERVATION = [
  [4, 0.25],
  [8, 0.2],
  [16, 0.1],
  [128, 0.06],
  [Infinity, 0.02],
];

/**
 * What a machine has for pods, at the most: GKE's own pods on each node are not taken off. None for a type not known here.
 *
 * https://cloud.google.com/kubernetes-engine/docs/concepts/plan-node-sizes
 */
export function allocatable(machineType: string): NodeResources | undefined {
  const machine = resourcesOf(machineType);
  if (machine === undefined) return undefined;
  const shared = /^e2-(micro|small|medium)$/.test(machineType);
  const reservedCpu = shared ? SHARED_CORE_RESERVATION : reserved(machine.cpu, CPU_RESERVATION);
  const reservedMemory = reserved(machine.memoryGiB, MEMORY_RESERVATION) + EVICTION_THRESHOLD_GIB;
  return { cpu: machine.cpu - reservedCpu, memoryGiB: machine.memoryGiB - reservedMemory };
}

/** TPU type, where it is known, and chips of a machine; none without a TPU. */
export function tpuOf(machineType: string): { accelerator?: string; chips: number } | undefined {
  const [, name, chips] = /^([a-z0-9]+)-[a-z]+-(\d+)t$/.exec(machineType) ?? [];
  return chips === undefined ? undefined : { accelerator: TPU_ACCELERATORS[name], chips: Number(chips) };
}

/**
 * Machine types that are known here, for comparison with one: of those whose names end with their CPUs, the ones of its size, and
 * itself where its series is known.
 */
export function machineTypesLike(machineType: string): string[] {
  const [, size = "8"] = /-(\d+)(?:-[a-z]+)?$/.exec(machineType) ?? [];
  const sized = Object.keys(MEMORY_GIB_PER_CPU).map((family) => `${family}-${size}`);
  const isKnown =
    resourcesOf(machineType) !== undefined ||
    OTHER_SERIES.test(machineType) ||
    TPU_ACCELERATORS[machineType.split("-")[0]] !== undefined;
  return [...sized, ...Object.keys(MACHINES), ...(isKnown ? [machineType] : [])];
}

/**
 * The type of boot disk that GKE chooses for a machine type; none where that is not certain.
 *
 * https://cloud.google.com/kubernetes-engine/docs/how-to/custom-boot-disks
 */
export function defaultDiskType(machineType: string): string | undefined {
  return /^(e2|n1|n2|n2d|c2|c2d|t2d|t2a|g2|a2)-|^custom-/.test(machineType) ? "pd-balanced" : undefined;
}

/** Whether machines of a type come with GPUs or TPUs. https://cloud.google.com/compute/docs/accelerator-optimized-machines */
export function isAcceleratorMachine(machineType: string): boolean {
  return /^(a[2-4]x?|g[24])-/.test(machineType) || tpuOf(machineType) !== undefined;
}

function resourcesOf(machineType: string): NodeResources | undefined {
  const custom = /^(?:[a-z0-9]+-)?custom-(\d+)-(\d+)(?:-ext)?$/.exec(machineType);
  if (custom !== null) return { cpu: Number(custom[1]), memoryGiB: Number(custom[2]) / 1024 };
  // Some have local disks or a whole machine for themselves, which their names say at the end.
  const [, family, size] = /^([a-z0-9]+-[a-z]+)-(\d+)(?:-[a-z]+)?$/.exec(machineType) ?? [];
  const memoryPerCpu = MEMORY_GIB_PER_CPU[family];
  if (memoryPerCpu !== undefined) return { cpu: Number(size), memoryGiB: Number(size) * memoryPerCpu };
  return MACHINES[machineType];
}

function reserved(amount: number, parts: number[][]): number {
  let from = 0;
  return parts.reduce((sum, [to, share]) => {
    const part = Math.max(0, Math.min(amount, to) - from);
    from = to;
    return sum + part * share;
  }, 0);
}

function series(names: string[], memory: { [kind: string]: number }): { [family: string]: number } {
  return Object.fromEntries(
    names.flatMap((name) => Object.entries(memory).map(([kind, perCpu]) => [`${name}-${kind}`, perCpu])),
  );
}

function machines(
  name: string,
  sizes: { [size: string]: [cpu: number, memoryGiB: number] },
): { [machineType: string]: NodeResources } {
  return Object.fromEntries(
    Object.entries(sizes).map(([size, [cpu, memoryGiB]]) => [`${name}-${size}`, { cpu, memoryGiB }]),
  );
}
