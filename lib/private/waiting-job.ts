import { ITerraformDependable, TerraformProvider, TerraformResource } from "cdktf";
import { Construct } from "constructs";
import type { RayToleration } from "../ray-groups";
import { JobProgram, programCommand } from "./job-programs";
import { PlainResource } from "./plain-elements";
import { CONTAINER_SECURITY_CONTEXT, POD_SECURITY_CONTEXT } from "./security-context";

/** What a program of lib/jobs needs. The chart's drain.yaml has the same. */
export const WAITING_RESOURCES = {
  requests: { cpu: "50m", memory: "64Mi" },
  limits: { cpu: "250m", memory: "128Mi" },
};

export interface WaitingJobProps {
  readonly name: string;
  readonly namespace: string;
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
  /** When Kubernetes ends the Job, and Terraform the apply. */
  readonly deadlineMinutes: number;
  /** What the Job waits again after a change of. */
  readonly replaceTriggeredBy?: string[];
  readonly dependencies: ITerraformDependable[];
  readonly provider: TerraformProvider;
}

/** A Job that an apply waits for. */
export function waitingJob(scope: Construct, id: string, props: WaitingJobProps): TerraformResource {
  const labels = { "app.kubernetes.io/name": props.name };
  const container = {
    name: props.containerName,
    image: props.image,
    command: programCommand(props.program),
    args: props.args,
    resources: WAITING_RESOURCES,
    securityContext: { ...CONTAINER_SECURITY_CONTEXT, readOnlyRootFilesystem: true },
  };
  return new PlainResource(
    scope,
    id,
    {
      terraformResourceType: "kubernetes_job_v1",
      terraformGeneratorMetadata: { providerName: "kubernetes" },
      // A wait that is over is not repeated for a later version of the Job, or for what Autopilot writes there.
      lifecycle: { ignoreChanges: ["spec"], replaceTriggeredBy: props.replaceTriggeredBy },
      dependsOn: props.dependencies,
      provider: props.provider,
    },
    {
      metadata: { name: props.name, namespace: props.namespace, labels },
      spec: {
        activeDeadlineSeconds: props.deadlineMinutes * 60,
        template: {
          metadata: { labels },
          spec: {
            restartPolicy: props.restartPolicy,
            serviceAccountName: props.serviceAccountName,
            securityContext: POD_SECURITY_CONTEXT,
            toleration: props.tolerations,
            container: [container],
          },
        },
      },
      waitForCompletion: true,
      timeouts: { create: `${props.deadlineMinutes + 1}m` },
    },
  );
}
