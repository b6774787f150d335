import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ToolCache } from "../tools/cache";
import { sweepControlGroups } from "./cgroups";
import { capabilities } from "./run";

const ability = capabilities(new ToolCache());
const onNode = ability.level === "node" ? test : test.skip;

const MINUTE = 60_000;

/** What the machine has and every run shares; a run must not change it. */
interface Machine {
  readonly mounts: string[];
  readonly links: string[];
  readonly folders: string[];
}

const FOLDERS = [
  ...["/run/rehearsal", "/run/containerd", "/run/netns", "/opt/containerd", "/opt/cni"],
  ...["/var/lib/cni", "/var/lib/kubelet", "/var/lib/containerd", "/var/log/pods", "/var/log/containers"],
  ...["/etc/cni", "/etc/kubernetes", "/usr/libexec/kubernetes"],
];

function machine(): Machine {
  const mountTable = readFileSync("/proc/self/mountinfo", "utf8").trim().split("\n");
  return {
    mounts: mountTable.map((line) => line.split(" ")[4]).sort(),
    links: readdirSync("/sys/class/net").sort(),
    folders: FOLDERS.filter(existsSync),
  };
}

/** What the run of one command has on the machine: other runs may be under way. */
function processesOf(command: ChildProcess): string[] {
  const mark = `cdktf-gke-ray-${command.pid}-`;
  const marked = processIds().filter((pid) =>
    ["environ", "cgroup"].some((file) => readProcess(pid, file).includes(mark)),
  );
  return marked.map((pid) => readProcess(pid, "cmdline").replaceAll("\0", " ")).filter((text) => text !== "");
}

function controlGroupsOf(command: ChildProcess): string[] {
  const hierarchies = ["/sys/fs/cgroup", ...readdirSync("/sys/fs/cgroup").map((n) => `/sys/fs/cgroup/${n}`)];
  return hierarchies
    .filter((path) => statSync(path).isDirectory())
    .flatMap((path) => readdirSync(path).map((name) => join(path, name)))
    .filter((path) => path.includes(`cdktf-gke-ray-${command.pid}-`));
}

function processIds(): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

function readProcess(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return "";
  }
}

function startSelfCheck(...args: string[]): {
  child: ChildProcess;
  output: () => string;
  end: Promise<number>;
} {
  const tsNode = require.resolve("ts-node/dist/bin");
  const script = join(__dirname, "self-check.ts");
  const child = spawn(process.execPath, [tsNode, "--transpile-only", script, ...args], { stdio: "pipe" });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const end = new Promise<number>((resolve) => child.on("exit", (code) => resolve(code ?? -1)));
  return { child, output: () => output, end };
}

/** A self-check that has brought the node up and now waits to be ended. */
async function heldNode(): Promise<ReturnType<typeof startSelfCheck>> {
  const run = startSelfCheck("--hold");
  const deadline = Date.now() + MINUTE;
  while (!run.output().includes("holding")) {
    if (Date.now() > deadline) {
      throw new Error(`the node did not come up:\n${run.output()}`);
    }
    await sleep(100);
  }
  expect(processesOf(run.child).length).toBeGreaterThan(8);
  expect(controlGroupsOf(run.child)).not.toEqual([]);
  return run;
}

/** The same command inside the namespaces: the process below the shell that is their process 1. */
function innerCommand(command: ChildProcess): number {
  const mark = `cdktf-gke-ray-${command.pid}-`;
  const found = processIds().find((pid) => {
    const inNamespace = /^NSpid:\s+\d+\s+(\d+)$/m.exec(readProcess(pid, "status"))?.[1];
    const isCommand = readProcess(pid, "cmdline").includes("self-check.ts");
    return (
      isCommand &&
      inNamespace !== undefined &&
      inNamespace !== "1" &&
      readProcess(pid, "environ").includes(mark)
    );
  });
  if (found === undefined) {
    throw new Error("the command does not run inside namespaces");
  }
  return found;
}

/** The kernel needs a moment to end what a killed process leaves. */
async function expectNothingRuns(command: ChildProcess): Promise<void> {
  for (let attempt = 1; attempt < 50 && processesOf(command).length > 0; attempt++) {
    await sleep(100);
  }
  expect(processesOf(command)).toEqual([]);
}

if (ability.level !== "node") {
  console.warn(`the node's tests are skipped: ${ability.reason}`);
}

onNode(
  "a node runs pods, Ray and the operator, and leaves nothing",
  async () => {
    const before = machine();

    const { child, output, end } = startSelfCheck();

    if ((await end) !== 0) throw new Error(`the self-check failed:\n${output()}`);
    console.info(output());
    await expectNothingRuns(child);
    expect(controlGroupsOf(child)).toEqual([]);
    expect(machine()).toEqual(before);
  },
  5 * MINUTE,
);

onNode.each(["SIGINT", "SIGTERM"] as const)(
  "%s ends the command and everything with it",
  async (signal) => {
    const before = machine();
    const { child, end } = await heldNode();

    child.kill(signal);

    expect(await end).not.toBe(0);
    await expectNothingRuns(child);
    expect(controlGroupsOf(child)).toEqual([]);
    expect(machine()).toEqual(before);
  },
  2 * MINUTE,
);

onNode(
  "nothing is left when the process that drives the node is killed",
  async () => {
    const before = machine();
    const { child, end } = await heldNode();

    process.kill(innerCommand(child), "SIGKILL");

    expect(await end).not.toBe(0);
    await expectNothingRuns(child);
    expect(controlGroupsOf(child)).toEqual([]);
    expect(machine()).toEqual(before);
  },
  2 * MINUTE,
);

onNode(
  "only empty control groups are left when the command itself is killed, and the next run removes them",
  async () => {
    const before = machine();
    const { child, end } = await heldNode();

    child.kill("SIGKILL");

    await end;
    await expectNothingRuns(child);
    expect(machine()).toEqual(before);
    await sweepControlGroups();
    expect(controlGroupsOf(child)).toEqual([]);
  },
  2 * MINUTE,
);
