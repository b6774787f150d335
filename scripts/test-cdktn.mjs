// Runs the unit tests with CDK Terrain in the place of cdktf, as docs/cdktn.md says a project can have it:
// `npm run test:cdktn -- [--folder=FOLDER] [arguments for jest]`. A folder that is named is kept, as a project of its own.
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const CDKTN = "npm:cdktn@0.24.0";
const SOURCES = ["bench", "docs", "examples", "lib", "rehearsal", "scripts", "test"];
const FILES = [
  "CHANGELOG.md",
  "CONTRIBUTING.md",
  "README.md",
  "cdktf.json",
  "jest.config.mjs",
  "main.ts",
  "tsconfig.json",
];
/** What compiles and tests; the rest of what develops the library is not needed. */
const NEEDED =
  /^(@cdktf\/|@types\/|cdktf$|constructs$|jest(-environment-node)?$|ts-jest$|ts-node$|typescript$)/;

const root = fileURLToPath(new URL("..", import.meta.url));
const named = process.argv.find((argument) => argument.startsWith("--folder="))?.slice("--folder=".length);
const jestArguments = process.argv.slice(2).filter((argument) => !argument.startsWith("--folder="));
const folder = named === undefined ? mkdtempSync(join(tmpdir(), "cdktn-")) : resolve(named);
try {
  mkdirSync(folder, { recursive: true });
  for (const path of [...SOURCES, ...FILES]) {
    cpSync(join(root, path), join(folder, path), { recursive: true });
  }
  writeFileSync(join(folder, "package.json"), JSON.stringify(aliasedPackage(), null, 2));
  const installed = run("npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--prefer-offline");
  if (installed !== 0) throw new Error("npm install failed");
  const { name, version } = JSON.parse(readFileSync(join(folder, "node_modules/cdktf/package.json"), "utf8"));
  console.error(`unit tests with ${name} ${version} in ${folder}`);
  process.exitCode = run("npx", "jest", "--selectProjects", "unit", ...jestArguments);
} finally {
  if (named === undefined) rmSync(folder, { recursive: true });
}

function aliasedPackage() {
  const own = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const needed = Object.entries(own.devDependencies).filter(([name]) => NEEDED.test(name));
  const providers = needed.map(([name]) => name).filter((name) => name.startsWith("@cdktf/"));
  return {
    ...own,
    devDependencies: { ...Object.fromEntries(needed), cdktf: CDKTN },
    overrides: Object.fromEntries(providers.map((name) => [name, { cdktf: "$cdktf" }])),
  };
}

function run(command, ...args) {
  return spawnSync(command, args, { cwd: folder, stdio: ["ignore", 2, 2] }).status ?? 1;
}
