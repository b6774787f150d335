import { fitName } from "../terraform/names";

const LONGEST_SERVICE_NAME = 63;

/** What the commands need to know of a Ray cluster. */
interface NamedRayCluster {
  readonly namespace: string;
  readonly rayClusterName: string;
}

/** Service of the head, as the operator names it. */
export function headServiceName({ rayClusterName }: NamedRayCluster): string {
  return `${rayClusterName}-head-svc`;
}

/** Service of the proxy in pods of its own. */
export function proxyServiceName({ rayClusterName }: Pick<NamedRayCluster, "rayClusterName">): string {
  return fitName(`${rayClusterName}-proxy`, LONGEST_SERVICE_NAME);
}

/** A Service, as every pod of the cluster finds it. */
export function serviceHost(namespace: string, serviceName: string): string {
  return `${serviceName}.${namespace}.svc.cluster.local`;
}

/** The head's Service, as every pod of the cluster finds it. */
export function headHost(rayCluster: NamedRayCluster): string {
  return serviceHost(rayCluster.namespace, headServiceName(rayCluster));
}

/** Makes a Service's dashboard and job API reachable on port 8265 of the caller's machine. */
export function portForwardCommand(namespace: string, serviceName: string): string {
  return `kubectl port-forward --namespace ${namespace} service/${serviceName} 8265:8265`;
}

/** Runs a small job on the Ray cluster whose job API is at `address`, which options may follow. */
export function jobSubmitCommand(address: string): string {
  return `ray job submit --address ${address} -- python -c "import ray; ray.init(); print(ray.cluster_resources())"`;
}

/** Tells the Ray client to send the token that a command prints. */
export function jobHeadersCommand(tokenCommand: string): string {
  return `export RAY_JOB_HEADERS="{\\"Authorization\\": \\"Bearer $(${tokenCommand})\\"}"`;
}
