import { readFileSync } from "node:fs";
import { join } from "node:path";
import { KubeRayOperator } from "../../lib/kuberay-operator";
import { RayCluster } from "../../lib/ray-cluster";
import { mayConnect, selects } from "../../test/support/network-policy";
import { Template } from "../../test/support/template";
import { KubeObject } from "../node/kube-client";
import { Outcome, PodNetwork } from "../node/pod-network";
import { proxyNamespace } from "../stage/proxy-pods";
import { expect, Scenario, Stage } from "../stage/stage";
import { PAUSE_IMAGE } from "../tools/images";
import { AUTH_SITE, AuthStack, MINI, NAMESPACE } from "./support/auth-stack";

const SLEEP = ["sleep", "3600"];

/** Another tenant's Ray cluster has the same name, in its own namespace. */
const OTHER_TENANT = "other-tenant";

/** Ports of a head: GCS, Serve, metrics, dashboard and jobs, Ray clients, metrics of the autoscaler, the dashboard's agent. */
const HEAD_PORTS: readonly number[] = [6379, 8000, 8080, 8265, 10001, 44217, 52365];

/** A pod that does nothing, with the labels of somebody whom a policy may name. */
interface StandIn {
  readonly who: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
}

const RAY_LABELS = { "ray.io/cluster": MINI, "ray.io/node-type": "worker", "ray.io/group": "cpu" };
const RUNNER = { app: "runner" };

/** Labels of the proxy before another Ray cluster of the namespace. */
const OTHER_PROXY = { "app.kubernetes.io/name": "ray-auth-proxy", "app.kubernetes.io/instance": "other" };

const STAND_INS: readonly StandIn[] = [
  { who: "operator", namespace: "kube-system", labels: { "k8s-app": "konnectivity-agent" } },
  { who: "other-system-pod", namespace: "kube-system", labels: {} },
  { who: "chosen-peer", namespace: "ci", labels: RUNNER },
  { who: "other-pod-of-the-peers", namespace: "ci", labels: {} },
  { who: "peers-labels-elsewhere", namespace: "elsewhere", labels: RUNNER },
  { who: "ray-labels-elsewhere", namespace: "elsewhere", labels: RAY_LABELS },
  { who: "pod-without-labels", namespace: NAMESPACE, labels: {} },
  { who: "other-proxy", namespace: proxyNamespace(NAMESPACE), labels: OTHER_PROXY },
  { who: "other-ray-cluster", namespace: NAMESPACE, labels: { ...RAY_LABELS, "ray.io/cluster": "other" } },
];

/** A pod that connects. */
interface Caller {
  readonly who: string;
  readonly pod: KubeObject;
}

/** A pod that is connected to. */
interface Target extends Caller {
  readonly ports: readonly number[];
}

function synthesizePolicies(): string {
  const stack = new AuthStack(
    (scope, cluster) => KubeRayOperator.gkeAddon(scope, "operator", { cluster, kuberayVersion: "1.6.2" }),
    true,
  );
  const worker = { groupName: "cpu", cpu: 1, memoryGiB: 2, minReplicas: 1, maxReplicas: 1 };
  const ray = stack.rayCluster(MINI, {
    workerGroups: [worker],
    networkPeers: [{ namespace: "ci", podLabels: RUNNER, ports: [8265, 10001] }],
  });
  stack.proxy(ray);
  const other = stack.rayCluster(MINI, { namespace: OTHER_TENANT }, OTHER_TENANT);
  [ray, other].forEach(letPodsSleep);
  ray.addOverride("spec.workerGroupSpecs.0.template.spec.containers.0.command", SLEEP);
  return stack.synthesize();
}

/** The operator's pods with everything but Ray in them: listeners stand for it, on every port and at once. */
function letPodsSleep(ray: RayCluster): void {
  ray.addOverride("metadata.annotations", { "ray.io/overwrite-container-cmd": "true" });
  ray.addOverride("spec.headGroupSpec.template.spec.containers.0.command", SLEEP);
}

export const networkPolicy: Scenario = {
  name: "network-policy",
  title:
    "real connections from and to pods succeed where the synthesized policies let them, and nowhere else",
  needs: ["pods", "terraform"],
  async run(stage) {
    const site = await stage.site(AUTH_SITE);
    await site.startOperator(0).ready;
    for (const namespace of ["ci", "elsewhere"]) {
      await stage.node.kubectl(["create", "namespace", namespace]);
    }
    stage.step("apply");
    const folder = synthesizePolicies();
    const terraform = await site.terraform(folder);
    await terraform.apply();
    stage.step("pods");
    const matrix = await Matrix.of(stage, folder);

    stage.step("connections");
    await matrix.expectPolicies();
    stage.step("connections without the policy");
    await matrix.expectOpenWithoutPolicy();
  },
};

/** Everybody who connects to every port of everybody. */
class Matrix {
  public static async of(stage: Stage, folder: string): Promise<Matrix> {
    const configuration = readFileSync(join(folder, "cdk.tf.json"), "utf8");
    const policies = Template.of(configuration).resources("kubernetes_network_policy_v1");
    const ray = stage.ray(NAMESPACE, MINI);
    const worker = await podWithAddress(stage, () => ray.list("worker"));
    const otherHead = await podWithAddress(stage, () => stage.ray(OTHER_TENANT, MINI).list("head"));
    const head = await podWithAddress(stage, () => ray.list("head"));
    const [proxy] = await stage.proxy(proxyNamespace(NAMESPACE), MINI).list();
    const targets = [
      { who: "head", pod: head, ports: HEAD_PORTS },
      { who: "proxy", pod: proxy, ports: [8265] },
    ];
    const callers = [
      { who: "own-worker", pod: worker },
      { who: "proxy", pod: proxy },
      { who: "other-tenants-head", pod: otherHead },
      ...(await startStandIns(stage)),
    ];
    for (const { pod, ports } of targets) await listenOnAll(pod, ports);
    return new Matrix(stage, policies, targets, callers);
  }

