// Compiles the library with jsii, which refuses a public face that other languages could not have: `npm run check:jsii`.
// It happens in a copy, because jsii writes its own tsconfig.json and wants fields of package.json that npm does not.
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

// `namespace` is Kubernetes' own word. Peers are pinned at versions that were tried together, not at their lowest.
const SILENCED = ["language-compatibility/reserved-word", "metadata/missing-dev-dependency"].map(
  (warning) => `--silence-warnings=${warning}`,
);
const root = fileURLToPath(new URL("..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "jsii-"));
try {
  cpSync(join(root, "lib"), join(folder, "lib"), { recursive: true });
  cpSync(join(root, "README.md"), join(folder, "README.md"));
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  writeFileSync(join(folder, "package.json"), JSON.stringify(jsiiPackage(), null, 2));
  const jsii = fileURLToPath(import.meta.resolve("jsii/bin/jsii"));
  const env = { ...process.env, JSII_SILENCE_SUPPORT_WARNING: "1" };
  const { status } = spawnSync(process.execPath, [jsii, "--fail-on-warnings", ...SILENCED], {
    cwd: folder,
    env,
    stdio: "inherit",
  });
  process.exitCode = status ?? 1;
} finally {
  rmSync(folder, { recursive: true });
}

function jsiiPackage() {
  const { name, version, description, license, peerDependencies, devDependencies } = JSON.parse(
    readFileSync(join(root, "package.json"), "utf8"),
  );
  return {
    name,
    version,
    description,
    license,
    main: "lib/index.js",
    types: "lib/index.d.ts",
    author: { name },
    repository: { type: "git", url: "https://example.com/" },
    peerDependencies,
    devDependencies,
    stability: "experimental",
    jsii: { outdir: "dist", targets: {}, versionFormat: "short" },
  };
}
