import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const ROOT = resolve(__dirname, "../..");

let project: string;

beforeEach(() => {
  project = mkdtempSync(join(tmpdir(), "app-command-"));
  for (const path of ["main.ts", "lib", "cdktf.json", "package.json", "tsconfig.json"]) {
    cpSync(join(ROOT, path), join(project, path), { recursive: true });
  }
  symlinkSync(join(ROOT, "node_modules"), join(project, "node_modules"));
});

afterEach(() => rmSync(project, { recursive: true }));

/** Runs what cdktf.json tells the CLI to run. */
function runApp() {
  const { app } = JSON.parse(readFileSync(join(project, "cdktf.json"), "utf8"));
  const { status, stdout, stderr } = spawnSync(app, { cwd: project, encoding: "utf8", shell: true });
  return { status, output: stdout + stderr };
}

test("the app command of cdktf.json synthesizes the stack", () => {
  expect(runApp()).toEqual({ status: 0, output: "" });
  expect(existsSync(join(project, "cdktf.out/stacks/ray-platform/cdk.tf.json"))).toBe(true);
}, 30_000);

test("the app command of cdktf.json checks types", () => {
  const main = join(project, "main.ts");
  writeFileSync(main, readFileSync(main, "utf8").replace('setting("RAY_LOCATION")', "2"));

  const { status, output } = runApp();

  expect(status).toBe(1);
  expect(output).toMatch(/main\.ts.*error TS2322: Type 'number' is not assignable to type 'string'/);
}, 30_000);
