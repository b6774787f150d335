import { synthesize } from "./apps";
import { renderedObjects } from "./rendered";

/** Attributes of the proxy's objects in main.ts, as the provider sends them. */
const LABELS = {
  "app.kubernetes.io/name": "ray-auth-proxy",
  "app.kubernetes.io/instance": "raycluster-mini",
};
const METADATA = { name: "raycluster-mini-proxy", namespace: "ray-auth", labels: LABELS };
const HEALTH = { path: "/healthz", port: 8643, scheme: "HTTPS" };

let objects: any[];

beforeAll(async () => {
  objects = renderedObjects(await synthesize("main.ts"));
}, 60_000);

function ofKind(kind: string): any[] {
  return objects.filter((object) => object.kind === kind);
}

test("a Deployment is rendered with the names and numbers of Kubernetes", () => {
  const [deployment] = ofKind("Deployment");
  const { spec: pod, metadata } = deployment.spec.template;
  const [container] = pod.containers;

  expect(deployment).toMatchObject({ apiVersion: "apps/v1", metadata: METADATA });
  expect(deployment.spec).toMatchObject({ replicas: 2, selector: { matchLabels: LABELS } });
  expect(metadata).toEqual({ labels: LABELS });
  expect(Object.keys(pod).sort()).toEqual([
    "automountServiceAccountToken",
    "containers",
    "securityContext",
    "serviceAccountName",
    "topologySpreadConstraints",
    "volumes",
  ]);
  expect(pod.topologySpreadConstraints).toEqual([
    {
      maxSkew: 1,
      topologyKey: "kubernetes.io/hostname",
      whenUnsatisfiable: "ScheduleAnyway",
      labelSelector: { matchLabels: LABELS },
    },
  ]);
  expect(container.ports).toEqual([{ name: "dashboard", containerPort: 8265 }]);
  expect(container.readinessProbe.httpGet).toEqual(HEALTH);
  expect(container.livenessProbe.httpGet).toEqual(HEALTH);
  expect(container.resources.limits).toEqual({ cpu: "100m", memory: "128Mi" });
  expect(container.volumeMounts.map(({ mountPath }: any) => mountPath)).toEqual([
    "/etc/kube-rbac-proxy",
    "/var/run/secrets/kubernetes.io/serviceaccount",
  ]);
  expect(pod.volumes.map((volume: any) => Object.keys(volume).sort())).toEqual([
    ["configMap", "name"],
    ["name", "projected"],
  ]);
  expect(pod.volumes[1].projected.sources.flatMap(Object.keys)).toEqual([
    "serviceAccountToken",
    "configMap",
    "downwardAPI",
  ]);
});

test("a Service is rendered with its selector as labels and its ports as numbers", () => {
  expect(ofKind("Service")).toEqual([
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: METADATA,
      spec: { selector: LABELS, ports: [{ name: "dashboard", port: 8265, targetPort: 8265 }] },
    },
  ]);
});

test("a PodDisruptionBudget is rendered with a number", () => {
  expect(ofKind("PodDisruptionBudget")).toEqual([
    {
      apiVersion: "policy/v1",
      kind: "PodDisruptionBudget",
      metadata: METADATA,
      spec: { maxUnavailable: 1, selector: { matchLabels: LABELS } },
    },
  ]);
});

test("what else a stack has is rendered as before", () => {
  const [policy] = ofKind("NetworkPolicy");
  const [job] = ofKind("Job");

  expect(policy.spec.ingress.at(-1).ports).toEqual([{ port: 8265, protocol: "TCP" }]);
  expect(policy.spec.podSelector).toEqual({ matchLabels: { "ray.io/cluster": "raycluster-mini" } });
  expect(job.spec.template.spec.containers[0].command.slice(0, 2)).toEqual(["python3", "-c"]);
  expect(ofKind("RayCluster")).toHaveLength(1);
});
