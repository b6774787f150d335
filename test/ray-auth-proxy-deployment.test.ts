import { TerraformVariable } from "cdktf";
import {
  GkeTaintEffect,
  GkeWorkloadIdentityCluster,
  KubeRayOperator,
  RayAuthProxy,
  RayAuthProxyPlacement,
  RayAuthProxyProps,
  RayAuthResource,
  RayCluster,
  RbacSubject,
} from "../lib";
import { Graph } from "./support/graph";
import { mayConnect } from "./support/network-policy";
import { authProxy, emptyStack, existingCluster, rayCluster, standardCluster } from "./support/stacks";
import { Template } from "./support/template";

const LABELS = {
  "app.kubernetes.io/name": "ray-auth-proxy",
  "app.kubernetes.io/instance": "raycluster-mini",
};

function deploymentOf(props: Partial<RayAuthProxyProps> = {}) {
  return Template.of(authProxy(props).stack).resource("kubernetes_deployment_v1");
}

test("the proxy has pods of its own, in a namespace where no job runs", () => {
  const template = Template.of(authProxy().stack);
  const { metadata, spec } = template.resource("kubernetes_deployment_v1");

  expect(metadata).toEqual({ name: "raycluster-mini-proxy", namespace: "ray-auth", labels: LABELS });
  expect(spec).toMatchObject({ replicas: "2", selector: { match_labels: LABELS } });
  expect(spec.template.metadata.labels).toEqual(LABELS);
  expect(template.resources("kubernetes_namespace_v1").map((namespace) => namespace.metadata)).toContainEqual(
    {
      name: "ray-auth",
      labels: expect.objectContaining({ "pod-security.kubernetes.io/enforce": "restricted" }),
    },
  );
});

test("its container passes calls on to the head's Service, and says by HTTPS that it is well", () => {
  const [container] = deploymentOf().spec.template.spec.container;

  expect(container).toMatchObject({
    name: "kube-rbac-proxy",
    image: "quay.io/brancz/kube-rbac-proxy:v0.22.1",
    args: [
      "--insecure-listen-address=0.0.0.0:8265",
      "--secure-listen-address=0.0.0.0:8443",
      "--proxy-endpoints-port=8643",
      "--upstream=http://raycluster-mini-head-svc.ray.svc.cluster.local:8265/",
      "--config-file=/etc/kube-rbac-proxy/config-file.yaml",
      "--kube-api-qps=100",
      "--kube-api-burst=200",
    ],
    port: [{ container_port: 8265, name: "dashboard" }],
    resources: { requests: { cpu: "100m", memory: "128Mi" }, limits: { cpu: "100m", memory: "128Mi" } },
  });
  for (const probe of [container.readiness_probe, container.liveness_probe]) {
    expect(probe.http_get).toEqual({ path: "/healthz", port: "8643", scheme: "HTTPS" });
  }
});

