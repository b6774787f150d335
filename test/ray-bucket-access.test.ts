import { TerraformVariable, Testing } from "cdktf";
import { BucketRole, RayBucketAccess, RayBucketAccessProps, WorkloadIdentity } from "../lib";
import { bucketAccess, emptyStack, existingCluster, standardCluster, warningsOf } from "./support/stacks";
import { Template } from "./support/template";

function bucketOf(props: Partial<RayBucketAccessProps> = {}): any {
  const stack = emptyStack();
  bucketAccess(stack, existingCluster(stack), props);
  return Template.of(stack).resource("google_storage_bucket");
}

function grantsOf(props: Partial<RayBucketAccessProps> = {}): any[] {
  const stack = emptyStack();
  bucketAccess(stack, existingCluster(stack), props);
  return Template.of(stack)
    .resources("google_storage_bucket_iam_member")
    .sort((a, b) => b.role.localeCompare(a.role));
}

test("a bucket is in the cluster's region, private, and not lost by accident", () => {
  expect(bucketOf()).toMatchObject({
    name: "my-bucket",
    location: "US-WEST1",
    uniform_bucket_level_access: true,
    public_access_prevention: "enforced",
    force_destroy: false,
    versioning: { enabled: false },
  });
});

test("a bucket's region is computed by Terraform when the location is known only there", () => {
  const stack = emptyStack();
  const location = new TerraformVariable(stack, "location", { type: "string" }).stringValue;
  bucketAccess(stack, existingCluster(stack, { location }));

  expect(Template.of(stack).resource("google_storage_bucket").location).toBe(
    '${upper(join("-", slice(split("-", var.location), 0, 2)))}',
  );
});

test("a bucket's settings are one prop each", () => {
  const bucket = bucketOf({
    bucketLocation: "EU",
    storageClass: "NEARLINE",
    versioning: true,
    softDeleteRetentionDays: 14,
    lifecycleRules: [
      { ageDays: 30, prefixes: ["tmp/"] },
      { storageClass: "COLDLINE", newerVersions: 3 },
    ],
    kmsKeyName: "projects/p/locations/eu/keyRings/r/cryptoKeys/k",
    accessLogBucketName: "my-logs",
    labels: { team: "a" },
    forceDestroy: true,
  });

  expect(bucket).toMatchObject({
    location: "EU",
    storage_class: "NEARLINE",
    versioning: { enabled: true },
    soft_delete_policy: { retention_duration_seconds: 14 * 86400 },
    lifecycle_rule: [
      { action: { type: "Delete" }, condition: { age: 30, matches_prefix: ["tmp/"] } },
      {
        action: { type: "SetStorageClass", storage_class: "COLDLINE" },
        condition: { num_newer_versions: 3 },
      },
    ],
    encryption: { default_kms_key_name: "projects/p/locations/eu/keyRings/r/cryptoKeys/k" },
    logging: { log_bucket: "my-logs" },
    labels: { team: "a" },
    force_destroy: true,
  });
});

test("the identity may use objects and read the bucket's settings, and no more", () => {
  const grants = grantsOf();

  expect(grants.map(({ role }) => role)).toEqual(["roles/storage.objectUser", "roles/storage.bucketViewer"]);
  expect(new Set(grants.map(({ member }) => member)).size).toBe(1);
  expect(grants[0].member).toMatch(/^\$\{google_service_account\.\w+[\w-]*\.member\}$/);
});

test("read-only access is one prop", () => {
  expect(grantsOf({ readOnly: true }).map(({ role }) => role)).toEqual([
    "roles/storage.objectViewer",
    "roles/storage.bucketViewer",
  ]);
});

test("the roles can be the seed's, or any other", () => {
  const roles = [BucketRole.ADMIN, BucketRole.of("projects/p/roles/mine")];

  expect(grantsOf({ roles }).map(({ role }) => role)).toEqual([
    "roles/storage.admin",
    "projects/p/roles/mine",
  ]);
});

test("a prefix limits the grant on objects but not the right to read the bucket's settings", () => {
  const [objects, settings] = grantsOf({ objectPrefix: "team-a/" });

  expect(objects.condition.expression).toMatch(
    /^resource\.name\.startsWith\("projects\/_\/buckets\/\$\{google_storage_bucket\.\w+\.name\}\/objects\/team-a\/"\)$/,
  );
  expect(settings).not.toHaveProperty("condition");
});

