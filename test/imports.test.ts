import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const ROOT = resolve(__dirname, "..");

function sources(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts"))
    .map((file) => join(folder, file));
}

const library = sources("lib");

/** Provider classes that each of the modules loads when it is loaded first, in one process for them all. */
function providerClassesOf(modules: string[]): Record<string, string[]> {
  const outdir = mkdtempSync(join(tmpdir(), "imports-"));
  const script = `
    const { readFileSync } = require("fs");
    const service = require("ts-node").create({ transpileOnly: true });
    const compiled = {};
    require.extensions[".ts"] = (module, file) => {
      compiled[file] ??= service.compile(readFileSync(file, "utf8"), file);
      module._compile(compiled[file], file);
    };
    const loaded = {};
    for (const module of ${JSON.stringify(modules)}) {
      const mayDiffer = (file) => !/node_modules.(?!@cdktf)/.test(file);
      Object.keys(require.cache).filter(mayDiffer).forEach((file) => delete require.cache[file]);
      require("./" + module);
      loaded[module] = Object.keys(require.cache);
    }
    console.log(JSON.stringify(loaded));`;
  const env = { ...process.env, CDKTF_OUTDIR: outdir };
  const output = execFileSync(process.execPath, ["-e", script], { cwd: ROOT, encoding: "utf8", env });
  rmSync(outdir, { recursive: true, force: true });
  return Object.fromEntries(
    Object.entries<string[]>(JSON.parse(output)).map(([module, files]) => [
      module,
      files.flatMap(providerClass).sort(),
    ]),
  );
}

function providerClass(file: string): string[] {
  const [, provider, name] = /@cdktf.provider-(\w+).lib.([\w-]+).index\.js$/.exec(file) ?? [];
  return name === undefined ? [] : [`${provider}/${name}`];
}

/** What a source imports by these words, without types, which are not there when it runs. */
function importsOf(file: string, from: RegExp): string[] {
  const text = readFileSync(join(ROOT, file), "utf8");
  return [...text.matchAll(/^import (?!type )[^;]* from "([^"]+)";$/gm)].flatMap(
    ([, module]) => from.exec(module)?.slice(1) ?? [],
  );
}

/** What constructs load that are imported by their own paths. */
const CONSTRUCTS = [
  "lib/ray-bucket-access",
  "lib/ray-cluster",
  "lib/runtime-env-netrc",
  "lib/ray-auth-proxy",
  "lib/skypilot-service-account",
];

/** The examples that import constructs by their paths, each with those of lib that it imports. */
const modulesOf = new Map(
  sources("examples")
    .filter((file) => importsOf(file, /^\.\.(\/lib)$/).length === 0)
    .map((file) => [file, importsOf(file, /^\.\.\/(lib\/.+)$/)]),
);

let loaded: Record<string, string[]>;
beforeAll(() => {
  loaded = providerClassesOf([
    ...new Set([
      ...CONSTRUCTS,
      "lib/gke-workload-identity-cluster",
      ...modulesOf.keys(),
      ...[...modulesOf.values()].flat(),
    ]),
  ]);
});

test.each(library.concat("main.ts", sources("examples")))(
  "%s imports no index of a provider package",
  (file) => {
    const text = readFileSync(join(ROOT, file), "utf8");

    expect(text).not.toMatch(/from ["']@cdktf\/provider-\w+["']/);
  },
);

test("the library never asks whether something is an instance of a cdktf class, which a second copy is not", () => {
  const asking = library.filter((file) => /instanceof/.test(readFileSync(join(ROOT, file), "utf8")));

  expect(asking).toEqual([]);
});

test("the library never adds a dependency to a construct's node, which cdktf ignores", () => {
  const adding = library.filter((file) => /node\.addDependency/.test(readFileSync(join(ROOT, file), "utf8")));

  expect(adding).toEqual([]);
});

test("a construct imported by its own path loads no class of a provider package, which costs more than all it says", () => {
  for (const path of CONSTRUCTS) expect({ [path]: loaded[path] }).toEqual({ [path]: [] });
});

test("a cluster loads the providers that it configures, and no other class", () => {
  expect(loaded["lib/gke-workload-identity-cluster"]).toEqual(["helm/provider", "kubernetes/provider"]);
});

test("an example that imports constructs by their paths synthesizes with their provider classes and its own", () => {
  const examples = [...modulesOf.keys()];

  expect(examples).toContain("examples/own-cluster.ts");
  for (const [file, modules] of modulesOf) {
    const own = importsOf(file, /^@cdktf\/provider-(\w+\/lib\/.+)$/).map((path) =>
      path.replace("/lib/", "/"),
    );
    const expected = new Set([...own, ...modules.flatMap((module) => loaded[module])]);
    expect({ [file]: loaded[file] }).toEqual({ [file]: [...expected].sort() });
  }
});
