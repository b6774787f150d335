import { setTimeout as sleep } from "node:timers/promises";
import { ApiServerDoor } from "../api-server-door";
import { synthesize } from "../apps";
import { CREATIONS, Stops } from "../stops";
import type { Snapshot } from "../google/server";
import { KubeError } from "../node/kube-client";
import type { Site } from "../site";
import { expect, Scenario, Stage } from "../stage";
import { googleFaults } from "./google-faults";
import { errorsOf, Terraform, TerraformRun } from "../terraform";

const PROJECT = "my-project-id";
const CLUSTER = `projects/${PROJECT}/locations/us-west1-b/clusters/cloud-bucket-cluster`;
const ACCOUNTS = `projects/${PROJECT}/serviceAccounts`;
const RELEASE_SECRET = "sh.helm.release.v1.raycluster-mini.v1";

/** What `terraform import` wants for each object of the default stack; docs/recovery.md lists the forms. */
const IMPORT_IDS: readonly (readonly [RegExp, string])[] = [
  [/^google_container_cluster\./, CLUSTER],
  [/^google_container_node_pool\./, `${PROJECT}/us-west1-b/cloud-bucket-cluster/ray`],
  [
    /^google_service_account\.cluster_/,
    `${ACCOUNTS}/cloud-bucket-cluster-nodes@${PROJECT}.iam.gserviceaccount.com`,
  ],
  [/^google_service_account\.bucket_/, `${ACCOUNTS}/my-iam-sa@${PROJECT}.iam.gserviceaccount.com`],
  [/^google_storage_bucket\./, `${PROJECT}-ray`],
  [/^kubernetes_namespace_v1\..*-ray-operator-addon_/, "ray-operator-addon"],
  [/^kubernetes_namespace_v1\..*-ray_/, "ray"],
  [/^kubernetes_service_account_v1\./, "ray/my-ksa"],
  [/^kubernetes_network_policy_v1\./, "ray/raycluster-mini-ray"],
  [/^kubernetes_job_v1\./, "ray-operator-addon/ray-operator-addon-gate"],
];

const API_SERVER_DOWN_MS = 10_000;

/** A grant that is there already is no error: granting twice is granting once. */
const GRANT = /_iam_member\./;

/** The default stack, with Kubernetes behind a door. */
interface Platform {
  readonly site: Site;
  readonly door: ApiServerDoor;
  readonly terraform: Terraform;
  /** What was in the project before. */
  readonly first: Snapshot;
}

async function openPlatform(stage: Stage): Promise<Platform> {
  const stack = await synthesize("main.ts", { RAY_ENABLE_APIS: "false", RAY_DELETION_PROTECTION: "false" });
  const door = await ApiServerDoor.open(stage.node, stage.cache, stage.logDir);
  const site = await stage.site({ cluster: door.target });
  await stage.begin();
  return { site, door, terraform: await site.terraform(stack), first: site.google.snapshot() };
}

/** Whatever happened before: everything is there once, a plan is empty, and a destroy leaves nothing. */
async function closePlatform(stage: Stage, { site, door, terraform, first }: Platform): Promise<void> {
  await stage.expectNothingToDo(terraform);
  stage.step("destroy");
  await terraform.destroy();
  await stage.expectNothingLeft(site, first);
  await door.close();
}

function stopsOf({ site, door }: Platform, options?: ConstructorParameters<typeof Stops>[1]): Stops {
  return new Stops({ google: site.google.faults, kubernetes: door.faults }, options);
}

