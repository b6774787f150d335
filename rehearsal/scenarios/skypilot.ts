import { spawn } from "node:child_process";
import type { Node } from "../node/node";
import type { Answer } from "../node/kube-client";
import { type Access, allowed, denied, describe, describeWhole } from "../skypilot/access";
import { Account, wouldLet } from "../skypilot/account";
import { fuseDaemonSet, fuseVariations } from "../skypilot/fuse-daemon-set";
import { type Feature, FUSE_DAEMON_SET } from "../skypilot/matrix";
import {
  ELSEWHERE,
  SKYPILOT_SITE,
  SkyPilotInstance,
  type SkyPilotProps,
  synthesizeSkyPilot,
} from "../skypilot/stack";
import { expect, Scenario, Stage } from "../stage/stage";
import { RAY_VERSION } from "../tools/versions";

const FEATURES: readonly Feature[] = [
  "gpuAvailability",
  "objectStoreMounts",
  "ingressPorts",
  "volumes",
  "haControllers",
  "hostNetwork",
  "gpuMetrics",
  "legacySshSecret",
  "controllers",
];

const USER = "ada@example.com";

/** Port of the program in the pod that is reached. */
const PORT = 8080;

export const skypilot: Scenario = {
  name: "skypilot",
  title: "SkyPilot's accounts may what SkyPilot does, feature by feature, and nothing else",
  needs: ["pods", "terraform"],
  async run(stage) {
    const site = await stage.site(SKYPILOT_SITE);
    await stage.begin();
    const first = site.google.snapshot();
    await createNamespaces(stage, "ingress-nginx", ELSEWHERE);
    const { folder, instances } = synthesizeSkyPilot(INSTANCES);

    stage.step("apply");
    const terraform = await site.terraform(folder);
    await terraform.apply();
    const instance = (id: string) => instances.find((candidate) => candidate.id === id)!;
    const none = instance("none");
    const all = instance("all");

    stage.step("what each account may, by the API server's word");
    const everybody = await everybodysRules(stage.node);
    for (const each of instances) await expectRights(stage.node, each, everybody);
    await expectForeignersRefused(stage.node, all);
    await expectUserMay(stage.node, all);
    await expectTokenOfCommand(stage.node, none);
    stage.step("what it may, by real requests");
    for (const each of [none, all]) await expectAnswers(stage.node, each);

    stage.step("a pod");
    await startPod(stage, none);
    await expectReachable(stage, none);
    stage.step("DaemonSets");
    await expectOneDaemonSet(stage, instance("objectStoreMounts"));
    stage.step("ways to more rights");
    await expectNoEscalation(stage, none);
    await expectNoEscalation(stage, instance("strict"));

    await stage.expectNothingToDo(terraform);
    stage.step("destroy");
    await terraform.destroy();
    await stage.node.kubectl(["delete", "namespace", "ingress-nginx", ELSEWHERE, "--wait"]);
    await stage.expectNothingLeft(site, first);
  },
};

/** An instance for each feature alone, for none, for all, and for each way of naming the accounts. */
const INSTANCES: Readonly<Record<string, SkyPilotProps>> = {
  none: { namespace: "none", additionalNamespaces: ["none-too"] },
  ...Object.fromEntries(FEATURES.map((feature) => [feature, oneFeature(feature)])),
  all: { namespace: "all", features: on(FEATURES), launchUser: USER },
  shared: { namespace: "shared", sharedIdentity: true, features: on(["volumes", "hostNetwork"]) },
  /** Everything on but what is documented to give more. */
  strict: {
    namespace: "strict",
    launcherNamespace: "launchers",
    serviceAccountName: "strict",
    features: on(FEATURES.filter((feature) => feature !== "legacySshSecret" && feature !== "controllers")),
  },
};

function oneFeature(feature: Feature): SkyPilotProps {
  const name = `sky-${feature.toLowerCase()}`;
  return {
    namespace: name,
    launcherNamespace: "launchers",
    serviceAccountName: name,
    features: on([feature]),
  };
}

function on(features: readonly Feature[]): Partial<Record<Feature, boolean>> {
  return Object.fromEntries(features.map((feature) => [feature, true]));
}

