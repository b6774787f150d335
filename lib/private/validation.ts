import { Token } from "cdktf";
import { IConstruct } from "constructs";

/** What a name may look like, with the page that says so. */
interface NamingRule {
  readonly pattern: RegExp;
  readonly maxLength: number;
  /** Completes the sentence "'x' must be ...". */
  readonly description: string;
}

/** https://cloud.google.com/resource-manager/docs/creating-managing-projects */
export const PROJECT_ID: NamingRule = {
  pattern: /^([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$/,
  maxLength: 100,
  description:
    "a project id: 6 to 30 lower-case letters, digits or hyphens, starting with a letter and not ending with a hyphen",
};

/** https://cloud.google.com/resource-manager/docs/creating-managing-projects#identifying_projects */
export const PROJECT_NUMBER: NamingRule = {
  pattern: /^\d+$/,
  maxLength: 19,
  description: "a project number: digits only",
};

/** https://cloud.google.com/kubernetes-engine/docs/concepts/workload-identity */
export const WORKLOAD_IDENTITY_POOL: NamingRule = {
  pattern: /^([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]\.svc\.id\.goog$/,
  maxLength: 120,
  description: 'the pool of a project, such as "my-project-id.svc.id.goog"',
};

/** https://cloud.google.com/compute/docs/regions-zones */
export const LOCATION: NamingRule = {
  pattern: /^[a-z]+(-[a-z]+)+[0-9]+(-[a-z0-9]+)?$/,
  maxLength: 63,
  description: 'a zone such as "us-west1-b" or a region such as "us-west1"',
};

/** https://cloud.google.com/kubernetes-engine/docs/reference/rest/v1/projects.locations.clusters (field `name`) */
export const CLUSTER_NAME: NamingRule = {
  pattern: /^[a-z]([a-z0-9-]*[a-z0-9])?$/,
  maxLength: 40,
  description:
    "1 to 40 lower-case letters, digits or hyphens, starting with a letter and not ending with a hyphen",
};

/** https://cloud.google.com/iam/docs/service-accounts-create */
export const SERVICE_ACCOUNT_ID: NamingRule = {
  pattern: /^[a-z][a-z0-9-]{4,28}[a-z0-9]$/,
  maxLength: 30,
  description:
    "6 to 30 lower-case letters, digits or hyphens, starting with a letter and not ending with a hyphen",
};

/** https://cloud.google.com/iam/docs/service-account-types */
export const SERVICE_ACCOUNT_EMAIL: NamingRule = {
  pattern: /^[a-z0-9.-]+@[a-z0-9.-]+\.gserviceaccount\.com$/,
  maxLength: 254,
  description: 'the email of a Google service account, such as "name@project-id.iam.gserviceaccount.com"',
};

/** https://cloud.google.com/kubernetes-engine/docs/how-to/google-groups-rbac */
export const SECURITY_GROUP: NamingRule = {
  pattern: /^gke-security-groups@[a-z0-9.-]+$/,
  maxLength: 254,
  description: 'the group "gke-security-groups@DOMAIN", which GKE asks for by that very name',
};

/** https://cloud.google.com/kubernetes-engine/docs/how-to/authorized-networks */
export const CIDR_BLOCK: NamingRule = {
  pattern: /^(\d{1,3}\.){3}\d{1,3}\/\d{1,2}$/,
  maxLength: 18,
  description: 'an address range such as "203.0.113.0/24"',
};

/** https://cloud.google.com/compute/docs/instances/reservations-consume */
export const RESERVATION: NamingRule = {
  pattern:
    /^(projects\/[^/\s]+\/reservations\/)?[a-z]([-a-z0-9]{0,61}[a-z0-9])?(\/reservation(Sub)?Blocks\/[^/\s]+)*$/,
  maxLength: 200,
  description:
    'the name of a reservation, such as "gpus", or of a shared one, "projects/my-project/reservations/gpus"',
};

/** https://cloud.google.com/iam/docs/roles-overview */
export const ROLE: NamingRule = {
  pattern: /^(roles|projects\/[^/\s]+\/roles|organizations\/\d+\/roles)\/[A-Za-z0-9_.]+$/,
  maxLength: 200,
  description:
    'the name of a role, such as "roles/storage.objectAdmin" or "projects/my-project/roles/myRole"',
};

/** https://cloud.google.com/kms/docs/getting-resource-ids */
export const KMS_KEY: NamingRule = {
  pattern: /^projects\/[^/\s]+\/locations\/[^/\s]+\/keyRings\/[^/\s]+\/cryptoKeys\/[^/\s]+$/,
  maxLength: 400,
  description:
    'the path of a Cloud KMS key, such as "projects/my-project/locations/us-west1/keyRings/ring/cryptoKeys/key"',
};

/** https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-label-names */
export const DNS_LABEL: NamingRule = {
  pattern: /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/,
  maxLength: 63,
  description:
    "a DNS label: 1 to 63 lower-case letters, digits or hyphens, starting and ending with a letter or digit",
};

/** https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-subdomain-names */
export const DNS_SUBDOMAIN: NamingRule = {
  pattern: /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/,
  maxLength: 253,
  description:
    "a DNS subdomain: 1 to 253 lower-case letters, digits, hyphens or dots, starting and ending with a letter or digit",
};

/**
 * KubeRay's own limit is for the Services and Pods that it names after the cluster; Helm has the same limit for the release.
 * https://github.com/ray-project/kuberay/blob/v1.6.2/ray-operator/controllers/ray/utils/validation.go
 */
export const RAY_CLUSTER_NAME: NamingRule = {
  pattern: /^[a-z]([a-z0-9-]*[a-z0-9])?$/,
  maxLength: 53,
  description:
    "1 to 53 lower-case letters, digits or hyphens, starting with a letter and not ending with a hyphen",
};

/** https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/ */
export const QUANTITY: NamingRule = {
  pattern: /^\d+(\.\d+)?(m|k|[MGTPE]|[KMGTPE]i)?$/,
  maxLength: 30,
  description: 'a quantity of Kubernetes, such as "8", "500m" or "16Gi"',
};

/** https://www.rfc-editor.org/rfc/rfc1123#section-2 */
export const HOST_NAME: NamingRule = {
  pattern: /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/,
  maxLength: 253,
  description: 'a host name in lower case, without scheme, port or path, such as "github.com"',
};

/** https://www.rfc-editor.org/rfc/rfc3986#section-3.2 */
export const ENDPOINT: NamingRule = {
  pattern: /^([a-z0-9.-]+|\[[0-9a-f:]+\])(:\d{1,5})?$/,
  maxLength: 259,
  description: 'a host name or an address, and a port if need be, without a scheme, such as "203.0.113.7"',
};

/** https://github.com/distribution/reference/blob/v0.6.0/reference.go */
export const IMAGE: NamingRule = {
  pattern:
    /^([A-Za-z0-9.-]+(:\d+)?\/)?[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*(\/[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*)*(:\w[\w.-]{0,127})?(@sha256:[0-9a-f]{64})?$/,
  maxLength: 400,
  description: 'the name of an image, such as "quay.io/example/tool:1.2.3"',
};

/** https://github.com/ray-project/ray/releases */
export const RAY_VERSION: NamingRule = {
  pattern: /^\d+\.\d+\.\d+([.-]?[a-z0-9]+)*$/,
  maxLength: 40,
  description: 'a Ray version such as "2.60.0"',
};

/** https://github.com/ray-project/kuberay/releases */
export const KUBERAY_VERSION: NamingRule = {
  pattern: /^\d+\.\d+\.\d+(-[a-z0-9.]+)?$/,
  maxLength: 40,
  description: 'a KubeRay version such as "1.6.2"',
};

/** A property that cannot stand. */
export class InvalidProperty extends Error {
  /** Hidden from those who print errors, or send them to another process: it leads to the whole tree. */
  readonly #scope: IConstruct;

  constructor(
    scope: IConstruct,
    /** A sentence about the property and its value, which does not say where the construct is. */
    public readonly problem: string,
  ) {
    super(`${problem} (at ${scope.node.path})`);
    this.#scope = scope;
  }

  /** The construct whose property it is. */
  public get scope(): IConstruct {
    return this.#scope;
  }
}

/**
 * The error of a property that cannot stand.
 *
 * @param property path of the property as the user wrote it, e.g. `workerGroups[1].maxReplicas`
 * @param requirement completes "'property' must ..."
 * @param got the value; left out when the value says nothing
 */
export function invalid(
  scope: IConstruct,
  property: string,
  requirement: string,
  got?: unknown,
): InvalidProperty {
  // JSON has no word for NaN and Infinity.
  const text = typeof got === "number" ? `${got}` : JSON.stringify(got);
  const value = got === undefined ? "" : `, got ${text}`;
  return new InvalidProperty(scope, `'${property}' must ${requirement}${value}`);
}

/** Whether Terraform only knows the value later; such a value is never judged at synth. */
function isUnknown(value: unknown): boolean {
  return value === undefined || Token.isUnresolved(value);
}

export function requireName(
  scope: IConstruct,
  property: string,
  value: string | undefined,
  rule: NamingRule,
): void {
  if (isUnknown(value)) return;
  if (value!.length > rule.maxLength || !rule.pattern.test(value!)) {
    throw invalid(scope, property, `be ${rule.description}`, value);
  }
}

/** Requires one of a few words, also of those who have no types. */
export function requireOneOf(
  scope: IConstruct,
  property: string,
  value: string | undefined,
  all: readonly string[],
): void {
  if (isUnknown(value) || all.includes(value!)) return;
  throw invalid(scope, property, `be ${all.join(", ")}`, value);
}

/** Below this a quantity of Kubernetes, in thousandths of CPUs or in mebibytes, would be 0. */
const LEAST_AMOUNT = 0.001;

/** Requires an amount of CPUs or GiB above zero. */
export function requirePositive(scope: IConstruct, property: string, value: number | undefined): void {
  if (isUnknown(value) || (value! >= LEAST_AMOUNT && Number.isFinite(value))) return;
  throw invalid(
    scope,
    property,
    value! > 0 ? `be at least ${LEAST_AMOUNT} and finite` : "be more than 0",
    value,
  );
}

/** Requires a whole number between `minimum` and, when given, `maximum`. */
export function requireInteger(
  scope: IConstruct,
  property: string,
  value: number | undefined,
  minimum: number,
  maximum?: number,
): void {
  if (isUnknown(value)) return;
  if (!Number.isInteger(value) || value! < minimum || (maximum !== undefined && value! > maximum)) {
    const range = maximum === undefined ? `of at least ${minimum}` : `between ${minimum} and ${maximum}`;
    throw invalid(scope, property, `be a whole number ${range}`, value);
  }
}

/** Requires a number of at least `minimum`, in the unit that the property's name says. */
export function requireAtLeast(
  scope: IConstruct,
  property: string,
  value: number | undefined,
  minimum: number,
  bound = `${minimum}`,
): void {
  if (isUnknown(value) || Token.isUnresolved(minimum)) return;
  if (!Number.isFinite(value) || value! < minimum) {
    throw invalid(scope, property, `be at least ${bound}`, value);
  }
}

/**
 * Requires a bucket name that Cloud Storage accepts.
 *
 * https://cloud.google.com/storage/docs/buckets#naming
 */
export function requireBucketName(scope: IConstruct, property: string, value: string): void {
  if (isUnknown(value)) return;
  const problem = bucketNameProblem(value);
  if (problem !== undefined) throw invalid(scope, property, problem, value);
}

function bucketNameProblem(name: string): string | undefined {
  if (!/^[a-z0-9._-]*$/.test(name)) {
    return "have only lower-case letters, digits, hyphens, underscores and dots";
  }
  const dotted = name.includes(".");
  if (name.length < 3 || name.length > (dotted ? 222 : 63)) {
    return dotted ? "have 3 to 222 characters" : "have 3 to 63 characters";
  }
  if (dotted && name.split(".").some((part) => part.length === 0 || part.length > 63)) {
    return "have 1 to 63 characters between its dots";
  }
  if (!/^[a-z0-9].*[a-z0-9]$/.test(name)) return "start and end with a letter or digit";
  if (/^\d+\.\d+\.\d+\.\d+$/.test(name)) return "not look like an IP address";
  if (name.startsWith("goog")) return 'not start with "goog"';
  if (name.includes("google")) return 'not contain "google"';
  return undefined;
}

/** Requires that at most one of the given properties is set. */
export function requireAtMostOne(scope: IConstruct, properties: { [property: string]: unknown }): void {
  const given = Object.keys(properties).filter((property) => properties[property] !== undefined);
  if (given.length > 1) {
    const others = given.slice(1).map((property) => `'${property}'`);
    throw invalid(scope, given[0], `not be given together with ${others.join(" and ")}`);
  }
}
