import { without } from "./json";
import { NUMBER, PROJECT, withApis } from "./test-client";

const BUCKETS = "/storage/v1/b";
const INSERT = `${BUCKETS}?alt=json&prettyPrint=false&project=${PROJECT}`;
const BUCKET = `${BUCKETS}/recorded-bucket`;

const REQUEST = {
  name: "recorded-bucket",
  location: "us",
  iamConfiguration: { uniformBucketLevelAccess: { enabled: false } },
  labels: { team: "ml" },
  lifecycle: { rule: [{ action: { type: "Delete" }, condition: { age: 7 } }] },
  softDeletePolicy: { retentionDurationSeconds: "604800" },
  storageClass: "STANDARD",
  versioning: { enabled: false },
};

const refusal = (code: number, reason: string, message: unknown) => ({
  status: code,
  body: { error: { code, message, errors: [{ domain: "global", message, reason }] } },
});

describe("buckets, as recorded", () => {
  test("a bucket that does not exist, without a canonical status", async () => {
    await withApis({}, async (client) => {
      expect(await client.get(BUCKET)).toEqual(
        refusal(404, "notFound", "The specified bucket does not exist."),
      );
    });
  });

  test("a created bucket is read back with its defaults", async () => {
    await withApis({}, async (client) => {
      const created = await client.post(INSERT, REQUEST);
      expect(created.body).toEqual({
        etag: "CAE=",
        generation: expect.stringMatching(/^\d+$/),
        iamConfiguration: {
          bucketPolicyOnly: { enabled: false },
          publicAccessPrevention: "inherited",
          uniformBucketLevelAccess: { enabled: false },
        },
        id: "recorded-bucket",
        kind: "storage#bucket",
        labels: { team: "ml" },
        lifecycle: REQUEST.lifecycle,
        location: "US",
        locationType: "multi-region",
        metageneration: "1",
        name: "recorded-bucket",
        projectNumber: NUMBER,
        rpo: "DEFAULT",
        selfLink: "https://www.googleapis.com/storage/v1/b/recorded-bucket",
        softDeletePolicy: { effectiveTime: expect.any(String), retentionDurationSeconds: "604800" },
        storageClass: "STANDARD",
        timeCreated: expect.any(String),
        updated: expect.any(String),
        versioning: { enabled: false },
      });
      expect((await client.get(BUCKET)).body).toEqual(created.body);
    });
  });

  test("a patch changes what it names and answers with the access control lists", async () => {
    await withApis({}, async (client) => {
      await client.post(INSERT, REQUEST);
      const patch = {
        labels: { team: null, owner: "jane" },
        lifecycle: { rule: [] },
        softDeletePolicy: { retentionDurationSeconds: "0" },
        versioning: { enabled: true },
      };
      const { body } = await client.patch(BUCKET, patch);
      expect(body).toMatchObject({
        labels: { owner: "jane" },
        metageneration: "2",
        owner: { entity: `project-owners-${NUMBER}` },
        softDeletePolicy: { retentionDurationSeconds: "0" },
        versioning: { enabled: true },
      });
      expect(body.acl.map(({ role }: { role: string }) => role)).toEqual(["OWNER", "OWNER", "READER"]);
      expect(body).not.toHaveProperty("lifecycle");
      expect((await client.get(BUCKET)).body).toEqual(without(body, "acl", "defaultObjectAcl", "owner"));
    });
  });

  test("an empty bucket lists its kind alone and goes without a word", async () => {
    await withApis({}, async (client) => {
      await client.post(INSERT, REQUEST);
      const objects = await client.get(`${BUCKET}/o?alt=json&prettyPrint=false&versions=true`);
      expect(objects.body).toEqual({ kind: "storage#objects" });
      expect(await client.delete(BUCKET)).toEqual({ status: 204, body: {} });
    });
  });
});

