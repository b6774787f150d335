import { execFileSync, spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { allApps, synthesizeApp } from "../support/apps";

const ROOT = resolve(__dirname, "../..");
const PEERS = [
  "cdktf",
  "constructs",
  "@cdktf/provider-google",
  "@cdktf/provider-helm",
  "@cdktf/provider-kubernetes",
];
/** What lib/index.ts exports, by the names of their files. */
const MODULES = [
  ...readFileSync(join(ROOT, "lib/index.ts"), "utf8").matchAll(/^export \* from "\.\/([\w/-]+)";$/gm),
].map(([, file]) => file);

/** An app that takes one half of the constructs from the package and the other half from their own paths. */
const APP = `
import { GoogleProvider } from "@cdktf/provider-google/lib/provider";
import { App, TerraformStack } from "cdktf";
import { GkeWorkloadIdentityCluster, KubeRayOperator } from "cdktf-gke-ray";
import { RayBucketAccess } from "cdktf-gke-ray/lib/ray-bucket-access";
import { RayCluster } from "cdktf-gke-ray/lib/ray-cluster";

const app = new App();
const stack = new TerraformStack(app, "consumer");
new GoogleProvider(stack, "google", { project: "my-project" });
const cluster = new GkeWorkloadIdentityCluster(stack, "cluster", {
  clusterName: "cloud-bucket-cluster",
  location: "us-west1-b",
  nodePools: [{ name: "ray", machineType: "e2-standard-8", initialNodeCount: 1, minNodeCount: 0, maxNodeCount: 1 }],
});
const operator = KubeRayOperator.chart(stack, "operator", { cluster });
const access = new RayBucketAccess(stack, "bucket", {
  cluster,
  bucketName: "my-bucket",
  namespace: "ray",
  serviceAccountName: "my-ksa",
  googleServiceAccountId: "my-iam-sa",
});
new RayCluster(stack, "ray", {
  operator,
  rayClusterName: "raycluster-mini",
  identity: access.identity,
  head: { cpu: 2, memoryGiB: 8 },
  workerGroups: [{ groupName: "cpu", cpu: 2, memoryGiB: 8, minReplicas: 0, maxReplicas: 1 }],
});
app.synth();
`;

/** What `cdktf init --template typescript` of version 0.21 writes. */
const CDKTF_INIT_TSCONFIG = {
  compilerOptions: {
    alwaysStrict: true,
    declaration: true,
    experimentalDecorators: true,
    inlineSourceMap: true,
    inlineSources: true,
    lib: ["es2018"],
    module: "CommonJS",
    noEmitOnError: true,
    noFallthroughCasesInSwitch: true,
    noImplicitAny: true,
    noImplicitReturns: true,
    noImplicitThis: true,
    noUnusedLocals: true,
    noUnusedParameters: true,
    resolveJsonModule: true,
    strict: true,
    strictNullChecks: true,
    strictPropertyInitialization: true,
    stripInternal: true,
    target: "ES2018",
    incremental: true,
    skipLibCheck: true,
  },
  include: ["examples/*.ts"],
  exclude: ["node_modules", "cdktf.out"],
};

/** Compiles only where the classes have their real types: an import without types is \`any\`, which is a number too. */
const TYPE_CHECK = `
// @ts-expect-error the class is not a number
export const fromPackage: number = KubeRayOperator;
// @ts-expect-error the class is not a number
export const fromOwnPath: number = RayCluster;
`;

/** The same app as CommonJS, for plain node. */
const COMMONJS_APP = APP.replace(/^import (.*) from (.*);$/gm, "const $1 = require($2);");

/** The same app as an ES module, which must name the file in an import from a package without an exports map. */
const ES_MODULE_APP = APP.replace(/"(@cdktf\/provider-google\/lib\/provider)"/, '"$1/index.js"');

let folder: string;
let project: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "package-"));
  project = join(folder, "project");
  mkdirSync(project);
  writeFileSync(join(project, "package.json"), JSON.stringify({ name: "consumer", private: true }));
  npm(ROOT, "pack", "--pack-destination", folder);
  npm(project, "install", "--offline", "--legacy-peer-deps", join(folder, tarball()));
  // The peers are those of this repository, so that the test needs no registry.
  for (const peer of PEERS) {
    const link = join(project, "node_modules", peer);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(join(ROOT, "node_modules", peer), link);
  }
}, 120_000);

