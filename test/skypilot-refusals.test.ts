import {
  RbacSubject,
  SkyPilotPodSecurity,
  SkyPilotRemoteIdentity,
  SkyPilotServiceAccount,
  SkyPilotServiceAccountProps,
  WorkloadIdentity,
  WorkloadIdentityProps,
} from "../lib";
import { emptyStack, existingCluster, skyPilot, standardCluster } from "./support/stacks";

type Props = Partial<SkyPilotServiceAccountProps>;

const NOTHING_ELSE =
  "be a namespace for nothing else: who launches can use every Secret and service account in it (state 'allowBuiltInNamespace' to have it nevertheless)";
const NAME_OF_SKYPILOT = "not be a name that SkyPilot itself gives: it rewrites the roles of those";
const OTHER_MEANING = "be a name of its own: Kubernetes or SkyPilot mean something else by this one";
const ONE_ACCOUNT = "not be given with 'sharedIdentity': launcher and pods are one account";

/** The whole message of the error, without the path at its end. */
function refusal(props: Props, cluster = {}): string {
  let message = "";
  expect(() => {
    try {
      skyPilot(props, cluster);
    } catch (error) {
      message = (error as Error).message;
      throw error;
    }
  }).toThrow(/ \(at stack\/sky\)$/);
  return message.replace(" (at stack/sky)", "");
}

describe("a namespace is refused", () => {
  test.each<[string, Props, string]>([
    ["default", { namespace: "default" }, `'namespace' must ${NOTHING_ELSE}, got "default"`],
    ["kube-system", { namespace: "kube-system" }, `'namespace' must ${NOTHING_ELSE}, got "kube-system"`],
    [
      "gmp-system",
      { additionalNamespaces: ["ok", "gmp-system"] },
      `'additionalNamespaces[1]' must ${NOTHING_ELSE}, got "gmp-system"`,
    ],
    [
      "skypilot-system",
      { namespace: "skypilot-system" },
      `'namespace' must be a namespace for tasks: this one has another use in SkyPilot, got "skypilot-system"`,
    ],
    [
      "ingress-nginx",
      { additionalNamespaces: ["ingress-nginx"] },
      `'additionalNamespaces[0]' must be a namespace for tasks: this one has another use in SkyPilot, got "ingress-nginx"`,
    ],
    ["twice", { additionalNamespaces: ["sky"] }, `'additionalNamespaces[0]' must be unique, got "sky"`],
    [
      "that is no name",
      { namespace: "Sky" },
      `'namespace' must be a DNS label: 1 to 63 lower-case letters, digits or hyphens, starting and ending with a letter or digit, got "Sky"`,
    ],
    [
      "that is the launcher's too",
      { additionalNamespaces: ["sky-launcher"] },
      `'launcherNamespace' must not be a workload namespace: its pods could run as the launcher (or state 'sharedIdentity'), got "sky-launcher"`,
    ],
    [
      "too long for the launcher's",
      { namespace: "s".repeat(60) },
      `'launcherNamespace' must be a DNS label: 1 to 63 lower-case letters, digits or hyphens, starting and ending with a letter or digit, got "${"s".repeat(60)}-launcher"`,
    ],
  ])("%s", (_case, props, message) => {
    expect(refusal(props)).toBe(message);
  });

  test("unless it is said that a built-in one is meant", () => {
    expect(skyPilot({ namespace: "default", allowBuiltInNamespace: true }).sky.namespaces).toEqual([
      "default",
    ]);
  });
});

