import { expect, Scenario, Stage } from "../stage/stage";
import { synthesize } from "../terraform/apps";

const TENANTS = 50;

async function manyTenants(stage: Stage): Promise<void> {
  const stack = await synthesize("rehearsal/scenarios/support/tenants-app.ts");
  const site = await stage.site();
  await stage.begin();
  const first = site.google.snapshot();

  stage.step("apply");
  const terraform = await site.terraform(stack);
  await terraform.apply();
  const { buckets, bindings, serviceAccounts } = site.google.snapshot();
  expect(buckets.length === TENANTS, "not every tenant has a bucket", buckets);
  // The nodes have an account too.
  expect(serviceAccounts.length === TENANTS + 1, "not every tenant has an account", serviceAccounts);
  // Each tenant's account is granted two roles on its bucket, and its pods one on the account.
  expect(bindings.length === 3 * TENANTS + 1, "not every tenant has its grants", bindings);
  const rayClusters = await stage.node.client.list("/apis/ray.io/v1/rayclusters");
  const namespaces = new Set(rayClusters.map(({ metadata }) => metadata.namespace));
  expect(namespaces.size === TENANTS, "not every tenant has a Ray cluster", [...namespaces]);
  await headPods(stage);
  await stage.expectNothingToDo(terraform);

  stage.step("destroy");
  await terraform.destroy();
  await stage.expectNothingLeft(site, first);
}

/** The operator keeps up: each Ray cluster gets its head, which waits for a node. */
async function headPods(stage: Stage): Promise<void> {
  stage.step("head pods");
  const heads = `/api/v1/pods?labelSelector=${encodeURIComponent("ray.io/node-type=head")}`;
  await stage.node.waitFor("a head for each tenant", 120_000, async () => {
    const pods = await stage.node.client.list(heads);
    return new Set(pods.map(({ metadata }) => metadata.namespace)).size === TENANTS;
  });
}

export const tenants: readonly Scenario[] = [
  {
    name: "tenants",
    title: "50 Ray clusters with buckets in one apply and one destroy",
    needs: ["pods", "terraform"],
    long: true,
    run: manyTenants,
  },
];
