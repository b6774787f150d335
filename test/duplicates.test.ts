import { ConfigMapV1 } from "@cdktf/provider-kubernetes/lib/config-map-v1";
import { Labels } from "@cdktf/provider-kubernetes/lib/labels";
import { KubernetesProvider } from "@cdktf/provider-kubernetes/lib/provider";
import { TerraformStack, TerraformVariable } from "cdktf";
import { Construct } from "constructs";
import {
  IGkeWorkloadIdentityCluster,
  KubeRayOperator,
  RayAuthProxy,
  RayCluster,
  WorkloadIdentity,
} from "../lib";
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

test("what Terraform repeats, or writes to an object of others, is none of them", () => {
  const stack = emptyStack();
  const provider = existingCluster(stack).kubernetesProvider;
  const settings = { metadata: { name: "settings", namespace: "tools" }, provider };
  new ConfigMapV1(stack, "a", { ...settings, count: 1 });
  new ConfigMapV1(stack, "b", { ...settings, count: 1 });
  for (const fieldManager of ["one", "two"]) {
    new Labels(stack, fieldManager, {
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { name: "tools" },
      labels: { [fieldManager]: "x" },
      fieldManager,
      provider,
    });
  }
  const inner = new TerraformStack(stack, "inner");
  new KubernetesProvider(inner, "kubernetes");
  new ConfigMapV1(inner, "settings", { metadata: { name: "other", namespace: "tools" } });
  new ConfigMapV1(stack, "other", { metadata: { name: "other", namespace: "tools" } });
  new KubernetesProvider(stack, "kubernetes", { alias: "default" });

  expect(problemsOf(stack)).toEqual([]);
});

test("projects that Terraform alone knows are told by what they refer to", () => {
  const stack = emptyStack();
  const problemsWith = (one: string, two: string, id: string) => {
    const clusters = [one, two].map((project, index) => existingCluster(stack, { project }, `${id}${index}`));
    return clusters.map(
      (cluster, index) => () =>
        new WorkloadIdentity(cluster, "identity", {
          cluster,
          namespace: `${id}${index}`,
          serviceAccountName: "pods",
          googleServiceAccountId: `pods-${id}`,
        }),
    );
  };
  const [a, b] = ["a", "b"].map((id) => new TerraformVariable(stack, id, { type: "string" }));

  problemsWith(a.stringValue, b.stringValue, "other").forEach((create) => expect(create).not.toThrow());
  const [first, again] = problemsWith(a.stringValue, a.stringValue, "same");
  first();
  expect(again).toThrow(
    /'googleServiceAccountId' must not be one that stack\/same0\/identity creates already/,
  );
});

test("a construct of the user's own may be called namespaces", () => {
  const stack = emptyStack();
  new Construct(stack, "namespaces");
  new Construct(stack, "google-client");

  expect(() => rayOn(existingCluster(stack), "ray")).not.toThrow();
  expect(problemsOf(stack)).toEqual([]);
});
