import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { RayAuthProxyPlacement } from "../../../lib/contracts/ray-auth-proxy";
import { RbacSubject } from "../../../lib/contracts/rbac-subject";
import { RayBucketAccess } from "../../../lib/ray-bucket-access";
import { RayCluster } from "../../../lib/ray-cluster";
import { RunningRay } from "../../stage/running-ray";
import { neighbourRuns, startNeighbour } from "./auth-ports";
import { AuthStack, MINI, NAMESPACE } from "./auth-stack";
import { Site } from "../../stage/site";
import { expect, Stage } from "../../stage/stage";
import { Terraform } from "../../terraform/terraform";
import { RAY_VERSION } from "../../tools/versions";
import { UserShell } from "../../stage/user-shell";

/** Somebody else's, with a Ray cluster of the same name. */
const OTHER_TENANT = "other-tenant";

const BUCKETS = { own: "my-project-id-ray", other: "my-project-id-other-tenant" };

/** Where somebody calls from inside the cluster. */
const CALLERS = "callers";

const ACCOUNTS = { submitter: "ray-user", caller: "ray-caller" };

/** Ports of a head that another tenant could want. */
const HEAD_PORTS = [6379, 8000, 8080, 8265, 10001, 44217, 52365];

/** Where the autoscaler is made to write, which are places that only its container has. */
export const WRITTEN = "/home/ray/written-by-the-autoscaler";
export const LOG_FOLDER = "/home/ray/folder-of-the-autoscaler";

/** Calls again and again as the account of a token, each time anew; prints when and how each call was answered. */
const CALL = `
import json, sys, time, urllib.error, urllib.request
url, token, seconds = sys.argv[1:]
calls, end = [], time.time() + float(seconds)
while time.time() < end:
    request = urllib.request.Request(url, headers={"Authorization": "Bearer " + token})
    try:
        with urllib.request.urlopen(request, timeout=2) as answer:
            status = answer.status
    except urllib.error.HTTPError as error:
        status = error.code
    except OSError as error:
        status = str(error)
    calls.append({"time": time.time(), "status": status})
    time.sleep(0.1)
print(json.dumps(calls))
`;

/** Submits a job from the folder here, as the account of a token, and waits for its end. */
const SUBMIT = `
import sys, time
from ray.job_submission import JobSubmissionClient
client = JobSubmissionClient("http://127.0.0.1:8265", headers={"Authorization": "Bearer TOKEN"})
job = client.submit_job(entrypoint="python attacks.py ATTACK", runtime_env={"working_dir": "attacks"})
while not client.get_job_status(job).is_terminal():
    time.sleep(0.5)
print(client.get_job_status(job), client.get_job_info(job).message)
print(client.get_job_logs(job))
`;

/** Prints each file below the folders of Ray that holds the text on which the hash in the first argument was made. */
const FIND = `
import hashlib, os, re, sys
found, searched = [], 0
for root, _, files in os.walk("/tmp"):
    for name in files:
        path = os.path.join(root, name)
        if not os.path.isfile(path):
            continue
        searched += 1
        data = open(path, "rb").read()
        tokens = re.findall(rb"eyJ[\\w-]+\\.eyJ[\\w-]+\\.[\\w-]+", data)
        found += [path for token in tokens if hashlib.sha256(token).hexdigest() == sys.argv[1]]
print("searched", searched, "files, found:", found)
`;

/** How a call was answered, in seconds since the epoch. */
export interface Call {
  readonly time: number;
  readonly status: number | string;
}

/** What the stack is, beside the proxy in pods of its own and jobs without a token. */
export interface HostileStackOptions {
  /** The proxy in the head, a token in every Ray container, and an autoscaler that may write: what attacks succeed against. */
  readonly weak?: boolean;
}

