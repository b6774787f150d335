import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { ToolCache } from "../tools/cache";
import { isAlive } from "../tools/command";
import { installCommand, isPresent, isRoot, missingPackages } from "../tools/requirements";
import {
  controlGroupName,
  controlGroupsAreWritable,
  removeControlGroup,
  sweepControlGroups,
} from "./cgroups";
import { whyNoNetworkPolicies } from "./network-policies";

/** How much of a Kubernetes can run here. */
export type Level = "node" | "control-plane" | "nothing";

/** What keeps a run apart from the machine. */
export type Isolation = "namespaces" | "user-namespaces" | "loopback";

export interface Capabilities {
  readonly level: Level;
  readonly isolation: Isolation;
  /** Why it is not more, in words for the user; empty at level `node`. */
  readonly reason: string;
}

/** One rehearsal from its start to its end. */
export interface Run {
  readonly level: Level;
  readonly isolation: Isolation;
  /** Why pods cannot run, when they cannot. */
  readonly reason: string;
  /** Folder that holds the logs of every part; it outlives the run. */
  readonly logDir: string;
  /** Name of the control group below which every pod runs. */
  readonly controlGroup: string;
}

/** Carries the run across the re-execution. */
const RUN_VARIABLE = "REHEARSAL_RUN";

/** Runs whose logs are kept. */
const KEPT_RUNS = 10;

/** How long a command may take to clean up after a signal before everything is killed. */
const GRACE_MS = 15_000;

const NAMESPACES = ["--mount", "--net", "--pid", "--fork", "--mount-proc", "--kill-child"];
const USER_NAMESPACES = ["--user", "--map-root-user", ...NAMESPACES];

/** Tells what can run on this machine, and why not more. */
export function capabilities(cache: ToolCache): Capabilities {
  const programs = ["etcd", "kube-apiserver", "kube-controller-manager", "kubectl"];
  if (!programs.every((program) => existsSync(cache.program(program)))) {
    const reason = `the tools are not built in ${cache.root}: run 'npm run rehearsal:tools'`;
    return { level: "nothing", isolation: "loopback", reason };
  }
  if (process.platform !== "linux") {
    const reason = `pods need Linux, this is ${process.platform}`;
    return { level: "control-plane", isolation: "loopback", reason };
  }
  const isolation = bestIsolation();
  const reason = whyNoPods(cache, isolation);
  return { level: reason === "" ? "node" : "control-plane", isolation, reason };
}

/**
 * Moves this command into namespaces of its own, where it has the network, the mounts and the processes to
 * itself: when it ends, for whatever reason, the kernel removes them all. Outside, the command is started
 * again inside and this call never returns; inside, it returns at once.
 *
 * @throws when not even a control plane can run here
 */
export async function enterNamespaces(cache: ToolCache): Promise<Run> {
  const inherited = process.env[RUN_VARIABLE];
  if (inherited !== undefined) {
    return JSON.parse(inherited) as Run;
  }
  const able = capabilities(cache);
  if (able.level === "nothing") {
    throw new Error(able.reason);
  }
  const run: Run = {
    ...able,
    logDir: newLogFolder(cache),
    controlGroup: process.platform === "linux" ? controlGroupName(process.pid) : "",
  };
  if (run.isolation === "loopback") {
    return run;
  }
  if (run.level === "node") {
    await sweepControlGroups();
  }
  const status = await runInside(run);
  if (run.level === "node") {
    await removeControlGroup(run.controlGroup);
  }
  process.exit(status);
}

async function runInside(run: Run): Promise<number> {
  const flags = run.isolation === "namespaces" ? NAMESPACES : USER_NAMESPACES;
  const command = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  // Process 1 must collect orphans, which a shell does and node does not; `exit` keeps the shell from
  // replacing itself by its only command.
  const shell = ["sh", "-c", '"$@"; exit $?', "rehearsal", ...command];
  const child = spawn("setpriv", ["--pdeathsig", "KILL", "--", "unshare", ...flags, ...shell], {
    stdio: "inherit",
    // iptables, conntrack and ip may stand where only root looks.
    env: {
      ...process.env,
      PATH: `${process.env.PATH}:/usr/sbin:/sbin`,
      [RUN_VARIABLE]: JSON.stringify(run),
    },
    // Away from the terminal it gets a Ctrl-C once, from us, and not a second time from there.
    detached: true,
  });
  const pid = child.pid ?? 0;
  let interrupted = false;
  const forward = (signal: NodeJS.Signals): void => {
    const inner = interrupted ? undefined : childrenOf(pid).flatMap(childrenOf)[0];
    if (inner === undefined) {
      child.kill("SIGKILL");
      return;
    }
    interrupted = true;
    process.kill(inner, signal);
    setTimeout(() => child.kill("SIGKILL"), GRACE_MS).unref();
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, forward);
  }
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => resolve(code ?? 137));
  });
}

function bestIsolation(): Isolation {
  if (!["unshare", "setpriv", "ip", "mount"].every(isPresent)) {
    return "loopback";
  }
  if (isRoot() && canUnshare(NAMESPACES)) {
    return "namespaces";
  }
  return canUnshare(USER_NAMESPACES) ? "user-namespaces" : "loopback";
}

function canUnshare(flags: readonly string[]): boolean {
  return spawnSync("unshare", [...flags, "true"], { stdio: "ignore" }).status === 0;
}

function whyNoPods(cache: ToolCache, isolation: Isolation): string {
  if (!isRoot()) {
    return "pods need root";
  }
  if (isolation !== "namespaces") {
    return "pods need namespaces, which this system does not let us make (a container without privileges?)";
  }
  if (!controlGroupsAreWritable()) {
    return "pods need control groups, which this system does not let us make (a container without privileges?)";
  }
  const missing = missingPackages();
  if (missing.length > 0) {
    return `pods need Debian packages: ${installCommand(missing)}`;
  }
  if (!existsSync(cache.program("kube-router"))) {
    return `the network policy engine is not built in ${cache.root}: run 'npm run rehearsal:tools'`;
  }
  const unfiltered = whyNoNetworkPolicies();
  if (unfiltered !== "") {
    return unfiltered;
  }
  if (!existsSync(cache.imageStore)) {
    return `the images are not built in ${cache.root}: run 'npm run rehearsal:tools' as root`;
  }
  return "";
}

function newLogFolder(cache: ToolCache): string {
  const runs = cache.path("runs");
  mkdirSync(runs, { recursive: true });
  // A run's folder ends in the id of its process; one that is under way still writes there.
  const old = readdirSync(runs)
    .filter((name) => !isAlive(Number(name.split("-").at(-1))))
    .sort();
  for (const name of old.slice(0, Math.max(0, old.length - KEPT_RUNS + 1))) {
    rmSync(join(runs, name), { recursive: true, force: true });
  }
  const name = `${new Date().toISOString().replace(/[:.]/g, "-")}-${process.pid}`;
  mkdirSync(join(runs, name));
  return join(runs, name);
}

function childrenOf(pid: number): number[] {
  const all = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return all.map(Number).filter((candidate) => parentOf(candidate) === pid);
}

function parentOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
  } catch {
    return undefined;
  }
}
