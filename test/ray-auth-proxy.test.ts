import { RoleV1 } from "@cdktf/provider-kubernetes/lib/role-v1";
import { TerraformResource, TerraformVariable, Testing } from "cdktf";
import {
  KubeRayOperator,
  RayAuthMode,
  RayAuthProxy,
  RayAuthProxyProps,
  RayAuthResource,
  RayCluster,
  RayClusterProps,
  RbacSubject,
  WorkloadIdentity,
} from "../lib";
import { Graph } from "./support/graph";
import { emptyStack, existingCluster, rayCluster, standardCluster } from "./support/stacks";
import { Template } from "./support/template";

const workerGroup = { groupName: "cpu", cpu: 2, memoryGiB: 8, maxReplicas: 3 };

function proxied(
  props: Partial<RayAuthProxyProps> = {},
  rayProps: Partial<RayClusterProps> = {},
  kuberayVersion = "1.6.2",
) {
  const { stack, ray } = rayCluster(rayProps, kuberayVersion);
  const proxy = new RayAuthProxy(stack, "auth", { rayCluster: ray, ...props });
  return { stack, ray, proxy };
}

function headOf(
  props: Partial<RayAuthProxyProps> = {},
  rayProps: Partial<RayClusterProps> = {},
  version?: string,
) {
  const { spec } = Template.of(proxied(props, rayProps, version).stack).rayCluster();
  return spec.headGroupSpec;
}

function bindingsOf(grant: (proxy: RayAuthProxy) => void, props: Partial<RayAuthProxyProps> = {}) {
  const { stack, proxy } = proxied(props);
  grant(proxy);
  const template = Template.of(stack);
  return {
    roles: template.resources("kubernetes_role_v1"),
    bindings: template.resources("kubernetes_role_binding_v1"),
  };
}

test("the proxy is a native sidecar of the head, and Ray listens where only the proxy reaches it", () => {
  const head = headOf();
  const { spec } = head.template;

  expect(head.rayStartParams).toEqual({ "dashboard-host": "127.0.0.1", "dashboard-port": "8443" });
  expect(spec.initContainers).toEqual([
    {
      name: "kube-rbac-proxy",
      image: "quay.io/brancz/kube-rbac-proxy:v0.22.1",
      restartPolicy: "Always",
      args: [
        "--insecure-listen-address=0.0.0.0:8265",
        "--upstream=http://127.0.0.1:8443/",
        "--config-file=/etc/kube-rbac-proxy/config-file.yaml",
        "--kube-api-qps=100",
        "--kube-api-burst=200",
      ],
      resources: { requests: { cpu: "50m", memory: "64Mi" }, limits: { cpu: "100m", memory: "128Mi" } },
      readinessProbe: { tcpSocket: { port: 8265 } },
      securityContext: {
        allowPrivilegeEscalation: false,
        capabilities: { drop: ["ALL"] },
        readOnlyRootFilesystem: true,
        runAsNonRoot: true,
        runAsUser: 65532,
        seccompProfile: { type: "RuntimeDefault" },
      },
      volumeMounts: [{ name: "kube-rbac-proxy-config", mountPath: "/etc/kube-rbac-proxy", readOnly: true }],
    },
  ]);
  expect(spec.automountServiceAccountToken).toBe(true);
  expect(spec.containers).toHaveLength(1);
  expect(spec.containers[0].ports).toContainEqual({ containerPort: 8265, name: "dashboard" });
  expect(spec.containers[0]).not.toHaveProperty("readinessProbe");
});

test("the proxy asks for rights on the dashboard of this Ray cluster alone", () => {
  const { stack, proxy } = proxied();
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
    metadata: { name: proxy.configMapName, namespace: "ray" },
  });
  expect(proxy.configuration).toBe(config.data["config-file.yaml"]);
});

test("another configuration has another name, so that it reaches the pod", () => {
  const volumeOf = (props: Partial<RayAuthProxyProps>) => headOf(props).template.spec.volumes[0];
  const first = volumeOf({});
  const second = volumeOf({ authorizeOn: RayAuthResource.RAY_CLUSTER });

  expect(first).toEqual({
    name: "kube-rbac-proxy-config",
    configMap: { name: expect.stringMatching(/^raycluster-mini-kube-rbac-proxy-[0-9a-f]{6}$/) },
  });
  expect(second.configMap.name).not.toBe(first.configMap.name);
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
  expect(template.resource("kubernetes_role_binding_v1").metadata.name).toBe(
    "ray:raycluster-mini:view:serviceaccount:${var.namespace}:viewer",
  );
});

test("the head's account may ask the API server about callers, under a name that holds the namespace", () => {
  expect(Template.of(proxied().stack).resource("kubernetes_cluster_role_binding_v1")).toMatchObject({
    metadata: { name: "ray-auth-proxy:ray:raycluster-mini" },
    role_ref: { kind: "ClusterRole", name: "system:auth-delegator" },
    subject: [{ kind: "ServiceAccount", name: "raycluster-mini", namespace: "ray" }],
  });
});