describe("an account is refused", () => {
  test.each<[string, Props, string]>([
    [
      "with a name that SkyPilot gives",
      { serviceAccountName: "skypilot-service-account" },
      `'serviceAccountName' must ${NAME_OF_SKYPILOT}, got "skypilot-service-account"`,
    ],
    [
      "with a name that SkyPilot gives its controllers",
      { workloadServiceAccountName: "skypilot-controller-service-account" },
      `'workloadServiceAccountName' must ${NAME_OF_SKYPILOT}, got "skypilot-controller-service-account"`,
    ],
    [
      "that every namespace has",
      { workloadServiceAccountName: "default" },
      `'workloadServiceAccountName' must ${OTHER_MEANING}, got "default"`,
    ],
    ["called none", { serviceAccountName: "none" }, `'serviceAccountName' must ${OTHER_MEANING}, got "none"`],
    [
      "that is no name",
      { serviceAccountName: "sky_sa" },
      `'serviceAccountName' must be a DNS subdomain: 1 to 253 lower-case letters, digits, hyphens or dots, starting and ending with a letter or digit, got "sky_sa"`,
    ],
    [
      "in a namespace of its own when it is shared",
      { sharedIdentity: true, launcherNamespace: "admins" },
      `'launcherNamespace' must ${ONE_ACCOUNT}`,
    ],
    [
      "in a namespace that is made when it is shared",
      { sharedIdentity: true, createLauncherNamespace: true },
      `'createLauncherNamespace' must ${ONE_ACCOUNT}`,
    ],
    [
      "for the pods when it is shared",
      { sharedIdentity: true, workloadServiceAccountName: "pods" },
      `'workloadServiceAccountName' must ${ONE_ACCOUNT}`,
    ],
  ])("%s", (_case, props, message) => {
    expect(refusal(props)).toBe(message);
  });

  function withIdentity(identity: Partial<WorkloadIdentityProps>, props: Props = {}): void {
    const stack = emptyStack();
    const cluster = existingCluster(stack);
    const workloadIdentity = new WorkloadIdentity(stack, "tasks", {
      cluster,
      namespace: "sky",
      serviceAccountName: "tasks",
      projectNumber: "1",
      ...identity,
    });
    new SkyPilotServiceAccount(stack, "sky", { cluster, namespace: "sky", workloadIdentity, ...props });
  }

  test.each<[string, Partial<WorkloadIdentityProps>, Props, string]>([
    [
      "in another namespace",
      { namespace: "ray" },
      {},
      `'workloadIdentity' must be in the workload namespace "sky", got "ray"`,
    ],
    [
      "with another name beside it",
      {},
      { workloadServiceAccountName: "pods" },
      `'workloadServiceAccountName' must be left to 'workloadIdentity', got "pods"`,
    ],
    ["when one is shared", {}, { sharedIdentity: true }, `'workloadIdentity' must ${ONE_ACCOUNT}`],
    [
      "with a name that SkyPilot gives",
      { serviceAccountName: "skypilot-service-account" },
      {},
      `'workloadServiceAccountName' must ${NAME_OF_SKYPILOT}, got "skypilot-service-account"`,
    ],
  ])("of a workload identity %s", (_case, identity, props, message) => {
    expect(() => withIdentity(identity, props)).toThrow(`${message} (at stack/sky)`);
  });

  test("of a workload identity of another cluster", () => {
    const stack = emptyStack();
    const workloadIdentity = new WorkloadIdentity(stack, "tasks", {
      cluster: existingCluster(stack, {}, "theirs"),
      namespace: "sky",
      serviceAccountName: "tasks",
      projectNumber: "1",
    });
    const cluster = existingCluster(stack);

    expect(
      () => new SkyPilotServiceAccount(stack, "sky", { cluster, namespace: "sky", workloadIdentity }),
    ).toThrow("'workloadIdentity' must be of the cluster stack/cluster, not of stack/theirs (at stack/sky)");
  });
});

test.each(["objectStoreMounts", "hostNetwork"] as const)("%s is refused on Autopilot", (feature) => {
  expect(refusal({ features: { [feature]: true } }, { autopilot: true })).toBe(
    `'features.${feature}' must be left out on Autopilot (stack/cluster), which does not admit its pods, got true`,
  );
});

