import { GOOGLE_USERS, type Site, type SiteOptions } from "../stage/site";
import { expect, Scenario, Stage } from "../stage/stage";
import { synthesize, synthesizeVariant } from "../terraform/apps";
import { errorsOf, type Terraform } from "../terraform/terraform";

const ADMINISTRATOR = "user:administrator@example.com";
const HOUR_SECONDS = 3600;

/** Saves a plan with a token of its own, which has expired when the plan is applied: the account of that time has a new one. */
async function savePlanThatAges(site: Site, terraform: Terraform): Promise<string> {
  const token = site.google.tokens.issue(ADMINISTRATOR, HOUR_SECONDS);
  terraform.setEnv({ GOOGLE_OAUTH_ACCESS_TOKEN: token });
  const plan = await terraform.savePlan();
  site.google.tokens.expire(token);
  terraform.setEnv(site.terraformEnv);
  return plan;
}

/** The token of the Kubernetes providers is read with the plan, so Kubernetes refuses it; a new plan goes on. */
async function refused(stage: Stage): Promise<void> {
  const stack = await synthesize("main.ts", {
    RAY_TERRAFORM_CLOUD_ORGANIZATION: "my-organization",
    RAY_TERRAFORM_CLOUD_WORKSPACE: "ray",
    RAY_ENABLE_APIS: "false",
    RAY_DELETION_PROTECTION: "false",
  });
  const { site, terraform, destroy } = await open(stage, stack);
  stage.step("apply of an old plan");
  const { exitCode, output } = await terraform.tryApply(await savePlanThatAges(site, terraform));
  expect(exitCode !== 0, "an old plan was applied");
  expect(/Error: Unauthorized/.test(output), "no clear error", errorsOf(output));
  const made = await terraform.stateList();
  expect(
    made.some((address) => address.startsWith("google_container_node_pool.")),
    "Google refused too",
    made,
  );
  expect(!made.some((address) => /^(kubernetes_|helm_)/.test(address)), "Kubernetes took the token", made);

  stage.step("apply of a new plan");
  await terraform.apply();
  await stage.ray("ray", "raycluster-mini").waitForHead();
  await destroy();
}

/** An ephemeral token is asked for anew when the plan is applied. */
async function applied(stage: Stage): Promise<void> {
  const stack = await synthesizeVariant("examples/ephemeral-token.ts", (source) =>
    source.replace("clusterName:", "deletionProtection: false,\n  clusterName:"),
  );
  const seed = { serviceAccounts: [GOOGLE_USERS.deployer.name], impersonated: [GOOGLE_USERS.deployer.name] };
  const { site, terraform, destroy } = await open(stage, stack, { seed });
  stage.step("apply of an old plan");
  await terraform.apply(await savePlanThatAges(site, terraform));
  await stage.ray("ray", "raycluster-mini").waitForHead();
  const state = JSON.stringify(terraform.state());
  expect(!state.includes("ya29."), "a token is in the state");
  expect(!state.includes(site.google.accessToken), "the Google provider's token is in the state");
  await destroy();
}

async function open(stage: Stage, stack: string, options: SiteOptions = {}) {
  const site = await stage.site(options);
  await stage.begin();
  const first = site.google.snapshot();
  const terraform = await site.terraform(stack);
  const destroy = async () => {
    await stage.expectNothingToDo(terraform);
    stage.step("destroy");
    await terraform.destroy();
    await stage.expectNothingLeft(site, first);
  };
  return { site, terraform, destroy };
}

export const savedPlan: readonly Scenario[] = [
  {
    name: "saved-plan",
    title:
      "as in Terraform Cloud, a plan is approved after the token's hour: Kubernetes refuses it, and a new plan goes on",
    needs: ["pods", "terraform"],
    long: true,
    run: refused,
  },
  {
    name: "ephemeral-token",
    title: "with an ephemeral token an old plan is applied, and no token is in the state",
    needs: ["pods", "terraform"],
    long: true,
    run: applied,
  },
];
