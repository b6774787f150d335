/** Somebody who opens a connection: a pod, or an address outside the cluster's pods. */
export interface Caller {
  readonly namespace?: string;
  readonly labels?: { [name: string]: string };
  readonly address?: string;
}

/**
 * Whether a NetworkPolicy, as Terraform's resource writes it, lets somebody connect to a TCP port of the pods that it
 * selects. Without rules for a pod nobody may; rules and peers are alternatives; within a peer everything must hold.
 *
 * https://kubernetes.io/docs/concepts/services-networking/network-policies/
 */
export function mayConnect(policy: any, caller: Caller, port: number): boolean {
  return openPorts(policy, caller, [port]).length === 1;
}

/** Those of the ports that it lets somebody connect to. */
export function openPorts(policy: any, caller: Caller, ports: number[]): number[] {
  const { namespace } = policy.metadata;
  const rules = policy.spec.ingress.filter(
    ({ from }: any) => from === undefined || from.some((peer: any) => isPeer(peer, caller, namespace)),
  );
  return ports.filter((port) =>
    rules.some((rule: any) => rule.ports === undefined || rule.ports.some((each: any) => isPort(each, port))),
  );
}

/** Whether a NetworkPolicy is for a pod. */
export function selects(policy: any, namespace: string, labels: { [name: string]: string }): boolean {
  return policy.metadata.namespace === namespace && hasLabels(policy.spec.pod_selector, labels);
}

function isPort({ port, protocol }: any, wanted: number): boolean {
  return (protocol ?? "TCP") === "TCP" && (port === undefined || port === `${wanted}`);
}

function isPeer({ ip_block, namespace_selector, pod_selector }: any, caller: Caller, own: string): boolean {
  if (caller.address !== undefined) return ip_block !== undefined && contains(ip_block.cidr, caller.address);
  if (ip_block !== undefined) return false;
  const ofNamespace = namespace_selector
    ? hasLabels(namespace_selector, { "kubernetes.io/metadata.name": caller.namespace! })
    : caller.namespace === own;
  return ofNamespace && (pod_selector === undefined || hasLabels(pod_selector, caller.labels ?? {}));
}

function hasLabels({ match_labels }: any, labels: { [name: string]: string }): boolean {
  return Object.entries(match_labels ?? {}).every(([name, value]) => labels[name] === value);
}

function contains(cidr: string, address: string): boolean {
  const [base, bits] = cidr.split("/");
  const shift = 2 ** (32 - Number(bits));
  return Math.floor(numberOf(base) / shift) === Math.floor(numberOf(address) / shift);
}

function numberOf(address: string): number {
  return address.split(".").reduce((number, part) => number * 256 + Number(part), 0);
}
