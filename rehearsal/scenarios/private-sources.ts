import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { inflateRawSync } from "node:zlib";
import type { RunningRay } from "../stage/running-ray";
import type { SourceServer } from "../stage/source-server";
import { expect, Scenario, Stage } from "../stage/stage";
import { synthesizeVariant } from "../terraform/apps";
import type { Terraform } from "../terraform/terraform";

const APP = "examples/private-sources.ts";
const NAMESPACE = "private";
const USER = "my-user";

/** Prints a zip, as base64, of a repository with a greeting and a job that reads it on the head and on a worker. */
const REPOSITORY = `
import base64, io, zipfile
job = '''
import ray
ray.init(log_to_driver=False)

@ray.remote(num_cpus=1, scheduling_strategy="SPREAD")
def greet():
    return ray.get_runtime_context().get_node_id(), open("greeting.txt").read()

greetings = {}
while len(greetings) < 2:
    greetings.update(ray.get([greet.remote() for _ in range(4)], timeout=60))
print("nodes:", len(greetings), set(greetings.values()))
'''
archive = io.BytesIO()
with zipfile.ZipFile(archive, "w") as repository:
    repository.writestr("repository-main/greeting.txt", "hello from a private repository")
    repository.writestr("repository-main/job.py", job)
print(base64.b64encode(archive.getvalue()).decode())
`;

/** Submits the job whose code is at the argument, waits for its end and prints its status, message and logs. */
const SUBMIT = `
import sys, time
from ray.job_submission import JobSubmissionClient
client = JobSubmissionClient("http://127.0.0.1:8265")
job = client.submit_job(entrypoint="python job.py", runtime_env={"working_dir": sys.argv[1]})
while not (status := client.get_job_status(job)).is_terminal():
    time.sleep(0.5)
print("status:", status, client.get_job_info(job).message)
print(client.get_job_logs(job))
`;

/** Prints each file of Ray, and each variable of the environment, that holds what is given on standard input. */
const FIND = `
import os, sys
needles = [needle.encode() for needle in NEEDLES]
found = [f"environment {name}" for name, value in os.environ.items() for needle in needles if needle in value.encode()]
for root, folders, files in os.walk("/tmp"):
    found += [os.path.join(root, name) for name in folders + files for needle in needles if needle in name.encode()]
    for name in files:
        path = os.path.join(root, name)
        if os.path.isfile(path):
            data = open(path, "rb").read()
            found += [path for needle in needles if needle in data]
print("searched", sum(len(files) for _, _, files in os.walk("/tmp")), "files")
print("found:", found)
`;

