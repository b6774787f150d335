import { Agent, request } from "node:https";

/** The part of a Kubernetes object that the rehearsal reads. */
export interface KubeObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly creationTimestamp?: string;
    readonly deletionTimestamp?: string;
  };
  readonly [field: string]: any;
}

/** Whether a pod is Ready. */
export function isReady({ status }: KubeObject): boolean {
  const conditions: { type: string; status: string }[] = status?.conditions ?? [];
  return conditions.some(({ type, status: value }) => type === "Ready" && value === "True");
}

/** The API server answered with an error status. */
export class KubeError extends Error {
  constructor(
    method: string,
    path: string,
    public readonly status: number,
    answer: string,
  ) {
    super(`${method} ${path}: ${status} ${answer.slice(0, 500)}`);
  }
}

/** How the API server answered, whether well or not. */
export interface Answer {
  readonly status: number;
  readonly text: string;
}

/** Asks the API server as one user; a plain client, so that what it does is what the audit log shows. */
export class KubeClient {
  private readonly agent: Agent;

  constructor(
    private readonly url: string,
    caPem: string,
    private readonly token: string,
  ) {
    this.agent = new Agent({ ca: caPem, keepAlive: true, maxSockets: 8 });
  }

  public async get<T = KubeObject>(path: string): Promise<T> {
    return JSON.parse(await this.send("GET", path)) as T;
  }

  /** The answer as it came, for endpoints that do not speak JSON. */
  public getText(path: string): Promise<string> {
    return this.send("GET", path);
  }

  public async list(path: string): Promise<KubeObject[]> {
    return (await this.get<{ items: KubeObject[] }>(path)).items;
  }

  public async create(path: string, object: object): Promise<KubeObject> {
    return JSON.parse(await this.send("POST", path, JSON.stringify(object), "application/json"));
  }

  public async delete(path: string): Promise<void> {
    await this.send("DELETE", path);
  }

  /** Changes only the given fields (JSON merge patch). */
  public async merge(path: string, fields: object): Promise<KubeObject> {
    return JSON.parse(await this.send("PATCH", path, JSON.stringify(fields), "application/merge-patch+json"));
  }

  /** Sends a request of any kind and tells how it was answered. A patch is a JSON patch if it is a list, else a merge patch. */
  public async attempt(method: string, path: string, body?: object): Promise<Answer> {
    const patchType = `application/${Array.isArray(body) ? "json" : "merge"}-patch+json`;
    const type = method === "PATCH" ? patchType : "application/json";
    return this.request(method, path, body === undefined ? undefined : JSON.stringify(body), type);
  }

  public close(): void {
    this.agent.destroy();
  }

  private async send(method: string, path: string, body?: string, contentType?: string): Promise<string> {
    const { status, text } = await this.request(method, path, body, contentType);
    if (status >= 200 && status < 300) return text;
    throw new KubeError(method, path, status, text);
  }

  private request(method: string, path: string, body?: string, contentType?: string): Promise<Answer> {
    const headers: Record<string, string> = { authorization: `Bearer ${this.token}` };
    if (body !== undefined) {
      headers["content-type"] = contentType ?? "application/json";
      headers["content-length"] = String(Buffer.byteLength(body));
    }
    return new Promise((resolve, reject) => {
      const call = request(`${this.url}${path}`, { method, headers, agent: this.agent, timeout: 30_000 });
      call.on("timeout", () => call.destroy(new Error(`${method} ${path}: no answer within 30 s`)));
      call.on("error", reject);
      call.on("response", (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => (text += chunk));
        response.on("error", reject);
        response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
      });
      call.end(body);
    });
  }
}
