/** The objects that the self-check creates: as small as they can be, and as restricted as ours will be. */

const POD_SECURITY = { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } };

const CONTAINER_SECURITY = { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } };

/** A plain pod of the Ray image that sleeps. */
export function podObject(name: string, image: string): object {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "default", labels: { app: name } },
    spec: {
      securityContext: POD_SECURITY,
      containers: [
        {
          name: "main",
          image,
          command: ["sleep", "600"],
          securityContext: CONTAINER_SECURITY,
          resources: {
            requests: { cpu: "4", memory: "16Gi" },
            limits: { cpu: "4", memory: "16Gi" },
          },
        },
      ],
      terminationGracePeriodSeconds: 0,
    },
  };
}

/** Lets one pod in on one port of another, and nobody else on any. */
export function networkPolicyObject(target: string, peer: string, port: number): object {
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: { name: target, namespace: "default" },
    spec: {
      podSelector: { matchLabels: { app: target } },
      policyTypes: ["Ingress"],
      ingress: [{ from: [{ podSelector: { matchLabels: { app: peer } } }], ports: [{ port }] }],
    },
  };
}

/** A head and one worker, the autoscaler on. */
export function rayClusterObject(name: string, image: string, rayVersion: string): object {
  const template = (container: string, cpu: string, memory: string) => ({
    spec: {
      securityContext: POD_SECURITY,
      containers: [
        {
          name: container,
          image,
          securityContext: CONTAINER_SECURITY,
          resources: { requests: { cpu, memory }, limits: { cpu, memory } },
        },
      ],
    },
  });
  return {
    apiVersion: "ray.io/v1",
    kind: "RayCluster",
    metadata: { name, namespace: "default" },
    spec: {
      rayVersion,
      enableInTreeAutoscaling: true,
      autoscalerOptions: { securityContext: CONTAINER_SECURITY },
      headGroupSpec: { rayStartParams: {}, template: template("ray-head", "2", "8Gi") },
      workerGroupSpecs: [
        {
          groupName: "cpu",
          replicas: 1,
          minReplicas: 1,
          maxReplicas: 2,
          rayStartParams: {},
          template: template("ray-worker", "2", "8Gi"),
        },
      ],
    },
  };
}

/** The operator as its upstream chart runs it, with the rights of an administrator for brevity. */
export function operatorDeployment(image: string): object[] {
  const name = "kuberay-operator";
  const labels = { "app.kubernetes.io/name": name };
  return [
    { apiVersion: "v1", kind: "ServiceAccount", metadata: { name, namespace: "default" } },
    {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "ClusterRoleBinding",
      metadata: { name },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "cluster-admin" },
      subjects: [{ kind: "ServiceAccount", name, namespace: "default" }],
    },
    {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name, namespace: "default" },
      spec: {
        replicas: 1,
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: {
            serviceAccountName: name,
            containers: [
              {
                name,
                image,
                command: ["/manager"],
                args: ["--enable-leader-election=true"],
                ports: [{ name: "http", containerPort: 8080 }],
                readinessProbe: { httpGet: { path: "/metrics", port: "http" }, periodSeconds: 1 },
                resources: { limits: { cpu: "100m", memory: "512Mi" } },
                securityContext: {
                  ...CONTAINER_SECURITY,
                  readOnlyRootFilesystem: true,
                  runAsNonRoot: true,
                  seccompProfile: { type: "RuntimeDefault" },
                },
              },
            ],
          },
        },
      },
    },
  ];
}
