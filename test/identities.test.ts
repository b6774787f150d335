import { TerraformStack } from "cdktf";
import {
  IGkeWorkloadIdentityCluster,
  IWorkloadIdentity,
  KubeRayOperator,
  RayCluster,
  SkyPilotServiceAccount,
  WorkloadIdentity,
} from "../lib";
import { bucketAccess, emptyStack, existingCluster, problemsOf, rayCluster } from "./support/stacks";

const EMAIL = "my-iam-sa@my-project-id.iam.gserviceaccount.com";

function identity(
  stack: TerraformStack,
  cluster: IGkeWorkloadIdentityCluster,
  id: string,
  props: { namespace: string; email?: string; create?: boolean },
): WorkloadIdentity {
  return new WorkloadIdentity(stack, id, {
    cluster,
    namespace: props.namespace,
    serviceAccountName: "tasks",
    googleServiceAccountEmail: props.email,
    createServiceAccount: props.create,
  });
}

describe("SkyPilot's tasks are never who Ray's pods are in Google Cloud", () => {
  test.each<[string, (ray: IWorkloadIdentity) => string | undefined]>([
    ["by the email as text", () => EMAIL],
    ["by a reference to the account", (ray) => ray.googleServiceAccountEmail],
  ])("%s", (_how, emailOf) => {
    const stack = emptyStack();
    const cluster = existingCluster(stack, { project: "my-project-id" });
    const access = bucketAccess(stack, cluster);
    const tasks = identity(stack, cluster, "tasks", { namespace: "sky", email: emailOf(access.identity) });
    new SkyPilotServiceAccount(stack, "sky", { cluster, namespace: "sky", workloadIdentity: tasks });
    new RayCluster(stack, "ray", {
      operator: KubeRayOperator.existing(stack, "operator", { cluster }),
      rayClusterName: "ray",
      identity: access.identity,
      head: { cpu: 2, memoryGiB: 8 },
    });

    expect(problemsOf(stack)).toEqual([
      `[stack] 'workloadIdentity' must not be who the pods of stack/ray are in Google Cloud: SkyPilot's tasks would have the rights of Ray's, got "stack/tasks" (at stack/sky)`,
    ]);
  });
});

test("a Kubernetes service account has one Google identity, whoever creates the account", () => {
  const stack = emptyStack();
  const cluster = existingCluster(stack);
  identity(stack, cluster, "a", { namespace: "team", email: EMAIL });

  expect(() =>
    identity(stack, cluster, "b", { namespace: "team", email: EMAIL.replace("my", "your"), create: false }),
  ).toThrow(
    `'serviceAccountName' must not be one that stack/a creates already: a Kubernetes service account has one Google identity; share it ('identity'), got "tasks" (at stack/b)`,
  );
});

test("what has an identity is not taken for one", () => {
  const stack = emptyStack();
  const access = bucketAccess(stack, existingCluster(stack));

  expect(() => rayCluster({ identity: access as unknown as IWorkloadIdentity })).toThrow(
    `'identity' must be an identity, such as a WorkloadIdentity or the 'identity' of a RayBucketAccess, got "stack/bucket" (at stack/ray)`,
  );
});

test("the account that every namespace has is not created again", () => {
  expect(() => rayCluster({ serviceAccountName: "default" })).toThrow(
    `'serviceAccountName' must not be one that every namespace has already, got "default" (at stack/ray)`,
  );
});
