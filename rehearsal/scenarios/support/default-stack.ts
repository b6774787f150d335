import { synthesize } from "../../terraform/apps";
import { ApiServerDoor } from "./api-server-door";
import type { Faults } from "../../google/faults";
import type { Snapshot } from "../../google/server";
import { BARE_PROJECT, type Site } from "../../stage/site";
import { expect, Stage } from "../../stage/stage";
import type { PlannedChange, Terraform } from "../../terraform/terraform";

const PROJECT = "my-project-id";
const CLUSTER = `projects/${PROJECT}/locations/us-west1-b/clusters/cloud-bucket-cluster`;

/** Which of the notes that Helm keeps of a release say that it is at work on it. */
const NOTES_OF_WORK = "status notin (deployed,superseded)";

/** The default stack in a bare project, with Kubernetes behind a door: what is made to go wrong, goes wrong in this. */
export class DefaultStack {
  public static async open(stage: Stage): Promise<DefaultStack> {
    const folder = await synthesize("main.ts", { RAY_DELETION_PROTECTION: "false" });
    const door = await ApiServerDoor.open(stage.node, stage.cache, stage.logDir);
    // That the add-on's types come late is another scenario's business.
    const options = { cluster: door.target, enabledApis: BARE_PROJECT, crdDelayMs: 0 };
    const site = await stage.site(options);
    await stage.begin();
    return new DefaultStack(stage, folder, site, door, await site.terraform(folder));
  }

  /** What was in the project before. */
  private readonly first: Snapshot;
  private firstPlan?: Promise<PlannedChange[]>;

  private constructor(
    private readonly stage: Stage,
    /** Folder of the stack as it was synthesized. */
    public readonly folder: string,
    public readonly site: Site,
    public readonly door: ApiServerDoor,
    public readonly terraform: Terraform,
  ) {
    this.first = site.google.snapshot();
  }

  /** What goes wrong on demand, in either API. */
  public get faults(): { readonly google: Faults; readonly kubernetes: Faults } {
    return { google: this.site.google.faults, kubernetes: this.door.faults };
  }

  /** What the first plan that was asked for shows. */
  public planned(): Promise<PlannedChange[]> {
    this.firstPlan ??= this.terraform.plannedChanges();
    return this.firstPlan;
  }

  /** What docs/recovery.md says about an error. */
  public async repair(address: string, message: string): Promise<void> {
    if (address.startsWith("helm_release.")) {
      const removed = /has no deployed releases/.test(message);
      expect(removed || /another operation .* is in progress/.test(message), "an unexpected error", message);
      const isPolicy = address.includes(".ray_autoscaler-policy_");
      const notes = `owner=helm,name=${isPolicy ? "ray-autoscaler.raycluster-mini" : "raycluster-mini"}`;
      const selector = removed ? notes : `${notes},${NOTES_OF_WORK}`;
      await this.stage.node.kubectl(["delete", "secret", "-n", "ray", "-l", selector]);
      return;
    }
    expect(/already exists|already own it/i.test(message), "an unexpected error", message);
    await this.terraform.import(address, await this.importId(address));
  }

  /** The provider forgets to remove the pool that came with a cluster; docs/recovery.md says how to. */
  public async removeDefaultPool(): Promise<void> {
    const pools = ["us-west1-b/cloud-bucket-cluster/default-pool", "us-west1-b/cloud-bucket-cluster/ray"];
    expectEqual([...this.site.google.snapshot().nodePools].sort(), pools, "other node pools than known");
    const { accessToken, url } = this.site.google;
    const answer = await fetch(`${url}/v1/${CLUSTER}/nodePools/default-pool`, {
      method: "DELETE",
      headers: { authorization: `Bearer ${accessToken}` },
    });
    expect(answer.ok, "cannot delete default-pool", answer.status);
  }

  /** @throws if something was made twice or, but for the pool that GKE makes with a cluster, was deleted */
  public expectMadeOnce(resources = /./): void {
    const terraforms = this.stage.node.auditEvents().filter(({ user, objectRef, responseStatus }) => {
      const byTerraform = user.username === "rehearsal-admin" && (responseStatus?.code ?? 500) < 300;
      // Helm writes each revision of a release in a Secret of its own.
      return (
        byTerraform &&
        objectRef?.name !== undefined &&
        objectRef.resource !== "secrets" &&
        resources.test(objectRef.resource ?? "")
      );
    });
    const deleted = terraforms.filter(({ verb }) => verb === "delete");
    expect(deleted.length === 0, "objects were deleted", deleted);
    const created = terraforms
      .filter(({ verb }) => verb === "create")
      .map(({ objectRef }) => `${objectRef!.resource} ${objectRef!.namespace ?? ""}/${objectRef!.name}`);
    expect(
      created.length > 0 && new Set(created).size === created.length,
      "objects were made twice",
      created,
    );
    const removed = this.site.google.requests
      .all()
      .filter(
        ({ method, path, status }) => method === "DELETE" && status < 300 && !/default-pool/.test(path),
      );
    expect(removed.length === 0, "something was deleted in the project", removed);
  }

  /** Whatever happened before: everything is there once, a plan is empty, and a destroy leaves nothing. */
  public async close(): Promise<void> {
    await this.stage.expectNothingToDo(this.terraform);
    this.stage.step("destroy");
    await this.terraform.destroy();
    await this.expectNothingLeft();
  }

  public async expectNothingLeft(): Promise<void> {
    await this.stage.expectNothingLeft(this.site, this.first);
    await this.door.close();
  }

  /** What `terraform import` wants for an object of the plan; docs/recovery.md lists the forms. */
  private async importId(address: string): Promise<string> {
    const change = (await this.planned()).find((planned) => planned.address === address);
    expect(change !== undefined, `${address} is in no plan`);
    const { account_id: account, cluster, location, metadata, name } = change.after;
    const [type] = address.split(".");
    if (type === "google_container_cluster")
      return `projects/${PROJECT}/locations/${location}/clusters/${name}`;
    if (type === "google_container_node_pool") return `${PROJECT}/${location}/${cluster}/${name}`;
    if (type === "google_service_account") {
      return `projects/${PROJECT}/serviceAccounts/${account}@${PROJECT}.iam.gserviceaccount.com`;
    }
    if (type === "google_storage_bucket") return name;
    expect(type.startsWith("kubernetes_"), `no import id is known for ${address}`);
    return metadata[0].namespace ? `${metadata[0].namespace}/${metadata[0].name}` : metadata[0].name;
  }
}

export function expectEqual(actual: readonly string[], wanted: readonly string[], message: string): void {
  expect(JSON.stringify(actual) === JSON.stringify(wanted), message, { actual, wanted });
}