/** Ctrl-C at each resource in turn, just when it has been made and Terraform does not know yet. */
async function interrupted(stage: Stage): Promise<void> {
  const platform = await openPlatform(stage);
  const { site, terraform } = platform;
  const planned = await plannedAddresses(terraform);
  const stops = stopsOf(platform);
  for (;;) {
    const { apply, stopped } = await stops.apply(terraform);
    if (!stopped) {
      requireDone(await apply.finished);
      break;
    }
    stage.step(`interrupted at ${stopped.address}`);
    apply.interrupt();
    await apply.printed(/Stopping operation/);
    // Terraform tells its plugins just after it has said so.
    await sleep(1000);
    stopped.release();
    await apply.finished;
  }
  expectEqual(stops.addresses, planned, "not every resource was interrupted");
  expectEqual((await terraform.stateList()).sort(), planned, "Terraform lost something");
  expectMadeOnce(stage, site);

  // The provider forgets to remove the pool that came with the cluster; docs/recovery.md says how to.
  const pools = ["us-west1-b/cloud-bucket-cluster/default-pool", "us-west1-b/cloud-bucket-cluster/ray"];
  expectEqual([...site.google.snapshot().nodePools].sort(), pools, "other node pools than known");
  await deleteInGoogle(site.google, `${CLUSTER}/nodePools/default-pool`);
  await closePlatform(stage, platform);
}

/** Power cut at each creation in turn, just when it has been made and Terraform does not know yet. */
async function killed(stage: Stage): Promise<void> {
  const platform = await openPlatform(stage);
  const { site, terraform } = platform;
  const planned = await plannedAddresses(terraform);
  const stops = stopsOf(platform);
  const repaired: string[] = [];
  for (;;) {
    const { apply, stopped } = await stops.apply(terraform);
    if (stopped) {
      stage.step(`killed at ${stopped.address} (${stopped.creation})`);
      apply.kill();
      stopped.release();
      await apply.finished;
      continue;
    }
    const run = await apply.finished;
    if (run.exitCode === 0) break;
    for (const { address, message } of errorsByAddress(run)) {
      expect(!repaired.includes(address), `${address} was repaired, but not for long`, message);
      stage.step(`repair of ${address}`);
      await repair(stage, terraform, address, message);
      repaired.push(address);
    }
  }
  expectEqual(stops.addresses, planned, "not every resource was killed");
  const unrecorded = planned.filter((address) => !GRANT.test(address));
  expectEqual(repaired.sort(), unrecorded, "not every object that Terraform had not recorded gave an error");
  expectMadeOnce(stage, site);
  await closePlatform(stage, platform);
}

/** What docs/recovery.md says. */
async function repair(stage: Stage, terraform: Terraform, address: string, message: string): Promise<void> {
  if (address.startsWith("helm_release.")) {
    expect(/another operation .* is in progress/.test(message), "an unexpected error", message);
    await stage.node.kubectl(["delete", "secret", "-n", "ray", RELEASE_SECRET]);
    return;
  }
  expect(/already exists|already own it/i.test(message), "an unexpected error", message);
  const id = IMPORT_IDS.find(([pattern]) => pattern.test(address))?.[1];
  expect(id !== undefined, `no import id is known for ${address}`);
  await terraform.import(address, id);
}

/** The API server goes away for a while, as on a zonal cluster: while an object and while the Helm release is made. */
async function apiServerRestarted(stage: Stage): Promise<void> {
  const platform = await openPlatform(stage);
  const { site, door, terraform } = platform;
  for (const creation of ["serviceAccount", "rayCluster"] as const) {
    const hold = door.faults.hold(CREATIONS[creation].match);
    const apply = terraform.startApply();
    const reached = await Promise.race([hold.reached.then(() => true), apply.finished.then(() => false)]);
    if (!reached) throw new Error(`no ${creation} was made: ${errorsOf((await apply.finished).output)}`);
    stage.step(`API server restarted at ${creation}`);
    const restarted = stage.node.restartApiServer(API_SERVER_DOWN_MS);
    await untilUnreachable(stage);
    hold.release();
    const run = await apply.finished;
    await restarted;
    expect(run.exitCode !== 0 && /EOF|unreachable/.test(run.output), "no clear error", errorsOf(run.output));
  }
  stage.step("repair");
  const [{ address, message }] = errorsByAddress(await terraform.tryApply());
  await repair(stage, terraform, address, message);
  await terraform.apply();
  // What was made and could not be read back is made again, which is no harm before there are pods.
  expectMadeOnce(stage, site, /^rayclusters$/);
  await closePlatform(stage, platform);
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
  const platform = await openPlatform(stage);
  const { site, door, terraform } = platform;

  stage.step("the token expires in mid-apply");
  const stops = stopsOf(platform, { when: "before", creations: ["serviceAccount"] });
  const { apply, stopped } = await stops.apply(terraform);
  expect(stopped !== undefined, "the apply did not come to the service account");
  const refused = { match: { path: /./ }, status: 401, times: Infinity } as const;
  site.google.faults.fail(refused);
  door.faults.fail({ ...refused, message: "Unauthorized" });
  stopped.release();
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
  const [release] = planned.filter((address) => address.startsWith("helm_release."));
  expect(!(await terraform.stateList()).includes(release), "the release was not forgotten");
  await terraform.apply();
  expectEqual((await terraform.stateList()).sort(), planned, "Terraform forgot something");
  const { metadata } = await stage.ray("ray", "raycluster-mini").object();
  expect(metadata.uid === rayCluster.metadata.uid, "the RayCluster was made anew", metadata);
  await closePlatform(stage, platform);
}

