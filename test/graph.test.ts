import { DataGoogleClientConfig } from "@cdktf/provider-google/lib/data-google-client-config";
import { ContainerCluster } from "@cdktf/provider-google/lib/container-cluster";
import { ContainerNodePool } from "@cdktf/provider-google/lib/container-node-pool";
import { GoogleProvider } from "@cdktf/provider-google/lib/provider";
import { StorageBucket } from "@cdktf/provider-google/lib/storage-bucket";
import { NamespaceV1 } from "@cdktf/provider-kubernetes/lib/namespace-v1";
import { KubernetesProvider } from "@cdktf/provider-kubernetes/lib/provider";
import { Fn, TerraformLocal, TerraformOutput, TerraformStack, TerraformVariable, Testing } from "cdktf";
import { addressOf, Graph } from "./support/graph";

function clusterStack() {
  const stack = new TerraformStack(Testing.app(), "stack");
  const google = new GoogleProvider(stack, "google", { project: "my-project" });
  const client = new DataGoogleClientConfig(stack, "client");
  const cluster = new ContainerCluster(stack, "cluster", { name: "cluster", location: "us-west1-b" });
  const pool = new ContainerNodePool(stack, "pool", { cluster: cluster.name });
  const bucket = new StorageBucket(stack, "bucket", { name: "bucket", location: "US-WEST1" });
  const kubernetes = new KubernetesProvider(stack, "kubernetes", {
    alias: "cluster",
    host: `https://${cluster.endpoint}`,
    token: client.accessToken,
    clusterCaCertificate: Fn.base64decode(cluster.masterAuth.clusterCaCertificate),
  });
  const namespace = new NamespaceV1(stack, "namespace", {
    metadata: { name: "ray" },
    dependsOn: [pool],
    provider: kubernetes,
  });
  return { stack, google, client, cluster, pool, bucket, kubernetes, namespace };
}

/** A configuration of `type.name` resources, each with one value. */
function resources(values: Record<string, unknown>) {
  const resource: Record<string, Record<string, unknown>> = {};
  for (const [address, value] of Object.entries(values)) {
    const [type, name] = address.split(".");
    resource[type] = { ...resource[type], [name]: { value } };
  }
  return { resource };
}

describe("the graph of a stack", () => {
  test("has every block by its Terraform address", () => {
    const { stack, cluster } = clusterStack();
    const local = new TerraformLocal(stack, "local", cluster.name);
    const variable = new TerraformVariable(stack, "variable", { type: "string" });
    const output = new TerraformOutput(stack, "output", { value: local.asString });

    const graph = Graph.of(stack);

    expect(graph.addresses().sort()).toEqual([
      "data.google_client_config.client",
      "google_container_cluster.cluster",
      "google_container_node_pool.pool",
      "google_storage_bucket.bucket",
      "kubernetes_namespace_v1.namespace",
      "local.local",
      "output.output",
      "provider google",
      "provider kubernetes.cluster",
      "var.variable",
    ]);
    expect([local, variable, output].map(addressOf)).toEqual([
      "local.local",
      "var.variable",
      "output.output",
    ]);
    expect(graph.dependsOn(output, cluster)).toBe(true);
    expect(graph.unresolvedReferences()).toEqual([]);
  });

  test("is the same from the stack, its JSON and the parsed JSON", () => {
    const { stack } = clusterStack();
    const json = Testing.synth(stack);

    expect(Graph.of(json).edges()).toEqual(Graph.of(stack).edges());
    expect(Graph.of(JSON.parse(json)).edges()).toEqual(Graph.of(stack).edges());
  });

  test("lets a resource wait for what its provider's configuration refers to", () => {
    const { stack, client, cluster, kubernetes, namespace, pool, bucket } = clusterStack();

    const graph = Graph.of(stack);

    expect(graph.directDependencies(namespace).sort()).toEqual([
      "google_container_node_pool.pool",
      "provider kubernetes.cluster",
    ]);
    expect(graph.dependsOn(namespace, [client, cluster, pool, kubernetes])).toBe(true);
    expect(graph.dependsOn([namespace, pool], cluster)).toBe(true);
    expect(graph.dependsOn(bucket, cluster)).toBe(false);
    expect(graph.dependsOn([namespace, bucket], cluster)).toBe(false);
    expect(graph.allDependencies(pool).sort()).toEqual([
      "google_container_cluster.cluster",
      "provider google",
    ]);
  });

  test("gives a resource without the meta-argument its type's default provider", () => {
    const { stack, google, bucket } = clusterStack();

    expect(Graph.of(stack).dependsOn(bucket, google)).toBe(true);
  });

  test("knows the blocks of a type and what waits directly for a block", () => {
    const { stack, cluster } = clusterStack();

    const graph = Graph.of(stack);

    expect(graph.addressesOfType("google_storage_bucket")).toEqual(["google_storage_bucket.bucket"]);
    expect(graph.addressesOfType("data.google_client_config")).toEqual(["data.google_client_config.client"]);
    expect(graph.addressesOfType("provider google")).toEqual(["provider google"]);
    expect(graph.addressesOfType("provider kubernetes")).toEqual(["provider kubernetes.cluster"]);
    expect(graph.dependents(cluster).sort()).toEqual([
      "google_container_node_pool.pool",
      "provider kubernetes.cluster",
    ]);
  });

  test("refuses to answer about a block that is not there", () => {
    const { stack, bucket } = clusterStack();
    const graph = Graph.of(stack);

    expect(() => graph.dependsOn(bucket, "google_container_cluster.clutser")).toThrow(
      "no block google_container_cluster.clutser in the configuration",
    );
    expect(() => graph.dependsOn(bucket, [])).toThrow(
      "an empty list of nodes waits for everything and for nothing",
    );
  });
});