describe("a prefix", () => {
  const RULE =
    'be the beginning of an object\'s name, of at most 1024 bytes without double quotes, backslashes, control characters, "${" and "%{"';

  test.each([
    'a/") || resource.name != ("x',
    "a\\",
    "a\\u0022",
    "a\nb",
    "a\rb",
    "a\0b",
    "${var.team}",
    "a%{ if true }",
    "é".repeat(513),
  ])("that would change the condition is refused: %j", (objectPrefix) => {
    const message = `'objectPrefix' must ${RULE}, got ${JSON.stringify(objectPrefix)} (at stack/bucket)`;

    expect(() => grantsOf({ objectPrefix })).toThrow(new Error(message));
    const stack = emptyStack();
    const access = bucketAccess(stack, existingCluster(stack));
    for (const grant of ["grantRead", "grantReadWrite"] as const) {
      expect(() => access[grant](access.identity, { objectPrefix })).toThrow(new Error(message));
    }
  });

  test("that is empty is refused", () => {
    expect(() => grantsOf({ objectPrefix: "" })).toThrow(
      new Error(
        `'objectPrefix' must have at least one character, or be left out for all objects, got "" (at stack/bucket)`,
      ),
    );
  });

  test.each(["team-a/", "it's (a) 'b'/", "ünï/", "$HOME/100%/", "a/{b}/"])(
    "is taken as it is written: %s",
    (objectPrefix) => {
      expect(grantsOf({ objectPrefix })[0].condition).toEqual({
        title: "object-prefix",
        description: `Objects whose names begin with ${objectPrefix}`,
        expression: expect.stringContaining(`.name}/objects/${objectPrefix}")`),
      });
    },
  );

  test("that Terraform alone knows is put between quotes by Terraform", () => {
    const stack = emptyStack();
    const team = new TerraformVariable(stack, "team", {}).stringValue;
    bucketAccess(stack, existingCluster(stack), { objectPrefix: `teams/${team}/` });
    const grants = Template.of(stack).resources("google_storage_bucket_iam_member");

    expect(grants.find(({ condition }) => condition !== undefined).condition.expression).toMatch(
      /^resource\.name\.startsWith\(\$\{jsonencode\("projects\/_\/buckets\/\$\{google_storage_bucket\.\w+\.name\}\/objects\/teams\/\$\{var\.team\}\/"\)\}\)$/,
    );
  });

  test("of any length has a description that IAM takes", () => {
    const [{ condition }] = grantsOf({ objectPrefix: `${"a".repeat(300)}/` });

    expect(condition.description).toBe(`Objects whose names begin with ${"a".repeat(222)}...`);
  });

  test("without a slash at its end is warned of, once", () => {
    const stack = emptyStack();
    const access = bucketAccess(stack, existingCluster(stack), { objectPrefix: "team-a" });
    access.grantRead(access.identity, { objectPrefix: "team-a" });
    access.grantRead(access.identity, { objectPrefix: "team-b/" });

    expect(warningsOf(stack)).toEqual([
      [
        "stack/bucket",
        `'objectPrefix' "team-a" is also the beginning of names such as "team-ab/data": end it with "/" to mean a folder`,
      ],
    ]);
  });
});

test("an existing bucket is only granted on", () => {
  const stack = emptyStack();
  bucketAccess(stack, existingCluster(stack), { createBucket: false });
  const template = Template.of(stack);

  expect(template.resources("google_storage_bucket")).toEqual([]);
  expect(template.resources("google_storage_bucket_iam_member").map(({ bucket }) => bucket)).toEqual([
    "my-bucket",
    "my-bucket",
  ]);
});

test("several buckets share one identity, and several identities one bucket", () => {
  const stack = emptyStack();
  const cluster = existingCluster(stack);
  const first = bucketAccess(stack, cluster);
  const second = new RayBucketAccess(stack, "second", {
    cluster,
    bucketName: "my-second-bucket",
    identity: first.identity,
    readOnly: true,
  });
  const other = new WorkloadIdentity(stack, "other", {
    cluster,
    namespace: "other",
    serviceAccountName: "my-ksa",
    projectNumber: "123",
  });
  first.grantRead(other);
  first.grantRead(other);
  second.grantReadWrite(other, { objectPrefix: "other/" });
  const template = Template.of(stack);

  expect(template.resources("google_service_account")).toHaveLength(1);
  expect(first.grants).toHaveLength(4);
  expect(second.grants).toHaveLength(4);
  expect(first.identity.podDependencies).toHaveLength(2 + 4);
  expect(other.podDependencies).toHaveLength(1 + 4);
});

