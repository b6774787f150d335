import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { installClient, isClient } from "./stage/clients";
import { whyNoFuse } from "./node/fuse-driver";
import { PeakMemory } from "./node/memory";
import { STATE_FOLDER } from "./node/mounts";
import { Node } from "./node/node";
import { capabilities, enterNamespaces } from "./node/run";
import { installProviders } from "./terraform/providers";
import { scenarios } from "./scenarios";
import { isStackFolder, ownStack } from "./scenarios/support/own-stack";
import { DOUBLED_NAMES, GOOGLE_USERS } from "./stage/site";
import { type Need, Scenario, Skipped, Stage } from "./stage/stage";
import { ToolCache } from "./tools/cache";

const USAGE = `usage: npm run rehearsal -- [--all | --list | SCENARIO ... | FOLDER ...] [--jobs=N]
  without arguments the short scenarios; --all: the long ones too; --jobs=N: so many at a time
  FOLDER: a stack of yours as it was synthesized, for example cdktf.out/stacks/NAME`;

/** How one scenario ended. */
interface Outcome {
  readonly status: "passed" | "failed" | "skipped";
  readonly message?: string;
  /** The most memory that it took; unknown where it had no namespaces of its own. */
  readonly peakBytes?: number;
}

/** Set in the process that runs one scenario: where it reports. */
const REPORT_VARIABLE = "REHEARSAL_REPORT";

/** What a shell answers for a command that Ctrl-C has ended. */
const INTERRUPTED_STATUS = 130;

/** Whether somebody wants this to end. */
let interrupted = false;

