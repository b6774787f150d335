import { RayAutoscalerVersion } from "../../lib/contracts/ray-autoscaler-options";
import { RayClusterUpgradeStrategy } from "../../lib/contracts/ray-cluster";
import { RayWorkerGroup } from "../../lib/contracts/ray-groups";
import { HOLD, LET_GO, RunningRay } from "../stage/running-ray";
import { expect, Scenario, Stage } from "../stage/stage";
import { Terraform } from "../terraform/terraform";
import { merge, PLATFORM, PLATFORM_SITE, PlatformChange, synthesizePlatform } from "./support/platform";

/** How long a worker has nothing to do before the autoscaler ends it. */
const IDLE_SECONDS = 10;

const TIMEOUT_MS = 180_000;

/** A group whose workers are told apart by a resource of its name. */
function group(groupName: string, more: Partial<RayWorkerGroup> = {}): RayWorkerGroup {
  const customResources = { [groupName]: 1 };
  return { groupName, cpu: 1, memoryGiB: 4, minReplicas: 0, maxReplicas: 2, customResources, ...more };
}

const HEAD = { cpu: 1, memoryGiB: 4 };
const STEADY = group("steady");
const PASSING = group("passing");

const START: PlatformChange = {
  // No version is known of the operator, so that running pods stay as they are.
  ray: {
    head: HEAD,
    workerGroups: [STEADY, PASSING],
    autoscalerOptions: { idleTimeoutSeconds: IDLE_SECONDS },
  },
  overrides: {
    // Half a minute for every pod that is replaced would be a good part of the time that this takes.
    "spec.headGroupSpec.template.spec.terminationGracePeriodSeconds": 1,
    "spec.workerGroupSpecs.0.template.spec.terminationGracePeriodSeconds": 1,
    "spec.workerGroupSpecs.1.template.spec.terminationGracePeriodSeconds": 1,
  },
};

export const growth: Scenario = {
  name: "growth",
  title: "the autoscaler's workers come and go as tasks ask for them, and no apply takes its decision back",
  needs: ["pods", "terraform"],
  long: true,
  async run(stage) {
    const site = await stage.site(PLATFORM_SITE);
    await site.startOperator(0).ready;
    stage.step("apply");
    const terraform = await site.terraform(synthesizePlatform(START));
    await terraform.apply();
    const growing = new Growing(stage, terraform);

    stage.step("head");
    await growing.pods.waitForHead();
    await growing.expectReplicas({ steady: 0, passing: 0 });
    stage.step("actors ask for a worker of each group");
    const printed = await growing.pods.python(HOLD, "steady", "passing");
    expect(printed.includes("nodes: 2"), "the actors are not on two nodes", printed);
    await growing.pods.waitForWorkers(2);
    await growing.expectReplicas({ steady: 1, passing: 1 });
    await growing.expectNothingToDo();

    await growing.expectKept({ steady: 1, passing: 1 }, "a label of the head", {
      ray: { head: { ...HEAD, labels: { team: "research" } } },
    });
    await growing.expectKept({ steady: 1, passing: 1 }, "a field of one group", {
      ray: { workerGroups: [{ ...STEADY, env: { TEAM: "research" } }, PASSING] },
    });
    await growing.expectKept({ first: 0, steady: 1, passing: 1 }, "one more group, before the others", {
      ray: { workerGroups: [group("first"), STEADY, PASSING] },
    });

    stage.step("one group has nothing to do");
    await growing.pods.python(LET_GO, "passing");
    await growing.pods.waitForWorkers(1);
    await growing.expectReplicas({ first: 0, steady: 1, passing: 0 });
    await growing.expectNothingToDo();
    await growing.expectKept({ first: 0, steady: 1, passing: 0 }, "no label of the head", {
      ray: { head: HEAD },
    });
    await expectRecreated(stage, growing);
  },
};

/**
 * Where a change replaces all pods, the group is as large as it was: the head that is new does not know why, and lets the
 * worker go when it has been idle.
 */
async function expectRecreated(stage: Stage, growing: Growing): Promise<void> {
  const before = await growing.uids();
  const replicas = { first: 0, steady: 1, passing: 0 };
  await growing.change("a field of one group, with RECREATE", {
    operator: { kuberayVersion: "1.6.2" },
    ray: {
      upgradeStrategy: RayClusterUpgradeStrategy.RECREATE,
      // The other autoscaler than before.
      autoscalerOptions: { version: RayAutoscalerVersion.V1, idleTimeoutSeconds: IDLE_SECONDS },
      workerGroups: [group("first"), { ...STEADY, env: { TEAM: "research" } }, PASSING],
    },
  });
  await growing.expectReplicas(replicas);
  await stage.node.waitFor("other pods", TIMEOUT_MS, async () => {
    const now = await growing.uids();
    return now.length === before.length && now.every((uid) => !before.includes(uid));
  });
  await growing.expectReplicas(replicas);
  await growing.expectNothingToDo();
  stage.step("the new head lets the idle worker go");
  await growing.pods.waitForHead();
  await growing.pods.waitForWorkers(0);
  await growing.expectReplicas({ first: 0, steady: 0, passing: 0 });
}

/** The platform while it is changed and its Ray cluster grows and shrinks. */
class Growing {
  public readonly pods: RunningRay;
  private state = START;

  constructor(
    private readonly stage: Stage,
    private readonly terraform: Terraform,
  ) {
    this.pods = stage.ray(PLATFORM.namespace, PLATFORM.rayClusterName);
  }

  /** Applies a change of the Ray cluster and nothing else. */
  public async change(what: string, change: PlatformChange): Promise<void> {
    this.stage.step(`change of ${what}`);
    const before = await this.spec();
    this.state = merge(this.state, change);
    await this.terraform.update(synthesizePlatform(this.state));
    const changes = await this.terraform.plannedChanges();
    const release = changes.every(({ address }) => address.startsWith("helm_release.ray_ray-cluster_"));
    expect(changes.length === 1 && release, "the plan shows more than the Ray cluster", changes);
    await this.terraform.apply("-refresh=false");
    expect((await this.spec()) !== before, "the Ray cluster was not changed");
  }

  public expectNothingToDo(): Promise<void> {
    return this.stage.expectNothingToDo(this.terraform);
  }

  /** @throws unless a change leaves the pods and what the autoscaler decided as they are */
  public async expectKept(
    replicas: Record<string, number>,
    what: string,
    change: PlatformChange,
  ): Promise<void> {
    const before = await this.uids();
    await this.change(what, change);
    await this.expectReplicas(replicas);
    await this.expectNothingToDo();
    await this.expectReplicas(replicas);
    const now = await this.uids();
    expect(now.join() === before.join(), `pods were replaced by a change of ${what}`, { before, now });
  }

  /** @throws unless the groups have these numbers of workers, as the autoscaler wrote them */
  public async expectReplicas(expected: Record<string, number>): Promise<void> {
    const { spec } = await this.pods.object();
    const live = spec.workerGroupSpecs.map(({ groupName, replicas }: any) => [groupName, replicas]);
    const same = JSON.stringify(live) === JSON.stringify(Object.entries(expected));
    expect(same, "the autoscaler's numbers are others", { expected, live });
  }

  public async uids(): Promise<string[]> {
    return (await this.pods.list()).map(({ metadata }) => metadata.uid!).sort();
  }

  private async spec(): Promise<string> {
    return JSON.stringify((await this.pods.object()).spec);
  }
}