test("workers get none of it but that Ray does not authenticate", () => {
  const plain = Template.of(rayCluster({ workerGroups: [workerGroup] }, "1.6.2").stack).rayCluster();
  const { stack } = proxied({}, { workerGroups: [workerGroup] });
  const behind = Template.of(stack).rayCluster();

  expect(behind.spec.workerGroupSpecs).toEqual(plain.spec.workerGroupSpecs);
  expect(behind.spec.workerGroupSpecs[0].template.spec.containers[0].env).toEqual([
    { name: "RAY_AUTH_MODE", value: "disabled" },
  ]);
});

test("a certificate makes the proxy answer by HTTPS", () => {
  const { stack, proxy } = proxied({ tlsSecretName: "ray-tls", image: "example/proxy:1" });
  const { spec } = Template.of(stack).rayCluster().spec.headGroupSpec.template;

  expect(spec.initContainers[0]).toMatchObject({
    image: "example/proxy:1",
    args: [
      "--secure-listen-address=0.0.0.0:8265",
      "--tls-cert-file=/etc/kube-rbac-proxy-tls/tls.crt",
      "--tls-private-key-file=/etc/kube-rbac-proxy-tls/tls.key",
      "--proxy-endpoints-port=8643",
      "--upstream=http://127.0.0.1:8443/",
      "--config-file=/etc/kube-rbac-proxy/config-file.yaml",
      "--kube-api-qps=100",
      "--kube-api-burst=200",
    ],
  });
  expect(spec.initContainers[0].readinessProbe).toEqual({
    httpGet: { path: "/healthz", port: 8643, scheme: "HTTPS" },
  });
  expect(spec.initContainers[0].volumeMounts).toContainEqual({
    name: "kube-rbac-proxy-tls",
    mountPath: "/etc/kube-rbac-proxy-tls",
    readOnly: true,
  });
  expect(spec.volumes).toContainEqual({ name: "kube-rbac-proxy-tls", secret: { secretName: "ray-tls" } });
  expect(proxy.address).toBe("https://localhost:8265");
  expect(proxy.dashboardUrl).toBe("https://raycluster-mini-head-svc.ray.svc.cluster.local:8265");
  expect(proxy.jobSubmitCommand).toMatch(
    /^ray job submit --address https:\/\/localhost:8265 --verify ca\.crt -- /,
  );
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
    const { stack, proxy } = proxied({ submitterServiceAccountName: "ray-user" });
    const template = Template.of(stack);
    const accounts = template.resources("kubernetes_service_account_v1");

    expect(accounts).toContainEqual(
      expect.objectContaining({
        metadata: { name: "ray-user", namespace: "ray" },
        automount_service_account_token: false,
      }),
    );
    expect(template.resource("kubernetes_role_binding_v1").metadata.name).toBe(
      "ray:raycluster-mini:submit:serviceaccount:ray:ray-user",
    );
    expect(proxy.submitter).toEqual(RbacSubject.serviceAccount("ray-user", "ray"));
  });
});

