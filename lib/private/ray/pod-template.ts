import { IConstruct } from "constructs";
import type { ManifestPart } from "../../contracts/manifest";
import type { RayAuthOptions } from "../../contracts/ray-auth-options";
import type { RayGroup, RayToleration, RayTopologySpreadConstraint } from "../../contracts/ray-groups";
import type { RayPods } from "../../contracts/ray-pods";
import type { NodeNeeds } from "../gke/accelerators";
import { compact } from "../kubernetes/manifest";
import { cpuQuantity, memoryQuantity, numberText } from "../kubernetes/quantities";
import { CONTAINER_SECURITY_CONTEXT, POD_SECURITY_CONTEXT } from "../kubernetes/security-context";
import { invalid } from "../validation";
import { authModeEnv } from "./auth-mode";

/** GKE puts this on nodes whose metadata server speaks for the pod and not for the node; Autopilot refuses the selector. */
const METADATA_SERVER_NODES = { "iam.gke.io/gke-metadata-server-enabled": "true" };

/** What the pods of a Ray cluster have in common. */
export interface PodTemplateInput {
  readonly rayClusterName: string;
  readonly image: string;
  readonly labels: { [name: string]: string };
  readonly autopilot: boolean;
  readonly authOptions?: RayAuthOptions;
  /** Annotations of every pod that its group may set otherwise. */
  readonly defaultAnnotations: { [name: string]: string };
}

/** What a pod is in its Ray cluster. */
interface PodRole {
  /** As the operator labels the pod. */
  readonly groupName: string;
  readonly containerName: string;
  readonly serviceAccountName: string;
  readonly ports?: ManifestPart[];
  /** What a group's own environment may replace. */
  readonly env?: { [name: string]: string };
  readonly terminationGracePeriodSeconds?: number;
  readonly volumes?: ManifestPart[];
  /** @default - any node */
  readonly needs?: NodeNeeds;
}

/** Parameters of `ray start`: the user's, those that a group's other properties stand for, and those of features. */
export function startParams(group: RayGroup, pods: RayPods): { [name: string]: string } {
  return { ...ownStartParams(group), ...pods.rayStartParams };
}

function ownStartParams({ numCpus, customResources, rayStartParams }: RayGroup): { [name: string]: string } {
  const own: { [name: string]: string } = { ...rayStartParams };
  if (numCpus !== undefined) own["num-cpus"] = numberText(numCpus);
  if (customResources !== undefined) {
    const amounts = Object.entries(customResources).map(
      ([name, amount]) => `"${name}": ${numberText(amount)}`,
    );
    // In single quotes: the shell takes them off, and the operator and the autoscaler read JSON between them.
    own.resources = `'{${amounts.join(", ")}}'`;
  }
  return own;
}

export function podTemplate(
  input: PodTemplateInput,
  group: RayGroup,
  pods: RayPods,
  role: PodRole,
): ManifestPart {
  const { needs } = role;
  // Ray sizes itself by its limits, and the autoscaler fails without them.
  const resources = {
    cpu: cpuQuantity(group.cpu),
    memory: memoryQuantity(group.memoryGiB),
    ...needs?.resources,
  };
  const env = {
    ...authModeEnv(input),
    ...role.env,
    ...group.env,
    ...pods.env,
  };
  const metadata = compact({
    labels: { ...input.labels, ...group.labels },
    annotations: {
      ...input.defaultAnnotations,
      ...group.annotations,
      ...pods.annotations,
    },
  });
  const rayContainer = compact({
    name: role.containerName,
    image: group.image ?? input.image,
    ports: role.ports,
    env: Object.entries(env).map(([name, value]) => ({ name, value })),
    resources: { requests: resources, limits: resources },
    securityContext: CONTAINER_SECURITY_CONTEXT,
    volumeMounts: pods.volumeMounts,
    readinessProbe: pods.readinessProbe,
    livenessProbe: pods.livenessProbe,
  });
  return compact({
    metadata,
    spec: compact({
      serviceAccountName: role.serviceAccountName,
      // Jobs are other people's code: they get no token of Kubernetes unless somebody asked for it.
      automountServiceAccountToken: pods.automountServiceAccountToken,
      securityContext: compact({ ...POD_SECURITY_CONTEXT, fsGroup: pods.fsGroup }),
      priorityClassName: group.priorityClassName,
      nodeSelector: {
        ...(input.autopilot ? {} : METADATA_SERVER_NODES),
        ...group.nodeSelector,
        ...needs?.nodeSelector,
      },
      tolerations: [...(needs?.tolerations ?? []), ...(group.tolerations ?? [])].map(toleration),
      affinity: needs?.affinity,
      topologySpreadConstraints: group.topologySpreadConstraints?.map((constraint) =>
        spreadConstraint(constraint, input.rayClusterName, role.groupName),
      ),
      terminationGracePeriodSeconds: role.terminationGracePeriodSeconds,
      initContainers: pods.initContainers,
      containers: [rayContainer, ...pods.containers],
      volumes: [...pods.volumes, ...(role.volumes ?? [])],
    }),
  });
}

function toleration({ key, operator, value, effect }: RayToleration) {
  return { key, operator, value, effect };
}

/** The operator's labels tell the pods of the group from all others. */
function spreadConstraint(
  { topologyKey, maxSkew, whenUnsatisfiable }: RayTopologySpreadConstraint,
  rayClusterName: string,
  groupName: string,
) {
  return {
    topologyKey,
    maxSkew: maxSkew ?? 1,
    whenUnsatisfiable: whenUnsatisfiable ?? "DoNotSchedule",
    labelSelector: { matchLabels: { "ray.io/cluster": rayClusterName, "ray.io/group": groupName } },
  };
}

/**
 * @param path of the group
 * @param needs what its accelerators ask of the nodes
 * @throws if what the user set and what features add contradict each other
 */
export function requireAgreement(
  scope: IConstruct,
  path: string,
  group: RayGroup,
  pods: RayPods,
  needs: NodeNeeds,
): void {
  requireSame(scope, `${path}.rayStartParams`, ownStartParams(group), pods.rayStartParams);
  requireSame(scope, `${path}.env`, group.env, pods.env);
  requireSame(scope, `${path}.annotations`, group.annotations, pods.annotations);
  requireSame(scope, `${path}.nodeSelector`, group.nodeSelector, needs.nodeSelector);
}

function requireSame(
  scope: IConstruct,
  path: string,
  own: { [name: string]: string } = {},
  added: { [name: string]: string } = {},
): void {
  for (const name of Object.keys(added)) {
    if (name in own && own[name] !== added[name]) {
      const rule = `be left to the construct that sets ${JSON.stringify(added[name])}`;
      throw invalid(scope, `${path}.${name}`, rule, own[name]);
    }
  }
}
