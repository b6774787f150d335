import { cpSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { RequestMatch } from "../google/faults";
import { expect, Scenario, Stage } from "../stage/stage";
import { Ending, Stops, WRITES } from "../stage/stops";
import { RunningTerraform, TerraformRun } from "../terraform/command";
import { errorsByAddress, PlannedChange, requireDone } from "../terraform/terraform";
import { DefaultStack, expectEqual } from "./support/default-stack";

const INTERRUPT_BEFORE: Ending = { signal: "SIGINT", when: "before" };
const INTERRUPT_AFTER: Ending = { signal: "SIGINT", when: "after" };
const KILL: Ending = { signal: "SIGKILL", when: "after" };

/** Granting twice is granting once, and so is enabling. */
const IDEMPOTENT = /^google_(project_service|\w+_iam_member)\./;

/** GKE's API brings that of Compute Engine along, which then takes no request. */
const BROUGHT_ALONG = /^google_project_service\..*-compute_/;

/** The request by which Helm marks a release as deployed: an apply takes over what it finds. */
const DEPLOYED = /^PUT .*\/secrets\/sh\.helm\.release\./;

/** The request by which Helm begins to remove a release. */
const UNINSTALL: RequestMatch = { method: "PUT", path: /\/secrets\/sh\.helm\.release\./ };

/** Without Helm's notes of its own work: interrupted at the first of them, it goes on to the end and is met no more. */
const OBJECTS: RequestMatch = { ...WRITES, path: /^(?!.*(:(get|test)Iam|\/secrets))/ };

/** So that it is clear whose request it is that Terraform is stopped at. */
const ONE_BY_ONE = "-parallelism=1";

/** Runs a command of Terraform again and again, each time one request further, until it comes to its end. */
async function stopAtEach(
  stage: Stage,
  stops: Stops,
  start: () => RunningTerraform,
  onStopped: (address: string, request: string) => void = () => undefined,
): Promise<TerraformRun> {
  for (;;) {
    const command = start();
    const stop = await stops.next(command);
    if (stop === undefined) return command.finished;
    stage.step(`${stop.ending.signal} ${stop.ending.when} ${stop.request}`);
    await stops.end(command, stop);
    onStopped(stop.address, stop.request);
  }
}

/** Ctrl-C at each request that makes something, before or after it takes effect. */
async function interrupted(stage: Stage, ending: Ending, requests: RequestMatch): Promise<void> {
  const stack = await DefaultStack.open(stage);
  const { terraform } = stack;
  const planned = addressesOf(await stack.planned());
  const stops = new Stops(stack.faults, [ending], requests);
  requireDone(await stopAtEach(stage, stops, () => terraform.startApply(ONE_BY_ONE)));
  expectMet(stops, planned);
  expectEqual((await terraform.stateList()).sort(), planned, "Terraform lost something");
  stack.expectMadeOnce();
  await stack.removeDefaultPool();
  await stack.close();
}

/** Power cut at each request that makes something, just when it has been made and Terraform does not know yet. */
async function killed(stage: Stage): Promise<void> {
  const stack = await DefaultStack.open(stage);
  const { terraform } = stack;
  const planned = addressesOf(await stack.planned());
  const stops = new Stops(stack.faults, [KILL]);
  const unrecorded = new Set<string>();
  const repaired = new Set<string>();
  const onKilled = (address: string, request: string) => {
    const makes = request.startsWith("POST ") || address.startsWith("helm_release.");
    if (makes && !IDEMPOTENT.test(address) && !DEPLOYED.test(request)) unrecorded.add(address);
  };
  for (;;) {
    const run = await stopAtEach(stage, stops, () => terraform.startApply(ONE_BY_ONE), onKilled);
    if (run.exitCode === 0) break;
    for (const { address, message } of errorsByAddress(run)) {
      stage.step(`repair of ${address}`);
      expect(unrecorded.delete(address), `${address} was recorded, or repaired but not for long`, message);
      await stack.repair(address, message);
      repaired.add(address);
    }
  }
  expectMet(stops, planned);
  const objects = planned.filter((address) => !IDEMPOTENT.test(address));
  expectEqual([...repaired].sort(), objects, "not every object that was not recorded gave an error");
  stack.expectMadeOnce();
  await stack.close();
}

/** Ctrl-C and power cuts, in turn, at each request of an update of everything that can be updated. */
async function interruptedUpdates(stage: Stage): Promise<void> {
  const stack = await DefaultStack.open(stage);
  const { terraform } = stack;
  stage.step("apply");
  await terraform.apply();
  const all = (await terraform.stateList()).sort();
  await terraform.update(withLabels(stack.folder));
  const changes = await terraform.plannedChanges();
  const others = changes.filter(({ actions }) => actions.join() !== "update");
  expect(others.length === 0, "labels are more than an update", others);
  const stops = new Stops(stack.faults, [INTERRUPT_BEFORE, INTERRUPT_AFTER, KILL]);
  const apply = () => terraform.startApply(ONE_BY_ONE);
  await finish(stage, stack, () => stopAtEach(stage, stops, apply));
  expectMet(stops, addressesOf(changes));
  expectEqual((await terraform.stateList()).sort(), all, "Terraform lost something");
  stack.expectMadeOnce();
  await stack.close();
}

/** Ctrl-C and power cuts, in turn, at each request of a destroy; before that, an apply takes a destroy back. */
async function interruptedDestroy(stage: Stage): Promise<void> {
  const stack = await DefaultStack.open(stage);
  const { terraform } = stack;
  stage.step("apply");
  await terraform.apply();
  const all = (await terraform.stateList()).sort();
  const destroy = () => terraform.startDestroy(ONE_BY_ONE);
  for (const ending of [KILL, INTERRUPT_AFTER]) {
    const command = destroy();
    const stops = new Stops(stack.faults, [ending], UNINSTALL);
    const stop = await stops.next(command);
    expect(stop !== undefined, "the destroy removes no release");
    stage.step(`${ending.signal} ${ending.when} ${stop.request}, and an apply takes the destroy back`);
    await stops.end(command, stop);
    await finish(stage, stack, () => terraform.tryApply());
    expectEqual((await terraform.stateList()).sort(), all, "an apply does not bring everything back");
    await stage.expectNothingToDo(terraform);
  }
  const stops = new Stops(stack.faults, [KILL, INTERRUPT_BEFORE, INTERRUPT_AFTER]);
  await finish(stage, stack, () => stopAtEach(stage, stops, destroy));
  // Services stay enabled, which takes no request.
  const deleted = all.filter((address) => !address.startsWith("google_project_service."));
  expectMet(stops, deleted);
  await stack.expectNothingLeft();
}

/** More than the requests at which Helm can be killed. */
const MOST_REPAIRS = 10;

/** Goes on to the end; nothing needs a repair but a release, when Helm was killed at work. */
async function finish(stage: Stage, stack: DefaultStack, goOn: () => Promise<TerraformRun>): Promise<void> {
  for (let repairs = 0; repairs < MOST_REPAIRS; repairs++) {
    const run = await goOn();
    if (run.exitCode === 0) return;
    const [{ address, message }, ...others] = errorsByAddress(run);
    expect(
      address.startsWith("helm_release.") && others.length === 0,
      "more than Helm needs a repair",
      run.output,
    );
    stage.step(`repair of ${address}`);
    await stack.repair(address, message);
  }
  throw new Error("no repair helps for long");
}

/** @throws unless Terraform was stopped at each of these resources and at no other */
function expectMet(stops: Stops, addresses: readonly string[]): void {
  const needed = (address: string) => !BROUGHT_ALONG.test(address);
  expectEqual(stops.addresses.filter(needed), addresses.filter(needed), "not every resource was met");
}

function addressesOf(changes: readonly PlannedChange[]): string[] {
  return changes.map(({ address }) => address).sort();
}

/** A copy of a stack in which everything that can be described otherwise in place is. */
function withLabels(stackFolder: string): string {
  const folder = mkdtempSync(join(tmpdir(), "labelled-"));
  cpSync(stackFolder, folder, { recursive: true });
  const file = join(folder, "cdk.tf.json");
  const config = JSON.parse(readFileSync(file, "utf8"));
  const labels = { team: "research" };
  for (const [type, resources] of Object.entries<any>(config.resource)) {
    for (const body of Object.values<any>(resources)) {
      if (type === "google_container_cluster") body.resource_labels = labels;
      if (type === "google_container_node_pool") body.autoscaling.max_node_count = 2;
      if (type === "google_service_account") body.description = "research";
      if (type === "google_storage_bucket") body.labels = labels;
      if (type.startsWith("kubernetes_")) body.metadata.labels = { ...body.metadata.labels, ...labels };
      if (type === "helm_release")
        body.values = body.values.map((values: string) => labelled(values, labels));
    }
  }
  writeFileSync(file, JSON.stringify(config));
  return folder;
}

function labelled(values: string, labels: object): string {
  const { manifests, ...rest } = JSON.parse(values);
  const [manifest, ...others] = manifests;
  const metadata = { ...manifest.metadata, labels: { ...manifest.metadata.labels, ...labels } };
  return JSON.stringify({ manifests: [{ ...manifest, metadata }, ...others], ...rest });
}

export const interruptions: readonly Scenario[] = [
  {
    name: "interrupted-before",
    title: "Ctrl-C at each resource in turn, before it is made; the next apply goes on",
    needs: ["pods", "terraform"],
    long: true,
    run: (stage) => interrupted(stage, INTERRUPT_BEFORE, WRITES),
  },
  {
    name: "interrupted",
    title: "Ctrl-C at each resource in turn, when it has been made; nothing is lost or made twice",
    needs: ["pods", "terraform"],
    long: true,
    run: (stage) => interrupted(stage, INTERRUPT_AFTER, OBJECTS),
  },
  {
    name: "interrupted-updates",
    title: "Ctrl-C and kills at each update in turn; the next apply goes on",
    needs: ["pods", "terraform"],
    long: true,
    run: interruptedUpdates,
  },
  {
    name: "interrupted-destroy",
    title: "Ctrl-C and kills at each deletion in turn; the next destroy goes on, or an apply takes it back",
    needs: ["pods", "terraform"],
    long: true,
    run: interruptedDestroy,
  },
  {
    name: "killed",
    title: "Terraform killed at each resource in turn; each object it did not record can be imported",
    needs: ["pods", "terraform"],
    long: true,
    run: killed,
  },
];
