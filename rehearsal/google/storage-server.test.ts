import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, IncomingMessage } from "node:http";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { answerJson, close, listen, readBody } from "../tools/servers";
import { Json } from "./json";
import { PROJECT, TestClient, withApis } from "./test-client";

/** The requests that the Python client sends, against an object store that remembers what reached it. */
const EMAIL = `my-iam-sa@${PROJECT}.iam.gserviceaccount.com`;
const MEMBER = `serviceAccount:${EMAIL}`;
const uniform = { name: "data", iamConfiguration: { uniformBucketLevelAccess: { enabled: true } } };

const folder = mkdtempSync(join(tmpdir(), "storage-server-"));
const served = hasOpenssl() ? test : test.skip;

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function hasOpenssl(): boolean {
  return spawnSync("openssl", ["version"]).status === 0;
}

function certificate(): { cert: string; key: string } {
  const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  const subject = [
    "-subj",
    "/CN=storage.googleapis.com",
    "-addext",
    "subjectAltName=DNS:storage.googleapis.com",
  ];
  const made = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-keyout", key, "-out", cert];
  execFileSync("openssl", [...made, ...subject], { stdio: "ignore" });
  return { cert: readFileSync(cert, "utf8"), key: readFileSync(key, "utf8") };
}

/** Knows the one object `there`, and answers everything else with what it was asked. */
class ObjectStoreStub {
  public readonly reached: string[] = [];
  private readonly server = createServer((incoming, response) => {
    void readBody(incoming).then(() => {
      const { method, url } = incoming;
      this.reached.push(`${method} ${url}`);
      if (url?.includes("uploadType=resumable")) response.setHeader("Location", "http://x/o?upload_id=u1");
      const missing = method === "GET" && url?.includes("/o/") && !url.includes("/o/there");
      answerJson(response, missing ? 404 : 200, { authorization: incoming.headers.authorization ?? null });
    });
  });

  public async start(): Promise<string> {
    return `http://127.0.0.1:${await listen(this.server, 0, "127.0.0.1")}`;
  }

  public stop(): Promise<void> {
    return close(this.server);
  }
}

interface Pod {
  send(
    method: string,
    path: string,
    body?: string,
    contentType?: string,
  ): Promise<{ status: number; body: Json; location?: string }>;
}

async function asPod(
  grants: { role: string; condition?: Json }[],
  run: (pod: Pod, store: ObjectStoreStub, client: TestClient) => Promise<void>,
): Promise<void> {
  const store = new ObjectStoreStub();
  const objectStoreUrl = await store.start();
  const seed = { serviceAccounts: [EMAIL], buckets: [uniform] };
  try {
    await withApis({ objectStoreUrl, seed }, async (client) => {
      const bindings = grants.map((grant) => ({ ...grant, members: [MEMBER] }));
      await client.put("/storage/v1/b/data/iam", { bindings, version: 3 });
      const { cert, key } = certificate();
      const { port } = await client.apis.startStorage({ host: "127.0.0.1", port: 0, cert, key });
      const token = client.apis.tokens.issue(MEMBER, 60);
      store.reached.length = 0;
      await run({ send: sender(port, cert, token) }, store, client);
    });
  } finally {
    await store.stop();
  }
}

const sender =
  (port: number, ca: string, token: string): Pod["send"] =>
  (method, path, body, contentType = "application/json") =>
    new Promise((resolve, reject) => {
      const headers = { authorization: `Bearer ${token}`, "content-type": contentType };
      const options = {
        host: "127.0.0.1",
        port,
        ca,
        servername: "storage.googleapis.com",
        method,
        path,
        headers,
      };
      const sent = request(options, (response: IncomingMessage) => {
        void readBody(response).then((text) =>
          resolve({
            status: response.statusCode!,
            body: text.length ? JSON.parse(text.toString()) : {},
            ...(response.headers.location && { location: response.headers.location }),
          }),
        );
      });
      sent.on("error", reject);
      sent.end(body);
    });

const multipart = (name: string) =>
  `--b\r\ncontent-type: application/json\r\n\r\n{"name": "${name}"}\r\n--b\r\n\r\nHello\r\n--b--`;

const upload = (pod: Pod, name: string) =>
  pod.send(
    "POST",
    "/upload/storage/v1/b/data/o?uploadType=multipart",
    multipart(name),
    'multipart/related; boundary="b"',
  );

