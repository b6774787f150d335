import type { IRayCluster } from "./ray-cluster";
import type { RayToleration } from "./ray-groups";

/** Placement of the proxy. */
export enum RayAuthProxyPlacement {
  /**
   * In pods of its own, in a namespace of its own. The Ray cluster is as KubeRay creates it, so RayJobs and RayServices work
   * beside it, and its port 8265 is closed to everybody else by its network policy. The cluster must enforce network policies.
   */
  DEPLOYMENT = "DEPLOYMENT",
  /**
   * Beside Ray in the head pod, as in KubeRay's guide; for clusters that enforce no network policies. A job shares the pod's
   * network: it can crash the proxy, listen on its port, and read the token of the next caller. So whoever may submit jobs can
   * become whoever calls. RayJobs and RayServices cannot pass it.
   */
  HEAD_SIDECAR = "HEAD_SIDECAR",
}

/** The Kubernetes resource on which callers need rights. */
export enum RayAuthResource {
  /** A subresource that exists for this alone: rights on it are rights at the proxy and nothing else. */
  DASHBOARD = "rayclusters/dashboard",
  /**
   * The RayCluster object. Who may submit jobs may then edit the RayCluster too, and so run any pod in its namespace; and
   * who may read RayClusters, such as the head's own account where the autoscaler runs, may read the dashboard.
   */
  RAY_CLUSTER = "rayclusters",
}

/** Properties of `RayAuthProxy`. */
export interface RayAuthProxyProps {
  /** The Ray cluster whose dashboard and job API are protected, created by this library or by other means. */
  readonly rayCluster: IRayCluster;
  /** @default RayAuthProxyPlacement.DEPLOYMENT */
  readonly placement?: RayAuthProxyPlacement;
  /** @default RayAuthResource.DASHBOARD */
  readonly authorizeOn?: RayAuthResource;
  /**
   * Name of a Kubernetes service account that is created in the Ray cluster's namespace and may submit jobs.
   * @default - none is created
   */
  readonly submitterServiceAccountName?: string;
  /**
   * Secret of type `kubernetes.io/tls` in the proxy's namespace. The proxy then answers by HTTPS with its certificate.
   * @default - plain HTTP: whoever can listen inside the cluster's network can take a token and use it
   */
  readonly tlsSecretName?: string;
  /** @default quay.io/brancz/kube-rbac-proxy:v0.22.1 */
  readonly image?: string;
  /**
   * CPUs of a proxy container: request and limit.
   * @default 0.1
   */
  readonly cpu?: number;
  /**
   * Memory of a proxy container in GiB: request and limit.
   * @default 0.125
   */
  readonly memoryGiB?: number;
  /**
   * Namespace of the proxy, with `DEPLOYMENT`. It should hold nothing else: whoever may run pods there with the proxy's labels
   * reaches Ray past the proxy. Proxies of several Ray clusters may share it if those have different names.
   * @default - the Ray cluster's namespace with "-auth" at its end
   */
  readonly namespace?: string;
  /**
   * Create that namespace. It then enforces the Pod Security Standard `restricted`.
   * @default - true, but for a `namespace` that is a reference to another resource
   */
  readonly createNamespace?: boolean;
  /**
   * Number of proxy pods, with `DEPLOYMENT`. With more than one, the proxy answers while a node is drained.
   * @default 2
   */
  readonly replicas?: number;
  /**
   * Labels that the nodes of the proxy's pods must have, with `DEPLOYMENT`.
   * @default - any node
   */
  readonly nodeSelector?: { [name: string]: string };
  /**
   * Taints of nodes that the proxy's pods may run on, with `DEPLOYMENT`.
   * @default - none: they need a node without taints
   */
  readonly tolerations?: RayToleration[];
}
