import { readFileSync } from "node:fs";
import { join } from "node:path";

/** The Go modules of this folder, each a set of programs whose dependencies agree. */
export type GoModule = "node" | "kuberay" | "kube-rbac-proxy" | "fake-gcs-server" | "gcsfuse" | "kube-router";

/** Version of Ray in the image that the rehearsal makes. */
export const RAY_VERSION = "2.60.0";

/** Version of the Python client that the bucket check runs in that image. */
export const GOOGLE_CLOUD_STORAGE_VERSION = "3.17.1";

/** Version of the KubeRay operator chart, the same as the operator's own. */
export const KUBERAY_CHART_VERSION = goModuleVersion(
  "kuberay",
  "github.com/ray-project/kuberay/ray-operator",
);

export function goModuleFolder(module: GoModule): string {
  return join(__dirname, "go", module);
}

/** The version of a dependency, without the leading v, as its go.mod pins it. */
export function goModuleVersion(module: GoModule, dependency: string): string {
  const text = readFileSync(join(goModuleFolder(module), "go.mod"), "utf8");
  const required = text.split("\n").map((line) => /^(?:require )?\s*(\S+) v(\S+)/.exec(line));
  const version = required.find((match) => match?.[1] === dependency)?.[2];
  if (version === undefined) {
    throw new Error(`${dependency} is not required by ${join(goModuleFolder(module), "go.mod")}`);
  }
  return version;
}
