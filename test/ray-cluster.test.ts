import { TerraformVariable, Testing } from "cdktf";
import {
  KubeRayOperator,
  RayCluster,
  RayClusterProps,
  RayClusterUpgradeStrategy,
  RayWorkerGroup,
  WorkloadIdentity,
} from "../lib";
import { Graph } from "./support/graph";
import { bucketAccess, emptyStack, existingCluster, rayCluster, standardCluster } from "./support/stacks";
import { Template } from "./support/template";

const cpuGroup: RayWorkerGroup = { groupName: "cpu", cpu: 2, memoryGiB: 8, minReplicas: 0, maxReplicas: 3 };

function manifestOf(props: Partial<RayClusterProps> = {}, kuberayVersion?: string): any {
  return Template.of(rayCluster(props, kuberayVersion).stack).rayCluster();
}

function headOf(props: Partial<RayClusterProps> = {}): any {
  return manifestOf(props).spec.headGroupSpec.template.spec;
}

test("a head alone needs nothing but its size", () => {
  const manifest = manifestOf();

  expect(manifest).toMatchObject({
    apiVersion: "ray.io/v1",
    kind: "RayCluster",
    metadata: { name: "raycluster-mini", namespace: "ray" },
    spec: { rayVersion: "2.60.0", workerGroupSpecs: [] },
  });
  expect(manifest.spec).not.toHaveProperty("enableInTreeAutoscaling");
  expect(manifest.spec.headGroupSpec.template.spec.containers).toEqual([
    {
      name: "ray-head",
      image: "rayproject/ray:2.60.0",
      ports: [
        { containerPort: 6379, name: "gcs-server" },
        { containerPort: 8265, name: "dashboard" },
        { containerPort: 10001, name: "client" },
      ],
      env: [{ name: "RAY_AUTH_MODE", value: "disabled" }],
      resources: { requests: { cpu: "2", memory: "8Gi" }, limits: { cpu: "2", memory: "8Gi" } },
      securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
    },
  ]);
});

test("every pod meets the restricted Pod Security Standard and says how Ray authenticates", () => {
  const { spec } = manifestOf({ workerGroups: [cpuGroup] });

  for (const group of [spec.headGroupSpec, spec.workerGroupSpecs[0]]) {
    const pod = group.template.spec;
    expect(pod.securityContext).toEqual({ runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } });
    expect(pod.containers[0].securityContext).toEqual({
      allowPrivilegeEscalation: false,
      capabilities: { drop: ["ALL"] },
    });
    expect(pod.containers[0].env).toContainEqual({ name: "RAY_AUTH_MODE", value: "disabled" });
  }
  expect(spec.autoscalerOptions).toEqual({
    env: [{ name: "RAY_AUTH_MODE", value: "disabled" }],
    securityContext: {
      allowPrivilegeEscalation: false,
      capabilities: { drop: ["ALL"] },
      readOnlyRootFilesystem: true,
    },
    volumeMounts: [expect.objectContaining({ name: "autoscaler-token" })],
  });
});

test("the autoscaler authenticates as the head was told to", () => {
  const head = { cpu: 2, memoryGiB: 8, env: { RAY_AUTH_MODE: "token" } };
  const { spec } = manifestOf({ head, workerGroups: [cpuGroup] });

  expect(spec.autoscalerOptions.env).toEqual([{ name: "RAY_AUTH_MODE", value: "token" }]);
});

test("a head that the autoscaler keeps from ending is not waited for longer than it takes itself", () => {
  const withAutoscaler = headOf({ workerGroups: [cpuGroup] });

  expect(withAutoscaler.terminationGracePeriodSeconds).toBe(10);
  expect(headOf()).not.toHaveProperty("terminationGracePeriodSeconds");
});

test("the number of workers is left to the autoscaler where a group can grow", () => {
  const { spec } = manifestOf({ workerGroups: [cpuGroup] });

  expect(spec.enableInTreeAutoscaling).toBe(true);
  expect(spec.workerGroupSpecs[0]).toMatchObject({ groupName: "cpu", minReplicas: 0, maxReplicas: 3 });
  expect(spec.workerGroupSpecs[0]).not.toHaveProperty("replicas");
});

