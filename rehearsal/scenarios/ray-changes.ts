import { createHash } from "node:crypto";
import { GkeTaintEffect } from "../../lib/contracts/gke-node-pool";
import { RayAutoscalerVersion } from "../../lib/contracts/ray-autoscaler-options";
import { RayWorkerGroup } from "../../lib/contracts/ray-groups";
import { KubeObject } from "../node/kube-client";
import { RunningRay } from "../stage/running-ray";
import { expect, Scenario, Stage } from "../stage/stage";
import { errorsOf, Terraform } from "../terraform/terraform";
import { merge, PLATFORM, PLATFORM_SITE, PlatformChange, synthesizePlatform } from "./support/platform";

const MISSING_IMAGE = "rayproject/ray:0.0.0-not-there";

/** Another name of the image that is on the node, because no other is. */
const OTHER_IMAGE = "docker.io/rayproject/ray:2.60.0";

/** Actors that need a worker each and keep it from being idle. */
const HOLD = `
import ray, sys
ray.init(address="auto", namespace="changes", log_to_driver=False)

@ray.remote(num_cpus=0, resources={"place": 1})
class Holder:
    def where(self):
        return ray.get_runtime_context().get_node_id()

holders = [Holder.options(name=str(n), lifetime="detached").remote() for n in range(2)]
print("nodes:", len(set(ray.get([holder.where.remote() for holder in holders], timeout=240))))
`;

/** Prints a hash of the password in the netrc file, and whether a path is mounted. */
const LOOK = `
import hashlib, netrc, os, sys
_, _, password = netrc.netrc(os.environ["NETRC"]).authenticators("github.com")
print("password:", hashlib.sha256(password.encode()).hexdigest())
print("mounted:", os.path.ismount(sys.argv[1]))
`;

/** On the only node there is, so that nothing runs which does not tolerate it: no pod of Ray and no Job beside them. */
const TAINT = { key: "dedicated", value: "ray" };
const TOLERATIONS = [{ ...TAINT, effect: "NoSchedule" }];

const GROUP: RayWorkerGroup = {
  groupName: "places",
  tolerations: TOLERATIONS,
  cpu: 1,
  memoryGiB: 4,
  minReplicas: 1,
  maxReplicas: 2,
  customResources: { place: 1 },
};

const START: PlatformChange = {
  cluster: {
    deletionProtection: false,
    nodePools: [
      {
        name: "ray",
        machineType: "e2-standard-8",
        maxNodeCount: 1,
        taints: [{ ...TAINT, effect: GkeTaintEffect.NO_SCHEDULE }],
      },
    ],
  },
  operator: { kuberayVersion: "1.6.2" },
  ray: {
    head: { cpu: 1, memoryGiB: 4, numCpus: 0, tolerations: TOLERATIONS },
    workerGroups: [GROUP],
    // No worker is idle for so long that it would end here by itself.
    autoscalerOptions: {
      version: RayAutoscalerVersion.V2,
      idleTimeoutSeconds: 1800,
      cpu: 0.25,
      memoryGiB: 1,
    },
    waitUntilReady: { timeoutMinutes: 5 },
  },
  netrc: { revision: 1 },
  // Half a minute for every pod that is replaced would be most of the time that this takes.
  overrides: {
    "spec.headGroupSpec.template.spec.terminationGracePeriodSeconds": 1,
    "spec.workerGroupSpecs.0.template.spec.terminationGracePeriodSeconds": 1,
  },
};

const MISSING: PlatformChange = { ray: { image: MISSING_IMAGE, waitUntilReady: { timeoutMinutes: 1 } } };

export const rayChanges: Scenario = {
  name: "ray-changes",
  title:
    "an apply waits for the pods and says why they do not come; what is changed reaches them, and nothing else does",
  needs: ["pods", "terraform"],
  long: true,
  async run(stage) {
    const site = await stage.site(PLATFORM_SITE);
    await site.startOperator(0).ready;
    await stage.node.kubectl(["taint", "nodes", "--all", `${TAINT.key}=${TAINT.value}:NoSchedule`]);
    await stage.begin();
    const first = site.google.snapshot();
    const terraform = await site.terraform(synthesizePlatform(merge(START, MISSING)));
    terraform.setEnv({ TF_VAR_password: "first" });
    const changing = new Changing(stage, terraform);
    await changing.expectFailure("apply with an image that does not exist");

    await changing.apply("the image to one that is there", START);
    await changing.expectReady();
    await changing.expectSeen("first", "/scratch", false);
    await stage.expectNothingToDo(terraform);

    await expectGrownKept(stage, changing);

    terraform.setEnv({ TF_VAR_password: "second" });
    await changing.expectReplaced("the Secret's revision", { netrc: { revision: 2 } });
    await changing.expectSeen("second", "/scratch", false);
    await changing.expectReplaced("a mount", { scratchPath: "/scratch" });
    await changing.expectSeen("second", "/scratch", true);
    await changing.expectReplaced("the image", { ray: { image: OTHER_IMAGE } });
    const images = (await changing.pods.list()).map(({ spec }) => spec.containers[0].image);
    expect(
      images.every((image) => image === OTHER_IMAGE),
      "pods have another image",
      images,
    );
    await stage.expectNothingToDo(terraform);

    await changing.expectFailure("change of the image to one that does not exist", MISSING);
    stage.step("destroy");
    await terraform.destroy();
    await stage.expectNothingLeft(site, first);
  },
};

