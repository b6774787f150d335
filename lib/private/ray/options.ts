import { Token } from "cdktf";
import { IConstruct } from "constructs";
import type { ManifestPart } from "../../contracts/manifest";
import {
  RayAutoscalerOptions,
  RayAutoscalerVersion,
  RayUpscalingMode,
} from "../../contracts/ray-autoscaler-options";
import type { RayClusterProps } from "../../contracts/ray-cluster";
import type {
  RayGcsFaultToleranceOptions,
  RaySecretKey,
} from "../../contracts/ray-gcs-fault-tolerance-options";
import type { NodeResources } from "../gke/machine-types";
import { cpuQuantity, memoryQuantity } from "../kubernetes/quantities";
import { CONTAINER_SECURITY_CONTEXT } from "../kubernetes/security-context";
import {
  DNS_SUBDOMAIN,
  invalid,
  requireInteger,
  requireName,
  requireOneOf,
  requirePositive,
} from "../validation";
import { requireFeature } from "./kuberay-features";
import { DEFAULT_RAY_VERSION, isAtLeast } from "./versions";

/** What the operator gives the autoscaler's container where nothing is said. */
const AUTOSCALER: NodeResources = { cpu: 0.5, memoryGiB: 0.5 };

/** The operator refuses these, or a password would stand in the manifest. */
const REDIS_VARIABLES = ["RAY_REDIS_ADDRESS", "REDIS_USERNAME", "REDIS_PASSWORD"];
const REDIS_PARAMETERS = ["redis-username", "redis-password"];

/**
 * What the head tells Ray of the autoscaler's version. KubeRay knows only the second one by its field, and refuses the field
 * beside this variable; without it Ray's head chooses, and takes the second one from Ray 2.47 on.
 *
 * https://github.com/ray-project/kuberay/blob/v1.6.2/ray-operator/controllers/ray/utils/util.go (IsAutoscalingV2Enabled)
 */
const AUTOSCALER_VARIABLE = "RAY_enable_autoscaler_v2";

/** CPUs and memory of the autoscaler's container. */
export function autoscalerResources(options: RayAutoscalerOptions = {}): NodeResources {
  return { cpu: options.cpu ?? AUTOSCALER.cpu, memoryGiB: options.memoryGiB ?? AUTOSCALER.memoryGiB };
}

/** The field `autoscalerOptions` of a RayCluster. */
export function autoscalerOptionsOf(options: RayAutoscalerOptions = {}): ManifestPart {
  const { version, idleTimeoutSeconds, upscalingMode } = options;
  const { cpu, memoryGiB } = autoscalerResources(options);
  const resources = { cpu: cpuQuantity(cpu), memory: memoryQuantity(memoryGiB) };
  const own = options.cpu !== undefined || options.memoryGiB !== undefined;
  return {
    version: version === RayAutoscalerVersion.V1 ? undefined : version,
    idleTimeoutSeconds,
    upscalingMode,
    resources: own ? { requests: resources, limits: resources } : undefined,
    // It shares a folder with jobs, and must not be led to write into its own programs.
    securityContext: { ...CONTAINER_SECURITY_CONTEXT, readOnlyRootFilesystem: true },
  };
}

/** Environment of the head that chooses the autoscaler. */
export function autoscalerEnvOf({ version }: RayAutoscalerOptions = {}): { [name: string]: string } {
  return version === RayAutoscalerVersion.V1 ? { [AUTOSCALER_VARIABLE]: "0" } : {};
}

/**
 * @param env environment of the head from elsewhere
 * @throws if that chooses an autoscaler where `autoscalerOptions` does
 */
export function requireOneAutoscaler(
  scope: IConstruct,
  { version }: RayAutoscalerOptions = {},
  env: { [name: string]: string } = {},
): void {
  const given = env[AUTOSCALER_VARIABLE];
  if (version === undefined || given === undefined) return;
  const rule = `be left to 'autoscalerOptions.version' (${version})`;
  throw invalid(scope, `head.env.${AUTOSCALER_VARIABLE}`, rule, given);
}