test("a group that cannot grow has its number of workers", () => {
  const { spec } = manifestOf({ workerGroups: [{ ...cpuGroup, minReplicas: 2, maxReplicas: 2 }] });

  expect(spec).not.toHaveProperty("enableInTreeAutoscaling");
  expect(spec.workerGroupSpecs[0].replicas).toBe(2);
});

test("a group has its image, environment, labels, annotations, nodes and start parameters", () => {
  const group = {
    ...cpuGroup,
    image: "example/ray:1",
    env: { MODE: "fast" },
    labels: { team: "a" },
    annotations: { note: "x" },
    nodeSelector: { pool: "big" },
    tolerations: [{ key: "team", operator: "Exists" }],
    rayStartParams: { "num-cpus": "1" },
    cpu: 0.5,
    memoryGiB: 2.5,
  };
  const spec = manifestOf({ workerGroups: [group], labels: { app: "ray" } }).spec.workerGroupSpecs[0];

  expect(spec.rayStartParams).toEqual({ "num-cpus": "1" });
  expect(spec.template.metadata).toEqual({ labels: { app: "ray", team: "a" }, annotations: { note: "x" } });
  expect(spec.template.spec).toMatchObject({
    nodeSelector: { pool: "big", "iam.gke.io/gke-metadata-server-enabled": "true" },
    tolerations: [{ key: "team", operator: "Exists" }],
    containers: [
      {
        image: "example/ray:1",
        env: [
          { name: "RAY_AUTH_MODE", value: "disabled" },
          { name: "MODE", value: "fast" },
        ],
        resources: { limits: { cpu: "500m", memory: "2560Mi" }, requests: { cpu: "500m", memory: "2560Mi" } },
      },
    ],
  });
});

test("the image follows the Ray version unless it is given", () => {
  expect(headOf({ rayVersion: "2.59.0" }).containers[0].image).toBe("rayproject/ray:2.59.0");
  expect(headOf({ image: "example/ray:mine" }).containers[0].image).toBe("example/ray:mine");
});

test("the metadata server's nodes are asked for on Standard and not on Autopilot", () => {
  const stack = emptyStack();
  const cluster = existingCluster(stack, { autopilot: true });
  const operator = KubeRayOperator.existing(stack, "operator", { cluster });
  new RayCluster(stack, "ray", {
    operator,
    rayClusterName: "ray",
    namespace: "ray",
    head: { cpu: 2, memoryGiB: 8 },
  });

  expect(headOf().nodeSelector).toEqual({ "iam.gke.io/gke-metadata-server-enabled": "true" });
  expect(Template.of(stack).rayCluster().spec.headGroupSpec.template.spec).not.toHaveProperty("nodeSelector");
});

test.each([
  ["1.6.2", { type: "Recreate" }],
  ["1.7.0", { type: "Recreate" }],
  ["1.5.1", undefined],
  [undefined, undefined],
])("with KubeRay %s the upgrade strategy is %j", (kuberayVersion, expected) => {
  expect(manifestOf({}, kuberayVersion).spec.upgradeStrategy).toEqual(expected);
});

test("running pods can be left as they are by request", () => {
  const props = { upgradeStrategy: RayClusterUpgradeStrategy.NONE };

  expect(manifestOf(props, "1.6.2").spec).not.toHaveProperty("upgradeStrategy");
});

test("without an identity the pods have a plain service account", () => {
  const { stack } = rayCluster({ serviceAccountName: "plain" });
  const template = Template.of(stack);

  expect(template.resource("kubernetes_service_account_v1").metadata).toEqual({
    name: "plain",
    namespace: "ray",
  });
  expect(template.rayCluster().spec.headGroupSpec.template.spec.serviceAccountName).toBe("plain");
});

