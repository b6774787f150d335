import { chmodSync, copyFileSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Image } from "./artifact";
import { keyOf, type ToolCache } from "./cache";
import { type ImageConfig, writeDockerArchive } from "./docker-archive";
import { programKey } from "./programs";
import { rayImage } from "./ray-image";
import { goModuleVersion, KUBERAY_CHART_VERSION } from "./versions";

/** Image of the container that holds a pod's namespaces; the node's container runtime asks for it by this name. */
export const PAUSE_IMAGE = "localhost/rehearsal/pause:1";

/** An image that holds one static program and nothing else. */
interface ProgramImage {
  readonly imageName: string;
  /** Name of the program in the cache; also of the set that it was built with, unless given. */
  readonly program: string;
  readonly programSet?: string;
  /** Where the program stands in the image. */
  readonly path: string;
  readonly user: string;
}

const PROGRAM_IMAGES: Readonly<Record<string, ProgramImage>> = {
  "pause-image": { imageName: PAUSE_IMAGE, program: "pause", path: "/pause", user: "65535:65535" },
  "kube-rbac-proxy-image": {
    imageName: `quay.io/brancz/kube-rbac-proxy:v${proxyVersion()}`,
    program: "kube-rbac-proxy",
    path: "/usr/local/bin/kube-rbac-proxy",
    user: "65532:65532",
  },
  "kuberay-operator-image": {
    imageName: `quay.io/kuberay/operator:v${KUBERAY_CHART_VERSION}`,
    program: "kuberay-operator",
    programSet: "kuberay",
    // The upstream chart starts the operator by this path.
    path: "/manager",
    user: "65532:65532",
  },
};

/** Every image that the node's container runtime gets before it starts: nothing is ever pulled. */
export function images(cache: ToolCache): Image[] {
  const small = Object.entries(PROGRAM_IMAGES).map(([name, recipe]) => programImage(cache, name, recipe));
  return [...small, rayImage(cache)];
}

function programImage(cache: ToolCache, name: string, recipe: ProgramImage): Image {
  const archive = cache.path("images", `${name}.tar`);
  return {
    name,
    imageName: recipe.imageName,
    archive,
    key: keyOf(JSON.stringify(recipe), programKey(recipe.programSet ?? recipe.program)),
    outputs: [archive],
    build: async () => {
      const root = cache.path("images", `${name}.root`);
      rmSync(root, { recursive: true, force: true });
      for (const folder of ["etc", "tmp", join(recipe.path, "..")]) {
        mkdirSync(join(root, folder), { recursive: true });
      }
      chmodSync(join(root, "tmp"), 0o1777);
      const [uid, gid] = recipe.user.split(":");
      writeFileSync(join(root, "etc", "passwd"), `root:x:0:0::/:\nnonroot:x:${uid}:${gid}::/:\n`);
      writeFileSync(join(root, "etc", "group"), `root:x:0:\nnonroot:x:${gid}:\n`);
      copyFileSync(cache.program(recipe.program), join(root, recipe.path));
      const config: ImageConfig = { User: recipe.user, Entrypoint: [recipe.path], WorkingDir: "/" };
      await writeDockerArchive(archive, recipe.imageName, root, config, "root");
      rmSync(root, { recursive: true });
    },
  };
}

function proxyVersion(): string {
  return goModuleVersion("kube-rbac-proxy", "github.com/brancz/kube-rbac-proxy");
}
