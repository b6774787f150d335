import { TerraformResource } from "cdktf";
import {
  KubeRayOperator,
  RayAuthProxy,
  RayAuthProxyPlacement,
  RayAuthProxyProps,
  RayAuthResource,
  RayCluster,
  RayClusterProps,
} from "../lib";
import { Graph } from "./support/graph";
import { authProxy, emptyStack, existingCluster, rayCluster, standardCluster } from "./support/stacks";
import { Template } from "./support/template";

const placement = RayAuthProxyPlacement.HEAD_SIDECAR;

const TOKEN_MOUNT = {
  name: "kube-rbac-proxy-token",
  mountPath: "/var/run/secrets/kubernetes.io/serviceaccount",
  readOnly: true,
};

function headOf(
  props: Partial<RayAuthProxyProps> = {},
  rayProps: Partial<RayClusterProps> = {},
  version?: string,
) {
  const { stack } = authProxy({ placement, ...props }, rayProps, version);
  return Template.of(stack).rayCluster().spec.headGroupSpec;
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
      resources: { requests: { cpu: "100m", memory: "128Mi" }, limits: { cpu: "100m", memory: "128Mi" } },
      readinessProbe: { tcpSocket: { port: 8265 } },
      securityContext: {
        allowPrivilegeEscalation: false,
        capabilities: { drop: ["ALL"] },
        readOnlyRootFilesystem: true,
        runAsNonRoot: true,
        runAsUser: 65532,
        seccompProfile: { type: "RuntimeDefault" },
      },
      volumeMounts: [
        { name: "kube-rbac-proxy-config", mountPath: "/etc/kube-rbac-proxy", readOnly: true },
        TOKEN_MOUNT,
      ],
    },
  ]);
  expect(spec.containers).toHaveLength(1);
  expect(spec.containers[0].ports).toContainEqual({ containerPort: 8265, name: "dashboard" });
  expect(spec.containers[0]).not.toHaveProperty("readinessProbe");
});

test("the token of Kubernetes is for the sidecar alone", () => {
  const { spec } = headOf().template;

  expect(spec.automountServiceAccountToken).toBe(false);
  expect(spec.containers[0]).not.toHaveProperty("volumeMounts");
  expect(spec.volumes).toContainEqual({
    name: "kube-rbac-proxy-token",
    projected: {
      sources: [
        { serviceAccountToken: { path: "token", expirationSeconds: 3600 } },
        { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
        { downwardAPI: { items: [{ path: "namespace", fieldRef: { fieldPath: "metadata.namespace" } }] } },
      ],
    },
  });
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

test("the head's account may ask the API server about callers, under a name that holds the namespace", () => {
  expect(
    Template.of(authProxy({ placement }).stack).resource("kubernetes_cluster_role_binding_v1"),
  ).toMatchObject({
    metadata: { name: "ray-auth-proxy:ray:raycluster-mini" },
    role_ref: { kind: "ClusterRole", name: "system:auth-delegator" },
    subject: [{ kind: "ServiceAccount", name: "raycluster-mini", namespace: "ray" }],
  });
});

test("nothing of the proxy's own is created beside the head", () => {
  const { stack, proxy } = authProxy({ placement, submitterServiceAccountName: "ray-user" });
  const { resource } = Template.of(stack).json;

  expect(resource).not.toHaveProperty("kubernetes_deployment_v1");
  expect(resource).not.toHaveProperty("kubernetes_service_v1");
  expect(proxy.portForwardCommand).toBe(
    "kubectl port-forward --namespace ray service/raycluster-mini-head-svc 8265:8265",
  );
  expect(proxy.dashboardUrl).toBe("http://raycluster-mini-head-svc.ray.svc.cluster.local:8265");
});

test("a certificate makes the proxy answer by HTTPS", () => {
  const { stack, proxy } = authProxy({ placement, tlsSecretName: "ray-tls", image: "example/proxy:1" });
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
    new RayAuthProxy(stack, "auth", { rayCluster: ray, placement });
    const { spec } = Template.of(stack).rayCluster().spec.headGroupSpec.template;

    expect(spec.containers[0].livenessProbe.exec.command).toEqual([
      "bash",
      "-c",
      "wget --timeout 2 -q -O- http://localhost:52365/api/local_raylet_healthz | grep success && wget --timeout 2 -q -O- http://localhost:8443/api/gcs_healthz | grep success",
    ]);
  });
});

test.each(["kubernetes_config_map_v1", "kubernetes_cluster_role_binding_v1"])(
  "the Ray cluster waits for the %s of the sidecar",
  (type) => {
    const stack = emptyStack();
    const cluster = standardCluster(stack);
    const ray = new RayCluster(stack, "ray", {
      operator: KubeRayOperator.gkeAddon(stack, "operator", { cluster }),
      rayClusterName: "raycluster-mini",
      namespace: "ray",
      head: { cpu: 2, memoryGiB: 8 },
    });
    new RayAuthProxy(stack, "auth", { rayCluster: ray, placement });
    const graph = Graph.of(stack);

    expect(graph.dependsOn(graph.addressesOfType("helm_release"), graph.addressesOfType(type))).toBe(true);
  },
);

test("for a Ray cluster that is deployed by other means everything is plain data", () => {
  const stack = emptyStack();
  const ray = RayCluster.fromRayClusterAttributes(stack, "ray", {
    cluster: existingCluster(stack),
    namespace: "team",
    rayClusterName: "theirs",
    headServiceAccountName: "theirs",
  });
  const proxy = new RayAuthProxy(stack, "auth", { rayCluster: ray, placement });
  const { head, workers } = ray;

  expect(head.initContainers.map(({ name }) => name)).toEqual(["kube-rbac-proxy"]);
  expect(head.volumes).toEqual([
    { name: "kube-rbac-proxy-config", configMap: { name: proxy.configMapName } },
    expect.objectContaining({ name: "kube-rbac-proxy-token" }),
  ]);
  expect(head.rayStartParams).toEqual({ "dashboard-host": "127.0.0.1", "dashboard-port": "8443" });
  expect(head.env).toEqual({ RAY_AUTH_MODE: "disabled" });
  expect(workers.env).toEqual({ RAY_AUTH_MODE: "disabled" });
  expect(head.automountServiceAccountToken).toBe(false);
  expect(head.readinessProbe).toHaveProperty("exec");
  expect(head.livenessProbe).toHaveProperty("exec");
  expect(workers.initContainers).toEqual([]);
  const waitedFor = head.dependencies.map((dependency) => (dependency as TerraformResource).node.path);
  expect(waitedFor).toEqual(["stack/auth/config", "stack/auth/auth-delegator"]);
});

describe("refuses", () => {
  test("a user's own setting of what the proxy sets", () => {
    const head = { cpu: 2, memoryGiB: 8, rayStartParams: { "dashboard-port": "9000" } };

    expect(() => headOf({}, { head })).toThrow(
      `[stack/ray] 'head.rayStartParams.dashboard-port' must be left to the construct that sets "8443", got "9000"`,
    );
  });

  test.each([
    ["namespace", "ray-auth", '"ray-auth"'],
    ["createNamespace", false, "false"],
    ["replicas", 3, "3"],
    ["nodeSelector", { pool: "system" }, '{"pool":"system"}'],
    ["tolerations", [], "[]"],
  ])("'%s', which the head pod has already", (property, value, got) => {
    expect(() => headOf({ [property]: value })).toThrow(
      `'${property}' must not be given with 'placement' HEAD_SIDECAR: the head pod has its own, got ${got} (at stack/auth)`,
    );
  });
});