served("who has no grant is refused by name, and nothing reaches the objects", async () => {
  await asPod([], async (pod, store) => {
    const { status, body } = await pod.send("GET", "/storage/v1/b/data?projection=noAcl&prettyPrint=false");
    const message =
      `${EMAIL} does not have storage.buckets.get access to the Google Cloud Storage bucket. ` +
      "Permission 'storage.buckets.get' denied on resource (or it may not exist).";
    expect(status).toBe(403);
    expect(body).toEqual({
      error: { code: 403, message, errors: [{ message, domain: "global", reason: "forbidden" }] },
    });
    expect((await upload(pod, "new")).body.error.message).toContain("storage.objects.create access");
    expect((await pod.send("GET", "/download/storage/v1/b/data/o/there?alt=media")).status).toBe(403);
    expect(store.reached).toEqual([]);
  });
});

served(
  "who may use objects uploads, reads, lists and deletes them, without the token going further",
  async () => {
    await asPod(
      [{ role: "roles/storage.objectUser" }, { role: "roles/storage.bucketViewer" }],
      async (pod, store) => {
        expect((await pod.send("GET", "/storage/v1/b/data")).body).toMatchObject({
          kind: "storage#bucket",
          name: "data",
        });
        expect(await upload(pod, "new")).toEqual({ status: 200, body: { authorization: null } });
        expect((await pod.send("GET", "/download/storage/v1/b/data/o/there?alt=media")).status).toBe(200);
        expect((await pod.send("GET", "/storage/v1/b/data/o?prefix=a")).status).toBe(200);
        expect((await pod.send("DELETE", "/storage/v1/b/data/o/there")).status).toBe(200);
        expect(store.reached).toContain("DELETE /storage/v1/b/data/o/there");
      },
    );
  },
);

served("an object is read through the XML API, by those who may", async () => {
  const path = "/data/deep%2Fthere?generation=1";
  await asPod([{ role: "roles/storage.objectViewer" }], async (pod, store) => {
    expect((await pod.send("GET", path)).status).toBe(200);
    expect(store.reached).toEqual([`GET ${path}`]);
  });
  await asPod([{ role: "roles/storage.objectCreator" }], async (pod, store) => {
    expect((await pod.send("GET", path)).body.error.message).toContain("storage.objects.get access");
    expect(store.reached).toEqual([]);
  });
});

served("who may only create cannot overwrite", async () => {
  await asPod([{ role: "roles/storage.objectCreator" }], async (pod) => {
    expect((await upload(pod, "new")).status).toBe(200);
    expect((await upload(pod, "there")).body.error.message).toContain("storage.objects.delete access");
  });
});

served("a resumable upload goes on for whoever began it", async () => {
  await asPod([{ role: "roles/storage.objectUser" }], async (pod, _store, client) => {
    const path = "/upload/storage/v1/b/data/o?uploadType=resumable";
    const begun = await pod.send("POST", path, '{"name": "new"}');
    expect(begun).toMatchObject({ status: 200, location: "https://x/o?upload_id=u1" });
    expect((await pod.send("PUT", "/upload/storage/v1/b/data/o?upload_id=u1", "Hello")).status).toBe(200);
    expect((await pod.send("PUT", "/upload/storage/v1/b/data/o?upload_id=other", "Hello")).status).toBe(404);
    expect(client.apis.requests.matching("PUT", /upload_id/)).toHaveLength(2);
  });
});

served("a condition on a prefix holds for the objects below it", async () => {
  const expression = 'resource.name.startsWith("projects/_/buckets/data/objects/there/")';
  const grant = { role: "roles/storage.objectViewer", condition: { title: "prefix", expression } };
  await asPod([grant], async (pod) => {
    expect((await pod.send("GET", "/storage/v1/b/data/o/there%2Fa")).status).toBe(200);
    expect((await pod.send("GET", "/storage/v1/b/data/o/elsewhere")).status).toBe(403);
    expect((await pod.send("GET", "/storage/v1/b/data/o")).status).toBe(403);
  });
});

served("a bucket that does not exist is not found, and what is not rehearsed is named", async () => {
  await asPod([{ role: "roles/storage.admin" }], async (pod) => {
    expect((await pod.send("GET", "/storage/v1/b/other")).status).toBe(404);
    expect((await pod.send("POST", "/batch/storage/v1")).body.error.message).toContain("is not rehearsed");
  });
});

served("a bucket with objects is not deleted", async () => {
  const items = createServer((_request, response) =>
    answerJson(response, 200, { items: [{ name: "left" }] }),
  );
  const objectStoreUrl = `http://127.0.0.1:${await listen(items, 0, "127.0.0.1")}`;
  try {
    await withApis({ objectStoreUrl, seed: { buckets: [uniform] } }, async (client) => {
      expect(await client.delete("/storage/v1/b/data")).toMatchObject({
        status: 409,
        body: {
          error: {
            message: "The bucket you tried to delete is not empty.",
            errors: [{ reason: "conflict" }],
          },
        },
      });
    });
  } finally {
    await close(items);
  }
});