test("the commands are those that the user runs, for a service account and for a Google identity", () => {
  const { proxy } = proxied();

  expect(proxy.portForwardCommand).toBe(
    "kubectl port-forward --namespace ray service/raycluster-mini-head-svc 8265:8265",
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

describe("probes", () => {
  test.each(["1.5.1", "1.3.0"])(
    "with KubeRay %s are ours, because the operator's ask port 8265",
    (version) => {
      const [container] = headOf({}, {}, version).template.spec.containers;
      const check = { httpGet: { path: "/api/healthz", port: 52365 } };
      const times = { periodSeconds: 5, successThreshold: 1, timeoutSeconds: 2 };

      expect(container.readinessProbe).toEqual({
        ...check,
        ...times,
        initialDelaySeconds: 10,
        failureThreshold: 10,
      });
      expect(container.livenessProbe).toEqual({
        ...check,
        ...times,
        initialDelaySeconds: 30,
        failureThreshold: 120,
      });
    },
  );

  test("with an unknown operator and an old Ray ask Ray by wget on the moved port", () => {
    const { stack, ray } = rayCluster({ rayVersion: "2.46.0" });
    new RayAuthProxy(stack, "auth", { rayCluster: ray });
    const { spec } = Template.of(stack).rayCluster().spec.headGroupSpec.template;

    expect(spec.containers[0].livenessProbe.exec.command).toEqual([
      "bash",
      "-c",
      "wget --timeout 2 -q -O- http://localhost:52365/api/local_raylet_healthz | grep success && wget --timeout 2 -q -O- http://localhost:8443/api/gcs_healthz | grep success",
    ]);
  });
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

  test.each([
    "kubernetes_config_map_v1",
    "kubernetes_cluster_role_binding_v1",
    "kubernetes_network_policy_v1",
  ])("the Ray cluster waits for the %s", (type) => {
    expect(graph.dependsOn(release, graph.addressesOfType(type))).toBe(true);
  });

  test("the Ray cluster does not wait for users, nor users for the Ray cluster", () => {
    for (const type of ["kubernetes_role_v1", "kubernetes_role_binding_v1"]) {
      const [user] = graph.addressesOfType(type);

      expect(graph.dependsOn(release, user)).toBe(false);
      expect(graph.dependsOn(user, release)).toBe(false);
    }
  });

  test("a binding is made after the namespace and after its role", () => {
    const [binding] = graph.addressesOfType("kubernetes_role_binding_v1");
    const namespace = graph.addresses().filter((address) => /kubernetes_namespace_v1.*-ray_/.test(address));

    expect(graph.dependsOn(binding, namespace)).toBe(true);
    expect(graph.dependsOn(binding, graph.addressesOfType("kubernetes_role_v1"))).toBe(true);
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

  expect(names.length).toBeGreaterThan(15);
  expect(new Set(names).size).toBe(names.length);
});

test("for a Ray cluster that is deployed by other means everything is plain data", () => {
  const stack = emptyStack();
  const ray = RayCluster.fromRayClusterAttributes(stack, "ray", {
    cluster: existingCluster(stack),
    namespace: "team",
    rayClusterName: "theirs",
    headServiceAccountName: "theirs",
  });
  const proxy = new RayAuthProxy(stack, "auth", { rayCluster: ray });
  const { head, workers } = ray;

  expect(head.initContainers.map(({ name }) => name)).toEqual(["kube-rbac-proxy"]);
  expect(head.volumes).toEqual([
    { name: "kube-rbac-proxy-config", configMap: { name: proxy.configMapName } },
  ]);
  expect(head.rayStartParams).toEqual({ "dashboard-host": "127.0.0.1", "dashboard-port": "8443" });
  expect(head.env).toEqual({ RAY_AUTH_MODE: "disabled" });
  expect(workers.env).toEqual({ RAY_AUTH_MODE: "disabled" });
  expect(head.automountServiceAccountToken).toBe(true);
  expect(head.readinessProbe).toHaveProperty("exec");
  expect(head.livenessProbe).toHaveProperty("exec");
  expect(workers.initContainers).toEqual([]);
  const waitedFor = head.dependencies.map((dependency) => (dependency as TerraformResource).node.path);
  expect(waitedFor).toEqual(["stack/auth/config", "stack/auth/auth-delegator"]);
});

describe("refuses", () => {
  test("a Ray cluster that authenticates callers itself", () => {
    expect(() => proxied({}, { authOptions: { mode: RayAuthMode.TOKEN } })).toThrow(
      "'rayCluster' must not have 'authOptions' (stack/ray has): the proxy takes the caller's token off, so Ray would refuse every call. Use either the proxy or Ray's own authentication (at stack/auth)",
    );
  });

  test("a head whose service account mounts no token", () => {
    const stack = emptyStack();
    const cluster = existingCluster(stack);
    const identity = new WorkloadIdentity(stack, "identity", {
      cluster,
      namespace: "ray",
      serviceAccountName: "my-ksa",
      automountServiceAccountToken: false,
    });
    const ray = new RayCluster(stack, "ray", {
      operator: KubeRayOperator.existing(stack, "operator", { cluster }),
      rayClusterName: "raycluster-mini",
      identity,
      head: { cpu: 2, memoryGiB: 8 },
    });

    expect(() => new RayAuthProxy(stack, "auth", { rayCluster: ray })).toThrow(
      "'head.identity' must have 'automountServiceAccountToken' on: RayAuthProxy asks the API server with it, got false (at stack/ray)",
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
    expect(() => proxied({ submitterServiceAccountName: "raycluster-mini" })).toThrow(
      `'submitterServiceAccountName' must not be the head's own account, which jobs have already, got "raycluster-mini" (at stack/auth)`,
    );
  });

  test.each([
    ["submitterServiceAccountName", "Ray User", "be a DNS subdomain"],
    ["tlsSecretName", "tls_secret", "be a DNS subdomain"],
    ["image", "two words", "be the name of an image"],
  ])("a bad %s", (property, value, requirement) => {
    expect(() => proxied({ [property]: value })).toThrow(`'${property}' must ${requirement}`);
    expect(() => proxied({ [property]: value })).toThrow(`got "${value}" (at stack/auth)`);
  });

  test("a user's own setting of what the proxy sets", () => {
    const head = { cpu: 2, memoryGiB: 8, rayStartParams: { "dashboard-port": "9000" } };

    expect(() => headOf({}, { head })).toThrow(
      `'head.rayStartParams.dashboard-port' must be left to the construct that sets "8443", got "9000" (at stack/ray)`,
    );
  });
});
