import { GoogleProvider } from "@cdktf/provider-google/lib/provider";
import { App, TerraformStack } from "cdktf";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RayAutoscalerVersion } from "../../lib/contracts/ray-autoscaler-options";
import { GkeWorkloadIdentityCluster } from "../../lib/gke-workload-identity-cluster";
import { KubeRayOperator } from "../../lib/kuberay-operator";
import { RayAutoscalerPolicy } from "../../lib/ray-autoscaler-policy";
import { RayCluster } from "../../lib/ray-cluster";
import { expectBounds } from "./support/autoscaler-attempts";
import { HOLD, LET_GO, RunningRay } from "../stage/running-ray";
import { expect, Scenario, Stage } from "../stage/stage";
import { PLATFORM_SITE } from "./support/platform";

const NAMESPACE = "ray";
const ACCOUNT = "head";
const OWN = "raycluster";
const SHARED = "shared";
const GROUP = "cpu";

/** Larger than the head and each worker. */
const LARGE_TASK = `
import ray
ray.init(address="auto", log_to_driver=False)

@ray.remote(num_cpus=3)
def large():
    return "done"

print(ray.get(large.remote(), timeout=120))
`;

const AUTOSCALER_VERSION = `
import ray
from ray.autoscaler.v2.utils import is_autoscaler_v2
ray.init(address="auto", log_to_driver=False)
print("autoscaler:", "v2" if is_autoscaler_v2(fetch_from_server=True) else "v1")
`;

/** A Ray cluster with the autoscaler, and policies for another one of the same account that comes by other means. */
function synthesizeStack(version: RayAutoscalerVersion): string {
  const outdir = mkdtempSync(join(tmpdir(), "synthesized-"));
  const app = new App({ outdir });
  const stack = new TerraformStack(app, "bounds");
  new GoogleProvider(stack, "google", { project: "my-project-id" });
  const cluster = new GkeWorkloadIdentityCluster(stack, "cluster", {
    clusterName: "bounded",
    location: "us-west1-b",
    nodeServiceAccountEmail: PLATFORM_SITE.seed!.serviceAccounts![0],
    nodePools: [{ name: "ray", machineType: "e2-standard-8", maxNodeCount: 1 }],
    deletionProtection: false,
  });
  const ray = new RayCluster(stack, "ray", {
    operator: KubeRayOperator.existing(stack, "operator", { cluster, kuberayVersion: "1.6.2" }),
    rayClusterName: OWN,
    namespace: NAMESPACE,
    serviceAccountName: ACCOUNT,
    head: { cpu: 2, memoryGiB: 4 },
    workerGroups: [
      { groupName: GROUP, cpu: 1, memoryGiB: 4, maxReplicas: 2, customResources: { [GROUP]: 1 } },
      { groupName: "more", cpu: 1, memoryGiB: 4, maxReplicas: 2 },
    ],
    autoscalerOptions: { version, idleTimeoutSeconds: 10 },
  });
  const shared = RayCluster.fromRayClusterAttributes(stack, "shared", {
    cluster,
    namespace: NAMESPACE,
    rayClusterName: SHARED,
    headServiceAccountName: ACCOUNT,
    namespaceDependencies: ray.namespaceDependencies,
  });
  new RayAutoscalerPolicy(stack, "shared-policy", { rayCluster: shared });
  app.synth();
  return join(outdir, "stacks", "bounds");
}

export const autoscalerBounds: Scenario = {
  name: "autoscaler-bounds",
  title:
    "the autoscaler grows and shrinks, and with its token no other field, RayCluster or pod can be changed",
  needs: ["pods", "terraform"],
  long: true,
  async run(stage) {
    const site = await stage.site(PLATFORM_SITE);
    await site.startOperator(0).ready;
    await stage.begin();
    const first = site.google.snapshot();
    const pods = stage.ray(NAMESPACE, OWN);

    stage.step("apply");
    const terraform = await site.terraform(synthesizeStack(RayAutoscalerVersion.V1));
    await terraform.apply();
    await expectGrowth(stage, pods, RayAutoscalerVersion.V1);
    stage.step("the other autoscaler");
    await terraform.update(synthesizeStack(RayAutoscalerVersion.V2));
    await terraform.apply();
    await expectGrowth(stage, pods, RayAutoscalerVersion.V2);
    await stage.expectNothingToDo(terraform);
    await expectResizing(stage, pods);

    const tried = await expectBounds(stage, {
      namespace: NAMESPACE,
      account: ACCOUNT,
      own: OWN,
      shared: SHARED,
      group: GROUP,
    });

    stage.step("destroy");
    await terraform.destroy();
    await stage.expectNothingLeft(site, first);
    return `${tried} changes were tried`;
  },
};

/** @throws unless the autoscaler of a version brings a worker for an actor, and takes it away after the actor */
async function expectGrowth(stage: Stage, pods: RunningRay, version: RayAutoscalerVersion): Promise<void> {
  stage.step(`head with autoscaler ${version}`);
  // A container that has ended is started again beside the older autoscaler alone.
  const restartPolicy = version === RayAutoscalerVersion.V2 ? "Never" : "Always";
  await stage.node.waitFor(`a head with autoscaler ${version}`, 180_000, async () => {
    const heads = await pods.list("head");
    return heads.length === 1 && heads[0].spec.restartPolicy === restartPolicy;
  });
  const head = await pods.waitForHead();
  const running = await pods.python(AUTOSCALER_VERSION);
  expect(running.includes(`autoscaler: ${version}`), "that is not the autoscaler", running);
  const exec = ["exec", "-n", NAMESPACE, head, "-c", "autoscaler", "--"];
  const written = await stage.node.kubectl([...exec, "sh", "-c", "touch /home/ray/x 2>&1 || true"]);
  expect(/Read-only file system/.test(written), "the autoscaler's container can be written to", written);

  stage.step("grows");
  const printed = await pods.python(HOLD, GROUP);
  expect(printed.includes("nodes: 1"), "the actor has no node", printed);
  await pods.waitForWorkers(1);
  stage.step("shrinks");
  await pods.python(LET_GO, GROUP);
  await pods.waitForWorkers(0);
  const { spec } = await pods.object();
  const replicas = spec.workerGroupSpecs.map((group: any) => group.replicas);
  expect(replicas.join() === "0,0", "the autoscaler's numbers are others", replicas);
}

/** @throws unless the autoscaler makes the head larger in place for a task that does not fit on it */
async function expectResizing(stage: Stage, pods: RunningRay): Promise<void> {
  stage.step("resizes in place");
  const [before] = await pods.list("head");
  const groups = { headgroup: { "max-cpu": "3", "max-memory": "4Gi", "resize-timeout": 60 } };
  const annotations = { "ray.io/ippr": JSON.stringify({ groups }) };
  const path = `/apis/ray.io/v1/namespaces/${NAMESPACE}/rayclusters/${OWN}`;
  await stage.node.client.merge(path, { metadata: { annotations } });
  const printed = await pods.python(LARGE_TASK);
  expect(printed.includes("done"), "the task has no place", printed);
  const [{ metadata, spec }] = await pods.list("head");
  expect(metadata.uid === before.metadata.uid, "the head was replaced", metadata);
  const { cpu } = spec.containers[0].resources.limits;
  expect(cpu === "3", "the head is not larger", cpu);
  await stage.node.waitFor("the autoscaler's note on the head", 60_000, async () => {
    const [head] = await pods.list("head");
    return /"resizing-at": null/.test(head.metadata.annotations?.["ray.io/ippr-status"] ?? "");
  });
}
