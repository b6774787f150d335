import { execFileSync, spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { synthesizeApp } from "../support/apps";

/** What the default stack leaves to its user, each one prop away; docs/gke-workload-identity-cluster.md names them. */
const LEFT_TO_THE_USER = {
  CKV_GCP_20: "authorized networks",
  CKV_GCP_25: "private nodes",
  CKV_GCP_62: "bucket access log",
  CKV_GCP_64: "private nodes",
  CKV_GCP_65: "Google Groups for RBAC",
  CKV_GCP_66: "binary authorization",
  CKV_GCP_69: "the metadata server, which the node pools set and not the cluster",
  CKV_GCP_78: "bucket versioning",
};

const checkov = process.env.CHECKOV ?? "checkov";
const available = spawnSync(checkov, ["--version"]).status === 0;
const maybe = available ? test : test.skip;
if (!available)
  console.warn("skipped: checkov is not installed (name it by the environment variable CHECKOV)");

maybe(
  "a policy scanner finds only what is left to the user",
  () => {
    const { dir } = synthesizeApp("main.ts")["ray-platform"];
    const folder = mkdtempSync(join(tmpdir(), "policy-"));
    copyFileSync(join(dir, "cdk.tf.json"), join(folder, "cdk.tf.json"));
    const arguments_ = [
      "-f",
      join(folder, "cdk.tf.json"),
      "--framework",
      "terraform_json",
      "-o",
      "json",
      "--soft-fail",
    ];
    const report = JSON.parse(
      execFileSync(checkov, arguments_, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }),
    );
    rmSync(folder, { recursive: true });
    const findings = report.results.failed_checks.map(({ check_id: id }: { check_id: string }) => id);

    expect([...new Set(findings)].sort()).toEqual(Object.keys(LEFT_TO_THE_USER));
    expect(report.summary.passed).toBeGreaterThan(20);
  },
  60_000,
);
