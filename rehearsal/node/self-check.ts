import { lookup } from "node:dns/promises";
import { readdirSync, readFileSync } from "node:fs";
import { ToolCache } from "../tools/cache";
import type { Image } from "../tools/artifact";
import { images } from "../tools/images";
import { RAY_VERSION } from "../tools/versions";
import { ORIGINAL_REQUESTS_ANNOTATION } from "./admission";
import { ADDRESSES } from "./network";
import { Node } from "./node";
import { type Outcome, PodNetwork } from "./pod-network";
import { enterNamespaces } from "./run";
import { networkPolicyObject, operatorDeployment, podObject, rayClusterObject } from "./self-check-objects";

const PODS = "/api/v1/namespaces/default/pods";
const POD = `${PODS}/check`;
const RAY_CLUSTER = "/apis/ray.io/v1/namespaces/default/rayclusters/mini";
const NETWORK_POLICIES = "/apis/networking.k8s.io/v1/namespaces/default/networkpolicies";
const DEPLOYMENT = "/apis/apps/v1/namespaces/default/deployments/kuberay-operator";

/** Brings a node up, uses every part of it once, and prints how long each step took. */
class SelfCheck {
  private readonly rayImage: string;
  private readonly operatorImage: string;

  constructor(
    private readonly node: Node,
    cache: ToolCache,
  ) {
    const byName = new Map(images(cache).map((image: Image) => [image.name, image.imageName]));
    this.rayImage = byName.get("ray-image") ?? "";
    this.operatorImage = byName.get("kuberay-operator-image") ?? "";
  }

  public async controlPlaneSteps(): Promise<void> {
    await step("an API server restart is survived", async () => {
      await this.node.restartApiServer(200);
      await this.node.client.get("/api/v1/namespaces/default");
    });
    await step("the administrator's kubeconfig works and is audited", async () => {
      await this.node.kubectl(["create", "namespace", "audited"], { token: this.node.adminToken });
      const events = this.node.auditEvents().filter((event) => event.objectRef?.name === "audited");
      check(
        events.some((event) => event.verb === "create" && event.user.username === "rehearsal-admin"),
        `the audit log has no creation of the namespace: ${JSON.stringify(events)}`,
      );
    });
  }

  public async podSteps(): Promise<void> {
    await step("a name that is doubled resolves", async () => {
      const { address } = await lookup("storage.googleapis.com", { family: 4 });
      check(address === ADDRESSES.google, `it resolves to ${address}`);
    });
    await step("a foreign name does not exist, at once", async () => {
      const started = Date.now();
      const code = await lookup("openidconnect.googleapis.com").then(
        ({ address }) => address,
        (error: NodeJS.ErrnoException) => error.code,
      );
      check(code === "ENOTFOUND", `the lookup gave ${code}`);
      check(Date.now() - started < 500, `the lookup took ${Date.now() - started} ms`);
    });
    await step("a pod larger than the machine runs", () => this.startPod());
    await step("kubectl exec, logs and names inside a pod work", () => this.usePod());
    await step("the metadata server could tell whose request it is", async () => {
      const { status } = await this.node.client.get(POD);
      const pod = await this.node.podForIp(status.podIP);
      check(pod?.name === "check" && pod.serviceAccountName === "default", JSON.stringify(pod));
    });
    await step("a network policy is enforced: a chosen pod gets in, and no other", () => this.usePolicy());
  }

