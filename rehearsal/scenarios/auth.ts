import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { RayAuthResource } from "../../lib/contracts/ray-auth-proxy";
import { RbacSubject } from "../../lib/contracts/rbac-subject";
import { KubeObject } from "../node/kube-client";
import { proxyNamespace, ProxyPods } from "../stage/proxy-pods";
import { RunningRay } from "../stage/running-ray";
import { GOOGLE_USERS } from "../stage/site";
import { expect, Scenario, Stage } from "../stage/stage";
import { Terraform } from "../terraform/terraform";
import { RAY_VERSION } from "../tools/versions";
import { UserRun, UserShell } from "../stage/user-shell";
import { expectSubmitterAlone } from "./support/auth-person";
import { expectPorts, startNeighbour } from "./support/auth-ports";
import { AUTH_SITE, AuthStack, MINI, NAMESPACE } from "./support/auth-stack";

const ADDRESS = "http://127.0.0.1:8265";

/** A Ray cluster beside it; only its proxy's grants are there. */
const OTHER = "raycluster-other";

/** Accounts that somebody makes by hand, and what they may get. */
const ACCOUNTS = {
  submitter: "ray-user",
  viewer: "ray-viewer",
  admin: "ray-admin",
  leaver: "ray-leaver",
  /** May submit jobs to the other Ray cluster. */
  elsewhere: "other-user",
};

/** What is changed from one apply to the next. */
interface Change {
  /** Whether people have rights at the proxy. */
  readonly granted?: boolean;
  readonly authorizeOn?: RayAuthResource;
}

function synthesizeAuth({ granted, authorizeOn }: Change): string {
  const stack = new AuthStack();
  const ray = stack.rayCluster(MINI);
  const proxy = stack.proxy(ray, { authorizeOn });
  const account = (name: string) => RbacSubject.serviceAccount(name, NAMESPACE);
  const other = stack.proxy(stack.foreignRayCluster(OTHER, ray.namespaceDependencies), { replicas: 1 });
  other.grantAdmin(account(ACCOUNTS.elsewhere));
  if (granted) {
    proxy.grantSubmit(account(ACCOUNTS.submitter));
    proxy.grantView(account(ACCOUNTS.viewer));
    proxy.grantAdmin(account(ACCOUNTS.admin));
    proxy.grantAdmin(account(ACCOUNTS.leaver));
    proxy.grantSubmit(RbacSubject.user(GOOGLE_USERS.ada.name));
    proxy.grantView(RbacSubject.group(GOOGLE_USERS.grace.groups![0]));
  }
  stack.output("port_forward_command", proxy.portForwardCommand);
  stack.output("job_headers_command", proxy.jobHeadersCommand(account(ACCOUNTS.submitter)));
  stack.output("google_job_headers_command", proxy.googleJobHeadersCommand);
  stack.output("job_submit_command", proxy.jobSubmitCommand);
  return stack.synthesize();
}

/** How long the proxy remembers that a token was refused. */
const DENIED_FOR_MS = 30_000;

/** What somebody submits with a folder of their own. */
const JOB = 'import ray\nray.init()\nprint(open("greeting.txt").read(), ray.cluster_resources()["CPU"])\n';
const GREETING = "hello from a working directory";

/** Does what each tier may and may not do, by the Ray client, and prints how each call ended. */
const TIERS = `
import json
from ray.job_submission import JobSubmissionClient

tokens, finished = TOKENS, JOB
clients = {
    who: JobSubmissionClient("${ADDRESS}", headers={"Authorization": "Bearer " + token})
    for who, token in tokens.items()
}

def outcome(call, *args, **options):
    try:
        return str(call(*args, **options))
    except Exception as error:
        return "forbidden" if "Forbidden (user=" in str(error) else str(error)

viewer, submitter, admin = (clients[who] for who in ("viewer", "submitter", "admin"))
started = submitter.submit_job(entrypoint="sleep 60")
print(json.dumps({
    "viewer lists": outcome(lambda: finished in [job.submission_id for job in viewer.list_jobs()]),
    "viewer reads logs": outcome(lambda: "node:" in viewer.get_job_logs(finished)),
    "viewer submits": outcome(viewer.submit_job, entrypoint="true"),
    "viewer stops": outcome(viewer.stop_job, started),
    "submitter stops": outcome(submitter.stop_job, started),
    "submitter deletes": outcome(submitter.delete_job, finished),
    "admin deletes": outcome(admin.delete_job, finished),
}))
`;

