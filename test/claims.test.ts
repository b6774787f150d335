import { Construct } from "constructs";
import { TerraformStack } from "cdktf";
import {
  GkeWorkloadIdentityCluster,
  KubeRayOperator,
  RayBucketAccess,
  RayCluster,
  WorkloadIdentity,
} from "../lib";
import { bucketAccess, emptyStack, existingCluster, standardCluster } from "./support/stacks";

const ours = {
  nodePools: [{ name: "ray", machineType: "e2-standard-8", maxNodeCount: 1 }],
  location: "us-west1-b",
};

function accessTo(stack: TerraformStack, id: string, bucketName: string, more: object = {}): RayBucketAccess {
  const cluster = stack.node.findChild("cluster") as GkeWorkloadIdentityCluster;
  return new RayBucketAccess(stack, id, {
    cluster,
    bucketName,
    namespace: "ray",
    serviceAccountName: "ray",
    ...more,
  });
}

test("two buckets for one service account say to share the identity", () => {
  const stack = emptyStack();
  existingCluster(stack);
  accessTo(stack, "data", "my-data");

  expect(() => accessTo(stack, "models", "my-models")).toThrow(
    new Error(
      "'serviceAccountName' must not be one that stack/data/identity creates already: share that identity ('identity'), or set 'createServiceAccount' to false, got \"ray\" (at stack/models/identity)",
    ),
  );
});

test("two buckets share an identity, and one account in two namespaces is two", () => {
  const stack = emptyStack();
  existingCluster(stack);
  const { identity } = accessTo(stack, "data", "my-data");

  expect(() => {
    accessTo(stack, "models", "my-models", { identity, namespace: undefined, serviceAccountName: undefined });
    accessTo(stack, "other", "my-other", { namespace: "other" });
    accessTo(stack, "existing", "my-existing", { createServiceAccount: false });
  }).not.toThrow();
});

test("the same bucket twice says to grant more identities access", () => {
  const stack = emptyStack();
  existingCluster(stack);
  accessTo(stack, "data", "my-data");

  expect(() => accessTo(stack, "again", "my-data", { serviceAccountName: "other" })).toThrow(
    new Error(
      "'bucketName' must not be one that stack/data creates already: grant more identities access by 'grantRead' and 'grantReadWrite', or set 'createBucket' to false, got \"my-data\" (at stack/again)",
    ),
  );
  expect(() =>
    accessTo(stack, "taken", "my-data", { serviceAccountName: "third", createBucket: false }),
  ).not.toThrow();
});

test("the same Google service account twice says to share it", () => {
  const stack = emptyStack();
  const cluster = existingCluster(stack);
  const account = (id: string) =>
    new WorkloadIdentity(stack, id, {
      cluster,
      namespace: "ray",
      serviceAccountName: id,
      googleServiceAccountId: "my-iam-sa",
    });
  account("one");

  expect(() => account("two")).toThrow(
    new Error(
      "'googleServiceAccountId' must not be one that stack/one creates already: share that identity ('identity'), or give the account's 'googleServiceAccountEmail', got \"my-iam-sa\" (at stack/two)",
    ),
  );
});

test("the nodes of two clusters do not share an id, nor with pods", () => {
  const stack = emptyStack();
  const cluster = (id: string, clusterName: string) =>
    new GkeWorkloadIdentityCluster(stack, id, { ...ours, clusterName, nodeServiceAccountId: "my-nodes" });
  cluster("one", "one");

  expect(() => cluster("two", "two")).toThrow(
    new Error(
      "'nodeServiceAccountId' must not be one that stack/one creates already: give another id, or its email as 'nodeServiceAccountEmail', got \"my-nodes\" (at stack/two)",
    ),
  );
});

test("a cluster is created once in a place", () => {
  const stack = emptyStack();
  const cluster = (id: string, location: string) =>
    new GkeWorkloadIdentityCluster(stack, id, { ...ours, clusterName: "ray", location });
  cluster("west", "us-west1-b");

  expect(() => cluster("east", "us-east4-a")).not.toThrow();
  expect(() => cluster("again", "us-west1-b")).toThrow(
    new Error(
      "'clusterName' must not be one that stack/west creates already: share that cluster, got \"ray\" (at stack/again)",
    ),
  );
});

test("two Ray clusters of one name are of two namespaces or two clusters", () => {
  const stack = emptyStack();
  const operator = (id: string, clusterName: string) => {
    const scope = new Construct(stack, id);
    const cluster = GkeWorkloadIdentityCluster.fromClusterName(scope, "cluster", {
      clusterName,
      location: "us-west1",
    });
    return KubeRayOperator.existing(scope, "operator", { cluster });
  };
  const [one, other] = [operator("one", "one"), operator("other", "other")];
  const ray = (id: string, on: KubeRayOperator, namespace: string, serviceAccountName = id) =>
    new RayCluster(stack, id, {
      operator: on,
      rayClusterName: "ray",
      namespace,
      serviceAccountName,
      head: { cpu: 1, memoryGiB: 4 },
    });
  ray("a", one, "team");

  expect(() => ray("b", one, "other-team")).not.toThrow();
  expect(() => ray("c", other, "team")).not.toThrow();
  expect(() => ray("d", one, "team")).toThrow(
    new Error(
      "'rayClusterName' must not be one that stack/a creates already: give another name or namespace, got \"ray\" (at stack/d)",
    ),
  );
});

test("stacks are of their own", () => {
  expect(() => {
    for (const stack of [emptyStack(), emptyStack()]) bucketAccess(stack, standardCluster(stack));
  }).not.toThrow();
});
