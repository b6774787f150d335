import { TerraformVariable } from "cdktf";
import {
  KubeRayOperator,
  RayBucketAccess,
  RayCluster,
  RbacSubject,
  SkyPilotFeatures,
  SkyPilotPodSecurity,
  SkyPilotRemoteIdentity,
  SkyPilotServiceAccount,
  SkyPilotServiceAccountProps,
  WorkloadIdentity,
} from "../lib";
import { Graph } from "./support/graph";
import { schemaProblems } from "./support/schema";
import { emptyStack, existingCluster, skyPilot, standardCluster } from "./support/stacks";
import { Template } from "./support/template";

const CONTEXT = "gke_my-project-id_us-west1-b_my-cluster";

/** Every feature that adds a rule somewhere. */
const ALL: SkyPilotFeatures = {
  gpuAvailability: true,
  objectStoreMounts: true,
  ingressPorts: true,
  volumes: true,
  haControllers: true,
  hostNetwork: true,
  gpuMetrics: true,
  legacySshSecret: true,
  controllers: true,
};

describe("accounts", () => {
  test("are two, of which only the pods' mounts a token, in namespaces of their own", () => {
    const template = Template.of(skyPilot().stack);
    const labels = { parent: "skypilot" };

    expect(template.resources("kubernetes_service_account_v1")).toEqual([
      expect.objectContaining({
        metadata: { name: "sky-sa", namespace: "sky-launcher", labels },
        automount_service_account_token: false,
      }),
      expect.objectContaining({
        metadata: { name: "sky-sa-workload", namespace: "sky", labels },
        automount_service_account_token: true,
      }),
    ]);
    expect(template.resources("kubernetes_namespace_v1").map(({ metadata }) => metadata)).toEqual([
      { name: "sky-launcher", labels },
      { name: "sky", labels: { ...labels, "pod-security.kubernetes.io/enforce": "baseline" } },
    ]);
  });

  test("and namespaces that exist are left as they are", () => {
    const template = Template.of(
      skyPilot({ createNamespace: false, createLauncherNamespace: false, createServiceAccount: false }).stack,
    );

    expect(template.resources("kubernetes_namespace_v1")).toEqual([]);
    expect(template.resource("kubernetes_service_account_v1").metadata.name).toBe("sky-sa-workload");
    expect(template.resources("kubernetes_role_binding_v1")).toHaveLength(2);
  });

  test("may be one, as in SkyPilot's own example, that has both accounts' rights", () => {
    const template = Template.of(skyPilot({ sharedIdentity: true }).stack);
    const bindings = template
      .resources("kubernetes_role_binding_v1")
      .concat(template.resources("kubernetes_cluster_role_binding_v1"));

    expect(template.resource("kubernetes_service_account_v1")).toMatchObject({
      metadata: { name: "sky-sa", namespace: "sky" },
      automount_service_account_token: true,
    });
    expect(bindings.map(({ role_ref: { kind, name } }) => `${kind} ${name}`).sort()).toEqual([
      "ClusterRole skypilot:sky:sky-sa",
      "Role skypilot:sky:sky-sa",
      "Role skypilot:sky:sky-sa:workload",
    ]);
    for (const { subject } of bindings) {
      expect(subject).toEqual([{ kind: "ServiceAccount", name: "sky-sa", namespace: "sky", api_group: "" }]);
    }
  });

  test("of the pods have the same name in every workload namespace, with the same rules", () => {
    const additional = { additionalNamespaces: ["team-a", "role"] };
    const template = Template.of(skyPilot(additional).stack);
    const places = (type: string) =>
      template.resources(type).map(({ metadata: { namespace, name } }) => `${namespace}/${name}`);

    expect(places("kubernetes_service_account_v1").sort()).toEqual([
      "role/sky-sa-workload",
      "sky-launcher/sky-sa",
      "sky/sky-sa-workload",
      "team-a/sky-sa-workload",
    ]);
    expect(places("kubernetes_role_v1").sort()).toEqual(
      ["role", "sky", "team-a"].flatMap((namespace) => [
        `${namespace}/skypilot:sky-launcher:sky-sa`,
        `${namespace}/skypilot:sky-launcher:sky-sa:workload`,
      ]),
    );
    const rules = template.resources("kubernetes_role_v1").map(({ rule }) => JSON.stringify(rule));
    expect(new Set(rules).size).toBe(2);
  });

  test("that are one are one in every workload namespace", () => {
    const { stack } = skyPilot({ sharedIdentity: true, additionalNamespaces: ["team-a"] });

    expect(Template.of(stack).resource("kubernetes_cluster_role_binding_v1").subject).toEqual([
      { kind: "ServiceAccount", name: "sky-sa", namespace: "sky", api_group: "" },
      { kind: "ServiceAccount", name: "sky-sa", namespace: "team-a", api_group: "" },
    ]);
  });

  test("of the pods may be a workload identity, and a bucket for tasks is one line", () => {
    const stack = emptyStack();
    const cluster = existingCluster(stack);
    const identity = new WorkloadIdentity(stack, "tasks", {
      cluster,
      namespace: "sky",
      serviceAccountName: "sky-tasks",
      googleServiceAccountId: "sky-tasks",
    });
    const bucket = new RayBucketAccess(stack, "bucket", {
      cluster,
      bucketName: "my-bucket",
      namespace: "ray",
      serviceAccountName: "my-ksa",
      googleServiceAccountId: "my-iam-sa",
    });
    const sky = new SkyPilotServiceAccount(stack, "sky", {
      cluster,
      namespace: "sky",
      workloadIdentity: identity,
    });
    bucket.grantReadWrite(identity);
    const template = Template.of(stack);
    const accounts = template.resources("kubernetes_service_account_v1");

    expect(sky.workloadServiceAccountName).toBe("sky-tasks");
    expect(sky.skyConfig).toContain('remote_identity: "sky-tasks"');
    expect(accounts.filter(({ metadata }) => metadata.name === "sky-tasks")).toHaveLength(1);
    expect(
      template.resources("google_storage_bucket_iam_member").map(({ role, member }) => [role, member]),
    ).toEqual(
      expect.arrayContaining([
        [
          "roles/storage.objectUser",
          expect.stringMatching(/google_service_account\.tasks_google-service-account_\w+\.member/),
        ],
      ]),
    );
    expect(template.resources("kubernetes_namespace_v1").map(({ metadata }) => metadata)).toContainEqual({
      name: "sky",
      labels: { parent: "skypilot", "pod-security.kubernetes.io/enforce": "baseline" },
    });
  });
});

