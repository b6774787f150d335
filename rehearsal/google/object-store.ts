import { Json } from "./json";

/** Where the objects of the buckets are: who may reach them is decided before it is asked. */
export interface ObjectStore {
  createBucket(name: string): Promise<void>;
  deleteBucket(name: string): Promise<void>;
  list(bucket: string): Promise<Json[]>;
  exists(bucket: string, object: string): Promise<boolean>;
  delete(bucket: string, object: string): Promise<void>;
}

/** Buckets that stay empty, for rehearsals without object traffic. */
export class NoObjects implements ObjectStore {
  public async createBucket(): Promise<void> {}
  public async deleteBucket(): Promise<void> {}
  public async list(): Promise<Json[]> {
    return [];
  }
  public async exists(): Promise<boolean> {
    return false;
  }
  public async delete(): Promise<void> {}
}

/** The buckets of a fake-gcs-server. */
export class FakeGcsServer implements ObjectStore {
  constructor(private readonly url: string) {}

  public async createBucket(name: string): Promise<void> {
    await this.send("POST", "/storage/v1/b", { name });
  }

  public async deleteBucket(name: string): Promise<void> {
    await this.send("DELETE", `/storage/v1/b/${encodeURIComponent(name)}`);
  }

  public async list(bucket: string): Promise<Json[]> {
    const response = await this.send("GET", `/storage/v1/b/${encodeURIComponent(bucket)}/o`);
    const { items = [] } = (await response.json()) as { items?: Json[] };
    return items;
  }

  public async exists(bucket: string, object: string): Promise<boolean> {
    const response = await fetch(this.url + objectPath(bucket, object));
    await response.arrayBuffer();
    return response.ok;
  }

  public async delete(bucket: string, object: string): Promise<void> {
    await this.send("DELETE", objectPath(bucket, object));
  }

  private async send(method: string, path: string, body?: Json): Promise<Response> {
    const response = await fetch(this.url + path, { method, body: body && JSON.stringify(body) });
    if (!response.ok) throw new Error(`fake-gcs-server: ${method} ${path}: ${response.status}`);
    return response;
  }
}

const objectPath = (bucket: string, object: string) =>
  `/storage/v1/b/${encodeURIComponent(bucket)}/o/${encodeURIComponent(object)}`;