const TIER_OUTCOMES = {
  "viewer lists": "True",
  "viewer reads logs": "True",
  "viewer submits": "forbidden",
  "viewer stops": "forbidden",
  "submitter stops": "True",
  "submitter deletes": "forbidden",
  "admin deletes": "True",
};

export const auth: Scenario = {
  name: "auth",
  title: "the Ray API knows who is calling: 401, 403, and for each grant what it lets somebody do",
  needs: ["pods", "terraform", "ray-client"],
  async run(stage) {
    const site = await stage.site(AUTH_SITE);
    await site.startOperator(0).ready;
    await stage.begin();
    const first = site.google.snapshot();
    stage.step("apply");
    const terraform = await site.terraform(synthesizeAuth({}));
    await terraform.apply();
    const visit = new Visit(stage, terraform, stage.userShell());
    await visit.prepare();

    const stop = await visit.forward();
    stage.step("before any grant");
    await visit.expectStrangersRefused();
    stage.step("grants");
    const refusedAt = await visit.expectUnboundRefused();
    await visit.grant();
    await visit.expectPeopleByName();
    stage.step("jobs");
    const job = await visit.expectJobs();
    stage.step("a token that was refused before");
    await visit.waitForGrant(refusedAt);
    stage.step("tiers");
    await visit.expectTiers(job);
    await visit.expectLeaverRefused();
    await visit.expectNoRightOnTheObject();
    await stop();
    stage.step("somebody with a submit grant and nothing else");
    await visit.expectSubmitterAlone();
    stage.step("ports");
    await expectPorts(stage, NAMESPACE, stage.ray(NAMESPACE, MINI));

    stage.step("the form of KubeRay's guide");
    await visit.expectGuidesForm();
    await stage.expectNothingToDo(terraform);

    stage.step("destroy");
    await terraform.destroy();
    await stage.expectNothingLeft(site, first);
  },
};

/** A Ray cluster and the people who want to use it. */
class Visit {
  private readonly tokens = new Map<string, string>();
  private readonly pods: RunningRay;
  private readonly proxies: ProxyPods;

  constructor(
    private readonly stage: Stage,
    private readonly terraform: Terraform,
    private readonly shell: UserShell,
  ) {
    this.pods = stage.ray(NAMESPACE, MINI);
    this.proxies = stage.proxy(proxyNamespace(NAMESPACE), MINI);
  }

  /** Accounts, a pod beside the Ray cluster, and a folder to submit; then the head is ready. */
  public async prepare(): Promise<void> {
    await startNeighbour(this.stage, NAMESPACE, `rayproject/ray:${RAY_VERSION}`);
    for (const name of Object.values(ACCOUNTS)) {
      await this.stage.node.kubectl(["create", "serviceaccount", name, "-n", NAMESPACE]);
    }
    for (const name of Object.values(ACCOUNTS)) {
      this.tokens.set(name, await this.shell.tokenOf({ namespace: NAMESPACE, name }));
    }
    mkdirSync(join(this.shell.folder, "job"));
    writeFileSync(join(this.shell.folder, "job", "job.py"), JOB);
    writeFileSync(join(this.shell.folder, "job", "greeting.txt"), GREETING);
    this.stage.step("head");
    await this.pods.waitForHead();
  }

  /** Makes the Ray cluster reachable at ADDRESS by the command that the stack puts out; returns how to end that. */
  public async forward(): Promise<() => Promise<void>> {
    const command = await this.terraform.output("port_forward_command");
    return (await this.shell.forward(command)).stop;
  }

  /** 401 for those who do not say who they are, or say it wrongly. */
  public async expectStrangersRefused(): Promise<void> {
    await this.expectStatus("GET", undefined, 401);
    await this.expectStatus("POST", undefined, 401);
    await this.expectStatus("GET", "not-a-token", 401);
    const run = await this.shell.tryRun(await this.terraform.output("job_submit_command"));
    expectRefusal(run, "Unauthorized");
  }

