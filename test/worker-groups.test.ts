import { TerraformVariable, Testing } from "cdktf";
import { KubeRayOperator, RayCluster, RayClusterProps, RayGroup, RayWorkerGroup } from "../lib";
import { emptyStack, existingCluster, rayCluster } from "./support/stacks";
import { Template } from "./support/template";

const group: RayWorkerGroup = { groupName: "workers", cpu: 8, memoryGiB: 32, maxReplicas: 4 };
const head: RayGroup = { cpu: 2, memoryGiB: 8 };

function specOf(props: Partial<RayClusterProps>, options = {}): any {
  const stack = emptyStack();
  const cluster = existingCluster(stack, { rayOperatorAddon: true, ...options });
  const operator = KubeRayOperator.existing(stack, "operator", { cluster });
  new RayCluster(stack, "ray", { operator, rayClusterName: "ray", namespace: "ray", head, ...props });
  return Template.of(stack).rayCluster().spec;
}

function workersOf(more: Partial<RayWorkerGroup>, options = {}): any {
  return specOf({ workerGroups: [{ ...group, ...more }] }, options).workerGroupSpecs[0];
}

const METADATA_SERVER = { "iam.gke.io/gke-metadata-server-enabled": "true" };

test("GPU workers are on nodes of that GPU and have it to themselves", () => {
  const { template, ...spec } = workersOf({ acceleratorType: "nvidia-l4", acceleratorCount: 2 });
  const resources = { cpu: "8", memory: "32Gi", "nvidia.com/gpu": "2" };

  expect(template.spec.containers[0].resources).toEqual({ requests: resources, limits: resources });
  expect(template.spec.nodeSelector).toEqual({
    ...METADATA_SERVER,
    "cloud.google.com/gke-accelerator": "nvidia-l4",
  });
  expect(template.spec.tolerations).toEqual([
    { key: "nvidia.com/gpu", operator: "Exists", effect: "NoSchedule" },
  ]);
  expect(spec).not.toHaveProperty("numOfHosts");
});

test("spot workers are on spot nodes, tainted or not, beside what the user tolerates", () => {
  const tolerations = [{ key: "team", value: "a", effect: "NoSchedule" }];
  const { spec } = workersOf({ spot: true, tolerations }).template;

  expect(spec.nodeSelector["cloud.google.com/gke-spot"]).toBe("true");
  expect(spec.tolerations).toEqual([
    { key: "cloud.google.com/gke-spot", value: "true", effect: "NoSchedule" },
    ...tolerations,
  ]);
});

test("Autopilot is told the labels and tolerates its own taints", () => {
  const { spec } = workersOf({ acceleratorType: "nvidia-l4", spot: true }, { autopilot: true }).template;

  expect(spec.nodeSelector).toEqual({
    "cloud.google.com/gke-accelerator": "nvidia-l4",
    "cloud.google.com/gke-spot": "true",
  });
  expect(spec).not.toHaveProperty("tolerations");
});

test.each<[string, Partial<RayWorkerGroup>, string, number | undefined]>([
  ["one host of 4 chips", { tpuTopology: "2x2" }, "4", undefined],
  ["one host of 8 chips", { tpuTopology: "2x4", tpuChips: 8 }, "8", undefined],
  ["one chip", { tpuTopology: "1x1" }, "1", undefined],
  ["two hosts of 4 chips", { tpuTopology: "2x4" }, "4", 2],
  ["16 hosts in three dimensions", { tpuTopology: "4x4x4" }, "4", 16],
])("a TPU slice of %s", (_what, tpu, chips, hosts) => {
  const { template, numOfHosts } = workersOf({ tpuAccelerator: "tpu-v6e-slice", ...tpu });

  expect(numOfHosts).toBe(hosts);
  expect(template.spec.containers[0].resources.limits["google.com/tpu"]).toBe(chips);
  expect(template.spec.nodeSelector).toEqual({
    ...METADATA_SERVER,
    "cloud.google.com/gke-tpu-accelerator": "tpu-v6e-slice",
    "cloud.google.com/gke-tpu-topology": tpu.tpuTopology,
  });
  expect(template.spec.tolerations).toEqual([
    { key: "google.com/tpu", operator: "Exists", effect: "NoSchedule" },
  ]);
});

