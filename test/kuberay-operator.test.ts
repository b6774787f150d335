import type { TerraformStack } from "cdktf";
import { GkeTaintEffect, KubeRayOperator, RayAuthProxy, RayCluster } from "../lib";
import { emptyStack, existingCluster, standardCluster } from "./support/stacks";
import { Template } from "./support/template";

function gate(stack: TerraformStack): any {
  return Template.of(stack).resource("kubernetes_job_v1");
}

test("the add-on is waited for by a Job that a Terraform run waits for", () => {
  const stack = emptyStack();
  const cluster = standardCluster(stack);
  const operator = KubeRayOperator.gkeAddon(stack, "operator", { cluster, timeoutMinutes: 10 });

  expect(gate(stack)).toMatchObject({
    wait_for_completion: true,
    timeouts: { create: "11m" },
    lifecycle: { ignore_changes: ["spec"] },
    metadata: { namespace: expect.stringMatching(/^ray-operator-addon-[0-9a-f]{8}$/) },
    spec: { active_deadline_seconds: 600 },
  });
  const [container] = [gate(stack).spec.template.spec.container].flat();
  expect(container.image).toBe("rayproject/ray:2.60.0");
  expect(container.command[2]).toContain("/apis/ray.io/v1");
  expect(operator.kuberayVersion).toBeUndefined();
  expect(operator.rayClusterDependencies).toEqual([operator.resource]);
});

test("gates on one cluster have a namespace each, which a user may name", () => {
  const gateNamespace = (stackId: string, id: string, named?: string) => {
    const stack = emptyStack(stackId);
    KubeRayOperator.gkeAddon(stack, id, { cluster: standardCluster(stack), gateNamespace: named });
    return gate(stack).metadata.namespace;
  };
  const namespaces = [
    gateNamespace("platform", "operator"),
    gateNamespace("team", "operator"),
    gateNamespace("team", "second-operator"),
  ];

  expect(new Set(namespaces).size).toBe(3);
  expect(gateNamespace("team", "operator")).toBe(namespaces[1]);
  expect(gateNamespace("team", "operator", "gates")).toBe("gates");
});

describe("on a cluster whose nodes all have a taint", () => {
  const taint = { key: "dedicated", value: "ray" };
  const tainted = { ...taint, effect: GkeTaintEffect.NO_SCHEDULE };
  const pool = { name: "ray", machineType: "e2-standard-8", maxNodeCount: 1, taints: [tainted] };

  test("the gate is refused, because its pod would never start", () => {
    const stack = emptyStack();
    const cluster = standardCluster(stack, { nodePools: [pool] });

    expect(() => KubeRayOperator.gkeAddon(stack, "operator", { cluster })).toThrow(
      new Error(
        `'gateTolerations' must let the gate run on a node pool of stack/cluster: the nearest, "ray" (e2-standard-8), ` +
          "has the taint dedicated=ray:NoSchedule, which is not tolerated; nodes from elsewhere are stated by 'otherNodePools' of the cluster or a nodeSelector cloud.google.com/compute-class (at stack/operator)",
      ),
    );
  });

  test("the gate runs where it tolerates the taint", () => {
    const stack = emptyStack();
    const cluster = standardCluster(stack, { nodePools: [pool] });
    const toleration = { ...taint, effect: "NoSchedule" };
    KubeRayOperator.gkeAddon(stack, "operator", { cluster, gateTolerations: [toleration] });

    expect(gate(stack).spec.template.spec.toleration).toEqual([toleration]);
  });
});

test("the gate meets the restricted Pod Security Standard", () => {
  const stack = emptyStack();
  KubeRayOperator.gkeAddon(stack, "operator", { cluster: standardCluster(stack) });
  const { spec } = gate(stack).spec.template;

  expect(spec.security_context).toEqual({
    run_as_non_root: true,
    seccomp_profile: { type: "RuntimeDefault" },
  });
  expect([spec.container].flat()[0].security_context).toEqual({
    allow_privilege_escalation: false,
    capabilities: { drop: ["ALL"] },
    read_only_root_filesystem: true,
  });
});

test("the chart is pinned, waited for, and taken over where Terraform lost sight of it", () => {
  const stack = emptyStack();
  const cluster = standardCluster(stack, { rayOperatorAddon: false });
  const operator = KubeRayOperator.chart(stack, "operator", { cluster });

  expect(Template.of(stack).resource("helm_release")).toMatchObject({
    name: "kuberay-operator",
    namespace: "kuberay-operator",
    repository: "https://ray-project.github.io/kuberay-helm/",
    chart: "kuberay-operator",
    version: "1.6.2",
    upgrade_install: true,
    atomic: true,
    wait: true,
  });
  expect(operator.kuberayVersion).toBe("1.6.2");
});