  /** 403 for those whom Kubernetes knows and who have no right here; returns when the last was refused. */
  public async expectUnboundRefused(): Promise<number> {
    await this.expectStatus("GET", GOOGLE_USERS.mallory.token, 403);
    await this.expectStatus("GET", this.tokenOf(ACCOUNTS.elsewhere), 403);
    expect(!(await this.mayUseDashboard()), "somebody unbound may use the dashboard");
    const headers = await this.terraform.output("job_headers_command");
    const submit = await this.terraform.output("job_submit_command");
    const run = await this.shell.tryRun(`${headers}; ${submit}`);
    expectRefusal(run, `Forbidden (user=system:serviceaccount:${NAMESPACE}:${ACCOUNTS.submitter}`);
    await this.expectStatus("GET", this.tokenOf(ACCOUNTS.submitter), 403);
    return Date.now();
  }

  /** Terraform makes the grants: nothing but roles and bindings, and no pod notices. */
  public async grant(): Promise<void> {
    const before = await this.started();
    await this.terraform.update(synthesizeAuth({ granted: true }));
    const changes = await this.terraform.plannedChanges();
    const others = changes.filter(
      ({ address, actions }) =>
        actions.join() !== "create" || !/^kubernetes_role(_binding)?_v1\./.test(address),
    );
    expect(
      changes.length > 0 && others.length === 0,
      "the grants are not new roles and bindings alone",
      changes,
    );
    await this.terraform.apply("-refresh=false");
    const after = await this.started();
    expect(after === before, "the grants restarted something", { before, after });
  }

  /** Whom a grant names gets in at once, if the proxy has not refused them lately. */
  public async expectPeopleByName(): Promise<void> {
    const { ada, grace, mallory } = GOOGLE_USERS;
    await this.expectStatus("GET", ada.token, 200);
    await this.expectStatus("GET", grace.token, 200);
    await this.expectStatus("POST", grace.token, 403);
    await this.expectStatus("GET", mallory.token, 403);
    await this.expectStatus("GET", this.tokenOf(ACCOUNTS.elsewhere), 403);
    expect(await this.mayUseDashboard(), "somebody bound may not use the dashboard");
  }

  /** A token that the proxy has refused gets in when it has forgotten that; another one of the account's did at once. */
  public async waitForGrant(refusedAt: number): Promise<void> {
    const token = this.tokenOf(ACCOUNTS.submitter);
    while ((await this.shell.askJobApi(token)) !== 200) {
      expect(Date.now() - refusedAt < DENIED_FOR_MS + 2_000, "the grant did not take effect in 30 s");
      await sleep(500);
    }
  }

  /** Jobs of a service account with a folder of its own, and of a Google identity; returns the latter's name. */
  public async expectJobs(): Promise<string> {
    const headers = await this.terraform.output("job_headers_command");
    const submit = `cd job; ray job submit --address http://localhost:8265 --working-dir ./ -- python job.py`;
    const own = await this.shell.run(`${headers}; ${submit}`);
    expect(own.includes(`${GREETING} 2.0`), "the job did not print its folder's greeting", own);
    expect(/Job 'raysubmit_\w+' succeeded/.test(own), "the job did not succeed", own);

    this.shell.signIn(GOOGLE_USERS.ada);
    const googleHeaders = await this.terraform.output("google_job_headers_command");
    const printed = await this.shell.run(
      `${googleHeaders}; ${await this.terraform.output("job_submit_command")}`,
    );
    const name = /Job '(raysubmit_\w+)' succeeded/.exec(printed)?.[1];
    expect(name !== undefined && printed.includes("'CPU': 2.0"), "Ada's job did not succeed", printed);
    return name;
  }

  public async expectTiers(job: string): Promise<void> {
    const { viewer, submitter, admin } = ACCOUNTS;
    const tokens = Object.fromEntries(
      Object.entries({ viewer, submitter, admin }).map(([tier, name]) => [tier, this.tokenOf(name)]),
    );
    const script = TIERS.replace("TOKENS", JSON.stringify(tokens)).replace("JOB", JSON.stringify(job));
    const printed = await this.shell.python(script);
    const outcomes = JSON.parse(printed.trim().split("\n").at(-1)!);
    expect(
      JSON.stringify(outcomes) === JSON.stringify(TIER_OUTCOMES),
      "a tier is not what it should be",
      outcomes,
    );
  }

