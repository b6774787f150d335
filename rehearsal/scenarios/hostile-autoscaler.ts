import { existsSync, readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { HostileJobs, LOG_FOLDER, WRITTEN } from "./support/hostile-jobs";
import { expect, Scenario, Stage } from "../stage/stage";
import { AUTH_SITE, NAMESPACE } from "./support/auth-stack";

/**
 * What the autoscaler is made to write to, and the attack that does it: a link in the place of its log, and a folder that the
 * GCS names. Both are in its own container, where Python looks for modules, for instance.
 */
const TARGETS: readonly Target[] = [
  { attack: "links", path: WRITTEN, opened: "/tmp/ray/session_latest/logs/monitor.log" },
  { attack: "log_folder", path: LOG_FOLDER, opened: LOG_FOLDER },
];

interface Target {
  readonly attack: string;
  readonly path: string;
  /** How the path begins that the autoscaler says it could not open. */
  readonly opened: string;
}

async function expectAutoscalerWrites(stage: Stage, weak: boolean): Promise<void> {
  const site = await stage.site(AUTH_SITE);
  await site.startOperator(0).ready;
  const jobs = await HostileJobs.start(stage, site, { weak });
  await runningAutoscaler(stage);
  for (const target of TARGETS) {
    const { attack, path } = target;
    stage.step(`the attack ${attack}`);
    await jobs.attack(attack);
    stage.step("the autoscaler starts anew");
    killAutoscaler();
    await (weak ? expectWritten(stage, path) : expectNotWritten(stage, jobs, target));
    if (attack === "links") await jobs.attack("unlink");
  }
}

export const hostileAutoscaler: Scenario = {
  name: "hostile-autoscaler",
  title: "a job cannot make the autoscaler write into its own container, which has a token",
  needs: ["pods", "terraform", "ray-client"],
  long: true,
  run: (stage) => expectAutoscalerWrites(stage, false),
};

export const hostileAutoscalerControl: Scenario = {
  name: "hostile-autoscaler-control",
  title: "a job makes the autoscaler write there where its root file system may be written",
  needs: ["pods", "terraform", "ray-client"],
  long: true,
  run: (stage) => expectAutoscalerWrites(stage, true),
};

/** It tried, and was refused by the kernel. */
async function expectNotWritten(stage: Stage, jobs: HostileJobs, { path, opened }: Target): Promise<void> {
  const [head] = await jobs.ray.list("head");
  const logs = ["logs", "-n", NAMESPACE, head.metadata.name, "-c", "autoscaler"];
  let printed = "";
  await stage.node.waitFor(`the autoscaler's refusal to write ${path}`, 150_000, async () => {
    const before = await stage.node.kubectl([...logs, "--previous"]).catch(() => "");
    printed = before + (await stage.node.kubectl(logs));
    return printed.includes(`Read-only file system: '${opened}`);
  });
  const written = autoscalers().filter((process) => existsSync(`/proc/${process}/root${path}`));
  expect(written.length === 0, `the autoscaler has written ${path}`, printed);
}

async function expectWritten(stage: Stage, path: string): Promise<void> {
  await stage.node.waitFor(`the autoscaler's ${path}`, 90_000, async () =>
    autoscalers().some((process) => existsSync(`/proc/${process}/root${path}`)),
  );
}

async function runningAutoscaler(stage: Stage): Promise<void> {
  await stage.node.waitFor("the autoscaler", 60_000, async () => autoscalers().length > 0);
  // Until it has its log.
  await sleep(5_000);
}

/** As the kernel does when memory is short; the kubelet starts it again. */
function killAutoscaler(): void {
  for (const found of autoscalers()) process.kill(Number(found), "SIGKILL");
}

/** Processes of Ray's autoscaler, as the node sees them. */
function autoscalers(): string[] {
  return readdirSync("/proc").filter((entry) => /^\d+$/.test(entry) && isAutoscaler(entry));
}

function isAutoscaler(entry: string): boolean {
  try {
    return readFileSync(`/proc/${entry}/cmdline`, "utf8").split("\0").includes("kuberay-autoscaler");
  } catch {
    // It ended meanwhile.
    return false;
  }
}
