import { readFileSync } from "node:fs";
import type { Snapshot } from "../google/server";
import type { Node } from "../node/node";
import type { Site } from "../stage/site";
import type { Stage } from "../stage/stage";
import type { Terraform } from "../terraform/terraform";
import type { Account } from "./account";
import { SkyPilotClient } from "./client";
import { Fixtures } from "./fixtures";
import { SKYPILOT_SITE, type SkyPilotInstance, type SkyPilotProps, synthesizeSkyPilot } from "./stack";

/** Every feature but `controllers`, which adds no rule. */
const PROPS: SkyPilotProps = {
  namespace: "tasks",
  createKubeconfig: true,
  features: {
    gpuAvailability: true,
    objectStoreMounts: true,
    ingressPorts: true,
    volumes: true,
    haControllers: true,
    hostNetwork: true,
    gpuMetrics: true,
    legacySshSecret: true,
  },
};

/** Grants that SkyPilot 0.14 does not use, and why they are there. */
export const UNUSED: Readonly<Record<string, string>> = {
  "create secrets in tasks": "SkyPilot up to 0.10, which `legacySshSecret` is for",
  "get secrets sky-ssh-keys in tasks": "SkyPilot up to 0.10, which `legacySshSecret` is for",
  "patch secrets sky-ssh-keys in tasks": "SkyPilot up to 0.10, which `legacySshSecret` is for",
};

/** SkyPilot's client and a cluster that it has an account on. */
export class Bench {
  /** Applies the stack and makes what SkyPilot finds in the cluster. */
  public static async create(stage: Stage): Promise<Bench> {
    const site = await stage.site(SKYPILOT_SITE);
    await stage.begin();
    const first = site.google.snapshot();
    const { folder, instances } = synthesizeSkyPilot({ sky: PROPS });
    const [instance] = instances;
    const fixtures = new Fixtures(stage.node, instance.workload(stage.node));
    await fixtures.prepare();
    stage.step("apply");
    const terraform = await site.terraform(folder);
    await terraform.apply();
    stage.step("clusters of every state");
    const client = new SkyPilotClient(stage, instance, await instance.kubeconfig(terraform));
    await fixtures.create();
    const bench = new Bench(stage, site, first, terraform, instance, client, fixtures);
    bench.workloadKubeconfig = await kubeconfigOfWorkload(stage.node, instance);
    bench.hostNetworkProbe = await client.hostNetworkProbe();
    return bench;
  }

  /** Kubeconfig in which the context is the pods' account. */
  public workloadKubeconfig = "";
  /** SkyPilot's program for pods on the node's network. */
  public hostNetworkProbe = "";
  public readonly launcher: Account;
  public readonly workload: Account;

  private constructor(
    private readonly stage: Stage,
    private readonly site: Site,
    private readonly first: Snapshot,
    private readonly terraform: Terraform,
    public readonly instance: SkyPilotInstance,
    public readonly client: SkyPilotClient,
    public readonly fixtures: Fixtures,
  ) {
    this.launcher = instance.launcher(stage.node);
    this.workload = instance.workload(stage.node);
  }

  public get node(): Node {
    return this.stage.node;
  }

  /** Plans again, and destroys the stack while clusters of SkyPilot's are there. */
  public async clear(): Promise<void> {
    await this.fixtures.stop();
    await this.stage.expectNothingToDo(this.terraform);
    this.stage.step("destroy");
    await this.terraform.destroy();
    await this.fixtures.remove();
    await this.stage.expectNothingLeft(this.site, this.first);
  }
}

/** A kubeconfig with the context that SkyPilot knows, for the pods' token. */
async function kubeconfigOfWorkload(node: Node, instance: SkyPilotInstance): Promise<string> {
  const token = await instance.workload(node).token();
  const config = JSON.parse(readFileSync(node.kubeconfigFor(token), "utf8"));
  const [{ context }] = config.contexts;
  const named = { ...context, namespace: instance.namespaces[0] };
  return JSON.stringify({
    ...config,
    contexts: [{ name: instance.contextName, context: named }],
    "current-context": instance.contextName,
  });
}
