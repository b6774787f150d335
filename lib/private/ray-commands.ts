/** What the commands need to know of a Ray cluster. */
interface NamedRayCluster {
  readonly namespace: string;
  readonly rayClusterName: string;
}

/** Service of the head, as the operator names it. */
export function headServiceName({ rayClusterName }: NamedRayCluster): string {
  return `${rayClusterName}-head-svc`;
}

/** The head's service, as every pod of the cluster finds it. */
export function headHost(rayCluster: NamedRayCluster): string {
  return `${headServiceName(rayCluster)}.${rayCluster.namespace}.svc.cluster.local`;
}

/** Makes the dashboard and the job API reachable on port 8265 of the caller's machine. */
export function portForwardCommand(rayCluster: NamedRayCluster): string {
  return `kubectl port-forward --namespace ${rayCluster.namespace} service/${headServiceName(rayCluster)} 8265:8265`;
}

/** Runs a small job on the Ray cluster whose job API is at `address`, which options may follow. */
export function jobSubmitCommand(address: string): string {
  return `ray job submit --address ${address} -- python -c "import ray; ray.init(); print(ray.cluster_resources())"`;
}

/** Tells the Ray client to send the token that a command prints. */
export function jobHeadersCommand(tokenCommand: string): string {
  return `export RAY_JOB_HEADERS="{\\"Authorization\\": \\"Bearer $(${tokenCommand})\\"}"`;
}
