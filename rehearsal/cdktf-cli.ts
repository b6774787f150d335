import { existsSync, mkdirSync } from "node:fs";
import { runCommand } from "./tools/command";
import type { ToolCache } from "./tools/cache";

/** The version that the README names. */
const VERSION = "0.21.0";

/** The real `cdktf`, which is too large to be a dependency. */
export function cdktfProgram(cache: ToolCache): string {
  return cache.path(`cdktf-cli-${VERSION}`, "node_modules/.bin/cdktf");
}

/** Installs the CLI into the cache where it is not there yet; returns why it cannot be, if it cannot. */
export async function installCdktfCli(cache: ToolCache): Promise<string | undefined> {
  if (existsSync(cdktfProgram(cache))) return undefined;
  const folder = cache.path(`cdktf-cli-${VERSION}`);
  mkdirSync(folder, { recursive: true });
  try {
    await runCommand("npm", [
      "install",
      "--prefix",
      folder,
      "--no-audit",
      "--no-fund",
      `cdktf-cli@${VERSION}`,
    ]);
    return undefined;
  } catch (error) {
    return `cdktf-cli@${VERSION} cannot be installed (${(error as Error).message.split("\n")[1] ?? "unknown reason"})`;
  }
}
