import type { AuditEvent } from "../node/audit";
import { type Access, allowed, denied, describeWhole, type Kind, type Namespaces, probe } from "./access";
import { type RbacGrant, grantFor } from "./grants";
import { ALLOW, type Feature } from "./matrix";

const FEATURES = [...new Set(ALLOW.flatMap(({ feature }) => feature ?? []))];

const NAMESPACES: Namespaces = {
  workload: "tasks",
  system: "skypilot-system",
  ingress: "ingress-nginx",
  launcher: "launchers",
  "kube-system": "kube-system",
  elsewhere: "elsewhere",
};

function access(part: Partial<Access>): Access {
  return {
    verb: "list",
    group: "",
    resource: "pods",
    subresource: "",
    namespace: "tasks",
    name: "",
    ...part,
  };
}

const KINDS: readonly Kind[] = ["launcher", "workload", "shared", "controller"];
const SETS: readonly (readonly Feature[])[] = [[], FEATURES, ...FEATURES.map((feature) => [feature])];

test.each(KINDS.flatMap((kind) => SETS.map((features) => [kind, features] as const)))(
  "a %s with %p is denied nothing that it is allowed",
  (kind, features) => {
    const may = new Set(allowed(kind, features, NAMESPACES).map(describeWhole));

    const both = denied(kind, features, NAMESPACES)
      .map(describeWhole)
      .filter((text) => may.has(text));

    expect(both).toEqual([]);
  },
);

test("a feature that is off is denied what it would allow", () => {
  const without = new Set(denied("launcher", [], NAMESPACES).map(describeWhole));
  const none = new Set(allowed("launcher", [], NAMESPACES).map(describeWhole));

  const added = allowed("launcher", FEATURES, NAMESPACES)
    .map(describeWhole)
    .filter((text) => !none.has(text));

  expect(added.filter((text) => !without.has(text))).toEqual([]);
});

test("a probe asks for something that does not exist, or sends nothing", () => {
  expect(probe(access({ verb: "delete" }))).toEqual({
    method: "DELETE",
    path: "/api/v1/namespaces/tasks/pods/absent",
    body: undefined,
  });
  expect(probe(access({ verb: "create", subresource: "exec" }))).toEqual({
    method: "POST",
    path: "/api/v1/namespaces/tasks/pods/absent/exec",
    body: [],
  });
  expect(probe(access({ verb: "deletecollection", group: "apps", resource: "deployments" }))).toEqual({
    method: "DELETE",
    path: "/apis/apps/v1/namespaces/tasks/deployments?labelSelector=rehearsal%3Dnothing",
    body: undefined,
  });
  expect(probe(access({ verb: "impersonate", resource: "users" }))).toBeUndefined();
});

describe("the grant that a request needs", () => {
  const inNamespace: RbacGrant = { ...access({}), role: "role" };
  const inCluster: RbacGrant = { ...access({ namespace: "" }), role: "cluster role" };
  const named: RbacGrant = { ...access({ verb: "get", name: "mine" }), role: "role" };
  const request = (verb: string, objectRef: AuditEvent["objectRef"]) => ({ verb, objectRef }) as AuditEvent;

  test("is that of its namespace rather than that of the cluster", () => {
    const event = request("list", { resource: "pods", namespace: "tasks" });

    expect(grantFor([inCluster, inNamespace], event)).toBe(inNamespace);
    expect(grantFor([inCluster], event)).toBe(inCluster);
  });

  test("is that of the cluster where it names no namespace", () => {
    expect(grantFor([inNamespace, inCluster], request("list", { resource: "pods" }))).toBe(inCluster);
  });

  test("holds for its name and for no other", () => {
    const get = (name: string) => request("get", { resource: "pods", namespace: "tasks", name });

    expect(grantFor([named], get("mine"))).toBe(named);
    expect(grantFor([named], get("another"))).toBeUndefined();
  });

  test("is none where no grant fits", () => {
    const exec = request("list", { resource: "pods", subresource: "exec", namespace: "tasks" });

    expect(grantFor([inNamespace, inCluster], exec)).toBeUndefined();
  });
});
