import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { Artifact } from "./artifact";
import { ToolCache } from "./cache";
import { createAuthority } from "./certificates";
import { KUBERAY_CHARTS, kuberayChart } from "./chart";
import { downloadChart } from "./chart-download";
import { isAlive } from "./command";
import { images } from "./images";
import { imageStore } from "./image-store";
import { customResourceDefinitions, missingGo, programArtifacts } from "./programs";
import { Progress } from "./progress";
import { installCommand, installPackages, isRoot, missingPackages } from "./requirements";

/**
 * Builds what the rehearsal runs on into the cache, and only what changed.
 *
 * @param install whether missing Debian packages may be installed
 * @returns reasons why something could not be built here; the rehearsal runs without it
 */
export async function buildTools(cache: ToolCache, progress: Progress, install: boolean): Promise<string[]> {
  await ensurePackages(progress, install);
  mkdirSync(cache.root, { recursive: true });
  const release = lock(cache);
  try {
    await ensureAuthority(cache, progress);
    const programs = [...programArtifacts(cache), customResourceDefinitions(cache)];
    if (programs.some((artifact) => !isBuilt(cache, artifact))) {
      const problem = await missingGo();
      if (problem !== undefined) {
        throw new Error(problem);
      }
    }
    const imageArtifacts = images(cache);
    const artifacts = [...programs, ...imageArtifacts, imageStore(cache, imageArtifacts)];
    const blocked = new Set<string>();
    for (const artifact of artifacts.filter((candidate) => !isBuilt(cache, candidate))) {
      if (artifact.blockedBy === undefined) {
        await build(cache, progress, artifact);
      } else {
        progress.line(`${artifact.name}: skipped, ${artifact.blockedBy}`);
        blocked.add(artifact.blockedBy);
      }
    }
    return [...blocked];
  } finally {
    release();
  }
}

function isBuilt(cache: ToolCache, artifact: Artifact): boolean {
  return cache.isFresh(artifact.name, artifact.key) && artifact.outputs.every((output) => existsSync(output));
}

async function build(cache: ToolCache, progress: Progress, artifact: Artifact): Promise<void> {
  cache.markStale(artifact.name);
  await progress.step(artifact.name, () => artifact.build());
  cache.markFresh(artifact.name, artifact.key);
}

async function ensurePackages(progress: Progress, install: boolean): Promise<void> {
  const missing = missingPackages();
  if (missing.length === 0 || process.platform !== "linux") {
    return;
  }
  if (install && isRoot()) {
    await progress.step(`Debian packages ${missing.join(" ")}`, () => installPackages(missing));
  } else {
    progress.line(`missing for images and pods: ${installCommand(missing)}`);
  }
}

/** The Ray image trusts this authority, so it is made once and outlives every rebuild. */
async function ensureAuthority(cache: ToolCache, progress: Progress): Promise<void> {
  if (existsSync(cache.authorityCertificate)) {
    return;
  }
  const files = { certificate: cache.authorityCertificate, key: cache.authorityKey };
  await progress.step("certificate authority", () => createAuthority(files, "cdktf-gke-ray rehearsal"));
}

/** Keeps two builds out of the same cache; a lock whose owner is gone counts for nothing. */
function lock(cache: ToolCache): () => void {
  const file = cache.path("build.lock");
  const owner = existsSync(file) ? Number(readFileSync(file, "utf8")) : 0;
  if (owner > 0 && owner !== process.pid && isAlive(owner)) {
    throw new Error(`another build (process ${owner}) is using ${cache.root}`);
  }
  rmSync(file, { force: true });
  writeFileSync(file, String(process.pid), { flag: "wx" });
  return () => rmSync(file, { force: true });
}

async function main(): Promise<void> {
  const cache = new ToolCache();
  const progress = new Progress();
  const started = Date.now();
  const problems = await buildTools(cache, progress, process.argv.includes("--install"));
  for (const name of KUBERAY_CHARTS) {
    const chart = kuberayChart(cache, name);
    if ("skipReason" in chart) {
      const problem = await downloadChart(chart.wanted);
      progress.line(`chart ${name}: ${problem ? `${chart.skipReason}; ${problem}` : "downloaded"}`);
    }
  }
  const incomplete = problems.length === 0 ? "" : `; without: ${problems.join("; ")}`;
  progress.line(
    `tools ready in ${cache.root} (${((Date.now() - started) / 1000).toFixed(1)} s)${incomplete}`,
  );
}

if (require.main === module) {
  main().catch((error: Error) => {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  });
}
