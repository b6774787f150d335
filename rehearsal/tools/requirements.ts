import { accessSync, constants, existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { runCommand } from "./command";

export interface Requirement {
  /** Debian's name of the package. */
  readonly debianPackage: string;
  /** Programs on PATH or absolute files, all of which the package brings. */
  readonly provides: readonly string[];
}

/** What building the images and running the node needs from the system. */
const REQUIREMENTS: readonly Requirement[] = [
  { debianPackage: "containerd", provides: ["containerd", "ctr"] },
  { debianPackage: "runc", provides: ["runc"] },
  {
    debianPackage: "containernetworking-plugins",
    provides: ["/usr/lib/cni/ptp", "/usr/lib/cni/host-local", "/usr/lib/cni/loopback"],
  },
  { debianPackage: "iptables", provides: ["iptables"] },
  { debianPackage: "ipset", provides: ["ipset"] },
  { debianPackage: "conntrack", provides: ["conntrack"] },
  { debianPackage: "iproute2", provides: ["ip"] },
  { debianPackage: "util-linux", provides: ["unshare", "nsenter", "setpriv"] },
  { debianPackage: "mount", provides: ["mount"] },
  { debianPackage: "openssl", provides: ["openssl"] },
  { debianPackage: "ca-certificates", provides: ["/etc/ssl/certs/ca-certificates.crt"] },
  { debianPackage: "tar", provides: ["tar"] },
  { debianPackage: "debootstrap", provides: ["debootstrap"] },
  {
    debianPackage: "debian-archive-keyring",
    provides: ["/usr/share/keyrings/debian-archive-keyring.gpg"],
  },
];

/** Debian packages of which something is missing. */
export function missingPackages(requirements: readonly Requirement[] = REQUIREMENTS): string[] {
  return requirements.filter(({ provides }) => !provides.every(isPresent)).map((r) => r.debianPackage);
}

/** The command that installs Debian packages, for a message or a shell. */
export function installCommand(packages: readonly string[]): string {
  return `apt-get install --no-install-recommends ${packages.join(" ")}`;
}

export async function installPackages(packages: readonly string[]): Promise<void> {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  await runCommand("apt-get", ["update"], { env });
  await runCommand("apt-get", ["install", "-y", "--no-install-recommends", ...packages], { env });
}

export function isRoot(): boolean {
  return process.getuid?.() === 0;
}

/** Whether a program is on PATH, or in the folders of system programs that a user's PATH may lack. */
export function isPresent(program: string): boolean {
  if (program.startsWith("/")) {
    return existsSync(program);
  }
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/sbin"];
  return folders.some((folder) => isExecutable(join(folder, program)));
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
