import { GoogleApis } from "./server";
import { NUMBER, PROJECT, TestClient, withApis } from "./test-client";

const ACCOUNTS = `/v1/projects/${PROJECT}/serviceAccounts`;
const EMAIL = `my-iam-sa@${PROJECT}.iam.gserviceaccount.com`;
const CLUSTERS = `/v1/projects/${PROJECT}/locations/us-west1-b/clusters`;
const cluster = { name: "ray", initialNodeCount: 1 };

describe("the front door", () => {
  test("asks for a token", async () => {
    await withApis({}, async (client) => {
      const missing = await client.call("GET", ACCOUNTS, undefined, "");
      expect(missing.body.error).toMatchObject({
        code: 401,
        status: "UNAUTHENTICATED",
        errors: [{ reason: "required" }],
      });
      const unknown = await client.call("GET", ACCOUNTS, undefined, "ya29.unknown");
      expect(unknown.body.error).toMatchObject({ code: 401, errors: [{ reason: "authError" }] });
      const inStorage = await client.call("GET", "/storage/v1/b/my-bucket", undefined, "ya29.unknown");
      expect(inStorage.body.error).toEqual({
        code: 401,
        message: "Invalid Credentials",
        errors: [{ message: "Invalid Credentials", domain: "global", reason: "authError" }],
      });
    });
  });

  test("takes a token until it expires", async () => {
    await withApis({ accessToken: "given" }, async (client) => {
      expect((await client.get(ACCOUNTS)).status).toBe(200);
      client.apis.tokens.expire("given");
      expect((await client.get(ACCOUNTS)).status).toBe(401);
    });
  });

  test("lets nobody but the administrator in", async () => {
    await withApis({}, async (client) => {
      const token = client.apis.tokens.issue(`serviceAccount:${EMAIL}`, 60);
      expect((await client.call("GET", ACCOUNTS, undefined, token)).body.error).toMatchObject({
        code: 403,
        status: "PERMISSION_DENIED",
      });
    });
  });

  test("names what is not rehearsed", async () => {
    await withApis({}, async (client) => {
      const { status, body } = await client.post("/v1/projects/my-project/topics/t");
      expect(status).toBe(501);
      expect(body.error.message).toBe("POST /v1/projects/my-project/topics/t is not rehearsed.");
    });
  });

  test("writes down every request, with its time, its answer and who asked", async () => {
    await withApis({}, async (client) => {
      await client.post(ACCOUNTS, { accountId: "my-iam-sa" });
      await client.get(`${ACCOUNTS}/${EMAIL}?alt=json`);
      await client.delete(`${ACCOUNTS}/nobody`);
      const log = client.apis.requests.all();
      expect(log.map(({ method, path, status }) => `${method} ${path} ${status}`)).toEqual([
        `POST ${ACCOUNTS} 200`,
        `GET ${ACCOUNTS}/${EMAIL}?alt=json 200`,
        `DELETE ${ACCOUNTS}/nobody 404`,
      ]);
      expect(log[0]).toMatchObject({ caller: "user:administrator@example.com", time: expect.any(Number) });
      expect(client.apis.requests.matching("GET", /serviceAccounts/)).toHaveLength(1);
    });
  });
});

describe("faults", () => {
  test("fail as many matching requests as asked for, which then have no effect", async () => {
    await withApis({}, async (client) => {
      client.apis.faults.fail({ match: { method: "POST", path: /serviceAccounts/ }, status: 503, times: 2 });
      const create = () => client.post(ACCOUNTS, { accountId: "my-iam-sa" });
      expect([(await create()).status, (await create()).status]).toEqual([503, 503]);
      expect(client.apis.snapshot().serviceAccounts).toEqual([]);
      expect((await create()).status).toBe(200);
    });
  });

  test("speak of quota so that the provider tries again", async () => {
    await withApis({}, async (client) => {
      client.apis.faults.fail({ match: { path: /serviceAccounts/ }, status: 429 });
      expect((await client.get(ACCOUNTS)).body.error).toMatchObject({
        status: "RESOURCE_EXHAUSTED",
        errors: [{ reason: "rateLimitExceeded" }],
      });
    });
  });

  test("hold a request before or after its effect until it is released", async () => {
    await withApis({}, async (client) => {
      for (const when of ["before", "after"] as const) {
        const hold = client.apis.faults.hold({ method: "POST", path: /serviceAccounts/ }, { when });
        const accountId = `account-${when}`;
        const pending = client.post(ACCOUNTS, { accountId });
        await hold.reached;
        const exists = client.apis.snapshot().serviceAccounts.some((email) => email.startsWith(accountId));
        expect(exists).toBe(when === "after");
        hold.release();
        expect((await pending).status).toBe(200);
      }
    });
  });

  test("show every matching request to a visitor", async () => {
    await withApis({}, async (client) => {
      const seen: string[] = [];
      const writes = { method: /^(POST|DELETE)$/, path: /serviceAccounts/ };
      client.apis.faults.visit(writes, async (method, path) => void seen.push(`${method} ${path}`));
      await client.post(ACCOUNTS, { accountId: "my-iam-sa" });
      await client.get(ACCOUNTS);
      await client.delete(`${ACCOUNTS}/${EMAIL}`);
      expect(seen).toEqual([`POST ${ACCOUNTS}`, `DELETE ${ACCOUNTS}/${EMAIL}`]);
    });
  });

  test("do nothing for a client that has gone away", async () => {
    await withApis({}, async (client) => {
      const hold = client.apis.faults.hold({ path: /serviceAccounts/ });
      const leaving = new AbortController();
      const gone = fetch(`${client.apis.url}${ACCOUNTS}`, {
        method: "POST",
        headers: { authorization: `Bearer ${client.apis.accessToken}` },
        body: JSON.stringify({ accountId: "my-iam-sa" }),
        signal: leaving.signal,
      });
      await hold.reached;
      leaving.abort();
      await expect(gone).rejects.toThrow("aborted");
      await new Promise((resolve) => setTimeout(resolve, 50));
      hold.release();
      expect((await client.get(ACCOUNTS)).body).toEqual({ accounts: [] });
    });
  });

  test("delay answers", async () => {
    await withApis({}, async (client) => {
      client.apis.faults.delay({ match: { path: /serviceAccounts/ }, delayMs: 60, times: 1 });
      const started = Date.now();
      await client.get(ACCOUNTS);
      expect(Date.now() - started).toBeGreaterThanOrEqual(55);
    });
  });

  test("end operations with an error, after which the cluster is there and in error", async () => {
    await withApis({}, async (client) => {
      client.apis.faults.failOperation({ type: "CREATE_CLUSTER", message: "Out of resources." });
      const operation = await client.done(await client.post(CLUSTERS, { cluster }), "us-west1-b");
      expect(operation).toMatchObject({ status: "DONE", statusMessage: "Out of resources." });
      expect((await client.get(`${CLUSTERS}/ray`)).body.status).toBe("ERROR");
    });
  });
});

