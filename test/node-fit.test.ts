import { TerraformVariable, Testing } from "cdktf";
import {
  GkeNodePool,
  GkeTaintEffect,
  KubeRayOperator,
  RayAuthProxy,
  RayAuthProxyPlacement,
  RayCluster,
  RayClusterProps,
  RayGroup,
  RayWorkerGroup,
} from "../lib";
import { bucketAccess, emptyStack, standardCluster } from "./support/stacks";

/** How an error of fit ends. */
const WAYS_OUT =
  "; nodes from elsewhere are stated by 'otherNodePools' of the cluster or a nodeSelector cloud.google.com/compute-class";

const head: RayGroup = { cpu: 1, memoryGiB: 4 };
const group: RayWorkerGroup = { groupName: "workers", cpu: 1, memoryGiB: 4, maxReplicas: 1 };
const small: GkeNodePool = { name: "small", machineType: "e2-standard-4", maxNodeCount: 3 };

/** A cluster of ours with these pools and a Ray cluster on it. */
function placed(
  nodePools: GkeNodePool[],
  props: Partial<RayClusterProps> = {},
  change: (ray: RayCluster) => void = () => undefined,
): () => string {
  const stack = emptyStack();
  const cluster = standardCluster(stack, { nodePools, gcsFuseAddon: true });
  const ray = new RayCluster(stack, "ray", {
    operator: KubeRayOperator.gkeAddon(stack, "operator", {
      cluster,
      gateTolerations: [{ operator: "Exists" }],
    }),
    rayClusterName: "ray",
    identity: bucketAccess(stack, cluster).identity,
    head,
    ...props,
  });
  change(ray);
  return () => Testing.synth(stack, true);
}

function withGroup(more: Partial<RayWorkerGroup>, ...nodePools: GkeNodePool[]): () => string {
  return placed(nodePools, { workerGroups: [{ ...group, ...more }] });
}

/** The error of a group of workers that no pool can hold. */
function refusal(nearest: string): string {
  return `[stack/ray] 'workerGroups[0]' must fit on a node pool of stack/cluster: the nearest, ${nearest}${WAYS_OUT}`;
}

/** https://cloud.google.com/kubernetes-engine/docs/concepts/plan-node-sizes */
test.each([
  ["e2-standard-4", "has 3.92 CPUs for pods, not 999 and has 13.3 GiB for pods, not 9999"],
  ["e2-standard-8", "has 7.91 CPUs for pods, not 999 and has 28.34 GiB for pods, not 9999"],
  ["e2-medium", "has 0.94 CPUs for pods, not 999 and has 2.9 GiB for pods, not 9999"],
  ["n1-standard-16", "has 15.89 CPUs for pods, not 999 and has 54.66 GiB for pods, not 9999"],
  ["n2-highmem-64", "has 63.77 CPUs for pods, not 999 and has 494.9 GiB for pods, not 9999"],
  ["n2d-custom-4-16384", "has 3.92 CPUs for pods, not 999 and has 13.3 GiB for pods, not 9999"],
  ["custom-2-8192-ext", "has 1.93 CPUs for pods, not 999 and has 6.1 GiB for pods, not 9999"],
  ["c3-standard-8-lssd", "has 7.91 CPUs for pods, not 999 and has 28.34 GiB for pods, not 9999"],
  ["a2-highgpu-1g", "has 11.9 CPUs for pods, not 999 and has 78.16 GiB for pods, not 9999"],
])("%s %s", (machineType, obstacles) => {
  const synth = placed([{ ...small, machineType }], { head: { cpu: 999, memoryGiB: 9999 } });

  expect(synth).toThrow(
    `[stack/ray] 'head' must fit on a node pool of stack/cluster: the nearest, "small" (${machineType}), ${obstacles}${WAYS_OUT}`,
  );
});

test("of a machine type that is not known here nothing is said", () => {
  expect(
    withGroup({ cpu: 999 }, small, { ...small, name: "new", machineType: "x9-standard-4" }),
  ).not.toThrow();
});

