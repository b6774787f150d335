import { TerraformVariable } from "cdktf";
import { Construct } from "constructs";
import { GkeClusterAttributes, GkeWorkloadIdentityCluster, IGkeWorkloadIdentityCluster } from "../lib";
import { emptyStack, existingCluster, standardCluster } from "./support/stacks";
import { Template } from "./support/template";

const SIDECAR = "give the proxy 'placement: RayAuthProxyPlacement.HEAD_SIDECAR'";

/** A construct of the cluster's stack whose protection depends on network policies. */
function ask(cluster: IGkeWorkloadIdentityCluster, id = "auth"): void {
  cluster.requireNetworkPolicyEngine(new Construct(cluster.node.scope!, id));
}

function ofAttributes(attributes: Partial<GkeClusterAttributes>): IGkeWorkloadIdentityCluster {
  return GkeWorkloadIdentityCluster.fromClusterAttributes(emptyStack(), "cluster", {
    clusterName: "my-cluster",
    location: "us-west1",
    workloadIdentityPool: "my-project-id.svc.id.goog",
    ...attributes,
  });
}

/** What is wrong with the tree when everything is in it. */
function problemsOf(cluster: GkeWorkloadIdentityCluster): string[] {
  return cluster.node.validate();
}

test("a cluster of ours enforces network policies, Standard and Autopilot", () => {
  for (const autopilot of [false, true]) {
    const cluster = standardCluster(emptyStack(), { autopilot });
    ask(cluster);

    expect(problemsOf(cluster)).toEqual([]);
  }
});

test("an override that leaves a cluster of ours without an engine is refused where one is needed", () => {
  const cluster = standardCluster(emptyStack());
  cluster.resource.addOverride("datapath_provider", "LEGACY_DATAPATH");
  expect(problemsOf(cluster)).toEqual([]);

  ask(cluster);

  expect(problemsOf(cluster)).toEqual([
    `'resource' must enforce network policies, on which stack/auth depends: leave Dataplane V2 on (datapath_provider), or ${SIDECAR}`,
  ]);
});

test.each<[string, string, (datapath: string) => unknown]>([
  ["the older engine", "network_policy", () => ({ enabled: true })],
  ["the older engine, as a list", "network_policy", () => [{ enabled: true, provider: "CALICO" }]],
  ["a datapath that Terraform alone knows", "datapath_provider", (datapath) => datapath],
])("an override to %s is an engine too", (_what, path, value) => {
  const stack = emptyStack();
  const cluster = standardCluster(stack);
  const { stringValue } = new TerraformVariable(stack, "datapath", { type: "string" });
  cluster.resource.addOverride("datapath_provider", "LEGACY_DATAPATH");
  cluster.resource.addOverride(path, value(stringValue));
  ask(cluster);

  expect(problemsOf(cluster)).toEqual([]);
});

test("a cluster that is looked up is asked when Terraform plans, once and only where it matters", () => {
  const stack = emptyStack();
  const cluster = existingCluster(stack);
  const postconditions = () =>
    Template.of(stack).dataSources("google_container_cluster")[0].lifecycle.postcondition;
  const before = postconditions().length;

  ask(cluster);
  ask(cluster, "other");

  expect(postconditions().slice(before)).toEqual([
    {
      condition:
        '${self.datapath_provider == "ADVANCED_DATAPATH" || try(self.network_policy[0].enabled, false)}',
      error_message: `The cluster my-cluster does not enforce network policies, without which every pod of the cluster gets past stack/auth. Turn Dataplane V2 or network policy enforcement on, or ${SIDECAR}.`,
    },
  ]);
});

test("of a cluster known by its attributes it must be stated, except of Autopilot", () => {
  for (const attributes of [{ networkPolicyEngine: true }, { autopilot: true }]) {
    expect(() => ask(ofAttributes(attributes))).not.toThrow();
  }
  const message =
    "'networkPolicyEngine' must be true, which states that the cluster enforces network policies: " +
    `where it does not, every pod of the cluster gets past stack/auth; or ${SIDECAR}`;

  expect(() => ask(ofAttributes({}))).toThrow(new Error(`${message} (at stack/cluster)`));
  for (const autopilot of [false, true]) {
    expect(() => ask(ofAttributes({ autopilot, networkPolicyEngine: false }))).toThrow(
      new Error(`${message}, got false (at stack/cluster)`),
    );
  }
});
