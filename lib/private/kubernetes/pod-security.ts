import { Token } from "cdktf";
import { IConstruct } from "constructs";
import type { ManifestPart, ManifestValue } from "../../contracts/manifest";
import { PodSecurityStandard } from "../../contracts/pod-security-standard";
import { invalid } from "../validation";

/** What a standard says of one field of a pod or a container. */
interface Rule {
  /** Steps to the field; `*` stands for every item of a list. */
  readonly field: string;
  /** Whether a value may stand; a field that is left out is `undefined`. */
  readonly allows: (value: ManifestValue) => boolean;
  /** Completes the sentence "'x' must ...". */
  readonly requirement: string;
}

const off = (value: unknown) => value === undefined || value === false;
const oneOf = (values: readonly unknown[]) => (value: unknown) =>
  value === undefined || values.includes(value);

/** Capabilities that a container has without asking. */
const DEFAULT_CAPABILITIES = [
  ...["AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE"],
  ...["SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"],
];

const SAFE_SYSCTLS = [
  "kernel.shm_rmid_forced",
  "net.ipv4.ip_local_port_range",
  "net.ipv4.ip_local_reserved_ports",
  "net.ipv4.ip_unprivileged_port_start",
  "net.ipv4.ping_group_range",
  "net.ipv4.tcp_fin_timeout",
  "net.ipv4.tcp_keepalive_intvl",
  "net.ipv4.tcp_keepalive_probes",
  "net.ipv4.tcp_keepalive_time",
  "net.ipv4.tcp_rmem",
  "net.ipv4.tcp_syncookies",
  "net.ipv4.tcp_wmem",
];

