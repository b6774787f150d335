import { KubeRayOperator, RayCluster, RayNetworkPeer } from "../lib";
import { openPorts } from "./support/network-policy";
import { emptyStack, existingCluster, rayCluster } from "./support/stacks";
import { Template } from "./support/template";

/** Every port there is: Ray chooses many of its own anew at each start. */
const PORTS = Array.from({ length: 65535 }, (_, index) => index + 1);

const stack = emptyStack();
const ray = new RayCluster(stack, "ray", {
  operator: KubeRayOperator.chart(stack, "operator", { cluster: existingCluster(stack) }),
  rayClusterName: "raycluster-mini",
  namespace: "ray",
  head: { cpu: 2, memoryGiB: 8 },
  networkPeers: [{ namespace: "ci" }, { podLabels: { app: "notebook" }, ports: [8265, 10001] }],
});
ray.allowFrom({ cidrBlock: "10.8.0.0/24" });
ray.allowFrom({ namespace: "gmp-system", ports: [8080] });
const policy = Template.of(stack).resource("kubernetes_network_policy_v1");
const operator = { "app.kubernetes.io/name": "kuberay-operator" };
const own = { "ray.io/cluster": "raycluster-mini" };

test.each([
  ["a pod of the Ray cluster", { namespace: "ray", labels: own }, PORTS],
  ["the operator", { namespace: "kuberay-operator", labels: operator }, PORTS],
  ["another pod of the operator's namespace", { namespace: "kuberay-operator", labels: {} }, []],
  ["another pod of the namespace", { namespace: "ray", labels: { app: "other" } }, []],
  ["another Ray cluster", { namespace: "ray", labels: { "ray.io/cluster": "other" } }, []],
  ["a Ray cluster of that name elsewhere", { namespace: "team", labels: own }, []],
  ["a pod of a chosen namespace", { namespace: "ci", labels: {} }, [8265]],
  ["a chosen pod", { namespace: "ray", labels: { app: "notebook" } }, [8265, 10001]],
  ["such a pod elsewhere", { namespace: "team", labels: { app: "notebook" } }, []],
  ["the monitoring", { namespace: "gmp-system", labels: {} }, [8080]],
  ["a chosen address", { address: "10.8.0.17" }, [8265]],
  ["another address", { address: "10.8.1.17" }, []],
])("%s may connect only where it is let", (_who, caller, ports) => {
  expect(openPorts(policy, caller, PORTS)).toEqual(ports);
});

test("the policy is for the pods of this Ray cluster, head and workers, and closes what it does not name", () => {
  expect(policy.metadata).toEqual({ name: "raycluster-mini-ray", namespace: "ray" });
  expect(policy.spec).toMatchObject({
    pod_selector: { match_labels: { "ray.io/cluster": "raycluster-mini" } },
    policy_types: ["Ingress"],
  });
});

test.each<[string, RayNetworkPeer, string]>([
  [
    "no label at all",
    { podLabels: {} },
    "'peer.podLabels' must name at least one label: without any it would be every pod of the Ray cluster's namespace, got {}",
  ],
  [
    "a label whose value is not set",
    { podLabels: { team: undefined as unknown as string } },
    "'peer.podLabels.team' must have a value, got null",
  ],
  [
    "a label that is none",
    { podLabels: { team: "a b" } },
    `'peer.podLabels.team' must be at most 63 letters, digits, -, _ and ., starting and ending with a letter or digit, got "a b"`,
  ],
  [
    "addresses that are none",
    { cidrBlock: "999.1.1.1/99" },
    `'peer.cidrBlock' must be an address range such as "203.0.113.0/24", got "999.1.1.1/99"`,
  ],
  [
    "an address in a range",
    { cidrBlock: "10.8.1.7/8" },
    `'peer.cidrBlock' must be the range itself, "10.0.0.0/8", got "10.8.1.7/8"`,
  ],
])("a peer with %s is refused", (_what, peer, message) => {
  const { ray: other } = rayCluster();

  expect(() => other.allowFrom(peer)).toThrow(new Error(`${message} (at stack/ray)`));
});

test("every pod of another namespace may be a peer", () => {
  const { ray: other } = rayCluster();

  expect(() => other.allowFrom({ namespace: "ci", podLabels: {} })).not.toThrow();
});
