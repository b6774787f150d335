import { Token } from "cdktf";
import { IConstruct } from "constructs";
import type { RayAuthOptions } from "../ray-auth-options";
import { RayGroup, RayToleration, RayWorkerGroup } from "../ray-groups";
import { RayPods } from "../ray-pods";
import { CONTAINER_SECURITY_CONTEXT, POD_SECURITY_CONTEXT } from "./security-context";
import { invalid } from "./validation";

/** Ports of the head. The operator finds the dashboard by the name `dashboard`. */
const HEAD_PORTS = [
  { containerPort: 6379, name: "gcs-server" },
  { containerPort: 8265, name: "dashboard" },
  { containerPort: 10001, name: "client" },
];

/** GKE puts this on nodes whose metadata server speaks for the pod and not for the node; Autopilot refuses the selector. */
const METADATA_SERVER_NODES = { "iam.gke.io/gke-metadata-server-enabled": "true" };

/**
 * How long the head may take to end. Ray itself takes a second or two; the autoscaler beside it never hears that it should
 * (a Python program that is process 1 and handles no SIGTERM), and would hold the pod for Kubernetes' default of 30 seconds
 * whenever it is replaced.
 */
const HEAD_GRACE_SECONDS = 10;

/** What a manifest is rendered from. */
export interface RayManifestInput {
  readonly scope: IConstruct;
  readonly namespace: string;
  readonly rayClusterName: string;
  readonly rayVersion: string;
  readonly image: string;
  readonly labels: { [name: string]: string };
  readonly autopilot: boolean;
  readonly enableInTreeAutoscaling: boolean;
  readonly recreate: boolean;
  readonly authOptions?: RayAuthOptions;
  /** Annotations of every pod that its group may set otherwise. */
  readonly defaultAnnotations: { [name: string]: string };
  readonly head: RayGroup;
  readonly headServiceAccountName: string;
  readonly headPods: RayPods;
  readonly workerGroups: RayWorkerGroup[];
  readonly workerServiceAccountName: string;
  readonly workerPods: RayPods;
}

/** A RayCluster of `ray.io/v1`, with only what every KubeRay version from 1.3 on knows unless said otherwise. */
export function rayClusterManifest(input: RayManifestInput): { [field: string]: any } {
  return {
    apiVersion: "ray.io/v1",
    kind: "RayCluster",
    metadata: compact({ name: input.rayClusterName, namespace: input.namespace, labels: input.labels }),
    spec: {
      rayVersion: input.rayVersion,
      ...(input.enableInTreeAutoscaling
        ? {
            enableInTreeAutoscaling: true,
            autoscalerOptions: autoscalerOptions(input),
          }
        : {}),
      ...(input.authOptions ? { authOptions: authOptionsOf(input.authOptions) } : {}),
      ...(input.recreate ? { upgradeStrategy: { type: "Recreate" } } : {}),
      headGroupSpec: headGroupSpec(input),
      workerGroupSpecs: input.workerGroups.map((group, index) => workerGroupSpec(input, group, index)),
    },
  };
}

function headGroupSpec(input: RayManifestInput) {
  const { head, headPods } = input;
  return {
    rayStartParams: merged(input.scope, "head.rayStartParams", head.rayStartParams, headPods.rayStartParams),
    template: podTemplate(input, "head", head, headPods, {
      containerName: "ray-head",
      serviceAccountName: input.headServiceAccountName,
      ports: HEAD_PORTS,
      terminationGracePeriodSeconds: input.enableInTreeAutoscaling ? HEAD_GRACE_SECONDS : undefined,
    }),
  };
}

function workerGroupSpec(input: RayManifestInput, group: RayWorkerGroup, index: number) {
  const path = `workerGroups[${index}]`;
  const minReplicas = group.minReplicas ?? 0;
  return {
    groupName: group.groupName,
    // Left out where the autoscaler decides: Terraform must not take its decision back.
    ...(input.enableInTreeAutoscaling ? {} : { replicas: minReplicas }),
    minReplicas,
    maxReplicas: group.maxReplicas,
    rayStartParams: merged(
      input.scope,
      `${path}.rayStartParams`,
      group.rayStartParams,
      input.workerPods.rayStartParams,
    ),
    template: podTemplate(input, path, group, input.workerPods, {
      containerName: "ray-worker",
      serviceAccountName: input.workerServiceAccountName,
    }),
  };
}

