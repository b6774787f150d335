import { RayAuthProxyPlacement } from "../../lib/contracts/ray-auth-proxy";
import { RbacSubject } from "../../lib/contracts/rbac-subject";
import { proxyNamespace } from "../stage/proxy-pods";
import { GOOGLE_USERS } from "../stage/site";
import { expect, Scenario, Stage } from "../stage/stage";
import { PlannedChange, Terraform } from "../terraform/terraform";
import { AUTH_SITE, AuthStack, MINI, NAMESPACE } from "./support/auth-stack";

const { DEPLOYMENT, HEAD_SIDECAR } = RayAuthProxyPlacement;

/** What is done to what, without the hash in the ConfigMap's name. */
const TO_DEPLOYMENT = [
  "create kubernetes_deployment_v1",
  "create kubernetes_namespace_v1",
  "create kubernetes_pod_disruption_budget_v1",
  "create kubernetes_role_binding_v1",
  "create kubernetes_role_v1",
  "create kubernetes_service_account_v1",
  "create kubernetes_service_v1",
  "delete,create kubernetes_config_map_v1",
  "update helm_release",
  "update kubernetes_cluster_role_binding_v1",
  "update kubernetes_network_policy_v1",
];

function synthesizePlacement(placement: RayAuthProxyPlacement): string {
  const stack = new AuthStack();
  const workerGroups = [{ groupName: "cpu", cpu: 1, memoryGiB: 2, minReplicas: 1, maxReplicas: 2 }];
  const proxy = stack.proxy(stack.rayCluster(MINI, { workerGroups }), { placement });
  proxy.grantSubmit(RbacSubject.user(GOOGLE_USERS.ada.name));
  stack.output("port_forward_command", proxy.portForwardCommand);
  return stack.synthesize();
}

export const proxyMove: Scenario = {
  name: "proxy-move",
  title: "one apply moves the proxy out of the head pod, and one moves it back",
  needs: ["pods", "terraform"],
  long: true,
  async run(stage) {
    const site = await stage.site(AUTH_SITE);
    await stage.begin();
    await site.startOperator(0).ready;
    const first = site.google.snapshot();
    stage.step("apply with the proxy in the head");
    const terraform = await site.terraform(synthesizePlacement(HEAD_SIDECAR));
    await terraform.apply();
    await stage.ray(NAMESPACE, MINI).waitForHead();
    await expectProxy(stage, terraform);

    const moved = await move(stage, terraform, DEPLOYMENT);
    expect(JSON.stringify(moved) === JSON.stringify(TO_DEPLOYMENT), "another plan than expected", moved);
    await stage.proxy(proxyNamespace(NAMESPACE), MINI).waitForReady(2);
    const [head] = await stage.ray(NAMESPACE, MINI).list("head");
    const containers = [...(head.spec.initContainers ?? []), ...head.spec.containers];
    const names = containers.map(({ name }: { name: string }) => name);
    expect(!names.includes("kube-rbac-proxy"), "the proxy is still in the head", names);

    await move(stage, terraform, HEAD_SIDECAR);
    const left = await stage.proxy(proxyNamespace(NAMESPACE), MINI).list();
    expect(left.length === 0, "proxies are left", left);
    stage.step("destroy");
    await terraform.destroy();
    await stage.expectNothingLeft(site, first);
  },
};

/** One apply; afterwards another head runs, callers are answered, and there is nothing to do. Returns what was done. */
async function move(stage: Stage, terraform: Terraform, placement: RayAuthProxyPlacement): Promise<string[]> {
  stage.step(`apply with ${placement}`);
  const ray = stage.ray(NAMESPACE, MINI);
  const before = (await ray.list("head")).map(({ metadata }) => metadata.uid);
  await terraform.update(synthesizePlacement(placement));
  const changes = await terraform.plannedChanges();
  await terraform.apply();
  await stage.node.waitFor("another head", 120_000, async () => {
    const heads = await ray.list("head");
    return heads.length === 1 && !before.includes(heads[0].metadata.uid);
  });
  await ray.waitForHead();
  await ray.waitForWorkers(1);
  await expectProxy(stage, terraform);
  await stage.expectNothingToDo(terraform);
  return changes.map(typeOf).sort();
}

function typeOf({ actions, address }: PlannedChange): string {
  return `${actions.join()} ${address.split(".")[0]}`;
}

async function expectProxy(stage: Stage, terraform: Terraform): Promise<void> {
  const shell = stage.userShell();
  const forward = await shell.forward(await terraform.output("port_forward_command"));
  const { ada, mallory } = GOOGLE_USERS;
  const statuses = [
    await shell.askJobApi(),
    await shell.askJobApi(mallory.token),
    await shell.askJobApi(ada.token),
  ];
  await forward.stop();
  expect(statuses.join() === "401,403,200", "the proxy does not answer as it should", statuses);
}
