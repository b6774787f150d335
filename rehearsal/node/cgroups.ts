import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const PREFIX = "cdktf-gke-ray-";

/** What kubelet and runc need of the unified hierarchy; older systems have one hierarchy for each. */
const CONTROLLERS = ["cpuset", "cpu", "hugetlb", "io", "memory", "pids"];

/** Name of the control group that holds every pod of a run: it says which process the run belongs to. */
export function controlGroupName(pid: number): string {
  return `${PREFIX}${pid}-${startTimeOf(pid)}`;
}

/** Whether groups can be made in every hierarchy; most containers may not. */
export function controlGroupsAreWritable(): boolean {
  const found = hierarchies();
  return found.length > 0 && found.every(({ mountPoint }) => isWritable(mountPoint));
}

/**
 * Makes the group in every hierarchy, so that the kubelet finds it there.
 *
 * @throws when the system does not let us
 */
export function createControlGroup(name: string): void {
  const found = hierarchies();
  // Beside older hierarchies the unified one controls nothing that a pod needs.
  const enable = found.every(({ unified }) => unified) ? enableControllers : () => undefined;
  for (const { mountPoint } of found) {
    const folder = join(mountPoint, name);
    mkdirSync(folder, { recursive: true });
    [mountPoint, folder].forEach(enable);
  }
}

/** Kills every process of the group, as far as this process namespace shows them. */
export function killControlGroup(name: string): void {
  for (const { mountPoint } of hierarchies()) {
    for (const pid of processesBelow(join(mountPoint, name))) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It ended by itself meanwhile.
      }
    }
  }
}

/** Removes the group and everything below it; its processes must be gone. */
export async function removeControlGroup(name: string): Promise<void> {
  for (const { mountPoint } of hierarchies()) {
    await removeTree(join(mountPoint, name));
  }
}

/** Removes the groups of runs that were killed before they could. */
export async function sweepControlGroups(): Promise<void> {
  const names = hierarchies().flatMap(({ mountPoint }) => readdirSync(mountPoint));
  const abandoned = new Set(names.filter((name) => name.startsWith(PREFIX) && !isOwnerAlive(name)));
  for (const name of abandoned) {
    await removeControlGroup(name);
  }
}

function processesBelow(folder: string): number[] {
  if (!existsSync(folder)) {
    return [];
  }
  const own = readFileSync(join(folder, "cgroup.procs"), "utf8").split("\n").map(Number);
  const folders = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  // Processes of other namespaces appear as 0.
  return [
    ...own.filter((pid) => pid > 0),
    ...folders.flatMap(({ name }) => processesBelow(join(folder, name))),
  ];
}

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function isOwnerAlive(name: string): boolean {
  const [pid, startTime] = name.slice(PREFIX.length).split("-");
  return startTimeOf(Number(pid)) === startTime;
}

/** A process number may come again; together with the start time it is unique. */
function startTimeOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // Fields are counted after the program's name, which may hold blanks.
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  } catch {
    return undefined;
  }
}

function hierarchies(): { mountPoint: string; unified: boolean }[] {
  const lines = readFileSync("/proc/self/mountinfo", "utf8").trim().split("\n");
  return lines.flatMap((line) => {
    const [mount, source] = line.split(" - ");
    const type = source.split(" ")[0];
    const mountPoint = mount.split(" ")[4];
    return type === "cgroup" || type === "cgroup2" ? [{ mountPoint, unified: type === "cgroup2" }] : [];
  });
}

/** Passes the controllers that there are on to the groups below; with systemd most already are. */
function enableControllers(folder: string): void {
  const read = (file: string) => readFileSync(join(folder, file), "utf8").trim().split(" ");
  const [available, enabled] = [read("cgroup.controllers"), read("cgroup.subtree_control")];
  const wanted = CONTROLLERS.filter((name) => available.includes(name) && !enabled.includes(name));
  for (const controller of wanted) {
    writeFileSync(join(folder, "cgroup.subtree_control"), `+${controller}`);
  }
}

/** A killed process leaves its group a moment after it is gone from the process list. */
async function removeTree(folder: string): Promise<void> {
  if (!existsSync(folder)) {
    return;
  }
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) {
      await removeTree(join(folder, entry.name));
    }
  }
  for (let attempt = 1; ; attempt++) {
    try {
      rmdirSync(folder);
      return;
    } catch (error) {
      if (attempt === 40) {
        throw error;
      }
      await sleep(50);
    }
  }
}