describe("references", () => {
  test.each([
    ["an attribute", "${a.b.name}"],
    ["a list element", "${a.b[0].name}"],
    ["a splat", "${a.b[*].name}"],
    ["an old splat", "${a.b.list.*.name}"],
    ["a map key", '${a.b.labels["x"]}'],
    ["a computed index", "${x.y.list[a.b.index]}"],
    ["a whole block", "${a.b}"],
    ["a string template", "https://${a.b.endpoint}/path"],
    ["nested functions", '${lookup(merge({"k" = upper(a.b.name)}, {}), "k", "")}'],
    ["a template inside a quoted string", '${jsonencode({"k" = "x-${a.b.name}"})}'],
    ["an arithmetic expression", "${(1 + a.b.count)}"],
    ["a condition", '${x.y.on ? a.b.name : "no"}'],
    ["a for expression", '${[for key, item in a.b.items : "${key}-${item.name}"]}'],
    ["an object made by a for expression", "${{for item in a.b.items : item.name => item.value if item.on}}"],
    ["a template directive", "%{if a.b.on}yes%{endif}"],
    ["JSON in a string", '{"kind":"RayCluster","bucket":"${a.b.name}"}'],
    ["an object key", { "${a.b.name}": "x" }],
    ["a list of objects", [{ deep: [{ deeper: "${a.b.name}" }] }]],
  ])("are found in %s", (_where, value) => {
    const graph = Graph.of(resources({ "a.b": "", "x.y": "", "this.one": value }));

    expect(graph.directDependencies("this.one")).toContain("a.b");
    expect(graph.unresolvedReferences()).toEqual([]);
  });

  test.each([
    ["plain text", "a.b.name"],
    ["an escaped template", "$${a.b.name}"],
    ["an escaped directive", "%%{if a.b.name}"],
    ["a quoted string", '${file("a.b.txt")}'],
    ["a quoted string with an escaped quote", '${file("\\"a.b.txt")}'],
    ["an escaped template in a quoted string", '${upper("$${a.b.name}")}'],
    ["the result of a function", "${one(x.y.list).a.b}"],
    ["the block's own values", '${join("", [each.value, self.name, count.index, path.module])}'],
    ["terraform's own values", "${terraform.workspace}"],
    ["a variable of a for expression", "${[for a in x.y.list : a.b]}"],
    ["a comment", { "//": "${a.b.name}" }],
  ])("are not seen in %s", (_where, value) => {
    const graph = Graph.of(resources({ "a.b": "", "x.y": "", "this.one": value }));

    expect(graph.directDependencies("this.one")).not.toContain("a.b");
    expect(graph.unresolvedReferences()).toEqual([]);
  });

  test("to data sources, ephemeral resources, locals and variables lead to their blocks", () => {
    const graph = Graph.of({
      data: { google_project: { p: {} } },
      ephemeral: { google_token: { t: { project: "${data.google_project.p.id}" } } },
      provider: { kubernetes: { token: "${ephemeral.google_token.t.access_token}" } },
      locals: { name: "${data.google_project.p.number}" },
      variable: { region: {} },
      output: { all: { value: "${local.name}-${var.region}" } },
    });

    expect(graph.directDependencies("output.all")).toEqual(["local.name", "var.region"]);
    expect(graph.dependsOn("output.all", "data.google_project.p")).toBe(true);
    expect(graph.directDependencies("provider kubernetes")).toEqual(["ephemeral.google_token.t"]);
    expect(graph.dependsOn("provider kubernetes", "data.google_project.p")).toBe(true);
  });

  test("are found in depends_on, conditions and replacement triggers, but not in ignored attribute names", () => {
    const graph = Graph.of({
      resource: {
        a: { b: {}, c: {}, d: {}, name: {} },
        this: {
          one: {
            depends_on: ["a.b"],
            lifecycle: {
              ignore_changes: ["a.name"],
              replace_triggered_by: ["a.c.name"],
              precondition: [{ condition: "${a.d.ready}", error_message: "not ready" }],
            },
          },
        },
      },
    });

    expect(graph.directDependencies("this.one").sort()).toEqual(["a.b", "a.c", "a.d"]);
  });

  test("that lead nowhere are reported with the block that makes them", () => {
    const graph = Graph.of({
      resource: {
        google_storage_bucket: { b: { name: "${google_project.missing.id}", depends_on: ["local.gone"] } },
        kubernetes_secret_v1: { s: { provider: "kubernetes.gone" } },
      },
    });

    expect(graph.unresolvedReferences()).toEqual([
      { from: "google_storage_bucket.b", reference: "google_project.missing.id" },
      { from: "google_storage_bucket.b", reference: "local.gone" },
      { from: "kubernetes_secret_v1.s", reference: "provider kubernetes.gone" },
    ]);
  });
});

