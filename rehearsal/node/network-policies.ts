import { spawnSync } from "node:child_process";
import type { ToolCache } from "../tools/cache";
import { runCommand } from "../tools/command";
import { NODE_NAME } from "./container-host";
import { SERVICE_RANGE } from "./network";
import type { Supervisor } from "./supervisor";

/** Makes, in a network namespace of its own, a set and the kinds of rules that kube-router makes. */
const PROBE = `
ipset create probe hash:ip
iptables -A FORWARD -m set --match-set probe src -m addrtype --src-type LOCAL -j MARK --set-xmark 0x10000/0x10000
iptables -A FORWARD -m physdev --physdev-is-bridged -m mark ! --mark 0x10000/0x10000 -j REJECT
iptables -A FORWARD -m limit --limit 10/minute -j NFLOG --nflog-group 100
iptables -A FORWARD -m conntrack --ctstate INVALID -j DROP
`;

/**
 * Why network policies cannot be enforced here, if they cannot. Pods whose policies nothing enforces would show that a
 * closed port is open, so without an engine there are none.
 */
export function whyNoNetworkPolicies(): string {
  const { status, stderr } = spawnSync("unshare", ["--net", "sh", "-euc", PROBE], {
    encoding: "utf8",
    env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` },
  });
  if (status === 0) return "";
  const problem = stderr.trim().split("\n")[0];
  return `pods need a kernel that enforces network policies (modules ip_set, xt_set, xt_physdev, xt_NFLOG): ${problem}`;
}

/** Starts kube-router with nothing but its firewall, and returns when the node filters what pods receive. */
export async function startNetworkPolicies(
  cache: ToolCache,
  supervisor: Supervisor,
  kubeconfig: string,
): Promise<void> {
  supervisor.start("kube-router", cache.program("kube-router"), [
    `--kubeconfig=${kubeconfig}`,
    `--hostname-override=${NODE_NAME}`,
    `--service-cluster-ip-range=${SERVICE_RANGE}`,
    "--run-firewall=true",
    "--run-router=false",
    "--run-service-proxy=false",
    "--run-loadbalancer=false",
    "--health-port=0",
    "--metrics-port=0",
  ]);
  // This rule comes last, and only with the first complete set of rules.
  await supervisor.waitFor("the first rules of kube-router", 60_000, async () => {
    const rules = await runCommand("iptables", ["--wait", "--list-rules", "KUBE-ROUTER-FORWARD"]);
    return rules.includes("-j ACCEPT");
  });
}
