// Measures what synth costs, as ratios taken in this one run, and fails when one misses its limit:
// `npm run bench`. The machine should be idle otherwise: a busy core shows in every figure.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const modules = join(root, "node_modules");
const folder = mkdtempSync(join(tmpdir(), "bench-"));
const rows = [];

/** Asked of the process itself at its end, so that no tool outside Node is needed. */
const PEAK_MEMORY_HOOK = `process.on("exit", () =>
  require("fs").writeFileSync(process.env.PEAK_MEMORY_FILE, String(process.resourceUsage().maxRSS)));`;

try {
  symlinkSync(modules, join(folder, "node_modules"));
  writeFileSync(join(folder, "peak.cjs"), PEAK_MEMORY_HOOK);
  precompiledAgainstEmpty(compile());
  deepAgainstIndexImports();
  tenants();
  unitTests();
} finally {
  rmSync(folder, { recursive: true });
}
report();

function precompiledAgainstEmpty(compiled) {
  const [platform, empty] = alternate(20, [[join(compiled, "main.js")], [join(compiled, "bench/empty.js")]]);
  const what = "synth of the platform, precompiled";
  ratioRow(`${what} / an empty stack, time`, platform.seconds, empty.seconds, 1.9, "s");
  limitRow(`${what}, peak memory`, platform.megabytes, 130, "MB");
}

function deepAgainstIndexImports() {
  const deep = copySources("deep", (source) => source);
  const index = copySources("index", withIndexImports);
  const tsNode = join(modules, "ts-node/dist/bin.js");
  const [deepRun, indexRun] = alternate(3, [
    [tsNode, join(deep, "main.ts")],
    [tsNode, join(index, "main.ts")],
  ]);
  assert.equal(deepRun.stacks.length, 1);
  assert.deepEqual(deepRun.stacks, indexRun.stacks, "both forms of imports must synthesize the same");
  const what = "ts-node main.ts / the same with package index imports";
  ratioRow(`${what}, time`, deepRun.seconds, indexRun.seconds, 0.3, "s");
  ratioRow(`${what}, peak memory`, deepRun.megabytes, indexRun.megabytes, 0.25, "MB");
}

function tenants() {
  const app = join(folder, "compiled/bench/tenants.js");
  const [more, fewer] = alternate(7, [
    [app, "200"],
    [app, "100"],
  ]);
  ratioRow(
    "200 tenants / 100 tenants in one stack, time",
    more.printed / 1000,
    fewer.printed / 1000,
    2.2,
    "s",
  );
}

function unitTests() {
  const { seconds } = run(
    [join(modules, "jest/bin/jest.js"), "--selectProjects", "unit", "--maxWorkers=100%", "--silent"],
    root,
  );
  limitRow("unit tests, time", seconds, 12, "s");
}

/** main.ts, the library and the apps of this folder as JavaScript, with the chart and the programs where the library looks for them. */
function compile() {
  const compiled = join(folder, "compiled");
  const project = join(folder, "tsconfig.json");
  const include = ["main.ts", "lib", "bench"].map((path) => join(root, path));
  const typeRoots = [join(modules, "@types")];
  const compilerOptions = { rootDir: root, outDir: compiled, declaration: false, types: ["node"], typeRoots };
  writeFileSync(project, JSON.stringify({ extends: join(root, "tsconfig.json"), include, compilerOptions }));
  run([join(modules, "typescript/bin/tsc"), "-p", project]);
  for (const path of ["lib/charts", "lib/jobs"]) {
    cpSync(join(root, path), join(compiled, path), { recursive: true });
  }
  return compiled;
}

function copySources(name, rewrite) {
  const copy = join(folder, name);
  cpSync(join(root, "lib"), join(copy, "lib"), { recursive: true });
  cpSync(join(root, "main.ts"), join(copy, "main.ts"));
  cpSync(join(root, "tsconfig.json"), join(copy, "tsconfig.json"));
  const files = readdirSync(copy, { recursive: true }).filter((file) => file.endsWith(".ts"));
  for (const file of files.map((path) => join(copy, path))) {
    writeFileSync(file, rewrite(readFileSync(file, "utf8")));
  }
  return copy;
}

