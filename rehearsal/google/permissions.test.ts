import { evaluateCondition } from "./conditions";
import { Members } from "./members";
import { StorageDecisions } from "./permissions";
import { Binding, PolicyStore } from "./policies";
import { Project } from "./project";
import { Visibility } from "./visibility";

const READER = "serviceAccount:reader@my-project.iam.gserviceaccount.com";
const POOL =
  "principal://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/my-project.svc.id.goog";

function decisions(bindings: Binding[], onProject: Binding[] = []): StorageDecisions {
  const project = new Project("my-project", "1", "all");
  const policies = new PolicyStore(new Members(project, new Visibility()));
  policies.seed("buckets/data", bindings);
  policies.seed("projects/my-project", onProject);
  return new StorageDecisions(project, policies);
}

/** What each role lets its member do: get, list, create, delete, update of objects, get of the bucket. */
const TABLE: [role: string, allowed: string][] = [
  ["roles/storage.objectViewer", "get list"],
  ["roles/storage.objectCreator", "create"],
  ["roles/storage.objectUser", "get list create delete update"],
  ["roles/storage.objectAdmin", "get list create delete update"],
  ["roles/storage.bucketViewer", "bucket"],
  ["roles/storage.legacyBucketReader", "list bucket"],
  ["roles/storage.legacyBucketWriter", "list create delete bucket"],
  ["roles/storage.legacyObjectReader", "get"],
  ["roles/storage.admin", "get list create delete update bucket"],
  ["roles/storage.insightsCollectorService", ""],
];

test.each(TABLE)("%s allows: %s", (role, allowed) => {
  const decide = decisions([{ role, members: [READER] }]);
  const may = ["get", "list", "create", "delete", "update"].filter((verb) =>
    decide.allows(READER, `storage.objects.${verb}`, {
      bucket: "data",
      ...(verb !== "list" && { object: "a" }),
    }),
  );
  if (decide.allows(READER, "storage.buckets.get", { bucket: "data" })) may.push("bucket");
  expect(may.join(" ")).toBe(allowed);
});

test("a grant is for its member and its bucket alone", () => {
  const decide = decisions([{ role: "roles/storage.admin", members: [READER] }]);
  const other = "serviceAccount:other@my-project.iam.gserviceaccount.com";
  expect(decide.allows(other, "storage.buckets.get", { bucket: "data" })).toBe(false);
  expect(decide.allows(READER, "storage.buckets.get", { bucket: "other" })).toBe(false);
});

test("a grant on the project reaches its buckets", () => {
  const decide = decisions([], [{ role: "roles/storage.objectViewer", members: [READER] }]);
  expect(decide.allows(READER, "storage.objects.get", { bucket: "data", object: "a" })).toBe(true);
});

test("a grant to a namespace of the pool reaches its service accounts", () => {
  const members = [`${POOL.replace("principal:", "principalSet:")}/namespace/ray`];
  const decide = decisions([{ role: "roles/storage.objectViewer", members }]);
  const reads = (subject: string) =>
    decide.allows(`${POOL}/subject/${subject}`, "storage.objects.list", { bucket: "data" });
  expect([reads("ns/ray/sa/a"), reads("ns/ray2/sa/a"), reads("ns/other/sa/ray")]).toEqual([
    true,
    false,
    false,
  ]);
});

test("a condition on a prefix lets objects below it be read, but not listed", () => {
  const expression = 'resource.name.startsWith("projects/_/buckets/data/objects/public/")';
  const condition = { title: "public", expression };
  const decide = decisions([{ role: "roles/storage.objectViewer", members: [READER], condition }]);
  const reads = (object: string) => decide.allows(READER, "storage.objects.get", { bucket: "data", object });
  expect([reads("public/a"), reads("private/a"), reads("public")]).toEqual([true, false, false]);
  expect(decide.allows(READER, "storage.objects.list", { bucket: "data" })).toBe(false);
});

describe("conditions", () => {
  const object = {
    "resource.name": "projects/_/buckets/data/objects/public/a.txt",
    "resource.type": "storage.googleapis.com/Object",
    "resource.service": "storage.googleapis.com",
  };

  test.each([
    ['resource.name.endsWith(".txt")', true],
    ['resource.type == "storage.googleapis.com/Bucket"', false],
    ["resource.type != 'storage.googleapis.com/Bucket'", true],
    ['resource.type != "storage.googleapis.com/Object" || resource.name.endsWith(".csv")', false],
    ['!(resource.name.endsWith(".csv") || resource.name.endsWith(".txt"))', false],
    ['resource.service == "storage.googleapis.com" && resource.name.startsWith("projects/_/")', true],
  ])("%s is %s", (expression, expected) => {
    expect(evaluateCondition(expression, object)).toBe(expected);
  });

  test.each([
    'request.time < timestamp("2030-01-01T00:00:00Z")',
    "resource.name",
    'resource.name == "a" resource',
    "",
  ])("%s cannot be evaluated", (expression) => {
    expect(() => evaluateCondition(expression, object)).toThrow("cannot be evaluated");
  });
});
