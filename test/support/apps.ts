import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { Configuration } from "./configuration";

export { allApps } from "../../rehearsal/terraform/apps";

const ROOT = resolve(__dirname, "../..");

export interface SynthesizedStack {
  /** The parsed cdk.tf.json. */
  readonly json: Configuration;
  /** The folder that holds it, with the assets beside it; removed after the test file's last test. */
  readonly dir: string;
}

const folders: string[] = [];
afterAll(() => folders.splice(0).forEach((folder) => rmSync(folder, { recursive: true })));

/**
 * Runs an app and returns its stacks by name.
 *
 * @param file path of the app, from the root of the repository unless absolute; it ends with `app.synth()`
 * @param environment the environment variables that the app shall see besides those of the test run
 */
export function synthesizeApp(
  file: string,
  environment: Record<string, string> = {},
): Record<string, SynthesizedStack> {
  const folder = mkdtempSync(join(tmpdir(), "synthesized-"));
  folders.push(folder);
  withEnvironment({ ...environment, CDKTF_OUTDIR: folder }, () =>
    jest.isolateModules(() => jest.requireActual(resolve(ROOT, file))),
  );
  if (!existsSync(join(folder, "manifest.json"))) {
    throw new Error(`${file} did not synthesize: it must end with app.synth()`);
  }
  return readStacks(folder);
}

function withEnvironment(environment: Record<string, string>, run: () => void): void {
  const before = Object.keys(environment).map((name) => [name, process.env[name]] as const);
  Object.assign(process.env, environment);
  try {
    run();
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) {
        delete process.env[name];
      } else {
        process.env[name] = value;
      }
    }
  }
}

function readStacks(folder: string): Record<string, SynthesizedStack> {
  const manifest = JSON.parse(readFileSync(join(folder, "manifest.json"), "utf8"));
  const stacks = Object.entries<{ workingDirectory: string; synthesizedStackPath: string }>(manifest.stacks);
  return Object.fromEntries(
    stacks.map(([name, { workingDirectory, synthesizedStackPath }]) => [
      name,
      {
        json: JSON.parse(readFileSync(join(folder, synthesizedStackPath), "utf8")),
        dir: join(folder, workingDirectory),
      },
    ]),
  );
}