test("Ray counts on the CPUs and the resources that it is told", () => {
  const spec = specOf({
    head: { ...head, numCpus: 0 },
    workerGroups: [
      { ...group, customResources: { disk: 2, "team/a": 1 }, rayStartParams: { block: "true" } },
    ],
  });

  expect(spec.headGroupSpec.rayStartParams).toEqual({ "num-cpus": "0" });
  expect(spec.workerGroupSpecs[0].rayStartParams).toEqual({
    block: "true",
    resources: `'{"disk": 2, "team/a": 1}'`,
  });
});

test("pods have a priority and are spread among those of their group", () => {
  const topologySpreadConstraints = [
    { topologyKey: "topology.kubernetes.io/zone" },
    { topologyKey: "kubernetes.io/hostname", maxSkew: 2, whenUnsatisfiable: "ScheduleAnyway" },
  ];
  const spec = specOf({
    head: { ...head, priorityClassName: "high", topologySpreadConstraints },
    workerGroups: [{ ...group, topologySpreadConstraints }],
  });
  const labels = (name: string) => ({ matchLabels: { "ray.io/cluster": "ray", "ray.io/group": name } });

  expect(spec.headGroupSpec.template.spec.priorityClassName).toBe("high");
  expect(spec.headGroupSpec.template.spec.topologySpreadConstraints[0].labelSelector).toEqual(
    labels("headgroup"),
  );
  expect(spec.workerGroupSpecs[0].template.spec.topologySpreadConstraints).toEqual([
    {
      topologyKey: "topology.kubernetes.io/zone",
      maxSkew: 1,
      whenUnsatisfiable: "DoNotSchedule",
      labelSelector: labels("workers"),
    },
    {
      topologyKey: "kubernetes.io/hostname",
      maxSkew: 2,
      whenUnsatisfiable: "ScheduleAnyway",
      labelSelector: labels("workers"),
    },
  ]);
});

