import { ITerraformDependable } from "cdktf";
import type { IRayCluster } from "../../contracts/ray-cluster";
import {
  DASHBOARD_PORT,
  HEALTH_PORT,
  proxyContainer,
  ProxyContainerOptions,
  proxyVolumes,
} from "./auth-proxy-container";
import { headProbes } from "./probes";

/** Where Ray's dashboard listens when the proxy has its usual port. */
const RAY_PORT = 8443;

/**
 * Adds the proxy to the head pod, as in KubeRay's guide: a native sidecar, which starts before Ray, is started again when it
 * fails, and ends after Ray. Ray then listens on 127.0.0.1.
 *
 * @param dependencies what the proxy needs before it starts
 */
export function addProxySidecar(
  { head, kuberayVersion, rayVersion }: IRayCluster,
  options: ProxyContainerOptions,
  dependencies: ITerraformDependable[],
): void {
  head.addRayStartParam("dashboard-host", "127.0.0.1");
  head.addRayStartParam("dashboard-port", `${RAY_PORT}`);
  const probes = headProbes({ kuberayVersion, rayVersion, dashboardPort: RAY_PORT });
  if (probes !== undefined) head.setProbes(probes.readiness, probes.liveness);
  proxyVolumes(options).forEach((volume) => head.addVolume(volume));
  head.addInitContainer({
    ...proxyContainer(options, { upstream: `http://127.0.0.1:${RAY_PORT}/` }),
    restartPolicy: "Always",
    readinessProbe:
      options.tlsSecretName === undefined
        ? { tcpSocket: { port: DASHBOARD_PORT } }
        : // A probe that only connected to the port would fill the proxy's log.
          { httpGet: { path: "/healthz", port: HEALTH_PORT, scheme: "HTTPS" } },
  });
  dependencies.forEach((dependency) => head.addDependency(dependency));
}
