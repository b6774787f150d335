import { createHash } from "node:crypto";
import { createReadStream, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { runCommand } from "./command";

/** What a container runs when its pod does not say otherwise, in the words of the image format. */
export interface ImageConfig {
  readonly User: string;
  readonly Env?: readonly string[];
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly WorkingDir?: string;
}

/**
 * Packs a folder as an image of one layer, in the format of `docker save`.
 *
 * @param owner `root` gives every file to root, `keep` keeps the numeric owners of the folder
 */
export async function writeDockerArchive(
  file: string,
  imageName: string,
  rootFolder: string,
  config: ImageConfig,
  owner: "root" | "keep",
): Promise<void> {
  const folder = `${file}.parts`;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const layer = join(folder, "layer.tar");
  const owners = owner === "root" ? ["--owner=0", "--group=0"] : [];
  const reproducible = ["--numeric-owner", "--sort=name", "--mtime=@0", ...owners];
  await runCommand("tar", [...reproducible, "-cf", layer, "-C", rootFolder, "."]);
  const image = {
    architecture: process.arch === "x64" ? "amd64" : process.arch,
    os: "linux",
    config,
    rootfs: { type: "layers", diff_ids: [`sha256:${await sha256(layer)}`] },
  };
  writeFileSync(join(folder, "config.json"), JSON.stringify(image));
  const manifest = [{ Config: "config.json", RepoTags: [imageName], Layers: ["layer.tar"] }];
  writeFileSync(join(folder, "manifest.json"), JSON.stringify(manifest));
  mkdirSync(dirname(file), { recursive: true });
  await runCommand("tar", [
    ...["-cf", `${file}.new`],
    ...["-C", folder, "manifest.json", "config.json", "layer.tar"],
  ]);
  rmSync(folder, { recursive: true });
  renameSync(`${file}.new`, file);
}

async function sha256(file: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), hash);
  return hash.digest("hex");
}
