import { RbacSubject } from "../../lib/contracts/rbac-subject";
import { KubeRayOperator } from "../../lib/kuberay-operator";
import { GOOGLE_USERS } from "../stage/site";
import { expect, Scenario, Skipped, Stage } from "../stage/stage";
import { RAY_VERSION } from "../tools/versions";
import { neighbourRuns, startNeighbour } from "./support/auth-ports";
import { AUTH_SITE, AuthStack, MINI, NAMESPACE } from "./support/auth-stack";

/** Pods that submit a RayJob to the Ray cluster that is there: the only ones that may, besides the proxy. */
const SUBMITTER = { app: "ray-job-submitter" };

/** Where nobody is whom any policy names. */
const STRANGERS = "strangers";

const IMAGE = `rayproject/ray:${RAY_VERSION}`;
const RESOURCES = { cpu: "1", memory: "2Gi" };
const ENTRYPOINT = `python -c "import ray; ray.init(log_to_driver=False); print('CPUs', ray.cluster_resources()['CPU'])"`;

/** A Serve application, as somebody has it in their image or in a ConfigMap. */
const HELLO = `
from ray import serve

@serve.deployment(ray_actor_options={"num_cpus": 0.1})
class Hello:
    async def __call__(self, request):
        return "hello from Serve"

app = Hello.bind()
`;

const SERVE_CONFIG = `
applications:
  - name: hello
    import_path: hello:app
    route_prefix: /
`;

/** Asks the address in the first argument and prints the answer, or why there is none. */
const ASK = `
import sys, urllib.request
try:
    print(urllib.request.urlopen(sys.argv[1], timeout=5).read().decode())
except OSError as error:
    print(error)
`;

function synthesizeJobs(): string {
  const stack = new AuthStack((scope, cluster) => KubeRayOperator.chart(scope, "operator", { cluster }));
  const networkPeers = [{ namespace: NAMESPACE, podLabels: SUBMITTER }];
  const proxy = stack.proxy(stack.rayCluster(MINI, { networkPeers }));
  proxy.grantSubmit(RbacSubject.user(GOOGLE_USERS.ada.name));
  stack.output("port_forward_command", proxy.portForwardCommand);
  return stack.synthesize();
}

export const rayJobs: Scenario = {
  name: "ray-jobs",
  title: "RayJobs and a RayService that somebody applies run beside the proxy, with the operator as a pod",
  needs: ["pods", "terraform"],
  long: true,
  async run(stage) {
    const site = await stage.site(AUTH_SITE);
    const missing = await site.serveChart("kuberay-operator");
    if (missing) throw new Skipped(missing);
    stage.step("apply");
    const terraform = await site.terraform(synthesizeJobs());
    await terraform.apply();
    await stage.ray(NAMESPACE, MINI).waitForHead();
    await stage.node.kubectl(["create", "namespace", STRANGERS]);
    for (const namespace of [NAMESPACE, STRANGERS]) await startNeighbour(stage, namespace, IMAGE);

    stage.step("a RayJob with a Ray cluster of its own");
    await apply(stage, rayJob("own", { rayClusterSpec: rayClusterSpec() }));
    await expectSucceeded(stage, "own");

    stage.step("RayJobs on the Ray cluster that is there");
    const clusterSelector = { "ray.io/cluster": MINI };
    await apply(
      stage,
      rayJob("chosen", { clusterSelector, submitterPodTemplate: submitter(SUBMITTER) }),
      rayJob("stranger", {
        clusterSelector,
        submitterPodTemplate: submitter({}),
        submitterConfig: { backoffLimit: 0 },
      }),
    );
    await expectSucceeded(stage, "chosen");
    await expectNotConnected(stage, "stranger");

    stage.step("a RayService");
    await apply(stage, ...rayService());
    await expectServed(stage);
    await expectStrangersRefused(stage);
    await expectProxy(stage, await terraform.output("port_forward_command"));
    await stage.expectNothingToDo(terraform);
  },
};

async function apply(stage: Stage, ...items: object[]): Promise<void> {
  const list = JSON.stringify({ apiVersion: "v1", kind: "List", items });
  await stage.node.kubectl(["apply", "-f", "-"], { input: list });
}

function rayJob(name: string, spec: object): object {
  return {
    apiVersion: "ray.io/v1",
    kind: "RayJob",
    metadata: { name, namespace: NAMESPACE },
    spec: { entrypoint: ENTRYPOINT, ...spec },
  };
}

