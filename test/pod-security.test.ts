import { TerraformVariable } from "cdktf";
import {
  KubeRayOperator,
  PodSecurityStandard,
  RayAuthProxy,
  RayCluster,
  RayClusterProps,
  RuntimeEnvNetrc,
  SkyPilotServiceAccount,
  WorkloadIdentity,
} from "../lib";
import { podsOf, restrictedViolations } from "./support/pod-security";
import { bucketAccess, emptyStack, existingCluster, rayCluster, standardCluster } from "./support/stacks";
import { Template } from "./support/template";

const { BASELINE, PRIVILEGED, RESTRICTED } = PodSecurityStandard;

const group = { groupName: "cpu", cpu: 1, memoryGiB: 4, maxReplicas: 1 };

function labelsOf(stack: Parameters<typeof Template.of>[0]): any[] {
  return Template.of(stack)
    .resources("kubernetes_namespace_v1")
    .map(({ metadata }) => metadata.labels);
}

function labels(enforce: string) {
  return {
    "pod-security.kubernetes.io/enforce": enforce,
    "pod-security.kubernetes.io/warn": "restricted",
    "pod-security.kubernetes.io/audit": "restricted",
  };
}

describe("a namespace that is made for Ray pods", () => {
  test("enforces baseline, and warns about what restricted refuses", () => {
    const { stack } = rayCluster();

    expect(labelsOf(stack)).toEqual([labels("baseline")]);
  });

  test.each([BASELINE, RESTRICTED, PRIVILEGED])("enforces %s where that is chosen", (standard) => {
    expect(labelsOf(rayCluster({ podSecurityStandard: standard }).stack)).toEqual([labels(standard)]);
    const stack = emptyStack();
    bucketAccess(stack, existingCluster(stack), { podSecurityStandard: standard });
    expect(labelsOf(stack)).toEqual([labels(standard)]);
  });

  test.each([true, false])("has the standard of whoever says one (first: %s)", (first) => {
    const stack = emptyStack();
    const cluster = existingCluster(stack);
    const account = (name: string, podSecurityStandard?: PodSecurityStandard) =>
      new WorkloadIdentity(stack, name, {
        cluster,
        namespace: "ray",
        serviceAccountName: name,
        podSecurityStandard,
      });
    account("a", first ? RESTRICTED : undefined);
    account("b", first ? undefined : RESTRICTED);

    expect(labelsOf(stack)).toEqual([labels("restricted")]);
  });

  test("cannot have two standards, and both constructs are named", () => {
    const { stack, ray } = rayCluster({ podSecurityStandard: BASELINE });

    expect(
      () =>
        new WorkloadIdentity(stack, "second", {
          cluster: ray.cluster,
          namespace: "ray",
          serviceAccountName: "second",
          podSecurityStandard: RESTRICTED,
        }),
    ).toThrow(
      `'podSecurityStandard' must be the same wherever "ray" is used, but stack/ray has "baseline", got "restricted" (at stack/second)`,
    );
  });

  test.each([true, false])("is left to SkyPilot where that works in it (first: %s)", (first) => {
    const stack = emptyStack();
    const cluster = existingCluster(stack);
    const sky = () =>
      new SkyPilotServiceAccount(stack, "sky", {
        cluster,
        namespace: "sky",
        features: { hostNetwork: true },
      });
    if (first) sky();
    new WorkloadIdentity(stack, "tasks", { cluster, namespace: "sky", serviceAccountName: "tasks" });
    if (!first) sky();

    expect(labelsOf(stack)).toContainEqual({
      parent: "skypilot",
      "pod-security.kubernetes.io/enforce": "privileged",
    });
  });
});

describe("a namespace that exists already", () => {
  test("is not labelled", () => {
    expect(labelsOf(rayCluster({ createNamespace: false }).stack)).toEqual([]);
  });

  test.each([
    ["that is said to exist", "ray", false],
    ["of every cluster", "default", undefined],
  ])("%s takes no standard", (_case, namespace, createNamespace) => {
    const props = { namespace, createNamespace, podSecurityStandard: RESTRICTED };
    const message = `'podSecurityStandard' must not be given for the namespace "${namespace}", which is not made here: label it where it is made, got "restricted"`;

    expect(() => rayCluster(props)).toThrow(`${message} (at stack/ray)`);
    const stack = emptyStack();
    expect(() => bucketAccess(stack, existingCluster(stack), props)).toThrow(
      `${message} (at stack/bucket/identity)`,
    );
  });

  test("takes no standard either where Terraform alone knows its name", () => {
    const stack = emptyStack();
    const namespace = new TerraformVariable(stack, "namespace", {}).stringValue;

    expect(
      () =>
        new WorkloadIdentity(stack, "identity", {
          cluster: existingCluster(stack),
          namespace,
          serviceAccountName: "my-ksa",
          podSecurityStandard: BASELINE,
        }),
    ).toThrow("'podSecurityStandard' must not be given for the namespace \"${TfToken[");
  });
});

