import { mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { runCommand } from "./tools/command";

const ROOT = resolve(__dirname, "..");

/** main.ts and every example, as paths from the root of the repository. */
export function allApps(): string[] {
  const examples = readdirSync(join(ROOT, "examples")).filter((file) => file.endsWith(".ts"));
  return ["main.ts", ...examples.sort().map((file) => `examples/${file}`)];
}

/**
 * Synthesizes an app of this repository as a user would and returns the folder of its only stack.
 *
 * @param file path from the root of the repository
 * @param settings environment variables that the app reads
 */
export async function synthesize(
  file: string,
  settings: Readonly<Record<string, string>> = {},
): Promise<string> {
  const outdir = mkdtempSync(join(tmpdir(), "synthesized-"));
  await runCommand(process.execPath, ["-r", "ts-node/register/transpile-only", join(ROOT, file)], {
    cwd: ROOT,
    env: { ...process.env, ...settings, CDKTF_OUTDIR: outdir },
  });
  const [stack, ...others] = readdirSync(join(outdir, "stacks"));
  if (others.length > 0) throw new Error(`${file} has several stacks: ${[stack, ...others].join(", ")}`);
  return join(outdir, "stacks", stack);
}

/** Synthesizes TypeScript that is written for one scenario; it may import the library from `../lib`. */
export async function synthesizeVariant(
  file: string,
  change: (source: string) => string,
  settings: Readonly<Record<string, string>> = {},
): Promise<string> {
  const source = readFileSync(join(ROOT, file), "utf8");
  const changed = change(source);
  if (changed === source) throw new Error(`the change of ${file} changes nothing`);
  const outdir = mkdtempSync(join(tmpdir(), "synthesized-"));
  // Beside the original, so that its imports lead to the same places; read from standard input, so that nothing is left.
  await runCommand(process.execPath, ["-e", EVALUATE, join(ROOT, file)], {
    cwd: ROOT,
    input: changed,
    env: { ...process.env, ...settings, CDKTF_OUTDIR: outdir },
  });
  const [stack] = readdirSync(join(outdir, "stacks"));
  return join(outdir, "stacks", stack);
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
