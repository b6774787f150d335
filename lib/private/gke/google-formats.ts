import { Token } from "cdktf";
import { IConstruct } from "constructs";
import { requireLabelKey, requireLabelValue } from "../kubernetes/labels";
import { CIDR_BLOCK, invalid, requireName } from "../validation";

/** https://cloud.google.com/resource-manager/docs/labels-overview#requirements */
const LABEL_KEY = /^[\p{Ll}\p{Lo}][\p{Ll}\p{Lo}\p{N}_-]{0,62}$/u;
const LABEL_VALUE = /^[\p{Ll}\p{Lo}\p{N}_-]{0,63}$/u;
const MOST_LABELS = 64;

const KUBERNETES_LABEL = /(^|\.)(kubernetes|k8s)\.io\//;

/** https://www.rfc-editor.org/rfc/rfc3339#section-5.6 */
const RFC_3339 = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$/;

/** https://cloud.google.com/kubernetes-engine/docs/concepts/maintenance-windows-and-exclusions */
const LEAST_WINDOW_HOURS = 4;

type Labels = { [name: string]: string } | undefined;

/** @throws unless Google Cloud takes these as labels of a resource */
export function requireResourceLabels(scope: IConstruct, property: string, labels: Labels): void {
  const entries = knownEntries(labels);
  if (entries.length > MOST_LABELS) {
    throw invalid(scope, property, `have at most ${MOST_LABELS} labels`, entries.length);
  }
  for (const [key, value] of entries) {
    if (!Token.isUnresolved(key) && !LABEL_KEY.test(key)) {
      const rule = "have keys of 1 to 63 lower-case letters, digits, _ and -, starting with a letter";
      throw invalid(scope, property, rule, key);
    }
    if (!Token.isUnresolved(value) && !LABEL_VALUE.test(value)) {
      const rule = "be at most 63 lower-case letters, digits, _ and -";
      throw invalid(scope, `${property}.${key}`, rule, value);
    }
  }
}

/** @throws unless GKE takes these as Kubernetes labels of nodes */
export function requireNodeLabels(scope: IConstruct, property: string, labels: Labels): void {
  for (const [key, value] of knownEntries(labels)) {
    requireNodeLabelKey(scope, property, key);
    requireLabelValue(scope, `${property}.${key}`, value);
  }
}

/** @throws unless it is the key of a label or taint that users may set */
export function requireNodeLabelKey(scope: IConstruct, property: string, key: string): void {
  if (Token.isUnresolved(key)) return;
  if (KUBERNETES_LABEL.test(key)) {
    throw invalid(scope, property, "not have keys under kubernetes.io or k8s.io, which GKE refuses", key);
  }
  requireLabelKey(scope, property, key);
}

/** @throws unless it is an IPv4 range whose address has no bits beyond its length */
export function requireCidrBlock(scope: IConstruct, property: string, cidrBlock: string): void {
  requireName(scope, property, cidrBlock, CIDR_BLOCK);
  if (Token.isUnresolved(cidrBlock)) return;
  const [address, length] = cidrBlock.split("/");
  const bytes = address.split(".").map(Number);
  const bits = Number(length);
  if (bytes.some((byte) => byte > 255) || bits > 32) {
    throw invalid(scope, property, `be ${CIDR_BLOCK.description}`, cidrBlock);
  }
  const number = bytes.reduce((sum, byte) => sum * 256 + byte, 0);
  const size = 2 ** (32 - bits);
  if (number % size === 0) return;
  const first = number - (number % size);
  const text = [24, 16, 8, 0].map((shift) => Math.floor(first / 2 ** shift) % 256).join(".");
  throw invalid(scope, property, `be the range itself, ${JSON.stringify(`${text}/${bits}`)}`, cidrBlock);
}

/** What a maintenance window is made of. */
interface Window {
  readonly startTime: string;
  readonly endTime: string;
  readonly recurrence: string;
}

/** @throws unless GKE takes it as a recurring window */
export function requireMaintenanceWindow(
  scope: IConstruct,
  property: string,
  window: Window | undefined,
): void {
  if (window === undefined || Token.isUnresolved(window)) return;
  for (const name of ["startTime", "endTime"] as const) {
    const time = window[name];
    if (Token.isUnresolved(time) || (RFC_3339.test(time) && !Number.isNaN(Date.parse(time)))) continue;
    throw invalid(
      scope,
      `${property}.${name}`,
      'be a time of RFC 3339, such as "2026-01-03T02:00:00Z"',
      time,
    );
  }
  const { startTime, endTime, recurrence } = window;
  if (
    !Token.isUnresolved(recurrence) &&
    !/^FREQ=(DAILY|WEEKLY|MONTHLY|YEARLY)(;[A-Z]+=[A-Z0-9,+-]+)*$/.test(recurrence)
  ) {
    const rule = 'be a rule of RFC 5545, such as "FREQ=WEEKLY;BYDAY=SA,SU"';
    throw invalid(scope, `${property}.recurrence`, rule, recurrence);
  }
  if ([startTime, endTime].some((time) => Token.isUnresolved(time))) return;
  const hours = (Date.parse(endTime) - Date.parse(startTime)) / 3_600_000;
  if (hours < LEAST_WINDOW_HOURS) {
    throw invalid(
      scope,
      `${property}.endTime`,
      `be at least ${LEAST_WINDOW_HOURS} hours after startTime`,
      endTime,
    );
  }
}

function knownEntries(labels: Labels): [string, string][] {
  return labels === undefined || Token.isUnresolved(labels) ? [] : Object.entries(labels);
}
