import { ITerraformDependable, TerraformStack } from "cdktf";
import { Construct } from "constructs";
import type { IGkeWorkloadIdentityCluster } from "../../contracts/gke-workload-identity-cluster";
import { manifestRelease } from "../terraform/manifest-release";
import { shortHash } from "../terraform/names";
import { useNamespace } from "../terraform/namespaces";
import { invalid } from "../validation";
import { FUSE_DAEMON_SET } from "./rules";

/** Fixed by SkyPilot. */
export const SYSTEM_NAMESPACE = "skypilot-system";

/** What SkyPilot's DaemonSet is made of. */
const IMAGE = "berkeleyskypilot/fusermount-server";
const SHARED_FOLDER = "/var/run/fusermount";
const PROBE_FIELDS = [
  "exec",
  "failureThreshold",
  "initialDelaySeconds",
  "periodSeconds",
  "successThreshold",
  "timeoutSeconds",
];

/** Ten times what SkyPilot asks for, on every node. */
const MOST_CPU = "500m";
const MOST_MEMORY = "500Mi";
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
 * What must hold, and what is said when it does not. Whoever may create the DaemonSet may also fill every node with it, hold up
 * the end of its pods, or put files over the image's programs. So every field has the value that SkyPilot's manifest or the API
 * server's default gives it, and a field that is not named here, such as later Kubernetes versions may have, is not admitted.
 * Left open are the image's version, so that SkyPilot can renew it, and what the probe's times are.
 */
const VALIDATIONS: readonly (readonly [string, string])[] = [
  [
    `the only DaemonSet in ${SYSTEM_NAMESPACE} is ${FUSE_DAEMON_SET}`,
    `object.metadata.name == "${FUSE_DAEMON_SET}"`,
  ],
  [
    "it has no owner, and no finalizer but those of Kubernetes, so that it can be deleted",
    `!has(object.metadata.ownerReferences) && (!has(object.metadata.finalizers) || object.metadata.finalizers.all(finalizer, finalizer in ["foregroundDeletion", "orphan"]))`,
  ],
  [
    "its pods have SkyPilot's label, and no annotation but that of a restart",
    `${onlyKeys("variables.template.metadata", ["annotations", "creationTimestamp", "labels"])} && variables.template.metadata.labels == {"app": "${FUSE_DAEMON_SET}"} && (!has(variables.template.metadata.annotations) || ${onlyKeys("variables.template.metadata.annotations", ["kubectl.kubernetes.io/restartedAt"])})`,
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
    "its pods are resolved, scheduled, restarted and ended as by default",
    [
      isOr("variables.pod", "dnsPolicy", "ClusterFirst"),
      isOr("variables.pod", "restartPolicy", "Always"),
      isOr("variables.pod", "schedulerName", "default-scheduler"),
      isOr("variables.pod", "terminationGracePeriodSeconds", 30),
    ].join(" && "),
  ],
  [
    "its pods tolerate the taints that SkyPilot's do",
    `!has(variables.pod.tolerations) || variables.pod.tolerations.all(toleration, ${onlyKeys("toleration", ["operator", "effect"])} && has(toleration.operator) && toleration.operator == "Exists")`,
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
    "its container is named server, is pulled as by default, and leaves its last message where the default is, over no program",
    [
      `variables.container.name == "server"`,
      // By default the first for a version, and the second for "latest".
      `(!has(variables.container.imagePullPolicy) || variables.container.imagePullPolicy in ["IfNotPresent", "Always"])`,
      isOr("variables.container", "terminationMessagePath", "/dev/termination-log"),
      isOr("variables.container", "terminationMessagePolicy", "File"),
    ].join(" && "),
  ],
  [
    `its container asks for no more than ${MOST_CPU} CPU and ${MOST_MEMORY} of memory, and for nothing else`,
    `!has(variables.container.resources) || (${onlyKeys("variables.container.resources", ["requests", "limits"])} && ${modest("requests")} && ${modest("limits")})`,
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
    `it has only the folder ${SHARED_FOLDER} of the node`,
    `!has(variables.pod.volumes) || variables.pod.volumes.all(volume, ${onlyKeys("volume", ["name", "hostPath"])} && has(volume.hostPath) && volume.hostPath.path == "${SHARED_FOLDER}" && (!has(volume.hostPath.type) || volume.hostPath.type in ["", "Directory", "DirectoryOrCreate"]))`,
  ],
  [
    `it mounts that at ${SHARED_FOLDER} and nowhere else`,
    `!has(variables.container.volumeMounts) || variables.container.volumeMounts.all(mount, ${onlyKeys("mount", ["name", "mountPath"])} && mount.mountPath == "${SHARED_FOLDER}")`,
  ],
  [
    "its liveness probe is SkyPilot's",
    `!has(variables.container.livenessProbe) || (${onlyKeys("variables.container.livenessProbe", PROBE_FIELDS)} && has(variables.container.livenessProbe.exec) && variables.container.livenessProbe.exec.command == ${JSON.stringify(LIVENESS_COMMAND)})`,
  ],
];

/** Whether a field is left out or has the one value. */
function isOr(object: string, field: string, value: string | number): string {
  return `(!has(${object}.${field}) || ${object}.${field} == ${JSON.stringify(value)})`;
}

/** Whether the requests or limits of the container are small; without requests the limits stand for them. */
function modest(field: string): string {
  const amounts = `variables.container.resources.${field}`;
  const atMost = (resource: string, most: string) =>
    `(!("${resource}" in ${amounts}) || quantity(string(${amounts}["${resource}"])).compareTo(quantity("${most}")) <= 0)`;
  const each = [onlyKeys(amounts, ["cpu", "memory"]), atMost("cpu", MOST_CPU), atMost("memory", MOST_MEMORY)];
  return `(!has(${amounts}) || (${each.join(" && ")}))`;
}

/** Whether an object has fields of these names alone; `dyn` because CEL looks at the fields of maps only. */
function onlyKeys(expression: string, keys: string[]): string {
  return `dyn(${expression}).all(key, key in ${JSON.stringify(keys)})`;
}