test("what the pods hold besides Ray counts: the autoscaler, the proxy, the sidecar of mounts", () => {
  const fits = { cpu: 3.1, memoryGiB: 8 };
  const cannotGrow = { workerGroups: [] };
  expect(placed([small], { head: fits, ...cannotGrow })).not.toThrow();
  expect(placed([small], { head: fits, workerGroups: [group] })).not.toThrow();

  const withAll = placed([small], { head: fits, workerGroups: [group] }, (ray) => {
    new RayAuthProxy(ray, "auth", { rayCluster: ray, placement: RayAuthProxyPlacement.HEAD_SIDECAR });
    ray.mountBucket(bucketOf(ray), "/data");
    ray.head.addContainer({ name: "sidecar", resources: { requests: { cpu: "250m", memory: "512Mi" } } });
  });
  expect(withAll).toThrow(
    `[stack/ray] 'head' must fit on a node pool of stack/cluster: the nearest, "small" (e2-standard-4), has 3.92 CPUs for pods, not 4.2${WAYS_OUT}`,
  );
});

function bucketOf(ray: RayCluster) {
  return ray.node.scope!.node.findChild("bucket") as ReturnType<typeof bucketAccess>;
}

test("the nearest pool is the one with the fewest obstacles, and of those the largest", () => {
  const tainted = {
    ...small,
    name: "tainted",
    machineType: "e2-standard-32",
    taints: [{ key: "team", value: "a", effect: GkeTaintEffect.NO_SCHEDULE }],
  };
  const synth = withGroup(
    { cpu: 60, memoryGiB: 8 },
    small,
    { ...small, name: "large", machineType: "e2-standard-16" },
    tainted,
  );

  expect(synth).toThrow(refusal(`"large" (e2-standard-16), has 15.89 CPUs for pods, not 60`));
});

