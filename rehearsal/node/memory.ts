import { readdir, readFile, statfs } from "node:fs/promises";

const SAMPLE_MS = 2_000;

/**
 * The most memory that a run took at any one time: all processes that can be seen, which in namespaces of its own are those
 * of the run with its pods, memory that several share counted once, and the files that are kept in memory.
 */
export class PeakMemory {
  private peakBytes = 0;
  private readonly timer: NodeJS.Timeout;

  /** @param memoryFolder where files are kept in memory */
  constructor(private readonly memoryFolder: string) {
    this.timer = setInterval(() => void this.sample(), SAMPLE_MS);
  }

  /** Ends the measuring and returns the bytes. */
  public stop(): number {
    clearInterval(this.timer);
    return this.peakBytes;
  }

  private async sample(): Promise<void> {
    const processes = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
    const shares = await Promise.all(processes.map(proportionalShare));
    const files = await statfs(this.memoryFolder);
    const bytes = shares.reduce((sum, share) => sum + share, 0) + (files.blocks - files.bfree) * files.bsize;
    this.peakBytes = Math.max(this.peakBytes, bytes);
  }
}

/** Memory of a process in bytes, what it shares with others divided among them; none once it has ended. */
async function proportionalShare(pid: string): Promise<number> {
  const rollup = await readFile(`/proc/${pid}/smaps_rollup`, "utf8").catch(() => "");
  return Number(/^Pss:\s+(\d+) kB$/m.exec(rollup)?.[1] ?? 0) * 1024;
}