test("a standard beside an identity is refused", () => {
  const stack = emptyStack();
  const cluster = existingCluster(stack);
  const { identity } = bucketAccess(stack, cluster);
  const operator = KubeRayOperator.existing(stack, "operator", { cluster });

  expect(
    () =>
      new RayCluster(stack, "ray", {
        operator,
        identity,
        rayClusterName: "ray",
        head: { cpu: 2, memoryGiB: 8 },
        podSecurityStandard: RESTRICTED,
      }),
  ).toThrow(`'podSecurityStandard' must be left to 'identity', got "restricted" (at stack/ray)`);
  expect(() => bucketAccess(stack, cluster, { identity, podSecurityStandard: RESTRICTED })).toThrow();
});

describe("the pods of this library", () => {
  test("meet restricted with everything that can be added to them", () => {
    const stack = emptyStack();
    const cluster = standardCluster(stack, {
      gcsFuseAddon: true,
      nodePools: [
        { name: "cpu", machineType: "e2-standard-8", maxNodeCount: 2 },
        {
          name: "gpu",
          machineType: "g2-standard-8",
          acceleratorType: "nvidia-l4",
          acceleratorCount: 1,
          maxNodeCount: 1,
        },
      ],
    });
    const access = bucketAccess(stack, cluster, { podSecurityStandard: RESTRICTED });
    const ray = new RayCluster(stack, "ray", {
      operator: KubeRayOperator.gkeAddon(stack, "operator", { cluster, kuberayVersion: "1.6.2" }),
      rayClusterName: "ray",
      identity: access.identity,
      head: { cpu: 2, memoryGiB: 8 },
      workerGroups: [group, { ...group, groupName: "gpu", acceleratorType: "nvidia-l4" }],
      gcsFaultToleranceOptions: { redisAddress: "redis:6379" },
      autoscalerOptions: { cpu: 1 },
      waitUntilReady: {},
    });
    ray.mountBucket(access, "/data");
    new RuntimeEnvNetrc(stack, "netrc", { rayCluster: ray, existingSecretName: "netrc-secret" });
    new RayAuthProxy(stack, "auth", { rayCluster: ray, tlsSecretName: "tls" });
    const pods = podsOf(Template.of(stack).rayCluster());

    expect(pods.map(([name]) => name)).toEqual([
      "RayCluster ray/ray head",
      "RayCluster ray/ray cpu",
      "RayCluster ray/ray gpu",
    ]);
    expect(pods.flatMap(([, pod]) => restrictedViolations(pod))).toEqual([]);
  });
});

