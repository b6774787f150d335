/**
 * What keeps a pod from the restricted Pod Security Standard, control by control as Kubernetes publishes it; nothing when it is
 * admitted. Controls of Windows, and fields that no pod here has a reason to use, are refused whatever they say.
 *
 * https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
 */
export function restrictedViolations(pod: any): string[] {
  const containers = [
    ...(pod.initContainers ?? []),
    ...(pod.containers ?? []),
    ...(pod.ephemeralContainers ?? []),
  ];
  return [
    ...podViolations(pod),
    ...containers.flatMap((container) =>
      containerViolations(container, pod.securityContext ?? {}).map((text) => `${container.name}: ${text}`),
    ),
  ];
}

function podViolations(pod: any): string[] {
  const found: string[] = [];
  const context = pod.securityContext ?? {};
  for (const field of ["hostNetwork", "hostPID", "hostIPC"]) {
    if (pod[field]) found.push(`Host Namespaces: ${field}`);
  }
  for (const { name, ...source } of pod.volumes ?? []) {
    const [kind, ...more] = Object.keys(source);
    if (more.length > 0 || !VOLUME_TYPES.has(kind)) found.push(`Volume Types: ${name} is ${kind}`);
  }
  if (context.sysctls?.length > 0) found.push("Sysctls");
  if (context.runAsUser === 0) found.push("Running as Non-root user");
  return [...found, ...commonViolations(context)];
}

function containerViolations(container: any, podContext: any): string[] {
  const found: string[] = [];
  const context = container.securityContext ?? {};
  const { add = [], drop = [] } = context.capabilities ?? {};
  if (context.privileged) found.push("Privileged Containers");
  if (context.allowPrivilegeEscalation !== false) found.push("Privilege Escalation");
  if (!drop.includes("ALL")) found.push("Capabilities: ALL is not dropped");
  if (add.some((name: string) => name !== "NET_BIND_SERVICE")) found.push(`Capabilities: ${add}`);
  if (!(context.runAsNonRoot ?? podContext.runAsNonRoot)) found.push("Running as Non-root");
  if (context.runAsUser === 0) found.push("Running as Non-root user");
  if ((context.seccompProfile ?? podContext.seccompProfile) === undefined) found.push("Seccomp: not set");
  if (!["Default", undefined].includes(context.procMount)) found.push("/proc Mount Type");
  for (const { hostPort } of container.ports ?? []) if (hostPort) found.push("Host Ports");
  const { postStart, preStop } = container.lifecycle ?? {};
  const { livenessProbe, readinessProbe, startupProbe } = container;
  for (const handler of [postStart, preStop, livenessProbe, readinessProbe, startupProbe]) {
    if (handler?.httpGet?.host || handler?.tcpSocket?.host) found.push("Host Probes / Lifecycle Hooks");
  }
  return [...found, ...commonViolations(context)];
}

function commonViolations(context: any): string[] {
  const found: string[] = [];
  const seccomp = context.seccompProfile?.type;
  if (![undefined, "RuntimeDefault", "Localhost"].includes(seccomp)) found.push(`Seccomp: ${seccomp}`);
  for (const field of ["windowsOptions", "seLinuxOptions", "appArmorProfile"]) {
    if (context[field] !== undefined) found.push(field);
  }
  return found;
}

const VOLUME_TYPES = new Set(
  "configMap csi downwardAPI emptyDir ephemeral persistentVolumeClaim projected secret".split(" "),
);

/**
 * The pods that a rendered Kubernetes object describes, by where they stand in it; those of a RayCluster as the operator makes
 * them: with the autoscaler beside the head, and with a worker's wait for the head, which runs as the Ray container does.
 *
 * https://github.com/ray-project/kuberay/blob/v1.6.2/ray-operator/controllers/ray/common/pod.go
 */
export function podsOf(object: any): [string, any][] {
  const name = `${object.kind} ${object.metadata?.namespace}/${object.metadata?.name}`;
  if (object.kind !== "RayCluster") {
    const pod = object.spec?.template?.spec;
    return pod === undefined ? [] : [[name, pod]];
  }
  const { headGroupSpec, workerGroupSpecs, autoscalerOptions, enableInTreeAutoscaling } = object.spec;
  const head = headGroupSpec.template.spec;
  const autoscaler = enableInTreeAutoscaling ? [{ name: "autoscaler", ...autoscalerOptions }] : [];
  return [
    [`${name} head`, { ...head, containers: [...head.containers, ...autoscaler] }],
    ...workerGroupSpecs.map(({ groupName, template: { spec } }: any) => {
      const wait = { ...spec.containers[0], name: "wait-gcs-ready" };
      return [`${name} ${groupName}`, { ...spec, initContainers: [...(spec.initContainers ?? []), wait] }];
    }),
  ];
}
