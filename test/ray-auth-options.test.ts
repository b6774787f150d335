import { KubeRayOperator, RayAuthMode, RayAuthProxy, RayCluster, RayClusterProps, RbacSubject } from "../lib";
import { Graph } from "./support/graph";
import { rayCluster, warningsOf } from "./support/stacks";
import { Template } from "./support/template";

const token = { mode: RayAuthMode.TOKEN };
const kubernetesToken = { ...token, enableK8sTokenAuth: true };
const workerGroup = { groupName: "cpu", cpu: 2, memoryGiB: 8, maxReplicas: 3 };

function manifestOf(props: Partial<RayClusterProps>, kuberayVersion = "1.6.2"): any {
  return Template.of(rayCluster(props, kuberayVersion).stack).rayCluster();
}

test.each([
  [token, token],
  [
    { ...token, secretName: "ray-token" },
    { ...token, secretName: "ray-token" },
  ],
  [kubernetesToken, kubernetesToken],
])("with %j the operator is told so, and nothing contradicts it in the pods", (authOptions, expected) => {
  const { spec } = manifestOf({ authOptions, workerGroups: [workerGroup] });

  expect(spec.authOptions).toEqual(expected);
  for (const group of [spec.headGroupSpec, spec.workerGroupSpecs[0]]) {
    expect(group.template.spec.containers[0]).not.toHaveProperty("env");
  }
  expect(spec.autoscalerOptions).not.toHaveProperty("env");
});

test("with Kubernetes tokens every Ray pod may ask about callers and call the others", () => {
  const { stack } = rayCluster({ authOptions: kubernetesToken }, "1.6.2");
  const template = Template.of(stack);
  const graph = Graph.of(stack);
  const account = { kind: "ServiceAccount", name: "raycluster-mini", namespace: "ray" };

  expect(template.resource("kubernetes_cluster_role_binding_v1")).toMatchObject({
    metadata: { name: "ray-token-auth:ray:raycluster-mini" },
    role_ref: { name: "system:auth-delegator" },
    subject: [account],
  });
  expect(template.resource("kubernetes_role_v1")).toMatchObject({
    metadata: { name: "ray:raycluster-mini:write", namespace: "ray" },
    rule: [
      {
        api_groups: ["ray.io"],
        resources: ["rayclusters"],
        resource_names: ["raycluster-mini"],
        verbs: ["ray:write"],
      },
    ],
  });
  expect(template.resource("kubernetes_role_binding_v1").subject).toEqual([{ ...account, api_group: "" }]);
  for (const type of ["kubernetes_cluster_role_binding_v1", "kubernetes_role_binding_v1"]) {
    expect(graph.dependsOn(graph.addressesOfType("helm_release"), graph.addressesOfType(type))).toBe(true);
  }
});

test("somebody who is granted Ray gets a binding that the Ray cluster does not wait for", () => {
  const { stack, ray } = rayCluster({ authOptions: kubernetesToken }, "1.6.2");
  ray.grantRayWrite(RbacSubject.user("ada@example.com"));
  const bindings = Template.of(stack).resources("kubernetes_role_binding_v1");
  const graph = Graph.of(stack);
  const [release] = graph.addressesOfType("helm_release");
  const adas = graph.addressesOfType("kubernetes_role_binding_v1").filter((address) => /user/.test(address));

  expect(bindings.map(({ metadata }) => metadata.name)).toContain(
    "ray:raycluster-mini:write:user:ada@example.com",
  );
  expect(adas).toHaveLength(1);
  expect(graph.dependsOn(release, adas)).toBe(false);
});

test("without Kubernetes tokens nobody can be granted Ray", () => {
  const { ray } = rayCluster({ authOptions: token }, "1.6.2");

  expect(() => ray.grantRayWrite(RbacSubject.user("ada@example.com"))).toThrow(
    "'authOptions.enableK8sTokenAuth' must be on for callers to have rights of their own, got false (at stack/ray)",
  );
});

