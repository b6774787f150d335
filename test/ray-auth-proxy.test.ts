import { RoleV1 } from "@cdktf/provider-kubernetes/lib/role-v1";
import { TerraformVariable, Testing } from "cdktf";
import {
  KubeRayOperator,
  RayAuthMode,
  RayAuthProxy,
  RayAuthProxyProps,
  RayAuthResource,
  RayCluster,
  RbacSubject,
} from "../lib";
import { Graph } from "./support/graph";
import { authProxy, emptyStack, existingCluster, rayCluster, standardCluster } from "./support/stacks";
import { Template } from "./support/template";

const workerGroup = { groupName: "cpu", cpu: 2, memoryGiB: 8, maxReplicas: 3 };

/** Rights at the proxy are in Ray's namespace, those to forward its port in the proxy's. */
function isInRaysNamespace({ metadata }: any): boolean {
  return metadata.namespace === "ray";
}

function bindingsOf(grant: (proxy: RayAuthProxy) => void, props: Partial<RayAuthProxyProps> = {}) {
  const { stack, proxy } = authProxy(props);
  grant(proxy);
  const template = Template.of(stack);
  return {
    roles: template.resources("kubernetes_role_v1").filter(isInRaysNamespace),
    bindings: template.resources("kubernetes_role_binding_v1").filter(isInRaysNamespace),
  };
}

test("the proxy asks for rights on the dashboard of this Ray cluster alone", () => {
  const { stack, proxy } = authProxy();
  const config = Template.of(stack).resource("kubernetes_config_map_v1");

  expect(config.data["config-file.yaml"]).toBe(
    [
      "authorization:",
      "  resourceAttributes:",
      "    apiGroup: ray.io",
      "    apiVersion: v1",
      "    resource: rayclusters",
      "    subresource: dashboard",
      "    namespace: 'ray'",
      "    name: 'raycluster-mini'",
      "",
    ].join("\n"),
  );
  expect(config).toMatchObject({
    immutable: true,
    metadata: { name: proxy.configMapName, namespace: "ray-auth" },
  });
  expect(proxy.configuration).toBe(config.data["config-file.yaml"]);
});

