import { KubeRayOperator, RayAuthProxy, RayCluster, RayClusterProps, RayGroup } from "../lib";
import { emptyStack, existingCluster, problemsOf, rayCluster } from "./support/stacks";

const group = { groupName: "cpu", cpu: 2, memoryGiB: 4, maxReplicas: 2 };

describe("an override leaves alone what policies and roles are made by", () => {
  const HEAD = "spec.headGroupSpec.template.spec.serviceAccountName";
  const WORKER = "spec.workerGroupSpecs.0.template.spec.serviceAccountName";

  test.each<[string, unknown, string]>([
    ["metadata.name", "other", "rayClusterName"],
    ["metadata.namespace", "other", "namespace"],
    [HEAD, "other", "serviceAccountName"],
    [HEAD, undefined, "serviceAccountName"],
    [WORKER, "other", "workerIdentity"],
    ["spec.enableInTreeAutoscaling", false, "enableInTreeAutoscaling"],
  ])("%s as %p", (path, value, property) => {
    const { stack, ray } = rayCluster({ workerGroups: [group] });
    ray.addOverride(path, value);

    expect(problemsOf(stack)).toEqual([
      `[stack/ray] 'addOverride' must leave ${path} to '${property}', by which policies and roles are made too, got ${JSON.stringify(value ?? null)}`,
    ]);
  });

  test("and may say the same again", () => {
    const { stack, ray } = rayCluster();
    ray.addOverride("metadata.name", "raycluster-mini");
    ray.addOverride("spec.headGroupSpec.template.spec.priorityClassName", "high");

    expect(problemsOf(stack)).toEqual([]);
  });
});

describe("the head behind a proxy in pods of its own", () => {
  const problemsWith = (rayStartParams: RayGroup["rayStartParams"], proxied = true) => {
    const { stack, ray } = rayCluster({ head: { cpu: 2, memoryGiB: 8, rayStartParams } });
    if (proxied) new RayAuthProxy(stack, "auth", { rayCluster: ray });
    return problemsOf(stack);
  };

  test.each([
    ["dashboard-port", "9000", "8265"],
    ["dashboard-host", "127.0.0.1", "0.0.0.0"],
    ["include-dashboard", "False", "true"],
  ])("has a dashboard that the proxy reaches: %s=%s is refused", (name, value, expected) => {
    expect(problemsWith({ [name]: value })).toEqual([
      `[stack/ray] 'head.rayStartParams.${name}' must be left out, or ${expected}, for the RayAuthProxy to reach the dashboard, got "${value}"`,
    ]);
    expect(problemsWith({ [name]: value }, false)).toEqual([]);
    expect(problemsWith({ [name]: expected })).toEqual([]);
  });
});

describe("an autoscaler names the pods that are deleted, so those of another Ray cluster are named otherwise", () => {
  const problemsOfTwo = (one: Partial<RayClusterProps>, other: Partial<RayClusterProps>) => {
    const stack = emptyStack();
    const operator = KubeRayOperator.existing(stack, "operator", { cluster: existingCluster(stack) });
    const head = { cpu: 2, memoryGiB: 8 };
    const common = { operator, rayClusterName: "ray", namespace: "ray", head };
    new RayCluster(stack, "one", { ...common, ...one });
    new RayCluster(stack, "other", { ...common, ...other });
    return problemsOf(stack);
  };
  const problem = (scope: string, name: string, prefix: string, other: string) =>
    `[stack] 'workerGroups[0].groupName' must make other names than ${prefix}..., as which pods of ${other} in the same namespace are named: the autoscaler could have them deleted, got "${name}" (at ${scope})`;

  test("workers whose names begin alike are refused", () => {
    const one = { workerGroups: [{ ...group, groupName: "a-cpu" }] };
    const other = { rayClusterName: "ray-a", workerGroups: [group] };

    expect(problemsOfTwo(one, other)).toEqual([
      problem("stack/one", "a-cpu", "ray-a-cpu-worker-", "stack/other"),
      problem("stack/other", "cpu", "ray-a-cpu-worker-", "stack/one"),
    ]);
    expect(problemsOfTwo(one, { ...other, namespace: "other" })).toEqual([]);
    expect(problemsOfTwo(one, { ...other, rayClusterName: "ray-b" })).toEqual([]);
  });

  test("where no autoscaler runs, nobody is deleted", () => {
    const fixed = { ...group, minReplicas: 2 };
    const one = { workerGroups: [{ ...fixed, groupName: "a-cpu" }] };

    expect(problemsOfTwo(one, { rayClusterName: "ray-a", workerGroups: [fixed] })).toEqual([]);
  });

  test("so is a head whose name begins as a worker's", () => {
    expect(problemsOfTwo({ workerGroups: [group] }, { rayClusterName: "ray-cpu-worker-x" })).toEqual([
      problem("stack/one", "cpu", "ray-cpu-worker-", "stack/other"),
    ]);
  });

  test("names are cut as KubeRay cuts them", () => {
    const long = "r".repeat(49);
    const one = { rayClusterName: long, workerGroups: [{ ...group, groupName: "a" }] };
    const other = {
      rayClusterName: `${long}-b`,
      serviceAccountName: "b",
      workerGroups: [{ ...group, groupName: "c" }],
    };

    expect(problemsOfTwo(one, other)).toHaveLength(2);
  });
});

test("the autoscaler's token is in no Ray container", () => {
  const { ray } = rayCluster({ workerGroups: [group] });

  expect(() => ray.head.addVolumeMount({ name: "autoscaler-token", mountPath: "/token" })).toThrow(
    `'head.volume mount.name' must not be a volume that jobs must not read, got "autoscaler-token" (at stack/ray)`,
  );
  expect(() => ray.head.addVolume({ name: "autoscaler-token", emptyDir: {} })).toThrow(
    `'head.volume.name' must be unique, got "autoscaler-token" (at stack/ray)`,
  );
});
