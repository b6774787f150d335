// Writes what the tests need of the provider schemas: `node scripts/extract-schema.mjs [folder]`, test/schema unless
// given. Needs terraform, and the three providers where `terraform init` finds them.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const providers = {
  google: {
    version: "6.50.0",
    resources: [
      "google_container_cluster",
      "google_container_node_pool",
      "google_project_iam_member",
      "google_project_service",
      "google_service_account",
      "google_service_account_iam_member",
      "google_storage_bucket",
      "google_storage_bucket_iam_member",
    ],
    dataSources: ["google_client_config", "google_container_cluster", "google_project"],
    ephemeralResources: ["google_service_account_access_token"],
  },
  helm: {
    version: "3.1.1",
    resources: ["helm_release"],
    dataSources: [],
    ephemeralResources: [],
  },
  kubernetes: {
    version: "2.38.0",
    resources: [
      "kubernetes_annotations",
      "kubernetes_cluster_role_binding_v1",
      "kubernetes_cluster_role_v1",
      "kubernetes_config_map_v1",
      "kubernetes_deployment_v1",
      "kubernetes_job_v1",
      "kubernetes_labels",
      "kubernetes_namespace_v1",
      "kubernetes_network_policy_v1",
      "kubernetes_pod_disruption_budget_v1",
      "kubernetes_resource_quota_v1",
      "kubernetes_role_binding_v1",
      "kubernetes_role_v1",
      "kubernetes_secret_v1",
      "kubernetes_service_account_v1",
      "kubernetes_service_v1",
    ],
    dataSources: ["kubernetes_config_map_v1"],
    ephemeralResources: [],
  },
};

const target = process.argv[2] ?? fileURLToPath(new URL("../test/schema", import.meta.url));
const schemas = providerSchemas();
mkdirSync(target, { recursive: true });
for (const [name, { version, resources, dataSources, ephemeralResources }] of Object.entries(providers)) {
  const schema = schemas[`registry.terraform.io/hashicorp/${name}`];
  const extract = {
    provider: `hashicorp/${name}`,
    version,
    configuration: compactBlock(schema.provider.block),
    resources: compactTypes(schema.resource_schemas, resources),
    dataSources: compactTypes(schema.data_source_schemas, dataSources),
    ephemeralResources: compactTypes(schema.ephemeral_resource_schemas, ephemeralResources),
  };
  writeFileSync(join(target, `${name}.json`), `${print(extract)}\n`);
}

function providerSchemas() {
  const folder = mkdtempSync(join(tmpdir(), "provider-schemas-"));
  const required = Object.entries(providers).map(([name, { version }]) => [
    name,
    { source: `hashicorp/${name}`, version },
  ]);
  try {
    writeFileSync(
      join(folder, "main.tf.json"),
      JSON.stringify({ terraform: { required_providers: Object.fromEntries(required) } }),
    );
    terraform(folder, "init", "-input=false", "-no-color");
    return JSON.parse(terraform(folder, "providers", "schema", "-json")).provider_schemas;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function terraform(cwd, ...args) {
  return execFileSync("terraform", args, { cwd, encoding: "utf8", maxBuffer: 2 ** 28, stdio: "pipe" });
}

function compactTypes(schemas, names) {
  return Object.fromEntries(
    names.map((name) => {
      if (schemas?.[name] === undefined) {
        throw new Error(`the provider has no ${name}`);
      }
      return [name, compactBlock(schemas[name].block)];
    }),
  );
}

/** A block keeps `attributes` as [how, type], `nested` for attributes with a type of their own, and `blocks`. */
function compactBlock({ attributes = {}, block_types: blocks = {} }) {
  const plain = Object.entries(attributes).filter(([, attribute]) => attribute.nested_type === undefined);
  const nested = Object.entries(attributes).filter(([, attribute]) => attribute.nested_type !== undefined);
  return withoutEmpty({
    attributes: mapValues(plain, (attribute) => [how(attribute), attribute.type]),
    nested: mapValues(nested, (attribute) => ({
      how: how(attribute),
      nesting: attribute.nested_type.nesting_mode,
      ...compactBlock(attribute.nested_type),
    })),
    blocks: mapValues(Object.entries(blocks), (block) => ({
      nesting: block.nesting_mode,
      ...(block.min_items === undefined ? {} : { min: block.min_items }),
      ...(block.max_items === undefined ? {} : { max: block.max_items }),
      ...compactBlock(block.block),
    })),
  });
}

function how({ required, optional, computed }) {
  if (required) {
    return "required";
  }
  return [optional && "optional", computed && "computed"].filter(Boolean).join(" ");
}

function mapValues(list, compact) {
  return Object.fromEntries(list.map(([name, value]) => [name, compact(value)]));
}

function withoutEmpty(record) {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => Object.keys(value).length > 0));
}

/** JSON with one line an attribute. */
function print(value, indent = "") {
  if (Array.isArray(value) || value === null || typeof value !== "object") {
    return JSON.stringify(value);
  }
  const deeper = `${indent}  `;
  const lines = Object.entries(value).map(
    ([key, child]) => `${deeper}${JSON.stringify(key)}: ${print(child, deeper)}`,
  );
  return lines.length === 0 ? "{}" : `{\n${lines.join(",\n")}\n${indent}}`;
}
