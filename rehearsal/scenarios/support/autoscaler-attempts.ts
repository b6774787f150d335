import { type FieldChange, fieldChanges, type Schema } from "./schema-changes";
import type { Answer, KubeClient, KubeObject } from "../../node/kube-client";
import { expect, type Stage } from "../../stage/stage";

/** Whose account is bounded, and by which RayClusters. */
export interface Bounded {
  readonly namespace: string;
  readonly account: string;
  /** Name of its RayCluster, which runs. */
  readonly own: string;
  /** Name of another RayCluster of the same account, which has policies and does not exist yet. */
  readonly shared: string;
  /** The first worker group of its RayCluster. */
  readonly group: string;
}

/** What the autoscaler writes. */
const SCALING = /^spec\.workerGroupSpecs\[\]\.(replicas|scaleStrategy(\.workersToDelete(\[\])?)?)$/;

/** What of an object's metadata somebody may write. */
const METADATA: Schema = {
  properties: {
    annotations: { additionalProperties: { type: "string" } },
    finalizers: { items: { type: "string" } },
    labels: { additionalProperties: { type: "string" } },
    ownerReferences: {
      items: {
        properties: {
          apiVersion: { type: "string" },
          kind: { type: "string" },
          name: { type: "string" },
          uid: { type: "string" },
          controller: { type: "boolean" },
          blockOwnerDeletion: { type: "boolean" },
        },
        required: ["apiVersion", "kind", "name", "uid"],
      },
    },
  },
};

/** More than this many fields has a RayCluster. */
const FIELDS_AT_LEAST = 1500;

const DENIED =
  /ValidatingAdmissionPolicy '(ray-autoscaler[\w.-]*)' with binding '[\w.-]+' denied request: the account of the head/;

/** Sent with what is admitted, so that nothing comes of it. */
const DRY_RUN = "?dryRun=All";

/** @throws unless the account is refused everything but scaling and resizing; returns how many changes were tried */
export async function expectBounds(stage: Stage, bounded: Bounded): Promise<number> {
  const attempts = await Attempts.start(stage, bounded);
  try {
    const fields = await attempts.everyField();
    const others = await attempts.everythingElse();
    return fields + others;
  } finally {
    await attempts.end();
  }
}

class Attempts {
  public static async start(stage: Stage, bounded: Bounded): Promise<Attempts> {
    const { namespace, account } = bounded;
    const token = await stage.node.kubectl(["create", "token", account, "-n", namespace]);
    return new Attempts(stage, bounded, stage.node.clientFor(token.trim()));
  }

  private readonly admin: KubeClient;
  private readonly rays: string;
  private readonly pods: string;
  private made: string[] = [];

  private constructor(
    private readonly stage: Stage,
    private readonly bounded: Bounded,
    private readonly client: KubeClient,
  ) {
    this.admin = stage.node.client;
    this.rays = `/apis/ray.io/v1/namespaces/${bounded.namespace}/rayclusters`;
    this.pods = `/api/v1/namespaces/${bounded.namespace}/pods`;
  }

  /** Takes away what was made for the attempts. */
  public async end(): Promise<void> {
    for (const path of this.made.reverse()) await this.admin.delete(path);
    this.client.close();
  }

  /** Changes each field of the own RayCluster alone, with no more rights than KubeRay gives. */
  public async everyField(): Promise<number> {
    const { own, group } = this.bounded;
    this.stage.step("every field of the RayCluster");
    const definition = await this.admin.get(
      "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/rayclusters.ray.io",
    );
    const { schema } = definition.spec.versions.find(({ name }: any) => name === "v1");
    const object = await this.admin.get(`${this.rays}/${own}`);
    const changes = [
      ...fieldChanges(METADATA, object.metadata, "metadata", {
        "metadata.finalizers[]": "example.com/changed",
      }),
      ...fieldChanges(schema.openAPIV3Schema.properties.spec, object.spec, "spec", {
        "spec.managedBy": "ray.io/kuberay-operator",
        "spec.workerGroupSpecs[].scaleStrategy.workersToDelete[]": `${own}-${group}-worker-abcde`,
      }),
    ];
    expect(changes.length >= FIELDS_AT_LEAST, "that is not every field", changes.length);
    const wrong: object[] = [];
    for (let index = 0; index < changes.length; index += 8) {
      await Promise.all(
        changes.slice(index, index + 8).map(async (change) => {
          const problem = await this.fieldProblem(change);
          if (problem !== undefined) wrong.push(problem);
        }),
      );
    }
    expect(wrong.length === 0, `${wrong.length} of ${changes.length} changes went wrong`, wrong.slice(0, 20));
    const scaling = new Set(changes.map(({ field }) => field).filter((field) => SCALING.test(field)));
    expect(scaling.size >= 2, "what is admitted was not tried", [...scaling]);
    return changes.length;
  }

