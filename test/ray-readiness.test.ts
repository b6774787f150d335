import { TerraformElement, TerraformVariable } from "cdktf";
import { KubeRayOperator, RayCluster, RayClusterProps, RayClusterUpgradeStrategy } from "../lib";
import { Graph } from "./support/graph";
import { emptyStack, rayCluster, standardCluster } from "./support/stacks";
import { Template } from "./support/template";

const ANNOTATION = "cdktf-gke-ray/description";
const group = { groupName: "cpu", cpu: 2, memoryGiB: 8, maxReplicas: 3 };
const waiting: Partial<RayClusterProps> = { waitUntilReady: {}, workerGroups: [group] };

/** What the destroy of a Ray cluster waits with. */
function drainOf(template: Template): any {
  return template.releaseValues().find(({ drain }) => drain !== undefined).drain.pod;
}

/** What tells a head from one of an older description. */
function markOf(props: Partial<RayClusterProps>, kuberayVersion = "1.6.2"): string | undefined {
  const { spec } = Template.of(rayCluster({ ...waiting, ...props }, kuberayVersion).stack).rayCluster();
  return spec.headGroupSpec.template.metadata?.annotations?.[ANNOTATION];
}

test("an apply ends with the description unless it is to wait", () => {
  const { stack, ray } = rayCluster();

  expect(Template.of(stack).resources("kubernetes_job_v1")).toEqual([]);
  expect(ray.readyDependencies).toEqual([ray.resource]);
});

test("the Jobs that wait for pods go where the head goes", () => {
  const tolerations = [{ key: "dedicated", operator: "Exists", effect: "NoSchedule" }];
  const { stack } = rayCluster({ ...waiting, head: { cpu: 2, memoryGiB: 8, tolerations } });
  const template = Template.of(stack);

  expect(template.resource("kubernetes_job_v1").spec.template.spec.toleration).toEqual(tolerations);
  expect(drainOf(template).tolerations).toEqual(tolerations);
});

test("a Job waits after every change of the release, with what it needs and no more", () => {
  const { stack } = rayCluster({ waitUntilReady: { timeoutMinutes: 5, image: "example/python:3" } });
  const template = Template.of(stack);
  const job = template.resource("kubernetes_job_v1");
  const pod = job.spec.template.spec;

  expect(job).toMatchObject({
    metadata: { name: "raycluster-mini-ready", namespace: "ray" },
    wait_for_completion: true,
    lifecycle: {
      ignore_changes: ["spec"],
      replace_triggered_by: [expect.stringMatching(/^helm_release\.ray_ray-cluster_\w+$/)],
    },
    timeouts: { create: "11m" },
  });
  expect(job.spec.active_deadline_seconds).toBe(600);
  expect(pod).toMatchObject({ service_account_name: "raycluster-mini-ready", restart_policy: "OnFailure" });
  expect(pod.container[0].image).toBe("example/python:3");
  expect(pod.container[0].security_context.read_only_root_filesystem).toBe(true);
  expect(pod.container[0].args).toEqual(["ray", "raycluster-mini", "300", "120", ANNOTATION]);
  expect(template.resource("kubernetes_role_v1").rule).toEqual([
    { api_groups: [""], resources: ["pods"], verbs: ["list"] },
    {
      api_groups: ["ray.io"],
      resources: ["rayclusters"],
      resource_names: ["raycluster-mini"],
      verbs: ["get"],
    },
    {
      api_groups: [""],
      resources: ["configmaps"],
      resource_names: ["raycluster-mini-ready"],
      verbs: ["patch"],
    },
    {
      api_groups: ["batch"],
      resources: ["jobs"],
      resource_names: ["raycluster-mini-ready"],
      verbs: ["delete"],
    },
  ]);
});

test("what the Job has written down is an error of the apply", () => {
  const template = Template.of(rayCluster(waiting).stack);

  expect(template.resource("kubernetes_config_map_v1").lifecycle).toEqual({ ignore_changes: ["data"] });
  expect(template.dataSources("kubernetes_config_map_v1")).toEqual([
    expect.objectContaining({
      metadata: { name: "raycluster-mini-ready", namespace: "ray" },
      lifecycle: {
        postcondition: [
          {
            condition: '${try(self.data["ready"], "") == "true"}',
            error_message:
              'The Ray cluster ray/raycluster-mini is not ready: ${try(self.data["message"], "nothing was written down")}. The next apply waits again.',
          },
        ],
      },
    }),
  ]);
});

