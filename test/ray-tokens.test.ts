import { RayAuthMode, RayClusterProps, WorkloadIdentity, RayCluster, KubeRayOperator } from "../lib";
import { emptyStack, existingCluster, rayCluster } from "./support/stacks";
import { Template } from "./support/template";

const growing = [{ groupName: "cpu", cpu: 2, memoryGiB: 8, maxReplicas: 3 }];

function specOf(props: Partial<RayClusterProps>) {
  return Template.of(rayCluster(props, "1.6.2").stack).rayCluster().spec;
}

function podsOf(spec: any): any[] {
  return [spec.headGroupSpec, ...spec.workerGroupSpecs].map(({ template }) => template.spec);
}

test("no Ray container has a token of Kubernetes", () => {
  for (const pod of podsOf(specOf({ workerGroups: growing }))) {
    expect(pod.automountServiceAccountToken).toBe(false);
    expect(pod.containers[0]).not.toHaveProperty("volumeMounts");
  }
});

test("Ray's autoscaler has a token that is mounted in its container alone", () => {
  const spec = specOf({ workerGroups: growing });
  const [head, worker] = podsOf(spec);

  expect(spec.autoscalerOptions.volumeMounts).toEqual([
    { name: "autoscaler-token", mountPath: "/var/run/secrets/kubernetes.io/serviceaccount", readOnly: true },
  ]);
  expect(head.volumes).toEqual([
    {
      name: "autoscaler-token",
      projected: {
        sources: [
          { serviceAccountToken: { path: "token", expirationSeconds: 3600 } },
          { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
          { downwardAPI: { items: [{ path: "namespace", fieldRef: { fieldPath: "metadata.namespace" } }] } },
        ],
      },
    },
  ]);
  expect(worker).not.toHaveProperty("volumes");
});

test("a head without an autoscaler holds no token at all", () => {
  expect(JSON.stringify(specOf({}))).not.toMatch(/serviceAccountToken|volumes/);
});

test("the account of the pods mounts no token into pods that say nothing", () => {
  const accounts = Template.of(rayCluster().stack).resources("kubernetes_service_account_v1");

  expect(accounts.map((account) => account.automount_service_account_token)).toEqual([false]);
});

test("an identity whose account mounts no token serves the autoscaler too", () => {
  const stack = emptyStack();
  const cluster = existingCluster(stack);
  const identity = new WorkloadIdentity(stack, "identity", {
    cluster,
    namespace: "ray",
    serviceAccountName: "my-ksa",
    automountServiceAccountToken: false,
  });
  new RayCluster(stack, "ray", {
    operator: KubeRayOperator.existing(stack, "operator", { cluster }),
    rayClusterName: "raycluster-mini",
    identity,
    head: { cpu: 2, memoryGiB: 8 },
    workerGroups: growing,
  });

  expect(Template.of(stack).rayCluster().spec.autoscalerOptions.volumeMounts).toHaveLength(1);
});

test.each([
  ["whoever asks for it", { automountServiceAccountToken: true }],
  ["Ray's Kubernetes token mode", { authOptions: { mode: RayAuthMode.TOKEN, enableK8sTokenAuth: true } }],
])("%s has the token in every pod", (_who, props) => {
  for (const pod of podsOf(specOf({ workerGroups: growing, ...props }))) {
    expect(pod.automountServiceAccountToken).toBe(true);
  }
});

test("Ray's Kubernetes token mode without a token is refused", () => {
  const authOptions = { mode: RayAuthMode.TOKEN, enableK8sTokenAuth: true };

  expect(() => specOf({ authOptions, automountServiceAccountToken: false })).toThrow(
    "'automountServiceAccountToken' must not be false with 'authOptions.enableK8sTokenAuth': every Ray pod asks the API server who is calling, got false (at stack/ray)",
  );
});
