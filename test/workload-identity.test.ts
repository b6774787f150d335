import { NamespaceV1 } from "@cdktf/provider-kubernetes/lib/namespace-v1";
import { TerraformStack } from "cdktf";
import { WorkloadIdentity, WorkloadIdentityProps } from "../lib";
import { Graph } from "./support/graph";
import { bucketAccess, emptyStack, existingCluster, standardCluster } from "./support/stacks";
import { Template } from "./support/template";

function identity(props: Partial<WorkloadIdentityProps> = {}) {
  const stack = emptyStack();
  const made = new WorkloadIdentity(stack, "identity", {
    cluster: existingCluster(stack),
    namespace: "ray",
    serviceAccountName: "my-ksa",
    ...props,
  });
  return { stack, identity: made };
}

test("a Google service account is made, bound and named on the Kubernetes service account", () => {
  const { stack } = identity({ googleServiceAccountId: "my-iam-sa" });
  const template = Template.of(stack);

  expect(template.resource("google_service_account").account_id).toBe("my-iam-sa");
  expect(template.resource("google_service_account_iam_member")).toMatchObject({
    role: "roles/iam.workloadIdentityUser",
    service_account_id: expect.stringMatching(/^\$\{google_service_account\.[\w-]+\.name\}$/),
    member: expect.stringMatching(
      /^serviceAccount:\$\{data\.google_container_cluster\.\w+\.workload_identity_config\[0\]\.workload_pool\}\[ray\/my-ksa\]$/,
    ),
  });
  expect(template.resource("kubernetes_service_account_v1")).toMatchObject({
    metadata: {
      name: "my-ksa",
      namespace: "ray",
      annotations: { "iam.gke.io/gcp-service-account": expect.stringMatching(/\.email\}$/) },
    },
    automount_service_account_token: true,
  });
});

test("the binding waits for the pool, which is the cluster's own attribute", () => {
  const stack = emptyStack();
  const cluster = standardCluster(stack);
  new WorkloadIdentity(stack, "identity", {
    cluster,
    namespace: "ray",
    serviceAccountName: "my-ksa",
    googleServiceAccountId: "my-iam-sa",
  });
  const graph = Graph.of(stack);

  expect(graph.directDependencies(graph.addressesOfType("google_service_account_iam_member")[0])).toContain(
    graph.addressesOfType("google_container_cluster")[0],
  );
});

test("an existing Google service account is used by its email, whatever its project", () => {
  const email = "team@other-project.iam.gserviceaccount.com";
  const { stack, identity: made } = identity({ googleServiceAccountEmail: email });
  const template = Template.of(stack);

  expect(made.member).toBe(`serviceAccount:${email}`);
  expect(template.resources("google_service_account")).toEqual([]);
  expect(template.resource("google_service_account_iam_member").service_account_id).toBe(
    `projects/-/serviceAccounts/${email}`,
  );
});

test("without a Google service account the pods act as themselves", () => {
  const { stack } = identity();
  const template = Template.of(stack);

  expect(template.resources("google_service_account_iam_member")).toEqual([]);
  expect(template.dataSources("google_project")).toHaveLength(1);
  expect(template.resource("kubernetes_service_account_v1").metadata).not.toHaveProperty("annotations");
});

test("a project number that is given is not looked up", () => {
  const { stack, identity: made } = identity({ projectNumber: "123456789012" });

  expect(Template.of(stack).dataSources("google_project")).toEqual([]);
  bucketAccess(stack, made.cluster, { identity: made });
  const [grant] = Template.of(stack).resources("google_storage_bucket_iam_member");
  expect(grant.member).toMatch(
    /^principal:\/\/iam\.googleapis\.com\/projects\/123456789012\/locations\/global\/workloadIdentityPools\/\$\{.*workload_pool\}\/subject\/ns\/ray\/sa\/my-ksa$/,
  );
});

test("an existing Kubernetes service account is annotated and not made", () => {
  const { stack } = identity({ createServiceAccount: false, googleServiceAccountId: "my-iam-sa" });
  const template = Template.of(stack);

  expect(template.resources("kubernetes_service_account_v1")).toEqual([]);
  expect(template.resource("kubernetes_annotations")).toMatchObject({
    api_version: "v1",
    kind: "ServiceAccount",
    metadata: { name: "my-ksa", namespace: "ray" },
    annotations: { "iam.gke.io/gcp-service-account": expect.any(String) },
  });
});

test("an existing Kubernetes service account that acts as itself is left alone", () => {
  const { stack } = identity({ createServiceAccount: false });
  const template = Template.of(stack);

  expect(template.resources("kubernetes_service_account_v1")).toEqual([]);
  expect(template.resources("kubernetes_annotations")).toEqual([]);
});

