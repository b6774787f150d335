import { isReady, type KubeObject } from "../node/kube-client";
import type { Node } from "../node/node";

const READY_TIMEOUT_MS = 180_000;

/** The pods of one Ray cluster, as the operator made them. */
export class RunningRay {
  constructor(
    private readonly node: Node,
    private readonly namespace: string,
    private readonly rayClusterName: string,
  ) {}

  /** The pods that are there, of the head or of the workers or all. */
  public list(nodeType?: "head" | "worker"): Promise<KubeObject[]> {
    const type = nodeType ? `,ray.io/node-type=${nodeType}` : "";
    const selector = encodeURIComponent(`ray.io/cluster=${this.rayClusterName}${type}`);
    return this.node.client.list(`/api/v1/namespaces/${this.namespace}/pods?labelSelector=${selector}`);
  }

  /** The RayCluster object. */
  public object(): Promise<KubeObject> {
    return this.node.client.get(
      `/apis/ray.io/v1/namespaces/${this.namespace}/rayclusters/${this.rayClusterName}`,
    );
  }

  /** Waits until the head is Ready and returns its name. */
  public async waitForHead(): Promise<string> {
    const what = `readiness of the head of ${this.namespace}/${this.rayClusterName}`;
    await this.node.waitFor(what, READY_TIMEOUT_MS, async () => (await this.ready("head")).length === 1);
    const [head] = await this.ready("head");
    return head.metadata.name;
  }

  /** Waits until so many workers are Ready. */
  public async waitForWorkers(count: number): Promise<void> {
    const what = `${count} workers of ${this.namespace}/${this.rayClusterName}`;
    await this.node.waitFor(what, READY_TIMEOUT_MS, async () => {
      const all = await this.list("worker");
      return all.length === count && (await this.ready("worker")).length === count;
    });
  }

  /** Waits until no pod is left. */
  public async waitForNone(): Promise<void> {
    const what = `end of the pods of ${this.namespace}/${this.rayClusterName}`;
    await this.node.waitFor(what, READY_TIMEOUT_MS, async () => (await this.list()).length === 0);
  }

  /** Runs a Python script in the Ray container of the head and returns what it printed. */
  public async python(script: string, ...args: string[]): Promise<string> {
    const head = await this.waitForHead();
    const command = [
      "exec",
      "-n",
      this.namespace,
      "-i",
      head,
      "-c",
      "ray-head",
      "--",
      "python3",
      "-",
      ...args,
    ];
    return this.node.kubectl(command, { input: script });
  }

  private async ready(nodeType: "head" | "worker"): Promise<KubeObject[]> {
    return (await this.list(nodeType)).filter(
      (pod) => pod.metadata.deletionTimestamp === undefined && isReady(pod),
    );
  }
}

/** Tasks that do not fit on the head alone: prints how many Ray nodes they ran on. */
export const SPREAD_TASKS = `
import ray, time
ray.init(address="auto", log_to_driver=False)

@ray.remote(num_cpus=2)
def where():
    time.sleep(3)
    return ray.get_runtime_context().get_node_id()

deadline = time.time() + 150
nodes = set()
while len(nodes) < 2 and time.time() < deadline:
    nodes |= set(ray.get([where.remote() for _ in range(2)]))
print("nodes:", len(nodes))
`;

/** Actors, each of which needs a worker of one group and keeps it from being idle. */
export const HOLD = `
import ray, sys
ray.init(address="auto", namespace="holders", log_to_driver=False)

@ray.remote(num_cpus=0)
class Holder:
    def where(self):
        return ray.get_runtime_context().get_node_id()

holders = [Holder.options(name=g, lifetime="detached", resources={g: 1}).remote() for g in sys.argv[1:]]
print("nodes:", len(set(ray.get([holder.where.remote() for holder in holders], timeout=240))))
`;

/** Lets such actors go. */
export const LET_GO = `
import ray, sys
ray.init(address="auto", namespace="holders", log_to_driver=False)
for group in sys.argv[1:]:
    ray.kill(ray.get_actor(group))
`;
