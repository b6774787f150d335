import { Testing } from "cdktf";
import { rayCluster, emptyStack, standardCluster } from "./support/stacks";
import { KubeRayOperator, RayCluster } from "../lib";

const head = { cpu: 2, memoryGiB: 8 };

/** What cdktf says of a stack that cannot stand, line by line. */
function problemsOf(stack: ReturnType<typeof emptyStack>): string[] {
  try {
    Testing.synth(stack, true);
  } catch (error) {
    return (error as Error).message.split("\n");
  }
  return [];
}

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

  const [title, ...problems] = problemsOf(stack);

  expect(title).toBe("Validation failed with the following errors:");
  expect(problems.slice(0, 4)).toEqual([
    expect.stringMatching(/^ {2}\[stack\/one\] 'head' must fit on a node pool of stack\/cluster: /),
    expect.stringMatching(
      /^ {2}\[stack\/one\] 'workerGroups\[1\]' must fit on a node pool of stack\/cluster: /,
    ),
    `  [stack/other] 'head.env.MODE' must be left to the construct that sets "b", got "a"`,
    expect.stringMatching(
      /^ {2}\[stack\/other\] 'head.containers\[debug\].securityContext.privileged' must /,
    ),
  ]);
  expect(problems.slice(4).join("\n")).toBe(
    "\nIf you wish to ignore these validations, pass 'skipValidation: true' to your App configuration.\n",
  );
});

test("a fault of the library itself is not taken for a problem of the user's", () => {
  const { stack, ray } = rayCluster();
  ray.addOverride("spec.headGroupSpec.template", null);

  expect(() => Testing.synth(stack, true)).toThrow(TypeError);
});