afterAll(() => rmSync(folder, { recursive: true }));

test("the package holds the compiled library, its types, its chart and its programs, and nothing else", () => {
  const sources = filesBelow(join(ROOT, "lib"));
  const compiled = sources
    .filter((file) => file.endsWith(".ts"))
    .flatMap((file) => ["js", "js.map", "d.ts"].map((extension) => file.replace(/ts$/, extension)));
  const asTheyAre = sources.filter((file) => /^(charts|jobs)\//.test(file));
  expect(asTheyAre).toEqual(expect.arrayContaining(["charts/manifests/Chart.yaml", "jobs/drain.py"]));

  const packed = execFileSync("tar", ["-tzf", join(folder, tarball())], { encoding: "utf8" });

  expect(packed.trim().split("\n").sort()).toEqual(
    [...[...compiled, ...asTheyAre].map((file) => `dist/lib/${file}`), "LICENSE", "README.md", "package.json"]
      .map((file) => `package/${file}`)
      .sort(),
  );
});

test("plain node synthesizes a stack from the installed package, with the chart in the stack's folder", () => {
  const { json, dir } = synthesize("app.js", COMMONJS_APP);

  expect(Object.keys(json.resource)).toContain("google_container_cluster");
  expectChart(json, dir);
});

test("an ES module synthesizes the same stack by named imports", () => {
  const fromCommonJs = synthesize("app.js", COMMONJS_APP);

  expect(synthesize("app.mjs", ES_MODULE_APP).json).toEqual(fromCommonJs.json);
});

test.each([
  ["node10", "CommonJS", "typed.ts"],
  ["node16", "node16", "typed.ts"],
  ["nodenext", "nodenext", "typed.mts"],
])(
  "TypeScript with moduleResolution %s finds the types and synthesizes the same stack",
  (resolution, module, file) => {
    const output = `typed-${resolution}`;
    writeFileSync(join(project, file), (file.endsWith(".mts") ? ES_MODULE_APP : APP) + TYPE_CHECK);
    const options = { moduleResolution: resolution, module, outDir: output, target: "ES2022" };
    const flags = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);

    run(join(ROOT, "node_modules/typescript/bin/tsc"), "--strict", "--skipLibCheck", ...flags, file);

    const { json, dir } = synthesize(join(output, file.replace("ts", "js")));
    expect(json).toEqual(synthesize("app.js", COMMONJS_APP).json);
    expectChart(json, dir);
  },
  60_000,
);

test("every example synthesizes in a project of one's own, with its import paths changed and nothing else", () => {
  const examples = allApps().filter((app) => app.startsWith("examples/"));
  mkdirSync(join(project, "examples"));
  writeFileSync(join(project, "tsconfig.json"), JSON.stringify(CDKTF_INIT_TSCONFIG));
  for (const example of examples) {
    const source = readFileSync(join(ROOT, example), "utf8");
    writeFileSync(
      join(project, example),
      source.replaceAll('"../lib"', '"cdktf-gke-ray"').replaceAll('"../lib/', '"cdktf-gke-ray/lib/'),
    );
  }

  run(join(ROOT, "node_modules/typescript/bin/tsc"), "--project", ".");

  for (const example of examples) {
    const outdir = join(folder, example.replace(/\W/g, "-"));
    execFileSync(process.execPath, [example.replace(/ts$/, "js")], {
      cwd: project,
      env: { ...process.env, CDKTF_OUTDIR: outdir },
    });
    for (const [name, { json }] of Object.entries(synthesizeApp(example))) {
      const installed = JSON.parse(readFileSync(join(outdir, "stacks", name, "cdk.tf.json"), "utf8"));
      expect(withoutLocalState(installed)).toEqual(withoutLocalState(json));
    }
  }
}, 120_000);

