import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { clientProgram } from "../clients";
import { expect, Scenario, Stage } from "../stage";
import type { Site } from "../site";
import { runCommand } from "../tools/command";

const ROOT = resolve(__dirname, "../..");
const STACK = "ray-platform";

/** What the README sets before it destroys. */
const UNPROTECTED = { RAY_DELETION_PROTECTION: "false", RAY_FORCE_DESTROY_BUCKET: "true" };

export const cli: Scenario = {
  name: "cdktf-cli",
  title: "cdktf deploy, diff, output and destroy by the real CLI",
  needs: ["pods", "terraform", "cdktf-cli"],
  async run(stage) {
    const site = await stage.site();
    await stage.begin();
    const first = site.google.snapshot();
    const project = new CliProject(stage, site);
    try {
      stage.step("cdktf deploy");
      await project.cdktf("deploy", STACK, "--auto-approve");
      await stage.ray("ray", "raycluster-mini").waitForHead();
      stage.step("cdktf output");
      const outputs = await project.outputs();
      expect(
        /kubectl port-forward --namespace ray service\/raycluster-mini-head-svc/.test(
          outputs.port_forward_command,
        ),
        "the outputs lack the port-forward command",
        outputs,
      );
      stage.step("cdktf diff");
      const diff = await project.cdktf("diff", STACK);
      expect(diff.includes("No changes."), "the diff is not empty", diff);
      stage.step("cdktf deploy, protection off");
      project.settings = UNPROTECTED;
      await project.cdktf("deploy", STACK, "--auto-approve");
      stage.step("cdktf destroy");
      await project.cdktf("destroy", STACK, "--auto-approve");
      await stage.expectNothingLeft(site, first);
    } finally {
      project.remove();
    }
  },
};

/** A folder with a cdktf.json whose app is the repository's, so that state and output stay out of the repository. */
class CliProject {
  /** Environment variables that the app reads. */
  public settings: Readonly<Record<string, string>> = {};
  private readonly folder = mkdtempSync(join(tmpdir(), "cdktf-"));

  constructor(
    private readonly stage: Stage,
    private readonly site: Site,
  ) {
    const config = JSON.parse(readFileSync(join(ROOT, "cdktf.json"), "utf8"));
    const app = `${process.execPath} ${join(ROOT, "node_modules/ts-node/dist/bin.js")} -T ${join(ROOT, "main.ts")}`;
    writeFileSync(join(this.folder, "cdktf.json"), JSON.stringify({ ...config, app }));
  }

  /** @throws with what it printed when it fails */
  public cdktf(command: string, ...args: string[]): Promise<string> {
    // Without a registry in reach the providers cannot be locked for other platforms.
    const flags = ["--skip-provider-lock"];
    return runCommand(clientProgram(this.stage.cache, "cdktf-cli", "cdktf"), [command, ...args, ...flags], {
      cwd: this.folder,
      logFile: join(this.site.logDir, `cdktf-${command}.log`),
      env: {
        ...process.env,
        ...this.site.terraformEnv,
        CHECKPOINT_DISABLE: "1",
        CI: "1",
        ...this.settings,
      },
    });
  }

  public async outputs(): Promise<Record<string, string>> {
    const file = join(this.folder, "outputs.json");
    await this.cdktf("output", STACK, "--outputs-file", file);
    return JSON.parse(readFileSync(file, "utf8"))[STACK];
  }

  public remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