describe("names", () => {
  test("differ for every SkyPilot on a cluster, and none is one that SkyPilot gives", () => {
    const stack = emptyStack();
    const cluster = existingCluster(stack);
    const make = (id: string, props: Partial<SkyPilotServiceAccountProps>) =>
      new SkyPilotServiceAccount(stack, id, { cluster, namespace: "sky", features: ALL, ...props });
    make("a", { resourceQuota: { pods: "10" } });
    make("b", { serviceAccountName: "other", resourceQuota: { pods: "10" }, createKubeconfig: true });
    make("c", { namespace: "team", createKubeconfig: true });
    make("d", { namespace: "more", launcherNamespace: "team-launcher", serviceAccountName: "more" });
    const names = Object.entries<any>(Template.of(stack).json.resource).flatMap(([type, bodies]) =>
      Object.values<any>(bodies).flatMap(({ metadata }) =>
        metadata ? [`${type} ${metadata.namespace ?? ""}/${metadata.name}`] : [],
      ),
    );

    expect(names.length).toBeGreaterThan(50);
    expect(new Set(names).size).toBe(names.length);
    expect(names.filter((name) => /\/skypilot-(system-|controller-)?service-account/.test(name))).toEqual([]);
    expect(names.filter((name) => name.startsWith("kubernetes_cluster_role_v1")).sort()).toEqual([
      "kubernetes_cluster_role_v1 /skypilot:sky-launcher:other",
      "kubernetes_cluster_role_v1 /skypilot:sky-launcher:sky-sa",
      "kubernetes_cluster_role_v1 /skypilot:team-launcher:more",
      "kubernetes_cluster_role_v1 /skypilot:team-launcher:sky-sa",
    ]);
  });

  test("that Terraform knows later are left to it", () => {
    const stack = emptyStack();
    const namespace = new TerraformVariable(stack, "namespace", { type: "string" }).stringValue;
    new SkyPilotServiceAccount(stack, "sky", {
      cluster: existingCluster(stack),
      namespace: "sky",
      additionalNamespaces: [namespace],
      features: ALL,
    });

    expect(schemaProblems(stack)).toEqual([]);
    expect(
      Template.of(stack)
        .resources("kubernetes_role_v1")
        .filter(({ metadata }) => metadata.namespace === "${var.namespace}"),
    ).toHaveLength(2);
  });
});