async function main(args: readonly string[]): Promise<number> {
  if (args.includes("--help")) return say(USAGE, 0);
  if (args.includes("--list")) {
    scenarios.forEach(({ name, title, long }) => say(`${name}${long ? " (long)" : ""}: ${title}`));
    return 0;
  }
  const chosen = choose(args);
  const cache = new ToolCache();
  const able = capabilities(cache);
  if (able.level !== "node") say(`no pods here: ${able.reason}`);
  const providers = installProviders(cache, args.filter(isStackFolder));
  if (providers) say(providers);
  const reasons = new Map<Need, string | undefined>([
    ["pods", able.level === "node" ? undefined : able.reason],
    ["terraform", providers],
    ["fuse", whyNoFuse()],
  ]);
  for (const client of new Set(chosen.flatMap(({ needs }) => needs).filter(isClient))) {
    reasons.set(client, await installClient(cache, client));
  }
  const counts = { passed: 0, failed: 0, skipped: 0 };
  const waiting = [...chosen];
  const work = async () => {
    for (let scenario = waiting.shift(); scenario !== undefined; scenario = waiting.shift()) {
      if (interrupted) return;
      const outcome = await runApart(scenario, missing(scenario, able, reasons));
      counts[outcome.status]++;
    }
  };
  await Promise.all(Array.from({ length: jobs(args) }, work));
  say(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
  if (interrupted) return say("interrupted: the rest was not run", INTERRUPTED_STATUS);
  return counts.failed === 0 ? 0 : 1;
}

function choose(args: readonly string[]): readonly Scenario[] {
  const names = args.filter((argument) => !argument.startsWith("--"));
  if (names.length > 0) return names.map(find);
  return scenarios.filter(({ long }) => args.includes("--all") || !long);
}

function jobs(args: readonly string[]): number {
  const flag = args.find((argument) => argument.startsWith("--jobs="));
  const count = Number(flag?.slice("--jobs=".length) ?? 1);
  if (!Number.isInteger(count) || count < 1) throw new Error(`${flag}: how many scenarios at a time?`);
  return count;
}

function find(name: string): Scenario {
  if (isStackFolder(name)) return ownStack(name);
  const scenario = scenarios.find((candidate) => candidate.name === name);
  if (scenario === undefined) throw new Error(`no scenario or stack folder ${name}\n${USAGE}`);
  return scenario;
}

/** Why a scenario cannot run here, if it cannot. */
function missing(
  { needs }: Scenario,
  able: ReturnType<typeof capabilities>,
  reasons: ReadonlyMap<Need, string | undefined>,
): string | undefined {
  if (able.level === "nothing") return able.reason;
  return needs.map((need) => reasons.get(need)).find((reason) => reason !== undefined);
}

/** Each scenario has a process, namespaces and a node of its own, so that none can spoil another. */
async function runApart(scenario: Scenario, reason: string | undefined): Promise<Outcome> {
  const started = Date.now();
  const outcome: Outcome = reason ? { status: "skipped", message: reason } : await spawnScenario(scenario);
  const seconds = ((Date.now() - started) / 1000).toFixed(1);
  const mark = { passed: "ok  ", failed: "FAIL", skipped: "skip" }[outcome.status];
  const memory = outcome.peakBytes ? `, ${(outcome.peakBytes / 1e9).toFixed(1)} GB` : "";
  clearLine();
  say(`${mark} ${scenario.name} (${seconds} s${memory})${outcome.message ? `: ${outcome.message}` : ""}`);
  return outcome;
}

async function spawnScenario(scenario: Scenario): Promise<Outcome> {
  const folder = mkdtempSync(join(tmpdir(), "rehearsal-"));
  const report = join(folder, "report.json");
  const child = spawn(process.execPath, [...process.execArgv, process.argv[1], scenario.name], {
    stdio: "inherit",
    env: { ...process.env, [REPORT_VARIABLE]: report },
  });
  const forward = (signal: NodeJS.Signals) => {
    interrupted = true;
    child.kill(signal);
  };
  process.on("SIGINT", forward).on("SIGTERM", forward);
  const code = await new Promise((resolve) => child.once("exit", resolve));
  process.off("SIGINT", forward).off("SIGTERM", forward);
  const outcome = existsSync(report)
    ? JSON.parse(readFileSync(report, "utf8"))
    : { status: "failed", message: `ended with status ${code} and without a report` };
  rmSync(folder, { recursive: true });
  return outcome;
}

/** What the process of one scenario does. */
async function perform(name: string, report: string): Promise<void> {
  const scenario = find(name);
  const cache = new ToolCache();
  const run = await enterNamespaces(cache);
  let outcome: Outcome = { status: "passed" };
  let node: Node | undefined;
  let stage: Stage | undefined;
  let memory: PeakMemory | undefined;
  try {
    progress(name, "node");
    node = await Node.start({ cache, run, hosts: DOUBLED_NAMES, users: Object.values(GOOGLE_USERS) });
    if (run.level === "node") memory = new PeakMemory(STATE_FOLDER);
    stage = new Stage(node, cache, run.logDir, (text) => progress(name, text));
    const remark = await scenario.run(stage);
    if (remark) outcome = { status: "passed", message: remark };
    node.throwIfCrashed();
  } catch (error) {
    outcome =
      error instanceof Skipped
        ? { status: "skipped", message: error.message }
        : { status: "failed", message: `${(error as Error).message}\nlogs: ${run.logDir}` };
  }
  await stage?.end().catch(() => undefined);
  await node?.stop();
  writeFileSync(report, JSON.stringify({ ...outcome, peakBytes: memory?.stop() }));
  process.exit(outcome.status === "failed" ? 1 : 0);
}

let lastStep = Date.now();

/** On a terminal one line that changes, elsewhere a plain line for each step. */
function progress(scenario: string, text: string): void {
  const seconds = ((Date.now() - lastStep) / 1000).toFixed(1);
  lastStep = Date.now();
  if (process.stdout.isTTY) {
    clearLine();
    process.stdout.write(`.... ${scenario}: ${text}`);
  } else {
    process.stdout.write(`.... ${scenario}: ${text} (+${seconds} s)\n`);
  }
}

function clearLine(): void {
  if (process.stdout.isTTY) process.stdout.write("\r\x1b[K");
}

function say(text: string, code = 0): number {
  process.stdout.write(`${text}\n`);
  return code;
}

const report = process.env[REPORT_VARIABLE];
const running = report ? perform(process.argv[2], report).then(() => 0) : main(process.argv.slice(2));
running.then(
  (code) => process.exit(code),
  (error: Error) => {
    process.stderr.write(`${error.stack ?? error.message}\n`);
    process.exit(1);
  },
);