interface PodRole {
  readonly containerName: string;
  readonly serviceAccountName: string;
  readonly ports?: { [field: string]: any }[];
  readonly terminationGracePeriodSeconds?: number;
}

function podTemplate(input: RayManifestInput, path: string, group: RayGroup, pods: RayPods, role: PodRole) {
  // Ray sizes itself by its limits, and the autoscaler fails without them.
  const resources = { cpu: cpuQuantity(group.cpu), memory: memoryQuantity(group.memoryGiB) };
  const env = { ...authMode(input), ...merged(input.scope, `${path}.env`, group.env, pods.env) };
  const metadata = compact({
    labels: { ...input.labels, ...group.labels },
    annotations: {
      ...input.defaultAnnotations,
      ...merged(input.scope, `${path}.annotations`, group.annotations, pods.annotations),
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
      automountServiceAccountToken: pods.automountServiceAccountToken || undefined,
      securityContext: compact({ ...POD_SECURITY_CONTEXT, fsGroup: pods.fsGroup }),
      nodeSelector: { ...(input.autopilot ? {} : METADATA_SERVER_NODES), ...group.nodeSelector },
      tolerations: group.tolerations?.map(toleration),
      terminationGracePeriodSeconds: role.terminationGracePeriodSeconds,
      initContainers: pods.initContainers,
      containers: [rayContainer, ...pods.containers],
      volumes: pods.volumes,
    }),
  });
}

/** Said outright, because Ray 2.61 changes the default; with `authOptions` the operator sets it. */
function authMode({ authOptions }: RayManifestInput): { [name: string]: string } {
  return authOptions === undefined ? { RAY_AUTH_MODE: "disabled" } : {};
}

/** The autoscaler is Ray too, in a container that the operator makes: it must authenticate as the head does. */
function autoscalerOptions(input: RayManifestInput) {
  const { RAY_AUTH_MODE: mode } = { ...authMode(input), ...input.head.env };
  return {
    ...(mode === undefined ? {} : { env: [{ name: "RAY_AUTH_MODE", value: mode }] }),
    securityContext: CONTAINER_SECURITY_CONTEXT,
  };
}

function authOptionsOf({ mode, secretName, enableK8sTokenAuth }: RayAuthOptions) {
  return compact({ mode, secretName, enableK8sTokenAuth });
}

function toleration({ key, operator, value, effect }: RayToleration) {
  return { key, operator, value, effect };
}

/** What the user set and what features add, which must not contradict each other. */
function merged(
  scope: IConstruct,
  path: string,
  own: { [name: string]: string } = {},
  added: { [name: string]: string } = {},
): { [name: string]: string } {
  for (const name of Object.keys(added)) {
    if (name in own && own[name] !== added[name]) {
      throw invalid(
        scope,
        `${path}.${name}`,
        `be left to the construct that sets ${JSON.stringify(added[name])}`,
        own[name],
      );
    }
  }
  return { ...own, ...added };
}

/** Without what is empty: an empty field of a manifest says nothing and would show up in every plan's diff. */
function compact(fields: { [field: string]: any }): { [field: string]: any } {
  const isEmpty = (value: any) =>
    value === undefined || (typeof value === "object" && Object.keys(value).length === 0);
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => !isEmpty(value)));
}

function cpuQuantity(cpu: number): string {
  if (Token.isUnresolved(cpu)) return Token.asString(cpu);
  return Number.isInteger(cpu) ? `${cpu}` : `${Math.round(cpu * 1000)}m`;
}

function memoryQuantity(memoryGiB: number): string {
  if (Token.isUnresolved(memoryGiB)) return `${Token.asString(memoryGiB)}Gi`;
  return Number.isInteger(memoryGiB) ? `${memoryGiB}Gi` : `${Math.round(memoryGiB * 1024)}Mi`;
}