  private async fieldProblem(change: FieldChange): Promise<object | undefined> {
    const path = `${this.rays}/${this.bounded.own}`;
    if (SCALING.test(change.field)) {
      const answer = await this.client.attempt("PATCH", path + DRY_RUN, change.patch);
      return answer.status === 200 ? undefined : { ...change, ...answer };
    }
    const answer = await this.client.attempt("PATCH", path, change.patch);
    return isDenied(answer)
      ? undefined
      : { ...change, status: answer.status, text: answer.text.slice(0, 400) };
  }

  /** Other requests, with every right on RayClusters and pods, so that nothing but the policies refuses. */
  public async everythingElse(): Promise<number> {
    const { own, shared, group, namespace } = this.bounded;
    await this.giveEveryRight();
    const rayCluster = await this.admin.get(`${this.rays}/${own}`);
    const [head] = await this.stage.ray(namespace, own).list("head");
    await this.make(this.rays, copyOf(rayCluster, shared));
    await this.make(this.rays, copyOf(rayCluster, "foreign", "default"));
    await this.make(this.pods, gatedPod("stranger", {}));
    // As a pod of another Ray cluster; the label alone would have the operator take it for its own.
    await this.make(this.pods, gatedPod("foreign-pod", { "ray.io/cluster": "nobody" }));
    const replicas = (value: number, index = 0) => [
      { op: "add", path: `/spec/workerGroupSpecs/${index}/replicas`, value },
    ];
    const toDelete = (...names: string[]) => [
      { op: "add", path: "/spec/workerGroupSpecs/0/scaleStrategy", value: { workersToDelete: names } },
    ];
    const mine = `${this.rays}/${own}`;
    const old = mine.replace("/v1/", "/v1alpha1/");
    const pod = `${this.pods}/${head.metadata.name}`;
    const stranger = `${this.pods}/stranger`;
    const foreign = `${this.pods}/foreign-pod`;
    const larger = ["requests", "limits"].map((kind) => ({
      op: "add",
      path: `/spec/containers/0/resources/${kind}/memory`,
      value: "5Gi",
    }));
    const resizing = { metadata: { annotations: { "ray.io/ippr-status": "{}" } } };
    const groups = rayCluster.spec.workerGroupSpecs;

    this.stage.step("admitted");
    const admitted: Attempt[] = [
      ["PATCH", mine, replicas(1)],
      ["PATCH", mine, replicas(1, 1)],
      ["PATCH", mine, [...replicas(0), ...toDelete(`${own}-${group}-worker-abcde`)]],
      ["PATCH", mine, toDelete()],
      ["PATCH", `${this.rays}/${shared}`, replicas(1)],
      ["PATCH", `${pod}/resize`, larger],
      ["PATCH", pod, resizing],
    ];
    for (const [method, path, body] of admitted) {
      const answer = await this.client.attempt(method, path + DRY_RUN, body);
      expect(answer.status === 200, `${method} ${path} was refused`, { body, ...answer });
    }

    this.stage.step("refused");
    const refused: Attempt[] = [
      ["POST", this.rays, copyOf(rayCluster, "made")],
      ["PUT", mine, { ...rayCluster, spec: { ...rayCluster.spec, suspend: true } }],
      ["DELETE", mine],
      ["DELETE", this.rays],
      ["PATCH", `${mine}/status`, { status: { state: "suspended" } }],
      ["PATCH", `${this.rays}/foreign`, replicas(1)],
      ["DELETE", `${this.rays}/foreign`],
      ["PATCH", old, replicas(1)],
      ["PATCH", old, { spec: { suspend: true } }],
      ["DELETE", old],
      ["PATCH", mine, { spec: { workerGroupSpecs: [groups[0]] } }],
      ["PATCH", mine, { spec: { workerGroupSpecs: [groups[0], groups[0]] } }],
      ["PATCH", mine, { spec: { workerGroupSpecs: [...groups, { ...groups[0], groupName: "new" }] } }],
      ["PATCH", mine, { spec: { workerGroupSpecs: null } }],
      ["PATCH", mine, toDelete(head.metadata.name)],
      ["PATCH", mine, toDelete("stranger")],
      ["PATCH", mine, toDelete(`${own}-more-worker-abcde`)],
      ["POST", this.pods, gatedPod("made", {})],
      ["DELETE", pod],
      ["DELETE", stranger],
      ["DELETE", this.pods],
      ["PATCH", pod, { metadata: { labels: { "ray.io/cluster": null } } }],
      ["PATCH", pod, { metadata: { annotations: { changed: "x" } } }],
      ["PATCH", pod, { metadata: { finalizers: ["example.com/changed"] } }],
      ["PATCH", pod, { metadata: { ownerReferences: null } }],
      ["PATCH", pod, [{ op: "replace", path: "/spec/containers/0/image", value: "example/changed" }]],
      ["PATCH", stranger, resizing],
      ["PATCH", foreign, resizing],
      ["PATCH", `${stranger}/resize`, larger],
      ["PATCH", `${foreign}/resize`, larger],
      ["PATCH", `${pod}/status`, { status: { message: "changed" } }],
      [
        "PATCH",
        `${pod}/ephemeralcontainers`,
        { spec: { ephemeralContainers: [{ name: "changed", image: "changed" }] } },
      ],
      [
        "POST",
        `${pod}/eviction`,
        { apiVersion: "policy/v1", kind: "Eviction", metadata: { name: head.metadata.name } },
      ],
      [
        "POST",
        `${stranger}/binding`,
        {
          apiVersion: "v1",
          kind: "Binding",
          metadata: { name: "stranger" },
          target: { kind: "Node", name: "x" },
        },
      ],
      ["POST", `${pod}/exec?command=true&container=ray-head`],
      ["POST", `${pod}/attach?container=ray-head`],
      ["POST", `${pod}/portforward?ports=8265`],
      ["GET", `${pod}/proxy/`],
    ];
    for (const [method, path, body] of refused) {
      const answer = await this.client.attempt(method, path, body);
      expect(isDenied(answer), `${method} ${path} was not refused by a policy`, { body, ...answer });
    }
    await this.expectTypesChecked();
    return admitted.length + refused.length;
  }

