import { randomBytes } from "node:crypto";
import type { RunningRay } from "../stage/running-ray";
import { expect, Scenario } from "../stage/stage";
import { PLATFORM, PLATFORM_SITE, PlatformChange, synthesizePlatform } from "./support/platform";

/** A detached actor on a worker, which knows how often it was asked. */
const COUNT = `
import os, ray
ray.init(address="auto", namespace="lost-head", log_to_driver=False)

@ray.remote(num_cpus=1)
class Counter:
    def __init__(self):
        self.count = 0

    def next(self):
        self.count += 1
        return self.count, os.getpid()

counter = Counter.options(name="counter", lifetime="detached", get_if_exists=True).remote()
print("count and process:", *ray.get(counter.next.remote(), timeout=120))
`;

/** A Secret of the user's, which no Terraform knows. */
const SECRET = { secretName: "redis", key: "password" };

function platform(redisAddress: string): PlatformChange {
  return {
    cluster: { deletionProtection: false },
    operator: { kuberayVersion: "1.6.2" },
    // It is there before, with the Secret in it.
    bucket: { createNamespace: false },
    ray: {
      head: { cpu: 1, memoryGiB: 4, numCpus: 0 },
      workerGroups: [{ groupName: "cpu", cpu: 1, memoryGiB: 4, minReplicas: 1, maxReplicas: 1 }],
      gcsFaultToleranceOptions: { redisAddress, redisPassword: SECRET },
      waitUntilReady: { timeoutMinutes: 5 },
    },
    overrides: {
      "spec.headGroupSpec.template.spec.terminationGracePeriodSeconds": 1,
      "spec.workerGroupSpecs.0.template.spec.terminationGracePeriodSeconds": 1,
    },
  };
}

export const lostHead: Scenario = {
  name: "lost-head",
  title: "with a Redis a detached actor outlives the head, and on destroy nothing stays in the Redis",
  needs: ["pods", "terraform", "redis"],
  long: true,
  async run(stage) {
    const site = await stage.site(PLATFORM_SITE);
    await site.startOperator(0).ready;
    const password = randomBytes(12).toString("hex");
    const redisAddress = await site.startRedis(password);
    const { namespace } = PLATFORM;
    await stage.node.kubectl(["create", "namespace", namespace]);
    const literal = `--from-literal=${SECRET.key}=${password}`;
    await stage.node.kubectl(["create", "secret", "generic", SECRET.secretName, "-n", namespace, literal]);
    await stage.begin();
    const first = site.google.snapshot();

    stage.step("apply");
    const terraform = await site.terraform(synthesizePlatform(platform(redisAddress)));
    await terraform.apply();
    const pods = stage.ray(namespace, PLATFORM.rayClusterName);
    stage.step("a detached actor");
    const before = await ask(pods);
    const [worker] = await pods.list("worker");
    expect((await site.redisCommand(password, "DBSIZE")) !== "0", "nothing is in the Redis");

    stage.step("the head is lost");
    const head = await pods.waitForHead();
    await stage.node.kubectl(["delete", "pod", "-n", namespace, head, "--force", "--grace-period=0"]);
    await stage.node.waitFor("another head", 60_000, async () =>
      (await pods.list("head")).some(({ metadata }) => metadata.name !== head),
    );
    await pods.waitForHead();
    const after = await ask(pods);
    expect(after.count === before.count + 1 && after.process === before.process, "it is another actor", {
      before,
      after,
    });
    const workers = (await pods.list("worker")).map(({ metadata }) => metadata.uid);
    expect(workers.join() === worker.metadata.uid, "the worker is another one", workers);
    await stage.expectNothingToDo(terraform);

    stage.step("destroy");
    await terraform.destroy();
    const left = await site.redisCommand(password, "KEYS", "*");
    expect(left === "", "something is left in the Redis", left);
    await stage.expectNothingLeft(site, first);
  },
};

async function ask(pods: RunningRay): Promise<{ count: number; process: number }> {
  const printed = await pods.python(COUNT);
  const [, count, process] = /count and process: (\d+) (\d+)/.exec(printed) ?? [];
  expect(count !== undefined, "the actor did not answer", printed);
  return { count: Number(count), process: Number(process) };
}
