import type { LoggedRequest } from "../google/requests";
import type { AuditEvent } from "../node/audit";
import type { Site } from "../stage/site";
import { expect, Scenario, Stage } from "../stage/stage";
import { synthesize } from "../terraform/apps";

/** Kubernetes objects that the pods of a namespace need. */
interface Needs {
  readonly namespace: string;
  readonly objects: readonly (readonly [resource: string, name: RegExp])[];
}

/** Their account, and who may reach them. */
const RAY: Needs = {
  namespace: "ray",
  objects: [
    ["serviceaccounts", /^my-ksa$/],
    ["networkpolicies", /^raycluster-mini-ray$/],
  ],
};

/** Its account, its rule and its right to ask. */
const PROXY: Needs = {
  namespace: "ray-auth",
  objects: [
    ["serviceaccounts", /^raycluster-mini-proxy$/],
    ["configmaps", /^raycluster-mini-kube-rbac-proxy-/],
    ["clusterrolebindings", /^ray-auth-proxy:ray:raycluster-mini$/],
  ],
};

/** Something that happened to one thing, in milliseconds since the epoch. */
interface Moment {
  readonly what: string;
  readonly time: number;
}

export const order: Scenario = {
  name: "order",
  title: "pods come after their rights and go before them, by the times of the audit log and of Google's",
  needs: ["pods", "terraform"],
  async run(stage) {
    const settings = { RAY_DELETION_PROTECTION: "false", RAY_ENABLE_APIS: "false" };
    const site = await stage.site();
    await stage.begin();
    const first = site.google.snapshot();
    stage.step("apply");
    const terraform = await site.terraform(await synthesize("main.ts", settings));
    await terraform.apply();
    await stage.ray("ray", "raycluster-mini").waitForHead();
    expectRightsFirst(stage, RAY, rightsGiven(stage, site));
    expectRightsFirst(stage, PROXY, objectsCreated(stage, PROXY));

    stage.step("destroy");
    const applied = Date.now();
    const lastPodSeen = watchPods(stage);
    await terraform.destroy();
    expectRightsLast(await lastPodSeen.stop(), rightsTaken(stage, site, applied));
    // The last proxies are still ending when their Deployment is gone; without their rights they let nobody in.
    const [{ time }] = deleted(stage, "deployments", /^raycluster-mini-proxy$/);
    expectRightsLast(time, objectsDeleted(stage, PROXY));
    expectReverse(stage, site, applied);
    await stage.expectNothingLeft(site, first);
  },
};

function expectRightsFirst(stage: Stage, { namespace }: Needs, rights: Moment[]): void {
  const pods = podsCreated(stage, namespace);
  expect(pods.length > 0, `the audit log has no creation of a pod in ${namespace}`);
  const early = pods.filter((pod) => rights.some((right) => right.time >= pod.time));
  expect(early.length === 0, `a pod in ${namespace} was created before its rights`, { early, rights });
}

function expectRightsLast(podsGone: number, rights: Moment[]): void {
  const tooSoon = rights.filter(({ time }) => time < podsGone);
  expect(tooSoon.length === 0, `rights went before those who have them (${podsGone})`, tooSoon);
}

/** When each thing that a Ray pod needs was there. */
function rightsGiven(stage: Stage, site: Site): Moment[] {
  const google = grantsWritten(site.google.requests.all());
  expect(google.length >= 3, "not every right in the project was seen being given", google);
  return [...google, ...objectsCreated(stage, RAY)];
}

/** When each was taken away again. */
function rightsTaken(stage: Stage, site: Site, since: number): Moment[] {
  const google = grantsWritten(site.google.requests.all().filter(({ time }) => time > since));
  expect(google.length >= 3, "not every right in the project was seen being taken away", google);
  return [...google, ...objectsDeleted(stage, RAY)];
}

function grantsWritten(requests: readonly LoggedRequest[]): Moment[] {
  return [
    ...written(requests, /\/serviceAccounts\/my-iam-sa[^/]*:setIamPolicy/, "workload identity binding"),
    ...written(requests, /\/b\/my-project-id-ray\/iam/, "bucket grant"),
  ];
}

