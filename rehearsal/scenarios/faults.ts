import { setTimeout as sleep } from "node:timers/promises";
import type { RequestMatch } from "../google/faults";
import { KubeError } from "../node/kube-client";
import { expect, Scenario, Stage } from "../stage/stage";
import { TerraformRun } from "../terraform/command";
import { errorsByAddress, errorsOf } from "../terraform/terraform";
import { DefaultStack, expectEqual } from "./support/default-stack";
import { googleFaults } from "./google-faults";
import { interruptions } from "./interruptions";

const API_SERVER_DOWN_MS = 10_000;

const SERVICE_ACCOUNT: RequestMatch = { method: "POST", path: /\/serviceaccounts(\?|$)/ };
const RAY_CLUSTER: RequestMatch = { method: "POST", path: /\/rayclusters(\?|$)/ };

/** The API server goes away for a while, as on a zonal cluster: while an object and while the Helm release is made. */
async function apiServerRestarted(stage: Stage): Promise<void> {
  const stack = await DefaultStack.open(stage);
  const { door, terraform } = stack;
  for (const creation of [SERVICE_ACCOUNT, RAY_CLUSTER]) {
    const hold = door.faults.hold(creation);
    const apply = terraform.startApply();
    const reached = await Promise.race([hold.reached.then(() => true), apply.finished.then(() => false)]);
    if (!reached)
      throw new Error(`no ${creation.path} was asked for: ${errorsOf((await apply.finished).output)}`);
    stage.step(`API server restarted at ${creation.path}`);
    const restarted = stage.node.restartApiServer(API_SERVER_DOWN_MS);
    await untilUnreachable(stage);
    hold.release();
    const run = await apply.finished;
    await restarted;
    expect(run.exitCode !== 0 && /EOF|unreachable/.test(run.output), "no clear error", errorsOf(run.output));
  }
  stage.step("repair");
  const [{ address, message }] = errorsByAddress(await terraform.tryApply());
  await stack.repair(address, message);
  await terraform.apply();
  // What was made and could not be read back is made again, which is no harm before there are pods.
  stack.expectMadeOnce(/^rayclusters$/);
  await stack.close();
}

/** An API server that is about to end still answers for a while, with errors. */
async function untilUnreachable(stage: Stage): Promise<void> {
  const answers = () =>
    stage.node.client.getText("/readyz").then(
      () => true,
      (error) => error instanceof KubeError,
    );
  while (await answers()) await sleep(100);
}

/** Tokens live an hour, and an apply may take longer. */
async function expiredToken(stage: Stage): Promise<void> {
  const stack = await DefaultStack.open(stage);
  const { site, door, terraform } = stack;

  stage.step("the token expires in mid-apply");
  const hold = door.faults.hold(SERVICE_ACCOUNT);
  const apply = terraform.startApply("-parallelism=1");
  const stopped = await Promise.race([hold.reached.then(() => true), apply.finished.then(() => false)]);
  expect(stopped, "the apply did not come to the service account");
  const refused = { match: { path: /./ }, status: 401, times: Infinity } as const;
  site.google.faults.fail(refused);
  door.faults.fail({ ...refused, message: "Unauthorized" });
  hold.release();
  expectUnauthorized(await apply.finished);
  site.google.faults.clear();
  door.faults.clear();
  await terraform.apply();
  const planned = (await terraform.stateList()).sort();
  const rayCluster = await stage.ray("ray", "raycluster-mini").object();

  stage.step("apply with an expired token");
  terraform.setEnv({ GOOGLE_OAUTH_ACCESS_TOKEN: "ya29.expired" });
  expectUnauthorized(await terraform.tryApply());
  terraform.setEnv(site.terraformEnv);
  expectEqual((await terraform.stateList()).sort(), planned, "Terraform forgot something");
  await stage.expectNothingToDo(terraform);

  stage.step("only Helm is refused");
  door.faults.fail({ match: { path: /\/secrets/ }, status: 401, times: Infinity, message: "Unauthorized" });
  expectUnauthorized(await terraform.tryApply());
  door.faults.clear();
  // The provider forgets a release that it may not read.
  const releases = planned.filter((address) => address.startsWith("helm_release."));
  const state = await terraform.stateList();
  expect(
    releases.length > 0 && !releases.some((release) => state.includes(release)),
    "the releases were not forgotten",
  );
  await terraform.apply();
  expectEqual((await terraform.stateList()).sort(), planned, "Terraform forgot something");
  const { metadata } = await stage.ray("ray", "raycluster-mini").object();
  expect(metadata.uid === rayCluster.metadata.uid, "the RayCluster was made anew", metadata);
  await stack.close();
}

function expectUnauthorized({ exitCode, output }: TerraformRun): void {
  expect(exitCode !== 0, "an apply succeeded with an expired token");
  expect(
    /Unauthorized|provide credentials|invalid authentication credentials|Invalid Credentials/.test(output),
    "no clear error",
    errorsOf(output),
  );
}

export const faults: readonly Scenario[] = [
  ...googleFaults,
  ...interruptions,
  {
    name: "api-server-restart",
    title: "the API server restarts in mid-apply; the next apply goes on, or after a documented step",
    needs: ["pods", "terraform"],
    long: true,
    run: apiServerRestarted,
  },
  {
    name: "expired-token",
    title: "the token expires before and during an apply; it says so, and nothing is forgotten",
    needs: ["pods", "terraform"],
    long: true,
    run: expiredToken,
  },
];
