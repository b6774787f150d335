import { ITerraformDependable, TerraformProvider, TerraformResource } from "cdktf";
import { Construct } from "constructs";
import type { RayToleration } from "../../contracts/ray-groups";
import { PlainResource } from "../terraform/plain-elements";
import { JobProgram, programCommand } from "./job-programs";
import { compact } from "./manifest";
import { CONTAINER_SECURITY_CONTEXT, POD_SECURITY_CONTEXT } from "./security-context";
import { tokenMount, tokenVolume } from "./service-account-token";

const TOKEN_VOLUME = "token";

/** What a program of lib/jobs needs. */
export const WAITING_RESOURCES = {
  requests: { cpu: "50m", memory: "64Mi" },
  limits: { cpu: "250m", memory: "128Mi" },
};

/** Properties of a pod that waits. */
export interface WaitingPodProps {
  readonly containerName: string;
  readonly program: JobProgram;
  /** Arguments of the program. */
  readonly args?: string[];
  /** An image with python3. */
  readonly image: string;
  /** @default - the namespace's default account */
  readonly serviceAccountName?: string;
  readonly restartPolicy: "Never" | "OnFailure";
  readonly tolerations?: RayToleration[];
}

/** Properties of a Job that waits. */
export interface WaitingJobProps extends WaitingPodProps {
  readonly name: string;
  readonly namespace: string;
  /** When Kubernetes ends the Job, and Terraform the apply. */
  readonly deadlineMinutes: number;
  /** What the Job waits again after a change of. */
  readonly replaceTriggeredBy?: string[];
  readonly dependencies: ITerraformDependable[];
  readonly provider: TerraformProvider;
}

/** Spec of a pod that runs a program of lib/jobs, as a manifest has it. */
export function waitingPod(props: WaitingPodProps) {
  const container = compact({
    name: props.containerName,
    image: props.image,
    command: programCommand(props.program),
    args: props.args,
    resources: WAITING_RESOURCES,
    securityContext: { ...CONTAINER_SECURITY_CONTEXT, readOnlyRootFilesystem: true },
    volumeMounts: [tokenMount(TOKEN_VOLUME)],
  });
  return compact({
    restartPolicy: props.restartPolicy,
    serviceAccountName: props.serviceAccountName,
    automountServiceAccountToken: false,
    securityContext: POD_SECURITY_CONTEXT,
    tolerations: props.tolerations,
    containers: [container],
    volumes: [tokenVolume(TOKEN_VOLUME)],
  });
}

/** A Job that an apply waits for. */
export function waitingJob(scope: Construct, id: string, props: WaitingJobProps): TerraformResource {
  const labels = { "app.kubernetes.io/name": props.name };
  const { containers, volumes, tolerations, ...pod } = waitingPod(props);
  const [{ volumeMounts, ...container }] = containers;
  return new PlainResource(scope, id, "kubernetes_job_v1", {
    metadata: { name: props.name, namespace: props.namespace, labels },
    spec: {
      activeDeadlineSeconds: props.deadlineMinutes * 60,
      template: {
        metadata: { labels },
        spec: {
          ...pod,
          toleration: tolerations,
          container: [{ ...container, volumeMount: volumeMounts }],
          volume: volumes,
        },
      },
    },
    waitForCompletion: true,
    timeouts: { create: `${props.deadlineMinutes + 1}m` },
    // A wait that is over is not repeated for a later version of the Job, or for what Autopilot writes there.
    lifecycle: { ignoreChanges: ["spec"], replaceTriggeredBy: props.replaceTriggeredBy },
    dependsOn: props.dependencies,
    provider: props.provider,
  });
}
