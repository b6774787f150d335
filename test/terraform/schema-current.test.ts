import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { SCHEMA_FOLDER } from "../support/schema";
import { testWithPlugins } from "../support/terraform";

function filesOf(folder: string): Record<string, string[]> {
  return Object.fromEntries(
    readdirSync(folder).map((file) => [file, readFileSync(join(folder, file), "utf8").split("\n")]),
  );
}

testWithPlugins("the committed schema extract is what the providers say today", () => {
  const folder = mkdtempSync(join(tmpdir(), "schema-"));
  try {
    execFileSync(process.execPath, [resolve(__dirname, "../../scripts/extract-schema.mjs"), folder]);

    expect(filesOf(folder)).toEqual(filesOf(SCHEMA_FOLDER));
  } finally {
    rmSync(folder, { recursive: true });
  }
});
