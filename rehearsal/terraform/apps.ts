import { mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { runCommand } from "../tools/command";

const ROOT = resolve(__dirname, "../..");

/** main.ts and every example, as paths from the root of the repository. */
export function allApps(): string[] {
  const examples = readdirSync(join(ROOT, "examples")).filter((file) => file.endsWith(".ts"));
  return ["main.ts", ...examples.sort().map((file) => `examples/${file}`)];
}

/**
 * Synthesizes an app of this repository as a user would and returns the folders of its stacks, by name and in the order in
 * which they are applied.
 *
 * @param file path from the root of the repository
 * @param settings environment variables that the app reads
 * @param change what the source is before it runs; it stays where it is, so its imports lead to the same places
 */
export async function synthesizeStacks(
  file: string,
  settings: Readonly<Record<string, string>> = {},
  change: (source: string) => string = (source) => source,
): Promise<ReadonlyMap<string, string>> {
  const outdir = mkdtempSync(join(tmpdir(), "synthesized-"));
  await runCommand(process.execPath, ["-e", EVALUATE, join(ROOT, file)], {
    cwd: ROOT,
    input: change(readFileSync(join(ROOT, file), "utf8")),
    env: { ...process.env, ...settings, CDKTF_OUTDIR: outdir },
  });
  const { stacks } = JSON.parse(readFileSync(join(outdir, "manifest.json"), "utf8"));
  return new Map(inOrder(stacks).map(({ name, workingDirectory }) => [name, join(outdir, workingDirectory)]));
}

/** Synthesizes an app that has one stack, and returns the folder of that. */
export async function synthesize(
  file: string,
  settings: Readonly<Record<string, string>> = {},
): Promise<string> {
  return onlyStack(file, await synthesizeStacks(file, settings));
}

/** Synthesizes an app that has one stack, in another version than it is written. */
export async function synthesizeVariant(
  file: string,
  change: (source: string) => string,
  settings: Readonly<Record<string, string>> = {},
): Promise<string> {
  return onlyStack(file, await synthesizeStacks(file, settings, mustChange(file, change)));
}

/** @throws when a change is none, because the source is not what it was when the change was written */
export function mustChange(file: string, change: (source: string) => string): (source: string) => string {
  return (source) => {
    const changed = change(source);
    if (changed === source) throw new Error(`the change of ${file} changes nothing`);
    return changed;
  };
}

function onlyStack(file: string, stacks: ReadonlyMap<string, string>): string {
  const [folder, ...others] = stacks.values();
  if (others.length > 0) throw new Error(`${file} has several stacks: ${[...stacks.keys()].join(", ")}`);
  return folder;
}

interface ManifestStack {
  readonly name: string;
  readonly workingDirectory: string;
  readonly dependencies: readonly string[];
}

/** Each stack after those that it depends on. */
function inOrder(stacks: Readonly<Record<string, ManifestStack>>): ManifestStack[] {
  const ordered = new Set<ManifestStack>();
  const add = (name: string) => {
    stacks[name].dependencies.forEach(add);
    ordered.add(stacks[name]);
  };
  Object.keys(stacks).forEach(add);
  return [...ordered];
}

/** Runs TypeScript from standard input as if it were the file that the first argument names. */
const EVALUATE = `
  require("ts-node").register({ transpileOnly: true });
  const Module = require("module");
  const file = process.argv[1];
  const source = require("fs").readFileSync(0, "utf8");
  const compiled = require("ts-node").create({ transpileOnly: true }).compile(source, file);
  const main = new Module(file, null);
  main.filename = file;
  main.paths = Module._nodeModulePaths(require("path").dirname(file));
  main._compile(compiled, file);
`;