describe("what is added to Ray pods and the namespace would refuse is an error at synth", () => {
  const SAFE = {
    name: "tool",
    image: "tool",
    securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
  };
  const safe = (securityContext: object) => ({
    ...SAFE,
    securityContext: { ...SAFE.securityContext, ...securityContext },
  });
  const inContainer = (container: object) => (ray: RayCluster) =>
    ray.head.addContainer({ ...SAFE, ...container });

  function message(property: string, requirement: string, standard: string, got?: unknown): string {
    const value = got === undefined ? "" : `, got ${JSON.stringify(got)}`;
    return `[stack/ray] '${property}' must ${requirement}: the namespace "ray" enforces the Pod Security Standard "${standard}" ('podSecurityStandard' chooses another where it is made)${value}`;
  }

  test.each<[string, (ray: RayCluster) => void, string, string, unknown]>([
    [
      "a folder of the node",
      (ray) => ray.workers.addVolume({ name: "host", hostPath: { path: "/" } }),
      "workerGroups[0].volumes[host].hostPath",
      "not be given",
      { path: "/" },
    ],
    [
      "a privileged container",
      inContainer(safe({ privileged: true })),
      "head.containers[tool].securityContext.privileged",
      "not be on",
      true,
    ],
    [
      "a privileged init container",
      (ray) => ray.head.addInitContainer({ ...SAFE, securityContext: { privileged: true } }),
      "head.initContainers[tool].securityContext.privileged",
      "not be on",
      true,
    ],
    [
      "a capability",
      inContainer(safe({ capabilities: { drop: ["ALL"], add: ["CHOWN", "SYS_ADMIN"] } })),
      "head.containers[tool].securityContext.capabilities.add[1]",
      "be one that containers have anyway",
      "SYS_ADMIN",
    ],
    [
      "a port of the node",
      inContainer({ ports: [{ containerPort: 80, hostPort: 80 }] }),
      "head.containers[tool].ports[0].hostPort",
      "not be given",
      80,
    ],
    [
      "a probe of another host",
      inContainer({ readinessProbe: { tcpSocket: { host: "10.0.0.1", port: 80 } } }),
      "head.containers[tool].readinessProbe.tcpSocket.host",
      "be left out",
      "10.0.0.1",
    ],
    [
      "a container without seccomp",
      inContainer(safe({ seccompProfile: { type: "Unconfined" } })),
      "head.containers[tool].securityContext.seccompProfile.type",
      "not be Unconfined",
      "Unconfined",
    ],
    [
      "a container without AppArmor",
      (ray) =>
        ray.head.addAnnotation("container.apparmor.security.beta.kubernetes.io/ray-head", "unconfined"),
      "head.annotations.container.apparmor.security.beta.kubernetes.io/ray-head",
      "be runtime/default or localhost/PROFILE",
      "unconfined",
    ],
    [
      "a sysctl",
      (ray) =>
        ray.addOverride("spec.headGroupSpec.template.spec.securityContext.sysctls", [
          { name: "kernel.msgmax", value: "1" },
        ]),
      "head.securityContext.sysctls[kernel.msgmax].name",
      "be a setting that is safe for other pods",
      "kernel.msgmax",
    ],
    [
      "the network of the node, by an override",
      (ray) => ray.addOverride("spec.headGroupSpec.template.spec.hostNetwork", true),
      "head.hostNetwork",
      "not be on",
      true,
    ],
  ])("%s, under baseline and restricted", (_case, add, property, requirement, got) => {
    for (const podSecurityStandard of [undefined, RESTRICTED]) {
      const { stack, ray } = rayCluster({ podSecurityStandard, workerGroups: [group] });
      add(ray);
      expect(() => Template.of(stack)).toThrow(
        message(property, requirement, podSecurityStandard ?? "baseline", got),
      );
    }
    const { stack, ray } = rayCluster({ podSecurityStandard: PRIVILEGED, workerGroups: [group] });
    add(ray);
    expect(() => Template.of(stack)).not.toThrow();
  });

  test.each<[string, (ray: RayCluster) => void, string, string, unknown]>([
    [
      "a container that says nothing",
      inContainer({ securityContext: undefined }),
      "head.containers[tool].securityContext.allowPrivilegeEscalation",
      "be false",
      undefined,
    ],
    [
      "a container that keeps its capabilities",
      inContainer(safe({ capabilities: undefined })),
      "head.containers[tool].securityContext.capabilities.drop",
      'hold "ALL"',
      undefined,
    ],
    [
      "a capability that containers have anyway",
      inContainer(safe({ capabilities: { drop: ["ALL"], add: ["CHOWN"] } })),
      "head.containers[tool].securityContext.capabilities.add[0]",
      "be NET_BIND_SERVICE",
      "CHOWN",
    ],
    [
      "root by number",
      inContainer(safe({ runAsUser: 0 })),
      "head.containers[tool].securityContext.runAsUser",
      "not be root",
      0,
    ],
    [
      "root by choice",
      inContainer(safe({ runAsNonRoot: false })),
      "head.containers[tool].securityContext.runAsNonRoot",
      "be true, or left to the pod's",
      false,
    ],
    [
      "a disk by NFS",
      (ray) => ray.head.addVolume({ name: "share", nfs: { server: "nfs", path: "/" } }),
      "head.volumes[share]",
      "be of the kind configMap, csi, downwardAPI, emptyDir, ephemeral, persistentVolumeClaim, projected, secret",
      { name: "share", nfs: { server: "nfs", path: "/" } },
    ],
    [
      "a pod without seccomp, by an override",
      (ray) =>
        ray.addOverride("spec.workerGroupSpecs.0.template.spec.securityContext.seccompProfile", undefined),
      "workerGroups[0].containers[ray-worker].securityContext.seccompProfile.type",
      "be RuntimeDefault or Localhost",
      undefined,
    ],
    [
      "an autoscaler that may become root, by an override",
      (ray) => ray.addOverride("spec.autoscalerOptions.securityContext", undefined),
      "autoscalerOptions.securityContext.allowPrivilegeEscalation",
      "be false",
      undefined,
    ],
  ])("%s, under restricted", (_case, add, property, requirement, got) => {
    const restricted = rayCluster({ podSecurityStandard: RESTRICTED, workerGroups: [group] });
    add(restricted.ray);
    expect(() => Template.of(restricted.stack)).toThrow(message(property, requirement, "restricted", got));
    const baseline = rayCluster({ workerGroups: [group] });
    add(baseline.ray);
    expect(() => Template.of(baseline.stack)).not.toThrow();
  });

  test.each<[string, Partial<RayClusterProps>]>([
    ["a namespace that exists already", { createNamespace: false }],
    ["a namespace that admits everything", { podSecurityStandard: PRIVILEGED }],
  ])("but not in %s", (_case, props) => {
    const { stack, ray } = rayCluster(props);
    ray.head.addVolume({ name: "host", hostPath: { path: "/" } });

    expect(() => Template.of(stack)).not.toThrow();
  });

  test("but not where Terraform alone knows the value", () => {
    const { stack, ray } = rayCluster({ podSecurityStandard: RESTRICTED });
    const choice = new TerraformVariable(stack, "choice", { type: "bool" });
    ray.head.addContainer({
      ...SAFE,
      securityContext: { ...SAFE.securityContext, privileged: choice.booleanValue, runAsUser: choice.value },
    });

    expect(() => Template.of(stack)).not.toThrow();
  });
});