test("a bucket of a cluster that enables APIs waits for the storage API alone", () => {
  const stack = emptyStack();
  bucketAccess(stack, standardCluster(stack, { enableApis: true }));

  expect(Template.of(stack).resource("google_storage_bucket").depends_on).toEqual([
    expect.stringContaining("api-storage"),
  ]);
});

test("a value that is known only later is not judged", () => {
  const stack = emptyStack();
  const name = new TerraformVariable(stack, "name", { type: "string" }).stringValue;
  bucketAccess(stack, existingCluster(stack), {
    bucketName: name,
    namespace: name,
    serviceAccountName: name,
    googleServiceAccountId: name,
  });

  expect(() => Testing.synth(stack)).not.toThrow();
});

const OWN_IDENTITY = "'identity': it is for an identity that is made here";
const OWN_BUCKET = "with 'createBucket' false: it is for a bucket that is made here";

test.each<[string, Partial<RayBucketAccessProps>, string]>([
  ["two letters", { bucketName: "ab" }, `'bucketName' must have 3 to 63 characters, got "ab"`],
  [
    "64 letters",
    { bucketName: "a".repeat(64) },
    `'bucketName' must have 3 to 63 characters, got "${"a".repeat(64)}"`,
  ],
  [
    "capitals",
    { bucketName: "My-Bucket" },
    `'bucketName' must have only lower-case letters, digits, hyphens, underscores and dots, got "My-Bucket"`,
  ],
  [
    "two dots in a row",
    { bucketName: "my..bucket" },
    `'bucketName' must have 1 to 63 characters between its dots, got "my..bucket"`,
  ],
  [
    "a hyphen at the end",
    { bucketName: "my-bucket-" },
    `'bucketName' must start and end with a letter or digit, got "my-bucket-"`,
  ],
  [
    "an address",
    { bucketName: "192.168.5.4" },
    `'bucketName' must not look like an IP address, got "192.168.5.4"`,
  ],
  ["goog in front", { bucketName: "goog-data" }, `'bucketName' must not start with "goog", got "goog-data"`],
  [
    "google within",
    { bucketName: "my-google-data" },
    `'bucketName' must not contain "google", got "my-google-data"`,
  ],
  [
    "five days of soft delete",
    { softDeleteRetentionDays: 5 },
    "'softDeleteRetentionDays' must be a whole number between 7 and 90, got 5",
  ],
  [
    "a lifecycle rule about everything",
    { lifecycleRules: [{}] },
    "'lifecycleRules[0]' must have at least one of 'ageDays', 'newerVersions' and 'prefixes', got {}",
  ],
  [
    "a rule about versions without versions",
    { lifecycleRules: [{ newerVersions: 2 }] },
    "'lifecycleRules[0].newerVersions' must not be given without 'versioning', got 2",
  ],
  [
    "read-only access together with roles",
    { readOnly: true, roles: [BucketRole.ADMIN] },
    "'readOnly' must not be given together with 'roles'",
  ],
  [
    "an existing bucket together with a setting of a new one",
    { createBucket: false, versioning: true },
    `'versioning' must not be given together ${OWN_BUCKET}`,
  ],
  ["no namespace", { namespace: undefined }, "'namespace' must be given unless 'identity' is"],
])("%s is refused", (_what, props, message) => {
  const stack = emptyStack();
  const cluster = existingCluster(stack);

  expect(() => bucketAccess(stack, cluster, props)).toThrow(new Error(`${message} (at stack/bucket)`));
});

test("an existing identity together with the name of a new one is refused", () => {
  const stack = emptyStack();
  const cluster = existingCluster(stack);
  const identity = new WorkloadIdentity(stack, "identity", {
    cluster,
    namespace: "ray",
    serviceAccountName: "my-ksa",
  });

  expect(() => bucketAccess(stack, cluster, { identity, googleServiceAccountId: "my-iam-sa" })).toThrow(
    new Error(`'googleServiceAccountId' must not be given together with ${OWN_IDENTITY} (at stack/bucket)`),
  );
});
