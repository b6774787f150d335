/** One value in a Secret of the Ray cluster's namespace; Terraform never sees it. */
export interface RaySecretKey {
  /** Name of the Secret. */
  readonly secretName: string;
  /** Key of the value in it. */
  readonly key: string;
}

/**
 * A Redis that keeps what the head knows, so that detached actors and running jobs outlive it.
 *
 * https://docs.ray.io/en/latest/cluster/kubernetes/user-guides/kuberay-gcs-ft.html
 */
export interface RayGcsFaultToleranceOptions {
  /** Host and port, for example `redis:6379`, or a URL such as `rediss://redis.example.com:6379` for TLS. */
  readonly redisAddress: string;
  /**
   * Needs Ray 2.41 or newer.
   * @default - the default user of Redis
   */
  readonly redisUsername?: RaySecretKey;
  /** @default - Redis asks for none */
  readonly redisPassword?: RaySecretKey;
  /**
   * Under which name this Ray cluster's data is kept in Redis, unique there. The operator deletes it with the RayCluster.
   * @default - the uid of the RayCluster object
   */
  readonly externalStorageNamespace?: string;
}
