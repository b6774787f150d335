import { Testing } from "cdktf";
import { emptyStack, problemsOf, rayCluster, standardCluster } from "./support/stacks";
import { KubeRayOperator, RayCluster } from "../lib";

const head = { cpu: 2, memoryGiB: 8 };

test("all that is wrong in a complete tree is said at once, each problem in one line with its path", () => {
  const stack = emptyStack();
  const cluster = standardCluster(stack);
  const operator = KubeRayOperator.gkeAddon(stack, "operator", { cluster });
  const group = { groupName: "big", cpu: 99, memoryGiB: 8, maxReplicas: 1 };
  new RayCluster(stack, "one", {
    operator,
    rayClusterName: "one",
    namespace: "ray",
    head: { ...head, cpu: 64 },
    workerGroups: [{ ...group, groupName: "small", cpu: 1 }, group],
  });
  const other = new RayCluster(stack, "other", {
    operator,
    rayClusterName: "other",
    namespace: "ray",
    head: { ...head, env: { MODE: "a" } },
  });
  other.head.addEnv("MODE", "b");
  other.head.addContainer({ name: "debug", image: "busybox", securityContext: { privileged: true } });

  expect(problemsOf(stack)).toEqual([
    expect.stringMatching(/^\[stack\/one\] 'head' must fit on a node pool of stack\/cluster: /),
    expect.stringMatching(/^\[stack\/one\] 'workerGroups\[1\]' must fit on a node pool of stack\/cluster: /),
    `[stack/other] 'head.env.MODE' must be left to the construct that sets "b", got "a"`,
    expect.stringMatching(
      /^\[stack\/other\] 'head.containers\[debug\].securityContext.privileged' must not be on: /,
    ),
  ]);
});

test("a fault of the library itself is not taken for a problem of the user's", () => {
  const { stack, ray } = rayCluster();
  ray.addOverride("spec.headGroupSpec.template", null);

  expect(() => Testing.synth(stack, true)).toThrow(TypeError);
});

test("an error can be written as JSON, as test runners do", () => {
  const { ray } = rayCluster();
  const errorOf = (create: () => unknown) => {
    try {
      return create();
    } catch (error) {
      return error;
    }
  };

  expect(JSON.parse(JSON.stringify(errorOf(() => ray.allowFrom({}))))).toEqual({
    problem: "'peer' must have 'namespace', 'podLabels' or 'cidrBlock', got {}",
  });
});
