import { Token } from "cdktf";
import { IConstruct } from "constructs";
import type { ManifestPart } from "../../contracts/manifest";
import type { RayGroup, RayToleration, RayWorkerGroup } from "../../contracts/ray-groups";
import { numberText } from "../kubernetes/quantities";
import { invalid, requireInteger } from "../validation";

/** Labels that GKE puts on nodes. https://cloud.google.com/kubernetes-engine/docs/reference/labels-annotations */
export const GPU_LABEL = "cloud.google.com/gke-accelerator";
export const TPU_LABEL = "cloud.google.com/gke-tpu-accelerator";
export const TPU_TOPOLOGY_LABEL = "cloud.google.com/gke-tpu-topology";
export const SPOT_LABEL = "cloud.google.com/gke-spot";

/** What a pod asks for to get GPUs and TPU chips; GKE's taints on their nodes have the same names. */
export const GPU_RESOURCE = "nvidia.com/gpu";
export const TPU_RESOURCE = "google.com/tpu";

/** What TPU hosts have, but for a few machine types. */
const USUAL_CHIPS_OF_HOST = 4;

/** What a group needs of its nodes besides CPUs and memory. */
export interface NodeNeeds {
  readonly nodeSelector: { [name: string]: string };
  readonly tolerations: RayToleration[];
  /** As in a Kubernetes manifest. */
  readonly affinity?: ManifestPart;
  /** Requests and limits of the Ray container. */
  readonly resources: { [name: string]: string };
}

const SPOT_TOLERATION: RayToleration = { key: SPOT_LABEL, value: "true", effect: "NoSchedule" };

const SPOT_NEEDS: NodeNeeds = {
  nodeSelector: { [SPOT_LABEL]: "true" },
  tolerations: [SPOT_TOLERATION],
  resources: {},
};

const OFF_SPOT = {
  nodeAffinity: {
    requiredDuringSchedulingIgnoredDuringExecution: {
      nodeSelectorTerms: [{ matchExpressions: [{ key: SPOT_LABEL, operator: "DoesNotExist" }] }],
    },
  },
};

/** The labels, taints and resources by which GKE knows accelerators and spot machines. */
export function nodeNeeds(group: RayWorkerGroup, autopilot: boolean): NodeNeeds {
  const nodeSelector: { [name: string]: string } = {};
  const tolerations: RayToleration[] = [];
  const resources: { [name: string]: string } = {};
  if (group.acceleratorType !== undefined) {
    nodeSelector[GPU_LABEL] = group.acceleratorType;
    resources[GPU_RESOURCE] = numberText(group.acceleratorCount ?? 1);
    tolerations.push({ key: GPU_RESOURCE, operator: "Exists", effect: "NoSchedule" });
  }
  if (group.tpuAccelerator !== undefined) {
    nodeSelector[TPU_LABEL] = group.tpuAccelerator;
    nodeSelector[TPU_TOPOLOGY_LABEL] = group.tpuTopology!;
    resources[TPU_RESOURCE] = numberText(chipsOfHost(group));
    tolerations.push({ key: TPU_RESOURCE, operator: "Exists", effect: "NoSchedule" });
  }
  if (group.spot) {
    nodeSelector[SPOT_LABEL] = "true";
    tolerations.push(SPOT_TOLERATION);
  }
  // Autopilot tolerates its own taints.
  return { nodeSelector, tolerations: autopilot ? [] : tolerations, resources };
}

/**
 * A head that is lost takes all running jobs with it, so it is kept off spot nodes, tainted or not, unless it asks for them.
 * Autopilot puts no pod on spot machines that does not select them.
 */
export function headNeeds(head: RayGroup, autopilot: boolean): NodeNeeds {
  const asked = head.spot ? SPOT_NEEDS : { nodeSelector: {}, tolerations: [], resources: {} };
  if (autopilot) return { ...asked, tolerations: [] };
  const maySpot = SPOT_LABEL in (head.nodeSelector ?? {}) || (head.tolerations ?? []).some(toleratesSpot);
  return head.spot || maySpot ? asked : { ...asked, affinity: OFF_SPOT };
}

/** The taints of nodes that the head may run on, and the Jobs that wait for it. */
export function headTolerations(head: RayGroup, autopilot: boolean): RayToleration[] {
  return [...headNeeds(head, autopilot).tolerations, ...(head.tolerations ?? [])];
}

