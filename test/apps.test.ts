import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { renderedObjects } from "../rehearsal/terraform/rendered";
import { Configuration } from "./support/configuration";
import { podsOf, restrictedViolations } from "./support/pod-security";
import { allApps, SynthesizedStack, synthesizeApp } from "./support/apps";
import { schemaProblems } from "./support/schema";

const stacks = allApps().flatMap((app) =>
  Object.entries(synthesizeApp(app)).map(([name, stack]): [string, string, SynthesizedStack] => [
    name,
    app,
    stack,
  ]),
);

/** Whether a text names the repository, the folder that synth ran in, or its output folder. */
function namesThisMachine(text: string, stackFolder: string): boolean {
  return [resolve(__dirname, ".."), process.cwd(), resolve(stackFolder, "../..")].some((path) =>
    text.includes(path),
  );
}

test.each(stacks)("stack %s of %s has only attributes that the providers know", (_name, _app, { json }) => {
  expect(schemaProblems(json)).toEqual([]);
});

test.each(stacks)("stack %s of %s has its chart in its own folder", (_name, _app, { json, dir }) => {
  for (const release of Object.values<any>(json.resource.helm_release ?? {})) {
    if (release.repository !== undefined) continue;
    expect(release.chart).toMatch(/^\.\/assets\//);
    expect(readdirSync(join(dir, release.chart)).sort()).toEqual(["Chart.yaml", "templates", "values.yaml"]);
  }
});

test.each(stacks)("stack %s of %s holds no key, token or password", (_name, _app, { json }) => {
  const text = JSON.stringify(json);
  const tokens = [...text.matchAll(/"(token|password|private_key|client_key)":"([^"]*)"/g)].map(
    ([, , value]) => value,
  );

  expect(
    tokens.filter(
      (value) => !/^\$\{(data\.google_client_config|ephemeral\.\w+)\.[\w-]+\.access_token\}$/.test(value),
    ),
  ).toEqual([]);
});

test.each(stacks)("stack %s of %s uses no resource that the design rules out", (_name, _app, { json }) => {
  const types = Object.keys(json.resource);

  expect(
    types.filter((type) => /_iam_(binding|policy)$|^null_resource$|^kubernetes_manifest$/.test(type)),
  ).toEqual([]);
  expect(
    types.filter((type) => type.startsWith("kubernetes_") && !/_v1$|_annotations$|_labels$/.test(type)),
  ).toEqual([]);
  expect(JSON.stringify(json)).not.toMatch(/local-exec|"exec":/);
});

/** The pods that wait, after a RayCluster was deleted, until its own have ended. */
function drainsOf({ resource }: Configuration): [string, any][] {
  const values = Object.values<any>(resource.helm_release ?? {}).flatMap((release) => release.values ?? []);
  const drains = values
    .filter((text: string) => text.startsWith('{"'))
    .map((text: string) => JSON.parse(text).drain);
  return drains.filter((drain) => drain !== undefined).map(({ name, pod }) => [name, pod]);
}

test.each(stacks)(
  "the pods of stack %s of %s meet the Pod Security Standard restricted",
  (_name, _app, { json, dir }) => {
    for (const [name, pod] of [...renderedObjects(dir).flatMap(podsOf), ...drainsOf(json)]) {
      expect({ [name]: restrictedViolations(pod) }).toEqual({ [name]: [] });
    }
  },
);

test("the main app needs no settings and has today's values of the seed system", () => {
  const { json } = synthesizeApp("main.ts")["ray-platform"];

  expect(Object.values<any>(json.resource.google_container_cluster)[0]).toMatchObject({
    name: "cloud-bucket-cluster",
    location: "us-west1-b",
    deletion_protection: true,
  });
  expect(Object.values<any>(json.resource.google_storage_bucket)[0]).toMatchObject({
    name: "${data.google_client_config.google-client.project}-ray",
    location: "US-WEST1",
    force_destroy: false,
  });
  expect(json.provider.google).toEqual([{ batching: [{ enable_batching: true, send_after: "300ms" }] }]);
});