/** `import { Release } from "@cdktf/provider-helm/lib/release"` as users of the package index write it. */
function withIndexImports(source) {
  const deepImport = /import (?:type )?\{([^}]*)\} from "(@cdktf\/provider-(\w+))\/lib\/([\w-]+)";/g;
  const rewritten = source.replace(deepImport, (_statement, names, provider, providerName, path) => {
    const namespace = path.replace(/-(\w)/g, (_dash, letter) => letter.toUpperCase());
    const local = `${providerName}_${namespace}`;
    const aliases = names
      .split(",")
      .map((name) => name.replace(/^\s*type /, "").trim())
      .filter(Boolean)
      .map((name) => {
        const [exported, alias = exported] = name.split(" as ");
        return `import ${alias} = ${local}.${exported};`;
      });
    return [`import { ${namespace} as ${local} } from "${provider}";`, ...aliases].join("\n");
  });
  assert.doesNotMatch(rewritten, /@cdktf\/provider-\w+\/lib/, "an import was not rewritten");
  return rewritten;
}

/** Runs the commands in turn, so that what disturbs the machine disturbs all alike, and takes each one's medians. */
function alternate(times, commands) {
  commands.forEach((command) => run(command));
  const runs = commands.map(() => []);
  for (let round = 0; round < times; round++) {
    commands.forEach((command, index) => runs[index].push(run(command)));
  }
  return runs.map((results) => ({
    seconds: median(results.map(({ seconds }) => seconds)),
    megabytes: median(results.map(({ megabytes }) => megabytes)),
    printed: median(results.map(({ printed }) => printed)),
    stacks: results[0].stacks,
  }));
}

function run(command, cwd = folder) {
  const output = join(folder, "cdktf.out");
  const peak = join(folder, "peak");
  rmSync(output, { recursive: true, force: true });
  const inherited = Object.entries(process.env).filter(([name]) => !/^(RAY|CDKTF|TF|NODE|npm)_/.test(name));
  const env = { ...Object.fromEntries(inherited), CDKTF_OUTDIR: output, PEAK_MEMORY_FILE: peak };

  const start = performance.now();
  const child = spawnSync(process.execPath, ["--require", join(folder, "peak.cjs"), ...command], {
    cwd,
    env,
    encoding: "utf8",
  });
  const seconds = (performance.now() - start) / 1000;

  assert.equal(child.status, 0, `${command.join(" ")} failed:\n${child.stdout}\n${child.stderr}`);
  const megabytes = Number(readFileSync(peak, "utf8")) / 1024;
  return { seconds, megabytes, printed: Number(child.stdout), stacks: stacksIn(output) };
}

function stacksIn(output) {
  if (!existsSync(join(output, "stacks"))) {
    return [];
  }
  const stacks = readdirSync(join(output, "stacks"));
  return stacks.map((stack) =>
    JSON.parse(readFileSync(join(output, "stacks", stack, "cdk.tf.json"), "utf8")),
  );
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function ratioRow(what, value, reference, limit, unit) {
  const measured = `${figure(value, unit)} / ${figure(reference, unit)}`;
  rows.push({ what, measured, result: value / reference, limit, unit: "" });
}

function limitRow(what, value, limit, unit) {
  rows.push({ what, measured: figure(value, unit), result: value, limit, unit });
}

function figure(value, unit) {
  return unit === "MB" ? `${Math.round(value)} MB` : `${value.toFixed(2)} s`;
}

function report() {
  const lines = rows.map(({ what, measured, result, limit, unit }) => [
    what,
    measured,
    result.toFixed(2),
    `≤ ${limit}${unit && ` ${unit}`}`,
    result <= limit ? "met" : "MISSED",
  ]);
  const table = [["what", "measured", "result", "must be", ""], ...lines];
  const widths = table[0].map((_cell, column) => Math.max(...table.map((line) => line[column].length)));
  for (const line of table) {
    console.log(line.map((cell, column) => cell.padEnd(widths[column])).join("  "));
  }
  if (rows.some(({ result, limit }) => result > limit)) {
    process.exitCode = 1;
  }
}
