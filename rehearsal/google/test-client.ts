import { Json } from "./json";
import { GoogleApis, GoogleApisOptions } from "./server";

export const PROJECT = "my-project";
export const NUMBER = "123456789012";
export const POOL = `${PROJECT}.svc.id.goog`;

export interface Answer {
  readonly status: number;
  readonly body: Json;
}

/** The double and somebody who calls it as the project's owner; for tests. */
export class TestClient {
  public static async start(options: Partial<GoogleApisOptions> = {}): Promise<TestClient> {
    const cluster = { endpoint: "198.18.0.1:6443", caPem: "-----BEGIN CERTIFICATE-----\n" };
    return new TestClient(
      await GoogleApis.start({ projectId: PROJECT, projectNumber: NUMBER, cluster, ...options }),
    );
  }

  private constructor(public readonly apis: GoogleApis) {}

  public get(path: string): Promise<Answer> {
    return this.call("GET", path);
  }

  public post(path: string, body: Json = {}): Promise<Answer> {
    return this.call("POST", path, body);
  }

  public put(path: string, body: Json): Promise<Answer> {
    return this.call("PUT", path, body);
  }

  public patch(path: string, body: Json): Promise<Answer> {
    return this.call("PATCH", path, body);
  }

  public delete(path: string): Promise<Answer> {
    return this.call("DELETE", path);
  }

  public async call(
    method: string,
    path: string,
    body?: Json,
    token: string | undefined = this.apis.accessToken,
  ): Promise<Answer> {
    const response = await fetch(this.apis.url + path, {
      method,
      headers: token === "" ? {} : { authorization: `Bearer ${token}` },
      body: body && JSON.stringify(body),
    });
    const text = await response.text();
    return { status: response.status, body: text ? JSON.parse(text) : {} };
  }

  /** Waits until the operation that a call answered with is done, and answers with it. */
  public async done(operation: Answer, location: string): Promise<Json> {
    if (operation.status !== 200) throw new Error(JSON.stringify(operation.body));
    for (;;) {
      const path = `/v1/projects/${PROJECT}/locations/${location}/operations/${operation.body.name}`;
      const { body } = await this.get(path);
      if (body.status === "DONE") return body;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

/** Runs a test against a double of its own, and ends that whatever happens. */
export async function withApis(
  options: Partial<GoogleApisOptions>,
  run: (client: TestClient) => Promise<void>,
): Promise<void> {
  const client = await TestClient.start(options);
  try {
    await run(client);
  } finally {
    await client.apis.stop();
  }
}