  private constructor(
    private readonly stage: Stage,
    private readonly policies: readonly any[],
    private readonly targets: readonly Target[],
    private readonly callers: readonly Caller[],
  ) {}

  /** @throws unless each connection ends as the policies say */
  public async expectPolicies(): Promise<void> {
    const expected = this.expected();
    const outcomes = [...expected.values()];
    const telling = ["connected", "refused"].every((outcome) => outcomes.includes(outcome));
    expect(telling, "the policies let everybody in, or nobody", Object.fromEntries(expected));
    await this.expectOutcomes("connections as the policies say", expected);
  }

  /** Takes every policy away: whoever was refused was refused by them. */
  public async expectOpenWithoutPolicy(): Promise<void> {
    await this.stage.node.kubectl(["delete", "networkpolicies", "--all", "-n", NAMESPACE]);
    const expected = new Map([...this.expected().keys()].map((connection) => [connection, "connected"]));
    await this.expectOutcomes("connections without a policy", expected);
  }

  private async expectOutcomes(what: string, expected: ReadonlyMap<string, Outcome>): Promise<void> {
    // A change of pods or policies takes the node a moment.
    await this.stage.node.waitFor(what, 15_000, async () => {
      const outcomes = await this.outcomes();
      const wrong = [...expected].filter(([connection, outcome]) => outcomes.get(connection) !== outcome);
      const evidence = wrong.map(([connection]) => `${connection} ${outcomes.get(connection)}`);
      expect(wrong.length === 0, `${wrong.length} of ${expected.size} ended otherwise`, evidence);
      return true;
    });
  }

  /** How each connection must end by the evaluation that the unit tests use. */
  private expected(): Map<string, Outcome> {
    const expected = new Map<string, Outcome>();
    for (const { target, port, caller } of this.connections()) {
      const { namespace = "", labels = {} } = target.pod.metadata;
      const policies = this.policies.filter((policy) => selects(policy, namespace, labels));
      const { metadata } = caller.pod;
      const may = policies.some((policy) => mayConnect(policy, metadata, port));
      const outcome = policies.length === 0 || may ? "connected" : "refused";
      expected.set(nameOf(caller, target, port), outcome);
    }
    return expected;
  }

  private async outcomes(): Promise<Map<string, Outcome>> {
    const outcomes = new Map<string, Outcome>();
    for (const target of this.targets) {
      for (const caller of this.callers) {
        const found = await new PodNetwork(caller.pod).connect(target.pod.status.podIP, target.ports);
        found.forEach((outcome, port) => outcomes.set(nameOf(caller, target, port), outcome));
      }
    }
    return outcomes;
  }

  private connections(): { target: Target; port: number; caller: Caller }[] {
    return this.targets.flatMap((target) =>
      target.ports.flatMap((port) => this.callers.map((caller) => ({ target, port, caller }))),
    );
  }
}

function nameOf(caller: Caller, target: Target, port: number): string {
  return `${caller.who} to ${target.who}:${port}`;
}

/** Makes something listen on every port, so that a connection that is refused was refused on the way. */
async function listenOnAll(pod: KubeObject, ports: readonly number[]): Promise<void> {
  const network = new PodNetwork(pod);
  await network.listen(ports);
  const outcomes = await network.connect(pod.status.podIP, ports);
  const closed = ports.filter((port) => outcomes.get(port) !== "connected");
  expect(closed.length === 0, `nothing listens on ports of ${pod.metadata.name}`, closed);
}

/** A pod can connect as soon as it has an address, ready or not. */
async function podWithAddress(stage: Stage, list: () => Promise<KubeObject[]>): Promise<KubeObject> {
  await stage.node.waitFor("the address of a pod", 60_000, async () => {
    const [pod] = await list();
    return pod?.status?.podIP !== undefined;
  });
  return (await list())[0];
}

async function startStandIns(stage: Stage): Promise<Caller[]> {
  for (const standIn of STAND_INS) {
    const namespace = `/api/v1/namespaces/${standIn.namespace}`;
    await stage.node.waitFor(`the default service account of ${standIn.namespace}`, 10_000, async () => {
      await stage.node.client.get(`${namespace}/serviceaccounts/default`);
      return true;
    });
    await stage.node.client.create(`${namespace}/pods`, podOf(standIn));
  }
  const callers: Caller[] = [];
  for (const { who, namespace } of STAND_INS) {
    const ready = ["wait", "-n", namespace, "--for=condition=Ready", `pod/${who}`, "--timeout=60s"];
    await stage.node.kubectl(ready);
    callers.push({ who, pod: await stage.node.client.get(`/api/v1/namespaces/${namespace}/pods/${who}`) });
  }
  return callers;
}

/** As restricted as the strictest namespace asks for. */
function podOf({ who, namespace, labels }: StandIn): object {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: who, namespace, labels },
    spec: {
      containers: [
        {
          name: "main",
          image: PAUSE_IMAGE,
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
        },
      ],
      securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } },
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: 0,
    },
  };
}