test("the main app takes its settings from the environment", () => {
  const { json } = synthesizeApp("main.ts", {
    RAY_PROJECT: "my-project-id",
    RAY_LOCATION: "europe-west4",
    RAY_GKE_CLUSTER_NAME: "team",
    RAY_BUCKET_NAME: "team-bucket",
    RAY_NAMESPACE: "team",
    RAY_SERVICE_ACCOUNT_NAME: "team-ksa",
    RAY_GOOGLE_SERVICE_ACCOUNT_ID: "team-gsa",
    RAY_CLUSTER_NAME: "team-ray",
    RAY_VERSION: "2.59.0",
    RAY_ENABLE_APIS: "false",
    RAY_DELETION_PROTECTION: "false",
    RAY_FORCE_DESTROY_BUCKET: "true",
    RAY_SKYPILOT_NAMESPACE: "team-sky",
  })["ray-platform"];

  expect(json.provider.google).toEqual([expect.objectContaining({ project: "my-project-id" })]);
  expect(Object.values<any>(json.resource.google_container_cluster)[0]).toMatchObject({
    name: "team",
    location: "europe-west4",
    project: "my-project-id",
    deletion_protection: false,
  });
  expect(Object.values<any>(json.resource.google_storage_bucket)[0]).toMatchObject({
    name: "team-bucket",
    location: "EUROPE-WEST4",
    force_destroy: true,
  });
  expect(
    Object.values<any>(json.resource.google_service_account).map((account) => account.account_id),
  ).toEqual(expect.arrayContaining(["team-gsa", "team-europe-west4-nodes"]));
  expect(json.resource.google_project_service).toBeUndefined();
  const release = Object.values<any>(json.resource.helm_release).find(({ name }) => name === "team-ray");
  expect(release.namespace).toBe("team");
  expect(release.values[0]).toContain("rayproject/ray:2.59.0");
  expect(json.output.sky_config.value).toContain('namespace: "team-sky"');
});

test("the main app leaves SkyPilot out where it is told so", () => {
  const { json } = synthesizeApp("main.ts", { RAY_SKYPILOT: "false" })["ray-platform"];

  expect(JSON.stringify(json.resource)).not.toContain("skypilot");
  expect(json.output).not.toHaveProperty("sky_config");
});

test("the main app leaves state and runs to Terraform Cloud where one is named", () => {
  const { json, dir } = synthesizeApp("main.ts", {
    RAY_TERRAFORM_CLOUD_ORGANIZATION: "my-organization",
    RAY_TERRAFORM_CLOUD_WORKSPACE: "ray",
  })["ray-platform"];

  expect(json.terraform.cloud).toEqual({ organization: "my-organization", workspaces: { name: "ray" } });
  expect(json.terraform).not.toHaveProperty("backend");
  for (const file of readdirSync(dir, { recursive: true, encoding: "utf8" })) {
    const path = join(dir, file);
    if (statSync(path).isFile()) expect(namesThisMachine(readFileSync(path, "utf8"), dir)).toBe(false);
  }
});

test("without Terraform Cloud the only absolute path is that of the local state", () => {
  const { json, dir } = synthesizeApp("main.ts")["ray-platform"];
  const { backend, ...terraform } = json.terraform;

  expect(Object.keys(backend)).toEqual(["local"]);
  expect(namesThisMachine(JSON.stringify(backend), dir)).toBe(true);
  expect(namesThisMachine(JSON.stringify({ ...json, terraform }), dir)).toBe(false);
});

test("the main app wants organization and workspace of Terraform Cloud together", () => {
  expect(() => synthesizeApp("main.ts", { RAY_TERRAFORM_CLOUD_ORGANIZATION: "my-organization" })).toThrow(
    "RAY_TERRAFORM_CLOUD_ORGANIZATION and RAY_TERRAFORM_CLOUD_WORKSPACE must be given together",
  );
});

test("the main app says which setting is wrong", () => {
  expect(() => synthesizeApp("main.ts", { RAY_AUTOPILOT: "yes" })).toThrow(
    'RAY_AUTOPILOT must be "true" or "false", got "yes"',
  );
});
