import type { AuditEvent } from "../node/audit";
import { describeWhole } from "../skypilot/access";
import { Bench, UNUSED } from "../skypilot/bench";
import { IMAGE } from "../skypilot/fixtures";
import { grantFor, grantsOf, refusedOf, requestsOf, requestText } from "../skypilot/grants";
import { FUNCTIONS, OTHER_STEPS } from "../skypilot/steps";
import { expect, Scenario, Stage } from "../stage/stage";

export const skypilotClient: Scenario = {
  name: "skypilot-client",
  title: "SkyPilot itself works with its accounts, is refused nothing, and uses everything that it is given",
  needs: ["pods", "terraform", "skypilot-client"],
  long: true,
  async run(stage) {
    const bench = await Bench.create(stage);
    try {
      await lookAround(stage, bench);
      // SkyPilot waits most of the time, first for the pod, then for its end.
      await Promise.all([launchAndEnd(stage, bench), useFunctions(bench)]);
    } finally {
      await bench.client.stop();
    }
    stage.step("the audit log");
    await expectExact(bench);
    await bench.clear();
  },
};

/** What people type at first. */
async function lookAround(stage: Stage, { client, instance }: Bench): Promise<void> {
  stage.step("sky check");
  const checked = await client.sky("check", "kubernetes");
  expect(checked.includes(instance.contextName), "the context is not enabled", checked);
  stage.step("sky gpus list");
  const gpus = await client.sky("gpus", "list", "--infra", "k8s");
  expect(/T4.*8 of 8 free/.test(gpus), "the GPUs are not listed", gpus);
  stage.step("sky status-kubernetes");
  const status = await client.sky("status-kubernetes");
  expect(status.includes("running"), "the cluster of others is not listed", status);
}

/** From a task's launch to the end of its cluster. */
async function launchAndEnd(stage: Stage, { client, instance }: Bench): Promise<void> {
  stage.step("sky launch, and functions of SkyPilot");
  const task = ["--infra", "k8s", "--image-id", `docker:${IMAGE}`, "--cpus", "1", "--memory", "1"];
  const launched = await client.sky("launch", "--yes", "--cluster", "mine", ...task, "echo hello").then(
    (printed) => printed,
    (error) => error.output as string,
  );
  // The pod runs; then SkyPilot wants packages from the Internet in it.
  expect(launched.includes("Failed to set up SkyPilot runtime"), "the pod did not come up", launched);
  stage.step("sky status");
  const refreshed = await client.sky("status", "--refresh");
  expect(/mine .*INIT/.test(refreshed), "the cluster is not known", refreshed);
  stage.step("sky down");
  await client.sky("down", "--yes", "mine");
  const pods = await stage.node.client.list(`/api/v1/namespaces/${instance.namespaces[0]}/pods`);
  const left = pods.map(({ metadata }) => metadata.name).filter((name) => name.startsWith("mine"));
  expect(left.length === 0, "pods of the cluster are left", left);
}

/** SkyPilot's own functions, for what takes a running task. */
async function useFunctions(bench: Bench): Promise<void> {
  await bench.client.steps(FUNCTIONS);
  for (const step of OTHER_STEPS) await step.run(bench);
}

/** Nothing was refused, nothing that is granted is unused but what is named, and what is named is unused. */
async function expectExact({ node, launcher, workload }: Bench): Promise<void> {
  const events = node.auditEvents();
  const unused: string[] = [];
  for (const account of [launcher, workload]) {
    const refused = refusedOf(events, account).map(requestText);
    expect(refused.length === 0, `${account.userName} was refused`, refused);
    const grants = await grantsOf(node, account);
    const requests = requestsOf(events, account);
    const used = requests.map((request: AuditEvent) => grantFor(grants, request));
    const byOthers = requests.filter((_request, index) => used[index] === undefined).map(requestText);
    expect(byOthers.length === 0, `${account.userName} may by other roles`, byOthers);
    unused.push(...grants.filter((grant) => !used.includes(grant)).map(describeWhole));
  }
  const named = Object.keys(UNUSED).sort();
  expect(JSON.stringify(unused.sort()) === JSON.stringify(named), "grants that nothing used", {
    unused,
    named,
  });
}
