import { TerraformVariable } from "cdktf";
import { KubeRayOperator, RayAuthProxy, RayCluster, RbacSubject } from "../lib";
import { authProxy, emptyStack, standardCluster } from "./support/stacks";
import { Template } from "./support/template";

test.each([
  ["a name alone", RbacSubject.user("ada"), `be an email, such as "ada@example.com", got "ada"`],
  [
    "an email with blanks",
    RbacSubject.user(" ada@example.com\n"),
    `be an email, such as "ada@example.com", got " ada@example.com\\n"`,
  ],
  [
    "a group's name alone",
    RbacSubject.group("team"),
    `be an email, such as "ray-users@example.com", got "team"`,
  ],
  [
    "a user as IAM writes it",
    RbacSubject.user("user:ada@example.com"),
    `be named as Kubernetes does, "ada@example.com", and not as IAM does, got "user:ada@example.com"`,
  ],
  [
    "an account as IAM writes it",
    RbacSubject.user("serviceAccount:ci@p.iam.gserviceaccount.com"),
    `be named as Kubernetes does, "ci@p.iam.gserviceaccount.com", and not as IAM does, got "serviceAccount:ci@p.iam.gserviceaccount.com"`,
  ],
  [
    "a group as IAM writes it",
    RbacSubject.group("group:team@example.com"),
    `be named as Kubernetes does, "team@example.com", and not as IAM does, got "group:team@example.com"`,
  ],
  [
    "whoever has a Google account",
    RbacSubject.group("system:authenticated"),
    `not be everybody: name who may, got "system:authenticated"`,
  ],
  [
    "whoever has none",
    RbacSubject.group("system:unauthenticated"),
    `not be everybody: name who may, got "system:unauthenticated"`,
  ],
  [
    "nobody in particular",
    RbacSubject.user("system:anonymous"),
    `not be everybody: name who may, got "system:anonymous"`,
  ],
])(
  "%s is refused where rights are granted and where commands are asked for",
  (_who, subject, requirement) => {
    const { proxy } = authProxy();
    const message = `'subject' must ${requirement} (at stack/auth)`;

    expect(() => proxy.grantView(subject)).toThrow(new Error(message));
    expect(() => proxy.jobHeadersCommand(subject)).toThrow(new Error(message));
  },
);

test("a service account without a namespace is refused", () => {
  const { proxy } = authProxy();

  expect(() => proxy.grantView(RbacSubject.serviceAccount("ci", undefined as unknown as string))).toThrow(
    new Error("'subject.namespace' must be given, got null (at stack/auth)"),
  );
});

test.each([
  ["the email of a person", RbacSubject.user("ada@example.com")],
  ["the email of a Google service account", RbacSubject.user("ci@my-project.iam.gserviceaccount.com")],
  ["the number of a Google service account", RbacSubject.user("113774264463038321964")],
  ["a user of Kubernetes itself", RbacSubject.user("system:serviceaccount:ci:builder")],
  [
    "a federated identity",
    RbacSubject.user("principal://iam.googleapis.com/locations/global/workforcePools/p/subject/ada"),
  ],
  [
    "a pool of federated identities",
    RbacSubject.group("principalSet://iam.googleapis.com/locations/global/workforcePools/p/group/g"),
  ],
  [
    "a group of Kubernetes itself, which needs no Google Groups",
    RbacSubject.group("system:serviceaccounts:ci"),
  ],
])("%s is accepted", (_who, subject) => {
  const stack = emptyStack();
  const operator = KubeRayOperator.gkeAddon(stack, "operator", { cluster: standardCluster(stack) });
  const head = { cpu: 2, memoryGiB: 8 };
  const ray = new RayCluster(stack, "ray", { operator, rayClusterName: "ray", namespace: "ray", head });

  expect(() => new RayAuthProxy(stack, "auth", { rayCluster: ray }).grantView(subject)).not.toThrow();
});

test("a reference is one subject, however often it is granted something", () => {
  const { stack, proxy } = authProxy();
  const user = new TerraformVariable(stack, "user", { type: "string" });
  proxy.grantView(RbacSubject.user(user.stringValue));
  proxy.grantView(RbacSubject.user(user.stringValue));
  proxy.grantSubmit(RbacSubject.user(user.stringValue));

  const names = Template.of(stack)
    .resources("kubernetes_role_binding_v1")
    .map(({ metadata }) => metadata.name);
  expect(names.sort()).toEqual(
    ["connect", "submit", "view"].map((role) => `ray:raycluster-mini:${role}:user:\${var.user}`),
  );
});
