import { NUMBER, POOL, PROJECT, TestClient, withApis } from "./test-client";

const ACCOUNTS = `/v1/projects/${PROJECT}/serviceAccounts`;
const EMAIL = `my-iam-sa@${PROJECT}.iam.gserviceaccount.com`;
const WORKLOAD_IDENTITY_USER = "roles/iam.workloadIdentityUser";
const FEDERATED =
  `principal://iam.googleapis.com/projects/${NUMBER}/locations/global/workloadIdentityPools/${POOL}` +
  "/subject/ns/ray/sa/my-ksa";

const create = (client: TestClient, serviceAccount = {}) =>
  client.post(ACCOUNTS, { accountId: "my-iam-sa", serviceAccount });

const bind = (client: TestClient, role: string, ...members: string[]) =>
  client.post(`${ACCOUNTS}/${EMAIL}:setIamPolicy`, { policy: { bindings: [{ role, members }] } });

const cluster = {
  location: "us-west1-b",
  cluster: { name: "ray", initialNodeCount: 1, workloadIdentityConfig: { workloadPool: POOL } },
};

describe("service accounts, as recorded", () => {
  test("an account that does not exist", async () => {
    await withApis({}, async (client) => {
      expect(await client.get(`${ACCOUNTS}/${EMAIL}`)).toEqual({
        status: 404,
        body: {
          error: {
            code: 404,
            message: "Unknown service account",
            status: "NOT_FOUND",
            errors: [{ domain: "global", message: "Unknown service account", reason: "notFound" }],
          },
        },
      });
    });
  });

  test("a created account is read back with its ids", async () => {
    await withApis({}, async (client) => {
      const created = await create(client, { displayName: "Ray" });
      expect(created.body).toEqual({
        displayName: "Ray",
        email: EMAIL,
        etag: expect.any(String),
        name: `projects/${PROJECT}/serviceAccounts/${EMAIL}`,
        oauth2ClientId: expect.stringMatching(/^\d{21}$/),
        projectId: PROJECT,
        uniqueId: expect.stringMatching(/^\d{21}$/),
      });
      expect((await client.get(`${ACCOUNTS}/${EMAIL}`)).body).toEqual(created.body);
    });
  });

  test("a patch answers with the name and what its mask names", async () => {
    await withApis({}, async (client) => {
      const { etag, name } = (await create(client, { displayName: "Ray" })).body;
      const patch = { serviceAccount: { displayName: "Ray 2", etag }, updateMask: "display_name" };
      expect((await client.patch(`${ACCOUNTS}/${EMAIL}`, patch)).body).toEqual({
        displayName: "Ray 2",
        name,
      });
      expect((await client.patch(`${ACCOUNTS}/${EMAIL}`, patch)).body.error).toMatchObject({
        code: 409,
        status: "ABORTED",
      });
    });
  });

  test("a deletion answers with nothing", async () => {
    await withApis({}, async (client) => {
      await create(client);
      expect(await client.delete(`${ACCOUNTS}/${EMAIL}`)).toEqual({ status: 200, body: {} });
      expect((await client.get(`${ACCOUNTS}/${EMAIL}`)).status).toBe(404);
    });
  });
});

describe("policies, in the recorded shape", () => {
  test("a policy that nobody wrote has an etag alone, a written one its version", async () => {
    await withApis({ seed: { serviceAccounts: [EMAIL], clusters: [cluster] } }, async (client) => {
      expect((await client.post(`${ACCOUNTS}/${EMAIL}:getIamPolicy`)).body).toEqual({ etag: "ACAB" });
      const member = `serviceAccount:${POOL}[ray/my-ksa]`;
      expect((await bind(client, WORKLOAD_IDENTITY_USER, member)).body).toEqual({
        version: 1,
        etag: expect.any(String),
        bindings: [{ role: WORKLOAD_IDENTITY_USER, members: [member] }],
      });
      const { body } = await client.post(`${ACCOUNTS}/${EMAIL}:setIamPolicy`, { policy: {} });
      expect(body).toEqual({ version: 1, etag: expect.any(String) });
    });
  });

  test("a write with the etag of an older policy is refused, one without an etag is not", async () => {
    await withApis({ seed: { serviceAccounts: [EMAIL] } }, async (client) => {
      const bindings = [{ role: "roles/iam.serviceAccountUser", members: ["user:jane@example.com"] }];
      const write = (etag?: string) =>
        client.post(`${ACCOUNTS}/${EMAIL}:setIamPolicy`, { policy: { bindings, etag } });
      const { etag } = (await write("ACAB")).body;
      expect((await write("ACAB")).body.error).toMatchObject({
        code: 409,
        status: "ABORTED",
        message: expect.stringContaining("There were concurrent policy changes."),
      });
      expect((await write(etag)).status).toBe(200);
      expect((await write()).status).toBe(200);
    });
  });
});

