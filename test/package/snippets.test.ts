import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import * as cdktf from "cdktf";
import ts from "typescript";
import * as library from "../../lib";

const ROOT = resolve(__dirname, "../..");
const PAGES = ["README.md", ...readdirSync(join(ROOT, "docs")).map((file) => `docs/${file}`)].filter((file) =>
  file.endsWith(".md"),
);

/** What the pages take for granted. */
const CONTEXT = `
  import { TerraformStack } from "cdktf";
  import { KubernetesProvider } from "@cdktf/provider-kubernetes/lib/provider";
  import { HelmProvider } from "@cdktf/provider-helm/lib/provider";
  import { ContainerCluster } from "@cdktf/provider-google/lib/container-cluster";
  import { ContainerNodePool } from "@cdktf/provider-google/lib/container-node-pool";
  import * as library from "cdktf-gke-ray";
  declare global {
    const stack: TerraformStack;
    const cluster: library.GkeWorkloadIdentityCluster;
    const operator: library.KubeRayOperator;
    const access: library.RayBucketAccess;
    const bucket: library.RayBucketAccess;
    const otherIdentity: library.IWorkloadIdentity;
    const ray: library.RayCluster;
    const auth: library.RayAuthProxy;
    const gke: ContainerCluster;
    const nodePool: ContainerNodePool;
    const kubernetesProvider: KubernetesProvider;
    const helmProvider: HelmProvider;
    /** What "..." stands for. */
    const rest: library.RayClusterProps;
  }`;

/**
 * Each TypeScript block of a page as a module: what is a class of ours or of cdktf's is imported, unless the block imports by
 * itself. A block of properties alone is of a Ray cluster.
 */
function modulesOf(page: string): [string, string][] {
  const text = readFileSync(join(ROOT, page), "utf8");
  return [...text.matchAll(/^```ts\n([^]*?)^```/gm)].map(([, source], index) => {
    const whole = /^\w+: /.test(source) ? `new RayCluster(stack, "ray", { ..., ${source} });` : source;
    const code = whole.replace(/\.\.\.(?=[,\s})])/g, "...rest");
    const used = (names: string[]) =>
      code.includes("import ") ? [] : names.filter((name) => new RegExp(`\\b${name}\\b`).test(code));
    const imports = [
      `import { ${used(Object.keys(library)).join(", ")} } from "cdktf-gke-ray";`,
      `import { ${used(Object.keys(cdktf)).join(", ")} } from "cdktf";`,
    ];
    return [join(ROOT, `${page}.${index + 1}.ts`), `${imports.join(" ")} ${code}`];
  });
}

test("every TypeScript example of the pages compiles", () => {
  const modules = new Map([
    ...PAGES.flatMap(modulesOf),
    [join(ROOT, "context.ts"), CONTEXT] as [string, string],
  ]);
  const options: ts.CompilerOptions = {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.CommonJS,
    moduleResolution: ts.ModuleResolutionKind.Node10,
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    types: ["node"],
    baseUrl: ROOT,
    paths: { "cdktf-gke-ray": ["lib/index.ts"], "cdktf-gke-ray/lib/*": ["lib/*.ts"] },
  };
  const host = ts.createCompilerHost(options);
  const { fileExists, readFile, getSourceFile } = host;
  host.fileExists = (file) => modules.has(file) || fileExists(file);
  host.readFile = (file) => modules.get(file) ?? readFile(file);
  host.getSourceFile = (file, version, ...others) => {
    const code = modules.get(file);
    return code === undefined
      ? getSourceFile(file, version, ...others)
      : ts.createSourceFile(file, code, version);
  };

  const program = ts.createProgram([...modules.keys()], options, host);
  const errors = ts
    .getPreEmitDiagnostics(program)
    .map(
      ({ file, messageText }) => `${file?.fileName}: ${ts.flattenDiagnosticMessageText(messageText, " ")}`,
    );

  expect(modules.size).toBeGreaterThan(15);
  expect(errors).toEqual([]);
}, 60_000);
