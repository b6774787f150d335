import { type Call, HostileJobs } from "./support/hostile-jobs";
import { proxyNamespace } from "../stage/proxy-pods";
import { expect, Scenario, Stage } from "../stage/stage";
import { AUTH_SITE, MINI, NAMESPACE } from "./support/auth-stack";

/** How long after a flood somebody is answered again. */
const BACK_WITHIN_SECONDS = 15;

/** An API server's answers to whoever may not. */
const REFUSED = [401, 403];

export const hostileJob: Scenario = {
  name: "hostile-job",
  title:
    "a job finds no token, no way to the API server, to other tenants or to the tokens of those who call the proxy",
  needs: ["pods", "terraform", "ray-client"],
  async run(stage) {
    const site = await stage.site(AUTH_SITE);
    await site.startOperator(0).ready;
    const jobs = await HostileJobs.start(stage, site);
    stage.step("looks around");
    const { driver, worker } = await jobs.attack("look");
    for (const found of [driver, worker]) expectNothingFound(found);
    expect(driver.bind === "Address already in use", "the job listens on 8265", driver);

    stage.step("floods the proxy");
    const flood = await jobs.attackUnderCalls("flood", 40);
    stage.step(summaryOf(flood.calls, flood.result));
    expect(flood.result.connections >= 200, "there was no flood", flood.result);
    expect(flood.result.bind !== "done", "the job listens on 8265", flood.result);
    expectBack(flood.calls, flood.result.ended);

    stage.step("takes the place of Ray's dashboard");
    const { requests, authorization, tokens } = await takeDashboardsPlace(stage, jobs);
    expect(requests > 0, "nobody called in the meantime");
    expect(authorization === 0 && tokens.length === 0, "the proxy passes tokens on", tokens);
    await jobs.expectTokenNowhere();
    await stage.proxy(proxyNamespace(NAMESPACE), MINI).waitForReady(2);
  },
};

export const hostileJobControl: Scenario = {
  name: "hostile-job-control",
  title: "the same attacks succeed where the proxy is in the head and every container has a token",
  needs: ["pods", "terraform", "ray-client"],
  long: true,
  async run(stage) {
    const site = await stage.site(AUTH_SITE);
    await site.startOperator(0).ready;
    const jobs = await HostileJobs.start(stage, site, { weak: true });
    stage.step("looks around");
    const { driver, worker } = await jobs.attack("look");
    stage.step(JSON.stringify({ driver: driver["with a token"], worker: worker["with a token"] }));
    for (const { tokens, "with a token": api } of [driver, worker]) {
      const subjects = tokens.map(({ subject }: { subject: string }) => subject);
      const subject = `system:serviceaccount:${NAMESPACE}:ray`;
      expect(subjects.includes(subject), "the job finds no token", tokens);
      expect(api["list pods"] === 200 && api["read the RayCluster"] === 200, "the token is of no use", api);
    }

    stage.step("floods the proxy");
    const { result, calls } = await jobs.attackUnderCalls("flood", 40);
    stage.step(summaryOf(calls, result));
    expect(result.bind === "done", "the job does not get the proxy's port", result);
    const seen = result.tokens.some(({ hash }: { hash: string }) => hash === jobs.callerHash);
    expect(seen, "the job does not get the caller's token", result);
  },
};

/** Until somebody has called in the second in which the job listens, before Ray ends the container; three times at most. */
async function takeDashboardsPlace(stage: Stage, jobs: HostileJobs): Promise<any> {
  for (let attempt = 1; ; attempt += 1) {
    const { calls, result } = await jobs.attackUnderCalls("dashboard", 30);
    stage.step(summaryOf(calls, result));
    await jobs.ray.waitForHead();
    if (result.requests > 0 || attempt === 3) return result;
  }
}

/** What the job saw in the pod where it ran. */
function expectNothingFound(found: any): void {
  expect(
    found["files searched"] > 100 && found["processes searched"] >= 2,
    "hardly anything was searched",
    found,
  );
  expect(found.tokens.length === 0, "the job found tokens", found.tokens);
  expect(found["with a token"] === null, "the job has a token", found);
  const statuses = Object.values<number | string>(found.anonymous);
  expect(
    statuses.every((status) => REFUSED.includes(Number(status))),
    "the API server did not refuse",
    found.anonymous,
  );
  const others = Object.values<string>(found["other tenant"]);
  expect(!others.includes("connected"), "the job reached another tenant's head", found["other tenant"]);
  expect(Array.isArray(found["own bucket"]), "the job did not reach its own bucket", found);
  expect(found["other bucket"] === "Forbidden 403", "the job reached another tenant's bucket", found);
  const permitted = [found["raw socket"], found.mount].filter((outcome) => !/not permitted/.test(outcome));
  expect(permitted.length === 0, "the kernel let the job", found);
}

/** @throws unless everybody is answered again soon after the end of a flood, and then for good */
function expectBack(calls: readonly Call[], ended: number): void {
  const late = calls.filter(({ time }) => time > ended + BACK_WITHIN_SECONDS);
  expect(late.length > 0, "nobody called after the flood");
  const failed = late.filter(({ status }) => status !== 200);
  expect(failed.length === 0, "the proxy was not back in time", failed);
}

function summaryOf(calls: readonly Call[], { ended, ...result }: any): string {
  const counts: Record<string, number> = {};
  for (const { status } of calls) counts[status] = (counts[status] ?? 0) + 1;
  const failed = calls.filter(({ status }) => status !== 200).map(({ time }) => time);
  const back = ended === undefined ? undefined : Math.max(0, Math.max(0, ...failed) - ended);
  return JSON.stringify({ counts, back, ...result, tokens: result.tokens.length });
}
