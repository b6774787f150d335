import { existsSync, readFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { Scenario, Skipped, Stage } from "../../stage/stage";

/** Whether an argument is the folder of a synthesized stack. */
export function isStackFolder(argument: string): boolean {
  return existsSync(join(argument, "cdk.tf.json"));
}

/** A user's own stack: applied, its Ray clusters waited for, planned again, and destroyed where it may be. */
export function ownStack(argument: string): Scenario {
  const folder = resolve(argument);
  const config = JSON.parse(readFileSync(join(folder, "cdk.tf.json"), "utf8"));
  return {
    name: folder,
    title: `the stack ${basename(folder)}, as it was synthesized`,
    needs: ["pods", "terraform"],
    run: (stage) => rehearse(stage, folder, config),
  };
}

async function rehearse(stage: Stage, folder: string, config: any): Promise<void | string> {
  const site = await stage.site(projectOf(config));
  await stage.begin();
  const first = site.google.snapshot();
  if (releases(config).some(({ chart }) => chart === "kuberay-operator")) {
    const missing = await site.serveChart("kuberay-operator");
    if (missing) throw new Skipped(missing);
  } else if (releases(config).length > 0 && !hasAddon(config)) {
    await site.startOperator(0).ready;
  }
  stage.step("apply");
  const terraform = await site.terraform(folder);
  await terraform.apply();
  for (const { metadata } of await rayClusters(stage)) {
    stage.step(`head of ${metadata.namespace}/${metadata.name}`);
    await stage.ray(metadata.namespace!, metadata.name).waitForHead();
  }
  await stage.expectNothingToDo(terraform);
  if (isProtected(config)) return "applied and not destroyed: deletion protection is on";
  stage.step("destroy");
  await terraform.destroy();
  await stage.expectNothingLeft(site, first);
}

/** A project that the stack names itself; otherwise the double's own will do. */
function projectOf(config: any): { readonly projectId?: string } {
  const project = [config.provider?.google].flat()[0]?.project;
  return typeof project === "string" && !project.includes("${") ? { projectId: project } : {};
}

function releases(config: any): any[] {
  return Object.values(config.resource?.helm_release ?? {});
}

function clusters(config: any): any[] {
  return Object.values(config.resource?.google_container_cluster ?? {});
}

function hasAddon(config: any): boolean {
  const enabled = ({ addons_config: addons }: any) => [addons?.ray_operator_config ?? []].flat()[0]?.enabled;
  return clusters(config).some((cluster) => enabled(cluster) === true);
}

function isProtected(config: any): boolean {
  return clusters(config).some((cluster) => cluster.deletion_protection !== false);
}

async function rayClusters(stage: Stage) {
  return stage.node.client.list("/apis/ray.io/v1/rayclusters").catch(() => []);
}
