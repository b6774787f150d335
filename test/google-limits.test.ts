import { TerraformVariable } from "cdktf";
import { bucketAccess, emptyStack, existingCluster, standardCluster } from "./support/stacks";
import { Template } from "./support/template";

const LONG = "team-recommendations-offline-training";

test("the display name of an account is as long as Google lets it be", () => {
  const displayNameOf = (clusterName: string) => {
    const stack = emptyStack();
    bucketAccess(stack, existingCluster(stack, { clusterName }), {
      namespace: LONG,
      serviceAccountName: "ray-feature-pipeline-workers",
    });
    return Template.of(stack).resource("google_service_account").display_name;
  };

  expect(displayNameOf("ray")).toBe(`Pods of ${LONG}/ray-feature-pipeline-workers on ray`);
  const cut = displayNameOf("a-cluster-for-feature-pipelines-in-asia");
  expect(cut).toBe(`Pods of ${LONG}/ray-feature-pipeline-workers on a-cluster-for-featu...`);
  expect(cut).toHaveLength(100);
});

test("Terraform cuts what it alone knows", () => {
  const stack = emptyStack();
  const clusterName = new TerraformVariable(stack, "cluster_name", { type: "string" }).stringValue;
  standardCluster(stack, { clusterName });

  expect(Template.of(stack).resource("google_service_account").display_name).toBe(
    '${substr("Nodes of the GKE cluster ${var.cluster_name}", 0, 100)}',
  );
});

test("the description of a grant is as long as Google lets it be, and its condition is whole", () => {
  const stack = emptyStack();
  const objectPrefix = `${"checkpoints-of-a-long-run/".repeat(12)}`;
  bucketAccess(stack, existingCluster(stack), { objectPrefix });
  const [{ condition }] = Template.of(stack)
    .resources("google_storage_bucket_iam_member")
    .filter((grant) => grant.condition);

  expect(condition.description).toHaveLength(256);
  expect(condition.description).toMatch(/^Objects whose names begin with checkpoints.*\.\.\.$/);
  expect(condition.expression).toContain(objectPrefix);
});

test("an age of 0 days reaches Cloud Storage, and a rule has a condition", () => {
  const ruleOf = (rule: object) => {
    const stack = emptyStack();
    bucketAccess(stack, existingCluster(stack), { lifecycleRules: [rule] });
    return Template.of(stack).resource("google_storage_bucket").lifecycle_rule[0].condition;
  };

  expect(ruleOf({ ageDays: 0 })).toEqual({ age: 0, send_age_if_zero: true });
  expect(ruleOf({ ageDays: 0, prefixes: ["tmp/"] })).toMatchObject({ age: 0, send_age_if_zero: true });
  expect(ruleOf({ ageDays: 7 })).toEqual({ age: 7 });
  expect(ruleOf({ prefixes: ["tmp/"] })).toEqual({ matches_prefix: ["tmp/"] });
  expect(() => ruleOf({ prefixes: [] })).toThrow(
    new Error(
      `'lifecycleRules[0]' must have at least one of 'ageDays', 'newerVersions' and 'prefixes', got {"prefixes":[]} (at stack/bucket)`,
    ),
  );
});