const SELINUX_TYPES = ["", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"];

const PROFILES = ["RuntimeDefault", "Localhost"];

/** Of the security context of a pod and of a container alike. */
const BASELINE_CONTEXT: readonly Rule[] = [
  rule("windowsOptions.hostProcess", off, "not be on"),
  rule("seLinuxOptions.type", oneOf(SELINUX_TYPES), "be a type of containers"),
  rule("seLinuxOptions.user", oneOf([""]), "be left out"),
  rule("seLinuxOptions.role", oneOf([""]), "be left out"),
  rule("seccompProfile.type", oneOf(PROFILES), "not be Unconfined"),
  rule("appArmorProfile.type", oneOf(PROFILES), "not be Unconfined"),
];

const BASELINE_POD: readonly Rule[] = [
  ...["hostNetwork", "hostPID", "hostIPC"].map((field) => rule(field, off, "not be on")),
  ...inContext(BASELINE_CONTEXT),
  rule("securityContext.sysctls.*.name", oneOf(SAFE_SYSCTLS), "be a setting that is safe for other pods"),
  rule("volumes.*.hostPath", oneOf([]), "not be given"),
];

const HANDLERS = [
  "livenessProbe",
  "readinessProbe",
  "startupProbe",
  "lifecycle.postStart",
  "lifecycle.preStop",
];

const BASELINE_CONTAINER: readonly Rule[] = [
  ...inContext(BASELINE_CONTEXT),
  rule("securityContext.privileged", off, "not be on"),
  rule("securityContext.procMount", oneOf(["Default"]), "be Default"),
  rule(
    "securityContext.capabilities.add.*",
    oneOf(DEFAULT_CAPABILITIES),
    "be one that containers have anyway",
  ),
  rule("ports.*.hostPort", oneOf([0]), "not be given"),
  ...HANDLERS.flatMap((handler) =>
    ["httpGet", "tcpSocket"].map((kind) => rule(`${handler}.${kind}.host`, oneOf([""]), "be left out")),
  ),
];

/** Kinds of volumes that lead nowhere out of the pod. */
const VOLUMES = [
  ...[
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
  ],
];

const RESTRICTED_POD: readonly Rule[] = [
  rule(
    "volumes.*",
    (volume) => Object.keys(volume).every((field) => field === "name" || VOLUMES.includes(field)),
    `be of the kind ${VOLUMES.join(", ")}`,
  ),
  rule("securityContext.runAsUser", (user) => user !== 0, "not be root"),
];

const RESTRICTED_CONTAINER: readonly Rule[] = [
  rule("securityContext.allowPrivilegeEscalation", (value) => value === false, "be false"),
  rule("securityContext.runAsUser", (user) => user !== 0, "not be root"),
  rule("securityContext.capabilities.drop", (drop) => (drop ?? []).includes("ALL"), 'hold "ALL"'),
  rule("securityContext.capabilities.add.*", oneOf(["NET_BIND_SERVICE"]), "be NET_BIND_SERVICE"),
];

/**
 * @param standard what the namespace enforces; not known of one that exists already
 * @throws if the API server would refuse pods of a RayCluster, which shows only in events of the operator
 *
 * https://kubernetes.io/docs/concepts/security/pod-security-standards/
 */
export function requirePodSecurity(
  scope: IConstruct,
  namespace: string,
  standard: string | undefined,
  spec: ManifestPart,
): void {
  if (standard === undefined || standard === PodSecurityStandard.PRIVILEGED) return;
  const restricted = standard === PodSecurityStandard.RESTRICTED;
  const refuse = (path: string, requirement: string, got: unknown) => {
    const reason = `${requirement}: the namespace ${JSON.stringify(namespace)} enforces the Pod Security Standard "${standard}" ('podSecurityStandard' chooses another where it is made)`;
    return invalid(scope, path, reason, got);
  };
  for (const [path, template] of templates(spec)) {
    const pod = template.spec ?? {};
    const podRules = [...BASELINE_POD, ...(restricted ? RESTRICTED_POD : [])];
    const rules = [...BASELINE_CONTAINER, ...(restricted ? RESTRICTED_CONTAINER : [])];
    const containers =
      path === "head" ? [...containersOf(path, pod), ...autoscaler(spec)] : containersOf(path, pod);
    for (const [place, fields, own] of [
      [path, pod, podRules] as const,
      ...containers.map(([at, container]) => [at, container, rules] as const),
    ]) {
      const broken = firstBroken(place, fields, own);
      if (broken !== undefined) throw refuse(broken.path, broken.requirement, broken.got);
    }
    for (const [annotation, profile] of Object.entries<string>(template.metadata?.annotations ?? {})) {
      const confined = profile === "runtime/default" || String(profile).startsWith("localhost/");
      if (annotation.startsWith("container.apparmor.security.beta.kubernetes.io/") && !confined) {
        throw refuse(`${path}.annotations.${annotation}`, "be runtime/default or localhost/PROFILE", profile);
      }
    }
    if (!restricted) continue;
    for (const [place, container] of containers) {
      const effective = (field: string) => valueOf(container, field) ?? valueOf(pod, field);
      const nonRoot = effective("securityContext.runAsNonRoot");
      if (nonRoot !== true && !Token.isUnresolved(nonRoot)) {
        throw refuse(`${place}.securityContext.runAsNonRoot`, "be true, or left to the pod's", nonRoot);
      }
      const profile = effective("securityContext.seccompProfile.type");
      if (!PROFILES.includes(profile) && !Token.isUnresolved(profile)) {
        throw refuse(`${place}.securityContext.seccompProfile.type`, `be ${PROFILES.join(" or ")}`, profile);
      }
    }
  }
}

function templates(spec: ManifestPart): [string, ManifestPart][] {
  const workers = spec.workerGroupSpecs ?? [];
  return [
    ["head", spec.headGroupSpec.template],
    ...workers.map(({ template }: ManifestPart, index: number) => [`workerGroups[${index}]`, template]),
  ] as [string, ManifestPart][];
}

function containersOf(path: string, pod: ManifestPart): [string, ManifestPart][] {
  return ["initContainers", "containers"].flatMap((list) =>
    (pod[list] ?? []).map((container: ManifestPart) => [`${path}.${list}[${container.name}]`, container]),
  ) as [string, ManifestPart][];
}

/** The operator makes its container of the image and the options. */
function autoscaler({ enableInTreeAutoscaling, autoscalerOptions }: ManifestPart): [string, ManifestPart][] {
  return enableInTreeAutoscaling ? [["autoscalerOptions", autoscalerOptions ?? {}]] : [];
}

function rule(field: string, allows: (value: ManifestValue) => boolean, requirement: string): Rule {
  return { field, allows, requirement };
}

function inContext(rules: readonly Rule[]): Rule[] {
  return rules.map((own) => ({ ...own, field: `securityContext.${own.field}` }));
}

function firstBroken(path: string, fields: ManifestPart, rules: readonly Rule[]) {
  for (const { field, allows, requirement } of rules) {
    for (const [place, value] of valuesAt(fields, field.split("."))) {
      // What only Terraform knows may be right.
      if (Token.isUnresolved(value) || allows(value)) continue;
      return { path: `${path}${place}`, requirement, got: value };
    }
  }
  return undefined;
}

function valueOf(fields: ManifestPart, field: string): ManifestValue {
  return field.split(".").reduce((value: ManifestValue, step) => value?.[step], fields);
}

/** The values of a field, with the way to each of them; one `undefined` where a step before a list is left out. */
function valuesAt(value: ManifestValue, [step, ...rest]: string[], path = ""): [string, ManifestValue][] {
  if (step === undefined) return [[path, value]];
  if (Token.isUnresolved(value)) return [];
  if (step !== "*") return valuesAt(value?.[step], rest, `${path}.${step}`);
  const items: ManifestValue[] = Array.isArray(value) ? value : [];
  return items.flatMap((item, index) => valuesAt(item, rest, `${path}[${item?.name ?? index}]`));
}