test("a namespace that Terraform knows later is hashed by Terraform", () => {
  const stack = emptyStack();
  const namespace = new TerraformVariable(stack, "namespace", { type: "string" }).stringValue;
  const ray = new RayCluster(stack, "ray", {
    operator: KubeRayOperator.existing(stack, "operator", { cluster: existingCluster(stack) }),
    rayClusterName: "raycluster-mini",
    namespace,
    head: { cpu: 2, memoryGiB: 8 },
  });
  const proxy = new RayAuthProxy(stack, "auth", { rayCluster: ray });
  proxy.grantView(RbacSubject.serviceAccount("viewer", namespace));
  const template = Template.of(stack);

  expect(template.resource("kubernetes_config_map_v1").metadata.name).toMatch(
    /^raycluster-mini-kube-rbac-proxy-\$\{substr\(sha256\(/,
  );
  expect(template.resources("kubernetes_role_binding_v1").map(({ metadata }) => metadata)).toEqual([
    {
      name: "ray:raycluster-mini:connect:serviceaccount:${var.namespace}:viewer",
      namespace: "${var.namespace}-auth",
    },
    {
      name: "ray:raycluster-mini:view:serviceaccount:${var.namespace}:viewer",
      namespace: "${var.namespace}",
    },
  ]);
});

test("workers get none of it but that Ray does not authenticate", () => {
  const plain = Template.of(rayCluster({ workerGroups: [workerGroup] }, "1.6.2").stack).rayCluster();
  const { stack } = authProxy({}, { workerGroups: [workerGroup] });
  const behind = Template.of(stack).rayCluster();

  expect(behind.spec.workerGroupSpecs).toEqual(plain.spec.workerGroupSpecs);
  expect(behind.spec.workerGroupSpecs[0].template.spec.containers[0].env).toEqual([
    { name: "RAY_AUTH_MODE", value: "disabled" },
  ]);
});

describe("grants", () => {
  test.each([
    ["view", ["get"], (proxy: RayAuthProxy, who: RbacSubject) => proxy.grantView(who)],
    [
      "submit",
      ["get", "create", "update"],
      (proxy: RayAuthProxy, who: RbacSubject) => proxy.grantSubmit(who),
    ],
    [
      "admin",
      ["get", "create", "update", "delete"],
      (proxy: RayAuthProxy, who: RbacSubject) => proxy.grantAdmin(who),
    ],
  ])("of tier %s are for the verbs %j on this dashboard", (tier, verbs, grant) => {
    const { roles, bindings } = bindingsOf((proxy) => grant(proxy, RbacSubject.user("ada@example.com")));

    expect(roles).toEqual([
      expect.objectContaining({
        metadata: { name: `ray:raycluster-mini:${tier}`, namespace: "ray" },
        rule: [
          {
            api_groups: ["ray.io"],
            resources: ["rayclusters/dashboard"],
            resource_names: ["raycluster-mini"],
            verbs,
          },
        ],
      }),
    ]);
    expect(bindings).toEqual([
      expect.objectContaining({
        metadata: { name: `ray:raycluster-mini:${tier}:user:ada@example.com`, namespace: "ray" },
        role_ref: {
          api_group: "rbac.authorization.k8s.io",
          kind: "Role",
          name: `ray:raycluster-mini:${tier}`,
        },
        subject: [
          { kind: "User", name: "ada@example.com", api_group: "rbac.authorization.k8s.io", namespace: "" },
        ],
      }),
    ]);
  });

  test("are a binding for each subject, and one role for each tier", () => {
    const { roles, bindings } = bindingsOf((proxy) => {
      proxy.grantView(RbacSubject.user("ada@example.com"));
      proxy.grantView(RbacSubject.group("ada@example.com"));
      proxy.grantView(RbacSubject.serviceAccount("ci", "build"));
      proxy.grantView(RbacSubject.serviceAccount("ci", "build"));
      proxy.grantSubmit(RbacSubject.serviceAccount("ci", "build"));
    });

    expect(roles.map(({ metadata }) => metadata.name)).toEqual([
      "ray:raycluster-mini:submit",
      "ray:raycluster-mini:view",
    ]);
    expect(bindings.map(({ metadata }) => metadata.name).sort()).toEqual([
      "ray:raycluster-mini:submit:serviceaccount:build:ci",
      "ray:raycluster-mini:view:group:ada@example.com",
      "ray:raycluster-mini:view:serviceaccount:build:ci",
      "ray:raycluster-mini:view:user:ada@example.com",
    ]);
    expect(bindings[0].subject).toEqual([
      { kind: "ServiceAccount", name: "ci", namespace: "build", api_group: "" },
    ]);
  });

  test("of names that differ in what a binding's name cannot hold are two", () => {
    const workforce = "principal://iam.googleapis.com/locations/global/workforcePools/staff/subject/ada";
    const { bindings } = bindingsOf((proxy) => {
      proxy.grantView(RbacSubject.user(workforce));
      proxy.grantView(RbacSubject.user(workforce.replace("staff/", "staff-")));
    });

    expect(bindings.map(({ subject }) => subject[0].name).sort()).toEqual([
      workforce.replace("staff/", "staff-"),
      workforce,
    ]);
    const names = bindings.map(({ metadata }) => metadata.name);
    expect(new Set(names).size).toBe(2);
    expect(names.join()).not.toMatch(/[/%]/);
  });

  test("in the form of KubeRay's guide are on the RayCluster itself, where admin is everything", () => {
    const { roles } = bindingsOf(
      (proxy) => {
        proxy.grantSubmit(RbacSubject.user("ada@example.com"));
        proxy.grantAdmin(RbacSubject.user("bob@example.com"));
      },
      { authorizeOn: RayAuthResource.RAY_CLUSTER },
    );

    const rule = { api_groups: ["ray.io"], resources: ["rayclusters"], resource_names: ["raycluster-mini"] };
    expect(roles.map((role) => role.rule)).toEqual([
      [{ ...rule, verbs: ["*"] }],
      [{ ...rule, verbs: ["get", "create", "update"] }],
    ]);
  });

  test("to a submitter that is made here need one name", () => {
    const { stack, proxy } = authProxy({ submitterServiceAccountName: "ray-user" });
    const template = Template.of(stack);
    const accounts = template.resources("kubernetes_service_account_v1");

    expect(accounts).toContainEqual(
      expect.objectContaining({
        metadata: { name: "ray-user", namespace: "ray" },
        automount_service_account_token: false,
      }),
    );
    expect(template.resources("kubernetes_role_binding_v1").map(({ metadata }) => metadata.name)).toEqual([
      "ray:raycluster-mini:connect:serviceaccount:ray:ray-user",
      "ray:raycluster-mini:submit:serviceaccount:ray:ray-user",
    ]);
    expect(proxy.submitter).toEqual(RbacSubject.serviceAccount("ray-user", "ray"));
  });
});

test("the commands are those that the user runs, for a service account and for a Google identity", () => {
  const { proxy } = authProxy();

  expect(proxy.portForwardCommand).toBe(
    "kubectl port-forward --namespace ray-auth service/raycluster-mini-proxy 8265:8265",
  );
  expect(proxy.jobHeadersCommand(RbacSubject.serviceAccount("ray-user", "ray"))).toBe(
    'export RAY_JOB_HEADERS="{\\"Authorization\\": \\"Bearer $(kubectl create token ray-user --namespace ray --duration=1h)\\"}"',
  );
  expect(proxy.jobHeadersCommand(RbacSubject.user("ada@example.com"))).toBe(
    'export RAY_JOB_HEADERS="{\\"Authorization\\": \\"Bearer $(gcloud auth print-access-token)\\"}"',
  );
  expect(proxy.jobSubmitCommand).toBe(
    'ray job submit --address http://localhost:8265 -- python -c "import ray; ray.init(); print(ray.cluster_resources())"',
  );
});

test("a command for a shell names service accounts only", () => {
  const { proxy } = authProxy();

  expect(() => proxy.jobHeadersCommand(RbacSubject.serviceAccount("x; rm -rf ~", "ray"))).toThrow(
    new Error(
      `'subject.subjectName' must be a DNS subdomain: 1 to 253 lower-case letters, digits, hyphens or dots, starting and ending with a letter or digit, got "x; rm -rf ~" (at ${proxy.node.path})`,
    ),
  );
  expect(() => proxy.jobHeadersCommand(RbacSubject.serviceAccount("x", "$(id)"))).toThrow(
    new Error(
      `'subject.namespace' must be a DNS label: 1 to 63 lower-case letters, digits or hyphens, starting and ending with a letter or digit, got "$(id)" (at ${proxy.node.path})`,
    ),
  );
});

describe("order", () => {
  const stack = emptyStack();
  const cluster = standardCluster(stack);
  const ray = new RayCluster(stack, "ray", {
    operator: KubeRayOperator.gkeAddon(stack, "operator", { cluster }),
    rayClusterName: "raycluster-mini",
    namespace: "ray",
    head: { cpu: 2, memoryGiB: 8 },
  });
  new RayAuthProxy(stack, "auth", { rayCluster: ray, submitterServiceAccountName: "ray-user" });
  const graph = Graph.of(stack);
  const release = graph.addressesOfType("helm_release");

  test("the Ray cluster waits for the network policy, which lets in the proxy", () => {
    expect(graph.dependsOn(release, graph.addressesOfType("kubernetes_network_policy_v1"))).toBe(true);
  });

  test("the Ray cluster does not wait for the proxy", () => {
    expect(graph.dependsOn(release, graph.addressesOfType("kubernetes_deployment_v1"))).toBe(false);
  });

  test("the Ray cluster does not wait for users, nor users for the Ray cluster", () => {
    for (const type of ["kubernetes_role_v1", "kubernetes_role_binding_v1"]) {
      const [user] = graph.addressesOfType(type);

      expect(graph.dependsOn(release, user)).toBe(false);
      expect(graph.dependsOn(user, release)).toBe(false);
    }
  });

  test("a binding is made after the namespace and after its role", () => {
    const [binding] = graph.addresses().filter((address) => /role_binding_v1.auth_submit/.test(address));
    const [namespace, role] = [/kubernetes_namespace_v1.*-ray_/, /kubernetes_role_v1.auth_submit/].map(
      (wanted) => graph.addresses().filter((address) => wanted.test(address)),
    );

    expect(graph.dependsOn(binding, namespace)).toBe(true);
    expect(graph.dependsOn(binding, role)).toBe(true);
  });
});

test("two clusters in one namespace and one in another share no name", () => {
  const stack = emptyStack();
  const cluster = existingCluster(stack);
  const operator = KubeRayOperator.existing(stack, "operator", { cluster, kuberayVersion: "1.6.2" });
  const places = [
    ["a", "one"],
    ["b", "one"],
    ["a", "two"],
  ];
  for (const [rayClusterName, namespace] of places) {
    const head = { cpu: 2, memoryGiB: 8 };
    const ray = new RayCluster(stack, `${namespace}-${rayClusterName}`, {
      operator,
      rayClusterName,
      namespace,
      head,
    });
    const proxy = new RayAuthProxy(stack, `${namespace}-${rayClusterName}-auth`, { rayCluster: ray });
    proxy.grantView(RbacSubject.user("ada@example.com"));
  }
  const { resource } = Template.of(stack).json;
  const names = Object.entries<any>(resource).flatMap(([type, bodies]) =>
    Object.values<any>(bodies).flatMap(({ metadata }) =>
      metadata ? [`${type} ${metadata.namespace ?? ""}/${metadata.name}`] : [],
    ),
  );

  expect(names.length).toBeGreaterThan(30);
  expect(new Set(names).size).toBe(names.length);
});

describe("refuses", () => {
  test("a Ray cluster that authenticates callers itself", () => {
    expect(() => authProxy({}, { authOptions: { mode: RayAuthMode.TOKEN } })).toThrow(
      "'rayCluster' must not have 'authOptions' (stack/ray has): the proxy takes the caller's token off, so Ray would refuse every call. Use either the proxy or Ray's own authentication (at stack/auth)",
    );
  });

  test("a group on a cluster of ours that knows no groups", () => {
    const stack = emptyStack();
    const cluster = standardCluster(stack);
    const ray = new RayCluster(stack, "ray", {
      operator: KubeRayOperator.gkeAddon(stack, "operator", { cluster }),
      rayClusterName: "raycluster-mini",
      namespace: "ray",
      head: { cpu: 2, memoryGiB: 8 },
    });
    const proxy = new RayAuthProxy(stack, "auth", { rayCluster: ray });

    expect(() => proxy.grantView(RbacSubject.group("ray-viewers@example.com"))).toThrow(
      `'subject' must not be a group while 'securityGroup' of stack/cluster is not set: without it the API server is told of no groups (set it, or name users), got "ray-viewers@example.com" (at stack/auth)`,
    );
  });

  test("a role of the user's that stands where the operator makes its own", () => {
    const { stack, ray } = rayCluster();
    new RoleV1(stack, "mine", {
      metadata: { name: "raycluster-mini", namespace: "ray" },
      rule: [{ apiGroups: [""], resources: ["pods"], verbs: ["get"] }],
      provider: ray.cluster.kubernetesProvider,
    });

    expect(() => Testing.synth(stack, true)).toThrow(
      `'metadata.name' must not be the name of the Ray cluster at stack/ray: KubeRay gives the autoscaler its rights by a Role and a RoleBinding of that name, and leaves alone what is there, got "raycluster-mini" (at stack/mine)`,
    );
  });

  test("the same beside a Ray cluster that is deployed by other means", () => {
    const stack = emptyStack();
    const cluster = existingCluster(stack);
    RayCluster.fromRayClusterAttributes(stack, "ray", {
      cluster,
      namespace: "team",
      rayClusterName: "theirs",
      headServiceAccountName: "theirs",
    });
    new RoleV1(stack, "mine", {
      metadata: { name: "theirs", namespace: "team" },
      rule: [{ apiGroups: [""], resources: ["pods"], verbs: ["get"] }],
      provider: cluster.kubernetesProvider,
    });

    expect(() => Testing.synth(stack, true)).toThrow(
      `'metadata.name' must not be the name of the Ray cluster at stack/ray: KubeRay gives the autoscaler its rights by a Role and a RoleBinding of that name, and leaves alone what is there, got "theirs" (at stack/mine)`,
    );
  });

  test("the head's own account as the submitter", () => {
    expect(() => authProxy({ submitterServiceAccountName: "raycluster-mini" })).toThrow(
      `'submitterServiceAccountName' must not be the head's own account, which jobs have already, got "raycluster-mini" (at stack/auth)`,
    );
  });

  test.each([
    ["submitterServiceAccountName", "Ray User", "be a DNS subdomain"],
    ["tlsSecretName", "tls_secret", "be a DNS subdomain"],
    ["image", "two words", "be the name of an image"],
  ])("a bad %s", (property, value, requirement) => {
    expect(() => authProxy({ [property]: value })).toThrow(`'${property}' must ${requirement}`);
    expect(() => authProxy({ [property]: value })).toThrow(`got "${value}" (at stack/auth)`);
  });
});
