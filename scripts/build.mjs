// Compiles lib/ into dist/lib and puts the chart beside it, where the constructs look for it.
import { execFileSync } from "node:child_process";
import { cpSync, rmSync } from "node:fs";

rmSync("dist", { recursive: true, force: true });
execFileSync(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "tsconfig.build.json"], {
  stdio: "inherit",
});
cpSync("lib/charts", "dist/lib/charts", { recursive: true });
