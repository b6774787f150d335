import { join } from "node:path";
import type { Client } from "./clients";
import { clusterObjects } from "./cluster-objects";
import type { Snapshot } from "../google/server";
import type { Node } from "../node/node";
import { ProxyPods } from "./proxy-pods";
import { RunningRay } from "./running-ray";
import { Site, SiteOptions } from "./site";
import type { Terraform } from "../terraform/terraform";
import type { ToolCache } from "../tools/cache";
import { UserShell } from "./user-shell";

/** What a scenario needs of the machine. */
export type Need = "pods" | "terraform" | "fuse" | Client;

/** One thing that is shown, with real state as the witness. */
export interface Scenario {
  /** Short, for the command line. */
  readonly name: string;
  /** What is true when it passes. */
  readonly title: string;
  readonly needs: readonly Need[];
  /** Left out unless everything is asked for, because it takes long. */
  readonly long?: boolean;
  /** Resolves with a remark for whoever reads the result, if there is one. */
  run(stage: Stage): Promise<void | string>;
}

/** A scenario that finds out only while it runs that something is missing. */
export class Skipped extends Error {}

/** The node and what a scenario does on it. */
export class Stage {
  private readonly sites: Site[] = [];
  private readonly shells: UserShell[] = [];
  private before: string[] = [];

  constructor(
    public readonly node: Node,
    public readonly cache: ToolCache,
    public readonly logDir: string,
    /** Says what is going on. */
    public readonly step: (text: string) => void,
  ) {}

  /** Remembers what is in the cluster, so that `expectNothingLeft` finds what was added. */
  public async begin(): Promise<void> {
    this.before = await clusterObjects(this.node);
  }

  /** A Google project for this scenario. */
  public async site(options: SiteOptions = {}): Promise<Site> {
    const site = await Site.start(
      this.node,
      this.cache,
      join(this.logDir, `site-${this.sites.length}`),
      options,
    );
    this.sites.push(site);
    return site;
  }

  /** The pods of a Ray cluster. */
  public ray(namespace: string, rayClusterName: string): RunningRay {
    return new RunningRay(this.node, namespace, rayClusterName);
  }

  /** The pods of a Ray cluster's proxy, where it has its own. */
  public proxy(namespace: string, rayClusterName: string): ProxyPods {
    return new ProxyPods(this.node, namespace, rayClusterName);
  }

  /** Somebody's shell, until the end of the scenario: an administrator's, or of whoever a token belongs to. */
  public userShell(token?: string): UserShell {
    const { kubeconfigPath } = this.node;
    const shell = new UserShell(
      this.cache,
      token === undefined ? kubeconfigPath : this.node.kubeconfigFor(token),
    );
    this.shells.push(shell);
    return shell;
  }

  /** @throws when an apply would change something */
  public async expectNothingToDo(terraform: Terraform): Promise<void> {
    this.step("second plan");
    const changes = await terraform.plannedChanges();
    expect(changes.length === 0, "the second plan is not empty", changes);
  }

  /** @throws when the project or the cluster holds anything that was not there at first; enabled APIs stay enabled */
  public async expectNothingLeft(site: Site, first: Snapshot): Promise<void> {
    const last = { ...site.google.snapshot(), services: first.services };
    expect(JSON.stringify(last) === JSON.stringify(first), "something is left in the project", last);
    const added = (await clusterObjects(this.node)).filter((object) => !this.before.includes(object));
    expect(added.length === 0, "objects are left in the cluster", added);
  }

  /** Ends what the scenario started. */
  public async end(): Promise<void> {
    this.shells.forEach((shell) => shell.remove());
    for (const site of this.sites) await site.stop();
  }
}

/** @throws with the evidence when a condition does not hold */
export function expect(condition: boolean, message: string, evidence?: unknown): asserts condition {
  if (condition) return;
  const shown = evidence === undefined ? "" : `: ${JSON.stringify(evidence, null, 1)}`;
  throw new Error(message + shown);
}