/** The whole matrix, by SubjectAccessReview, and by what the account is told about itself. */
async function expectRights(
  node: Node,
  instance: SkyPilotInstance,
  everybody: ReadonlySet<string>,
): Promise<void> {
  for (const account of instance.accounts(node)) {
    const { kind, features, namespaces } = account;
    const mine = allowed(kind, features, namespaces);
    const wrong = await failing(mine, async (access) => !(await account.may(access)));
    expect(wrong.length === 0, `${account.userName} may not`, wrong);
    const others = denied(kind, features, namespaces);
    const tooMuch = await failing(others, (access) => account.may(access));
    expect(tooMuch.length === 0, `${account.userName} may`, tooMuch);

    const places = Object.values(namespaces).filter((namespace) => namespace !== undefined);
    for (const namespace of new Set(places)) {
      const expected = mine.filter((access) => access.namespace === namespace || access.namespace === "");
      const told = [...(await account.rules(namespace))].filter((rule) => !everybody.has(rule));
      const [has, should] = [told.sort(), [...new Set(expected.map(describe))].sort()];
      expect(
        JSON.stringify(has) === JSON.stringify(should),
        `the rules of ${account.userName} in ${namespace}`,
        { has, should },
      );
    }
    account.close();
  }
}

/** The command that the construct names prints a token of the launcher. */
async function expectTokenOfCommand(node: Node, instance: SkyPilotInstance): Promise<void> {
  const [, ...args] = instance.tokenCommand.split(" ");
  const token = await node.kubectl(args);
  const client = node.clientFor(token.trim());
  await client.list(`/api/v1/namespaces/${instance.namespaces[0]}/pods`);
  client.close();
}

/** What every account may, without anybody's doing. */
async function everybodysRules(node: Node): Promise<Set<string>> {
  const nobody = new Account(node, "default", "default", "workload", [], {});
  const rules = await nobody.rules("default");
  nobody.close();
  return rules;
}

/** The same matrix, by real requests with the account's token. */
async function expectAnswers(node: Node, instance: SkyPilotInstance): Promise<void> {
  for (const account of instance.accounts(node)) {
    const { kind, features, namespaces } = account;
    const refused = await failing(
      allowed(kind, features, namespaces),
      async (access) => (await account.does(access)) === false,
    );
    expect(refused.length === 0, `${account.userName} was refused`, refused);
    const answered = await failing(
      denied(kind, features, namespaces),
      async (access) => (await account.does(access)) === true,
    );
    expect(answered.length === 0, `${account.userName} was not refused`, answered);
    account.close();
  }
}

/** Accounts of the same name elsewhere, and the namespace's own account. */
async function expectForeignersRefused(node: Node, instance: SkyPilotInstance): Promise<void> {
  const { name, features, namespaces } = instance.launcher(node);
  const strangers = [
    new Account(node, name, ELSEWHERE, "shared", features, namespaces),
    new Account(node, name, instance.namespaces[0], "shared", features, namespaces),
    new Account(node, "default", instance.namespaces[0], "shared", features, namespaces),
  ];
  for (const stranger of strangers) {
    const may = await failing(allowed("shared", features, namespaces), (access) => stranger.may(access));
    expect(may.length === 0, `${stranger.userName} may`, may);
  }
}

/** Whoever was named by `grantLauncher` may what the launcher may, as the user of a kubeconfig. */
async function expectUserMay(node: Node, instance: SkyPilotInstance): Promise<void> {
  const { kind, features, namespaces } = instance.launcher(node);
  const mine = allowed(kind, features, namespaces);
  const wrong = await failing(mine, async (access) => !(await wouldLet(node, USER, [], access)));
  expect(wrong.length === 0, `${USER} may not`, wrong);
}

/** @returns the cells for which a check says yes */
async function failing(
  cells: readonly Access[],
  check: (cell: Access) => Promise<boolean>,
): Promise<string[]> {
  const answers = await Promise.all(cells.map(check));
  return cells.filter((_cell, index) => answers[index]).map(describeWhole);
}

/** A pod as SkyPilot makes it, of an image that the node has, with a server in it. */
async function startPod(stage: Stage, instance: SkyPilotInstance): Promise<void> {
  const launcher = instance.launcher(stage.node);
  const client = await launcher.client();
  await client.create(`/api/v1/namespaces/${instance.namespaces[0]}/pods`, {
    metadata: { name: "task-head", labels: { "skypilot-cluster-name": "task" } },
    spec: {
      serviceAccountName: instance.workload(stage.node).name,
      terminationGracePeriodSeconds: 0,
      containers: [
        {
          name: "ray-node",
          image: `rayproject/ray:${RAY_VERSION}`,
          command: ["python3", "-m", "http.server", `${PORT}`],
          readinessProbe: { tcpSocket: { port: PORT }, periodSeconds: 1 },
        },
      ],
    },
  });
  await stage.node.kubectl([
    "wait",
    "-n",
    instance.namespaces[0],
    "--for=condition=Ready",
    "pod/task-head",
    "--timeout=60s",
  ]);
}