test("the image that waits, also for the end of the pods, is not their own, which may be what is wrong", () => {
  const template = Template.of(rayCluster({ ...waiting, image: "example/ray:wrong" }).stack);

  expect(template.resource("kubernetes_job_v1").spec.template.spec.container[0].image).toBe(
    "rayproject/ray:2.60.0",
  );
  expect(drainOf(template).containers[0].image).toBe("rayproject/ray:2.60.0");
});

test("the outcome is read after the Job, the Job runs after the release, and on destroy everything goes before it", () => {
  const stack = emptyStack();
  const cluster = standardCluster(stack);
  const ray = new RayCluster(stack, "ray", {
    operator: KubeRayOperator.gkeAddon(stack, "operator", { cluster }),
    rayClusterName: "ray",
    namespace: "ray",
    head: { cpu: 2, memoryGiB: 8 },
    waitUntilReady: {},
  });
  const graph = Graph.of(stack);
  const [job] = graph.addressesOfType("kubernetes_job_v1").filter((address) => address.includes("readiness"));
  const [outcome] = graph.addresses().filter((address) => /^data\..*readiness_outcome/.test(address));
  const rights = ["kubernetes_role_binding_v1", "kubernetes_config_map_v1"].flatMap((type) =>
    graph.addressesOfType(type),
  );

  expect(graph.dependsOn(outcome, job)).toBe(true);
  expect(graph.dependsOn(job, graph.addressesOfType("helm_release"))).toBe(true);
  expect(graph.dependsOn(job, rights)).toBe(true);
  expect(graph.dependsOn(ray.readyDependencies as TerraformElement[], job)).toBe(true);
  expect(graph.cycles()).toEqual([]);
});

describe("a head is told from one of an older description", () => {
  const before = markOf({});

  test.each<[string, Partial<RayClusterProps>]>([
    ["another image", { image: "example/ray:1" }],
    ["other workers", { workerGroups: [{ ...group, env: { A: "b" } }] }],
    ["another environment of the head", { head: { cpu: 2, memoryGiB: 8, env: { A: "b" } } }],
  ])("by %s", (_what, props) => {
    expect(before).toMatch(/^[0-9a-f]{6}$/);
    expect(markOf(props)).not.toBe(before);
  });

  test("and not by what pods are not replaced for", () => {
    const tolerations = [{ key: "team", value: "a" }];

    expect(markOf({ workerGroups: [{ ...group, minReplicas: 1, maxReplicas: 9, tolerations }] })).toBe(
      before,
    );
  });

  test("but not where running pods stay as they are", () => {
    expect(markOf({ upgradeStrategy: RayClusterUpgradeStrategy.NONE })).toBeUndefined();
    expect(markOf({}, "1.5.1")).toBeUndefined();
  });

  test("by Terraform where it alone knows the description", () => {
    const { stack, ray } = rayCluster(waiting, "1.6.2");
    ray.head.addEnv("MODE", new TerraformVariable(stack, "mode", { type: "string" }).stringValue);
    const releases = Template.of(stack).resources("helm_release");
    const [values] = releases.find(({ name }) => name === ray.rayClusterName).values;

    expect(values).toMatch(/"cdktf-gke-ray\/description" = substr\(sha256\(jsonencode\(/);
  });
});

test.each<[string, Partial<RayClusterProps>, string]>([
  [
    "no time",
    { waitUntilReady: { timeoutMinutes: 0 } },
    "'waitUntilReady.timeoutMinutes' must be a whole number of at least 1, got 0",
  ],
  [
    "an image that is none",
    { waitUntilReady: { image: "Python 3" } },
    `'waitUntilReady.image' must be the name of an image, such as "quay.io/example/tool:1.2.3", got "Python 3"`,
  ],
])("%s is refused", (_what, props, message) => {
  expect(() => rayCluster(props)).toThrow(new Error(`${message} (at stack/ray)`));
});
