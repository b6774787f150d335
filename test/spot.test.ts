import { Testing } from "cdktf";
import { GkeNodePool, GkeTaintEffect, KubeRayOperator, RayCluster, RayClusterProps, RayGroup } from "../lib";
import { emptyStack, existingCluster, rayCluster, standardCluster } from "./support/stacks";
import { Template } from "./support/template";

const SPOT = "cloud.google.com/gke-spot";
const TAINT = { key: SPOT, value: "true", effect: "NO_SCHEDULE" };
const TOLERATION = { key: SPOT, value: "true", effect: "NoSchedule" };
const OFF_SPOT = {
  nodeAffinity: {
    requiredDuringSchedulingIgnoredDuringExecution: {
      nodeSelectorTerms: [{ matchExpressions: [{ key: SPOT, operator: "DoesNotExist" }] }],
    },
  },
};

const head: RayGroup = { cpu: 2, memoryGiB: 8 };
const spotPool: GkeNodePool = { name: "spot", machineType: "e2-standard-8", maxNodeCount: 2, spot: true };
const steadyPool: GkeNodePool = { name: "steady", machineType: "e2-standard-8", maxNodeCount: 1 };

function taintsOf(pool: Partial<GkeNodePool>): any {
  const stack = emptyStack();
  standardCluster(stack, { nodePools: [{ ...spotPool, ...pool }] });
  return Template.of(stack).resource("google_container_node_pool").node_config.taint;
}

/** A Ray cluster on a cluster of these pools; the gate tolerates what it is told. */
function synthOn(nodePools: GkeNodePool[], props: Partial<RayClusterProps>, gateTolerations = [TOLERATION]) {
  const stack = emptyStack();
  const cluster = standardCluster(stack, { nodePools });
  const operator = KubeRayOperator.gkeAddon(stack, "operator", { cluster, gateTolerations });
  new RayCluster(stack, "ray", { operator, rayClusterName: "ray", namespace: "ray", head, ...props });
  return Testing.synth(stack, true);
}

/** The head of a Ray cluster on a cluster that exists already, as the operator makes its pod. */
function headOf(more: Partial<RayGroup> = {}, autopilot = false): any {
  const stack = emptyStack();
  const operator = KubeRayOperator.existing(stack, "operator", {
    cluster: existingCluster(stack, { autopilot }),
  });
  new RayCluster(stack, "ray", {
    operator,
    rayClusterName: "ray",
    namespace: "ray",
    head: { ...head, ...more },
  });
  return Template.of(stack).rayCluster().spec.headGroupSpec.template;
}

test("spot nodes have a taint besides those of the user, which they get once", () => {
  const own = { key: "team", value: "a", effect: GkeTaintEffect.NO_EXECUTE };
  const same = { key: SPOT, value: "true", effect: GkeTaintEffect.NO_SCHEDULE };

  expect(taintsOf({})).toEqual([TAINT]);
  expect(taintsOf({ taints: [own] })).toEqual([own, TAINT]);
  expect(taintsOf({ taints: [same, own] })).toEqual([same, own]);
  expect(taintsOf({ spot: false })).toBeUndefined();
});

test("a head is kept off spot nodes, tainted or not", () => {
  expect(headOf().spec).toMatchObject({ affinity: OFF_SPOT });
  expect(headOf().spec).not.toHaveProperty("tolerations");
  expect(headOf({ tolerations: [{ key: "team", operator: "Exists" }] }).spec).toMatchObject({
    affinity: OFF_SPOT,
  });
});

test.each<[string, Partial<RayGroup>]>([
  ["a toleration of the taint", { tolerations: [TOLERATION] }],
  ["a toleration of every taint", { tolerations: [{ operator: "Exists" }] }],
  ["a selector", { nodeSelector: { [SPOT]: "true" } }],
])("a head says by %s that it may be on spot nodes", (_what, more) => {
  expect(headOf(more).spec).not.toHaveProperty("affinity");
});

test("a head with spot is on spot nodes and nowhere else", () => {
  const { spec } = headOf({ spot: true });

  expect(spec.nodeSelector).toEqual({ "iam.gke.io/gke-metadata-server-enabled": "true", [SPOT]: "true" });
  expect(spec.tolerations).toEqual([TOLERATION]);
  expect(spec).not.toHaveProperty("affinity");
});

test("Autopilot puts a head on spot machines only where it selects them", () => {
  for (const property of ["affinity", "nodeSelector", "tolerations"]) {
    expect(headOf({}, true).spec).not.toHaveProperty(property);
  }
  expect(headOf({ spot: true }, true).spec.nodeSelector).toEqual({ [SPOT]: "true" });
  expect(headOf({ spot: true }, true).spec).not.toHaveProperty("tolerations");
});

test("the autoscaler of nodes does not move a head, unless the user lets it", () => {
  const annotation = "cluster-autoscaler.kubernetes.io/safe-to-evict";

  expect(headOf().metadata.annotations).toEqual({ [annotation]: "false" });
  expect(headOf({}, true).metadata.annotations).toEqual({ [annotation]: "false" });
  expect(headOf({ annotations: { [annotation]: "true" } }).metadata.annotations).toEqual({
    [annotation]: "true",
  });
  expect(headOf({ spot: true }, true)).not.toHaveProperty("metadata.annotations");
});

test("the Jobs that wait for a Ray cluster go to spot nodes with its head", () => {
  const { stack } = rayCluster({ waitUntilReady: {}, head: { ...head, spot: true } });
  const template = Template.of(stack);

  expect(template.resource("kubernetes_job_v1").spec.template.spec.toleration).toEqual([TOLERATION]);
  expect(template.releaseValues()[0].drain.pod.tolerations).toEqual([TOLERATION]);
});

describe("on a cluster of spot pools", () => {
  test("nothing runs that does not tolerate their taint", () => {
    const nearest =
      'a node pool of stack/cluster: the nearest, "spot" (e2-standard-8), ' +
      "has the taint cloud.google.com/gke-spot=true:NoSchedule, which is not tolerated" +
      "; nodes from elsewhere are stated by 'otherNodePools' of the cluster or a nodeSelector cloud.google.com/compute-class";

    expect(() => synthOn([spotPool], {}, [])).toThrow(
      new Error(`'gateTolerations' must let the gate run on ${nearest} (at stack/operator)`),
    );
    expect(() => synthOn([spotPool], {})).toThrow(`[stack/ray] 'head' must fit on ${nearest}`);
    const small = { ...steadyPool, machineType: "e2-standard-2" };
    const workers = { groupName: "workers", cpu: 4, memoryGiB: 8, maxReplicas: 1 };
    expect(() =>
      synthOn([spotPool, small], { head: { cpu: 1, memoryGiB: 2 }, workerGroups: [workers] }),
    ).toThrow(`[stack/ray] 'workerGroups[0]' must fit on ${nearest}`);
  });

  test("head and workers run that ask for spot", () => {
    const workers = { groupName: "workers", cpu: 4, memoryGiB: 8, maxReplicas: 1, spot: true };

    expect(() =>
      synthOn([spotPool], { head: { ...head, spot: true }, workerGroups: [workers] }),
    ).not.toThrow();
    expect(() => synthOn([steadyPool, spotPool], { workerGroups: [workers] }, [])).not.toThrow();
  });
});