test("head and workers may have different identities, and wait for both", () => {
  const stack = emptyStack();
  const cluster = standardCluster(stack);
  const access = bucketAccess(stack, cluster);
  const workerIdentity = new WorkloadIdentity(stack, "workers", {
    cluster,
    namespace: "ray",
    serviceAccountName: "worker-ksa",
    googleServiceAccountId: "worker-gsa",
  });
  const ray = new RayCluster(stack, "ray", {
    operator: KubeRayOperator.gkeAddon(stack, "operator", { cluster }),
    rayClusterName: "ray",
    identity: access.identity,
    workerIdentity,
    head: { cpu: 2, memoryGiB: 8 },
    workerGroups: [cpuGroup],
  });
  access.grantRead(workerIdentity);
  const { spec } = Template.of(stack).rayCluster();
  const graph = Graph.of(stack);

  expect(spec.headGroupSpec.template.spec.serviceAccountName).toBe("my-ksa");
  expect(spec.workerGroupSpecs[0].template.spec.serviceAccountName).toBe("worker-ksa");
  expect(graph.dependsOn(ray.resource, graph.addressesOfType("kubernetes_service_account_v1"))).toBe(true);
  expect(graph.dependsOn(ray.resource, graph.addressesOfType("google_service_account_iam_member"))).toBe(
    true,
  );
});

test("a grant made after the Ray cluster was constructed is waited for", () => {
  const stack = emptyStack();
  const cluster = standardCluster(stack);
  const identity = new WorkloadIdentity(stack, "identity", {
    cluster,
    namespace: "ray",
    serviceAccountName: "my-ksa",
    projectNumber: "1",
  });
  const ray = new RayCluster(stack, "ray", {
    operator: KubeRayOperator.gkeAddon(stack, "operator", { cluster }),
    rayClusterName: "ray",
    identity,
    head: { cpu: 2, memoryGiB: 8 },
  });
  bucketAccess(stack, cluster, { identity });
  const graph = Graph.of(stack);

  expect(graph.dependsOn(ray.resource, graph.addressesOfType("google_storage_bucket_iam_member"))).toBe(true);
});

test("the release is adopted, rolled back and upgraded by the chart's content", () => {
  const { stack } = rayCluster();

  expect(Template.of(stack).resource("helm_release")).toMatchObject({
    name: "raycluster-mini",
    namespace: "ray",
    version: "1.0.0",
    upgrade_install: true,
    atomic: true,
    chart: expect.stringMatching(/^\.\/assets\/manifests-chart\/[0-9A-F]{32}$/),
  });
});

test("the release waits for the pods to end when it is destroyed", () => {
  const [values] = Template.of(
    rayCluster({ head: { cpu: 1, memoryGiB: 4, image: "mine" } }).stack,
  ).releaseValues();

  expect(values.drain).toMatchObject({
    name: "raycluster-mini-drain",
    namespace: "ray",
    timeoutSeconds: 180,
    pod: { serviceAccountName: "raycluster-mini-drain", restartPolicy: "OnFailure" },
  });
  expect(values.drain.pod.containers).toMatchObject([
    {
      image: "mine",
      command: ["python3", "-c", expect.stringContaining("pods?labelSelector=ray.io/cluster%3D")],
      args: ["ray", "raycluster-mini"],
    },
  ]);
});

