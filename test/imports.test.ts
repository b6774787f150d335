import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

const ROOT = resolve(__dirname, "..");

function sources(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts"))
    .map((file) => join(folder, file));
}

const library = sources("lib");

/** Provider classes that are loaded when a module of the library is loaded. */
function providerModulesOf(module: string): string[] {
  const script = `
    require("ts-node").register({ transpileOnly: true });
    require("./lib/${module}");
    const loaded = Object.keys(require.cache).map((file) => /@cdktf.provider-([^]*)index\\.js$/.exec(file)?.[1]);
    console.log(JSON.stringify(loaded.filter(Boolean)));`;
  const loaded: string[] = JSON.parse(
    execFileSync(process.execPath, ["-e", script], { cwd: ROOT, encoding: "utf8" }),
  );
  return loaded
    .map((file) => file.split(/[/\\]/).filter(Boolean))
    .filter((parts) => parts.length === 3)
    .map(([provider, , name]) => `${provider}/${name}`)
    .sort();
}

test.each(library.concat("main.ts", sources("examples")))(
  "%s imports no index of a provider package",
  (file) => {
    const text = readFileSync(join(ROOT, file), "utf8");

    expect(text).not.toMatch(/from ["']@cdktf\/provider-\w+["']/);
  },
);

test("the library never asks whether something is an instance of a cdktf class, which a second copy is not", () => {
  const asking = library.filter((file) => /instanceof/.test(readFileSync(join(ROOT, file), "utf8")));

  expect(asking).toEqual([]);
});

test("the library never adds a dependency to a construct's node, which cdktf ignores", () => {
  const adding = library.filter((file) => /node\.addDependency/.test(readFileSync(join(ROOT, file), "utf8")));

  expect(adding).toEqual([]);
});

test("a construct imported by its own path loads only its own provider classes", () => {
  expect(providerModulesOf("ray-bucket-access")).toEqual([
    "google/data-google-project",
    "google/service-account",
    "google/service-account-iam-member",
    "google/storage-bucket",
    "google/storage-bucket-iam-member",
    "kubernetes/annotations",
    "kubernetes/namespace-v1",
    "kubernetes/service-account-v1",
  ]);
  expect(providerModulesOf("ray-cluster")).toEqual([
    "helm/release",
    "kubernetes/cluster-role-binding-v1",
    "kubernetes/namespace-v1",
    "kubernetes/network-policy-v1",
    "kubernetes/role-binding-v1",
    "kubernetes/role-v1",
    "kubernetes/service-account-v1",
  ]);
  expect(providerModulesOf("runtime-env-netrc")).toEqual(["kubernetes/secret-v1"]);
  expect(providerModulesOf("ray-auth-proxy")).toEqual([
    "kubernetes/cluster-role-binding-v1",
    "kubernetes/config-map-v1",
    "kubernetes/role-binding-v1",
    "kubernetes/role-v1",
    "kubernetes/service-account-v1",
  ]);
  expect(providerModulesOf("skypilot-service-account")).toEqual([
    "helm/release",
    "kubernetes/cluster-role-binding-v1",
    "kubernetes/cluster-role-v1",
    "kubernetes/namespace-v1",
    "kubernetes/resource-quota-v1",
    "kubernetes/role-binding-v1",
    "kubernetes/role-v1",
    "kubernetes/secret-v1",
    "kubernetes/service-account-v1",
  ]);
});
