import { expect, Scenario, Stage } from "../stage/stage";
import { synthesize } from "../terraform/apps";
import { requireDone } from "../terraform/terraform";
import { GooglePart, PROTECTED, requireFailed } from "./support/google-part";

const SETTINGS = { RAY_ENABLE_APIS: "false", RAY_FORCE_DESTROY_BUCKET: "true" };

/** What a protected stack answers to a destroy and to another location, and that it goes when the protection is off. */
async function protection(stage: Stage): Promise<void> {
  stage.step("apply");
  const part = await GooglePart.open(stage, "protection", SETTINGS);
  const { google, terraform } = part;
  const first = JSON.stringify(google.snapshot());
  requireDone(await part.apply());
  const state = await terraform.stateList();
  const before = google.requests.all().length;

  stage.step("destroy");
  requireFailed(await terraform.startDestroy().finished, PROTECTED);
  stage.step("another location");
  await terraform.update(await synthesize("main.ts", { ...SETTINGS, RAY_LOCATION: "us-west1-a" }));
  requireFailed(await part.apply(), PROTECTED);
  const changes = google.requests
    .all()
    .slice(before)
    .filter(({ method, path }) => method !== "GET" && !path.includes(":getIamPolicy"));
  expect(changes.length === 0, "something was changed", changes);
  expect((await terraform.stateList()).join() === state.join(), "Terraform forgot something");

  stage.step("apply without protection, and destroy");
  await terraform.update(await synthesize("main.ts", { ...SETTINGS, RAY_DELETION_PROTECTION: "false" }));
  requireDone(await part.apply());
  await terraform.destroy();
  expect(JSON.stringify(google.snapshot()) === first, "something is left in the project", google.snapshot());
  await google.stop();
  terraform.remove();
}

export const deletionProtection: Scenario = {
  name: "deletion-protection",
  title: "a destroy and another location fail at plan while the cluster is protected, and touch nothing",
  needs: ["terraform"],
  run: protection,
};