test("operations run as long as asked for", async () => {
  await withApis({ latency: { operationMs: { CREATE_CLUSTER: 80 } } }, async (client) => {
    const { name } = (await client.post(CLUSTERS, { cluster })).body;
    const path = `/v1/projects/${PROJECT}/locations/us-west1-b/operations/${name}`;
    expect((await client.get(path)).body.status).toBe("RUNNING");
    expect((await client.get(`${CLUSTERS}/ray`)).body.status).toBe("PROVISIONING");
    await new Promise((resolve) => setTimeout(resolve, 120));
    expect((await client.get(path)).body.status).toBe("DONE");
    expect((await client.get(`${CLUSTERS}/ray`)).body.status).toBe("RUNNING");
  });
});

test("new things are seen late where that is asked for", async () => {
  const consistency = { serviceAccountReads: 2, serviceAccountBindings: 1, bucketReads: 1 };
  await withApis({ consistency }, async (client) => {
    await client.post(ACCOUNTS, { accountId: "my-iam-sa" });
    const read = async () => (await client.get(`${ACCOUNTS}/${EMAIL}`)).status;
    expect([await read(), await read(), await read()]).toEqual([404, 404, 200]);

    await client.post(`/storage/v1/b?project=${PROJECT}`, { name: "my-bucket" });
    const readBucket = async () => (await client.get("/storage/v1/b/my-bucket")).status;
    expect([await readBucket(), await readBucket()]).toEqual([404, 200]);

    const bindings = [{ role: "roles/storage.objectUser", members: [`serviceAccount:${EMAIL}`] }];
    const bind = () => client.put("/storage/v1/b/my-bucket/iam", { bindings });
    expect((await bind()).body.error.message).toBe(`Service account ${EMAIL} does not exist.`);
    expect((await bind()).status).toBe(200);
  });
});

test("the environment sends each client of the provider here, in the form that it needs", async () => {
  await withApis({}, async ({ apis }) => {
    expect(apis.terraformEnv()).toEqual({
      GOOGLE_PROJECT: PROJECT,
      GOOGLE_OAUTH_ACCESS_TOKEN: apis.accessToken,
      GOOGLE_CONTAINER_CUSTOM_ENDPOINT: `${apis.url}/`,
      GOOGLE_IAM_CUSTOM_ENDPOINT: `${apis.url}/`,
      GOOGLE_IAM_CREDENTIALS_CUSTOM_ENDPOINT: `${apis.url}/`,
      GOOGLE_STORAGE_CUSTOM_ENDPOINT: `${apis.url}/storage/v1/`,
      GOOGLE_RESOURCE_MANAGER_CUSTOM_ENDPOINT: `${apis.url}/v1/`,
      GOOGLE_SERVICE_USAGE_CUSTOM_ENDPOINT: `${apis.url}/v1/`,
      GOOGLE_COMPUTE_CUSTOM_ENDPOINT: `${apis.url}/compute/v1/`,
      GOOGLE_CLOUD_BILLING_CUSTOM_ENDPOINT: `${apis.url}/v1/`,
    });
  });
});

test("nothing listens after the stop", async () => {
  const client = await TestClient.start();
  await client.apis.stop();
  await expect(fetch(client.apis.url)).rejects.toThrow();
});

test("a taken port fails the start", async () => {
  await withApis({}, async ({ apis }) => {
    const port = Number(new URL(apis.url).port);
    const cluster = { endpoint: "198.18.0.1", caPem: "" };
    await expect(
      GoogleApis.start({ projectId: PROJECT, projectNumber: NUMBER, cluster, port }),
    ).rejects.toThrow("EADDRINUSE");
  });
});