test("every binding names the namespace of its subjects, and users and groups have none", () => {
  const { stack, sky } = skyPilot({ features: ALL, additionalNamespaces: ["team-a"] });
  sky.grantLauncher(RbacSubject.user("ada@example.com"));
  const template = Template.of(stack);
  const bindings = ["kubernetes_role_binding_v1", "kubernetes_cluster_role_binding_v1"].flatMap((type) =>
    template.resources(type),
  );
  const subjects: any[] = bindings.flatMap(({ subject }) => subject);

  expect(bindings).toHaveLength(7);
  for (const { kind, namespace } of subjects) {
    expect(namespace).toMatch(kind === "ServiceAccount" ? /^(sky|sky-launcher|team-a)$/ : /^$/);
  }
});

test("who is granted the launcher's rules has them everywhere, once, and the pods' not", () => {
  const { stack, sky } = skyPilot({ features: ALL, additionalNamespaces: ["team-a"] });
  const ada = RbacSubject.user("ada@example.com");
  sky.grantLauncher(ada);
  sky.grantLauncher(RbacSubject.group("team@example.com"));
  sky.grantLauncher(RbacSubject.user("ada@example.com"));
  const template = Template.of(stack);
  const having = ["kubernetes_role_binding_v1", "kubernetes_cluster_role_binding_v1"]
    .flatMap((type) => template.resources(type))
    .map(({ metadata, subject }) => ({
      place: `${metadata.namespace ?? "the cluster"}${metadata.name.endsWith(":workload") ? ", pods" : ""}`,
      people: subject.filter(({ kind }: any) => kind !== "ServiceAccount").map(({ name }: any) => name),
    }));
  const people = ["ada@example.com", "team@example.com"];

  expect(having.sort((a, b) => a.place.localeCompare(b.place))).toEqual([
    { place: "ingress-nginx", people },
    { place: "sky", people },
    { place: "sky, pods", people: [] },
    { place: "skypilot-system", people },
    { place: "team-a", people },
    { place: "team-a, pods", people: [] },
    { place: "the cluster", people },
  ]);
});