function toleratesSpot({ key, operator }: RayToleration): boolean {
  return key === SPOT_LABEL || (key === undefined && operator === "Exists");
}

/** Chips of a TPU slice; none where the topology is not known or none. */
export function chipsOfTopology(topology: string | undefined): number | undefined {
  if (topology === undefined || !/^\d+x\d+(x\d+)?$/.test(topology)) return undefined;
  return topology.split("x").reduce((chips, side) => chips * Number(side), 1);
}

/** How many pods, each on a host of its own, a replica of a group is. */
export function hostsOfReplica(group: RayWorkerGroup): number {
  const chips = chipsOfTopology(group.tpuTopology);
  const ofHost = chipsOfHost(group);
  return chips === undefined || Token.isUnresolved(ofHost) ? 1 : chips / ofHost;
}

function chipsOfHost(group: RayWorkerGroup): number {
  const chips = chipsOfTopology(group.tpuTopology) ?? USUAL_CHIPS_OF_HOST;
  return group.tpuChips ?? Math.min(chips, USUAL_CHIPS_OF_HOST);
}

/** @throws if a group asks for an accelerator in a way that no node could answer */
export function requireAccelerators(
  scope: IConstruct,
  path: string,
  group: RayWorkerGroup,
  rayOperatorAddon: boolean,
): void {
  requireInteger(scope, `${path}.acceleratorCount`, group.acceleratorCount, 1);
  requireInteger(scope, `${path}.tpuChips`, group.tpuChips, 1);
  requireType(scope, `${path}.acceleratorType`, group.acceleratorType, /^[a-z][a-z0-9-]*$/, "nvidia-l4");
  requireType(scope, `${path}.tpuAccelerator`, group.tpuAccelerator, /^tpu[a-z0-9-]*$/, "tpu-v6e-slice");
  if (group.acceleratorCount !== undefined && group.acceleratorType === undefined) {
    const rule = "not be given without 'acceleratorType'";
    throw invalid(scope, `${path}.acceleratorCount`, rule, group.acceleratorCount);
  }
  for (const property of ["tpuTopology", "tpuChips"] as const) {
    if (group[property] !== undefined && group.tpuAccelerator === undefined) {
      throw invalid(scope, `${path}.${property}`, "not be given without 'tpuAccelerator'", group[property]);
    }
  }
  if (group.tpuAccelerator === undefined) return;
  if (group.acceleratorType !== undefined) {
    const rule = "not be given together with 'acceleratorType': a node has the one or the other";
    throw invalid(scope, `${path}.tpuAccelerator`, rule, group.tpuAccelerator);
  }
  requireSlice(scope, path, group, rayOperatorAddon);
}

/**
 * A slice of several hosts works only where each of its pods is told who it is in the slice, by the webhook of the add-on.
 *
 * https://cloud.google.com/kubernetes-engine/docs/add-on/ray-on-gke/concepts/overview
 */
function requireSlice(
  scope: IConstruct,
  path: string,
  group: RayWorkerGroup,
  rayOperatorAddon: boolean,
): void {
  const { tpuTopology } = group;
  if (tpuTopology === undefined) {
    throw invalid(scope, `${path}.tpuTopology`, "be given with 'tpuAccelerator'");
  }
  if (Token.isUnresolved(tpuTopology)) return;
  const chips = chipsOfTopology(tpuTopology);
  if (chips === undefined) {
    throw invalid(scope, `${path}.tpuTopology`, 'be a topology such as "4x4" or "2x2x2"', tpuTopology);
  }
  const hosts = hostsOfReplica(group);
  if (!Number.isInteger(hosts) || hosts < 1) {
    const rule = `divide the ${chips} chips of topology ${tpuTopology}`;
    throw invalid(scope, `${path}.tpuChips`, rule, chipsOfHost(group));
  }
  if (hosts > 1 && !rayOperatorAddon) {
    const rule = `be of one host (${chipsOfHost(group)} chips) on a cluster without 'rayOperatorAddon', whose webhook the ${hosts} hosts of such a slice need`;
    throw invalid(scope, `${path}.tpuTopology`, rule, tpuTopology);
  }
}

function requireType(
  scope: IConstruct,
  property: string,
  value: string | undefined,
  pattern: RegExp,
  example: string,
): void {
  if (value === undefined || Token.isUnresolved(value) || pattern.test(value)) return;
  throw invalid(scope, property, `be a type as GKE names it, such as "${example}"`, value);
}
