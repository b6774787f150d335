import { TerraformVariable } from "cdktf";
import { emptyStack, standardCluster } from "./support/stacks";
import { Template } from "./support/template";

function clusterOf(deletionProtection?: boolean): any {
  const stack = emptyStack();
  standardCluster(stack, { deletionProtection });
  return Template.of(stack).resource("google_container_cluster");
}

test("a plan that would destroy or replace a protected cluster fails, before anything is touched", () => {
  for (const cluster of [clusterOf(), clusterOf(true)]) {
    expect(cluster.deletion_protection).toBe(true);
    expect(cluster.lifecycle.prevent_destroy).toBe(true);
  }
});

test("a cluster without protection may be destroyed and replaced", () => {
  const cluster = clusterOf(false);

  expect(cluster.deletion_protection).toBe(false);
  expect(cluster.lifecycle).not.toHaveProperty("prevent_destroy");
});

test("a protection that only Terraform knows is refused", () => {
  const stack = emptyStack();
  const variable = new TerraformVariable(stack, "protected", { type: "bool" }).booleanValue;

  expect(() => standardCluster(stack, { deletionProtection: variable as any })).toThrow(
    new Error(
      "'deletionProtection' must be true or false, not a reference: Terraform decides on 'prevent_destroy' before it knows (at stack/cluster)",
    ),
  );
});