/** The field `gcsFaultToleranceOptions` of a RayCluster. */
export function gcsFaultToleranceOptionsOf(options: RayGcsFaultToleranceOptions): ManifestPart {
  const credential = (secret: RaySecretKey | undefined) =>
    secret && { valueFrom: { secretKeyRef: { name: secret.secretName, key: secret.key } } };
  return {
    redisAddress: options.redisAddress,
    redisUsername: credential(options.redisUsername),
    redisPassword: credential(options.redisPassword),
    externalStorageNamespace: options.externalStorageNamespace,
  };
}

/**
 * @throws if the autoscaler cannot do what is asked for
 *
 * https://github.com/ray-project/kuberay/blob/v1.6.2/ray-operator/apis/ray/v1/raycluster_types.go (AutoscalerOptions)
 */
export function requireAutoscalerOptions(
  scope: IConstruct,
  { autoscalerOptions: options, operator }: RayClusterProps,
  autoscaling: boolean,
): void {
  if (options === undefined) return;
  if (!autoscaling) {
    throw invalid(scope, "autoscalerOptions", "not be given where no worker group can grow", options);
  }
  requireOneOf(scope, "autoscalerOptions.version", options.version, Object.values(RayAutoscalerVersion));
  const modes = Object.values(RayUpscalingMode);
  requireOneOf(scope, "autoscalerOptions.upscalingMode", options.upscalingMode, modes);
  requireInteger(scope, "autoscalerOptions.idleTimeoutSeconds", options.idleTimeoutSeconds, 0);
  requirePositive(scope, "autoscalerOptions.cpu", options.cpu);
  requirePositive(scope, "autoscalerOptions.memoryGiB", options.memoryGiB);
  if (options.version === RayAutoscalerVersion.V2) {
    requireFeature(scope, "autoscalerOptions.version", operator, { feature: "autoscalerVersion" });
  }
}

/**
 * @throws if the head could not reach a Redis so, or would show a credential
 *
 * https://github.com/ray-project/kuberay/blob/v1.6.2/ray-operator/controllers/ray/utils/validation.go (ValidateRayClusterSpec)
 */
export function requireGcsFaultTolerance(scope: IConstruct, props: RayClusterProps): void {
  const { env = {}, rayStartParams = {} } = props.head;
  for (const [path, given, names] of [
    ["head.env", env, REDIS_VARIABLES],
    ["head.rayStartParams", rayStartParams, REDIS_PARAMETERS],
  ] as const) {
    const name = names.find((one) => given[one] !== undefined);
    if (name !== undefined) throw invalid(scope, `${path}.${name}`, "be left to 'gcsFaultToleranceOptions'");
  }
  const options = props.gcsFaultToleranceOptions;
  if (options === undefined) return;
  requireAddress(scope, options.redisAddress);
  for (const property of ["redisUsername", "redisPassword"] as const) {
    const secret = options[property];
    const path = `gcsFaultToleranceOptions.${property}`;
    requireName(scope, `${path}.secretName`, secret?.secretName, DNS_SUBDOMAIN);
    if (secret?.key === "") throw invalid(scope, `${path}.key`, "be a key of the Secret", secret.key);
  }
  if (props.operator.kuberayVersion !== undefined) {
    requireFeature(scope, "gcsFaultToleranceOptions", props.operator, {
      feature: "gcsFaultToleranceOptions",
    });
  }
  const rayVersion = props.rayVersion ?? DEFAULT_RAY_VERSION;
  const known = !Token.isUnresolved(rayVersion);
  if (options.redisUsername !== undefined && known && !isAtLeast(rayVersion, "2.41.0")) {
    const rule = `be used with Ray 2.41.0 or newer, not with ${rayVersion}`;
    throw invalid(scope, "gcsFaultToleranceOptions.redisUsername", rule);
  }
}

/** Never says what was given where that may hold a password. */
function requireAddress(scope: IConstruct, address: string): void {
  const property = "gcsFaultToleranceOptions.redisAddress";
  if (Token.isUnresolved(address)) return;
  if (address.includes("@")) {
    throw invalid(scope, property, "hold no credentials: 'redisUsername' and 'redisPassword' are for those");
  }
  if (!/^(rediss?:\/\/)?[A-Za-z0-9.-]+:\d+$/.test(address)) {
    const rule = 'be a host and a port such as "redis:6379" or "rediss://redis.example.com:6379"';
    throw invalid(scope, property, rule, address);
  }
}
