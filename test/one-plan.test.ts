import { Testing } from "cdktf";
import { RayPlatformStack } from "../lib";
import { allApps, synthesizeApp } from "./support/apps";
import { Configuration } from "./support/configuration";
import { Graph, GraphEdge } from "./support/graph";
import { mustWaitFor } from "./support/must-wait-for";

const MUST_NOT_WAIT_FOR_THE_CLUSTER = [
  "google_storage_bucket",
  "google_service_account",
  "google_project_service",
];

/** What must wait for something and does not. */
function broken(graph: Graph, rows: GraphEdge[]): GraphEdge[] {
  return rows.filter(({ from, to }) => !graph.dependsOn(from, to));
}

const stacks: [string, Configuration][] = allApps().flatMap((app) =>
  Object.entries(synthesizeApp(app)).map(([name, { json }]): [string, Configuration] => [name, json]),
);
const autopilot = synthesizeApp("main.ts", { RAY_AUTOPILOT: "true" })["ray-platform"].json;
stacks.push(["ray-platform on Autopilot", autopilot]);

describe.each(stacks)("the plan of %s", (_name, json) => {
  const graph = Graph.of(json);

  test("has no cycle and no reference that leads nowhere", () => {
    expect(graph.cycles()).toEqual([]);
    expect(graph.unresolvedReferences()).toEqual([]);
  });

  test("makes everything wait for what it needs", () => {
    expect(broken(graph, mustWaitFor(json))).toEqual([]);
  });

  test("makes buckets and accounts while the cluster is made", () => {
    const early = MUST_NOT_WAIT_FOR_THE_CLUSTER.flatMap((type) => graph.addressesOfType(type));
    const clusters = graph.addressesOfType("google_container_cluster");

    expect(early.filter((address) => clusters.some((cluster) => graph.dependsOn(address, cluster)))).toEqual(
      [],
    );
  });
});

describe("the default stack", () => {
  const json: Configuration = JSON.parse(Testing.synth(new RayPlatformStack(Testing.app(), "stack")));
  const graph = Graph.of(json);
  const rows = mustWaitFor(json);
  const release = graph
    .addressesOfType("helm_release")
    .find((address) => address.includes(".ray_ray-cluster_"))!;

  test("starts Ray pods only after their grants, binding, account, policy, operator, nodes and cluster", () => {
    const waitedFor = rows.filter(({ from }) => from === release).map(({ to }) => to.replace(/\..*/, ""));

    expect([...new Set(waitedFor)].sort()).toEqual([
      "google_container_cluster",
      "google_container_node_pool",
      "google_project_iam_member",
      "google_service_account_iam_member",
      "google_storage_bucket_iam_member",
      "helm_release",
      "kubernetes_job_v1",
      "kubernetes_namespace_v1",
      "kubernetes_network_policy_v1",
      "kubernetes_service_account_v1",
    ]);
  });

  test("breaks a row when any one depends_on is taken away that makes something wait", () => {
    const explicit = Object.entries<any>(json.resource).flatMap(([type, resources]) =>
      Object.entries<any>(resources).flatMap(([name, body]) =>
        (body.depends_on ?? []).map((to: string) => ({ from: `${type}.${name}`, to })),
      ),
    );
    const harmless = explicit.filter(({ from, to }) => {
      const mutated = graph.withoutEdge(from, to);
      return !mutated.dependsOn(from, to) && broken(mutated, rows).length === 0;
    });

    expect(explicit.length).toBeGreaterThan(20);
    expect(harmless).toEqual([]);
  });

  test("notices each row that does not hold any more", () => {
    const unnoticed = rows.filter(({ from, to }) => {
      const waitsFor = graph.dependents(to);
      const mutated = waitsFor.reduce((rest, address) => rest.withoutEdge(address, to), graph);
      return !broken(mutated, rows).some((row) => row.from === from && row.to === to);
    });

    expect(rows.length).toBeGreaterThan(30);
    expect(unnoticed).toEqual([]);
  });

  test("takes the Ray cluster away before its rights, its operator and its nodes", () => {
    const position = new Map(destroyOrder(graph).map((address, index) => [address, index]));
    const tooEarly = rows.filter(({ from, to }) => position.get(to)! <= position.get(from)!);

    expect(tooEarly).toEqual([]);
    expect(position.get(release)).toBeLessThan(position.get(graph.addressesOfType("kubernetes_job_v1")[0])!);
  });

  test("has a critical path of cluster, node pool, operator and Ray cluster, after the APIs and the nodes' account", () => {
    const { path } = graph.criticalPath(typicalSeconds);
    const types = path.map((address) => address.replace(/\..*/, ""));

    expect(types.filter((type) => type !== "google_project_service")).toEqual([
      // The nodes that GKE makes with a cluster run as it too.
      "google_service_account",
      "google_container_cluster",
      "google_container_node_pool",
      "kubernetes_namespace_v1",
      "kubernetes_job_v1",
      "helm_release",
    ]);
    expect(path.find((address) => address.startsWith("kubernetes_namespace_v1"))).toMatch(
      /ray-operator-addon/,
    );
  });
});

/** How long each thing takes on Google's side, roughly, in seconds. */
function typicalSeconds(address: string): number {
  const seconds: { [type: string]: number } = {
    google_project_service: 20,
    google_container_cluster: 420,
    google_container_node_pool: 90,
    google_service_account: 12,
    google_service_account_iam_member: 8,
    google_project_iam_member: 8,
    google_storage_bucket: 3,
    google_storage_bucket_iam_member: 6,
    kubernetes_namespace_v1: 1,
    kubernetes_service_account_v1: 1,
    kubernetes_network_policy_v1: 1,
    kubernetes_job_v1: 60,
    helm_release: 3,
  };
  return seconds[address.replace(/\..*/, "")] ?? 0;
}

/** Terraform destroys a resource once nothing is left that waits for it. */
function destroyOrder(graph: Graph): string[] {
  const left = new Set(graph.addresses());
  const order: string[] = [];
  while (left.size > 0) {
    const free = [...left].filter((address) => !graph.dependents(address).some((other) => left.has(other)));
    free.forEach((address) => left.delete(address));
    order.push(...free);
  }
  return order;
}

test("two clusters of one stack do not wait for each other", () => {
  const graph = Graph.of(synthesizeApp("examples/two-clusters.ts")["two-clusters"].json);
  const of = (name: string) => graph.addresses().filter((address) => address.includes(`.${name}`));
  const [training] = of("training_cluster");
  const [serving] = of("serving_cluster");

  expect(of("serving").filter((address) => graph.dependsOn(address, training))).toEqual([]);
  expect(of("training").filter((address) => graph.dependsOn(address, serving))).toEqual([]);
  expect(graph.dependsOn(of("serving-ray_ray-cluster"), serving)).toBe(true);
});

test("of two stacks the second reads what it refers to from the first one's state", () => {
  const { platform, team } = synthesizeApp("examples/two-stacks.ts");
  const [[name, output]] = Object.entries<any>(platform.json.output);
  const grants = Object.values<any>(team.json.resource.google_storage_bucket_iam_member);

  expect(output.value).toMatch(/^\$\{google_storage_bucket\..*\.name\}$/);
  for (const { bucket } of grants) {
    expect(bucket).toBe(
      `\${data.terraform_remote_state.cross-stack-reference-input-platform.outputs.${name}}`,
    );
  }
});
