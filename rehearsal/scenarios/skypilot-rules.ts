import { setTimeout as sleep } from "node:timers/promises";
import type { AuditEvent } from "../node/audit";
import { describeWhole } from "../skypilot/access";
import type { Account } from "../skypilot/account";
import { Bench, UNUSED } from "../skypilot/bench";
import { type RbacGrant, grantFor, grantsOf, refusedOf, requestsOf, requestText } from "../skypilot/grants";
import { type Step, STEPS } from "../skypilot/steps";
import { expect, Scenario, Stage } from "../stage/stage";

const NOT_SURVIVING = "it takes no cluster for a controller that survives, and deletes its pods alone";
const SERVICES_STAY = "it deletes the head's Services by name, and leaves the others";

/** Rules without which SkyPilot goes on, and what it does worse. */
const SOFT: Readonly<Record<string, string>> = {
  "get pods/exec in tasks": "kubectl tries SPDY after WebSocket was refused, which other clients do not",
  "get pods/portforward in tasks":
    "kubectl tries SPDY after WebSocket was refused, which other clients do not",
  "deletecollection services in tasks": SERVICES_STAY,
  "deletecollection services in tasks by pods": SERVICES_STAY,
  "list deployments.apps in tasks": NOT_SURVIVING,
  "list deployments.apps in tasks by pods": NOT_SURVIVING,
  "get nodes in the cluster": "it does not say that a pod's node is what is unhealthy",
  "get storageclasses.storage.k8s.io in the cluster":
    "a class that is not there is found out when a task waits",
  "list storageclasses.storage.k8s.io in the cluster": "a missing default is found out when a task waits",
  "list persistentvolumes in the cluster": "it does not say that no volume has the access mode",
  "get pods in tasks by pods": "it waits for a minute and forces the end of a pod with devices",
  "create events in tasks by pods": "an autodown looks like a crash",
};

export const skypilotRules: Scenario = {
  name: "skypilot-rules",
  title: "without any one of their rules SkyPilot is refused what needs it, and nothing else",
  needs: ["pods", "terraform", "skypilot-client"],
  long: true,
  async run(stage) {
    const bench = await Bench.create(stage);
    try {
      const rules = await Rule.ofSteps(stage, bench);
      const unused = rules.filter(({ steps }) => steps.length === 0).map(({ text }) => text);
      expectSame(unused, Object.keys(UNUSED), "rules that no step needs");
      const soft: string[] = [];
      for (const rule of rules.filter(({ steps }) => steps.length > 0)) {
        stage.step(`without ${rule.text}`);
        if (!(await rule.isHard())) soft.push(rule.text);
      }
      expectSame(soft, Object.keys(SOFT), "rules without which SkyPilot goes on");
    } finally {
      await bench.client.stop();
    }
    await bench.clear();
  },
};

/** One verb on one resource that an account has, and the steps that need it. */
class Rule {
  /** Runs every step with every rule, to see which needs what. */
  public static async ofSteps(stage: Stage, bench: Bench): Promise<Rule[]> {
    const rules: Rule[] = [];
    for (const account of [bench.launcher, bench.workload]) {
      const grants = await grantsOf(stage.node, account);
      rules.push(...grants.map((grant) => new Rule(bench, account, grant, grants)));
    }
    for (const step of STEPS) {
      stage.step(step.name);
      const account = bench[step.who];
      const { events, error } = await observe(bench, step);
      if (error !== undefined) throw error;
      const refused = refusedOf(events, account).map(requestText);
      expect(refused.length === 0, `${step.name} was refused`, refused);
      const mine = rules.filter((rule) => rule.account === account);
      const needed = requestsOf(events, account).map((event) =>
        grantFor(
          mine.map(({ grant }) => grant),
          event,
        ),
      );
      mine.filter(({ grant }) => needed.includes(grant)).forEach(({ steps }) => steps.push(step));
    }
    return rules;
  }

  public readonly steps: Step[] = [];