/** A Ray cluster with a worker and an autoscaler, its bucket, and another tenant with the like. */
function synthesizeHostile({ weak = false }: HostileStackOptions = {}): string {
  const stack = new AuthStack();
  const own = new RayBucketAccess(stack.stack, "own-bucket", {
    cluster: stack.cluster,
    bucketName: BUCKETS.own,
    namespace: NAMESPACE,
    serviceAccountName: "ray",
    googleServiceAccountId: "ray-own",
    forceDestroy: true,
  });
  const other = new RayBucketAccess(stack.stack, "other-bucket", {
    cluster: stack.cluster,
    bucketName: BUCKETS.other,
    namespace: OTHER_TENANT,
    serviceAccountName: "ray",
    googleServiceAccountId: "ray-other",
    forceDestroy: true,
  });
  const ray = stack.rayCluster(MINI, {
    namespace: undefined,
    identity: own.identity,
    workerGroups: [{ groupName: "cpu", cpu: 1, memoryGiB: 2, minReplicas: 1, maxReplicas: 2 }],
    automountServiceAccountToken: weak,
    // With the proxy in pods of its own nobody but them needs to come in.
    networkPeers: weak ? [{ namespace: CALLERS, ports: [8265] }] : [],
  });
  if (weak) ray.addOverride("spec.autoscalerOptions.securityContext.readOnlyRootFilesystem", false);
  const theirs = stack.rayCluster(MINI, { namespace: undefined, identity: other.identity }, OTHER_TENANT);
  listenInsteadOfRay(theirs);
  const proxy = stack.proxy(ray, {
    placement: weak ? RayAuthProxyPlacement.HEAD_SIDECAR : RayAuthProxyPlacement.DEPLOYMENT,
    submitterServiceAccountName: ACCOUNTS.submitter,
  });
  proxy.grantView(RbacSubject.serviceAccount(ACCOUNTS.caller, CALLERS));
  stack.output("port_forward_command", proxy.portForwardCommand);
  stack.output("dashboard_url", proxy.dashboardUrl);
  return stack.synthesize();
}

/** The head of the other tenant listens on every port that anybody could want, and takes nothing of the machine. */
function listenInsteadOfRay(ray: RayCluster): void {
  const listen = `import socket, time; all = [socket.create_server(('', port)) for port in ${JSON.stringify(HEAD_PORTS)}]; time.sleep(3600)`;
  ray.addOverride("metadata.annotations", { "ray.io/overwrite-container-cmd": "true" });
  ray.addOverride("spec.headGroupSpec.template.spec.containers.0.command", ["python3", "-c"]);
  ray.addOverride("spec.headGroupSpec.template.spec.containers.0.args", [listen]);
}

/** A Ray cluster, somebody who calls it, and somebody who may submit jobs and means harm. */
export class HostileJobs {
  /** Applies the stack and waits until everything in it runs. */
  public static async start(
    stage: Stage,
    site: Site,
    options: HostileStackOptions = {},
  ): Promise<HostileJobs> {
    await stage.node.kubectl(["create", "namespace", CALLERS]);
    await stage.node.kubectl(["create", "serviceaccount", ACCOUNTS.caller, "-n", CALLERS]);
    await startNeighbour(stage, CALLERS, `rayproject/ray:${RAY_VERSION}`);
    stage.step("apply");
    const terraform = await site.terraform(synthesizeHostile(options));
    await terraform.apply();
    stage.step("heads and worker");
    const ray = stage.ray(NAMESPACE, MINI);
    await ray.waitForHead();
    await ray.waitForWorkers(1);
    const jobs = new HostileJobs(stage, terraform, ray, options.weak ?? false);
    await jobs.prepare();
    return jobs;
  }

  private readonly shell: UserShell;
  private callerToken = "";
  private submitterToken = "";
  private dashboardUrl = "";

  private constructor(
    private readonly stage: Stage,
    public readonly terraform: Terraform,
    public readonly ray: RunningRay,
    private readonly weak: boolean,
  ) {
    this.shell = stage.userShell();
  }

  /** By which the caller's token is recognized. */
  public get callerHash(): string {
    return createHash("sha256").update(this.callerToken).digest("hex");
  }

  /** Submits an attack as somebody who may, and returns what it has left. */
  public async attack(name: string): Promise<any> {
    await this.submit(name);
    return this.result(name);
  }

  /** Runs an attack while somebody keeps calling; returns its result and their calls. */
  public async attackUnderCalls(name: string, seconds: number): Promise<{ result: any; calls: Call[] }> {
    const calls = this.call(seconds);
    await this.submit(name);
    return { calls: await calls, result: await this.result(name) };
  }

