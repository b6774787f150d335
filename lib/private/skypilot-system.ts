import { ITerraformDependable, TerraformStack } from "cdktf";
import { Construct } from "constructs";
import type { IGkeWorkloadIdentityCluster } from "../gke-workload-identity-cluster";
import { manifestRelease } from "./manifest-release";
import { shortHash } from "./names";
import { useNamespace } from "./namespaces";
import { FUSE_DAEMON_SET } from "./skypilot-rules";
import { invalid } from "./validation";

/** Fixed by SkyPilot. */
export const SYSTEM_NAMESPACE = "skypilot-system";

/** What SkyPilot's DaemonSet is made of. */
const IMAGE = "berkeleyskypilot/fusermount-server";
const SHARED_FOLDER = "/var/run/fusermount";
const LIVENESS_COMMAND = ["/bin/sh", "-c", `test -S ${SHARED_FOLDER}/server.sock`];

/**
 * Makes the namespace of SkyPilot's DaemonSet once per stack and cluster, with the policy that holds it to that DaemonSet, and
 * returns what waits for both.
 *
 * @param create false where both exist already
 * @throws if one instance wants it made and another says that it exists
 */
export function useSkyPilotSystem(
  scope: Construct,
  cluster: IGkeWorkloadIdentityCluster,
  create: boolean,
): ITerraformDependable[] {
  const stack = TerraformStack.of(scope);
  const id = `skypilot-system-${shortHash(cluster.node.path)}`;
  const known = stack.node.tryFindChild(id) as SkyPilotSystem | undefined;
  if (known !== undefined && known.created !== create) {
    const requirement = `be the same for every SkyPilot on the cluster, but ${known.firstUser} has ${known.created}`;
    throw invalid(scope, "createSkyPilotSystem", requirement, create);
  }
  return (known ?? new SkyPilotSystem(stack, id, cluster, create, scope.node.path)).dependencies;
}

/** The namespace `skypilot-system` and its admission policy. */
class SkyPilotSystem extends Construct {
  public readonly dependencies: ITerraformDependable[];

  constructor(
    scope: Construct,
    id: string,
    cluster: IGkeWorkloadIdentityCluster,
    public readonly created: boolean,
    public readonly firstUser: string,
  ) {
    super(scope, id);
    if (!created) {
      this.dependencies = cluster.kubernetesDependencies;
      return;
    }
    const namespace = useNamespace(this, {
      namespace: SYSTEM_NAMESPACE,
      createNamespace: true,
      labels: { parent: "skypilot", "pod-security.kubernetes.io/enforce": "privileged" },
      provider: cluster.kubernetesProvider,
      dependencies: cluster.kubernetesDependencies,
    });
    const policy = manifestRelease(this, "policy", {
      cluster,
      releaseName: "skypilot-system-policy",
      namespace: SYSTEM_NAMESPACE,
      values: () => ({ manifests: [admissionPolicy(), policyBinding()] }),
      dependencies: () => namespace,
    });
    this.dependencies = [...namespace, policy];
  }
}

/**
 * Whoever may create a DaemonSet in this namespace, whose pods may be privileged, would be root on every node. RBAC cannot hold
 * that to a name or a shape, so this does, for everybody.
 *
 * https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/
 * https://github.com/skypilot-org/skypilot/blob/v0.14.1/sky/provision/kubernetes/manifests/fusermount-server-daemonset.yaml
 */
function admissionPolicy() {
  return {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: "ValidatingAdmissionPolicy",
    metadata: { name: SYSTEM_NAMESPACE, labels: { parent: "skypilot" } },
    spec: {
      failurePolicy: "Fail",
      matchConstraints: {
        namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": SYSTEM_NAMESPACE } },
        resourceRules: [
          {
            apiGroups: ["apps"],
            apiVersions: ["*"],
            operations: ["CREATE", "UPDATE"],
            resources: ["daemonsets"],
          },
        ],
      },
      variables: [
        { name: "template", expression: "object.spec.template" },
        { name: "pod", expression: "object.spec.template.spec" },
        { name: "container", expression: "object.spec.template.spec.containers[0]" },
      ],
      validations: VALIDATIONS.map(([message, expression]) => ({ message, expression })),
    },
  };
}

