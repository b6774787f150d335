import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { terraformDiagnostics, testWithPlugins } from "../support/terraform";

testWithPlugins("the providers refuse an attribute that they do not know", () => {
  const folder = mkdtempSync(join(tmpdir(), "refused-"));
  try {
    const configuration = {
      terraform: { required_providers: { google: { source: "google", version: "6.50.0" } } },
      resource: { google_storage_bucket: { b: { name: "bucket", location: "US", colour: "red" } } },
    };
    writeFileSync(join(folder, "cdk.tf.json"), JSON.stringify(configuration));

    expect(terraformDiagnostics(folder)).toEqual([
      'error: Extraneous JSON object property: No argument or block type is named "colour".',
    ]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
