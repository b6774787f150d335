import { existsSync, readFileSync } from "node:fs";

/** One request as the API server recorded it. */
export interface AuditEvent {
  readonly auditID: string;
  readonly verb: string;
  readonly requestURI: string;
  readonly user: { readonly username: string; readonly groups?: readonly string[] };
  readonly userAgent?: string;
  readonly objectRef?: {
    readonly resource?: string;
    readonly subresource?: string;
    readonly namespace?: string;
    readonly name?: string;
    readonly apiGroup?: string;
    readonly apiVersion?: string;
  };
  readonly responseStatus?: { readonly code?: number; readonly reason?: string };
  /** When the request came in, RFC 3339 with microseconds: compare as text. */
  readonly requestReceivedTimestamp: string;
  /** When the answer was complete. */
  readonly stageTimestamp: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** The node's own programs, whose reading says nothing about a deployment. */
const NODE_USERS = [
  "system:apiserver",
  "system:kube-controller-manager",
  "system:kube-scheduler",
  "system:kube-proxy",
  "system:node:localhost",
  "rehearsal:coredns",
  "rehearsal:kube-router",
  "rehearsal:node",
];

const READING = ["get", "list", "watch"];

/** Whose notes about what they do are no requests of a deployment: everybody's who keeps the cluster going. */
const EVENT_WRITERS = [...NODE_USERS, "rehearsal:kuberay-operator"];

const EVENTS = [{ group: "", resources: ["events"] }, { group: "events.k8s.io" }];

/** Every request with its user, object and outcome, never with its body, so no secret reaches the log. */
export const AUDIT_POLICY = {
  apiVersion: "audit.k8s.io/v1",
  kind: "Policy",
  omitStages: ["RequestReceived", "ResponseStarted"],
  rules: [
    { level: "None", nonResourceURLs: ["/healthz*", "/livez*", "/readyz*", "/version", "/openapi/*"] },
    { level: "None", users: NODE_USERS, verbs: READING },
    { level: "None", userGroups: ["system:serviceaccounts:kube-system"], verbs: READING },
    { level: "None", resources: [{ group: "coordination.k8s.io", resources: ["leases"] }] },
    { level: "None", users: EVENT_WRITERS, resources: EVENTS },
    { level: "None", userGroups: ["system:serviceaccounts:kube-system"], resources: EVENTS },
    { level: "Metadata" },
  ],
};

/** Reads what the API server has recorded so far, in the order in which the requests ended. */
export function readAuditLog(file: string): AuditEvent[] {
  if (!existsSync(file)) {
    return [];
  }
  const text = readFileSync(file, "utf8");
  // The last line may still be on its way to the disk.
  const complete = text.slice(0, text.lastIndexOf("\n") + 1);
  return complete
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as AuditEvent);
}
