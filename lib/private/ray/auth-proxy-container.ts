import type { ManifestPart, ManifestValue } from "../../contracts/manifest";
import { cpuQuantity, memoryQuantity } from "../kubernetes/quantities";
import { CONTAINER_SECURITY_CONTEXT, POD_SECURITY_CONTEXT } from "../kubernetes/security-context";
import { tokenMount, tokenVolume } from "../kubernetes/service-account-token";

/** https://github.com/kube-rbac-proxy/kube-rbac-proxy/releases */
const DEFAULT_IMAGE = "quay.io/brancz/kube-rbac-proxy:v0.22.1";

/** Where everybody expects Ray's dashboard and job API. */
export const DASHBOARD_PORT = 8265;

/** Where the proxy says that it is well, by HTTPS. */
export const HEALTH_PORT = 8643;

/** Name of the configuration file, in its ConfigMap and in the container. */
export const CONFIG_FILE = "config-file.yaml";

const CONTAINER_NAME = "kube-rbac-proxy";
const CONFIG_VOLUME = "kube-rbac-proxy-config";
const CONFIG_FOLDER = "/etc/kube-rbac-proxy";
const TLS_VOLUME = "kube-rbac-proxy-tls";
const TLS_FOLDER = "/etc/kube-rbac-proxy-tls";
const TOKEN_VOLUME = "kube-rbac-proxy-token";

/**
 * How often the proxy may ask the API server. Its own limit is 5 times a second, and until it knows the answer it asks for
 * every request: 200 at once of somebody new would wait for 40 seconds.
 */
const API_QUERIES_PER_SECOND = 100;
const API_BURST = 200;

/** The user that the image runs as. */
const IMAGE_USER = 65532;

/** Enough for 50 requests a second, and for 200 at once. */
const DEFAULT_CPU = 0.1;
const DEFAULT_MEMORY_GIB = 0.125;

/** What the container is made of, wherever it runs. */
export interface ProxyContainerOptions {
  readonly configMapName: string;
  readonly tlsSecretName?: string;
  readonly image?: string;
  readonly cpu?: number;
  readonly memoryGiB?: number;
}

/** What the place decides. */
interface ProxyPlace {
  /** URL of Ray's dashboard. */
  readonly upstream: string;
  /** How the proxy listens beside the port of the dashboard. */
  readonly args?: string[];
}

/** The proxy's container as in a Kubernetes manifest, without probes. */
export function proxyContainer(options: ProxyContainerOptions, { upstream, args }: ProxyPlace): ManifestPart {
  const resources = {
    cpu: cpuQuantity(options.cpu ?? DEFAULT_CPU),
    memory: memoryQuantity(options.memoryGiB ?? DEFAULT_MEMORY_GIB),
  };
  const tls = options.tlsSecretName !== undefined;
  return {
    name: CONTAINER_NAME,
    image: options.image ?? DEFAULT_IMAGE,
    args: [
      ...(tls ? tlsArguments() : [`--insecure-listen-address=0.0.0.0:${DASHBOARD_PORT}`]),
      ...(args ?? []),
      `--upstream=${upstream}`,
      `--config-file=${CONFIG_FOLDER}/${CONFIG_FILE}`,
      `--kube-api-qps=${API_QUERIES_PER_SECOND}`,
      `--kube-api-burst=${API_BURST}`,
    ],
    resources: { requests: resources, limits: resources },
    // All of it, because the pod may be somebody else's.
    securityContext: {
      ...POD_SECURITY_CONTEXT,
      ...CONTAINER_SECURITY_CONTEXT,
      readOnlyRootFilesystem: true,
      runAsUser: IMAGE_USER,
    },
    volumeMounts: [
      { name: CONFIG_VOLUME, mountPath: CONFIG_FOLDER, readOnly: true },
      tokenMount(TOKEN_VOLUME),
      ...(tls ? [{ name: TLS_VOLUME, mountPath: TLS_FOLDER, readOnly: true }] : []),
    ],
  };
}

/** The volumes of the container, the token among them, which no other container of the pod mounts. */
export function proxyVolumes({ configMapName, tlsSecretName }: ProxyContainerOptions): {
  [field: string]: ManifestValue;
}[] {
  const tls =
    tlsSecretName === undefined ? [] : [{ name: TLS_VOLUME, secret: { secretName: tlsSecretName } }];
  return [{ name: CONFIG_VOLUME, configMap: { name: configMapName } }, tokenVolume(TOKEN_VOLUME), ...tls];
}

function tlsArguments(): string[] {
  return [
    `--secure-listen-address=0.0.0.0:${DASHBOARD_PORT}`,
    `--tls-cert-file=${TLS_FOLDER}/tls.crt`,
    `--tls-private-key-file=${TLS_FOLDER}/tls.key`,
    `--proxy-endpoints-port=${HEALTH_PORT}`,
  ];
}
