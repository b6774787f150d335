import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { clientProgram } from "../stage/clients";
import type { Stage } from "../stage/stage";
import { runCommand } from "../tools/command";
import { IMAGE } from "./fixtures";
import type { SkyPilotInstance } from "./stack";

const STEPS = join(__dirname, "steps.py");

/** What a project asks for besides what the construct says: images that the node has, because there is no registry. */
const PROJECT = `
kubernetes:
  provision_timeout: 60
  pod_config:
    spec:
      containers:
        - imagePullPolicy: IfNotPresent
          securityContext:
            runAsUser: 0
`;

/** Somebody's own machine with SkyPilot on it, and nothing else of SkyPilot's. */
export class SkyPilotClient {
  private readonly home = mkdtempSync(join(tmpdir(), "skypilot-"));
  private readonly env: NodeJS.ProcessEnv;
  private calls = 0;

  constructor(
    private readonly stage: Stage,
    instance: SkyPilotInstance,
    kubeconfig: string,
  ) {
    const { cache, node } = stage;
    mkdirSync(join(this.home, ".sky"));
    mkdirSync(join(this.home, "project"));
    writeFileSync(join(this.home, ".sky", "config.yaml"), instance.skyConfig);
    writeFileSync(join(this.home, "project", ".sky.yaml"), PROJECT);
    const programs = [
      dirname(cache.program("kubectl")),
      dirname(clientProgram(cache, "skypilot-client", "sky")),
    ];
    this.env = {
      PATH: [...programs, process.env.PATH].join(delimiter),
      HOME: this.home,
      LANG: "C.UTF-8",
      USER: "rehearsal",
      KUBECONFIG: this.writeKubeconfig("launcher", kubeconfig),
      SKYPILOT_DISABLE_USAGE_COLLECTION: "1",
      SKY_CONTEXT: instance.contextName,
      SKY_NAMESPACE: instance.namespaces[0],
      SKY_ACCOUNT: instance.workload(node).name,
      SKY_IMAGE: IMAGE,
    };
  }

  /** Runs a command of SkyPilot's. @throws with what it printed when it fails */
  public sky(...args: string[]): Promise<string> {
    return this.run("sky", args, `sky-${args[0]}`);
  }

  /** Runs functions of SkyPilot's one after the other. @throws with what they printed when one fails */
  public steps(names: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<string> {
    return this.run("python", [STEPS, ...names], "steps", env);
  }

  /** The same with somebody else's kubeconfig, for whom the context has the same name. */
  public stepsAs(kubeconfig: string, names: readonly string[]): Promise<string> {
    return this.steps(names, { KUBECONFIG: this.writeKubeconfig("another", kubeconfig) });
  }

  /** The program with which a pod on the node's network finds its ports. */
  public hostNetworkProbe(): Promise<string> {
    const source = "from sky.provision.kubernetes import host_network_probe as probe; import inspect";
    return this.run("python", ["-c", `${source}; print(inspect.getsource(probe))`], "source");
  }

  /** Ends SkyPilot's own API server, which the first command starts. */
  public async stop(): Promise<void> {
    await this.sky("api", "stop").catch(() => undefined);
    rmSync(this.home, { recursive: true, force: true });
  }

  private run(
    program: string,
    args: readonly string[],
    name: string,
    env: NodeJS.ProcessEnv = {},
  ): Promise<string> {
    this.calls += 1;
    return runCommand(clientProgram(this.stage.cache, "skypilot-client", program), args, {
      cwd: join(this.home, "project"),
      env: { ...this.env, ...env },
      logFile: join(this.stage.logDir, "skypilot", `${this.calls}-${name}.log`),
    });
  }

  private writeKubeconfig(name: string, text: string): string {
    const file = join(this.home, `${name}.kubeconfig`);
    writeFileSync(file, text, { mode: 0o600 });
    return file;
  }
}