  /** Beside what KubeRay gives. */
  private async giveEveryRight(): Promise<void> {
    const { namespace, account } = this.bounded;
    const apiGroup = "rbac.authorization.k8s.io";
    const path = `/apis/${apiGroup}/v1/namespaces/${namespace}`;
    const metadata = { name: "every-right" };
    await this.make(`${path}/roles`, {
      metadata,
      rules: [{ apiGroups: ["", "ray.io"], resources: ["*"], verbs: ["*"] }],
    });
    await this.make(`${path}/rolebindings`, {
      metadata,
      roleRef: { apiGroup, kind: "Role", name: metadata.name },
      subjects: [{ kind: "ServiceAccount", name: account, namespace }],
    });
    await this.stage.node.waitFor("the rights", 10_000, async () => {
      return (
        (await this.client.attempt("GET", this.pods.replace(/pods$/, "pods?watch=false"))).status === 200
      );
    });
  }

  /** @throws if the API server's own look at the rules finds a type that cannot be */
  private async expectTypesChecked(): Promise<void> {
    const policies = await this.admin.list(
      "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies",
    );
    const own = policies.filter(({ metadata }) => metadata.name.startsWith("ray-autoscaler"));
    expect(
      own.length === 4,
      "there are not two policies for each Ray cluster",
      own.map(({ metadata }) => metadata.name),
    );
    for (const { metadata, status } of own) {
      expect(status?.observedGeneration !== undefined, `${metadata.name} was not checked`, status);
      const warnings = status.typeChecking?.expressionWarnings;
      expect(warnings === undefined, `${metadata.name} has warnings`, warnings);
    }
  }

  private async make(path: string, object: any): Promise<void> {
    await this.admin.create(path, object);
    this.made.push(`${path}/${object.metadata.name}`);
  }
}

type Attempt = [method: string, path: string, body?: object];

function isDenied({ status, text }: Answer): boolean {
  return status === 403 && DENIED.test(text);
}

/** A RayCluster like another one, without pods. */
function copyOf({ metadata, spec, ...rest }: KubeObject, name: string, account?: string): KubeObject {
  const copy = structuredClone(spec);
  copy.suspend = true;
  if (account !== undefined) copy.headGroupSpec.template.spec.serviceAccountName = account;
  const { namespace } = metadata;
  return { apiVersion: rest.apiVersion, kind: rest.kind, metadata: { name, namespace }, spec: copy };
}

/** A pod that never gets a node. */
function gatedPod(name: string, labels: Record<string, string>): KubeObject {
  const container = {
    name: "main",
    image: "example/none",
    resources: { requests: { memory: "4Gi" }, limits: { memory: "4Gi" } },
    securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
  };
  const securityContext = { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } };
  const spec = { schedulingGates: [{ name: "example.com/never" }], securityContext, containers: [container] };
  return { apiVersion: "v1", kind: "Pod", metadata: { name, labels }, spec };
}