describe("workload namespaces", () => {
  const enforced = (props: Partial<SkyPilotServiceAccountProps>) =>
    Template.of(skyPilot(props).stack)
      .resources("kubernetes_namespace_v1")
      .find(({ metadata }) => metadata.name === "sky").metadata.labels["pod-security.kubernetes.io/enforce"];

  test("admit what the features need and no more", () => {
    expect(enforced({ features: { ...ALL, objectStoreMounts: false, hostNetwork: false } })).toBe("baseline");
    expect(enforced({ features: { objectStoreMounts: true } })).toBe("privileged");
    expect(enforced({ features: { hostNetwork: true } })).toBe("privileged");
    expect(enforced({ podSecurity: SkyPilotPodSecurity.PRIVILEGED })).toBe("privileged");
  });

  test("may have a limit each", () => {
    const { stack } = skyPilot({
      additionalNamespaces: ["team-a"],
      resourceQuota: { "requests.nvidia.com/gpu": "8", "requests.memory": "1.5Ti" },
    });

    expect(Template.of(stack).resources("kubernetes_resource_quota_v1")).toEqual(
      ["team-a", "sky"].map((namespace) =>
        expect.objectContaining({
          metadata: { name: "sky-sa-workload", namespace, labels: { parent: "skypilot" } },
          spec: { hard: { "requests.nvidia.com/gpu": "8", "requests.memory": "1.5Ti" } },
        }),
      ),
    );
  });

  test("that are another construct's too have one object with the labels of both", () => {
    const stack = emptyStack();
    const cluster = existingCluster(stack);
    new SkyPilotServiceAccount(stack, "a", { cluster, namespace: "sky" });
    new SkyPilotServiceAccount(stack, "b", { cluster, namespace: "sky", serviceAccountName: "other" });

    expect(
      Template.of(stack)
        .resources("kubernetes_namespace_v1")
        .map(({ metadata }) => metadata.name),
    ).toEqual(["sky-launcher", "sky"]);
  });
});

describe("skypilot-system", () => {
  test("is made once for all of a cluster", () => {
    const stack = emptyStack();
    const cluster = existingCluster(stack);
    const features = { objectStoreMounts: true };
    new SkyPilotServiceAccount(stack, "a", { cluster, namespace: "a", features });
    new SkyPilotServiceAccount(stack, "b", { cluster, namespace: "b", features });
    const template = Template.of(stack);

    expect(
      template
        .resources("kubernetes_namespace_v1")
        .filter(({ metadata }) => metadata.name === "skypilot-system")
        .map(({ metadata }) => metadata.labels),
    ).toEqual([{ parent: "skypilot", "pod-security.kubernetes.io/enforce": "privileged" }]);
    expect(template.resource("helm_release")).toMatchObject({
      name: "skypilot-system-policy",
      namespace: "skypilot-system",
    });
    expect(
      template
        .resources("kubernetes_role_v1")
        .filter(({ metadata }) => metadata.namespace === "skypilot-system")
        .map(({ metadata }) => metadata.name),
    ).toEqual(["skypilot:a-launcher:sky-sa", "skypilot:b-launcher:sky-sa"]);
  });

  test("is left to another stack where that makes it", () => {
    const { stack } = skyPilot({ features: { objectStoreMounts: true }, createSkyPilotSystem: false });
    const template = Template.of(stack);

    expect(template.resources("helm_release")).toEqual([]);
    expect(
      template
        .resources("kubernetes_namespace_v1")
        .filter(({ metadata }) => metadata.name === "skypilot-system"),
    ).toEqual([]);
    expect(
      template
        .resources("kubernetes_role_v1")
        .filter(({ metadata }) => metadata.namespace === "skypilot-system"),
    ).toHaveLength(1);
  });

  test("has a policy that denies every DaemonSet but SkyPilot's, for everybody", () => {
    const { stack } = skyPilot({ features: { objectStoreMounts: true } });
    const [policy, binding] = Template.of(stack).manifests();

    expect(policy).toMatchObject({
      apiVersion: "admissionregistration.k8s.io/v1",
      kind: "ValidatingAdmissionPolicy",
      metadata: { name: "skypilot-system" },
      spec: {
        failurePolicy: "Fail",
        matchConstraints: {
          namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "skypilot-system" } },
          resourceRules: [
            {
              apiGroups: ["apps"],
              apiVersions: ["*"],
              operations: ["CREATE", "UPDATE"],
              resources: ["daemonsets"],
            },
          ],
        },
      },
    });
    expect(policy.spec).not.toHaveProperty("matchConditions");
    expect(binding).toMatchObject({
      kind: "ValidatingAdmissionPolicyBinding",
      spec: { policyName: "skypilot-system", validationActions: ["Deny"] },
    });
    const expressions: string[] = policy.spec.validations.map(({ expression }: any) => expression);
    expect(expressions[0]).toBe('object.metadata.name == "fusermount-server"');
    // What is named in a list of fields is admitted, and all that can take over the container is not.
    for (const field of ["command", "args", "lifecycle", "envFrom", "ports", "workingDir", "subPath"]) {
      expect(expressions.filter((expression) => expression.includes(`"${field}"`))).toEqual([]);
    }
    for (const field of ["initContainers", "hostPID", "hostNetwork", "hostIPC", "serviceAccountName"]) {
      expect(expressions.filter((expression) => expression.includes(`"${field}"`))).toEqual([]);
    }
    // What is admitted has a value of its own in another rule.
    const admitted = expressions
      .filter((expression) => /^dyn\(variables\.(pod|container)\)\.all/.test(expression))
      .flatMap((expression) => JSON.parse(expression.match(/\[.*\]/)![0]) as string[]);
    expect(admitted).toHaveLength(18);
    for (const field of admitted) {
      const pinning = expressions.filter((expression) =>
        new RegExp(`variables\\.(pod|container)\\.${field}\\b`).test(expression),
      );
      expect({ [field]: pinning }).not.toEqual({ [field]: [] });
    }
    expect(expressions).toContainEqual(
      expect.stringContaining(
        '(!has(variables.container.terminationMessagePath) || variables.container.terminationMessagePath == "/dev/termination-log")',
      ),
    );
  });
});