test("a value that is known only later is not judged", () => {
  const { stack } = rayCluster({ rayClusterName: "other" });
  const text = new TerraformVariable(stack, "text", { type: "string" }).stringValue;
  const number = new TerraformVariable(stack, "number", { type: "number" }).numberValue;
  const operator = KubeRayOperator.existing(stack, "second", {
    cluster: existingCluster(stack, {}, "second-cluster"),
  });
  const shared = { ...group, numCpus: number, customResources: { disk: number }, priorityClassName: text };
  new RayCluster(stack, "tokens", {
    operator,
    rayClusterName: "tokens",
    namespace: "tokens",
    head,
    workerGroups: [
      { ...shared, groupName: "gpu", acceleratorType: text, acceleratorCount: number },
      { ...shared, groupName: "tpu", tpuAccelerator: text, tpuTopology: text, tpuChips: number },
    ],
  });

  expect(Testing.synth(stack, true)).toMatch(/disk\\*": \$\{var\.number\}/);
});

test.each<[string, Partial<RayWorkerGroup>, string]>([
  [
    "GPUs of no type",
    { acceleratorCount: 2 },
    "'workerGroups[0].acceleratorCount' must not be given without 'acceleratorType', got 2",
  ],
  [
    "half a GPU",
    { acceleratorType: "nvidia-l4", acceleratorCount: 0.5 },
    "'workerGroups[0].acceleratorCount' must be a whole number of at least 1, got 0.5",
  ],
  [
    "a GPU by another name than GKE's",
    { acceleratorType: "NVIDIA L4" },
    `'workerGroups[0].acceleratorType' must be a type as GKE names it, such as "nvidia-l4", got "NVIDIA L4"`,
  ],
  [
    "a TPU by another name than GKE's",
    { tpuAccelerator: "v6e", tpuTopology: "2x2" },
    `'workerGroups[0].tpuAccelerator' must be a type as GKE names it, such as "tpu-v6e-slice", got "v6e"`,
  ],
  [
    "a GPU and a TPU",
    { acceleratorType: "nvidia-l4", tpuAccelerator: "tpu-v6e-slice", tpuTopology: "2x2" },
    `'workerGroups[0].tpuAccelerator' must not be given together with 'acceleratorType': a node has the one or the other, got "tpu-v6e-slice"`,
  ],
  [
    "a TPU without a topology",
    { tpuAccelerator: "tpu-v6e-slice" },
    "'workerGroups[0].tpuTopology' must be given with 'tpuAccelerator'",
  ],
  [
    "a topology without a TPU",
    { tpuTopology: "2x2" },
    `'workerGroups[0].tpuTopology' must not be given without 'tpuAccelerator', got "2x2"`,
  ],
  [
    "a topology that is none",
    { tpuAccelerator: "tpu-v6e-slice", tpuTopology: "8" },
    `'workerGroups[0].tpuTopology' must be a topology such as "4x4" or "2x2x2", got "8"`,
  ],
  [
    "hosts that do not make up the slice",
    { tpuAccelerator: "tpu-v6e-slice", tpuTopology: "2x2", tpuChips: 8 },
    "'workerGroups[0].tpuChips' must divide the 4 chips of topology 2x2, got 8",
  ],
  [
    "a slice of several hosts without the webhook",
    { tpuAccelerator: "tpu-v6e-slice", tpuTopology: "4x4" },
    `'workerGroups[0].tpuTopology' must be of one host (4 chips) on a cluster without 'rayOperatorAddon', whose webhook the 4 hosts of such a slice need, got "4x4"`,
  ],
  [
    "a resource that Ray counts itself",
    { customResources: { GPU: 1 } },
    `'workerGroups[0].customResources' must have names of letters, digits and _.:/- other than CPU, GPU, TPU, memory, object_store_memory, got "GPU"`,
  ],
  [
    "a resource whose name would end the shell's quotes",
    { customResources: { "it's": 1 } },
    `'workerGroups[0].customResources' must have names of letters, digits and _.:/- other than CPU, GPU, TPU, memory, object_store_memory, got "it's"`,
  ],
  [
    "half a resource",
    { customResources: { disk: 0.5 } },
    "'workerGroups[0].customResources.disk' must be a whole number of at least 1, got 0.5",
  ],
  [
    "resources said twice",
    { customResources: { disk: 1 }, rayStartParams: { resources: "'{}'" } },
    `'workerGroups[0].rayStartParams.resources' must be left to 'workerGroups[0].customResources', got "'{}'"`,
  ],
  [
    "CPUs said twice",
    { numCpus: 0, rayStartParams: { "num-cpus": "1" } },
    `'workerGroups[0].rayStartParams.num-cpus' must be left to 'workerGroups[0].numCpus', got "1"`,
  ],
  [
    "fewer than no CPUs",
    { numCpus: -1 },
    "'workerGroups[0].numCpus' must be a whole number of at least 0, got -1",
  ],
  [
    "a priority class that no object can be",
    { priorityClassName: "High" },
    `'workerGroups[0].priorityClassName' must be a DNS subdomain: 1 to 253 lower-case letters, digits, hyphens or dots, starting and ending with a letter or digit, got "High"`,
  ],
  [
    "a spread over nothing",
    { topologySpreadConstraints: [{ topologyKey: "" }] },
    `'workerGroups[0].topologySpreadConstraints[0].topologyKey' must be the label of a node, got ""`,
  ],
  [
    "a spread that is neither must nor should",
    { topologySpreadConstraints: [{ topologyKey: "zone", whenUnsatisfiable: "Ignore" }] },
    `'workerGroups[0].topologySpreadConstraints[0].whenUnsatisfiable' must be DoNotSchedule or ScheduleAnyway, got "Ignore"`,
  ],
])("%s is refused", (_what, more, message) => {
  expect(() => rayCluster({ workerGroups: [{ ...group, ...more }] })).toThrow(
    new Error(`${message} (at stack/ray)`),
  );
});

test("nodes that contradict the accelerator are refused", () => {
  const nodeSelector = { "cloud.google.com/gke-accelerator": "nvidia-tesla-t4" };

  expect(() => workersOf({ acceleratorType: "nvidia-l4", nodeSelector })).toThrow(
    `[stack/ray] 'workerGroups[0].nodeSelector.cloud.google.com/gke-accelerator' must be left to the construct that sets "nvidia-l4", got "nvidia-tesla-t4"`,
  );
});