describe("cycles", () => {
  test("are found, each as the group of its members", () => {
    const graph = Graph.of(
      resources({
        "a.one": "${a.two.x}",
        "a.two": "${a.three.x}",
        "a.three": "${a.one.x}",
        "b.self": "${b.self.x}",
        "c.outside": "${a.one.x}",
      }),
    );

    expect(graph.cycles()).toEqual([["a.one", "a.two", "a.three"], ["b.self"]]);
  });

  test("are absent where everything waits in one direction", () => {
    expect(Graph.of(clusterStack().stack).cycles()).toEqual([]);
  });
});

describe("an edge", () => {
  const chain = Graph.of(
    resources({ "a.one": "", "a.two": "${a.one.x}", "a.three": "${a.two.x} ${a.one.x}" }),
  );

  test("that is taken away no longer makes its block wait", () => {
    expect(chain.withoutEdge("a.two", "a.one").dependsOn("a.two", "a.one")).toBe(false);
    expect(chain.dependsOn("a.two", "a.one")).toBe(true);
  });

  test("that is taken away changes nothing where another way remains", () => {
    expect(chain.withoutEdge("a.three", "a.one").dependsOn("a.three", "a.one")).toBe(true);
  });

  test("that does not exist cannot be taken away", () => {
    expect(() => chain.withoutEdge("a.one", "a.two")).toThrow("a.one does not wait directly for a.two");
  });

  test("is listed with both its ends", () => {
    expect(chain.edges()).toEqual([
      { from: "a.two", to: "a.one" },
      { from: "a.three", to: "a.two" },
      { from: "a.three", to: "a.one" },
    ]);
  });
});

describe("the critical path", () => {
  const seconds: Record<string, number> = {
    "google_container_cluster.cluster": 400,
    "google_container_node_pool.pool": 120,
    "google_storage_bucket.bucket": 5,
    "kubernetes_namespace_v1.namespace": 2,
  };

  test("is the longest chain in seconds, without what takes no time", () => {
    const path = Graph.of(clusterStack().stack).criticalPath((address) => seconds[address] ?? 0);

    expect(path).toEqual({
      path: [
        "google_container_cluster.cluster",
        "google_container_node_pool.pool",
        "kubernetes_namespace_v1.namespace",
      ],
      seconds: 522,
    });
  });

  test("goes through the slower of two branches", () => {
    const graph = Graph.of(resources({ "a.slow": "", "a.quick": "", "a.end": "${a.slow.x} ${a.quick.x}" }));
    const duration = (address: string) => ({ "a.slow": 10, "a.quick": 3, "a.end": 1 })[address]!;

    expect(graph.criticalPath(duration)).toEqual({ path: ["a.slow", "a.end"], seconds: 11 });
  });

  test("does not exist in a graph with a cycle", () => {
    const graph = Graph.of(resources({ "a.one": "${a.two.x}", "a.two": "${a.one.x}" }));

    expect(() => graph.criticalPath(() => 1)).toThrow(
      "a graph with a cycle has no critical path: a.one, a.two",
    );
  });
});
