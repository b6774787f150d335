/** Somebody who may reach Ray pods over the network. Name pods (by namespace, labels or both) or an address range. */
export interface RayNetworkPeer {
  /**
   * Namespace of the pods.
   * @default - the namespace of the Ray cluster
   */
  readonly namespace?: string;
  /**
   * Labels of the pods.
   * @default - every pod of the namespace
   */
  readonly podLabels?: { [name: string]: string };
  /**
   * Address range, for example `10.8.0.0/24`; without `namespace` and `podLabels`.
   * @default - pods
   */
  readonly cidrBlock?: string;
  /**
   * Ports of the Ray head and workers: 8265 dashboard and job API, 10001 Ray client, 8000 Serve, 8080 metrics.
   * @default [8265]
   */
  readonly ports?: number[];
}
