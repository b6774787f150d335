import { failedPrecondition, GoogleError, invalidArgument } from "./errors";
import { Json } from "./json";
import { Project } from "./project";

/** Chips of a TPU machine, by its name. */
const TPU_MACHINE = /^(?:ct\w+|tpu\w+)-[a-z]+-(\d+)t$/;

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
  if (machineType.startsWith("tpu7x-") && placementPolicy?.type) {
    return (
      `Creation of a managed instance group with ${machineType} machine type with placement policy is not ` +
      "supported. Use workload policy instead."
    );
  }
  return undefined;
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
