import type { ManifestPart } from "../../contracts/manifest";

/** Whom a policy holds, and to what. */
export interface AutoscalerRulesInput {
  readonly namespace: string;
  readonly rayClusterName: string;
  readonly headServiceAccountName: string;
}

/** A rule in CEL, and what is said where it does not hold. */
interface Rule {
  readonly message: string;
  readonly expression: string;
}

/** The API server writes these itself whenever something else changes. */
const BOOKKEEPING = ["generation", "managedFields", "resourceVersion"];

/** What Ray's autoscaler writes. */
const SCALED = ["replicas", "scaleStrategy"];

/** Where Ray's autoscaler remembers how far an in-place resizing of a pod is. */
const RESIZE_ANNOTATION = "ray.io/ippr-status";

/** KubeRay cuts what comes before `-worker-` in the name of a pod to this many characters. */
export const LONGEST_POD_PREFIX = 50;

/**
 * Two admission policies with their bindings: they hold the service account of a head to what Ray's autoscaler needs. Both look
 * at this account in this namespace alone, so that they cost others nothing and can keep nobody else from anything.
 *
 * A Ray cluster is the account's own where its head runs as the account. So Ray clusters that share an account may each have
 * policies, and none of these refuses what another Ray cluster needs.
 *
 * https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/
 */
export function autoscalerPolicies(input: AutoscalerRulesInput): ManifestPart[] {
  // With dots, which neither of the two names has: no two Ray clusters have the same.
  const suffix = `${input.namespace}.${input.rayClusterName}`;
  return [
    ...policy(input, `ray-autoscaler.${suffix}`, {
      // Listed for the API server to check the types in the rules; other versions come to it as equivalents of these.
      resource: { apiGroups: ["ray.io"], apiVersions: ["v1", "v1alpha1"], resources: ["rayclusters"] },
      variables: rayClusterVariables(),
      rules: rayClusterRules(input),
    }),
    ...policy(input, `ray-autoscaler-pods.${suffix}`, {
      resource: { apiGroups: [""], apiVersions: ["v1"], resources: ["pods"] },
      variables: podVariables(),
      rules: podRules(input),
    }),
  ];
}

interface PolicyContent {
  readonly resource: {
    readonly apiGroups: string[];
    readonly apiVersions: string[];
    readonly resources: string[];
  };
  readonly variables: { [name: string]: string };
  readonly rules: Rule[];
}

function policy(
  { namespace, headServiceAccountName }: AutoscalerRulesInput,
  name: string,
  { resource, variables, rules }: PolicyContent,
): ManifestPart[] {
  const apiVersion = "admissionregistration.k8s.io/v1";
  const [plural] = resource.resources;
  return [
    {
      apiVersion,
      kind: "ValidatingAdmissionPolicy",
      metadata: { name },
      spec: {
        failurePolicy: "Fail",
        matchConstraints: {
          matchPolicy: "Equivalent",
          namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": namespace } },
          resourceRules: [{ ...resource, operations: ["*"], resources: [plural, `${plural}/*`] }],
        },
        matchConditions: [
          {
            name: "account-of-the-head",
            expression: `request.userInfo.username == "system:serviceaccount:${namespace}:${headServiceAccountName}"`,
          },
        ],
        variables: Object.entries(variables).map(([variable, expression]) => ({
          name: variable,
          expression,
        })),
        validations: rules.map((rule) => ({ ...rule, reason: "Forbidden" })),
      },
    },
    {
      apiVersion,
      kind: "ValidatingAdmissionPolicyBinding",
      metadata: { name },
      spec: { policyName: name, validationActions: ["Deny"] },
    },
  ];
}

/** `dyn` because CEL goes through the fields of maps only. A variable is computed when a rule first asks for it. */
function rayClusterVariables(): { [name: string]: string } {
  return {
    isUpdate: `request.operation == "UPDATE" && ${subresource()} == ""`,
    metadata: "dyn(object.metadata)",
    oldMetadata: "dyn(oldObject.metadata)",
    spec: "dyn(object.spec)",
    oldSpec: "dyn(oldObject.spec)",
    groups: "has(object.spec.workerGroupSpecs) ? dyn(object.spec.workerGroupSpecs) : dyn([])",
    oldGroups: "has(oldObject.spec.workerGroupSpecs) ? dyn(oldObject.spec.workerGroupSpecs) : dyn([])",
    oldHead: "dyn(oldObject.spec.headGroupSpec.template.spec)",
    // KubeRay's rule: the Ray cluster's name where none is given.
    oldAccount: `has(variables.oldHead.serviceAccountName) && variables.oldHead.serviceAccountName != "" ? variables.oldHead.serviceAccountName : request.name`,
  };
}

/**
 * What Ray's autoscaler does not do, of all versions from 2.46 to 2.60: it sends JSON patches of the two fields.
 *
 * https://github.com/ray-project/ray/blob/ray-2.60.0/python/ray/autoscaler/_private/kuberay/node_provider.py
 */