function policyBinding() {
  return {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: "ValidatingAdmissionPolicyBinding",
    metadata: { name: SYSTEM_NAMESPACE, labels: { parent: "skypilot" } },
    spec: { policyName: SYSTEM_NAMESPACE, validationActions: ["Deny"] },
  };
}

/**
 * What must hold, and what is said when it does not: fields that are not named here, such as later Kubernetes versions may
 * have, are not admitted. The programs that run are the image's and the one liveness command; nothing may be mounted over
 * them, because tasks write to the shared folder.
 */
const VALIDATIONS: readonly (readonly [string, string])[] = [
  [
    `the only DaemonSet in ${SYSTEM_NAMESPACE} is ${FUSE_DAEMON_SET}`,
    `object.metadata.name == "${FUSE_DAEMON_SET}"`,
  ],
  [
    "its pods have SkyPilot's label, and no annotation but that of a restart",
    `variables.template.metadata.labels == {"app": "${FUSE_DAEMON_SET}"} && (!has(variables.template.metadata.annotations) || ${onlyKeys("variables.template.metadata.annotations", ["kubectl.kubernetes.io/restartedAt"])})`,
  ],
  [
    "its pods have no field that SkyPilot's have not",
    onlyKeys("variables.pod", [
      "containers",
      "dnsPolicy",
      "restartPolicy",
      "schedulerName",
      "securityContext",
      "terminationGracePeriodSeconds",
      "tolerations",
      "volumes",
    ]),
  ],
  [
    "its pods have an empty security context",
    `!has(variables.pod.securityContext) || ${onlyKeys("variables.pod.securityContext", [])}`,
  ],
  [
    `its only container has the image ${IMAGE}:VERSION`,
    `variables.pod.containers.size() == 1 && variables.container.image.matches("^${IMAGE}:[A-Za-z0-9_][A-Za-z0-9_.-]*$")`,
  ],
  [
    "its container has no field that SkyPilot's has not, so that nothing but the image's own program runs",
    onlyKeys("variables.container", [
      "env",
      "image",
      "imagePullPolicy",
      "livenessProbe",
      "name",
      "resources",
      "securityContext",
      "terminationMessagePath",
      "terminationMessagePolicy",
      "volumeMounts",
    ]),
  ],
  [
    "its container's security context says nothing but 'privileged'",
    `!has(variables.container.securityContext) || ${onlyKeys("variables.container.securityContext", ["privileged"])}`,
  ],
  [
    `its environment is only FUSERMOUNT_SHARED_DIR, ${SHARED_FOLDER}`,
    `!has(variables.container.env) || variables.container.env.all(variable, variable.name == "FUSERMOUNT_SHARED_DIR" && has(variable.value) && variable.value == "${SHARED_FOLDER}")`,
  ],
  [
    `it has only ${SHARED_FOLDER} of the node`,
    `!has(variables.pod.volumes) || variables.pod.volumes.all(volume, ${onlyKeys("volume", ["name", "hostPath"])} && has(volume.hostPath) && volume.hostPath.path == "${SHARED_FOLDER}")`,
  ],
  [
    `it mounts that at ${SHARED_FOLDER} and nowhere else`,
    `!has(variables.container.volumeMounts) || variables.container.volumeMounts.all(mount, ${onlyKeys("mount", ["name", "mountPath"])} && mount.mountPath == "${SHARED_FOLDER}")`,
  ],
  [
    "its liveness probe is SkyPilot's",
    `!has(variables.container.livenessProbe) || (has(variables.container.livenessProbe.exec) && variables.container.livenessProbe.exec.command == ${JSON.stringify(LIVENESS_COMMAND)})`,
  ],
];

/** Whether an object has fields of these names alone; `dyn` because CEL looks at the fields of maps only. */
function onlyKeys(expression: string, keys: string[]): string {
  return `dyn(${expression}).all(key, key in ${JSON.stringify(keys)})`;
}
