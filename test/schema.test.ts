import { ContainerCluster } from "@cdktf/provider-google/lib/container-cluster";
import { DataGoogleClientConfig } from "@cdktf/provider-google/lib/data-google-client-config";
import { GoogleProvider } from "@cdktf/provider-google/lib/provider";
import { HelmProvider } from "@cdktf/provider-helm/lib/provider";
import { Release } from "@cdktf/provider-helm/lib/release";
import { NamespaceV1 } from "@cdktf/provider-kubernetes/lib/namespace-v1";
import { KubernetesProvider } from "@cdktf/provider-kubernetes/lib/provider";
import { Fn, TerraformOutput, TerraformStack, Testing } from "cdktf";
import { Configuration } from "./support/configuration";
import { providerSchemas, schemaProblems } from "./support/schema";

/** A configuration with one resource. */
function resource(type: string, body: Record<string, unknown>): Configuration {
  return { resource: { [type]: { this: body } } };
}

const bucket = (body: Record<string, unknown>) =>
  resource("google_storage_bucket", { name: "bucket", location: "US", ...body });
const release = (body: Record<string, unknown>) =>
  resource("helm_release", { name: "ray", chart: "./chart", ...body });
const cluster = (body: Record<string, unknown>) =>
  resource("google_container_cluster", { name: "cluster", ...body });

/** A configuration with one output that refers to an attribute of a cluster, a release or a data source. */
const output = (value: string): Configuration => ({
  ...cluster({}),
  data: { google_client_config: { client: {} } },
  output: { it: { value } },
});

test("a stack made with the provider classes has no problems", () => {
  const stack = new TerraformStack(Testing.app(), "stack");
  new GoogleProvider(stack, "google", { project: "my-project", defaultLabels: { team: "ray" } });
  const client = new DataGoogleClientConfig(stack, "client");
  const gke = new ContainerCluster(stack, "cluster", {
    name: "cluster",
    location: "us-west1-b",
    initialNodeCount: 1,
    removeDefaultNodePool: true,
    resourceLabels: { team: "ray" },
    workloadIdentityConfig: { workloadPool: "my-project.svc.id.goog" },
    lifecycle: { ignoreChanges: ["initial_node_count", "node_config[0].labels"] },
    timeouts: { create: "40m" },
  });
  const access = { host: `https://${gke.endpoint}`, token: client.accessToken };
  const kubernetes = new KubernetesProvider(stack, "kubernetes", {
    ...access,
    alias: "cluster",
    clusterCaCertificate: Fn.base64decode(gke.masterAuth.clusterCaCertificate),
  });
  const helm = new HelmProvider(stack, "helm", { alias: "cluster", kubernetes: access });
  const namespace = new NamespaceV1(stack, "namespace", {
    metadata: { name: "ray", labels: { team: Fn.lookup(gke.resourceLabels, "team", "none") } },
    dependsOn: [gke],
    provider: kubernetes,
  });
  new Release(stack, "release", {
    name: "ray",
    chart: "./chart",
    namespace: namespace.metadata.name,
    set: [{ name: "a", value: "b" }],
    values: [Fn.jsonencode({ cluster: gke.name })],
    provider: helm,
  });
  new TerraformOutput(stack, "pool", { value: gke.workloadIdentityConfig.workloadPool });

  expect(schemaProblems(stack)).toEqual([]);
});