/** The launcher runs commands in the pod and reaches its ports, both over WebSocket. */
async function expectReachable(stage: Stage, instance: SkyPilotInstance): Promise<void> {
  const launcher = instance.launcher(stage.node);
  const [namespace] = instance.namespaces;
  const printed = await launcher.kubectl(
    "exec",
    "-n",
    namespace,
    "task-head",
    "--",
    "python3",
    "-c",
    "print(6 * 7)",
  );
  expect(printed.trim() === "42", "exec did not run the program", printed);
  const page = await throughPortForward(stage, await launcher.token(), namespace);
  expect(page.includes("Directory listing"), "the port was not forwarded", page);
  for (const subresource of ["exec", "portforward"]) {
    const events = stage.node
      .auditEvents()
      .filter(({ user, objectRef }) => user.username === launcher.userName && objectRef?.name === "task-head")
      .filter(({ objectRef }) => objectRef?.subresource === subresource);
    const upgraded = events.filter(
      ({ verb, responseStatus }) => verb === "get" && responseStatus?.code === 101,
    );
    expect(upgraded.length > 0, `${subresource} did not go over WebSocket`, events);
  }
}

/** Asks the pod's server through `kubectl port-forward`. */
async function throughPortForward(stage: Stage, token: string, namespace: string): Promise<string> {
  const args = [`--kubeconfig=${stage.node.kubeconfigFor(token)}`, "port-forward", "-n", namespace];
  const child = spawn(stage.cache.program("kubectl"), [...args, "pod/task-head", `:${PORT}`]);
  try {
    const port = await new Promise<string>((resolve, reject) => {
      let output = "";
      const read = (data: Buffer) => {
        output += data.toString();
        const found = /Forwarding from 127\.0\.0\.1:(\d+)/.exec(output);
        if (found) resolve(found[1]);
      };
      child.stdout.on("data", read);
      child.stderr.on("data", read);
      child.once("close", () => reject(new Error(`port-forward ended: ${output}`)));
    });
    return await (await fetch(`http://127.0.0.1:${port}/`)).text();
  } finally {
    child.kill();
  }
}

/** SkyPilot's own DaemonSet is let through, and no other. */
async function expectOneDaemonSet(stage: Stage, instance: SkyPilotInstance): Promise<void> {
  const path = "/apis/apps/v1/namespaces/skypilot-system/daemonsets";
  const client = await instance.launcher(stage.node).client();
  const answers: Record<string, Answer> = {};
  for (const { what, daemonSet } of fuseVariations())
    answers[what] = await client.attempt("POST", path, daemonSet);
  const accepted = Object.keys(answers).filter((what) => !isDeniedByPolicy(answers[what]));
  expect(
    accepted.length === 0,
    "not refused by the admission policy",
    accepted.map((what) => [what, answers[what]]),
  );

  const made = await client.attempt("POST", path, fuseDaemonSet());
  expect(made.status === 201, "SkyPilot's own DaemonSet is refused", made);
  const again = await client.attempt("POST", path, fuseDaemonSet());
  expect(again.status === 409, "SkyPilot's own DaemonSet was made twice", again);
  const newer = {
    spec: { template: { spec: { containers: fuseDaemonSet().spec.template.spec.containers } } },
  };
  newer.spec.template.spec.containers[0].image = "berkeleyskypilot/fusermount-server:0.2.3";
  const patched = await client.attempt("PATCH", `${path}/${FUSE_DAEMON_SET}`, newer);
  expect(patched.status === 200, "its image cannot be renewed", patched);
  newer.spec.template.spec.containers[0].image = "busybox:1.36";
  const worse = await client.attempt("PATCH", `${path}/${FUSE_DAEMON_SET}`, newer);
  expect(isDeniedByPolicy(worse), "another image was patched into it", worse);
}

function isDeniedByPolicy({ status, text }: Answer): boolean {
  return status >= 400 && /ValidatingAdmissionPolicy 'skypilot-system'/.test(text);
}