/** What the autoscaler holds up is left alone by a change of the group that pods are not replaced for. */
async function expectGrownKept(stage: Stage, changing: Changing): Promise<void> {
  stage.step("actors hold two workers");
  const printed = await changing.pods.python(HOLD);
  expect(printed.includes("nodes: 2"), "the actors are not on two nodes", printed);
  await changing.pods.waitForWorkers(2);
  const before = await changing.uids();
  await changing.apply("the group's most workers", { ray: { workerGroups: [{ ...GROUP, maxReplicas: 3 }] } });
  const now = await changing.uids();
  expect(before.length === 3 && now.join() === before.join(), "pods were replaced", { before, now });
  await stage.expectNothingToDo(changing.terraform);
}

/** The platform while its Ray cluster is changed. */
class Changing {
  public readonly pods: RunningRay;
  private state = START;

  constructor(
    private readonly stage: Stage,
    public readonly terraform: Terraform,
  ) {
    this.pods = stage.ray(PLATFORM.namespace, PLATFORM.rayClusterName);
  }

  public async apply(what: string, change: PlatformChange): Promise<void> {
    this.stage.step(`change of ${what}`);
    this.state = merge(this.state, change);
    await this.terraform.update(synthesizePlatform(this.state));
    await this.terraform.apply();
  }

  /** The apply says what is wrong, and the next one is not in the way of a remedy: it would only wait again. */
  public async expectFailure(what: string, change?: PlatformChange): Promise<void> {
    this.stage.step(what);
    if (change !== undefined) await this.terraform.update(synthesizePlatform(merge(this.state, change)));
    const { exitCode, output } = await this.terraform.tryApply();
    const said = errorsOf(output).replace(/\s*\n[│\s]*/g, " ");
    const image = `of image (docker.io/)?${MISSING_IMAGE}: (ErrImagePull|ImagePullBackOff)`;
    const why = new RegExp(`not ready: 0 of 1 pods of headgroup are ready; .*${image}`);
    expect(exitCode === 1 && why.test(said), "the apply does not name the image", said);
    this.stage.step("plan after the failure");
    const changes = await this.terraform.plannedChanges();
    const waits = changes.map(({ actions, address }) => `${actions} ${address.split(".")[0]}`);
    expect(waits.join() === "create kubernetes_job_v1", "the plan shows more than the wait", changes);
  }

  /** Every pod is another one, and Ready, when the apply ends. */
  public async expectReplaced(what: string, change: PlatformChange): Promise<void> {
    const before = await this.uids();
    await this.apply(what, change);
    await this.expectReady();
    const now = await this.uids();
    expect(!now.some((uid) => before.includes(uid)), `pods stayed after a change of ${what}`, {
      before,
      now,
    });
  }

  /** Without waiting: the apply has done so. */
  public async expectReady(): Promise<void> {
    const types = (await this.ready()).map(({ metadata }) => metadata.labels?.["ray.io/node-type"]);
    const enough = types.includes("head") && types.includes("worker");
    expect(enough, "the head and a worker are not ready when the apply ends", types);
  }

  /** In every pod that is ready. */
  public async expectSeen(password: string, path: string, mounted: boolean): Promise<void> {
    const hash = createHash("sha256").update(password).digest("hex");
    for (const { metadata, spec } of await this.ready()) {
      const container = spec.containers[0].name;
      const python = ["exec", "-n", PLATFORM.namespace, "-i", metadata.name, "-c", container, "--"];
      const command = [...python, "python3", "-", path];
      const printed = await this.stage.node.kubectl(command, { input: LOOK });
      const wanted = `password: ${hash}\nmounted: ${mounted ? "True" : "False"}`;
      expect(printed.trim() === wanted, `${metadata.name} has something else`, { printed, wanted });
    }
  }

  public async uids(): Promise<string[]> {
    return (await this.pods.list()).map(({ metadata }) => metadata.uid!).sort();
  }

  private async ready(): Promise<KubeObject[]> {
    return (await this.pods.list()).filter(({ status }) =>
      status.conditions?.some(({ type, status: value }: any) => type === "Ready" && value === "True"),
    );
  }
}
