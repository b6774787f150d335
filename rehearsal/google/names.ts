import { invalidArgument } from "./errors";

/** https://cloud.google.com/kubernetes-engine/docs/reference/rest/v1/projects.locations.clusters */
const CLUSTER_NAME = /^[a-z]([-a-z0-9]{0,38}[a-z0-9])?$/;
/** https://cloud.google.com/iam/docs/service-accounts-create */
const SERVICE_ACCOUNT_ID = /^[a-z]([-a-z0-9]{4,28}[a-z0-9])$/;
/** https://cloud.google.com/storage/docs/buckets#naming; dots would need a verified domain. */
const BUCKET_NAME = /^[a-z0-9][-_.a-z0-9]{1,61}[a-z0-9]$/;
/** https://cloud.google.com/resource-manager/docs/labels-overview#requirements */
const LABEL_KEY = /^[\p{Ll}\p{Lo}][\p{Ll}\p{Lo}\p{N}_-]{0,62}$/u;
const LABEL_VALUE = /^[\p{Ll}\p{Lo}\p{N}_-]{0,63}$/u;
const MAX_LABELS = 64;
/** https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set */
const NODE_LABEL_NAME = /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const NODE_LABEL_VALUE = /^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;
const RESERVED_NODE_LABEL = /(^|\.)(kubernetes|k8s)\.io\//;
const REGION = /^[a-z]+-[a-z]+[0-9]+$/;
const ZONE = /^([a-z]+-[a-z]+[0-9]+)-[a-z]$/;

export function checkClusterName(field: string, name: unknown): void {
  if (typeof name === "string" && CLUSTER_NAME.test(name)) return;
  throw invalidArgument(
    `Invalid value for field "${field}": ${JSON.stringify(name ?? "")}. Names must start with a lowercase ` +
      "letter followed by up to 39 lowercase letters, numbers or hyphens, and cannot end with a hyphen.",
  );
}

export function checkServiceAccountId(id: unknown): void {
  if (typeof id === "string" && SERVICE_ACCOUNT_ID.test(id)) return;
  throw invalidArgument(
    `The account ID ${JSON.stringify(id ?? "")} does not have a length between 6 and 30 or does not match ` +
      "the pattern [a-z]([-a-z0-9]*[a-z0-9]).",
  );
}

export function checkBucketName(name: unknown): void {
  const valid =
    typeof name === "string" &&
    BUCKET_NAME.test(name) &&
    !/^\d+(\.\d+){3}$/.test(name) &&
    !name.startsWith("goog") &&
    !name.includes("google") &&
    !name.includes("..");
  if (!valid) throw invalidArgument(`Invalid bucket name: '${String(name ?? "")}'`);
}

export function checkLabels(field: string, labels: Record<string, string | null> | undefined): void {
  const entries = Object.entries(labels ?? {});
  if (entries.length > MAX_LABELS) throw invalidArgument(`${field} may hold at most ${MAX_LABELS} labels.`);
  for (const [key, value] of entries) {
    if (!LABEL_KEY.test(key)) {
      throw invalidArgument(`Invalid label key "${key}" in ${field}: must match ${LABEL_KEY.source}.`);
    }
    if (value !== null && !LABEL_VALUE.test(value)) {
      throw invalidArgument(`Invalid label value "${value}" in ${field}: must match ${LABEL_VALUE.source}.`);
    }
  }
}

export function checkNodeLabels(labels: Record<string, string> | undefined): void {
  for (const [key, value] of Object.entries(labels ?? {})) {
    if (RESERVED_NODE_LABEL.test(key)) {
      throw invalidArgument(`Node label "${key}" has a prefix that is reserved for Kubernetes.`);
    }
    if (!NODE_LABEL_NAME.test(key.split("/").pop()!) || !NODE_LABEL_VALUE.test(value)) {
      throw invalidArgument(`Invalid node label "${key}=${value}".`);
    }
  }
}

export function checkLocation(location: string): void {
  if (!REGION.test(location) && !ZONE.test(location)) {
    throw invalidArgument(`Location "${location}" does not exist.`);
  }
}

export const isZone = (location: string) => ZONE.test(location);

export const regionOf = (location: string) => ZONE.exec(location)?.[1] ?? location;

/** The zones a regional cluster spreads its nodes over when none are asked for. */
export function defaultZones(location: string): string[] {
  if (isZone(location)) return [location];
  const letters = ["us-east1", "europe-west1"].includes(location) ? ["b", "c", "d"] : ["a", "b", "c"];
  return letters.map((letter) => `${location}-${letter}`);
}
