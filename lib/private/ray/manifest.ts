import type { ManifestPart } from "../../contracts/manifest";
import type { RayAuthOptions } from "../../contracts/ray-auth-options";
import type { RayAutoscalerOptions } from "../../contracts/ray-autoscaler-options";
import type { RayGcsFaultToleranceOptions } from "../../contracts/ray-gcs-fault-tolerance-options";
import type { RayGroup, RayWorkerGroup } from "../../contracts/ray-groups";
import type { RayPods } from "../../contracts/ray-pods";
import { headNeeds, hostsOfReplica, nodeNeeds } from "../gke/accelerators";
import { compact } from "../kubernetes/manifest";
import { tokenMount, tokenVolume } from "../kubernetes/service-account-token";
import { autoscalerEnvOf, autoscalerOptionsOf, gcsFaultToleranceOptionsOf } from "./options";
import { autoscalerAuthEnv } from "./auth-mode";
import { podTemplate, PodTemplateInput, startParams } from "./pod-template";

/** Ports of the head. The operator finds the dashboard by the name `dashboard`. */
const HEAD_PORTS = [
  { containerPort: 6379, name: "gcs-server" },
  { containerPort: 8265, name: "dashboard" },
  { containerPort: 10001, name: "client" },
];

/** Volume with the autoscaler's token of Kubernetes. */
const AUTOSCALER_TOKEN = "autoscaler-token";

/** What KubeRay calls the head's group in the label of its pods. */
const HEAD_GROUP = "headgroup";

/**
 * How long the head may take to end. Ray itself takes a second or two; the autoscaler beside it never hears that it should
 * (a Python program that is process 1 and handles no SIGTERM), and would hold the pod for Kubernetes' default of 30 seconds
 * whenever it is replaced.
 */
const HEAD_GRACE_SECONDS = 10;

/**
 * Keeps the cluster autoscaler from moving the head to another node; jobs would end with it. A spot pod of Autopilot may not
 * have it. https://cloud.google.com/kubernetes-engine/docs/how-to/extended-duration-pods
 */
const NOT_EVICTED = { "cluster-autoscaler.kubernetes.io/safe-to-evict": "false" };

/** What a manifest is rendered from. */
export interface RayManifestInput extends PodTemplateInput {
  readonly namespace: string;
  readonly rayVersion: string;
  readonly enableInTreeAutoscaling: boolean;
  readonly autoscalerOptions?: RayAutoscalerOptions;
  readonly gcsFaultToleranceOptions?: RayGcsFaultToleranceOptions;
  readonly recreate: boolean;
  readonly head: RayGroup;
  readonly headServiceAccountName: string;
  readonly headPods: RayPods;
  readonly workerGroups: RayWorkerGroup[];
  readonly workerServiceAccountName: string;
  readonly workerPods: RayPods;
}

/** A RayCluster of `ray.io/v1`, with only what every KubeRay version from 1.3 on knows unless said otherwise. */
export function rayClusterManifest(input: RayManifestInput): ManifestPart {
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
      ...(input.gcsFaultToleranceOptions
        ? { gcsFaultToleranceOptions: compact(gcsFaultToleranceOptionsOf(input.gcsFaultToleranceOptions)) }
        : {}),
      ...(input.authOptions ? { authOptions: authOptionsOf(input.authOptions) } : {}),
      ...(input.recreate ? { upgradeStrategy: { type: "Recreate" } } : {}),
      headGroupSpec: headGroupSpec(input),
      workerGroupSpecs: input.workerGroups.map((group) => workerGroupSpec(input, group)),
    },
  };
}

function headGroupSpec(input: RayManifestInput) {
  const { head, headPods } = input;
  const mayStay = !(input.autopilot && head.spot);
  const defaultAnnotations = { ...input.defaultAnnotations, ...(mayStay ? NOT_EVICTED : {}) };
  return {
    rayStartParams: startParams(head, headPods),
    template: podTemplate({ ...input, defaultAnnotations }, head, headPods, {
      groupName: HEAD_GROUP,
      containerName: "ray-head",
      serviceAccountName: input.headServiceAccountName,
      ports: HEAD_PORTS,
      env: autoscalerEnvOf(input.autoscalerOptions),
      ...(input.enableInTreeAutoscaling && {
        terminationGracePeriodSeconds: HEAD_GRACE_SECONDS,
        // In the container of the autoscaler alone, which jobs cannot enter.
        volumes: [tokenVolume(AUTOSCALER_TOKEN)],
      }),
      needs: headNeeds(head, input.autopilot),
    }),
  };
}

function workerGroupSpec(input: RayManifestInput, group: RayWorkerGroup) {
  const minReplicas = group.minReplicas ?? 0;
  const hosts = hostsOfReplica(group);
  return {
    groupName: group.groupName,
    // Left out where the autoscaler decides: Terraform must not take its decision back.
    ...(input.enableInTreeAutoscaling ? {} : { replicas: minReplicas }),
    minReplicas,
    maxReplicas: group.maxReplicas,
    ...(hosts > 1 ? { numOfHosts: hosts } : {}),
    rayStartParams: startParams(group, input.workerPods),
    template: podTemplate(input, group, input.workerPods, {
      groupName: group.groupName,
      containerName: "ray-worker",
      serviceAccountName: input.workerServiceAccountName,
      needs: nodeNeeds(group, input.autopilot),
    }),
  };
}

function autoscalerOptions(input: RayManifestInput) {
  return compact({
    ...autoscalerOptionsOf(input.autoscalerOptions),
    env: autoscalerAuthEnv(input),
    volumeMounts: [tokenMount(AUTOSCALER_TOKEN)],
  });
}

function authOptionsOf({ mode, secretName, enableK8sTokenAuth }: RayAuthOptions) {
  return compact({ mode, secretName, enableK8sTokenAuth });
}