  private constructor(
    private readonly bench: Bench,
    public readonly account: Account,
    private readonly grant: RbacGrant,
    private readonly grants: readonly RbacGrant[],
  ) {}

  /** Of both accounts: what the pods may is said to be theirs. */
  public get text(): string {
    const pods = this.account === this.bench.workload ? " by pods" : "";
    return describeWhole(this.grant) + pods;
  }

  /**
   * Takes the rule away, runs the steps that need it, and gives it back.
   *
   * @returns whether one of them failed
   * @throws when one of them was not refused exactly what the rule allows
   */
  public async isHard(): Promise<boolean> {
    const givers = this.grants.filter((other) => this.isCoveredBy(other));
    const before = await Promise.all(givers.map(({ role }) => this.bench.node.client.get(role)));
    let failed = false;
    try {
      for (const giver of givers) await this.takeFrom(giver.role);
      await this.waitUntilAllowed(false);
      for (const step of this.steps) {
        const { events, error } = await observe(this.bench, step);
        const refused = refusedOf(events, this.account);
        expect(
          refused.length > 0,
          `${step.name} was refused nothing without ${this.text}`,
          events.map(requestText),
        );
        const others = refused
          .filter((event) => grantFor([this.grant], event) === undefined)
          .map(requestText);
        expect(others.length === 0, `${step.name} was refused more than ${this.text}`, others);
        failed ||= error !== undefined;
      }
    } finally {
      for (const [index, { role }] of givers.entries()) {
        await this.bench.node.client.merge(role, { rules: before[index].rules });
      }
      await this.waitUntilAllowed(true);
    }
    return failed;
  }

  /** Whether the other grant allows the same: it is this one, or that of the whole cluster. */
  private isCoveredBy(other: RbacGrant): boolean {
    const { verb, group, resource, subresource, name, namespace } = this.grant;
    return (
      other.verb === verb &&
      other.group === group &&
      other.resource === resource &&
      other.subresource === subresource &&
      (other.name === name || other.name === "") &&
      (other.namespace === namespace || other.namespace === "")
    );
  }

  private async takeFrom(role: string): Promise<void> {
    const { verb, group, resource, subresource, name } = this.grant;
    const whole = subresource === "" ? resource : `${resource}/${subresource}`;
    const { rules } = await this.bench.node.client.get(role);
    const fewer = rules.flatMap((rule: any) =>
      rule.resources.map((one: string) => {
        const isIt =
          one === whole && rule.apiGroups.includes(group) && (rule.resourceNames?.[0] ?? "") === name;
        const verbs = isIt ? rule.verbs.filter((other: string) => other !== verb) : rule.verbs;
        return { ...rule, resources: [one], verbs };
      }),
    );
    const left = fewer.filter(({ verbs }: any) => verbs.length > 0);
    await this.bench.node.client.merge(role, { rules: left });
  }

  /** The API server learns of a changed role a moment later. */
  private async waitUntilAllowed(allowed: boolean): Promise<void> {
    const what = `${this.text} being ${allowed ? "allowed" : "refused"}`;
    await this.bench.node.waitFor(what, 10_000, async () => (await this.account.may(this.grant)) === allowed);
  }
}

/** Runs a step on restored fixtures; what the API server recorded meanwhile, and how it failed if it did. */
async function observe(bench: Bench, step: Step): Promise<{ events: AuditEvent[]; error?: Error }> {
  await bench.fixtures.restore();
  const before = bench.node.auditEvents().length;
  const error = await step.run(bench).then(
    () => undefined,
    (reason: Error) => reason,
  );
  // A connection that was upgraded is recorded when it ends.
  await sleep(300);
  return { events: bench.node.auditEvents().slice(before), error };
}

function expectSame(actual: readonly string[], expected: readonly string[], what: string): void {
  const [is, should] = [[...actual].sort(), [...expected].sort()];
  expect(JSON.stringify(is) === JSON.stringify(should), what, { is, should });
}
