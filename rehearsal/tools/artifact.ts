import type { ToolCache } from "./cache";

/** Something the build puts into the cache. */
export interface Artifact {
  readonly name: string;
  /** Changes when the artifact must be built again. */
  readonly key: string;
  /** Files or folders that must exist for the artifact to count as built. */
  readonly outputs: readonly string[];
  /** Why it cannot be built here, in words for the user. */
  readonly blockedBy?: string;
  build(): Promise<void>;
}

/** An image that the node needs, and where the cache keeps it. */
export interface Image extends Artifact {
  readonly imageName: string;
  readonly archive: string;
}

export function logFileOf(cache: ToolCache, artifact: string): string {
  return cache.path("logs", `${artifact}.log`);
}