describe("refuses", () => {
  const HINT =
    "(state 'kuberayVersion' at stack/operator if it has that, or use RayAuthProxy, which needs no version)";

  test.each([
    [
      token,
      undefined,
      `'authOptions' must not be given with an operator whose KubeRay version is not known: it needs 1.5.1 ${HINT} (at stack/ray)`,
    ],
    [
      token,
      "1.5.0",
      `'authOptions' must not be given with an operator whose KubeRay version is 1.5.0: it needs 1.5.1 ${HINT} (at stack/ray)`,
    ],
    [
      { ...token, secretName: "mine" },
      "1.5.1",
      `'authOptions.secretName' must not be given with an operator whose KubeRay version is 1.5.1: it needs 1.6.0 ${HINT} (at stack/ray)`,
    ],
    [
      kubernetesToken,
      "1.5.1",
      `'authOptions.enableK8sTokenAuth' must not be given with an operator whose KubeRay version is 1.5.1: it needs 1.6.0 ${HINT} (at stack/ray)`,
    ],
    [
      { ...kubernetesToken, secretName: "mine" },
      "1.6.2",
      `'authOptions.secretName' must not be given together with 'enableK8sTokenAuth': then callers have tokens of their own, got "mine" (at stack/ray)`,
    ],
    [
      { ...token, secretName: "My Secret" },
      "1.6.2",
      `'authOptions.secretName' must be a DNS subdomain: 1 to 253 lower-case letters, digits, hyphens or dots, starting and ending with a letter or digit, got "My Secret" (at stack/ray)`,
    ],
  ])("%j with KubeRay %s", (authOptions, kuberayVersion, message) => {
    expect(() => rayCluster({ authOptions }, kuberayVersion)).toThrow(message);
  });

  test.each([
    [token, "2.51.0", "'authOptions' must be used with Ray 2.52.0 or newer, not with 2.51.0 (at stack/ray)"],
    [
      kubernetesToken,
      "2.54.0",
      "'authOptions.enableK8sTokenAuth' must be used with Ray 2.55.0 or newer, not with 2.54.0 (at stack/ray)",
    ],
  ])("%j with Ray %s", (authOptions, rayVersion, message) => {
    expect(() => rayCluster({ authOptions, rayVersion }, "1.6.2")).toThrow(message);
  });

  test("a mode in the environment beside it", () => {
    const group = { ...workerGroup, env: { RAY_AUTH_MODE: "disabled" } };

    expect(() => rayCluster({ authOptions: token, workerGroups: [group] }, "1.6.2")).toThrow(
      `'workerGroups[0].env.RAY_AUTH_MODE' must be left to 'authOptions', got "disabled" (at stack/ray)`,
    );
  });
});

describe("a Ray cluster whose callers nobody asks who they are", () => {
  test("is warned of, with the ways out", () => {
    const { stack } = rayCluster();

    expect(warningsOf(stack)).toEqual([
      [
        "stack/ray",
        `nobody asks who uses the Ray cluster "raycluster-mini": its pods have RAY_AUTH_MODE=disabled, which from Ray 2.61 on turns a default off, and whoever reaches their ports runs code as they do. Add a RayAuthProxy or set 'authOptions'; to have it so, set RAY_AUTH_MODE in 'head.env'`,
      ],
    ]);
  });

  test.each<[string, Partial<RayClusterProps>]>([
    ["Ray asks", { authOptions: token }],
    ["it is said to be so", { head: { cpu: 2, memoryGiB: 8, env: { RAY_AUTH_MODE: "disabled" } } }],
  ])("is not warned of where %s", (_case, props) => {
    expect(warningsOf(rayCluster(props, "1.6.2").stack)).toEqual([]);
  });

  test("is not warned of where a proxy asks, added later or to another one alone", () => {
    const { stack, ray } = rayCluster();
    const operator = stack.node.findChild("operator") as KubeRayOperator;
    const other = new RayCluster(stack, "other", {
      operator,
      namespace: "other",
      rayClusterName: "other",
      head: { cpu: 2, memoryGiB: 8 },
    });
    new RayAuthProxy(stack, "auth", { rayCluster: ray });

    expect(warningsOf(stack).map(([path]) => path)).toEqual([other.node.path]);
  });
});
