import { existsSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { runCommand } from "../tools/command";

/** Addresses inside the namespaces; 198.18.0.0/15 is set aside for tests and routed nowhere. */
export const ADDRESSES = {
  /** The API server, on port 443 as in GKE, the kubelet and DNS. */
  node: "198.18.0.1",
  /** Free for the double of the Google APIs. */
  google: "198.18.0.2",
  /** Free for a double of a chart repository. */
  charts: "198.18.0.3",
  /** Free for a host that Ray fetches code from. */
  sources: "198.18.0.4",
  /** The metadata server of every Google machine. */
  metadata: "169.254.169.254",
  /** The API server as pods reach it: the first address of the Service range. */
  kubernetesService: "10.96.0.1",
} as const;

export const SERVICE_RANGE = "10.96.0.0/16";

/** Room for a thousand pods, behind one address of their own. */
export const POD_RANGE = "198.18.4.0/22";

/**
 * Gives the empty network namespace its addresses. There is no default route: what is neither a pod nor a
 * Service nor one of our addresses is unreachable at once, so nothing gets past the machine.
 */
export async function setUpNetwork(): Promise<void> {
  const commands = [
    "link set lo up",
    ...[ADDRESSES.node, ADDRESSES.google, ADDRESSES.charts, ADDRESSES.sources, ADDRESSES.metadata].map(
      (ip) => `address add ${ip}/32 dev lo`,
    ),
    // kube-proxy rewrites these before they leave, but the kernel wants a route first.
    `route add ${SERVICE_RANGE} dev lo src ${ADDRESSES.node}`,
  ];
  await runCommand("ip", ["-batch", "-"], { input: commands.join("\n") });
}

/** Lets pods reach Services, the node and each other. */
export function allowForwarding(): void {
  writeFileSync("/proc/sys/net/ipv4/ip_forward", "1");
  const bridgeFilter = "/proc/sys/net/bridge/bridge-nf-call-iptables";
  if (existsSync(bridgeFilter)) {
    writeFileSync(bridgeFilter, "1");
  }
}

/** A TCP port of this machine's loopback that nobody uses. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") {
    throw new Error("the system gave no port");
  }
  return address.port;
}
