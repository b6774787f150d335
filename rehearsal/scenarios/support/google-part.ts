import { readFileSync } from "node:fs";
import { join } from "node:path";
import { GoogleApis, GoogleApisOptions } from "../../google/server";
import { expect, Stage } from "../../stage/stage";
import { synthesize } from "../../terraform/apps";
import { TerraformRun } from "../../terraform/command";
import { errorsOf, Terraform } from "../../terraform/terraform";

/** What a plan says that would destroy or replace a protected cluster. */
export const PROTECTED =
  /Instance cannot be destroyed.*google_container_cluster\.\S+ has lifecycle\.prevent_destroy set/;

/** The part of the default stack that is made in Google's APIs, applied to a project of its own. */
export class GooglePart {
  public static async open(
    stage: Stage,
    name: string,
    settings: Readonly<Record<string, string>>,
    options: Partial<GoogleApisOptions> = {},
  ): Promise<GooglePart> {
    const stack = await synthesize("main.ts", settings);
    const { endpoint, caPem } = stage.node;
    const google = await GoogleApis.start({
      projectId: "my-project-id",
      projectNumber: "123456789012",
      accessToken: stage.node.adminToken,
      cluster: { endpoint, caPem },
      ...options,
    });
    const logFile = join(stage.logDir, `${name}.log`);
    const terraform = await Terraform.of(stack, { env: google.terraformEnv(), logFile });
    return new GooglePart(google, terraform, googleTargets(stack));
  }

  private constructor(
    public readonly google: GoogleApis,
    public readonly terraform: Terraform,
    private readonly targets: readonly string[],
  ) {}

  public apply(): Promise<TerraformRun> {
    return this.terraform.tryApply(...this.targets);
  }

  /** What `gcloud` does to delete something. */
  public async delete(path: string): Promise<void> {
    const headers = { authorization: `Bearer ${this.google.accessToken}` };
    const answer = await fetch(`${this.google.url}/${path}`, { method: "DELETE", headers });
    expect(answer.ok, `cannot delete ${path}`, answer.status);
  }

  /** Everything is there and an apply changes nothing. */
  public async close(): Promise<void> {
    const changes = (await this.terraform.plannedChanges()).filter(({ address }) => /^google_/.test(address));
    expect(changes.length === 0, "the second plan is not empty", changes);
    const { clusters, nodePools, serviceAccounts, buckets, bindings } = this.google.snapshot();
    const counts = [clusters, nodePools, serviceAccounts, buckets, bindings].map((things) => things.length);
    expect(JSON.stringify(counts) === "[1,1,2,1,4]", "too little or too much in the project", {
      ...this.google.snapshot(),
    });
    await this.google.stop();
    this.terraform.remove();
  }
}

function googleTargets(stackFolder: string): string[] {
  const { resource } = JSON.parse(readFileSync(join(stackFolder, "cdk.tf.json"), "utf8"));
  return Object.keys(resource)
    .filter((type) => type.startsWith("google_"))
    .flatMap((type) => Object.keys(resource[type]).map((name) => `-target=${type}.${name}`));
}

/** @throws unless an apply or destroy failed, and said so */
export function requireFailed(run: TerraformRun, message: RegExp): void {
  expect(run.exitCode !== 0, "an apply succeeded that must fail");
  const words = run.output.replace(/\s+/g, " ");
  expect(message.test(words), `no error says ${message}`, errorsOf(run.output));
}
