import { Fn, TerraformStack, TerraformVariable } from "cdktf";
import {
  IRayCluster,
  KubeRayOperator,
  RayAutoscalerPolicy,
  RayCluster,
  RayClusterAttributes,
  RayClusterProps,
  WorkloadIdentity,
} from "../lib";
import { Graph } from "./support/graph";
import { emptyStack, existingCluster, rayCluster } from "./support/stacks";
import { Template } from "./support/template";

const workerGroups = [{ groupName: "cpu", cpu: 2, memoryGiB: 8, maxReplicas: 2 }];

/** A Ray cluster with the autoscaler. */
function autoscaled(props: Partial<RayClusterProps> = {}) {
  return rayCluster({ workerGroups, ...props });
}

/** A Ray cluster that is deployed by other means, with a policy. */
function imported(attributes: Partial<RayClusterAttributes> = {}) {
  const stack = emptyStack();
  const ray = importedRayCluster(stack, attributes);
  return { stack, ray, policy: new RayAutoscalerPolicy(stack, "policy", { rayCluster: ray }) };
}

function importedRayCluster(stack: TerraformStack, attributes: Partial<RayClusterAttributes>): IRayCluster {
  return RayCluster.fromRayClusterAttributes(stack, "ray", {
    cluster: existingCluster(stack),
    namespace: "team",
    rayClusterName: "theirs",
    headServiceAccountName: "theirs-sa",
    ...attributes,
  });
}

/** The only release of policies. */
function releaseOf(stack: TerraformStack): any {
  const releases = Template.of(stack)
    .resources("helm_release")
    .filter(({ values }) => values?.[0].includes("ValidatingAdmissionPolicy"));
  expect(releases).toHaveLength(1);
  return releases[0];
}

function manifestsOf(stack: TerraformStack): any[] {
  return JSON.parse(releaseOf(stack).values[0]).manifests;
}

function kindsOf(stack: TerraformStack): string[] {
  return Template.of(stack)
    .manifests()
    .map(({ kind }) => kind);
}

