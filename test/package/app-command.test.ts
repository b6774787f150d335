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
function runApp(environment: Record<string, string> = {}) {
  const { app } = JSON.parse(readFileSync(join(project, "cdktf.json"), "utf8"));
  const env = { ...process.env, ...environment };
  const { status, stdout, stderr } = spawnSync(app, { cwd: project, env, encoding: "utf8", shell: true });
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

test.each([
  [
    "RAY_NAMSPACE",
    "x",
    /^RAY_NAMSPACE is no setting: the nearest is RAY_NAMESPACE. Rename it, or unset it\n$/,
  ],
  [
    "RAY_MACHINE_TYPE",
    "e2-medium",
    /^Validation failed.*\n {2}\[ray-platform\/ray\] 'head' must .*\n {2}\[.*'workerGroups\[0\]' must /,
  ],
])(
  "%s=%s is answered by what is wrong with it, without a stack trace",
  (name, value, expected) => {
    const { status, output } = runApp({ [name]: value });

    expect(status).toBe(1);
    expect(output).toMatch(expected);
    expect(output).not.toMatch(/\n +at /);
  },
  30_000,
);
