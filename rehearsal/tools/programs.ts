import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type Artifact, logFileOf } from "./artifact";
import { keyOf, type ToolCache } from "./cache";
import { runCommand } from "./command";
import { type GoModule, goModuleFolder, goModuleVersion } from "./versions";

interface ProgramSet {
  readonly name: string;
  readonly module: GoModule;
  /** Go package of each program, by the program's name in the cache. */
  readonly programs: Readonly<Record<string, string>>;
  readonly linkerFlags?: readonly string[];
}

const KUBERNETES_PROGRAMS = [
  "kube-apiserver",
  "kube-controller-manager",
  "kube-proxy",
  "kube-scheduler",
  "kubectl",
  "kubelet",
];

/** In this order later sets reuse what was compiled for earlier ones. */
const PROGRAM_SETS: readonly ProgramSet[] = [
  { name: "etcd", module: "node", programs: { etcd: "go.etcd.io/etcd/server/v3" } },
  {
    name: "kubernetes",
    module: "node",
    programs: Object.fromEntries(KUBERNETES_PROGRAMS.map((name) => [name, `k8s.io/kubernetes/cmd/${name}`])),
    linkerFlags: kubernetesVersionFlags(),
  },
  { name: "coredns", module: "node", programs: { coredns: "./coredns" } },
  { name: "pause", module: "node", programs: { pause: "./pause" } },
  { name: "gcsfuse-driver", module: "node", programs: { "gcsfuse-driver": "./gcsfuse-driver" } },
  {
    name: "kuberay",
    module: "kuberay",
    programs: { "kuberay-operator": "github.com/ray-project/kuberay/ray-operator" },
  },
  {
    name: "kube-rbac-proxy",
    module: "kube-rbac-proxy",
    programs: { "kube-rbac-proxy": "github.com/brancz/kube-rbac-proxy/cmd/kube-rbac-proxy" },
  },
  {
    name: "fake-gcs-server",
    module: "fake-gcs-server",
    programs: { "fake-gcs-server": "github.com/fsouza/fake-gcs-server" },
  },
  {
    name: "gcsfuse",
    module: "gcsfuse",
    programs: { gcsfuse: "github.com/googlecloudplatform/gcsfuse/v3" },
  },
  {
    name: "kube-router",
    module: "kube-router",
    programs: { "kube-router": "github.com/cloudnativelabs/kube-router/v2/cmd/kube-router" },
  },
];

/** The programs of the node and of its images, compiled from the Go modules of this folder. */
export function programArtifacts(cache: ToolCache): Artifact[] {
  return PROGRAM_SETS.map((set) => ({
    name: set.name,
    key: programKey(set.name),
    outputs: Object.keys(set.programs).map((program) => cache.program(program)),
    build: () => buildPrograms(cache, set),
  }));
}

/** What a program set was built from; an image of one of its programs is built from the same. */
export function programKey(name: string): string {
  const set = PROGRAM_SETS.find((candidate) => candidate.name === name);
  if (set === undefined) {
    throw new Error(`no program set is called '${name}'`);
  }
  const own = Object.values(set.programs).filter((path) => path.startsWith("./"));
  return keyOf(JSON.stringify(set), process.arch, ...sourcesOf(set.module, own));
}

/** The custom resource definitions, as the Go module of the operator brings them. */
export function customResourceDefinitions(cache: ToolCache): Artifact {
  return {
    name: "crds",
    key: keyOf(...sourcesOf("kuberay")),
    outputs: [cache.customResourceDefinitions],
    build: async () => {
      const folder = await moduleSource("kuberay", "github.com/ray-project/kuberay/ray-operator");
      const source = join(folder, "config", "crd", "bases");
      rmSync(cache.customResourceDefinitions, { recursive: true, force: true });
      mkdirSync(cache.customResourceDefinitions, { recursive: true });
      for (const file of readdirSync(source).filter((name) => name.endsWith(".yaml"))) {
        copyFileSync(join(source, file), join(cache.customResourceDefinitions, file));
      }
    },
  };
}

/** Says what to install when there is no Go, or undefined when there is one. */
export async function missingGo(): Promise<string | undefined> {
  try {
    await runCommand("go", ["version"]);
    return undefined;
  } catch {
    const needed = goModuleNames().map(goDirective).sort(compareVersions).at(-1);
    return `Go ${needed} or newer is needed to build the rehearsal's tools: install it and put 'go' on PATH`;
  }
}

async function buildPrograms(cache: ToolCache, set: ProgramSet): Promise<void> {
  mkdirSync(cache.path("bin"), { recursive: true });
  const flags = ["-trimpath", "-ldflags", ["-s", "-w", ...(set.linkerFlags ?? [])].join(" ")];
  const names = Object.keys(set.programs);
  // One invocation for several programs compiles their shared packages once, but then Go names the files.
  const target = names.length === 1 ? cache.program(names[0]) : `${cache.path("bin")}/`;
  await runCommand("go", ["build", ...flags, "-o", target, ...Object.values(set.programs)], {
    cwd: goModuleFolder(set.module),
    env: { ...process.env, CGO_ENABLED: "0" },
    logFile: logFileOf(cache, set.name),
  });
}

async function moduleSource(module: GoModule, dependency: string): Promise<string> {
  const args = ["list", "-m", "-f", "{{.Dir}}", dependency];
  return (await runCommand("go", args, { cwd: goModuleFolder(module) })).trim();
}

function kubernetesVersionFlags(): string[] {
  const version = goModuleVersion("node", "k8s.io/kubernetes");
  const [major, minor] = version.split(".");
  const variable = "k8s.io/component-base/version";
  return [
    `-X ${variable}.gitVersion=v${version}`,
    `-X ${variable}.gitMajor=${major}`,
    `-X ${variable}.gitMinor=${minor}`,
  ];
}

/** What pins a module's dependencies, and the programs in it that are ours. */
function sourcesOf(module: GoModule, ownPrograms: readonly string[] = []): string[] {
  const files = ["go.mod", "go.sum", ...ownPrograms.map((folder) => join(folder, "main.go"))];
  return files.map((file) => readFileSync(join(goModuleFolder(module), file), "utf8"));
}

function goModuleNames(): GoModule[] {
  return [...new Set(PROGRAM_SETS.map((set) => set.module))];
}

function goDirective(module: GoModule): string {
  const text = readFileSync(join(goModuleFolder(module), "go.mod"), "utf8");
  return /^go (\S+)$/m.exec(text)?.[1] ?? "";
}

function compareVersions(a: string, b: string): number {
  return a.localeCompare(b, "en", { numeric: true });
}