test("its pods meet the restricted Pod Security Standard, and mount a token only where the proxy reads it", () => {
  const pod = deploymentOf().spec.template.spec;

  expect(pod).toMatchObject({
    automount_service_account_token: false,
    service_account_name: "raycluster-mini-proxy",
    security_context: { run_as_non_root: true, seccomp_profile: { type: "RuntimeDefault" } },
  });
  expect(pod.container[0].security_context).toMatchObject({
    allow_privilege_escalation: false,
    capabilities: { drop: ["ALL"] },
    read_only_root_filesystem: true,
    run_as_user: 65532,
  });
  expect(pod.container[0].volume_mount).toContainEqual({
    name: "kube-rbac-proxy-token",
    mount_path: "/var/run/secrets/kubernetes.io/serviceaccount",
    read_only: true,
  });
  expect(pod.volume).toContainEqual({
    name: "kube-rbac-proxy-token",
    projected: {
      sources: [
        { service_account_token: { path: "token", expiration_seconds: 3600 } },
        { config_map: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
        {
          downward_api: { items: [{ path: "namespace", field_ref: { field_path: "metadata.namespace" } }] },
        },
      ],
    },
  });
});

test("its Service is what callers forward, and every pod of the cluster finds it", () => {
  const { stack, proxy } = authProxy();

  expect(Template.of(stack).resource("kubernetes_service_v1")).toMatchObject({
    metadata: { name: "raycluster-mini-proxy", namespace: "ray-auth", labels: LABELS },
    spec: { selector: LABELS, port: [{ name: "dashboard", port: 8265, target_port: "8265" }] },
  });
  expect(proxy.portForwardCommand).toBe(
    "kubectl port-forward --namespace ray-auth service/raycluster-mini-proxy 8265:8265",
  );
  expect(proxy.dashboardUrl).toBe("http://raycluster-mini-proxy.ray-auth.svc.cluster.local:8265");
});

test("a drained node leaves one of its pods, where there are several", () => {
  const budgetsOf = (replicas: number) =>
    Template.of(authProxy({ replicas }).stack).resources("kubernetes_pod_disruption_budget_v1");

  expect(budgetsOf(3)).toEqual([
    expect.objectContaining({ spec: { max_unavailable: "1", selector: { match_labels: LABELS } } }),
  ]);
  expect(budgetsOf(1)).toEqual([]);
});

test("a certificate makes the proxy answer by HTTPS, and by nothing else", () => {
  const { stack, proxy } = authProxy({ tlsSecretName: "ray-tls" });
  const pod = Template.of(stack).resource("kubernetes_deployment_v1").spec.template.spec;

  expect(pod.container[0].args.slice(0, 4)).toEqual([
    "--secure-listen-address=0.0.0.0:8265",
    "--tls-cert-file=/etc/kube-rbac-proxy-tls/tls.crt",
    "--tls-private-key-file=/etc/kube-rbac-proxy-tls/tls.key",
    "--proxy-endpoints-port=8643",
  ]);
  expect(pod.container[0].args.join(" ")).not.toMatch(/insecure|8443/);
  expect(pod.container[0].volume_mount).toContainEqual({
    name: "kube-rbac-proxy-tls",
    mount_path: "/etc/kube-rbac-proxy-tls",
    read_only: true,
  });
  expect(pod.volume).toContainEqual({ name: "kube-rbac-proxy-tls", secret: { secret_name: "ray-tls" } });
  expect(proxy.address).toBe("https://localhost:8265");
  expect(proxy.dashboardUrl).toBe("https://raycluster-mini-proxy.ray-auth.svc.cluster.local:8265");
  expect(proxy.jobSubmitCommand).toMatch(
    /^ray job submit --address https:\/\/localhost:8265 --verify ca\.crt -- /,
  );
});

test("its image, size, number and nodes are the user's to choose", () => {
  const { spec } = deploymentOf({
    image: "example/proxy:1",
    cpu: 0.5,
    memoryGiB: 1,
    replicas: 3,
    nodeSelector: { pool: "System" },
    tolerations: [{ key: "team", value: "a", effect: "NoSchedule" }],
  });
  const pod = spec.template.spec;

  expect(spec.replicas).toBe("3");
  expect(pod.node_selector).toEqual({ pool: "System" });
  expect(pod.toleration).toEqual([{ key: "team", value: "a", effect: "NoSchedule" }]);
  expect(pod.container[0].image).toBe("example/proxy:1");
  expect(pod.container[0].resources.limits).toEqual({ cpu: "500m", memory: "1Gi" });
});

test("another configuration has another name, so that it reaches the pods", () => {
  const volumeOf = (props: Partial<RayAuthProxyProps>) => deploymentOf(props).spec.template.spec.volume[0];
  const first = volumeOf({});

  expect(first.config_map.name).toMatch(/^raycluster-mini-kube-rbac-proxy-[0-9a-f]{6}$/);
  expect(volumeOf({ authorizeOn: RayAuthResource.RAY_CLUSTER }).config_map.name).not.toBe(
    first.config_map.name,
  );
});

test("its own account may ask the API server about callers, under a name that holds Ray's namespace", () => {
  expect(Template.of(authProxy().stack).resource("kubernetes_cluster_role_binding_v1")).toMatchObject({
    metadata: { name: "ray-auth-proxy:ray:raycluster-mini" },
    role_ref: { kind: "ClusterRole", name: "system:auth-delegator" },
    subject: [{ kind: "ServiceAccount", name: "raycluster-mini-proxy", namespace: "ray-auth" }],
  });
});

test("nothing of the Ray cluster changes when the proxy comes or goes", () => {
  const workerGroups = [{ groupName: "cpu", cpu: 2, memoryGiB: 8, maxReplicas: 3 }];
  const without = Template.of(rayCluster({ workerGroups }, "1.6.2").stack).rayCluster();
  const behind = Template.of(authProxy({}, { workerGroups }).stack).rayCluster();

  expect(behind).toEqual(without);
});

test("the head has KubeRay's own probes, whatever its version", () => {
  const { spec } = Template.of(authProxy({}, {}, "1.3.0").stack).rayCluster().spec.headGroupSpec.template;

  expect(spec.containers[0]).not.toHaveProperty("readinessProbe");
  expect(spec.containers[0]).not.toHaveProperty("livenessProbe");
});

test("its pods wait for their account, their configuration and the right to ask", () => {
  const { stack } = authProxy();
  const graph = Graph.of(stack);
  const deployment = graph.addressesOfType("kubernetes_deployment_v1");

  for (const wanted of [/config_map_v1.auth_/, /cluster_role_binding_v1.auth_/, /service_account_v1.auth_/]) {
    const addresses = graph.addresses().filter((address) => wanted.test(address));

    expect(addresses).toHaveLength(1);
    expect(graph.dependsOn(deployment, addresses)).toBe(true);
  }
});

describe("a grant", () => {
  function connectRightsOf(grant: (proxy: RayAuthProxy) => void) {
    const { stack, proxy } = authProxy();
    grant(proxy);
    const template = Template.of(stack);
    const inProxysNamespace = ({ metadata }: any) => metadata.namespace === "ray-auth";
    return {
      roles: template.resources("kubernetes_role_v1").filter(inProxysNamespace),
      bindings: template.resources("kubernetes_role_binding_v1").filter(inProxysNamespace),
    };
  }

  test("of any tier lets the subject forward the proxy's port, and nothing else there", () => {
    for (const grant of ["grantView", "grantSubmit", "grantAdmin"] as const) {
      const { roles, bindings } = connectRightsOf((proxy) =>
        proxy[grant](RbacSubject.user("ada@example.com")),
      );

      expect(roles).toEqual([
        expect.objectContaining({
          metadata: { name: "ray:raycluster-mini:connect", namespace: "ray-auth" },
          rule: [
            {
              api_groups: [""],
              resources: ["services"],
              resource_names: ["raycluster-mini-proxy"],
              verbs: ["get"],
            },
            { api_groups: [""], resources: ["pods"], verbs: ["get", "list"] },
            { api_groups: [""], resources: ["pods/portforward"], verbs: ["get", "create"] },
          ],
        }),
      ]);
      expect(bindings.map(({ metadata, subject }) => [metadata.name, subject[0].name])).toEqual([
        ["ray:raycluster-mini:connect:user:ada@example.com", "ada@example.com"],
      ]);
    }
  });

  test("of two tiers to one subject is one right to forward", () => {
    const { bindings } = connectRightsOf((proxy) => {
      proxy.grantView(RbacSubject.user("ada@example.com"));
      proxy.grantSubmit(RbacSubject.user("ada@example.com"));
    });

    expect(bindings).toHaveLength(1);
  });
});

describe("the network policy", () => {
  const own = { namespace: "ray-auth", labels: LABELS };
  const callers: [string, { namespace: string; labels: { [name: string]: string } }, boolean][] = [
    ["the proxy", own, true],
    [
      "another Ray cluster's proxy",
      { ...own, labels: { ...LABELS, "app.kubernetes.io/instance": "b" } },
      false,
    ],
    ["such a pod of Ray's namespace", { ...own, namespace: "ray" }, false],
    ["another pod of the proxy's namespace", { ...own, labels: {} }, false],
  ];

  test.each(callers)("of a Ray cluster of ours lets %s reach the dashboard: %#", (_who, caller, may) => {
    const policy = Template.of(authProxy().stack).resource("kubernetes_network_policy_v1");

    expect(mayConnect(policy, caller, 8265)).toBe(may);
    for (const port of [10001, 6379, 52365, 8080, 44217, 8000]) {
      expect(mayConnect(policy, caller, port)).toBe(false);
    }
  });

  function imported(attributes: { networkPolicy?: boolean; operatorNetworkPeer?: { namespace: string } }) {
    const stack = emptyStack();
    const ray = RayCluster.fromRayClusterAttributes(stack, "ray", {
      cluster: existingCluster(stack),
      namespace: "team",
      rayClusterName: "theirs",
      headServiceAccountName: "theirs",
      ...attributes,
    });
    const proxy = new RayAuthProxy(stack, "auth", { rayCluster: ray });
    return { stack, ray, proxy };
  }

  test("of a Ray cluster that is deployed by other means is created with the proxy", () => {
    const policy = Template.of(imported({}).stack).resource("kubernetes_network_policy_v1");
    const operator = {
      namespace: "kuberay-operator",
      labels: { "app.kubernetes.io/name": "kuberay-operator" },
    };
    const labels = { ...LABELS, "app.kubernetes.io/instance": "theirs" };

    expect(policy.metadata).toEqual({ name: "theirs-ray", namespace: "team" });
    expect(policy.spec.pod_selector.match_labels).toEqual({ "ray.io/cluster": "theirs" });
    expect(mayConnect(policy, operator, 8265)).toBe(true);
    expect(mayConnect(policy, { namespace: "team-auth", labels }, 8265)).toBe(true);
    expect(mayConnect(policy, { namespace: "team", labels: {} }, 8265)).toBe(false);
  });

  test("of such a Ray cluster lets in the operator from where it is said to be", () => {
    const { stack } = imported({ operatorNetworkPeer: { namespace: "platform" } });
    const policy = Template.of(stack).resource("kubernetes_network_policy_v1");

    expect(mayConnect(policy, { namespace: "platform", labels: {} }, 8265)).toBe(true);
    expect(mayConnect(policy, { namespace: "kuberay-operator", labels: {} }, 8265)).toBe(false);
  });

  test("of such a Ray cluster is left to the user where that is said, with a warning", () => {
    const { stack, proxy } = imported({ networkPolicy: false });

    expect(Template.of(stack).resources("kubernetes_network_policy_v1")).toEqual([]);
    expect(proxy.node.metadata.map(({ data }) => data)).toEqual([
      "'networkPolicy' of stack/ray is off: everybody who reaches port 8265 of its head passes by the proxy, unless a network policy of yours lets in the proxy alone",
    ]);
  });

  test("that is left to the user lets nobody in by 'allowFrom'", () => {
    const { ray } = imported({ networkPolicy: false });

    expect(() => ray.allowFrom({ namespace: "ci" })).toThrow(
      "'networkPolicy' must be on to let only chosen peers in, got false (at stack/ray)",
    );
  });
});

describe("a cluster that", () => {
  test("is looked up must enforce network policies, or the plan fails", () => {
    const [{ lifecycle }] = Object.values<any>(
      Template.of(authProxy().stack).json.data.google_container_cluster,
    );

    expect(lifecycle.postcondition.at(-1).error_message).toBe(
      "The cluster my-cluster does not enforce network policies, without which every pod of the cluster gets past stack/auth. Turn Dataplane V2 or network policy enforcement on, or give the proxy 'placement: RayAuthProxyPlacement.HEAD_SIDECAR'.",
    );
  });

  test("is known by its attributes must be said to", () => {
    const stack = emptyStack();
    const cluster = GkeWorkloadIdentityCluster.fromClusterAttributes(stack, "cluster", {
      clusterName: "my-cluster",
      location: "us-west1-b",
      workloadIdentityPool: "my-project-id.svc.id.goog",
      endpoint: "203.0.113.1",
      clusterCaCertificate: "Y2E=",
    });
    const rayCluster = RayCluster.fromRayClusterAttributes(stack, "ray", {
      cluster,
      namespace: "team",
      rayClusterName: "theirs",
      headServiceAccountName: "theirs",
    });

    expect(() => new RayAuthProxy(stack, "auth", { rayCluster })).toThrow(
      "'networkPolicyEngine' must be true, which states that the cluster enforces network policies: where it does not, every pod of the cluster gets past stack/auth; or give the proxy 'placement: RayAuthProxyPlacement.HEAD_SIDECAR' (at stack/cluster)",
    );
    new RayAuthProxy(stack, "sidecar", { rayCluster, placement: RayAuthProxyPlacement.HEAD_SIDECAR });
  });
});

test("the pods of a Ray cluster that is deployed by other means wait for its policy and get no sidecar", () => {
  const stack = emptyStack();
  const ray = RayCluster.fromRayClusterAttributes(stack, "ray", {
    cluster: existingCluster(stack),
    namespace: "team",
    rayClusterName: "theirs",
    headServiceAccountName: "theirs",
  });
  new RayAuthProxy(stack, "auth", { rayCluster: ray });

  expect(ray.head.initContainers).toEqual([]);
  expect(ray.head.rayStartParams).toEqual({});
  expect(ray.head.env).toEqual({ RAY_AUTH_MODE: "disabled" });
  expect(ray.head.dependencies.map((dependency: any) => dependency.node.path)).toEqual([
    "stack/ray/network-policy",
  ]);
});

test("the namespace may have another name, or exist already", () => {
  const { stack } = authProxy({ namespace: "gatekeepers", createNamespace: false });
  const template = Template.of(stack);

  expect(template.resource("kubernetes_deployment_v1").metadata.namespace).toBe("gatekeepers");
  expect(template.resources("kubernetes_namespace_v1").map(({ metadata }) => metadata.name)).toEqual(["ray"]);
});

describe("refuses", () => {
  test("the namespace of the Ray cluster", () => {
    expect(() => authProxy({ namespace: "ray" })).toThrow(
      `'namespace' must not be the Ray cluster's namespace: whoever may run pods there could take the place of the proxy, got "ray" (at stack/auth)`,
    );
  });

  test("a namespace whose name is too long once it ends in -auth", () => {
    const namespace = "n".repeat(60);

    expect(() => authProxy({}, { namespace })).toThrow(
      `'namespace' must be given where "${namespace}-auth" has more than 63 characters (at stack/auth)`,
    );
  });

  test.each([
    ["replicas", 0, "be a whole number of at least 1"],
    ["replicas", 1.5, "be a whole number of at least 1"],
    ["cpu", 0, "be more than 0"],
    ["memoryGiB", -1, "be more than 0"],
    ["cpu", NaN, "be more than 0"],
    ["cpu", Infinity, "be at least 0.001 and finite"],
    ["memoryGiB", 0.0001, "be at least 0.001 and finite"],
  ])("%s of %d", (property, value, requirement) => {
    expect(() => authProxy({ [property]: value })).toThrow(
      `'${property}' must ${requirement}, got ${value} (at stack/auth)`,
    );
  });

  test.each<[string, unknown, string, string?, unknown?]>([
    ["placement", "SIDECAR", "be DEPLOYMENT, HEAD_SIDECAR"],
    ["placement", "", "be DEPLOYMENT, HEAD_SIDECAR"],
    ["authorizeOn", "pods/exec", "be rayclusters/dashboard, rayclusters"],
    ["image", "http://x/y:1", 'be the name of an image, such as "quay.io/example/tool:1.2.3"'],
    ["image", "a::::b", 'be the name of an image, such as "quay.io/example/tool:1.2.3"'],
    ["submitterServiceAccountName", "default", "not be one that every namespace has already"],
    ["namespace", "kube-system", "be a namespace of its own: others have pods in this one"],
    ["namespace", "default", "be a namespace of its own: others have pods in this one"],
    [
      "nodeSelector",
      { "a b": "c" },
      'have keys of Kubernetes labels, such as "team" or "example.com/team"',
      "nodeSelector",
      "a b",
    ],
    ["nodeSelector", { team: undefined }, "have a value", "nodeSelector.team", null],
    [
      "tolerations",
      [{ key: "team", value: "x y" }],
      "be at most 63 letters, digits, -, _ and ., starting and ending with a letter or digit",
      "tolerations[0].value",
      "x y",
    ],
  ])("%s of %j", (property, value, requirement, path = property, got = value) => {
    expect(() => authProxy({ [property]: value })).toThrow(
      new Error(`'${path}' must ${requirement}, got ${JSON.stringify(got)} (at stack/auth)`),
    );
  });

  test("pods that no node pool can hold", () => {
    const stack = emptyStack();
    const taint = { key: "team", value: "a", effect: GkeTaintEffect.NO_SCHEDULE };
    const cluster = standardCluster(stack, {
      nodePools: [{ name: "ray", machineType: "e2-standard-8", maxNodeCount: 1, taints: [taint] }],
    });
    const tolerations = [{ key: "team", value: "a", effect: "NoSchedule" }];
    const ray = new RayCluster(stack, "ray", {
      operator: KubeRayOperator.gkeAddon(stack, "operator", { cluster, gateTolerations: tolerations }),
      rayClusterName: "raycluster-mini",
      namespace: "ray",
      head: { cpu: 2, memoryGiB: 8, tolerations },
    });

    expect(() => new RayAuthProxy(stack, "auth", { rayCluster: ray })).toThrow(
      `'placement' must find room for the proxy on a node pool of stack/cluster: the nearest, "ray" (e2-standard-8), has the taint team=a:NoSchedule, which is not tolerated; nodes from elsewhere are stated by 'otherNodePools' of the cluster or a nodeSelector cloud.google.com/compute-class (at stack/auth)`,
    );
    new RayAuthProxy(stack, "other", { rayCluster: ray, tolerations });
  });
});

test("a second proxy of one Ray cluster says to use the first one", () => {
  const { stack, ray } = rayCluster();
  new RayAuthProxy(stack, "auth", { rayCluster: ray });

  expect(() => new RayAuthProxy(stack, "again", { rayCluster: ray })).toThrow(
    new Error(
      `'rayCluster' must not be one that stack/auth creates already: use that proxy, which may grant more callers access, got "raycluster-mini" (at stack/again)`,
    ),
  );
});

test("tolerations of the proxy that Kubernetes does not know are refused", () => {
  const { stack, ray } = rayCluster();
  const tolerations = [{ key: "team", effect: "NO_SCHEDULE" }];

  expect(() => new RayAuthProxy(stack, "auth", { rayCluster: ray, tolerations })).toThrow(
    new Error(
      `'tolerations[0].effect' must be NoSchedule, PreferNoSchedule, NoExecute, got "NO_SCHEDULE" (at stack/auth)`,
    ),
  );
});

test("a number of proxies that Terraform alone knows has a disruption budget", () => {
  const { stack, ray } = rayCluster();
  const replicas = new TerraformVariable(stack, "replicas", { type: "number" });
  new RayAuthProxy(stack, "auth", { rayCluster: ray, replicas: replicas.numberValue });

  expect(Template.of(stack).resources("kubernetes_pod_disruption_budget_v1")).toHaveLength(1);
});

test("a namespace that is a reference exists already, unless told otherwise", () => {
  const createdWith = (createNamespace?: boolean) => {
    const { stack, ray } = rayCluster();
    const namespace = new TerraformVariable(stack, "namespace", { type: "string" }).stringValue;
    new RayAuthProxy(stack, "auth", { rayCluster: ray, namespace, createNamespace });
    return Template.of(stack)
      .resources("kubernetes_namespace_v1")
      .map(({ metadata }) => metadata.name);
  };

  expect(createdWith()).not.toContain("${var.namespace}");
  expect(createdWith(true)).toContain("${var.namespace}");
});
