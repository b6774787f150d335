import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { type Artifact, logFileOf } from "./artifact";
import { keyOf, type ToolCache } from "./cache";
import { runCommand } from "./command";
import type { Image } from "./artifact";
import { installCommand, isRoot, missingPackages } from "./requirements";

/** Runs containerd just long enough to import every archive; everything it mounts stays in its namespace. */
const SCRIPT = `
mount -t tmpfs tmpfs /run
folder=$1
shift
containerd --config "$folder/containerd.toml" &
containerd=$!
ctr() { command ctr --address /run/rehearsal/containerd.sock --namespace k8s.io "$@"; }
tries=0
until ctr version > /dev/null 2>&1; do
  tries=$((tries + 1))
  test $tries -lt 100
  sleep 0.1
done
for archive in "$@"; do
  ctr images import "$archive"
done
ctr images list
kill $containerd
wait $containerd || true
`;

/** containerd's own content with the images unpacked: importing 800 MB at every start would cost 13 seconds. */
export function imageStore(cache: ToolCache, images: readonly Image[]): Artifact {
  const missing = missingPackages();
  const blocked = images.find((image) => image.blockedBy !== undefined)?.blockedBy;
  return {
    name: "image-store",
    key: keyOf(SCRIPT, ...images.map((image) => image.key)),
    outputs: [cache.imageStore],
    blockedBy: blockedBy(missing) ?? blocked,
    build: () => build(cache, images),
  };
}

async function build(cache: ToolCache, images: readonly Image[]): Promise<void> {
  const folder = `${cache.imageStore}.new`;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    `${folder}/containerd.toml`,
    `version = 2
root = "${folder}/root"
state = "/run/rehearsal/containerd"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]
[grpc]
address = "/run/rehearsal/containerd.sock"
`,
  );
  const archives = images.map((image) => image.archive);
  await runCommand(
    "unshare",
    [
      ...["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"],
      ...["sh", "-euc", SCRIPT, "image-store", folder, ...archives],
    ],
    { logFile: logFileOf(cache, "image-store") },
  );
  rmSync(cache.imageStore, { recursive: true, force: true });
  renameSync(`${folder}/root`, cache.imageStore);
  rmSync(folder, { recursive: true });
}

function blockedBy(missing: readonly string[]): string | undefined {
  if (!isRoot()) {
    return "importing images needs root";
  }
  return missing.length === 0 ? undefined : `missing Debian packages: ${installCommand(missing)}`;
}