function submitter(labels: Readonly<Record<string, string>>): object {
  return {
    metadata: { labels },
    spec: { restartPolicy: "Never", containers: [{ name: "submitter", image: IMAGE }] },
  };
}

/** As KubeRay's samples have it, with the names of ports and nothing of ours. */
function rayClusterSpec(container: object = {}, volumes: object[] = []): object {
  return {
    rayVersion: RAY_VERSION,
    headGroupSpec: {
      rayStartParams: {},
      template: {
        spec: {
          volumes,
          containers: [
            {
              name: "ray-head",
              image: IMAGE,
              ports: [
                { containerPort: 6379, name: "gcs-server" },
                { containerPort: 8265, name: "dashboard" },
                { containerPort: 10001, name: "client" },
                { containerPort: 8000, name: "serve" },
              ],
              resources: { requests: RESOURCES, limits: RESOURCES },
              ...container,
            },
          ],
        },
      },
    },
  };
}

function rayService(): object[] {
  const name = "hello";
  const container = {
    env: [{ name: "PYTHONPATH", value: "/app" }],
    volumeMounts: [{ name: "app", mountPath: "/app" }],
  };
  return [
    {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name, namespace: NAMESPACE },
      data: { "hello.py": HELLO },
    },
    {
      apiVersion: "ray.io/v1",
      kind: "RayService",
      metadata: { name, namespace: NAMESPACE },
      spec: {
        serveConfigV2: SERVE_CONFIG,
        rayClusterConfig: rayClusterSpec(container, [{ name: "app", configMap: { name } }]),
      },
    },
  ];
}

/** By the operator's own account, which it has from the job API of the Ray cluster. */
async function expectSucceeded(stage: Stage, name: string): Promise<void> {
  const path = `/apis/ray.io/v1/namespaces/${NAMESPACE}/rayjobs/${name}`;
  await stage.node.waitFor(`the end of the RayJob ${name}`, 180_000, async () => {
    const { status } = await stage.node.client.get(path);
    expect(status?.jobStatus !== "FAILED", `the RayJob ${name} failed`, status);
    return status?.jobStatus === "SUCCEEDED" && status?.jobDeploymentStatus === "Complete";
  });
  const logs = await stage.node.kubectl(["logs", "-n", NAMESPACE, "-l", `job-name=${name}`]);
  expect(/CPUs \d/.test(logs), `the submitter of ${name} did not follow the log`, logs);
}

async function expectNotConnected(stage: Stage, name: string): Promise<void> {
  const logs = () => stage.node.kubectl(["logs", "-n", NAMESPACE, "-l", `job-name=${name}`]);
  await stage.node.waitFor(`the failure of the RayJob ${name}`, 120_000, async () =>
    /Failed to connect to Ray|Connection refused|ConnectionError/.test(await logs()),
  );
  const { status } = await stage.node.client.get(`/apis/ray.io/v1/namespaces/${NAMESPACE}/rayjobs/${name}`);
  expect(status?.jobStatus !== "SUCCEEDED", `the RayJob ${name} succeeded`, status);
}

async function expectServed(stage: Stage): Promise<void> {
  await stage.node.waitFor("an answer of the RayService", 180_000, async () => {
    const answer = await neighbourRuns(stage, NAMESPACE, ASK, "http://hello-serve-svc:8000/");
    return answer.includes("hello from Serve");
  });
  const { status } = await stage.node.client.get(`/apis/ray.io/v1/namespaces/${NAMESPACE}/rayservices/hello`);
  const ready = status.conditions.find(({ type }: { type: string }) => type === "Ready");
  expect(ready?.status === "True", "the RayService is not ready by its own account", status);
}

/** Neither from beside the Ray cluster nor from another namespace. */
async function expectStrangersRefused(stage: Stage): Promise<void> {
  const url = `http://${MINI}-head-svc.${NAMESPACE}.svc.cluster.local:8265/api/version`;
  for (const namespace of [NAMESPACE, STRANGERS]) {
    const answer = await neighbourRuns(stage, namespace, ASK, url);
    expect(!answer.includes("ray_version"), `a stranger of ${namespace} reached the head`, answer);
  }
}

async function expectProxy(stage: Stage, forwardCommand: string): Promise<void> {
  const shell = stage.userShell();
  const forward = await shell.forward(forwardCommand);
  const statuses = [await shell.askJobApi(), await shell.askJobApi(GOOGLE_USERS.ada.token)];
  await forward.stop();
  expect(statuses.join() === "401,200", "the proxy does not answer as it should", statuses);
}