export const privateSources: Scenario = {
  name: "private-sources",
  title: "jobs come from a private host only with the Secret, and its password is found nowhere",
  needs: ["pods", "terraform"],
  long: true,
  async run(stage) {
    const site = await stage.site({
      seed: {
        clusters: [
          {
            location: "us-east4",
            cluster: {
              name: "team-cluster",
              initialNodeCount: 1,
              workloadIdentityConfig: { workloadPool: "my-project-id.svc.id.goog" },
              networkConfig: { datapathProvider: "ADVANCED_DATAPATH" },
            },
          },
        ],
      },
    });
    await stage.begin();
    await site.startOperator(0).ready;
    const first = site.google.snapshot();
    const sources = await site.serveSources("github.com");
    const passwords = [password(), password(), password()];
    const terraform = await site.terraform(await synthesizeApp(withoutNetrc));
    const jobs = new PrivateJobs(stage, sources);

    stage.step("without the Secret");
    sources.allow(USER, passwords[0]);
    await terraform.apply();
    await jobs.expectFailure("nobody-signs-in");
    expect(!sources.requests.some(({ signedIn }) => signedIn), "somebody signed in", sources.requests);

    stage.step("with the Secret");
    terraform.setEnv({ TF_VAR_github_token: passwords[0] });
    await terraform.update(await synthesizeApp());
    await expectNotInSavedPlan(terraform, passwords[0]);
    await jobs.expectReplaced(() => terraform.apply());
    await jobs.expectSuccess("main");
    await stage.expectNothingToDo(terraform);

    stage.step("another password, under another revision");
    sources.allow(USER, passwords[1]);
    await jobs.expectFailure("old-password");
    terraform.setEnv({ TF_VAR_github_token: passwords[1] });
    await stage.expectNothingToDo(terraform);
    await terraform.update(await synthesizeApp(revised));
    await jobs.expectReplaced(() => terraform.apply());
    await jobs.expectSuccess("new-password");

    stage.step("a Secret that somebody else made");
    sources.allow(USER, passwords[2]);
    const netrc = `machine github.com login ${USER} password ${passwords[2]}\n`;
    const secret = {
      metadata: { name: "netrc-secret", namespace: NAMESPACE },
      stringData: { ".netrc": netrc },
    };
    const object = JSON.stringify({ apiVersion: "v1", kind: "Secret", ...secret });
    await stage.node.kubectl(["create", "-f", "-"], { input: object });
    await terraform.update(await synthesizeApp(withExistingSecret));
    await jobs.expectReplaced(() => terraform.apply());
    await jobs.expectSuccess("existing-secret");

    stage.step("looks for the passwords");
    for (const secretText of passwords) {
      await jobs.expectNowhere(secretText);
      expectNotInFolder(terraform.folder, secretText);
    }

    stage.step("destroy");
    await terraform.destroy();
    await stage.expectNothingLeft(site, first);
  },
};

/** Jobs of the example's Ray cluster whose code is on the private host. */
class PrivateJobs {
  private readonly pods: RunningRay;

  constructor(
    private readonly stage: Stage,
    private readonly sources: SourceServer,
  ) {
    this.pods = stage.ray(NAMESPACE, "raycluster-private");
  }

  public async expectSuccess(branch: string): Promise<void> {
    const printed = await this.submit(branch);
    expect(/status: SUCCEEDED/.test(printed), "the job did not succeed", printed);
    const greeting = "nodes: 2 {'hello from a private repository'}";
    expect(printed.includes(greeting), "the job did not run with its code on both nodes", printed);
    const fetched = this.sources.requests.filter(
      ({ path, status }) => path.includes(branch) && status === 200,
    );
    expect(fetched.length >= 2, "head and worker did not both fetch the code", this.sources.requests);
  }

  public async expectFailure(branch: string): Promise<void> {
    const printed = await this.submit(branch);
    expect(/status: FAILED/.test(printed) && /404/.test(printed), "the job did not fail with 404", printed);
  }

  /** Every pod is another one afterwards. */
  public async expectReplaced(change: () => Promise<unknown>): Promise<void> {
    const uids = async () => (await this.pods.list()).map(({ metadata }) => metadata.uid);
    const before = await uids();
    await change();
    await this.stage.node.waitFor("new pods", 120_000, async () => {
      const now = await uids();
      return now.length === before.length && !now.some((uid) => before.includes(uid));
    });
  }

  /** In Ray's logs, folders and environment on every Ray node, and in what the containers printed. */
  public async expectNowhere(password: string): Promise<void> {
    for (const { metadata, spec } of await this.pods.list()) {
      const container = spec.containers[0].name;
      const python = ["exec", "-n", NAMESPACE, "-i", metadata.name, "-c", container, "--", "python3", "-"];
      const script = FIND.replace("NEEDLES", JSON.stringify(formsOf(password)));
      const printed = await this.stage.node.kubectl(python, { input: script });
      expect(/searched [1-9]\d+ files/.test(printed), "nothing was searched", printed);
      expect(printed.includes("found: []"), `the password is in ${metadata.name}`, printed);
      const logs = await this.stage.node.kubectl([
        "logs",
        "-n",
        NAMESPACE,
        metadata.name,
        "--all-containers",
      ]);
      expect(!holds(logs, password), `the password is in the logs of ${metadata.name}`);
    }
    const manifest = JSON.stringify(await this.pods.object());
    expect(!holds(manifest, password), "the password is in the RayCluster");
  }

