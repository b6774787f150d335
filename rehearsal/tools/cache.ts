import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** Where the built tools and images live: outside the tree, so that every checkout shares them. */
export class ToolCache {
  /**
   * @param root folder of the cache
   * @default - $REHEARSAL_CACHE, else cdktf-gke-ray in $XDG_CACHE_HOME or ~/.cache
   */
  constructor(public readonly root: string = defaultRoot()) {}

  public path(...parts: string[]): string {
    return join(this.root, ...parts);
  }

  /** A built program. */
  public program(name: string): string {
    return this.path("bin", name);
  }

  /** Folder of the custom resource definitions of the pinned KubeRay. */
  public get customResourceDefinitions(): string {
    return this.path("crds");
  }

  /** Certificate of the authority that stands for Google's; the Ray image trusts it. */
  public get authorityCertificate(): string {
    return this.path("ca", "ca.pem");
  }

  public get authorityKey(): string {
    return this.path("ca", "ca.key");
  }

  /** containerd's content with every image imported, as the node reads it. */
  public get imageStore(): string {
    return this.path("containerd");
  }

  /** Whether an artifact was built from exactly these inputs. */
  public isFresh(artifact: string, key: string): boolean {
    const stamp = this.stamp(artifact);
    return existsSync(stamp) && readFileSync(stamp, "utf8") === key;
  }

  public markFresh(artifact: string, key: string): void {
    mkdirSync(this.path("stamps"), { recursive: true });
    writeFileSync(this.stamp(artifact), key);
  }

  public markStale(artifact: string): void {
    rmSync(this.stamp(artifact), { force: true });
  }

  private stamp(artifact: string): string {
    return this.path("stamps", artifact);
  }
}

/** One short name for a set of inputs: it changes when any of them does. */
export function keyOf(...inputs: readonly string[]): string {
  const hash = createHash("sha256");
  for (const input of inputs) {
    hash.update(`${input.length}:${input}`);
  }
  return hash.digest("hex").slice(0, 32);
}

function defaultRoot(): string {
  const base = process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
  return process.env.REHEARSAL_CACHE || join(base, "cdktf-gke-ray");
}
