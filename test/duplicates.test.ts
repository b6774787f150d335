import { ConfigMapV1 } from "@cdktf/provider-kubernetes/lib/config-map-v1";
import { TerraformStack, TerraformVariable } from "cdktf";
import { IGkeWorkloadIdentityCluster, KubeRayOperator, RayAuthProxy, RayCluster } from "../lib";
import { emptyStack, existingCluster, problemsOf } from "./support/stacks";

/** A Ray cluster of a head alone. */
function rayOn(
  cluster: IGkeWorkloadIdentityCluster,
  id: string,
  props: { rayClusterName?: string; namespace?: string; waitUntilReady?: object } = {},
): RayCluster {
  const stack = TerraformStack.of(cluster);
  const operator =
    (stack.node.tryFindChild("operator") as KubeRayOperator) ??
    KubeRayOperator.chart(stack, "operator", { cluster });
  return new RayCluster(stack, id, {
    operator,
    rayClusterName: id,
    namespace: "ray",
    head: { cpu: 2, memoryGiB: 8 },
    ...props,
  });
}

function imported(cluster: IGkeWorkloadIdentityCluster, id: string): void {
  RayCluster.fromRayClusterAttributes(cluster, id, {
    cluster,
    namespace: "team",
    rayClusterName: "theirs",
    headServiceAccountName: "theirs",
  }).allowFrom({ namespace: "ci" });
}

test.each<[string, (stack: TerraformStack, cluster: IGkeWorkloadIdentityCluster) => void, string, string]>([
  [
    "the submitter of two proxies",
    (stack, cluster) =>
      ["a", "b"].forEach((id) => {
        const rayCluster = rayOn(cluster, id);
        new RayAuthProxy(stack, `${id}-auth`, { rayCluster, submitterServiceAccountName: "ray-user" });
      }),
    `stack/a-auth/submitter, which is the same service account in the namespace "ray"`,
    `"ray-user" (at stack/b-auth/submitter)`,
  ],
  [
    "a submitter and the account of another Ray cluster",
    (stack, cluster) => {
      rayOn(cluster, "b");
      new RayAuthProxy(stack, "auth", { rayCluster: rayOn(cluster, "a"), submitterServiceAccountName: "b" });
    },
    `stack/b/service-account, which is the same service account in the namespace "ray"`,
    `"b" (at stack/auth/submitter)`,
  ],
  [
    "the account of a wait and a Ray cluster's",
    (_stack, cluster) => {
      rayOn(cluster, "a", { waitUntilReady: {} });
      rayOn(cluster, "a-ready");
    },
    `stack/a/readiness/service-account, which is the same service account in the namespace "ray"`,
    `"a-ready" (at stack/a-ready/service-account)`,
  ],
  [
    "two objects of the user's own",
    (stack, cluster) => {
      new ConfigMapV1(stack, "theirs", {
        metadata: { name: "settings", namespace: "tools" },
        provider: cluster.kubernetesProvider,
      });
      new ConfigMapV1(stack, "again", {
        metadata: { name: "settings", namespace: "tools" },
        provider: cluster.kubernetesProvider,
      });
    },
    `stack/theirs, which is the same config map in the namespace "tools"`,
    `"settings" (at stack/again)`,
  ],
  [
    "the network policy of a Ray cluster that is imported twice",
    (_stack, cluster) => ["a", "b"].forEach((id) => imported(cluster, id)),
    `stack/cluster/a/network-policy, which is the same network policy in the namespace "team"`,
    `"theirs-ray" (at stack/cluster/b/network-policy)`,
  ],
  [
    "the Helm release of the operator and of a Ray cluster",
    (_stack, cluster) =>
      rayOn(cluster, "ray", { rayClusterName: "kuberay-operator", namespace: "kuberay-operator" }),
    `stack/operator/release, which is the same helm release in the namespace "kuberay-operator"`,
    `"kuberay-operator" (at stack/ray/ray-cluster)`,
  ],
])("%s cannot be the same", (_what, create, other, got) => {
  const stack = emptyStack();
  create(stack, existingCluster(stack));

  expect(problemsOf(stack)).toEqual([
    `[stack] 'name' must not be that of ${other}: give another name or namespace, or share what is there, got ${got}`,
  ]);
});

test("proxies of Ray clusters of one name cannot share a namespace, and those of two names can", () => {
  const proxiesOf = (...names: string[]) => {
    const stack = emptyStack();
    const cluster = existingCluster(stack);
    names.forEach((rayClusterName, index) => {
      const rayCluster = rayOn(cluster, `ray-${index}`, { rayClusterName, namespace: `team-${index}` });
      new RayAuthProxy(stack, `auth-${index}`, { rayCluster, namespace: "auth" });
    });
    return problemsOf(stack);
  };

  expect(proxiesOf("vision", "speech")).toEqual([]);
  expect(proxiesOf("ray", "ray")).toContain(
    `[stack] 'name' must not be that of stack/auth-0/proxy/service, which is the same service in the namespace "auth": give another name or namespace, or share what is there, got "ray-proxy" (at stack/auth-1/proxy/service)`,
  );
});

test("the same names on two clusters are two things", () => {
  const stack = emptyStack();
  for (const name of ["one", "two"]) {
    const cluster = existingCluster(stack, { clusterName: name }, name);
    imported(cluster, "theirs");
  }
  const elsewhere = existingCluster(stack, { clusterName: "one", project: "another-project" }, "three");
  imported(elsewhere, "theirs");

  expect(problemsOf(stack)).toEqual([]);
});

test("a namespace that is a reference is told by what it refers to", () => {
  const stack = emptyStack();
  const cluster = existingCluster(stack);
  const namespace = new TerraformVariable(stack, "namespace", { type: "string" });
  for (const id of ["a", "b"]) {
    new ConfigMapV1(stack, id, {
      metadata: { name: "settings", namespace: namespace.stringValue },
      provider: cluster.kubernetesProvider,
    });
  }

  expect(problemsOf(stack)).toEqual([
    `[stack] 'name' must not be that of stack/a, which is the same config map in the namespace "\${var.namespace}": give another name or namespace, or share what is there, got "settings" (at stack/b)`,
  ]);
});
