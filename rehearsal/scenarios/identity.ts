import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { RunningRay } from "../stage/running-ray";
import type { Site } from "../stage/site";
import { expect, Scenario, Stage } from "../stage/stage";
import { synthesize } from "../terraform/apps";
import { IamGrant, withGrant, without } from "./support/grants";

const BUCKET = "my-project-id-ray";
const CHECK = readFileSync(join(resolve(__dirname, "../.."), "examples/check_bucket.py"), "utf8");
const HELLO = "Hello, Ray on GKE!";
const POOL = "my-project-id.svc.id.goog";
const ACCOUNT = "my-iam-sa@my-project-id.iam.gserviceaccount.com";

/** The same calls as the check, without Ray: for pods that are not Ray's. */
const CHECK_WITHOUT_RAY = `
import sys
from google.cloud import storage
bucket = storage.Client(project="my-project-id").get_bucket(sys.argv[1])
blob = bucket.blob("test_file.txt")
print(blob.download_as_text())
blob.upload_from_string("changed")
print("written")
`;

export const identity: Scenario = {
  name: "identity",
  title: "a Ray task uses the bucket with no key, and nobody else may",
  needs: ["pods", "terraform"],
  async run(stage) {
    const settings = {
      RAY_DELETION_PROTECTION: "false",
      RAY_ENABLE_APIS: "false",
      RAY_FORCE_DESTROY_BUCKET: "true",
    };
    const site = await stage.site();
    await stage.begin();
    const first = site.google.snapshot();
    stage.step("apply");
    const terraform = await site.terraform(await synthesize("main.ts", settings));
    await terraform.apply();
    const ray = stage.ray("ray", "raycluster-mini");

    stage.step("check from a Ray task");
    const printed = await ray.python(CHECK, BUCKET);
    expect(printed.includes(HELLO), "the check did not print its greeting", printed);

    stage.step("pods of other accounts");
    await expectOthersRefused(stage, ray);
    stage.step("the same account with less");
    await expectLessIsRefused(site, ray);

    stage.step("destroy");
    await terraform.destroy();
    await stage.expectNothingLeft(site, first);
  },
};

/** Another service account, and the same name in another namespace: nobody bound them to anything. */
async function expectOthersRefused(stage: Stage, ray: RunningRay): Promise<void> {
  const [head] = await ray.list("head");
  const image: string = head.spec.containers[0].image;
  await apply(stage, { apiVersion: "v1", kind: "Namespace", metadata: { name: "elsewhere" } });
  for (const [namespace, account] of [
    ["ray", "stranger"],
    ["elsewhere", "my-ksa"],
  ]) {
    // Annotated like the right one: it is the binding on Google's side that is missing.
    const annotations = { "iam.gke.io/gcp-service-account": ACCOUNT };
    const metadata = { name: account, namespace };
    await apply(stage, { apiVersion: "v1", kind: "ServiceAccount", metadata: { ...metadata, annotations } });
    await apply(stage, {
      apiVersion: "v1",
      kind: "Pod",
      metadata,
      spec: {
        serviceAccountName: account,
        containers: [{ name: "check", image, command: ["sleep", "600"] }],
        terminationGracePeriodSeconds: 0,
      },
    });
    await stage.node.kubectl([
      "wait",
      "-n",
      namespace,
      "--for=condition=Ready",
      `pod/${account}`,
      "--timeout=60s",
    ]);
    const exec = ["exec", "-n", namespace, "-i", account, "--", "python3", "-", BUCKET];
    const failure = await failureOf(stage.node.kubectl(exec, { input: CHECK_WITHOUT_RAY }));
    expect(
      /403|Permission|iam\.serviceAccounts\.getAccessToken/.test(failure),
      `${namespace}/${account} was not refused`,
      failure,
    );
    await stage.node.kubectl([
      "delete",
      "-n",
      namespace,
      `pod/${account}`,
      `serviceaccount/${account}`,
      "--wait",
    ]);
  }
  await stage.node.kubectl(["delete", "namespace", "elsewhere", "--wait"]);
}

/** Takes rights away on Google's side and gives them back, as somebody at the console could. */
async function expectLessIsRefused(site: Site, ray: RunningRay): Promise<void> {
  const user: IamGrant = {
    resource: `buckets/${BUCKET}`,
    role: "roles/storage.objectUser",
    member: `serviceAccount:${ACCOUNT}`,
  };
  const workload: IamGrant = {
    resource: `projects/my-project-id/serviceAccounts/${ACCOUNT}`,
    role: "roles/iam.workloadIdentityUser",
    member: `serviceAccount:${POOL}[ray/my-ksa]`,
  };

  await without(site, user, async () => {
    await expectRefused(ray, "storage.objects", "without the grant");
    await withGrant(site, { ...user, role: "roles/storage.objectViewer" }, async () => {
      const failure = await failureOf(ray.python(CHECK_WITHOUT_RAY, BUCKET));
      expect(/storage\.objects\.(create|delete)/.test(failure), "read-only access let it write", failure);
      expect(failure.includes(HELLO), "read-only access did not let it read", failure);
    });
  });
  await without(site, workload, () => expectRefused(ray, "", "without the binding"));
  const printed = await ray.python(CHECK, BUCKET);
  expect(printed.includes(HELLO), "the rights that came back are not enough", printed);
}

async function expectRefused(ray: RunningRay, permission: string, when: string): Promise<void> {
  const failure = await failureOf(ray.python(CHECK, BUCKET));
  expect(
    /403|Forbidden|Permission/.test(failure) && failure.includes(permission),
    `not refused ${when}`,
    failure,
  );
}

async function failureOf(command: Promise<string>): Promise<string> {
  return command.then(
    (printed) => {
      throw new Error(`it should have been refused: ${printed}`);
    },
    (error) => (error.output as string) ?? error.message,
  );
}

async function apply(stage: Stage, object: object): Promise<void> {
  await stage.node.kubectl(["apply", "-f", "-"], { input: JSON.stringify(object) });
}