describe("members", () => {
  test("of a workload identity pool are refused until a cluster has brought it, and taken ever after", async () => {
    await withApis({ seed: { serviceAccounts: [EMAIL] } }, async (client) => {
      for (const member of [`serviceAccount:${POOL}[ray/my-ksa]`, FEDERATED]) {
        const refused = await bind(client, WORKLOAD_IDENTITY_USER, member);
        expect(refused.status).toBe(400);
        expect(refused.body.error.errors[0].reason).toBe("badRequest");
        expect(refused.body.error.message).toBe(
          `Identity Pool does not exist (${POOL}). Please check that you specified a valid resource name as ` +
            "returned in the `name` attribute in the configuration API.",
        );
      }
      const clusters = `/v1/projects/${PROJECT}/locations/us-west1-b/clusters`;
      await client.done(await client.post(clusters, { cluster: cluster.cluster }), "us-west1-b");
      expect((await bind(client, WORKLOAD_IDENTITY_USER, FEDERATED)).status).toBe(200);
      await client.done(await client.delete(`${clusters}/ray`), "us-west1-b");
      expect((await bind(client, WORKLOAD_IDENTITY_USER, FEDERATED)).status).toBe(200);
    });
  });

  test("that are accounts must exist", async () => {
    await withApis({ seed: { serviceAccounts: [EMAIL] } }, async (client) => {
      const refused = await bind(
        client,
        "roles/iam.serviceAccountUser",
        "serviceAccount:gone@my-project.iam.gserviceaccount.com",
      );
      expect(refused.body.error).toMatchObject({
        code: 400,
        message: "Service account gone@my-project.iam.gserviceaccount.com does not exist.",
      });
    });
  });

  test.each([
    ["my-ksa", "is of an unknown type"],
    ["serviceaccount:a@b.com", "is of an unknown type"],
    ["user:nobody", "is of an unknown type"],
    [`serviceAccount:${POOL}[ray]`, "Invalid service account member"],
    ["principal://iam.googleapis.com/subject", "Invalid principal member"],
  ])("like %s are refused", async (member, message) => {
    await withApis({ seed: { serviceAccounts: [EMAIL], clusters: [cluster] } }, async (client) => {
      expect((await bind(client, WORKLOAD_IDENTITY_USER, member)).body.error.message).toContain(message);
    });
  });

  test("that are deleted stay in policies, marked, and grant nothing", async () => {
    const seed = { serviceAccounts: [EMAIL], buckets: [{ name: "my-bucket" }] };
    await withApis({ seed }, async (client) => {
      const bindings = [{ role: "roles/storage.objectViewer", members: [`serviceAccount:${EMAIL}`] }];
      await client.put("/storage/v1/b/my-bucket/iam", { bindings });
      await client.delete(`${ACCOUNTS}/${EMAIL}`);
      const { body } = await client.get("/storage/v1/b/my-bucket/iam");
      expect(body.bindings[0].members).toEqual([
        expect.stringMatching(`^deleted:serviceAccount:${EMAIL}\\?uid=\\d+$`),
      ]);
    });
  });
});

describe("what IAM refuses", () => {
  test.each(["short", "Upper-case", "1digit-first", "ends-with-", "x".repeat(31)])(
    "the account id %s",
    async (accountId) => {
      await withApis({}, async (client) => {
        const { status, body } = await client.post(ACCOUNTS, { accountId });
        expect(status).toBe(400);
        expect(body.error.message).toContain("does not have a length between 6 and 30");
      });
    },
  );

  test("an account id that is taken", async () => {
    await withApis({}, async (client) => {
      await create(client);
      expect((await create(client)).body.error).toMatchObject({
        code: 409,
        message: `Service account my-iam-sa already exists within project projects/${PROJECT}.`,
      });
    });
  });

  test.each([
    ["roles/storage.objectUser", "Role roles/storage.objectUser is not supported for this resource."],
    ["workloadIdentityUser", "Invalid role name (workloadIdentityUser)."],
  ])("the role %s on an account", async (role, message) => {
    await withApis({ seed: { serviceAccounts: [EMAIL] } }, async (client) => {
      expect((await bind(client, role, "user:jane@example.com")).body.error.message).toBe(message);
    });
  });
});

describe("tokens of service accounts", () => {
  const request = { scope: ["https://www.googleapis.com/auth/cloud-platform"], lifetime: "600s" };
  const generate = (client: TestClient, body: object = request) =>
    client.post(`/v1/projects/-/serviceAccounts/${EMAIL}:generateAccessToken`, body);

  test("are refused to the project's owner", async () => {
    await withApis({ seed: { serviceAccounts: [EMAIL] } }, async (client) => {
      expect((await generate(client)).body.error).toMatchObject({
        code: 403,
        message: "Permission 'iam.serviceAccounts.getAccessToken' denied on resource (or it may not exist).",
      });
    });
  });

  test("are made for a token creator, and stand for the account", async () => {
    await withApis({ seed: { serviceAccounts: [EMAIL], impersonated: [EMAIL] } }, async (client) => {
      const { body } = await generate(client);
      expect(body).toEqual({ accessToken: expect.stringMatching(/^ya29\./), expireTime: expect.any(String) });
      expect(client.apis.tokens.member(body.accessToken)).toBe(`serviceAccount:${EMAIL}`);
      expect((await generate(client)).body.accessToken).not.toBe(body.accessToken);
    });
  });

  test("are those that the API server knows, where it knows some", async () => {
    const accountTokens = { [EMAIL]: "ya29.known" };
    const seed = { serviceAccounts: [EMAIL], impersonated: [EMAIL] };
    await withApis({ seed, accountTokens }, async (client) => {
      expect((await generate(client)).body.accessToken).toBe("ya29.known");
    });
  });

  test("need a scope and live at most an hour", async () => {
    await withApis({ seed: { serviceAccounts: [EMAIL], impersonated: [EMAIL] } }, async (client) => {
      expect((await generate(client, {})).body.error.message).toBe("Scope must be specified.");
      const longer = { ...request, lifetime: "7200s" };
      expect((await generate(client, longer)).body.error.message).toBe("Invalid lifetime: 7200s.");
    });
  });
});