describe("a group is led to nodes by", () => {
  const taints = [{ key: "team", value: "a", effect: GkeTaintEffect.NO_SCHEDULE }];
  const gpu = { ...small, name: "gpu", machineType: "g2-standard-12", acceleratorType: "nvidia-l4" };
  const tpu = { ...small, name: "tpu", machineType: "ct6e-standard-4t", maxNodeCount: 4 };
  const onTpu = { tpuAccelerator: "tpu-v6e-slice" };

  test.each<[string, Partial<RayWorkerGroup>, GkeNodePool[]]>([
    [
      "a pool's label",
      { nodeSelector: { team: "a" } },
      [small, { ...small, name: "a", labels: { team: "a" } }],
    ],
    ["a pool's name", { nodeSelector: { "cloud.google.com/gke-nodepool": "small" } }, [small]],
    ["a label of Kubernetes", { nodeSelector: { "topology.kubernetes.io/zone": "us-west1-b" } }, [small]],
    ["a taint with its value", { tolerations: [{ key: "team", value: "a" }] }, [{ ...small, taints }, gpu]],
    [
      "a taint by its key",
      { tolerations: [{ key: "team", operator: "Exists", effect: "NoSchedule" }] },
      [{ ...small, taints }, gpu],
    ],
    ["every taint", { tolerations: [{ operator: "Exists" }] }, [{ ...small, taints }, gpu]],
    ["a GPU", { acceleratorType: "nvidia-l4" }, [small, gpu]],
    ["spot", { spot: true }, [small, { ...small, name: "spot", spot: true }]],
    ["a TPU slice of one host", { ...onTpu, tpuTopology: "2x2" }, [small, tpu]],
    [
      "a TPU slice of several hosts",
      { ...onTpu, tpuTopology: "4x4" },
      [small, { ...tpu, tpuTopology: "4x4" }],
    ],
  ])("%s", (_what, more, pools) => {
    const onlyWorkers = {
      ...small,
      name: "head",
      labels: { head: "yes" },
      taints: [{ key: "head", value: "yes", effect: GkeTaintEffect.NO_SCHEDULE }],
    };
    const synth = placed([onlyWorkers, ...pools], {
      head: { ...head, tolerations: [{ key: "head", value: "yes" }], nodeSelector: { head: "yes" } },
      workerGroups: [{ ...group, ...more }],
    });

    expect(synth).not.toThrow();
  });

  test.each<[string, Partial<RayWorkerGroup>, GkeNodePool[], string]>([
    [
      "a label that no pool has",
      { nodeSelector: { team: "b" } },
      [small],
      `"small" (e2-standard-4), is not labelled team=b`,
    ],
    [
      "another pool's name",
      { nodeSelector: { "cloud.google.com/gke-nodepool": "big" } },
      [small],
      `"small" (e2-standard-4), is not labelled cloud.google.com/gke-nodepool=big`,
    ],
    [
      "a taint of another value",
      { tolerations: [{ key: "team", value: "b" }] },
      [{ ...small, taints }],
      `"small" (e2-standard-4), has the taint team=a:NoSchedule, which is not tolerated`,
    ],
    [
      "a taint of another effect",
      { tolerations: [{ key: "team", value: "a", effect: "NoExecute" }] },
      [{ ...small, taints }],
      `"small" (e2-standard-4), has the taint team=a:NoSchedule, which is not tolerated`,
    ],
    [
      "more GPUs than a node has",
      { acceleratorType: "nvidia-l4", acceleratorCount: 2 },
      [gpu],
      `"gpu" (g2-standard-12), has 1 GPUs, not 2`,
    ],
    [
      "another GPU",
      { acceleratorType: "nvidia-tesla-t4" },
      [gpu],
      `"gpu" (g2-standard-12), is not labelled cloud.google.com/gke-accelerator=nvidia-tesla-t4`,
    ],
    [
      "spot where there is none",
      { spot: true },
      [small],
      `"small" (e2-standard-4), is not labelled cloud.google.com/gke-spot=true`,
    ],
    [
      "another topology",
      { ...onTpu, tpuTopology: "2x4" },
      [{ ...tpu, tpuTopology: "4x4" }],
      `"tpu" (ct6e-standard-4t), is not labelled cloud.google.com/gke-tpu-topology=2x4`,
    ],
    [
      "another TPU",
      { tpuAccelerator: "tpu-v5-lite-podslice", tpuTopology: "2x2" },
      [tpu],
      `"tpu" (ct6e-standard-4t), is not labelled cloud.google.com/gke-tpu-accelerator=tpu-v5-lite-podslice`,
    ],
    [
      "a pool that may have no nodes",
      {},
      [{ ...small, maxNodeCount: 0 }],
      `"small" (e2-standard-4), has 0 nodes at the most, not 1`,
    ],
  ])("%s, and else refused", (_what, more, pools, nearest) => {
    const forHead = {
      ...small,
      name: "head",
      machineType: "e2-custom-medium-8192",
      labels: { head: "yes" },
      taints: [
        { key: "head", value: "yes", effect: GkeTaintEffect.NO_SCHEDULE },
        { key: "kind", value: "head", effect: GkeTaintEffect.NO_EXECUTE },
        { key: "even", value: "more", effect: GkeTaintEffect.NO_EXECUTE },
      ],
    };
    const synth = placed([forHead, ...pools], {
      head: { ...head, tolerations: [{ operator: "Exists" }], nodeSelector: { head: "yes" } },
      workerGroups: [{ ...group, ...more }],
    });

    expect(synth).toThrow(refusal(nearest));
  });

  test("GPU nodes are left to those who ask for GPUs, where there are others", () => {
    expect(withGroup({ cpu: 10, memoryGiB: 40 }, gpu)).not.toThrow();
    expect(withGroup({ cpu: 10, memoryGiB: 40 }, small, gpu)).toThrow(
      refusal(
        `"gpu" (g2-standard-12), has the taint nvidia.com/gpu=present:NoSchedule, which is not tolerated`,
      ),
    );
  });
});