function objectsCreated(stage: Stage, { objects }: Needs): Moment[] {
  return expectEach(objects.map(([resource, name]) => created(stage, resource, name)));
}

function objectsDeleted(stage: Stage, { objects }: Needs): Moment[] {
  return expectEach(objects.map(([resource, name]) => deleted(stage, resource, name)));
}

function expectEach(moments: Moment[][]): Moment[] {
  expect(!moments.some((found) => found.length === 0), "not every object was seen", moments);
  return moments.flat();
}

/** The Ray cluster goes first, then what it needs, then the nodes, then the cluster. */
function expectReverse(stage: Stage, site: Site, since: number): void {
  const google = site.google.requests.all().filter(({ time, method }) => time > since && method === "DELETE");
  const time = (moments: Moment[]) => Math.max(...moments.map((moment) => moment.time));
  const pool = google.filter(({ path }) => /\/nodePools\/ray/.test(path)).map(toMoment);
  const cluster = google
    .filter(({ path }) => /\/clusters\/cloud-bucket-cluster(\?|$)/.test(path))
    .map(toMoment);
  const steps = [
    deleted(stage, "rayclusters", /^raycluster-mini$/),
    deleted(stage, "jobs", /^ray-operator-addon-gate$/),
    deleted(stage, "namespaces", /^ray$/),
    pool,
    cluster,
  ];
  expect(!steps.some((step) => step.length === 0), "a DELETE is missing", steps);
  const times = steps.map(time);
  expect(
    times[0] < times[1] && times[1] < times[3] && times[2] < times[3] && times[3] < times[4],
    "the DELETE requests did not come in the reverse order",
    steps,
  );
}

function podsCreated(stage: Stage, namespace: string): Moment[] {
  return stage.node
    .auditEvents()
    .filter(({ verb, objectRef, responseStatus }) => {
      const isPod = objectRef?.resource === "pods" && objectRef.subresource === undefined;
      return verb === "create" && isPod && objectRef?.namespace === namespace && responseStatus?.code === 201;
    })
    .map((event) => toAuditMoment(event, "pod"));
}

/** Looks again and again until it is told to stop; then tells when it last saw a Ray pod. */
function watchPods(stage: Stage): { stop(): Promise<number> } {
  let last = 0;
  let stopped = false;
  const ray = stage.ray("ray", "raycluster-mini");
  const watching = (async () => {
    while (!stopped) {
      const pods = await ray.list().catch(() => []);
      if (pods.length > 0) last = Date.now();
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  })();
  return {
    stop: async () => {
      stopped = true;
      await watching;
      expect(last > 0, "no Ray pod was seen before the destroy");
      return last;
    },
  };
}

function created(stage: Stage, resource: string, name: RegExp): Moment[] {
  return audited(stage, "create", resource, name);
}

function deleted(stage: Stage, resource: string, name: RegExp): Moment[] {
  return audited(stage, "delete", resource, name);
}

function audited(stage: Stage, verb: string, resource: string, name: RegExp): Moment[] {
  return stage.node
    .auditEvents()
    .filter(({ objectRef }) => objectRef?.resource === resource && objectRef.subresource === undefined)
    .filter(({ objectRef }) => name.test(objectRef?.name ?? ""))
    .filter((event) => event.verb === verb && (event.responseStatus?.code ?? 0) < 300)
    .map((event) => toAuditMoment(event, `${verb} ${resource}/${event.objectRef?.name}`));
}

function written(requests: readonly LoggedRequest[], path: RegExp, what: string): Moment[] {
  return requests
    .filter((request) => request.method !== "GET" && path.test(request.path) && request.status === 200)
    .filter((request) => !/getIamPolicy|testIamPermissions/.test(request.path))
    .map((request) => ({ what, time: request.time }));
}

function toMoment({ method, path, time }: LoggedRequest): Moment {
  return { what: `${method} ${path}`, time };
}

function toAuditMoment({ requestReceivedTimestamp }: AuditEvent, what: string): Moment {
  return { what, time: Date.parse(requestReceivedTimestamp) };
}
