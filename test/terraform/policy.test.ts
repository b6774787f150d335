import { execFileSync, spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { renderedObjects } from "../../rehearsal/terraform/rendered";
import { allApps, synthesizeApp } from "../support/apps";

/** What the default stack leaves to its user, each one prop away; docs/gke-workload-identity-cluster.md names them. */
const LEFT_TO_THE_USER = {
  CKV_GCP_20: "authorized networks",
  CKV_GCP_62: "bucket access log",
  CKV_GCP_65: "Google Groups for RBAC",
  CKV_GCP_66: "binary authorization",
  CKV_GCP_78: "bucket versioning",
  CKV_K8S_15: "the proxy's image by its digest, which need not be pulled again",
  CKV_K8S_43: "the proxy's image by its digest",
};

/** What is as it is in the Kubernetes objects of all apps, and why. */
const ACCEPTED = {
  CKV2_K8S_6: "the pods of the gates take no connections, and the namespace of a gate holds nothing else",
  CKV_K8S_8: "KubeRay adds the liveness probes of Ray's containers",
  CKV_K8S_9: "KubeRay adds the readiness probes of Ray's containers",
  CKV_K8S_15: "images are named by their versions, so that a node that has one needs no registry",
  CKV_K8S_22:
    "Ray writes to its container: logs, spilled objects, and the packages that a runtime_env installs",
  CKV_K8S_40: "the images' own users own their files: 1000 in Ray's",
  CKV_K8S_43: "images are named by their versions; 'image' takes a digest",
};

const checkov = process.env.CHECKOV ?? "checkov";
const available = spawnSync(checkov, ["--version"]).status === 0;
const maybe = available ? test : test.skip;
if (!available)
  console.warn("skipped: checkov is not installed (name it by the environment variable CHECKOV)");

/** The checks that fail on the files of a folder, and how many pass. */
function scan(framework: string, fill: (folder: string) => void): { failed: string[]; passed: number } {
  const folder = mkdtempSync(join(tmpdir(), "policy-"));
  try {
    fill(folder);
    const options = ["--directory", folder, "--framework", framework, "--output", "json", "--soft-fail"];
    const { results, summary } = JSON.parse(
      execFileSync(checkov, options, {
        encoding: "utf8",
        maxBuffer: 2 ** 26,
        stdio: ["ignore", "pipe", "ignore"],
      }),
    );
    const failed: string[] = results.failed_checks.map(({ check_id: id }: { check_id: string }) => id);
    return { failed: [...new Set(failed)].sort(), passed: summary.passed };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The pods that the operator makes of a RayCluster, since a scanner does not know that type. */
function podsOf({ metadata, spec }: any): any[] {
  return [spec.headGroupSpec, ...spec.workerGroupSpecs].map(({ groupName = "head", template }) => ({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { ...template.metadata, name: `${metadata.name}-${groupName}`, namespace: metadata.namespace },
    spec: template.spec,
  }));
}

/** The chart's objects for the end of a Ray cluster, with the pod that main.ts gives them. */
function drainManifest(): string {
  const template = resolve(__dirname, "../../lib/charts/manifests/templates/drain.yaml");
  const { resource } = JSON.parse(
    readFileSync(join(synthesizeApp("main.ts")["ray-platform"].dir, "cdk.tf.json"), "utf8"),
  );
  const values = Object.values<any>(resource.helm_release).map(({ values: [text] }) => JSON.parse(text));
  const { pod } = values.find(({ drain }) => drain !== undefined).drain;
  return readFileSync(template, "utf8")
    .replace(/^\{\{-.*\}\}\n?/gm, "")
    .replaceAll("{{ .timeoutSeconds }}", "180")
    .replace("{{- toYaml .pod | nindent 6 }}", () => JSON.stringify(pod))
    .replace(/\{\{ \.\w+ \}\}/g, "any-name");
}

maybe(
  "a policy scanner finds only what is left to the user",
  () => {
    const { dir } = synthesizeApp("main.ts")["ray-platform"];

    const { failed, passed } = scan("terraform_json", (folder) =>
      copyFileSync(join(dir, "cdk.tf.json"), join(folder, "cdk.tf.json")),
    );

    expect(failed).toEqual(Object.keys(LEFT_TO_THE_USER));
    expect(passed).toBeGreaterThan(20);
  },
  60_000,
);

maybe(
  "in the Kubernetes objects of all apps a policy scanner finds only what is accepted",
  () => {
    const objects = allApps()
      .flatMap((app) => Object.values(synthesizeApp(app)))
      .flatMap(({ dir }) => renderedObjects(dir));
    const pods = objects.filter(({ kind }) => kind === "RayCluster").flatMap(podsOf);

    const { failed, passed } = scan("kubernetes", (folder) => {
      [...objects, ...pods].forEach((object, index) =>
        writeFileSync(join(folder, `${index}.json`), JSON.stringify(object)),
      );
      writeFileSync(join(folder, "drain.yaml"), drainManifest());
    });

    expect(pods.length).toBeGreaterThan(10);
    expect(failed).toEqual(Object.keys(ACCEPTED).sort());
    expect(passed).toBeGreaterThan(1000);
  },
  60_000,
);