function expectUnauthorized({ exitCode, output }: TerraformRun): void {
  expect(exitCode !== 0, "an apply succeeded with an expired token");
  expect(
    /Unauthorized|provide credentials|invalid authentication credentials|Invalid Credentials/.test(output),
    "no clear error",
    errorsOf(output),
  );
}

async function plannedAddresses(terraform: Terraform): Promise<string[]> {
  return (await terraform.plannedChanges()).map(({ address }) => address).sort();
}

/** Terraform's errors, each with the resource that it is about. */
function errorsByAddress({ output }: TerraformRun): { address: string; message: string }[] {
  const errors = output
    .slice(output.indexOf("Error: "))
    .split(/^Error: /m)
    .slice(1);
  return errors.map((message) => {
    const address = /^ +with (\S+),$/m.exec(message)?.[1];
    expect(address !== undefined, "an error names no resource", message);
    return { address, message };
  });
}

function requireDone(run: TerraformRun): void {
  expect(run.exitCode === 0, `terraform apply failed: ${errorsOf(run.output)}`);
}

/** Nothing was made twice and, but for the pool that GKE makes with a cluster, nothing was deleted. */
function expectMadeOnce(stage: Stage, site: Site, resources = /./): void {
  const terraforms = stage.node.auditEvents().filter(({ user, objectRef, responseStatus }) => {
    const byTerraform = user.username === "rehearsal-admin" && (responseStatus?.code ?? 500) < 300;
    // Helm writes each revision of a release in a Secret of its own.
    return (
      byTerraform &&
      objectRef?.name !== undefined &&
      objectRef.resource !== "secrets" &&
      resources.test(objectRef.resource ?? "")
    );
  });
  const deleted = terraforms.filter(({ verb }) => verb === "delete");
  expect(deleted.length === 0, "objects were deleted", deleted);
  const created = terraforms
    .filter(({ verb }) => verb === "create")
    .map(({ objectRef }) => `${objectRef!.resource} ${objectRef!.namespace ?? ""}/${objectRef!.name}`);
  expect(created.length > 0 && new Set(created).size === created.length, "objects were made twice", created);
  const removed = site.google.requests
    .all()
    .filter(({ method, path, status }) => method === "DELETE" && status < 300 && !/default-pool/.test(path));
  expect(removed.length === 0, "something was deleted in the project", removed);
}

/** What `gcloud` does to delete something. */
async function deleteInGoogle(google: Site["google"], path: string): Promise<void> {
  const headers = { authorization: `Bearer ${google.accessToken}` };
  const answer = await fetch(`${google.url}/v1/${path}`, { method: "DELETE", headers });
  expect(answer.ok, `cannot delete ${path}`, answer.status);
}

function expectEqual(actual: readonly string[], wanted: readonly string[], message: string): void {
  expect(JSON.stringify(actual) === JSON.stringify(wanted), message, { actual, wanted });
}

export const faults: readonly Scenario[] = [
  ...googleFaults,
  {
    name: "interrupted",
    title: "Ctrl-C at each resource in turn; the next apply goes on, and nothing is lost or made twice",
    needs: ["pods", "terraform"],
    long: true,
    run: interrupted,
  },
  {
    name: "killed",
    title: "Terraform killed at each resource in turn; each object it did not record can be imported",
    needs: ["pods", "terraform"],
    long: true,
    run: killed,
  },
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
