// Compiles lib/ into dist/lib and puts the chart and the programs of Jobs beside it, where the constructs look for it.
import { execFileSync } from "node:child_process";
import { cpSync, rmSync } from "node:fs";

rmSync("dist", { recursive: true, force: true });
execFileSync(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "tsconfig.build.json"], {
  stdio: "inherit",
});
for (const folder of ["charts", "jobs"]) {
  cpSync(`lib/${folder}`, `dist/lib/${folder}`, { recursive: true });
}