  public async raySteps(): Promise<void> {
    const operator = this.node.startOperator({ crdDelayMs: 500 });
    await step("the hosted operator comes, its definitions before it", () => operator.ready);
    await step("a RayCluster with head, autoscaler and worker becomes ready", () => this.startRayCluster());
    await step("a Ray task runs on it", async () => {
      const script = "import ray; ray.init(); print(ray.get(ray.remote(lambda: 'task done').remote()))";
      const head = await this.headPod();
      const output = await this.node.kubectl(["exec", head, "-c", "ray-head", "--", "python", "-c", script]);
      check(output.includes("task done"), output);
    });
    await operator.stop();
    await step("the operator runs as the pod of its chart", () => this.startOperatorPod());
    await step("the operator's pod removes the RayCluster's pods", async () => {
      await this.node.client.delete(RAY_CLUSTER);
      await this.node.waitFor("the end of the Ray pods", 60_000, async () => {
        const path = "/api/v1/namespaces/default/pods?labelSelector=ray.io/cluster=mini";
        return (await this.node.client.list(path)).length === 0;
      });
    });
  }

  /** Without the engine every port would be open: whoever uses the node has to hear of it. This ends the node's use. */
  public async lossOfPolicyEngine(): Promise<void> {
    await step("the death of the network policy engine is noticed", async () => {
      process.kill(processNamed("kube-router"), "SIGKILL");
      const noticed = await this.node
        .waitFor("the end of kube-router", 5_000, async () => false)
        .catch((error: Error) => error.message);
      check(noticed?.startsWith("kube-router ended unexpectedly (SIGKILL)") === true, `${noticed}`);
    });
  }

  private async startPod(): Promise<void> {
    const pod = podObject("check", this.rayImage);
    const created = await this.node.client.create("/api/v1/namespaces/default/pods", pod);
    const { requests, limits } = created.spec.containers[0].resources;
    check(limits.memory === "16Gi" && limits.cpu === "4", `limits are ${JSON.stringify(limits)}`);
    check(requests.memory === "1024Mi" || requests.memory === "1Gi", JSON.stringify(requests));
    const record = created.metadata.annotations?.[ORIGINAL_REQUESTS_ANNOTATION];
    check(record === '{"main":{"cpu":"4","memory":"16Gi"}}', `the record is ${record}`);
    await this.waitForReadyPod(POD);
  }

  private async usePod(): Promise<void> {
    const exec = ["exec", "check", "--"];
    // The Service has no endpoint for some seconds after the API server's restart.
    const wget = "wget -q -O - --no-check-certificate --retry-connrefused --tries=30 --waitretry=1";
    const script = [
      "id -u",
      "getent hosts storage.googleapis.com",
      "getent hosts kubernetes.default.svc.cluster.local",
      `${wget} https://kubernetes.default.svc/version`,
      "if getent hosts nowhere.example.com; then exit 1; fi",
    ].join(" && ");
    const output = await this.node.kubectl([...exec, "sh", "-c", script]);
    check(output.startsWith("1000\n"), output);
    check(output.includes(ADDRESSES.google) && output.includes(ADDRESSES.kubernetesService), output);
    check(output.includes('"gitVersion": "v1.34'), output);
    await this.node.kubectl(["logs", "check"]);
  }

  /** Connects without a policy, with it, and when it has gone; each time something listens on both ports. */
  private async usePolicy(): Promise<void> {
    const [port, otherPort] = [8000, 8001];
    for (const name of ["chosen", "stranger"]) {
      await this.node.client.create(PODS, podObject(name, this.rayImage));
      await this.waitForReadyPod(`${PODS}/${name}`);
    }
    const target = await this.node.client.get(POD);
    const stop = await new PodNetwork(target).listen([port, otherPort]);
    const networks: PodNetwork[] = [];
    for (const name of ["chosen", "stranger"]) {
      networks.push(new PodNetwork(await this.node.client.get(`${PODS}/${name}`)));
    }
    const expectOutcomes = (what: string, ...expected: Outcome[]) =>
      this.node.waitFor(what, 10_000, async () => {
        const outcomes: Outcome[] = [];
        for (const network of networks) {
          outcomes.push(...(await network.connect(target.status.podIP, [port, otherPort])).values());
        }
        check(outcomes.join() === expected.join(), outcomes.join());
        return true;
      });

    await expectOutcomes("connections without a policy", ...Array(4).fill("connected"));
    await this.node.client.create(NETWORK_POLICIES, networkPolicyObject("check", "chosen", port));
    await expectOutcomes("the policy's effect", "connected", "refused", "refused", "refused");
    await this.node.client.delete(`${NETWORK_POLICIES}/check`);
    await expectOutcomes("the end of the policy", ...Array(4).fill("connected"));
    stop();
  }

