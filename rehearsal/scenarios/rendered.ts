import { expect, Scenario, Stage } from "../stage/stage";
import { allApps, synthesizeStacks } from "../terraform/apps";
import { renderedObjects } from "../terraform/rendered";

export const rendered: Scenario = {
  name: "rendered-objects",
  title:
    "the API server takes every object of every stack, field by field, the operator the RayClusters, and restricted namespaces the heads, without Terraform",
  needs: [],
  async run(stage) {
    stage.step("types of KubeRay");
    await stage.node.startOperator().ready;
    for (const app of allApps()) {
      stage.step(app);
      for (const folder of (await synthesizeStacks(app)).values()) {
        const objects = withoutRepeats(renderedObjects(folder));
        if (objects.length > 0) await applyAndDelete(stage, objects);
      }
    }
  },
};

/** Two clusters of a stack may hold the same object; here there is one. */
function withoutRepeats(objects: any[]): any[] {
  const nameOf = ({ kind, metadata }: any) => `${kind} ${metadata.namespace}/${metadata.name}`;
  return [...new Map(objects.map((object) => [nameOf(object), object])).values()];
}

async function applyAndDelete(stage: Stage, objects: any[]): Promise<void> {
  const all = [...madeByOthers(objects), ...objects].map(restricted);
  const list = JSON.stringify({ apiVersion: "v1", kind: "List", items: all });
  const applied = await stage.node.kubectl(["apply", "--server-side", "--validate=strict", "-f", "-"], {
    input: list,
  });
  const count = applied.split("\n").filter((line) => line.includes("serverside-applied")).length;
  expect(count === all.length, `${count} of ${all.length} objects were applied`, applied);
  for (const { metadata } of objects.filter(({ kind }) => kind === "RayCluster")) {
    // The operator has read it and found nothing wrong with it when it makes the head.
    await stage.node.waitFor(`a head for ${metadata.name}`, 60_000, async () => {
      return (await stage.ray(metadata.namespace, metadata.name).list("head")).length === 1;
    });
  }
  await stage.node.kubectl(["delete", "--wait=false", "-f", "-"], { input: list });
  // What the pods would do with their grace period is another scenario's business.
  await stage.node.kubectl(["delete", "pods", "-A", "--all", "--force", "--grace-period=0", "--wait=false"]);
  await stage.node.waitFor("the end of the namespaces", 120_000, async () => {
    const names = (await stage.node.client.list("/api/v1/namespaces")).map(({ metadata }) => metadata.name);
    return !all.some(({ kind, metadata }) => kind === "Namespace" && names.includes(metadata.name));
  });
}

/** The namespace with its pods held to `restricted`, whatever the stack says; SkyPilot's tasks are not this library's. */
function restricted(object: any): any {
  const { kind, metadata } = object;
  if (kind !== "Namespace" || metadata.labels?.parent === "skypilot") return object;
  const labels = { ...metadata.labels, "pod-security.kubernetes.io/enforce": "restricted" };
  return { ...object, metadata: { ...metadata, labels } };
}

/** Namespaces and service accounts that a stack says exist already. */
function madeByOthers(objects: any[]): any[] {
  const has = (kind: string, name: string, namespace?: string) =>
    objects.some(
      (object) =>
        object.kind === kind && object.metadata.name === name && object.metadata.namespace === namespace,
    );
  const namespaces = [...new Set<string>(objects.map(({ metadata }) => metadata.namespace).filter(Boolean))]
    .filter((name) => !has("Namespace", name))
    .map((name) => ({ apiVersion: "v1", kind: "Namespace", metadata: { name } }));
  const accounts = objects
    .filter(({ kind }) => kind === "RayCluster")
    .map(({ metadata, spec }) => ({
      name: spec.headGroupSpec.template.spec.serviceAccountName,
      namespace: metadata.namespace,
    }))
    .filter(({ name, namespace }) => !has("ServiceAccount", name, namespace))
    .map((metadata) => ({ apiVersion: "v1", kind: "ServiceAccount", metadata }));
  return [...namespaces, ...accounts];
}
