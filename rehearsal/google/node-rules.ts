import { failedPrecondition, GoogleError, invalidArgument } from "./errors";
import { Json } from "./json";
import { Project } from "./project";

/** Chips of a TPU machine, by its name. */
const TPU_MACHINE = /^(?:ct\w+|tpu\w+)-[a-z]+-(\d+)t$/;

/** Machines that have a GPU, or can have it. https://cloud.google.com/compute/docs/gpus */
const MACHINES_OF_GPU: [gpu: RegExp, machines: RegExp][] = [
  [/^nvidia-tesla-(t4|p4|p100|v100|k80)$/, /^(n1|custom)-/],
  [/^nvidia-l4$/, /^g2-/],
  [/^nvidia-rtx-pro-6000$/, /^g4-/],
  [/^nvidia-tesla-a100$/, /^a2-(high|mega)gpu-/],
  [/^nvidia-a100-80gb$/, /^a2-ultragpu-/],
  [/^nvidia-h100-80gb$/, /^a3-(high|edge)gpu-/],
  [/^nvidia-h100-mega-80gb$/, /^a3-megagpu-/],
  [/^nvidia-h200-141gb$/, /^a3-ultragpu-/],
  [/^nvidia-b200$/, /^a4-/],
  [/^nvidia-gb200$/, /^a4x-/],
];

/** Machines that boot from no such disk. https://cloud.google.com/compute/docs/disks */
const MACHINES_WITHOUT_DISK: [disk: RegExp, machines: RegExp][] = [
  [/^pd-/, /^(n4|n4d|c4|c4a|c4d|h4d|x4|m4|a4|a4x|g4)-/],
  [/^pd-standard$/, /^(c3|c3d|h3|m3|z3|a3|g2)-/],
  [/^hyperdisk-/, /^(e2|n1|n2|n2d|c2|c2d|t2a|t2d|a2|custom)-/],
];

/** Nodes run only as an account that there is, or as the project's own default unless that is disabled. */
export function checkNodeServiceAccount(email: string | undefined, project: Project): void {
  if (!email || email === "default") {
    if (!project.organization.defaultComputeAccountDisabled) return;
    throw invalidArgument(
      `Service account ${project.number}-compute@developer.gserviceaccount.com is disabled.`,
    );
  }
  if (project.serviceAccounts.has(email) || project.isServiceAgent(email)) return;
  throw new GoogleError(
    400,
    `The user does not have access to service account "${email}". Ask a project owner to grant you the ` +
      "iam.serviceAccountUser role on the service account.",
  );
}

/** What an organization requires of each disk. */
export function checkDiskKey(config: Json, project: Project): void {
  if (!project.organization.customerManagedKeys || config.bootDiskKmsKey) return;
  throw failedPrecondition(
    `Failed precondition: Constraint \`constraints/gcp.restrictNonCmekServices\` violated for \`projects/${project.number}\` ` +
      "attempting to create a resource without specifying a KMS CryptoKey.",
  );
}

/** Why Compute Engine makes no machine of a pool, if it makes none; the pool is there then, and fails. */
export function machineProblem({ config, placementPolicy }: Json, project: Project): string | undefined {
  const { machineType = "", shieldedInstanceConfig } = config;
  if (project.organization.shieldedNodes && !shieldedInstanceConfig?.enableSecureBoot) {
    return (
      `Constraint constraints/compute.requireShieldedVm violated for project projects/${project.id}. ` +
      "Secure Boot is not enabled in the 'shielded_instance_config' field."
    );
  }
  const other = incompatible(config);
  if (other !== undefined) {
    return `[${other}, ${machineType}] features are not compatible for creating instance.`;
  }
  if (machineType.startsWith("tpu7x-") && placementPolicy?.type) {
    return (
      `Creation of a managed instance group with ${machineType} machine type with placement policy is not ` +
      "supported. Use workload policy instead."
    );
  }
  return undefined;
}

/** A GPU or boot disk of a node that its machine cannot have. */
function incompatible({ machineType = "", diskType = "", accelerators = [] }: Json): string | undefined {
  const gpu = accelerators.find(({ acceleratorType }: Json) =>
    MACHINES_OF_GPU.some(([type, machines]) => type.test(acceleratorType) && !machines.test(machineType)),
  );
  if (gpu !== undefined) return gpu.acceleratorType;
  const lacks = MACHINES_WITHOUT_DISK.some(
    ([disk, machines]) => disk.test(diskType) && machines.test(machineType),
  );
  return lacks ? diskType : undefined;
}

/** A slice of several hosts has them all or none, in each zone. */
export function checkTpuSlice({
  config = {},
  placementPolicy,
  autoscaling,
  initialNodeCount = 0,
}: Json): void {
  const topology: string | undefined = placementPolicy?.tpuTopology;
  const chips = Number(TPU_MACHINE.exec(config.machineType ?? "")?.[1]);
  if (!topology || !chips) return;
  const hosts = topology.split("x").reduce((product, side) => product * Number(side), 1) / chips;
  if (hosts <= 1) {
    throw invalidArgument(
      "TPU topology can't be specified with single-host TPU slice pool; please remove the tpu_topology from the " +
        "node pool creation request if the node pool is intented to run with single-host TPU slice nodes.",
    );
  }
  const sizes = {
    "Initial node count": initialNodeCount || hosts,
    "Maximum node count": autoscaling?.maxNodeCount ?? hosts,
  };
  for (const [what, size] of Object.entries(sizes)) {
    if (size !== hosts) {
      throw invalidArgument(`${what} ${size} is not a valid size of TPU pod slice with topology ${topology}`);
    }
  }
}