test("values that only Terraform knows are put together by Terraform", () => {
  const { stack, ray } = rayCluster();
  const variable = new TerraformVariable(stack, "mode", { type: "string" });
  ray.head.addEnv("MODE", variable.stringValue);

  expect(Template.of(stack).resource("helm_release").values[0]).toMatch(
    /^\$\{jsonencode\(\{"manifests" = \[.*"name" = "MODE", "value" = var\.mode/,
  );
});

test("a text with quotes, backslashes and templates stays that text where Terraform puts the values together", () => {
  const { stack, ray } = rayCluster({
    head: { cpu: 2, memoryGiB: 8, customResources: { slots: 2 } },
    image: "example/ray:mine",
  });
  const mode = new TerraformVariable(stack, "mode", { type: "string" }).stringValue;
  ray.head.addEnv("MODE", `say "${mode}"`);
  ray.head.addEnv("TEXT", 'a"b\\c%{ if true }');

  const [values] = Template.of(stack).resource("helm_release").values;
  expect(values).toContain(String.raw`"resources" = "'{\"slots\": 2}'"`);
  expect(values).toContain(String.raw`"value" = "say \"${"${var.mode}"}\""`);
  expect(values).toContain(String.raw`"value" = "a\"b\\c%%{ if true }"`);
});

test.each<[string, Partial<RayClusterProps>]>([
  ["image", { image: "ray:1\nprivileged: true" }],
  ["head.image", { head: { cpu: 2, memoryGiB: 8, image: "ray:1\nprivileged: true" } }],
  ["workerGroups[0].image", { workerGroups: [{ ...cpuGroup, image: "ray:1\nprivileged: true" }] }],
])("an image that is none is refused: %s", (property, props) => {
  expect(() => rayCluster(props)).toThrow(
    new Error(
      `'${property}' must be the name of an image, such as "quay.io/example/tool:1.2.3", got "ray:1\\nprivileged: true" (at stack/ray)`,
    ),
  );
});

describe("what features add", () => {
  test("reaches the head and every worker group, whichever came first", () => {
    const { stack, ray } = rayCluster({
      workerGroups: [cpuGroup, { ...cpuGroup, groupName: "gpu" }],
    });
    for (const pods of [ray.head, ray.workers]) {
      pods.addVolume({ name: "data", emptyDir: {} });
      pods.addVolumeMount({ name: "data", mountPath: "/data" });
      pods.addEnv("DATA", "/data");
    }
    ray.head.addContainer({ name: "sidecar", image: "example/sidecar" });
    ray.head.addInitContainer({ name: "native", image: "example/native", restartPolicy: "Always" });
    ray.head.addRayStartParam("dashboard-host", "127.0.0.1");
    const { spec } = Template.of(stack).rayCluster();

    for (const group of [spec.headGroupSpec, ...spec.workerGroupSpecs]) {
      const pod = group.template.spec;
      expect(pod.volumes).toContainEqual({ name: "data", emptyDir: {} });
      expect(pod.containers[0].volumeMounts).toEqual([{ name: "data", mountPath: "/data" }]);
      expect(pod.containers[0].env).toContainEqual({ name: "DATA", value: "/data" });
    }
    const head = spec.headGroupSpec;
    expect(head.rayStartParams).toEqual({ "dashboard-host": "127.0.0.1" });
    expect(head.template.spec.containers.map(({ name }: any) => name)).toEqual(["ray-head", "sidecar"]);
    expect(head.template.spec.initContainers[0].name).toBe("native");
    expect(spec.workerGroupSpecs[0].template.spec.containers).toHaveLength(1);
  });

  test("is waited for", () => {
    const { stack, ray } = rayCluster();
    const other = existingCluster(stack, {}, "other");
    const identity = new WorkloadIdentity(stack, "identity", {
      cluster: other,
      namespace: "elsewhere",
      serviceAccountName: "my-ksa",
    });
    ray.workers.addDependency(identity.podDependencies[0]);
    const graph = Graph.of(stack);
    const account = graph
      .addressesOfType("kubernetes_service_account_v1")
      .find((address) => address.includes("identity"))!;

    expect(graph.dependsOn(ray.resource, account)).toBe(true);
  });

  test("is plain data for a Ray cluster that is deployed by other means", () => {
    const stack = emptyStack();
    const ray = RayCluster.fromRayClusterAttributes(stack, "ray", {
      cluster: existingCluster(stack),
      namespace: "ray",
      rayClusterName: "theirs",
      headServiceAccountName: "default",
    });
    ray.head.addEnv("A", "b");
    ray.head.addRayStartParam("num-cpus", "0");
    ray.head.addVolume({ name: "v", emptyDir: {} });

    expect(ray.head.env).toEqual({ A: "b" });
    expect(ray.head.rayStartParams).toEqual({ "num-cpus": "0" });
    expect(ray.head.volumes).toEqual([{ name: "v", emptyDir: {} }]);
    expect(ray.kuberayVersion).toBeUndefined();
  });

  test.each<[string, (ray: RayCluster) => void, string]>([
    [
      "two volumes of one name",
      (ray) => [1, 2].forEach(() => ray.head.addVolume({ name: "v", emptyDir: {} })),
      `'head.volume.name' must be unique, got "v"`,
    ],
    [
      "two mounts at one path",
      (ray) => ["a", "b"].forEach((name) => ray.workers.addVolumeMount({ name, mountPath: "/data" })),
      `'workers.volume mount.mountPath' must be unique, got "/data"`,
    ],
    [
      "a container without a name",
      (ray) => ray.head.addContainer({ image: "x" }),
      "'head.container.name' must be given, got null",
    ],
    [
      "two values of one variable",
      (ray) => ["a", "b"].forEach((value) => ray.head.addEnv("X", value)),
      `'head.environment variable X' must stay "a", got "b"`,
    ],
  ])("%s is refused", (_what, add, message) => {
    const { ray } = rayCluster();

    expect(() => add(ray)).toThrow(new Error(`${message} (at stack/ray)`));
  });

  test("contradicting what the user set is refused at synth", () => {
    const { stack, ray } = rayCluster({ head: { cpu: 2, memoryGiB: 8, env: { NETRC: "/mine" } } });
    ray.head.addEnv("NETRC", "/theirs");

    expect(() => Testing.synth(stack, true)).toThrow(
      `[stack/ray] 'head.env.NETRC' must be left to the construct that sets "/theirs", got "/mine"`,
    );
  });
});

test("a field that is not modelled can be set and removed", () => {
  const { stack, ray } = rayCluster({ workerGroups: [cpuGroup] });
  ray.addOverride("spec.headGroupSpec.template.spec.priorityClassName", "high");
  ray.addOverride("spec.workerGroupSpecs.0.scaleStrategy", { workersToDelete: [] });
  ray.addOverride("spec.gcsFaultToleranceOptions.redisAddress", "redis:6379");
  ray.addOverride("spec.headGroupSpec.template.spec.nodeSelector", undefined);
  const { spec } = Template.of(stack).rayCluster();

  expect(spec.headGroupSpec.template.spec.priorityClassName).toBe("high");
  expect(spec.workerGroupSpecs[0].scaleStrategy).toEqual({ workersToDelete: [] });
  expect(spec.gcsFaultToleranceOptions).toEqual({ redisAddress: "redis:6379" });
  expect(spec.headGroupSpec.template.spec).not.toHaveProperty("nodeSelector");
});

test("a field that is set in one pod stays as it is in others and in other Ray clusters", () => {
  const first = rayCluster({ workerGroups: [cpuGroup] });
  const container = "spec.headGroupSpec.template.spec.containers.0";
  first.ray.addOverride(`${container}.resources.limits.cpu`, "4");
  first.ray.addOverride(`${container}.securityContext.readOnlyRootFilesystem`, true);
  first.ray.addOverride(`${container}.ports.0.containerPort`, 6380);
  const { headGroupSpec, workerGroupSpecs } = Template.of(first.stack).rayCluster().spec;

  expect(headGroupSpec.template.spec.containers[0].resources.requests.cpu).toBe("2");
  expect(workerGroupSpecs[0].template.spec.containers[0].securityContext).toEqual({
    allowPrivilegeEscalation: false,
    capabilities: { drop: ["ALL"] },
  });
  expect(headOf().containers[0].ports[0].containerPort).toBe(6379);
  expect(headOf().containers[0].securityContext).not.toHaveProperty("readOnlyRootFilesystem");
});

describe("the network policy", () => {
  function ingressOf(props: Partial<RayClusterProps> = {}, allow?: (ray: RayCluster) => void): any[] {
    const { stack, ray } = rayCluster(props);
    allow?.(ray);
    return Template.of(stack).resource("kubernetes_network_policy_v1").spec.ingress;
  }

  test("lets the cluster's own pods and the operator in and nobody else", () => {
    expect(ingressOf()).toEqual([
      {
        from: [
          { pod_selector: { match_labels: { "ray.io/cluster": "raycluster-mini" } } },
          {
            namespace_selector: { match_labels: { "kubernetes.io/metadata.name": "kuberay-operator" } },
            pod_selector: { match_labels: { "app.kubernetes.io/name": "kuberay-operator" } },
          },
        ],
      },
    ]);
  });

  test("lets chosen peers in on their ports", () => {
    const rules = ingressOf({ networkPeers: [{ namespace: "notebooks" }] }, (ray) =>
      ray.allowFrom({ cidrBlock: "10.0.0.0/8", ports: [8000, 8080] }),
    );

    expect(rules.slice(1)).toEqual([
      {
        from: [{ namespace_selector: { match_labels: { "kubernetes.io/metadata.name": "notebooks" } } }],
        ports: [{ port: "8265", protocol: "TCP" }],
      },
      {
        from: [{ ip_block: { cidr: "10.0.0.0/8" } }],
        ports: [
          { port: "8000", protocol: "TCP" },
          { port: "8080", protocol: "TCP" },
        ],
      },
    ]);
  });

  test("can be left out, and then no peer can be named", () => {
    const { stack, ray } = rayCluster({ networkPolicy: false });

    expect(Template.of(stack).resources("kubernetes_network_policy_v1")).toEqual([]);
    expect(() => ray.allowFrom({ namespace: "notebooks" })).toThrow(
      new Error("'networkPolicy' must be on to let only chosen peers in, got false (at stack/ray)"),
    );
  });
});

test("commands say how to go on", () => {
  const { ray } = rayCluster();

  expect(ray.portForwardCommand).toBe(
    "kubectl port-forward --namespace ray service/raycluster-mini-head-svc 8265:8265",
  );
  expect(ray.jobSubmitCommand).toMatch(/^ray job submit --address http:\/\/localhost:8265 -- python /);
  expect(ray.dashboardUrl).toBe("http://raycluster-mini-head-svc.ray.svc.cluster.local:8265");
});

test("a value that is known only later is not judged", () => {
  const stack = emptyStack();
  const text = new TerraformVariable(stack, "text", { type: "string" }).stringValue;
  const number = new TerraformVariable(stack, "number", { type: "number" }).numberValue;
  const operator = KubeRayOperator.existing(stack, "operator", { cluster: existingCluster(stack) });
  new RayCluster(stack, "ray", {
    operator,
    rayClusterName: text,
    rayVersion: text,
    namespace: text,
    serviceAccountName: text,
    head: { cpu: number, memoryGiB: number },
    workerGroups: [
      { groupName: text, cpu: number, memoryGiB: number, minReplicas: number, maxReplicas: number },
    ],
  });

  expect(() => Testing.synth(stack, true)).not.toThrow();
});

const NAME =
  "1 to 53 lower-case letters, digits or hyphens, starting with a letter and not ending with a hyphen";
const head = { cpu: 2, memoryGiB: 8 };

test.each<[string, Partial<RayClusterProps>, string]>([
  [
    "a name over the limit",
    { rayClusterName: "r".repeat(54) },
    `'rayClusterName' must be ${NAME}, got "${"r".repeat(54)}"`,
  ],
  [
    "a name that starts with a digit",
    { rayClusterName: "1ray" },
    `'rayClusterName' must be ${NAME}, got "1ray"`,
  ],
  [
    "a Ray version of another format",
    { rayVersion: "latest" },
    `'rayVersion' must be a Ray version such as "2.60.0", got "latest"`,
  ],
  [
    "a head with too little memory",
    { head: { cpu: 1, memoryGiB: 1 } },
    "'head.memoryGiB' must be at least 2, got 1",
  ],
  ["a head without CPUs", { head: { ...head, cpu: 0 } }, "'head.cpu' must be more than 0, got 0"],
  [
    "a worker group whose maximum is below its minimum",
    { workerGroups: [cpuGroup, { ...cpuGroup, groupName: "gpu", minReplicas: 4, maxReplicas: 2 }] },
    "'workerGroups[1].maxReplicas' must be at least minReplicas (4), got 2",
  ],
  [
    "two worker groups of one name",
    { workerGroups: [cpuGroup, cpuGroup] },
    `'workerGroups[1].groupName' must be unique, got "cpu"`,
  ],
  ["no namespace", { namespace: undefined }, "'namespace' must be given unless 'identity' is"],
  [
    "a peer that is nobody",
    { networkPeers: [{ ports: [8265] }] },
    `'networkPeers[0]' must have 'namespace', 'podLabels' or 'cidrBlock', got {"ports":[8265]}`,
  ],
  [
    "a peer that is both pods and addresses",
    { networkPeers: [{ namespace: "a", cidrBlock: "10.0.0.0/8" }] },
    `'networkPeers[0].cidrBlock' must not be given together with 'namespace' or 'podLabels', got "10.0.0.0/8"`,
  ],
  [
    "a port that is none",
    { networkPeers: [{ namespace: "a", ports: [70000] }] },
    "'networkPeers[0].ports[0]' must be a whole number between 1 and 65535, got 70000",
  ],
  [
    "peers without a policy",
    { networkPolicy: false, networkPeers: [{ namespace: "a" }] },
    "'networkPeers' must not be given with 'networkPolicy' off: then everybody is let in",
  ],
  [
    "replacing pods with an operator of unknown version",
    { upgradeStrategy: RayClusterUpgradeStrategy.RECREATE },
    "'upgradeStrategy' must not be RECREATE with an operator whose KubeRay version is not known: it needs 1.6.0 (state 'kuberayVersion' at stack/operator if it has that)",
  ],
  [
    "an account that KubeRay would rename",
    { serviceAccountName: "a".repeat(51), workerGroups: [cpuGroup] },
    `'serviceAccountName' must start with a letter and have at most 50 characters where the autoscaler runs: KubeRay changes other names when it gives the autoscaler its role, got "${"a".repeat(51)}"`,
  ],
])("%s is refused", (_what, props, message) => {
  expect(() => rayCluster(props)).toThrow(new Error(`${message} (at stack/ray)`));
});

describe("identities that cannot be a pod's", () => {
  function withIdentity(props: Partial<RayClusterProps>, change: { namespace?: string } = {}) {
    const stack = emptyStack();
    const cluster = existingCluster(stack);
    const operator = KubeRayOperator.existing(stack, "operator", { cluster });
    const of = (id: string, namespace: string, at = cluster) =>
      new WorkloadIdentity(stack, id, { cluster: at, namespace, serviceAccountName: "my-ksa" });
    const identity = of("identity", "ray");
    const workerIdentity = change.namespace ? of("workers", change.namespace) : undefined;
    return () =>
      new RayCluster(stack, "ray", {
        operator,
        rayClusterName: "ray",
        identity,
        workerIdentity,
        head,
        ...props,
      });
  }

  test("two accounts for one pod are refused, and both are named", () => {
    expect(withIdentity({ serviceAccountName: "other-ksa" })).toThrow(
      new Error(
        `'serviceAccountName' must be left to 'identity' (stack/identity has "my-ksa"): a pod has one service account, got "other-ksa" (at stack/ray)`,
      ),
    );
  });

  test("another namespace than the identity's is refused", () => {
    expect(withIdentity({ namespace: "other" })).toThrow(
      new Error(
        `'namespace' must be left to 'identity' (stack/identity has "ray"): a pod has one service account, got "other" (at stack/ray)`,
      ),
    );
  });

  test("workers in another namespace are refused", () => {
    expect(withIdentity({}, { namespace: "other" })).toThrow(
      new Error(`'workerIdentity' must be in the head's namespace "ray", got "other" (at stack/ray)`),
    );
  });

  test("an identity of another cluster is refused", () => {
    const stack = emptyStack();
    const operator = KubeRayOperator.existing(stack, "operator", { cluster: existingCluster(stack) });
    const identity = new WorkloadIdentity(stack, "identity", {
      cluster: existingCluster(stack, {}, "other"),
      namespace: "ray",
      serviceAccountName: "my-ksa",
    });

    expect(() => new RayCluster(stack, "ray", { operator, rayClusterName: "ray", identity, head })).toThrow(
      new Error(
        "'identity' must be of the operator's cluster stack/cluster, not of stack/other (at stack/ray)",
      ),
    );
  });
});