describe("the policies of a Ray cluster", () => {
  const manifests = manifestsOf(autoscaled().stack);
  const policies = manifests.filter(({ kind }) => kind === "ValidatingAdmissionPolicy");
  const bindings = manifests.filter(({ kind }) => kind === "ValidatingAdmissionPolicyBinding");
  const [rayClusters, pods] = policies;

  test("deny what they do not admit, and everything if they cannot be evaluated", () => {
    expect(policies.map(({ metadata }) => metadata.name)).toEqual([
      "ray-autoscaler.ray.raycluster-mini",
      "ray-autoscaler-pods.ray.raycluster-mini",
    ]);
    expect(policies.map(({ spec }) => spec.failurePolicy)).toEqual(["Fail", "Fail"]);
    expect(bindings).toEqual(
      policies.map(({ metadata: { name } }) => ({
        apiVersion: "admissionregistration.k8s.io/v1",
        kind: "ValidatingAdmissionPolicyBinding",
        metadata: { name },
        spec: { policyName: name, validationActions: ["Deny"] },
      })),
    );
  });

  test("are about the head's account in the Ray cluster's namespace, and about nobody else", () => {
    for (const { spec } of policies) {
      expect(spec.matchConstraints.namespaceSelector).toEqual({
        matchLabels: { "kubernetes.io/metadata.name": "ray" },
      });
      expect(spec.matchConditions).toEqual([
        {
          name: "account-of-the-head",
          expression: 'request.userInfo.username == "system:serviceaccount:ray:raycluster-mini"',
        },
      ]);
    }
  });

  test("look at every operation on RayClusters and pods, their subresources included, in every version", () => {
    expect(rayClusters.spec.matchConstraints).toMatchObject({
      matchPolicy: "Equivalent",
      resourceRules: [
        {
          apiGroups: ["ray.io"],
          apiVersions: ["v1", "v1alpha1"],
          operations: ["*"],
          resources: ["rayclusters", "rayclusters/*"],
        },
      ],
    });
    expect(pods.spec.matchConstraints).toMatchObject({
      matchPolicy: "Equivalent",
      resourceRules: [
        { apiGroups: [""], apiVersions: ["v1"], operations: ["*"], resources: ["pods", "pods/*"] },
      ],
    });
  });

  test("say what the account may not", () => {
    expect(policies.map(({ spec }) => spec.validations.map(({ message }: any) => message))).toEqual([
      [
        "the account of the head neither creates nor deletes RayClusters, nor writes their status",
        "the account of the head writes RayClusters by version v1 of their API",
        "the account of the head changes no RayCluster but its own",
        "the account of the head does not change the metadata of its RayCluster",
        "the account of the head changes nothing of its RayCluster but the size of worker groups",
        "the account of the head changes nothing of a worker group but replicas and scaleStrategy, and adds and removes none",
        "the account of the head has no pods deleted but workers of the group",
      ],
      [
        "the account of the head neither creates, deletes, evicts nor binds pods, and runs nothing in them",
        "the account of the head resizes no pods but those of its Ray cluster",
        "the account of the head changes nothing of a pod but its size and the annotation ray.io/ippr-status",
      ],
    ]);
    for (const { reason } of policies.flatMap(({ spec }) => spec.validations)) {
      expect(reason).toBe("Forbidden");
    }
  });

  test("leave a worker group its two fields, and the metadata what the API server writes itself", () => {
    const expressions = rayClusters.spec.validations.map(({ expression }: any) => expression);

    const free = expressions.flatMap((expression: string) => expression.match(/\bin \["[^\]]*\]/g) ?? []);
    expect([...new Set(free)]).toEqual([
      'in ["generation","managedFields","resourceVersion"]',
      'in ["workerGroupSpecs"]',
      'in ["replicas","scaleStrategy"]',
    ]);
  });

  test("use no variable that is not there", () => {
    for (const { spec } of policies) {
      const known = spec.variables.map(({ name }: any) => name);
      const used = JSON.stringify(spec).match(/\bvariables\.\w+/g)!;
      expect([...new Set(used.map((name) => name.replace("variables.", "")))].sort()).toEqual(known.sort());
    }
  });
});

describe("where the autoscaler runs", () => {
  test("the pods start only after the policies are there, and end before they go", () => {
    const { stack, ray } = autoscaled();
    const graph = Graph.of(stack);
    const policy = ray.node.findChild("autoscaler-policy") as RayAutoscalerPolicy;

    expect(graph.dependsOn(ray.resource, policy.resource)).toBe(true);
    expect(graph.dependsOn(policy.resource, graph.addressesOfType("kubernetes_namespace_v1"))).toBe(true);
  });

  test("the account is the one of the head", () => {
    const { stack } = autoscaled({ serviceAccountName: "my-ksa" });

    expect(JSON.stringify(manifestsOf(stack))).toContain("system:serviceaccount:ray:my-ksa");
  });

  test("the policies can be left out, for clusters older than Kubernetes 1.30", () => {
    expect(kindsOf(autoscaled({ autoscalerPolicy: false }).stack)).toEqual(["RayCluster"]);
  });

  test("the autoscaler cannot write into its own container", () => {
    expect(Template.of(autoscaled().stack).rayCluster().spec.autoscalerOptions.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      capabilities: { drop: ["ALL"] },
      readOnlyRootFilesystem: true,
    });
  });

  test("a field of the autoscaler's security context can be set otherwise", () => {
    const { stack, ray } = autoscaled();
    ray.addOverride("spec.autoscalerOptions.securityContext.readOnlyRootFilesystem", false);

    expect(Template.of(stack).rayCluster().spec.autoscalerOptions.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      capabilities: { drop: ["ALL"] },
      readOnlyRootFilesystem: false,
    });
  });
});

describe("without the autoscaler", () => {
  test("there are no policies", () => {
    expect(kindsOf(rayCluster().stack)).toEqual(["RayCluster"]);
    expect(kindsOf(autoscaled({ enableInTreeAutoscaling: false }).stack)).toEqual(["RayCluster"]);
  });

  test("the policies can stay, because the account keeps what KubeRay gave it", () => {
    const { stack } = autoscaled({ enableInTreeAutoscaling: false, autoscalerPolicy: true });

    expect(kindsOf(stack)).toContain("ValidatingAdmissionPolicy");
  });
});

describe("a Ray cluster that is deployed by other means", () => {
  test("has policies for its account", () => {
    const { stack } = imported();
    const [policy] = manifestsOf(stack);

    expect(releaseOf(stack)).toMatchObject({ name: "ray-autoscaler.theirs", namespace: "team" });
    expect(policy.metadata.name).toBe("ray-autoscaler.team.theirs");
    expect(policy.spec.matchConditions[0].expression).toBe(
      'request.userInfo.username == "system:serviceaccount:team:theirs-sa"',
    );
  });

  test("can be made to wait for them", () => {
    const { ray, policy } = imported();

    expect(ray.head.dependencies).toEqual([policy.resource]);
  });
});

describe("names", () => {
  /** The names of all releases and policies. */
  const namesOf = (stack: TerraformStack) => {
    const releases = Template.of(stack).resources("helm_release");
    const manifests = Template.of(stack).manifests();
    return {
      releases: releases.map(({ namespace, name }) => `${namespace}/${name}`),
      policies: manifests
        .filter(({ kind }) => kind === "ValidatingAdmissionPolicy")
        .map(({ metadata }) => metadata.name),
    };
  };

  test("differ between all Ray clusters, however their namespaces and names are made of each other", () => {
    const stack = emptyStack();
    const cluster = existingCluster(stack);
    const long = "a".repeat(52);
    const pairs = [
      ["a", "b-c"],
      ["a-b", "c"],
      ["pods", "a"],
      ["pods-a", "b"],
      ["a", "ray-autoscaler"],
      ["a", `${long}b`],
      ["a", `${long}c`],
      ["b", `${long}c`],
    ];
    pairs.forEach(([namespace, rayClusterName], index) => {
      const attributes = { cluster, namespace, rayClusterName, headServiceAccountName: "sa" };
      const ray = RayCluster.fromRayClusterAttributes(stack, `ray${index}`, attributes);
      new RayAutoscalerPolicy(stack, `policy${index}`, { rayCluster: ray });
    });

    const { releases, policies } = namesOf(stack);
    expect(new Set(releases).size).toBe(pairs.length);
    expect(new Set(policies).size).toBe(2 * pairs.length);
    // Helm's limit, and that of objects.
    for (const release of releases) {
      expect(release).toMatch(/^[a-z-]+\/(?=.{1,53}$)[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/);
    }
    for (const policy of policies) expect(policy).toMatch(/^(?=.{1,253}$)[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/);
  });

  test("are not those of a Ray cluster's own release", () => {
    const { stack } = autoscaled({ rayClusterName: "ray-autoscaler" });

    expect(namesOf(stack).releases.sort()).toEqual([
      "ray/ray-autoscaler",
      "ray/ray-autoscaler.ray-autoscaler",
    ]);
  });

  test("are made by Terraform where only it knows them, and still fit", () => {
    const stack = emptyStack();
    const name = new TerraformVariable(stack, "name", { type: "string" }).stringValue;
    const ray = importedRayCluster(stack, { rayClusterName: name, namespace: Fn.lower(name) });
    new RayAutoscalerPolicy(stack, "policy", { rayCluster: ray });
    const release = releaseOf(stack);

    expect(release.name).toBe("ray-autoscaler.sha256.${substr(sha256(var.name), 0, 20)}");
    expect(release.values[0]).toContain('"ray-autoscaler.${lower(var.name)}.${var.name}"');
    expect(release.values[0]).toContain("system:serviceaccount:${lower(var.name)}:theirs-sa");
  });
});

describe("is refused", () => {
  test("a second policy of a Ray cluster that has one", () => {
    const { stack, ray } = autoscaled();

    expect(() => new RayAutoscalerPolicy(stack, "policy", { rayCluster: ray })).toThrow(
      new Error(
        `'rayCluster' must have no other policy (stack/ray/autoscaler-policy is one), got "ray/raycluster-mini" (at stack/policy)`,
      ),
    );
  });

  test("a second policy of a Ray cluster that is known twice", () => {
    const { stack, ray } = imported();
    const again = RayCluster.fromRayClusterAttributes(stack, "again", {
      cluster: ray.cluster,
      namespace: "team",
      rayClusterName: "theirs",
      headServiceAccountName: "theirs-sa",
    });

    expect(() => new RayAutoscalerPolicy(stack, "second", { rayCluster: again })).toThrow(
      new Error(
        `'rayCluster' must have no other policy (stack/policy is one), got "team/theirs" (at stack/second)`,
      ),
    );
  });

  test.each(["My_SA", 'a" || true || "', "system:admin"])(
    "an account that has no such name, as %j",
    (name) => {
      expect(() => imported({ headServiceAccountName: name })).toThrow(
        new Error(
          `'headServiceAccountName' must be a DNS subdomain: 1 to 253 lower-case letters, digits, hyphens or dots, starting and ending with a letter or digit, got ${JSON.stringify(name)} (at stack/ray)`,
        ),
      );
    },
  );
});

test("two Ray clusters that share an account have rules that differ in nothing but the name of the Ray cluster", () => {
  const stack = emptyStack();
  const operator = KubeRayOperator.existing(stack, "operator", { cluster: existingCluster(stack) });
  const identity = new WorkloadIdentity(stack, "identity", {
    cluster: operator.cluster,
    namespace: "ray",
    serviceAccountName: "shared",
    googleServiceAccountId: "my-iam-sa",
  });
  const head = { cpu: 2, memoryGiB: 8 };
  for (const rayClusterName of ["one", "two"]) {
    new RayCluster(stack, rayClusterName, { operator, rayClusterName, identity, head, workerGroups });
  }
  const policies = Template.of(stack)
    .manifests()
    .filter(({ kind }) => kind === "ValidatingAdmissionPolicy");
  const rulesOf = (name: string) =>
    JSON.stringify(
      policies.filter(({ metadata }) => metadata.name.endsWith(`.${name}`)).map(({ spec }) => spec),
    );

  expect(rulesOf("one")).toContain('variables.oldAccount == \\"shared\\"');
  expect(rulesOf("one").replaceAll('\\"one\\"', '\\"two\\"')).toBe(rulesOf("two"));
});
