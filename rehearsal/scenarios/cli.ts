import { spawn } from "node:child_process";
import {
  appendFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { clientProgram } from "../stage/clients";
import { expect, Scenario, Stage } from "../stage/stage";
import type { Site } from "../stage/site";
import { runCommand } from "../tools/command";

const ROOT = resolve(__dirname, "../..");
const STACK = "ray-platform";

/** What somebody needs of the repository who deploys `main.ts`, besides what `npm ci` brings. */
const REPOSITORY = ["cdktf.json", "lib", "main.ts", "package.json", "tsconfig.json"];

export const cli: Scenario = {
  name: "cdktf-cli",
  title:
    "the README's blocks for deploying and leaving, as printed, and cdktf diff and output, by the real CLI",
  needs: ["pods", "terraform", "cdktf-cli"],
  async run(stage) {
    const site = await stage.site();
    await stage.begin();
    const first = site.google.snapshot();
    const project = new CliProject(stage, site);
    try {
      stage.step("cdktf deploy");
      await project.readmeBlock("deploy", /^export GOOGLE_PROJECT=.*\n.* deploy /);
      await stage.ray("ray", "raycluster-mini").waitForHead();
      stage.step("cdktf output");
      const outputs = await project.outputs();
      expect(
        /kubectl port-forward --namespace ray-auth service\/raycluster-mini-proxy/.test(
          outputs.port_forward_command,
        ),
        "the outputs lack the port-forward command",
        outputs,
      );
      stage.step("cdktf diff");
      const diff = await project.cdktf("diff", STACK);
      expect(diff.includes("No changes."), "the diff is not empty", diff);
      stage.step("cdktf deploy, protection off, and destroy");
      await project.readmeBlock("leave", / deploy .*\n.* destroy /);
      await stage.expectNothingLeft(site, first);
    } finally {
      project.remove();
    }
  },
};

/** A copy of the repository, in which state and output may stay. */
class CliProject {
  private readonly folder = mkdtempSync(join(tmpdir(), "cdktf-"));

  constructor(
    private readonly stage: Stage,
    private readonly site: Site,
  ) {
    for (const path of REPOSITORY) cpSync(join(ROOT, path), join(this.folder, path), { recursive: true });
    // So `npx` finds them, with no registry in reach.
    const own = join(ROOT, "node_modules");
    this.linkModules(
      own,
      readdirSync(own).filter((name) => name !== ".bin"),
    );
    this.linkModules(join(own, ".bin"), readdirSync(join(own, ".bin")), ".bin");
    const client = join(clientProgram(stage.cache, "cdktf-cli", "cdktf"), "../..");
    this.linkModules(client, ["cdktf-cli"]);
    this.linkModules(join(client, ".bin"), ["cdktf"], ".bin");
  }

  /**
   * Runs a block of commands from the README in a terminal, where somebody approves each plan.
   *
   * @throws with what it printed when it fails
   */
  public readmeBlock(name: string, what: RegExp): Promise<void> {
    const readme = readFileSync(join(ROOT, "README.md"), "utf8");
    const blocks = [...readme.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block]) => block);
    const [block, ...others] = blocks.filter((candidate) => what.test(candidate));
    expect(block !== undefined && others.length === 0, `the README has no such block: ${what}`, blocks);
    return this.inTerminal(name, block);
  }

  /** @throws with what it printed when it fails */
  public cdktf(command: string, ...args: string[]): Promise<string> {
    return runCommand(clientProgram(this.stage.cache, "cdktf-cli", "cdktf"), [command, ...args], {
      cwd: this.folder,
      logFile: join(this.site.logDir, `cdktf-${command}.log`),
      env: { ...this.env, CI: "1" },
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

  private get env(): NodeJS.ProcessEnv {
    return { ...process.env, ...this.site.terraformEnv, CHECKPOINT_DISABLE: "1" };
  }

  private inTerminal(name: string, script: string): Promise<void> {
    const logFile = join(this.site.logDir, `readme-${name}.log`);
    const command = ["-qefc", `bash -e -c '${script.replaceAll("'", `'\\''`)}'`, "/dev/null"];
    const env: NodeJS.ProcessEnv = { ...this.env, TERM: "xterm" };
    delete env.CI;
    const child = spawn("script", command, { cwd: this.folder, env, timeout: 600_000 });
    let answered = 0;
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (data: Buffer) => {
        appendFileSync(logFile, data);
        // The question, whose first answer is to approve, is drawn several times, and listened to only then.
        if (!data.includes("Dismiss") || Date.now() < answered + 3000) return;
        answered = Date.now();
        setTimeout(() => child.stdin.write("\r"), 1000);
      });
    }
    return new Promise((done, reject) => {
      child.once("error", reject);
      child.once("close", (code) => {
        if (code === 0) return done();
        const tail = readFileSync(logFile, "utf8").slice(-2000);
        reject(new Error(`the block ended with status ${code}: ${tail}\nwhole output: ${logFile}`));
      });
    });
  }

  private linkModules(from: string, names: readonly string[], folder = "."): void {
    const target = join(this.folder, "node_modules", folder);
    mkdirSync(target, { recursive: true });
    for (const name of names) symlinkSync(join(from, name), join(target, name));
  }
}