function rayClusterRules({ rayClusterName, headServiceAccountName }: AutoscalerRulesInput): Rule[] {
  const onUpdate = (expression: string) => `!variables.isUpdate || (${expression})`;
  return [
    {
      message: "the account of the head neither creates nor deletes RayClusters, nor writes their status",
      expression: "variables.isUpdate",
    },
    {
      // An update by an older version takes away what that does not know, and shows it to nobody.
      message: "the account of the head writes RayClusters by version v1 of their API",
      expression: onUpdate(`request.requestResource.version == "v1"`),
    },
    {
      message: "the account of the head changes no RayCluster but its own",
      expression: onUpdate(
        `request.name == "${rayClusterName}" || variables.oldAccount == "${headServiceAccountName}"`,
      ),
    },
    {
      message: "the account of the head does not change the metadata of its RayCluster",
      expression: onUpdate(unchangedBut("variables.metadata", "variables.oldMetadata", BOOKKEEPING)),
    },
    {
      message: "the account of the head changes nothing of its RayCluster but the size of worker groups",
      expression: onUpdate(unchangedBut("variables.spec", "variables.oldSpec", ["workerGroupSpecs"])),
    },
    {
      message: `the account of the head changes nothing of a worker group but ${SCALED.join(" and ")}, and adds and removes none`,
      expression: onUpdate(
        `variables.groups.size() == variables.oldGroups.size() && variables.oldGroups.all(old, variables.groups.exists_one(group, group.groupName == old.groupName && ${unchangedBut("group", "old", SCALED)}))`,
      ),
    },
    {
      // KubeRay deletes whatever pod of the namespace has a name that stands here.
      message: "the account of the head has no pods deleted but workers of the group",
      expression: onUpdate(
        `variables.groups.all(group, !has(group.scaleStrategy) || !has(group.scaleStrategy.workersToDelete) || variables.oldGroups.exists(old, old.groupName == group.groupName && has(old.scaleStrategy) && old.scaleStrategy == group.scaleStrategy) || group.scaleStrategy.workersToDelete.all(worker, ${isWorkerOfGroup()}))`,
      ),
    },
  ];
}

/** https://github.com/ray-project/kuberay/blob/v1.6.2/ray-operator/controllers/ray/utils/util.go (PodName) */
function isWorkerOfGroup(): string {
  const prefix = `(request.name + "-" + group.groupName).lowerAscii()`;
  return `worker.startsWith((${prefix}.size() > ${LONGEST_POD_PREFIX} ? ${prefix}.substring(0, ${LONGEST_POD_PREFIX}) : ${prefix}) + "-worker-")`;
}

function podVariables(): { [name: string]: string } {
  return {
    subresource: subresource(),
    isResize: `request.operation == "UPDATE" && variables.subresource in ["", "resize"]`,
    labels: `has(oldObject.metadata.labels) ? dyn(oldObject.metadata.labels) : dyn({})`,
    metadata: "dyn(object.metadata)",
    oldMetadata: "dyn(oldObject.metadata)",
    annotations: "has(object.metadata.annotations) ? dyn(object.metadata.annotations) : dyn({})",
    oldAnnotations: "has(oldObject.metadata.annotations) ? dyn(oldObject.metadata.annotations) : dyn({})",
  };
}

/**
 * What in-place resizing does not do: it changes the subresource `resize`, by which Kubernetes lets nobody change anything but
 * the containers' resources, and one annotation.
 *
 * https://github.com/ray-project/ray/blob/ray-2.60.0/python/ray/autoscaler/v2/instance_manager/cloud_providers/kuberay/ippr_provider.py
 */
function podRules({ rayClusterName, headServiceAccountName }: AutoscalerRulesInput): Rule[] {
  const onResize = (expression: string) => `!variables.isResize || (${expression})`;
  return [
    {
      message:
        "the account of the head neither creates, deletes, evicts nor binds pods, and runs nothing in them",
      expression: "variables.isResize",
    },
    {
      message: "the account of the head resizes no pods but those of its Ray cluster",
      expression: onResize(
        `("ray.io/cluster" in variables.labels && (variables.labels["ray.io/cluster"] == "${rayClusterName}" || oldObject.spec.serviceAccountName == "${headServiceAccountName}"))`,
      ),
    },
    {
      message: `the account of the head changes nothing of a pod but its size and the annotation ${RESIZE_ANNOTATION}`,
      expression: onResize(
        `variables.subresource == "resize" || (object.spec == oldObject.spec && ${unchangedBut("variables.metadata", "variables.oldMetadata", ["annotations", ...BOOKKEEPING])} && ${unchangedBut("variables.annotations", "variables.oldAnnotations", [RESIZE_ANNOTATION])})`,
      ),
    },
  ];
}

/** The request has no such field where it is about the object itself. */
function subresource(): string {
  return `(has(request.subResource) ? request.subResource : "")`;
}

/** Whether two maps have the same keys and values, but for some keys. */
function unchangedBut(map: string, old: string, keys: string[]): string {
  const free = `key in ${JSON.stringify(keys)}`;
  return `${map}.all(key, ${free} || (key in ${old} && ${map}[key] == ${old}[key])) && ${old}.all(key, ${free} || key in ${map})`;
}
