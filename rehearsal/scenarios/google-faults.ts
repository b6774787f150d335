import type { RequestMatch } from "../google/faults";
import { expect, Scenario, Stage } from "../stage/stage";
import { errorsOf, requireDone } from "../terraform/terraform";
import { BARE_PROJECT } from "../stage/site";
import { GooglePart, PROTECTED, requireFailed } from "./support/google-part";

const CLUSTER = "v1/projects/my-project-id/locations/us-west1-b/clusters/cloud-bucket-cluster";

const request = (method: string, path: RegExp): RequestMatch => ({ method, path });

/** What the default stack is made by in Google's APIs. */
const CREATIONS: readonly RequestMatch[] = [
  request("POST", /\/services\/[^/]+:enable/),
  request("POST", /\/clusters(\?|$)/),
  request("POST", /\/nodePools(\?|$)/),
  request("POST", /\/serviceAccounts(\?|$)/),
  request("POST", /\/projects\/[^/]+:setIamPolicy/),
  request("POST", /\/serviceAccounts\/[^/]+:setIamPolicy/),
  request("POST", /\/storage\/v1\/b\?/),
  request("PUT", /\/storage\/v1\/b\/[^/]+\/iam/),
];

/** What the provider asks besides, to finish a cluster. */
const TO_FINISH: readonly RequestMatch[] = [
  { method: "GET", path: /\/operations\// },
  { method: "DELETE", path: /\/nodePools\/default-pool/ },
];

/** Each kind of request is refused once with 429 or 503: the provider tries again. */
async function busy(stage: Stage): Promise<void> {
  for (const status of [429, 503] as const) {
    stage.step(`${status} to every request that changes something`);
    const part = await GooglePart.open(stage, `busy-${status}`, {}, { enabledApis: BARE_PROJECT });
    const matches = [...CREATIONS, ...TO_FINISH];
    matches.forEach((match) => part.google.faults.fail({ match, status }));
    requireDone(await part.apply());
    const refused = part.google.requests.all().filter((request) => request.status === status);
    expect(
      refused.length === matches.length,
      `not every kind of request was refused with ${status}`,
      refused,
    );
    await part.close();
  }
}

/** Each creation is refused once with 409: grants are tried again, the rest fails and the next apply makes it. */
async function conflicts(stage: Stage): Promise<void> {
  const part = await GooglePart.open(stage, "conflicts", {}, { enabledApis: BARE_PROJECT });
  CREATIONS.forEach((match) => part.google.faults.fail({ match, status: 409 }));
  const failed = new Set<string>();
  for (;;) {
    stage.step("apply");
    const run = await part.apply();
    if (run.exitCode === 0) break;
    requireFailed(run, /Error 409: The operation was aborted/);
    const before = failed.size;
    for (const [, type] of run.output.matchAll(/^ +with ([a-z_]+)\.\S+,$/gm)) failed.add(type);
    expect(failed.size > before, "what failed once fails again", errorsOf(run.output));
  }
  const wanted = [
    "google_container_cluster",
    "google_container_node_pool",
    "google_project_service",
    "google_service_account",
    "google_storage_bucket",
  ];
  expect(JSON.stringify([...failed].sort()) === JSON.stringify(wanted), "other failures than known", [
    ...failed,
  ]);
  await part.close();
}

/** Reads and lists that miss new things are repeated; a policy that names an account too early is not. */
async function late(stage: Stage): Promise<void> {
  const part = await GooglePart.open(
    stage,
    "late",
    { RAY_ENABLE_APIS: "true" },
    {
      enabledApis: ["serviceusage.googleapis.com"],
      consistency: { serviceAccountReads: 3, bucketReads: 3, serviceLists: 3, serviceAccountBindings: 1 },
    },
  );
  stage.step("apply");
  const run = await part.apply();
  requireFailed(run, /Service account \S+ does not exist/);
  const failed = [...run.output.matchAll(/^ +with ([a-z_]+)\.\S+,$/gm)].map(([, type]) => type);
  expect(
    failed.every((type) => type.endsWith("_iam_member")),
    "more failed than grants",
    failed,
  );
  stage.step("apply again");
  requireDone(await part.apply());
  await part.close();
}

/** Terraform does not know whether a cluster that it did not see ready is any good; docs/recovery.md says what to do. */
async function failedCluster(stage: Stage): Promise<void> {
  const settings = { RAY_ENABLE_APIS: "false", RAY_DELETION_PROTECTION: "true" };
  const broken = await GooglePart.open(stage, "broken-cluster", settings);
  stage.step("GKE cannot make the cluster");
  broken.google.faults.failOperation({ type: "CREATE_CLUSTER", message: "Insufficient resources" });
  requireFailed(await broken.apply(), /Insufficient resources/);
  requireFailed(await broken.apply(), PROTECTED);
  await broken.delete(CLUSTER);
  requireDone(await broken.apply());
  await broken.close();

  stage.step("the token expires while GKE makes the cluster");
  const unseen = await GooglePart.open(stage, "unseen-cluster", settings);
  const operations = { path: /\/operations\// };
  unseen.google.faults.fail({ match: operations, status: 401, message: "Request had invalid credentials." });
  requireFailed(await unseen.apply(), /invalid credentials/);
  requireFailed(await unseen.apply(), PROTECTED);
  const [cluster] = (await unseen.terraform.stateList()).filter((name) =>
    /^google_container_cluster/.test(name),
  );
  await unseen.terraform.untaint(cluster);
  requireDone(await unseen.apply());
  await unseen.delete(`${CLUSTER}/nodePools/default-pool`);
  await unseen.close();
}

export const googleFaults: readonly Scenario[] = [
  {
    name: "google-busy",
    title: "429 and 503 to each kind of request once; the apply goes on",
    needs: ["terraform"],
    long: true,
    run: busy,
  },
  {
    name: "google-conflicts",
    title: "409 to each kind of request once; grants go on, the next apply makes the rest",
    needs: ["terraform"],
    long: true,
    run: conflicts,
  },
  {
    name: "google-late",
    title: "new services, accounts and buckets are seen late; the apply or the next one goes on",
    needs: ["terraform"],
    long: true,
    run: late,
  },
  {
    name: "failed-cluster",
    title: "a protected cluster that failed, or was not seen ready, is repaired as documented",
    needs: ["terraform"],
    long: true,
    run: failedCluster,
  },
];