describe("an attribute", () => {
  test("that is misspelt is a problem", () => {
    expect(schemaProblems(bucket({ uniform_bucket_level_acces: true }))).toEqual([
      "google_storage_bucket.this: 'uniform_bucket_level_acces' is not in the schema",
    ]);
  });

  test("that is misspelt inside a block is a problem", () => {
    expect(schemaProblems(bucket({ versioning: { enable: true } }))).toEqual([
      "google_storage_bucket.this: 'versioning.enable' is not in the schema",
      "google_storage_bucket.this: 'versioning.enabled' is required",
    ]);
  });

  test("that is required and missing or null is a problem", () => {
    expect(schemaProblems(resource("google_storage_bucket", { name: null }))).toEqual([
      "google_storage_bucket.this: 'location' is required",
      "google_storage_bucket.this: 'name' is required",
    ]);
  });

  test("that only the provider decides cannot be set", () => {
    expect(schemaProblems(bucket({ self_link: "https://example.com" }))).toEqual([
      "google_storage_bucket.this: 'self_link' is decided by the provider and cannot be set",
    ]);
  });

  test.each([
    [
      "a number",
      cluster({ initial_node_count: "three" }),
      `'initial_node_count' must be a number, got "three"`,
    ],
    ["a bool", bucket({ force_destroy: 1 }), "'force_destroy' must be a bool, got 1"],
    ["a string", bucket({ storage_class: ["A"] }), `'storage_class' must be a string, got ["A"]`],
    [
      "a list",
      cluster({ node_locations: "us-west1-b" }),
      `'node_locations' must be a list, got "us-west1-b"`,
    ],
    ["a list of strings", release({ values: [{ a: 1 }] }), `'values[0]' must be a string, got {"a":1}`],
    ["an object", bucket({ labels: ["a"] }), `'labels' must be an object, got ["a"]`],
    ["a map of strings", bucket({ labels: { a: {} } }), "'labels.a' must be a string, got {}"],
  ])("that takes %s is a problem with anything else", (_type, configuration, problem) => {
    expect(schemaProblems(configuration)).toEqual([
      expect.stringMatching(/_(bucket|cluster|release)\.this: /),
    ]);
    expect(schemaProblems(configuration)[0].replace(/^\S+: /, "")).toBe(problem);
  });

  test("may be an expression, null, or what Terraform converts", () => {
    expect(
      schemaProblems(
        bucket({
          force_destroy: "${var.force}",
          labels: "${var.labels}",
          default_event_based_hold: "true",
          rpo: null,
          retention_policy: { retention_period: "60" },
          storage_class: "${var.a}-${var.b}",
        }),
      ),
    ).toEqual([]);
  });

  test("that takes a number is a problem with a text around an expression", () => {
    expect(schemaProblems(cluster({ initial_node_count: "1${var.zeros}" }))).toEqual([
      `google_container_cluster.this: 'initial_node_count' must be a number, got "1\${var.zeros}"`,
    ]);
  });
});

describe("a block", () => {
  test("may be one object or a list of them", () => {
    expect(schemaProblems(bucket({ versioning: { enabled: true } }))).toEqual([]);
    expect(schemaProblems(bucket({ versioning: [{ enabled: true }] }))).toEqual([]);
  });

  test("that is given too often is a problem", () => {
    expect(schemaProblems(bucket({ versioning: [{ enabled: true }, { enabled: false }] }))).toEqual([
      "google_storage_bucket.this: 'versioning' must be given at most 1 time(s), got 2",
    ]);
  });

  test("that must be given and is missing is a problem", () => {
    expect(schemaProblems(resource("kubernetes_namespace_v1", {}))).toEqual([
      "kubernetes_namespace_v1.this: 'metadata' must be given at least 1 time(s), got 0",
    ]);
  });

  test("cannot be a text or an expression", () => {
    expect(schemaProblems(bucket({ versioning: "${var.versioning}" }))).toEqual([
      `google_storage_bucket.this: 'versioning' must be an object, got "\${var.versioning}"`,
    ]);
  });
});

describe("an attribute with a nested type", () => {
  test("is checked as a value: a list stays a list", () => {
    expect(schemaProblems(release({ set: [{ name: "a", value: "b" }] }))).toEqual([]);
    expect(schemaProblems(release({ set: { name: "a", value: "b" } }))).toEqual([
      `helm_release.this: 'set' must be a list, got {"name":"a","value":"b"}`,
    ]);
  });

  test("is checked inside", () => {
    expect(schemaProblems(release({ set: [{ nam: "a" }], timeouts: { creat: "5m" } }))).toEqual([
      "helm_release.this: 'set.nam' is not in the schema",
      "helm_release.this: 'set.name' is required",
      "helm_release.this: 'timeouts.creat' is not in the schema",
    ]);
  });

  test("is a single object in the helm provider, not the block of its older versions", () => {
    const helm = (kubernetes: unknown) => ({ provider: { helm: [{ alias: "a", kubernetes }] } });

    expect(schemaProblems(helm({ host: "https://10.0.0.1", token: "${var.token}" }))).toEqual([]);
    expect(schemaProblems(helm([{ host: "https://10.0.0.1" }]))).toEqual([
      `provider helm.a: 'kubernetes' must be an object, got [{"host":"https://10.0.0.1"}]`,
    ]);
    expect(schemaProblems(helm({ hots: "https://10.0.0.1" }))).toEqual([
      "provider helm.a: 'kubernetes.hots' is not in the schema",
    ]);
  });
});