  private async startRayCluster(): Promise<void> {
    const object = rayClusterObject("mini", this.rayImage, RAY_VERSION);
    await this.node.kubectl(["apply", "--server-side", "-f", "-"], { input: JSON.stringify(object) });
    await this.node.waitFor("the RayCluster's readiness", 120_000, async () => {
      const { status } = await this.node.client.get(RAY_CLUSTER);
      return status?.state === "ready" && status.readyWorkerReplicas === 1;
    });
    await this.waitForReadyPod(`/api/v1/namespaces/default/pods/${await this.headPod()}`);
  }

  private async startOperatorPod(): Promise<void> {
    const list = { apiVersion: "v1", kind: "List", items: operatorDeployment(this.operatorImage) };
    await this.node.kubectl(["apply", "-f", "-"], { input: JSON.stringify(list) });
    await this.node.waitFor("the operator pod's readiness", 60_000, async () => {
      const { status } = await this.node.client.get(DEPLOYMENT);
      return status?.readyReplicas === 1;
    });
  }

  private async waitForReadyPod(path: string): Promise<void> {
    await this.node.waitFor(`readiness of ${path}`, 60_000, async () => {
      const { status } = await this.node.client.get(path);
      const conditions: { type: string; status: string }[] = status?.conditions ?? [];
      return conditions.some(({ type, status: value }) => type === "Ready" && value === "True");
    });
  }

  private async headPod(): Promise<string> {
    const selector = "labelSelector=ray.io/cluster=mini,ray.io/node-type=head";
    const [head] = await this.node.client.list(`/api/v1/namespaces/default/pods?${selector}`);
    check(head !== undefined, "the RayCluster has no head pod");
    return head.metadata.name;
  }
}

async function step<T>(title: string, work: () => Promise<T>): Promise<T> {
  const started = Date.now();
  const result = await work();
  process.stdout.write(`${((Date.now() - started) / 1000).toFixed(1).padStart(6)} s  ${title}\n`);
  return result;
}

function processNamed(name: string): number {
  const found = readdirSync("/proc").find((entry) => {
    try {
      return /^\d+$/.test(entry) && readFileSync(`/proc/${entry}/comm`, "utf8") === `${name}\n`;
    } catch {
      // It ended meanwhile.
      return false;
    }
  });
  check(found !== undefined, `no process is called ${name}`);
  return Number(found);
}

function check(condition: boolean, message: string): void {
  if (!condition) {
    throw new Error(message);
  }
}

async function main(): Promise<void> {
  const cache = new ToolCache();
  const run = await enterNamespaces(cache);
  const reason = run.reason === "" ? "" : ` (${run.reason})`;
  process.stdout.write(`level ${run.level} in ${run.isolation}${reason}, logs: ${run.logDir}\n`);
  const node = await step("everything is up and the node ready", () =>
    Node.start({ cache, run, hosts: { "storage.googleapis.com": ADDRESSES.google } }),
  );
  if (process.argv.includes("--hold")) {
    process.stdout.write("holding\n");
    await new Promise(() => setInterval(() => undefined, 60_000));
  }
  try {
    const selfCheck = new SelfCheck(node, cache);
    await selfCheck.controlPlaneSteps();
    if (node.level === "node") {
      await selfCheck.podSteps();
      await selfCheck.raySteps();
      await selfCheck.lossOfPolicyEngine();
    }
  } finally {
    await step("everything is stopped", () => node.stop());
  }
}

main().catch((error: Error) => {
  process.stderr.write(`${error.stack ?? error.message}\n`);
  process.exit(1);
});