/** Whoever holds the launcher's token, or a pod's, gets no further by it. */
async function expectNoEscalation(stage: Stage, instance: SkyPilotInstance): Promise<void> {
  const [namespace] = instance.namespaces;
  const launcher = instance.launcher(stage.node);
  const workload = instance.workload(stage.node);
  const rbac = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}`;
  const admin = { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "cluster-admin" };
  const everything = [{ apiGroups: ["*"], resources: ["*"], verbs: ["*"] }];
  const core = "/api/v1/namespaces";
  for (const account of [launcher, workload]) {
    const me = { kind: "ServiceAccount", name: account.name, namespace: account.namespace };
    const annotations = { "kubernetes.io/service-account.name": workload.name };
    const tries: Readonly<Record<string, readonly [string, string, object?]>> = {
      "a token Secret of the pods' account": [
        "POST",
        `${core}/${namespace}/secrets`,
        { metadata: { name: "mine", annotations }, type: "kubernetes.io/service-account-token" },
      ],
      "a token of the launcher": [
        "POST",
        `${core}/${launcher.namespace}/serviceaccounts/${launcher.name}/token`,
        { spec: {} },
      ],
      "a token of a controller of Kubernetes": [
        "POST",
        `${core}/kube-system/serviceaccounts/namespace-controller/token`,
        { spec: {} },
      ],
      "a RoleBinding to cluster-admin": [
        "POST",
        `${rbac}/rolebindings`,
        { metadata: { name: "mine" }, roleRef: admin, subjects: [me] },
      ],
      "a ClusterRoleBinding to cluster-admin": [
        "POST",
        "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
        { metadata: { name: "mine" }, roleRef: admin, subjects: [me] },
      ],
      "a Role with everything": ["POST", `${rbac}/roles`, { metadata: { name: "mine" }, rules: everything }],
      "its own Role with everything": [
        "PATCH",
        `${rbac}/roles/skypilot:${launcher.namespace}:${launcher.name}`,
        { rules: everything },
      ],
      "commands in another namespace": ["POST", `${core}/kube-system/pods/any/exec?command=id&stdout=true`],
      "a pod as the launcher": [
        "POST",
        `${core}/${launcher.namespace}/pods`,
        pod({ serviceAccountName: launcher.name }),
      ],
      "the Secrets of the launcher": ["GET", `${core}/${launcher.namespace}/secrets`],
      "another DaemonSet on every node": [
        "POST",
        "/apis/apps/v1/namespaces/skypilot-system/daemonsets",
        { ...fuseDaemonSet(), metadata: { name: "another" } },
      ],
    };
    const client = await account.client();
    for (const [what, [method, path, body]] of Object.entries(tries)) {
      const answer = await client.attempt(method, path, body);
      const refused = answer.status === 403 || isDeniedByPolicy(answer);
      expect(refused, `${account.userName} got ${what}`, answer);
    }
  }
  await expectPodsHeld(instance, launcher);
}

/** Pods of the workload namespace are nobody but its accounts, and no more than its Pod Security admits. */
async function expectPodsHeld(instance: SkyPilotInstance, launcher: Account): Promise<void> {
  const [namespace] = instance.namespaces;
  const client = await launcher.client();
  const create = (spec: object) => client.attempt("POST", `/api/v1/namespaces/${namespace}/pods`, pod(spec));
  const asLauncher = await create({ serviceAccountName: launcher.name });
  const notFound = asLauncher.status === 403 && /error looking up service account/.test(asLauncher.text);
  expect(notFound, "a pod of the workload namespace runs as the launcher", asLauncher);
  if (instance.features.includes("objectStoreMounts")) return;
  const beyond: Readonly<Record<string, object>> = {
    "the node's files": { volumes: [{ name: "root", hostPath: { path: "/" } }] },
    "the node's network": { hostNetwork: true },
    "a privileged container": {
      containers: [{ name: "task", image: "busybox:1.36", securityContext: { privileged: true } }],
    },
  };
  for (const [what, spec] of Object.entries(beyond)) {
    const answer = await create(spec);
    const refused = answer.status === 403 && /violates PodSecurity .*baseline/.test(answer.text);
    expect(refused, `a pod with ${what} was let through`, answer);
  }
}

function pod(spec: object): object {
  return {
    metadata: { name: "mine" },
    spec: { containers: [{ name: "task", image: "busybox:1.36" }], ...spec },
  };
}

async function createNamespaces(stage: Stage, ...names: string[]): Promise<void> {
  for (const name of names) await stage.node.client.create("/api/v1/namespaces", { metadata: { name } });
}