describe("meta-arguments", () => {
  test("are accepted beside the schema", () => {
    expect(
      schemaProblems(
        bucket({
          "//": { metadata: { path: "stack/bucket" } },
          depends_on: ["google_project_service.storage"],
          provider: "google.other",
          count: 2,
          lifecycle: { prevent_destroy: true, ignore_changes: ["labels", "versioning[0].enabled"] },
        }),
      ),
    ).toEqual([]);
    expect(
      schemaProblems(bucket({ for_each: "${var.names}", lifecycle: { ignore_changes: "all" } })),
    ).toEqual([]);
  });

  test("are problems when they are not what Terraform expects", () => {
    expect(
      schemaProblems(
        bucket({
          depends_on: ["${google_project_service.storage}"],
          provider: { alias: "a" },
          lifecycle: { ignore_changes: ["label"], prevent_destruction: true },
        }),
      ),
    ).toEqual([
      `google_storage_bucket.this: 'depends_on' must be a list of addresses, got ["\${google_project_service.storage}"]`,
      `google_storage_bucket.this: 'provider' must be a provider's name and alias, got {"alias":"a"}`,
      "google_storage_bucket.this: 'lifecycle.prevent_destruction' is not in the schema",
      "google_storage_bucket.this: 'lifecycle.ignore_changes' names 'label', which is not in the schema",
    ]);
  });

  test("of a resource are not accepted in a provider", () => {
    expect(schemaProblems({ provider: { google: [{ project: "p", depends_on: [] }] } })).toEqual([
      "provider google: 'depends_on' is not in the schema",
    ]);
  });
});

describe("a reference", () => {
  test.each([
    "${google_container_cluster.this.endpoint}",
    "${google_container_cluster.this}",
    "${google_container_cluster.this.master_auth[0].cluster_ca_certificate}",
    "${google_container_cluster.this.master_auth[*].cluster_ca_certificate}",
    '${google_container_cluster.this.resource_labels["team"]}',
    "${google_container_cluster.this.resource_labels.team}",
    "${google_container_cluster.this.timeouts.create}",
    "${data.google_client_config.client.access_token}",
    "${var.anything.at.all}",
  ])("%s leads to an attribute", (reference) => {
    expect(schemaProblems(output(reference))).toEqual([]);
  });

  test.each([
    ["google_container_cluster.this.endpoints", "'endpoints' is not in the schema"],
    ["google_container_cluster.this.master_auth[0].certificate", "'certificate' is not in the schema"],
    [
      "google_container_cluster.this.master_auth.cluster_ca_certificate",
      "'master_auth' is a list, an index must come before 'cluster_ca_certificate'",
    ],
    ["google_container_cluster.this.endpoint.host", "'endpoint' is a string and has no parts"],
    ["google_container_cluster.this[0].endpoint", "an attribute's name is expected instead of an index"],
    ["google_container_cluster.this.node_locations[0]", "'node_locations' is a set and has no index"],
    ["data.google_client_config.client.token", "'token' is not in the schema"],
  ])("%s is a problem", (reference, problem) => {
    expect(schemaProblems(output(`x-\${${reference}}`))).toEqual([
      `output.it: reference '${reference}': ${problem}`,
    ]);
  });

  test("to a repeated resource starts with an index", () => {
    expect(
      schemaProblems({
        ...bucket({ count: 2 }),
        output: { first: { value: "${google_storage_bucket.this[0].url}" } },
      }),
    ).toEqual([]);
  });
});

describe("the extract", () => {
  test("says when it lacks a type", () => {
    expect(
      schemaProblems({ ...resource("kubernetes_manifest", {}), data: { google_folder: { f: {} } } }),
    ).toEqual([
      "kubernetes_manifest.this: the schema extract has no resource kubernetes_manifest, add it to scripts/extract-schema.mjs",
      "data.google_folder.f: the schema extract has no data google_folder, add it to scripts/extract-schema.mjs",
    ]);
  });

  test("says when it is of another provider version", () => {
    expect(
      schemaProblems({
        terraform: { required_providers: { google: { source: "google", version: "6.49.0" } } },
      }),
    ).toEqual(["terraform: provider google is 6.49.0, the schema extract is of 6.50.0"]);
  });

  test("records the versions of the three providers", () => {
    const versions = Object.values(providerSchemas).map(({ provider, version }) => `${provider} ${version}`);

    expect(versions).toEqual([
      "hashicorp/google 6.50.0",
      "hashicorp/helm 3.1.1",
      "hashicorp/kubernetes 2.38.0",
    ]);
  });
});
