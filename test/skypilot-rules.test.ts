import { SkyPilotFeatures, SkyPilotServiceAccountProps } from "../lib";
import { skyPilot } from "./support/stacks";
import { Template } from "./support/template";

/** `verbs resources in group` of the named role, as Terraform reads it, by where the role holds. */
function rulesOf(features: SkyPilotFeatures, props: Partial<SkyPilotServiceAccountProps> = {}) {
  const template = Template.of(skyPilot({ features, ...props }).stack);
  const roles = [
    ...template.resources("kubernetes_role_v1"),
    ...template.resources("kubernetes_cluster_role_v1"),
  ];
  return Object.fromEntries(
    roles.map(({ metadata, rule }) => {
      const role = metadata.name.endsWith(":workload") ? "workload" : "launcher";
      return [`${role} in ${metadata.namespace ?? "the cluster"}`, rule.map(sentence)];
    }),
  );
}

function sentence({ api_groups: groups, resources, resource_names: names, verbs }: any): string {
  const resource = groups[0] === "" ? resources.join(",") : `${resources.join(",")}.${groups.join(",")}`;
  return `${verbs.join(",")} ${resource}${names === undefined ? "" : ` ${names.join(",")}`}`;
}

const CORE = {
  "launcher in sky": [
    "get,list,create,patch,delete pods",
    "get,create pods/exec,pods/portforward",
    "get,list,create,update,patch,delete,deletecollection services",
    "list events",
    "list deployments.apps",
  ],
  "launcher in the cluster": ["get,list nodes", "list runtimeclasses.node.k8s.io"],
  "workload in sky": [
    "get,list,delete pods",
    "delete,deletecollection services",
    "list deployments.apps",
    "create events",
  ],
};

const FEATURES: [keyof SkyPilotFeatures, Record<string, string[]>][] = [
  ["gpuAvailability", { "launcher in the cluster": ["list pods"] }],
  ["gpuMetrics", { "launcher in the cluster": ["get namespaces kube-system"] }],
  [
    "volumes",
    {
      "launcher in sky": ["get,list,create,delete persistentvolumeclaims"],
      "launcher in the cluster": ["get,list storageclasses.storage.k8s.io", "list persistentvolumes"],
    },
  ],
  [
    "haControllers",
    {
      "launcher in sky": [
        "get,create,delete deployments.apps",
        "get deployments/status.apps",
        "get,create,delete persistentvolumeclaims",
        "watch pods",
      ],
    },
  ],
  [
    "ingressPorts",
    {
      "launcher in sky": ["get,create,update,delete ingresses.networking.k8s.io"],
      "launcher in the cluster": ["list ingressclasses.networking.k8s.io"],
      "launcher in ingress-nginx": ["list services"],
    },
  ],
  [
    "hostNetwork",
    { "launcher in sky": ["get configmaps"], "workload in sky": ["get,create,update configmaps"] },
  ],
  [
    "objectStoreMounts",
    {
      "launcher in skypilot-system": [
        "create daemonsets.apps",
        "get,patch daemonsets.apps fusermount-server",
      ],
    },
  ],
  ["legacySshSecret", { "launcher in sky": ["create secrets", "get,patch secrets sky-ssh-keys"] }],
  ["controllers", {}],
];

const ALL = Object.fromEntries(FEATURES.map(([feature]) => [feature, true])) as SkyPilotFeatures;

function withAdded(added: Record<string, string[]>) {
  const places = [...new Set([...Object.keys(CORE), ...Object.keys(added)])];
  const core: Record<string, string[]> = CORE;
  return Object.fromEntries(
    places.map((place) => [place, [...(core[place] ?? []), ...(added[place] ?? [])]]),
  );
}

describe("rules", () => {
  test("without a feature are those of launching, reaching and stopping clusters", () => {
    expect(rulesOf({})).toEqual(CORE);
  });

  test.each(FEATURES)("of %s are added to them, and nothing else", (feature, added) => {
    expect(rulesOf({ [feature]: true })).toEqual(withAdded(added));
  });

  test("of all features together are the sum", () => {
    const sum: Record<string, string[]> = {};
    for (const [, added] of FEATURES) {
      for (const [place, rules] of Object.entries(added)) sum[place] = [...(sum[place] ?? []), ...rules];
    }
    const sorted = (rules: Record<string, string[]>) =>
      Object.fromEntries(Object.entries(rules).map(([place, list]) => [place, [...list].sort()]));

    expect(sorted(rulesOf(ALL))).toEqual(sorted(withAdded(sum)));
  });

  test("have no wildcard, no Secret to read and no right over rights", () => {
    const features = { ...ALL, legacySshSecret: false };
    const roles = ["kubernetes_role_v1", "kubernetes_cluster_role_v1"].flatMap((type) =>
      Template.of(skyPilot({ features }).stack).resources(type),
    );
    const rules: any[] = roles.flatMap(({ rule }) => rule);

    expect(rules.length).toBeGreaterThan(20);
    expect(JSON.stringify(rules)).not.toContain("*");
    const resources = rules.flatMap((rule) => rule.resources);
    expect(
      resources.filter((resource) => /secrets|serviceaccounts|roles|bindings|webhook/.test(resource)),
    ).toEqual([]);
    const verbs = rules.flatMap((rule) => rule.verbs);
    expect(verbs.filter((verb) => /escalate|bind|impersonate|approve|sign/.test(verb))).toEqual([]);
  });

  test("of the pods do not let them launch, unless they are controllers", () => {
    const launchers = (features: SkyPilotFeatures) =>
      Template.of(skyPilot({ features }).stack).resource("kubernetes_cluster_role_binding_v1").subject;
    const launcher = { kind: "ServiceAccount", name: "sky-sa", namespace: "sky-launcher", api_group: "" };
    const pods = { kind: "ServiceAccount", name: "sky-sa-workload", namespace: "sky", api_group: "" };

    expect(launchers({})).toEqual([launcher]);
    expect(launchers({ controllers: true })).toEqual([launcher, pods]);
  });
});