  private async submit(branch: string): Promise<string> {
    await this.pods.waitForWorkers(1);
    const path = `/my-org/my-repository/archive/refs/heads/${branch}.zip`;
    const archive = await this.pods.python(REPOSITORY);
    this.sources.put(path, Buffer.from(archive.trim(), "base64"));
    return this.pods.python(SUBMIT, `https://github.com${path}`);
  }
}

/** A password that looks otherwise in a URL than in a file. */
function password(): string {
  return `${randomBytes(12).toString("hex")}%=+/&`;
}

/** How a password may stand somewhere. */
function formsOf(text: string): string[] {
  const base64 = Buffer.from(text).toString("base64");
  const asCredential = Buffer.from(`${USER}:${text}`).toString("base64");
  return [text, encodeURIComponent(text), base64, asCredential];
}

function holds(text: string, secret: string): boolean {
  return formsOf(secret).some((form) => text.includes(form));
}

async function expectNotInSavedPlan(terraform: Terraform, secret: string): Promise<void> {
  const file = await terraform.savePlan();
  const texts = unzipped(readFileSync(file));
  expect(texts.length >= 3, "the saved plan is no archive of a plan, a state and a configuration");
  expect(!texts.some((text) => holds(text, secret)), "the password is in the saved plan");
  rmSync(file);
}

/** cdk.tf.json, the state and its backup, the lock file and the assets. */
function expectNotInFolder(folder: string, secret: string): void {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true, encoding: "utf8" }).filter(
    (entry) => entry.isFile() && !entry.parentPath.includes(".terraform"),
  );
  expect(
    files.some(({ name }) => name === "terraform.tfstate"),
    "there is no state",
    files.length,
  );
  for (const { parentPath, name } of files) {
    const text = readFileSync(join(parentPath, name), "utf8");
    expect(!holds(text, secret), `the password is in ${name}`);
  }
}

/** The files of a zip archive, by its central directory. https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT */
function unzipped(archive: Buffer): string[] {
  const end = archive.lastIndexOf(Buffer.from("PK\x05\x06"));
  const count = archive.readUInt16LE(end + 10);
  let entry = archive.readUInt32LE(end + 16);
  return Array.from({ length: count }, () => {
    const method = archive.readUInt16LE(entry + 10);
    const size = archive.readUInt32LE(entry + 20);
    const header = archive.readUInt32LE(entry + 42);
    const start = header + 30 + archive.readUInt16LE(header + 26) + archive.readUInt16LE(header + 28);
    const data = archive.subarray(start, start + size);
    const lengths = [28, 30, 32].map((offset) => archive.readUInt16LE(entry + offset));
    entry += 46 + lengths[0] + lengths[1] + lengths[2];
    return (method === 0 ? data : inflateRawSync(data)).toString("utf8");
  });
}

/** Half a minute for every pod that is replaced would be most of the time that this takes. */
const QUICK = ["headGroupSpec", "workerGroupSpecs.0"]
  .map((group) => `ray.addOverride("spec.${group}.template.spec.terminationGracePeriodSeconds", 1);`)
  .join("\n");

/** The example, changed or not. */
function synthesizeApp(change = (source: string) => source): Promise<string> {
  return synthesizeVariant(APP, (source) => change(source).replace("app.synth()", `${QUICK}\napp.synth()`));
}

const NETRC = /new RuntimeEnvNetrc\([^]*?\n\}\);\n/;

/** The stack as it was before anybody thought of private sources. */
function withoutNetrc(source: string): string {
  return source.replace(NETRC, "").replace(/const token = new TerraformVariable[^]*?\}\);\n/, "");
}

function revised(source: string): string {
  return source.replace("  machines: [", "  revision: 2,\n  machines: [");
}

function withExistingSecret(source: string): string {
  return withoutNetrc(source).replace(
    "app.synth()",
    'new RuntimeEnvNetrc(stack, "netrc", { rayCluster: ray, existingSecretName: "netrc-secret" });\napp.synth()',
  );
}
