import { NUMBER, PROJECT, TestClient, withApis } from "./test-client";

/** Nothing of this was recorded: it follows the requests of Terraform's provider. */
const SERVICES = `/v1/projects/${PROJECT}/services`;

const enabled = async (client: TestClient) => {
  const query = "?filter=state%3AENABLED&fields=services%2Fname%2CnextPageToken&pageSize=200";
  const { services = [] } = (await client.get(SERVICES + query)).body;
  return services.map(({ name }: { name: string }) => name.split("/").pop());
};

describe("the project", () => {
  test("is read by its id or its number", async () => {
    await withApis({}, async (client) => {
      for (const name of [PROJECT, NUMBER]) {
        expect((await client.get(`/v1/projects/${name}`)).body).toMatchObject({
          projectId: PROJECT,
          projectNumber: NUMBER,
          lifecycleState: "ACTIVE",
        });
      }
      expect((await client.get("/v1/projects/other-project")).status).toBe(403);
    });
  });

  test("has a policy that is read and written by POST", async () => {
    await withApis({}, async (client) => {
      const policy = {
        bindings: [{ role: "roles/logging.logWriter", members: ["user:jane@example.com"] }],
        version: 3,
      };
      const written = await client.post(`/v1/projects/${PROJECT}:setIamPolicy`, {
        policy,
        updateMask: "bindings,etag,auditConfigs",
      });
      expect(written.body.bindings).toEqual(policy.bindings);
      const read = await client.post(`/v1/projects/${PROJECT}:getIamPolicy`, {
        options: { requestedPolicyVersion: 3 },
      });
      expect(read.body).toEqual(written.body);
    });
  });

  test("takes no legacy bucket role", async () => {
    await withApis({}, async (client) => {
      const bindings = [{ role: "roles/storage.legacyBucketReader", members: ["user:jane@example.com"] }];
      const { body } = await client.post(`/v1/projects/${PROJECT}:setIamPolicy`, { policy: { bindings } });
      expect(body.error.message).toBe(
        "Role roles/storage.legacyBucketReader is not supported for this resource.",
      );
    });
  });

  test("is reached also where the version comes twice, as from the provider over http", async () => {
    await withApis({}, async (client) => {
      expect((await client.get(`/v1/v1/projects/${PROJECT}`)).status).toBe(200);
    });
  });
});

describe("services", () => {
  test("that are not enabled refuse with the reason that the provider looks for", async () => {
    await withApis({ enabledApis: [] }, async (client) => {
      const { status, body } = await client.get(`/v1/projects/${PROJECT}/locations/us-west1/clusters`);
      expect(status).toBe(403);
      expect(body.error).toMatchObject({
        status: "PERMISSION_DENIED",
        message: expect.stringMatching(
          `^Kubernetes Engine API has not been used in project ${NUMBER} before or it is disabled.`,
        ),
        errors: [{ domain: "usageLimits", reason: "accessNotConfigured" }],
      });
      expect(body.error.details).toContainEqual(
        expect.objectContaining({
          reason: "SERVICE_DISABLED",
          metadata: { service: "container.googleapis.com", consumer: `projects/${NUMBER}` },
        }),
      );
    });
  });

  test("are enabled one by one or in a batch, by an operation", async () => {
    await withApis({ enabledApis: [] }, async (client) => {
      const { body: operation } = await client.post(`${SERVICES}/iam.googleapis.com:enable`);
      expect(operation).toEqual({ name: expect.stringMatching(/^operations\/acat\./) });
      expect((await client.get(`/v1/${operation.name}`)).body.done).toBe(true);
      const serviceIds = ["container.googleapis.com", "storage.googleapis.com"];
      await client.post(`${SERVICES}:batchEnable`, { serviceIds });
      expect(await enabled(client)).toEqual([
        "serviceusage.googleapis.com",
        "iam.googleapis.com",
        "container.googleapis.com",
        "compute.googleapis.com",
        "storage.googleapis.com",
      ]);
    });
  });

  test("that others need are not disabled before them", async () => {
    await withApis({}, async (client) => {
      const disable = (body: object) => client.post(`${SERVICES}/compute.googleapis.com:disable`, body);
      expect((await disable({})).body.error).toMatchObject({
        status: "FAILED_PRECONDITION",
        message: expect.stringContaining(
          "is depended on by the following active service(s): container.googleapis.com",
        ),
      });
      expect((await disable({ disableDependentServices: true })).status).toBe(200);
      expect(await enabled(client)).not.toContain("container.googleapis.com");
    });
  });

  test("show up late where that is asked for", async () => {
    await withApis({ enabledApis: [], consistency: { serviceLists: 1 } }, async (client) => {
      await client.post(`${SERVICES}/iam.googleapis.com:enable`);
      expect(await enabled(client)).not.toContain("iam.googleapis.com");
      expect(await enabled(client)).toContain("iam.googleapis.com");
    });
  });
});