describe("bucket policies", () => {
  const OWNERS = {
    role: "roles/storage.legacyBucketOwner",
    members: [`projectEditor:${PROJECT}`, `projectOwner:${PROJECT}`],
  };
  const READERS = { role: "roles/storage.legacyBucketReader", members: [`projectViewer:${PROJECT}`] };
  const uniform = {
    name: "recorded-bucket",
    iamConfiguration: { uniformBucketLevelAccess: { enabled: true } },
  };
  const condition = {
    title: "public",
    expression: 'resource.name.startsWith("projects/_/buckets/b/objects/p/")',
  };
  const reader = { role: "roles/storage.objectViewer", members: ["user:jane@example.com"] };

  test("start with the project's owners, editors and viewers", async () => {
    await withApis({ seed: { buckets: [uniform] } }, async (client) => {
      expect((await client.get(`${BUCKET}/iam?optionsRequestedPolicyVersion=3`)).body).toEqual({
        kind: "storage#policy",
        resourceId: "projects/_/buckets/recorded-bucket",
        version: 1,
        etag: expect.any(String),
        bindings: [OWNERS, READERS],
      });
    });
  });

  test("are refused with 412 under an older etag", async () => {
    await withApis({ seed: { buckets: [uniform] } }, async (client) => {
      const { etag } = (await client.get(`${BUCKET}/iam`)).body;
      const write = () => client.put(`${BUCKET}/iam`, { bindings: [reader], etag });
      expect((await write()).status).toBe(200);
      expect(await write()).toMatchObject({
        status: 412,
        body: { error: { errors: [{ reason: "conditionNotMet" }] } },
      });
    });
  });

  test("keep conditions, in version 3 and on uniform access alone", async () => {
    const plain = { name: "plain-bucket" };
    await withApis({ seed: { buckets: [uniform, plain] } }, async (client) => {
      const bindings = [{ ...reader, condition }];
      const written = await client.put(`${BUCKET}/iam`, { bindings, version: 3 });
      expect(written.body).toMatchObject({ version: 3, bindings });
      expect((await client.put(`${BUCKET}/iam`, { bindings })).status).toBe(400);
      expect((await client.put(`${BUCKETS}/plain-bucket/iam`, { bindings, version: 3 })).status).toBe(412);
    });
  });

  test("do not open a bucket to the public whose public access is prevented", async () => {
    const enforced = { name: "recorded-bucket", iamConfiguration: { publicAccessPrevention: "enforced" } };
    await withApis({ seed: { buckets: [enforced] } }, async (client) => {
      const bindings = [{ role: "roles/storage.objectViewer", members: ["allUsers"] }];
      expect((await client.put(`${BUCKET}/iam`, { bindings })).status).toBe(412);
    });
  });

  test("take storage roles only", async () => {
    await withApis({ seed: { buckets: [uniform] } }, async (client) => {
      const bindings = [{ ...reader, role: "roles/container.developer" }];
      expect((await client.put(`${BUCKET}/iam`, { bindings })).body.error.message).toBe(
        "Role roles/container.developer is not supported for this resource.",
      );
    });
  });
});

describe("what Cloud Storage refuses", () => {
  test.each(["UPPER", "ab", "-dash-first", "192.168.1.1", "goog-bucket", "my-google-data"])(
    "the bucket name %s",
    async (name) => {
      await withApis({}, async (client) => {
        expect(await client.post(INSERT, { ...REQUEST, name })).toMatchObject({
          status: 400,
          body: { error: { message: `Invalid bucket name: '${name}'` } },
        });
      });
    },
  );

  test("a field it does not have, a location and a storage class that do not exist", async () => {
    await withApis({}, async (client) => {
      const send = async (body: object) =>
        (await client.post(INSERT, { ...REQUEST, ...body })).body.error.message;
      expect(await send({ versionning: {} })).toContain('Unknown name "versionning"');
      expect(await send({ location: "nowhere" })).toContain("'NOWHERE'");
      expect(await send({ storageClass: "COLD" })).toContain("COLD");
    });
  });

  test("a name that is taken", async () => {
    await withApis({}, async (client) => {
      await client.post(INSERT, REQUEST);
      expect(await client.post(INSERT, REQUEST)).toEqual(
        refusal(
          409,
          "conflict",
          "Your previous request to create the named bucket succeeded and you already own it.",
        ),
      );
    });
  });
});