describe("what contradicts itself is refused:", () => {
  test.each<[string, Props, string]>([
    ...(["objectStoreMounts", "hostNetwork"] as const).map((feature): [string, Props, string] => [
      `Pod Security that admits no pod of ${feature}`,
      { features: { [feature]: true }, podSecurity: SkyPilotPodSecurity.BASELINE },
      `'podSecurity' must be PRIVILEGED, or left out, with the feature '${feature}', whose pods no other standard admits, got "baseline"`,
    ]),
    [
      "Pod Security of a namespace that exists",
      { createNamespace: false, podSecurity: SkyPilotPodSecurity.BASELINE },
      `'podSecurity' must not be given for the namespace "sky", which is not made here: label it where it is made, got "baseline"`,
    ],
    [
      "Pod Security of a namespace that every cluster has",
      { namespace: "default", allowBuiltInNamespace: true, podSecurity: SkyPilotPodSecurity.BASELINE },
      `'podSecurity' must not be given for the namespace "default", which is not made here: label it where it is made, got "baseline"`,
    ],
    [
      "controllers with one account for all",
      { features: { controllers: true }, sharedIdentity: true },
      "'features.controllers' must be left out with 'sharedIdentity': the pods have the launcher's rights already, got true",
    ],
    [
      "controllers with a copied kubeconfig",
      { features: { controllers: true }, remoteIdentity: SkyPilotRemoteIdentity.LOCAL_CREDENTIALS },
      "'features.controllers' must be left out with LOCAL_CREDENTIALS: the pods have the launcher's kubeconfig, got true",
    ],
    [
      "skypilot-system without what needs it",
      { createSkyPilotSystem: false },
      "'createSkyPilotSystem' must be given only with the feature 'objectStoreMounts', got false",
    ],
    [
      "a limit that is no quantity",
      { resourceQuota: { "requests.memory": "64 GB" } },
      `'resourceQuota["requests.memory"]' must be a quantity of Kubernetes, such as "8", "500m" or "16Gi", got "64 GB"`,
    ],
  ])("%s", (_case, props, message) => {
    expect(refusal(props)).toBe(message);
  });

  test("a kubeconfig for the DNS endpoint, which refuses its token", () => {
    expect(refusal({ createKubeconfig: true }, { dnsEndpoint: true })).toBe(
      "'createKubeconfig' must not be on with the DNS endpoint of stack/cluster, which refuses tokens of Kubernetes service accounts unless told otherwise (if it was, state 'dnsEndpointAcceptsTokens'; else use the cluster's address, or grantLauncher to Google identities), got true",
    );
  });

  test("a group on a cluster of ours that knows no groups", () => {
    const stack = emptyStack();
    const cluster = standardCluster(stack);
    const sky = new SkyPilotServiceAccount(stack, "sky", { cluster, namespace: "sky" });

    expect(() => sky.grantLauncher(RbacSubject.group("team@example.com"))).toThrow(
      `'subject' must not be a group while 'securityGroup' of stack/cluster is not set: without it the API server is told of no groups (set it, or name users), got "team@example.com" (at stack/sky)`,
    );
  });
});

describe("two on one cluster are refused", () => {
  const FUSE = { features: { objectStoreMounts: true } };

  test.each<[string, Props, Props, string]>([
    [
      "with one launcher",
      {},
      { namespace: "team", launcherNamespace: "sky-launcher" },
      "'serviceAccountName' must not be that of stack/a, in the same 'launcherNamespace': their cluster roles would be one, got \"sky-sa\"",
    ],
    [
      "with a launcher within reach of the other's pods",
      {},
      { namespace: "team", launcherNamespace: "sky", serviceAccountName: "other" },
      `'launcherNamespace' must not be a workload namespace of stack/a: its pods could run as the launcher, got "sky"`,
    ],
    [
      "with pods within reach of the other's launcher",
      {},
      { namespace: "team", additionalNamespaces: ["sky-launcher"], serviceAccountName: "other" },
      `'additionalNamespaces[0]' must not be the launcher's namespace of stack/a: pods could run as that launcher, got "sky-launcher"`,
    ],
    [
      "with one account for the pods of one namespace",
      {},
      { serviceAccountName: "other", workloadServiceAccountName: "sky-sa-workload" },
      `'workloadServiceAccountName' must not be that of stack/a, which is in the namespace "sky" too (grantLauncher lets several launch), got "sky-sa-workload"`,
    ],
    [
      "that disagree on what a namespace admits",
      {},
      { serviceAccountName: "other", podSecurity: SkyPilotPodSecurity.PRIVILEGED },
      `'podSecurity' must be the same wherever "sky" is used, but stack/a has "baseline", got "privileged"`,
    ],
    [
      "that disagree on who makes skypilot-system",
      { ...FUSE, createSkyPilotSystem: false },
      { ...FUSE, namespace: "team" },
      "'createSkyPilotSystem' must be the same for every SkyPilot on the cluster, but stack/a has false, got true",
    ],
  ])("%s", (_case, first, second, message) => {
    const stack = emptyStack();
    const cluster = existingCluster(stack);
    new SkyPilotServiceAccount(stack, "a", { cluster, namespace: "sky", ...first });

    expect(() => new SkyPilotServiceAccount(stack, "b", { cluster, namespace: "sky", ...second })).toThrow(
      `${message} (at stack/b)`,
    );
  });

  test("but not on two clusters", () => {
    const stack = emptyStack();
    for (const id of ["one", "two"]) {
      const cluster = existingCluster(stack, { clusterName: id }, id);
      new SkyPilotServiceAccount(stack, `sky-${id}`, { cluster, namespace: "sky", ...FUSE });
    }

    expect(stack.node.children.filter(({ node }) => /^skypilot-system-/.test(node.id))).toHaveLength(2);
  });
});