test("a namespace is made once, however many identities are in it", () => {
  const { stack, identity: first } = identity();
  new WorkloadIdentity(stack, "second", {
    cluster: first.cluster,
    namespace: "ray",
    serviceAccountName: "second-ksa",
  });

  expect(Template.of(stack).resource("kubernetes_namespace_v1").metadata.name).toBe("ray");
});

test.each(["default", "kube-system"])("the namespace %s is never made", (namespace) => {
  expect(Template.of(identity({ namespace }).stack).resources("kubernetes_namespace_v1")).toEqual([]);
});

test("a namespace that another resource makes is not made twice", () => {
  const stack = emptyStack();
  const cluster = standardCluster(stack);
  const namespace = new NamespaceV1(stack, "mine", {
    metadata: { name: "ray" },
    provider: cluster.kubernetesProvider,
  }).metadata.name;
  new WorkloadIdentity(stack, "identity", { cluster, namespace, serviceAccountName: "my-ksa" });
  const graph = Graph.of(stack);

  expect(graph.addressesOfType("kubernetes_namespace_v1")).toEqual(["kubernetes_namespace_v1.mine"]);
  expect(
    graph.dependsOn(graph.addressesOfType("kubernetes_service_account_v1"), "kubernetes_namespace_v1.mine"),
  ).toBe(true);
});

test("a namespace is made in each of two clusters", () => {
  const stack = emptyStack();
  for (const name of ["a", "b"]) {
    const cluster = existingCluster(stack, { clusterName: name }, name);
    new WorkloadIdentity(stack, `identity-${name}`, {
      cluster,
      namespace: "ray",
      serviceAccountName: "my-ksa",
    });
  }
  expect(Template.of(stack).resources("kubernetes_namespace_v1")).toHaveLength(2);
});

test("constructs that disagree about a namespace are told so", () => {
  const { stack, identity: first } = identity();

  expect(
    () =>
      new WorkloadIdentity(stack, "second", {
        cluster: first.cluster,
        namespace: "ray",
        createNamespace: false,
        serviceAccountName: "second-ksa",
      }),
  ).toThrow(
    new Error(
      `'createNamespace' must be the same wherever "ray" is used, but stack/identity has true, got false (at stack/second)`,
    ),
  );
});

const ACCOUNT_ID =
  "6 to 30 lower-case letters, digits or hyphens, starting with a letter and not ending with a hyphen";

test.each<[string, Partial<WorkloadIdentityProps>, string]>([
  [
    "a Google service account id of five letters",
    { googleServiceAccountId: "abcde" },
    `'googleServiceAccountId' must be ${ACCOUNT_ID}, got "abcde"`,
  ],
  [
    "a Google service account id of 31 letters",
    { googleServiceAccountId: "a".repeat(31) },
    `'googleServiceAccountId' must be ${ACCOUNT_ID}, got "${"a".repeat(31)}"`,
  ],
  [
    "an email that is no service account's",
    { googleServiceAccountEmail: "someone@example.com" },
    `'googleServiceAccountEmail' must be the email of a Google service account, such as "name@project-id.iam.gserviceaccount.com", got "someone@example.com"`,
  ],
  [
    "an existing account given together with the id of a new one",
    {
      googleServiceAccountEmail: "a@my-project-id.iam.gserviceaccount.com",
      googleServiceAccountId: "my-iam-sa",
    },
    "'googleServiceAccountEmail' must not be given together with 'googleServiceAccountId'",
  ],
  [
    "a namespace with a dot",
    { namespace: "ray.test" },
    `'namespace' must be a DNS label: 1 to 63 lower-case letters, digits or hyphens, starting and ending with a letter or digit, got "ray.test"`,
  ],
  [
    "a service account name with a capital",
    { serviceAccountName: "My-KSA" },
    `'serviceAccountName' must be a DNS subdomain: 1 to 253 lower-case letters, digits, hyphens or dots, starting and ending with a letter or digit, got "My-KSA"`,
  ],
  [
    "a built-in namespace to be made",
    { namespace: "default", createNamespace: true },
    `'createNamespace' must be false for "default", which every cluster has, got true`,
  ],
  [
    "a project number that is an id",
    { projectNumber: "my-project-id" },
    `'projectNumber' must be a project number: digits only, got "my-project-id"`,
  ],
])("%s is refused", (_what, props, message) => {
  expect(() => identity(props)).toThrow(new Error(`${message} (at stack/identity)`));
});

test("a cluster of another stack is refused, because providers do not reach beyond theirs", () => {
  const platform = emptyStack();
  const team = new TerraformStack(platform.node.root, "team");
  const cluster = standardCluster(platform);

  expect(
    () => new WorkloadIdentity(team, "identity", { cluster, namespace: "ray", serviceAccountName: "ray" }),
  ).toThrow(
    new Error(
      "'cluster' must be of the stack team, not of stack, whose providers do not reach here: " +
        "look it up here by GkeWorkloadIdentityCluster.fromClusterName (at team/identity)",
    ),
  );
});
