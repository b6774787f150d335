import { existsSync, mkdirSync, readlinkSync, realpathSync, writeFileSync } from "node:fs";
import { dirname, join, resolve, sep } from "node:path";
import { runCommand } from "../tools/command";

/** Everything a run writes besides its logs: memory, gone with the namespaces. */
export const STATE_FOLDER = "/run/rehearsal";

/** Where kubelet and the network plugins write by names that no setting changes. */
const COVERED = ["/var/lib", "/var/log"];

/** Covers /run, so that sockets and state of the machine are neither seen nor touched. */
export async function coverRun(): Promise<void> {
  await mount("tmpfs", "/run", ["-t", "tmpfs", "-o", "mode=755"]);
  mkdirSync(STATE_FOLDER, { recursive: true });
}

/**
 * Lets the system's folders be read as they are and written without trace.
 *
 * @param kept folders below them that must be written for real
 */
export async function coverSystemFolders(kept: readonly string[]): Promise<void> {
  for (const folder of COVERED.filter(existsSync)) {
    const name = join(STATE_FOLDER, "cover", folder.replaceAll("/", "_"));
    const [original, upper, work] = ["original", "upper", "work"].map((part) => join(name, part));
    [original, upper, work].forEach((part) => mkdirSync(part, { recursive: true }));
    await mount(folder, original, ["--rbind"]);
    await mountOverlay(folder, [original], upper, work);
    for (const path of kept.map((entry) => resolve(entry)).filter((entry) => isBelow(folder, entry))) {
      await mount(join(original, path.slice(folder.length)), path, ["--rbind"]);
    }
  }
}

/** Shows a folder that is written to memory while the original stays as it is. */
export async function mountOverlay(
  target: string,
  lower: readonly string[],
  upper: string,
  work: string,
): Promise<void> {
  const options = `lowerdir=${lower.join(":")},upperdir=${upper},workdir=${work}`;
  await mount("overlay", target, ["-t", "overlay", "-o", options]);
}

export async function bind(source: string, target: string): Promise<void> {
  await mount(source, target, ["--bind"]);
}

/** Names are resolved by the rehearsal's DNS server alone. */
export async function useNameServer(address: string): Promise<void> {
  const file = join(STATE_FOLDER, "resolv.conf");
  writeFileSync(file, `nameserver ${address}\noptions timeout:2 attempts:2\n`);
  const target = resolverFile();
  if (!existsSync(target)) {
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, "");
  }
  await bind(file, target);
}

/** Often a link into /run, which is empty by now: then the file that it names has to be made. */
function resolverFile(): string {
  const name = "/etc/resolv.conf";
  try {
    return realpathSync(name);
  } catch {
    return resolve(dirname(name), readlinkSync(name));
  }
}

function isBelow(folder: string, path: string): boolean {
  return path.startsWith(folder + sep);
}

async function mount(source: string, target: string, options: readonly string[]): Promise<void> {
  await runCommand("mount", [...options, source, target]);
}
