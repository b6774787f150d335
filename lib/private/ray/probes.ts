import type { ManifestPart } from "../../contracts/manifest";
import { hasFeature } from "./kuberay-features";
import { isAtLeast } from "./versions";

/** Port of Ray's dashboard agent, which runs on every node of Ray and knows how the node is. */
const AGENT_PORT = 52365;

/** What decides about the probes of a head. */
export interface HeadProbesInput {
  readonly kuberayVersion?: string;
  readonly rayVersion?: string;
  /** Where Ray's dashboard listens. */
  readonly dashboardPort: number;
}

/** Probes of the Ray container, as in a Kubernetes manifest. */
export interface Probes {
  readonly readiness: ManifestPart;
  readonly liveness: ManifestPart;
}

/**
 * Probes for a head whose dashboard is not on port 8265. KubeRay before 1.6 asks that port whatever it is told, and so kills
 * the head; from 1.6 on the operator's own probes are right, and none are needed.
 *
 * https://github.com/ray-project/kuberay/blob/v1.5.1/ray-operator/controllers/ray/common/pod.go (initLivenessAndReadinessProbe)
 */
export function headProbes(input: HeadProbesInput): Probes | undefined {
  if (hasFeature(input.kuberayVersion, "probesOfAnyPort")) return undefined;
  const check = isAtLeast(input.rayVersion, "2.53.0")
    ? { httpGet: { path: "/api/healthz", port: AGENT_PORT } }
    : { exec: { command: ["bash", "-c", healthCommand(input.dashboardPort)] } };
  const often = { periodSeconds: 5, successThreshold: 1, timeoutSeconds: 2 };
  return {
    readiness: { ...check, ...often, initialDelaySeconds: 10, failureThreshold: 10 },
    liveness: { ...check, ...often, initialDelaySeconds: 30, failureThreshold: 120 },
  };
}

function healthCommand(dashboardPort: number): string {
  const isHealthy = (port: number, path: string) =>
    `wget --timeout 2 -q -O- http://localhost:${port}/api/${path} | grep success`;
  return `${isHealthy(AGENT_PORT, "local_raylet_healthz")} && ${isHealthy(dashboardPort, "gcs_healthz")}`;
}