  /** A token ends with its account, whatever the grant; this one is new to the proxy, which would else remember it. */
  public async expectLeaverRefused(): Promise<void> {
    await this.expectStatus(
      "GET",
      await this.shell.tokenOf({ namespace: NAMESPACE, name: ACCOUNTS.leaver }),
      200,
    );
    await this.stage.node.kubectl(["delete", "serviceaccount", ACCOUNTS.leaver, "-n", NAMESPACE]);
    await this.expectStatus("GET", this.tokenOf(ACCOUNTS.leaver), 401);
  }

  /** With nothing but the account's token, everything that a submitter needs and nothing besides. */
  public async expectSubmitterAlone(): Promise<void> {
    const forward = await this.terraform.output("port_forward_command");
    await expectSubmitterAlone(this.stage, this.tokenOf(ACCOUNTS.submitter), forward);
  }

  /** Who may submit jobs may not thereby edit the RayCluster. */
  public async expectNoRightOnTheObject(): Promise<void> {
    for (const verb of ["get", "update", "patch", "delete"]) {
      const may = await this.may(ACCOUNTS.submitter, verb, `rayclusters.ray.io/${MINI}`);
      expect(!may, `a submitter may ${verb} the RayCluster`);
    }
  }

  /**
   * The proxy is told to ask as the one of KubeRay's guide does, which replaces its pods and leaves the head alone: the guide's
   * question is answered with yes, and a submitter may edit the RayCluster.
   */
  public async expectGuidesForm(): Promise<void> {
    const head = startsOf(await this.pods.list("head"));
    const before = (await this.proxies.list()).map(({ metadata }) => metadata.uid);
    await this.terraform.update(synthesizeAuth({ granted: true, authorizeOn: RayAuthResource.RAY_CLUSTER }));
    await this.terraform.apply();
    const after = (await this.proxies.list()).map(({ metadata }) => metadata.uid);
    expect(
      after.length === before.length && !after.some((uid) => before.includes(uid)),
      "not every proxy was replaced",
      { before, after },
    );
    expect(startsOf(await this.pods.list("head")) === head, "the head was restarted", head);
    for (const verb of ["get", "update"]) {
      const may = await this.may(ACCOUNTS.submitter, verb, `rayclusters.ray.io/${MINI}`);
      expect(may, `a submitter may not ${verb} the RayCluster`);
    }
    const stop = await this.forward();
    await this.expectStatus("GET", this.tokenOf(ACCOUNTS.elsewhere), 403);
    const headers = await this.terraform.output("job_headers_command");
    const printed = await this.shell.run(`${headers}; ${await this.terraform.output("job_submit_command")}`);
    expect(/Job 'raysubmit_\w+' succeeded/.test(printed), "the job did not succeed", printed);
    await stop();
  }

  private may(account: string, verb: string, object: string, ...flags: string[]): Promise<boolean> {
    return this.shell.canI({ namespace: NAMESPACE, name: account }, verb, object, ...flags);
  }

  private mayUseDashboard(): Promise<boolean> {
    return this.may(ACCOUNTS.submitter, "get", `rayclusters.ray.io/${MINI}`, "--subresource=dashboard");
  }

  private async expectStatus(
    method: "GET" | "POST",
    token: string | undefined,
    expected: number,
  ): Promise<void> {
    const status = await this.shell.askJobApi(token, method);
    expect(status === expected, `${method} was answered with ${status} and not ${expected}`);
  }

  /** Which pods of Ray and of the proxy there are, and how often their containers started. */
  private async started(): Promise<string> {
    return startsOf([...(await this.pods.list()), ...(await this.proxies.list())]);
  }

  private tokenOf(account: string): string {
    return this.tokens.get(account)!;
  }
}

function expectRefusal({ succeeded, output }: UserRun, body: string): void {
  expect(!succeeded && output.includes(body), `the Ray client was not refused with ${body}`, output);
}

/** Which pods these are, and how often their containers started. */
function startsOf(pods: readonly KubeObject[]): string {
  return pods
    .map(({ metadata, status }) => {
      const containers: { name: string; restartCount: number }[] = status.containerStatuses;
      return [metadata.uid, ...containers.map(({ name, restartCount }) => `${name} ${restartCount}`)].join();
    })
    .sort()
    .join("; ");
}