  /** Somebody calls the dashboard for so long. */
  public async call(seconds: number): Promise<Call[]> {
    const args = [`${this.dashboardUrl}/api/version`, this.callerToken, `${seconds}`];
    return JSON.parse(await neighbourRuns(this.stage, CALLERS, CALL, ...args)) as Call[];
  }

  /** @throws if the caller's token is in a file or a log of Ray's pods */
  public async expectTokenNowhere(): Promise<void> {
    for (const { metadata, spec } of await this.ray.list()) {
      const exec = ["exec", "-n", NAMESPACE, "-i", metadata.name, "-c", spec.containers[0].name];
      const find = [...exec, "--", "python3", "-", this.callerHash];
      const printed = await this.stage.node.kubectl(find, { input: FIND });
      expect(/searched [1-9]\d+ files, found: \[\]/.test(printed), "the caller's token is there", printed);
      const logs = ["logs", "-n", NAMESPACE, metadata.name, "--all-containers"];
      const printedLogs = await this.stage.node.kubectl(logs);
      expect(!printedLogs.includes(this.callerToken), `it is in the logs of ${metadata.name}`);
    }
  }

  private async prepare(): Promise<void> {
    this.callerToken = await this.shell.tokenOf({ namespace: CALLERS, name: ACCOUNTS.caller });
    this.submitterToken = await this.shell.tokenOf({ namespace: NAMESPACE, name: ACCOUNTS.submitter });
    this.dashboardUrl = await this.terraform.output("dashboard_url");
    const folder = join(this.shell.folder, "attacks");
    mkdirSync(folder);
    copyFileSync(join(__dirname, "attacks.py"), join(folder, "attacks.py"));
    const otherHead = await this.otherHead();
    writeFileSync(join(folder, "config.json"), JSON.stringify(this.configuration(otherHead)));
  }

  /** The address of the other tenant's head, which answers the node, whom no policy keeps out. */
  private async otherHead(): Promise<string> {
    let address = "";
    await this.stage.node.waitFor("the head of the other tenant", 60_000, async () => {
      const [head] = await this.stage.ray(OTHER_TENANT, MINI).list("head");
      address = head.status.podIP;
      await Promise.all(HEAD_PORTS.map((port) => canConnect(address, port)));
      return true;
    });
    return address;
  }

  private configuration(otherHead: string): object {
    return {
      namespace: NAMESPACE,
      rayCluster: MINI,
      container: "ray-head",
      image: `rayproject/ray:${RAY_VERSION}`,
      project: "my-project-id",
      bucket: BUCKETS.own,
      otherBucket: BUCKETS.other,
      otherHead,
      ports: HEAD_PORTS,
      proxy: this.weak ? "127.0.0.1" : new URL(this.dashboardUrl).hostname,
      written: WRITTEN,
      folder: LOG_FOLDER,
    };
  }

  private async submit(name: string): Promise<void> {
    const forward = await this.shell.forward(await this.terraform.output("port_forward_command"));
    const script = SUBMIT.replace("TOKEN", this.submitterToken).replace("ATTACK", name);
    const printed = await this.shell.python(script);
    expect(printed.startsWith("SUCCEEDED"), `the job of the attack ${name} ended otherwise`, printed);
    await forward.stop();
  }

  /** Where it is readable by whoever administers the cluster, whatever became of Ray. */
  private async result(name: string): Promise<any> {
    let result: any;
    await this.stage.node.waitFor(`the result of the attack ${name}`, 120_000, async () => {
      const [head] = await this.ray.list("head");
      const exec = ["exec", "-n", NAMESPACE, head.metadata.name, "-c", "ray-head"];
      result = JSON.parse(
        await this.stage.node.kubectl([...exec, "--", "cat", `/tmp/ray/results/${name}.json`]),
      );
      return true;
    });
    expect(result.error === undefined, `the attack ${name} itself failed`, result);
    return result;
  }
}

/** @throws if nothing listens there */
function canConnect(host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, timeout: 3000 });
    socket.once("connect", () => resolve(void socket.destroy()));
    socket.once("timeout", () => reject(new Error(`${host}:${port} does not answer`)));
    socket.once("error", reject);
  });
}
