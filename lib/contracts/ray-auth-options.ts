/** Options of Ray's own authentication. */
export enum RayAuthMode {
  /** One token, which all callers and all pods of the Ray cluster know. It needs KubeRay 1.5.1 and Ray 2.52. */
  TOKEN = "token",
}

/**
 * Ray's own authentication, on every port of Ray but Serve's and the metrics'; instead of a `RayAuthProxy`.
 *
 * https://docs.ray.io/en/latest/cluster/kubernetes/user-guides/kuberay-auth.html
 */
export interface RayAuthOptions {
  /** The way of authentication. */
  readonly mode: RayAuthMode;
  /**
   * Secret in the Ray cluster's namespace whose key `auth_token` is the token. Needs KubeRay 1.6.
   * @default - the operator creates a Secret with the name of the Ray cluster and a random token
   */
  readonly secretName?: string;
  /**
   * Let Ray ask Kubernetes instead: a caller's token is one of Kubernetes, and its owner needs the right `ray:write` on the
   * RayCluster, which `RayCluster.grantRayWrite` gives. Needs KubeRay 1.6 and Ray 2.55; not for RayJob and RayService.
   *
   * Every Ray container then mounts the token of its service account, by which it asks. Every job can take it, and act as that
   * account: ask the API server whose tokens it finds, use the Ray cluster, and on the head, where the autoscaler runs, what
   * `autoscalerPolicy` leaves to it. Without that policy it could start any pod in the namespace.
   * @default false
   */
  readonly enableK8sTokenAuth?: boolean;
}