describe("pods are judged as they are rendered", () => {
  const request = "spec.headGroupSpec.template.spec.containers.0.resources.requests.cpu";
  const selector = "spec.headGroupSpec.template.spec.nodeSelector";

  test("an override can make them too large", () => {
    expect(placed([small], {}, (ray) => ray.addOverride(request, "99"))).toThrow(
      `[stack/ray] 'head' must fit on a node pool of stack/cluster: the nearest, "small" (e2-standard-4), has 3.92 CPUs for pods, not 99${WAYS_OUT}`,
    );
  });

  test("an override can make them small enough", () => {
    const large = { head: { cpu: 99, memoryGiB: 4 } };
    expect(placed([small], large, (ray) => ray.addOverride(request, "1"))).not.toThrow();
  });

  test("a compute class leads them to nodes of its own", () => {
    const gpu = { acceleratorType: "nvidia-l4", nodeSelector: { "cloud.google.com/compute-class": "gpus" } };
    expect(withGroup(gpu, small)).not.toThrow();
    const large = { head: { cpu: 99, memoryGiB: 4 } };
    const byOverride = (ray: RayCluster) =>
      ray.addOverride(selector, { "cloud.google.com/compute-class": "large" });
    expect(placed([small], large, byOverride)).not.toThrow();
  });

  test("nodes may come from elsewhere where that is stated", () => {
    const stack = emptyStack();
    const cluster = standardCluster(stack, { nodePools: [small], otherNodePools: true });
    new RayCluster(stack, "ray", {
      operator: KubeRayOperator.gkeAddon(stack, "operator", { cluster }),
      rayClusterName: "ray",
      namespace: "ray",
      head: { cpu: 99, memoryGiB: 400 },
    });

    expect(() => Testing.synth(stack, true)).not.toThrow();
  });
});

test.each<[string, object, string]>([
  [
    "an effect as GKE spells it",
    { key: "team", effect: GkeTaintEffect.NO_SCHEDULE },
    `'head.tolerations[0].effect' must be NoSchedule, PreferNoSchedule, NoExecute, got "NO_SCHEDULE"`,
  ],
  [
    "an unknown operator",
    { key: "team", operator: "In" },
    `'head.tolerations[0].operator' must be Equal, Exists, got "In"`,
  ],
  [
    "a value beside Exists",
    { key: "team", operator: "Exists", value: "a" },
    `'head.tolerations[0].value' must not be given with operator Exists, got "a"`,
  ],
  [
    "no key",
    { value: "a" },
    "'head.tolerations[0].key' must be given unless operator is Exists, which tolerates every taint",
  ],
])("a toleration with %s is refused", (_what, toleration, message) => {
  expect(() => placed([small], { head: { ...head, tolerations: [toleration] } })).toThrow(
    new Error(`${message} (at stack/ray)`),
  );
});

test("a value that is known only later is not judged", () => {
  const stack = emptyStack();
  const text = new TerraformVariable(stack, "text", { type: "string" }).stringValue;
  const number = new TerraformVariable(stack, "number", { type: "number" }).numberValue;
  const cluster = standardCluster(stack, {
    nodePools: [
      { name: "text", machineType: text, maxNodeCount: 1 },
      {
        name: "gpu",
        machineType: "g2-standard-12",
        maxNodeCount: number,
        acceleratorType: text,
        acceleratorCount: number,
      },
    ],
  });
  new RayCluster(stack, "ray", {
    operator: KubeRayOperator.gkeAddon(stack, "operator", { cluster }),
    rayClusterName: "ray",
    namespace: "ray",
    head: { cpu: number, memoryGiB: number, nodeSelector: { team: text } },
    workerGroups: [
      { ...group, acceleratorType: text, acceleratorCount: number, tolerations: [{ key: text }] },
    ],
  });

  expect(() => Testing.synth(stack, true)).not.toThrow();
});

test("Autopilot finds a node for every pod", () => {
  const stack = emptyStack();
  const cluster = standardCluster(stack, { autopilot: true });
  new RayCluster(stack, "ray", {
    operator: KubeRayOperator.gkeAddon(stack, "operator", { cluster }),
    rayClusterName: "ray",
    namespace: "ray",
    head: { cpu: 100, memoryGiB: 400 },
  });

  expect(() => Testing.synth(stack, true)).not.toThrow();
});