test("the chart can come from a mirror or a file, with values", () => {
  const stack = emptyStack();
  const cluster = standardCluster(stack, { rayOperatorAddon: false });
  KubeRayOperator.chart(stack, "operator", {
    cluster,
    kuberayVersion: "1.7.0",
    namespace: "operators",
    chart: "./kuberay-operator-1.7.0.tgz",
    values: { resources: { limits: { cpu: "1" } } },
  });
  const release = Template.of(stack).resource("helm_release");

  expect(release).toMatchObject({
    namespace: "operators",
    chart: "./kuberay-operator-1.7.0.tgz",
    version: "1.7.0",
  });
  expect(release).not.toHaveProperty("repository");
  expect(release.values).toEqual(['${jsonencode({"resources" = {"limits" = {"cpu" = "1"}}})}']);
});

test("texts with quotes in the values of the chart stay those texts", () => {
  const stack = emptyStack();
  KubeRayOperator.chart(stack, "operator", {
    cluster: existingCluster(stack),
    values: { env: [{ name: "A", value: '{"b": "\\\\"}' }] },
  });

  expect(Template.of(stack).resource("helm_release").values).toEqual([
    String.raw`${"$"}{jsonencode({"env" = [{"name" = "A", "value" = "{\"b\": \"\\\\\"}"}]})}`,
  ]);
});

test("an existing operator is not touched, and its version is the user's word", () => {
  const stack = emptyStack();
  const operator = KubeRayOperator.existing(stack, "operator", {
    cluster: existingCluster(stack),
    kuberayVersion: "1.5.1",
    namespace: "ray-system",
  });

  expect(operator.kuberayVersion).toBe("1.5.1");
  expect(operator.networkPeer.namespace).toBe("ray-system");
  expect(Object.keys(Template.of(stack).json.resource ?? {})).toEqual([]);
});

test("the add-on is refused on a cluster without it", () => {
  const stack = emptyStack();
  const cluster = standardCluster(stack, { rayOperatorAddon: false });

  expect(() => KubeRayOperator.gkeAddon(stack, "operator", { cluster })).toThrow(
    new Error("'cluster' must have 'rayOperatorAddon' on (stack/cluster does not) (at stack/operator)"),
  );
});

test("the chart is refused on a cluster with the add-on", () => {
  const stack = emptyStack();
  const cluster = standardCluster(stack);

  expect(() => KubeRayOperator.chart(stack, "operator", { cluster })).toThrow(
    new Error(
      "'cluster' must not have 'rayOperatorAddon' on (stack/cluster does): both would own the same types (at stack/operator)",
    ),
  );
});

test.each(["latest", "v1.6.2", "1.6"])("the version %s is refused", (kuberayVersion) => {
  const stack = emptyStack();
  const cluster = existingCluster(stack);

  expect(() => KubeRayOperator.existing(stack, "operator", { cluster, kuberayVersion })).toThrow(
    new Error(
      `'kuberayVersion' must be a KubeRay version such as "1.6.2", got "${kuberayVersion}" (at stack/operator)`,
    ),
  );
});

test("an operator that exists is Google's add-on where the cluster has it, and is reached from there", () => {
  const peerWith = (namespace?: string) => {
    const stack = emptyStack();
    const cluster = existingCluster(stack, { rayOperatorAddon: true });
    return KubeRayOperator.existing(stack, "operator", { cluster, namespace }).networkPeer;
  };

  expect(peerWith()).toEqual({ namespace: "kube-system", podLabels: { "k8s-app": "konnectivity-agent" } });
  expect(peerWith("kuberay")).toMatchObject({ namespace: "kuberay" });
});

test("the gate has no namespace of a proxy", () => {
  const stack = emptyStack();
  const cluster = standardCluster(stack);
  const operator = KubeRayOperator.gkeAddon(stack, "operator", { cluster, gateNamespace: "ray-auth" });
  const head = { cpu: 2, memoryGiB: 8 };
  const ray = new RayCluster(stack, "ray", { operator, rayClusterName: "ray", namespace: "ray", head });

  expect(() => new RayAuthProxy(stack, "auth", { rayCluster: ray })).toThrow(
    `'namespace' must not use the namespace "ray-auth", which stack/operator has for the KubeRay operator: `,
  );
});