describe("outputs", () => {
  test("say what belongs into SkyPilot's configuration", () => {
    const { sky } = skyPilot();

    expect(sky.contextName).toBe(CONTEXT);
    expect(sky.skyConfig).toBe(
      `kubernetes:\n  context_configs:\n    "${CONTEXT}":\n      namespace: "sky"\n      remote_identity: "sky-sa-workload"\n`,
    );
    expect(sky.tokenCommand).toBe("kubectl create token sky-sa --namespace sky-launcher --duration=1h");
    expect(sky.kubeconfigCommand).toBeUndefined();
  });

  test.each([{ features: { controllers: true } }, { sharedIdentity: true }])(
    "say who pods are that launch others: %j",
    (props) => {
      const { sky } = skyPilot(props);

      expect(sky.skyConfig).toMatch(
        new RegExp(`\\n    in-cluster:\\n      remote_identity: "${sky.workloadServiceAccountName}"\\n$`),
      );
    },
  );

  test("say with a copied kubeconfig who the pods are, or SkyPilot would make accounts", () => {
    const { sky } = skyPilot({ remoteIdentity: SkyPilotRemoteIdentity.LOCAL_CREDENTIALS });

    expect(sky.skyConfig).toBe(
      `kubernetes:\n  context_configs:\n    "${CONTEXT}":\n      namespace: "sky"\n      remote_identity: "LOCAL_CREDENTIALS"\n      pod_config:\n        spec:\n          serviceAccountName: "sky-sa-workload"\n`,
    );
  });

  test("hold a kubeconfig only where it is asked for, sensitive, with names that stay", () => {
    const without = Template.of(skyPilot().stack);
    const { stack, sky } = skyPilot({ createKubeconfig: true });
    const template = Template.of(stack);
    const [[name, output]] = Object.entries<any>(template.json.output);
    const secret = Object.keys(template.json.resource.kubernetes_secret_v1)[0];

    expect(without.json.output).toBeUndefined();
    expect(without.resources("kubernetes_secret_v1")).toEqual([]);
    expect(template.resource("kubernetes_secret_v1")).toMatchObject({
      metadata: {
        name: "sky-sa-token",
        namespace: "sky-launcher",
        annotations: { "kubernetes.io/service-account.name": "sky-sa" },
        labels: { parent: "skypilot" },
      },
      type: "kubernetes.io/service-account-token",
      wait_for_service_account_token: true,
    });
    expect(output.sensitive).toBe(true);
    expect(sky.kubeconfigCommand).toBe(`(umask 077 && terraform output -raw ${name} > sky-kubeconfig)`);
    expect(output.value.split("\n")).toEqual([
      "apiVersion: v1",
      "kind: Config",
      `current-context: "${CONTEXT}"`,
      "clusters:",
      `  - name: "${CONTEXT}"`,
      "    cluster:",
      expect.stringMatching(/^ {6}server: "https:\/\/\$\{data\.google_container_cluster\.\w+\.endpoint\}"$/),
      `      certificate-authority-data: "\${base64encode(kubernetes_secret_v1.${secret}.data["ca.crt"])}"`,
      "users:",
      `  - name: "${CONTEXT}-sky-sa"`,
      "    user:",
      `      token: "\${kubernetes_secret_v1.${secret}.data["token"]}"`,
      "contexts:",
      `  - name: "${CONTEXT}"`,
      "    context:",
      `      cluster: "${CONTEXT}"`,
      `      user: "${CONTEXT}-sky-sa"`,
      '      namespace: "sky"',
      "",
    ]);
    expect(schemaProblems(stack)).toEqual([]);
  });

  test("hold one for the DNS endpoint where that takes such tokens, with a certificate that everybody trusts", () => {
    const { stack } = skyPilot(
      { createKubeconfig: true, dnsEndpointAcceptsTokens: true },
      { dnsEndpoint: true },
    );
    const [output] = Object.values<any>(Template.of(stack).json.output);

    expect(output.value).not.toContain("certificate-authority-data");
    expect(output.value).toMatch(/server: "https:\/\/\$\{.*dns_endpoint_config\[0\]\.endpoint\}"/);
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
  new SkyPilotServiceAccount(stack, "sky", {
    cluster,
    namespace: "sky",
    additionalNamespaces: ["team-a"],
    features: ALL,
    resourceQuota: { pods: "10" },
    createKubeconfig: true,
  });
  const graph = Graph.of(stack);
  const mine = graph
    .addresses()
    .filter((address) => /^(kubernetes_\w+|helm_release)\.(sky|skypilot-system)/.test(address));
  const find = (pattern: RegExp) => graph.addresses().filter((address) => pattern.test(address));

  test("everything of SkyPilot waits for nodes", () => {
    expect(mine.length).toBeGreaterThan(18);
    expect(graph.dependsOn(mine, graph.addressesOfType("google_container_node_pool"))).toBe(true);
    expect(graph.dependsOn(mine, graph.addressesOfType("google_project_iam_member"))).toBe(true);
  });

  test.each(["launcher", "workload", "system", "ingress"])("the %s's binding waits for its role", (name) => {
    const binding = find(new RegExp(`^kubernetes_role_binding_v1\\.sky_${name}-binding`));
    const role = find(new RegExp(`^kubernetes_role_v1\\.sky_${name}-role`));

    expect(graph.dependsOn(binding, role)).toBe(true);
  });

  test("the cluster's binding waits for its role", () => {
    expect(
      graph.dependsOn(
        find(/^kubernetes_cluster_role_binding_v1\.sky/),
        graph.addressesOfType("kubernetes_cluster_role_v1"),
      ),
    ).toBe(true);
  });

  test("nobody may make the DaemonSet before there is a policy that holds them to it", () => {
    const policy = find(/^helm_release\.skypilot-system/);

    expect(graph.dependsOn(find(/^kubernetes_role_v1\.sky_system-role/), policy)).toBe(true);
    expect(graph.dependsOn(policy, find(/^kubernetes_namespace_v1.*-skypilot-system_/))).toBe(true);
  });

  test("the token waits for its account", () => {
    expect(
      graph.dependsOn(
        graph.addressesOfType("kubernetes_secret_v1"),
        find(/^kubernetes_service_account_v1\.sky_launcher_/),
      ),
    ).toBe(true);
  });

  test("the Ray cluster waits for nothing of SkyPilot, nor SkyPilot for the Ray cluster", () => {
    for (const address of mine) {
      expect(graph.dependsOn(ray.resource!, address)).toBe(false);
      expect(graph.dependsOn(address, ray.resource!)).toBe(false);
    }
  });
});