test("each public module has a path of its own, with the same classes", () => {
  const script = `
    const all = require("cdktf-gke-ray");
    for (const file of ${JSON.stringify(MODULES)}) {
      const own = Object.entries(require("cdktf-gke-ray/lib/" + file));
      console.log(own.every(([name, value]) => all[name] === value));
    }`;

  expect(MODULES.length).toBeGreaterThan(10);
  expect(run("--eval", script)).toBe("true\n".repeat(MODULES.length));
});

test("source maps hold the sources, and name nothing of the machine that built them", () => {
  const lib = join(project, "node_modules/cdktf-gke-ray/dist/lib");
  for (const file of filesBelow(lib).filter((name) => name.endsWith(".map"))) {
    const { sources, sourcesContent } = JSON.parse(readFileSync(join(lib, file), "utf8"));
    expect(sources).toEqual([expect.stringMatching(/^(\.\.\/)+lib\/[\w/-]+\.ts$/)]);
    expect(sourcesContent).toEqual([readFileSync(join(ROOT, "lib", file.replace("js.map", "ts")), "utf8")]);
  }
});

test("the package is the same, byte for byte, when it is packed again", () => {
  const again = join(folder, "again");
  mkdirSync(again);
  npm(ROOT, "pack", "--pack-destination", again);

  expect(readFileSync(join(again, tarball())).equals(readFileSync(join(folder, tarball())))).toBe(true);
});

test("one construct's path loads no class of a provider package", () => {
  const script = `
    require("cdktf-gke-ray/lib/workload-identity");
    console.log(Object.keys(require.cache).join("\\n"))`;

  const providerModules = run("--eval", script)
    .split("\n")
    .flatMap((file) => /provider-\w+\/lib\/.*$/.exec(file) ?? []);

  expect(providerModules).toEqual([]);
});

test("what is private cannot be imported", () => {
  const file = readdirSync(join(ROOT, "lib/private")).filter((name) => name.endsWith(".ts"))[0];
  const script = `
    try { require("cdktf-gke-ray/lib/private/${file.replace(/\.ts$/, "")}"); } catch (error) { console.log(error.code) }`;

  expect(run("--eval", script)).toBe("ERR_PACKAGE_PATH_NOT_EXPORTED\n");
});

function tarball(): string {
  return readdirSync(folder).find((file) => file.endsWith(".tgz"))!;
}

function npm(cwd: string, ...args: string[]): void {
  const quiet = ["--no-audit", "--no-fund", "--silent"];
  execFileSync("npm", [...args, ...quiet], { cwd, stdio: "pipe", shell: process.platform === "win32" });
}

/** Runs node in the consumer's project. @throws with all that it printed */
function run(...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: project, encoding: "utf8" });
  if (status !== 0) throw new Error(`${args.join(" ")} ended with ${status}: ${stdout}${stderr}`);
  return stdout;
}

/** Runs an app of the project, written first when its source is given, and reads the one stack that it makes. */
function synthesize(file: string, source?: string): { json: any; dir: string } {
  if (source !== undefined) {
    writeFileSync(join(project, file), source);
  }
  rmSync(join(project, "cdktf.out"), { recursive: true, force: true });
  run(file);
  const dir = join(project, "cdktf.out/stacks/consumer");
  return { json: JSON.parse(readFileSync(join(dir, "cdk.tf.json"), "utf8")), dir };
}

/** The paths of local states are those of the project's folder. */
function withoutLocalState(json: any): any {
  const terraform = { ...json.terraform, backend: undefined };
  return { ...json, terraform, data: { ...json.data, terraform_remote_state: undefined } };
}

/** The Ray cluster's release must name a chart that lies in the stack's own folder: only that folder travels. */
function expectChart(json: any, dir: string): void {
  const charts = Object.values<any>(json.resource.helm_release).map((release) => release.chart);
  const local = charts.filter((chart) => chart.startsWith("./assets/"));
  expect(new Set(local).size).toBe(1);
  expect(existsSync(join(dir, local[0], "Chart.yaml"))).toBe(true);
  expect(filesBelow(join(dir, local[0]))).toEqual(filesBelow(join(ROOT, "lib/charts/manifests")));
}

function filesBelow(top: string): string[] {
  return readdirSync(top, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(top.length + 1))
    .sort();
}
