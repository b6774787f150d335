import { GoogleProvider } from "@cdktf/provider-google/lib/provider";
import { App, TerraformOutput, TerraformStack } from "cdktf";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RbacSubject } from "../../lib/contracts/rbac-subject";
import { SkyPilotFeatures } from "../../lib/contracts/skypilot-options";
import { SkyPilotServiceAccountProps } from "../../lib/contracts/skypilot-service-account";
import { GkeWorkloadIdentityCluster } from "../../lib/gke-workload-identity-cluster";
import { SkyPilotServiceAccount } from "../../lib/skypilot-service-account";
import { Node } from "../node/node";
import { SiteOptions } from "../stage/site";
import { Terraform } from "../terraform/terraform";
import { Kind, Namespaces } from "./access";
import { Account } from "./account";
import { Feature } from "./matrix";

const CLUSTER = { clusterName: "sky", location: "us-west1-b" };

/** What is there before: a cluster with Workload Identity. */
export const SKYPILOT_SITE: SiteOptions = {
  seed: {
    clusters: [
      {
        location: CLUSTER.location,
        cluster: {
          name: CLUSTER.clusterName,
          initialNodeCount: 1,
          workloadIdentityConfig: { workloadPool: "my-project-id.svc.id.goog" },
          networkConfig: { datapathProvider: "ADVANCED_DATAPATH" },
        },
      },
    ],
  },
};

/** Namespace of nothing. */
export const ELSEWHERE = "elsewhere";

export type SkyPilotProps = Omit<SkyPilotServiceAccountProps, "cluster"> & {
  /** Somebody else who launches. */
  readonly launchUser?: string;
};

/** One `SkyPilotServiceAccount` of the stack, and how to use it. */
export class SkyPilotInstance {
  constructor(
    public readonly id: string,
    private readonly props: SkyPilotProps,
    private readonly sky: SkyPilotServiceAccount,
  ) {}

  public get features(): readonly Feature[] {
    const given: SkyPilotFeatures = this.props.features ?? {};
    return (Object.keys(given) as Feature[]).filter((feature) => given[feature]);
  }

  public get namespaces(): readonly string[] {
    return this.sky.namespaces;
  }

  public get contextName(): string {
    return this.sky.contextName;
  }

  /** What goes into `~/.sky/config.yaml`. */
  public get skyConfig(): string {
    return this.sky.skyConfig;
  }

  /** What prints a token of the launcher. */
  public get tokenCommand(): string {
    return this.sky.tokenCommand;
  }

  /** The launcher, as it is in one of the workload namespaces. */
  public launcher(node: Node, namespace = this.sky.namespaces[0]): Account {
    const kind = this.props.sharedIdentity ? "shared" : "launcher";
    return this.account(node, this.sky.serviceAccountName, this.sky.launcherNamespace, kind, namespace);
  }

  /** Whom the pods of one of the workload namespaces run as. */
  public workload(node: Node, namespace = this.sky.namespaces[0]): Account {
    const kind = this.features.includes("controllers") ? "controller" : "workload";
    const name = this.sky.workloadServiceAccountName;
    return this.account(node, name, namespace, this.props.sharedIdentity ? "shared" : kind, namespace);
  }

  /** Every account that this instance gives rights to, with where it has them. */
  public accounts(node: Node): Account[] {
    const launchers = this.namespaces.map((namespace) => this.launcher(node, namespace));
    const workloads = this.namespaces.map((namespace) => this.workload(node, namespace));
    return this.props.sharedIdentity ? launchers : [...launchers, ...workloads];
  }

  /** The kubeconfig that Terraform prints. */
  public kubeconfig(terraform: Terraform): Promise<string> {
    const output = this.sky.node.findChild("kubeconfig") as TerraformOutput;
    return terraform.output(output.friendlyUniqueId);
  }

  private account(node: Node, name: string, namespace: string, kind: Kind, workload: string): Account {
    const launcher = this.props.sharedIdentity ? undefined : this.sky.launcherNamespace;
    const namespaces: Namespaces = {
      workload,
      launcher,
      system: "skypilot-system",
      ingress: "ingress-nginx",
      "kube-system": "kube-system",
      elsewhere: ELSEWHERE,
    };
    return new Account(node, name, namespace, kind, this.features, namespaces);
  }
}

/** A stack of SkyPilot's accounts on a cluster that is there already. */
export function synthesizeSkyPilot(all: Readonly<Record<string, SkyPilotProps>>) {
  const outdir = mkdtempSync(join(tmpdir(), "synthesized-"));
  const app = new App({ outdir });
  const stack = new TerraformStack(app, "skypilot");
  new GoogleProvider(stack, "google", { project: "my-project-id" });
  const cluster = GkeWorkloadIdentityCluster.fromClusterName(stack, "cluster", {
    ...CLUSTER,
    project: "my-project-id",
  });
  const instances = Object.entries(all).map(([id, { launchUser, ...props }]) => {
    const sky = new SkyPilotServiceAccount(stack, id, { cluster, ...props });
    if (launchUser !== undefined) sky.grantLauncher(RbacSubject.user(launchUser));
    return new SkyPilotInstance(id, props, sky);
  });
  app.synth();
  return { folder: join(outdir, "stacks", "skypilot"), instances };
}
