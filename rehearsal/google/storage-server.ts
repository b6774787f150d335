import { IncomingHttpHeaders, IncomingMessage, request as httpRequest, ServerResponse } from "node:http";
import { createServer, Server } from "node:https";
import { GoogleError, invalidCredentials, notFound } from "./errors";
import { answerJson, bearerToken, close, listen, readBody } from "../tools/servers";
import { Json, without } from "./json";
import { ObjectStore } from "./object-store";
import { StorageDecisions, StorageResource } from "./permissions";
import { RequestLog } from "./requests";
import { StorageApi } from "./storage";
import { storageOperation, StorageOperation } from "./storage-operations";
import { Tokens } from "./tokens";

export interface StorageServerOptions {
  readonly host: string;
  /** @default 443 */
  readonly port?: number;
  /** Certificate for storage.googleapis.com, as PEM. */
  readonly cert: string;
  /** Its key, as PEM. */
  readonly key: string;
}

export interface StorageServerContext {
  readonly administrator: string;
  readonly buckets: StorageApi;
  readonly decisions: StorageDecisions;
  readonly objects: ObjectStore;
  readonly objectStoreUrl: string;
  readonly requests: RequestLog;
  readonly tokens: Tokens;
}

/**
 * storage.googleapis.com for pods: decides from the policies who may do what, then lets fake-gcs-server do it.
 */
export class StorageServer {
  public static async start(
    options: StorageServerOptions,
    context: StorageServerContext,
  ): Promise<StorageServer> {
    const server = new StorageServer(options, context);
    server.boundPort = await listen(server.server, options.port ?? 443, options.host);
    return server;
  }

  private readonly server: Server;
  private boundPort = 0;
  /** Who began a resumable upload: its later requests carry the upload's id and no object name. */
  private readonly uploads = new Map<string, string>();

  private constructor(
    options: StorageServerOptions,
    private readonly context: StorageServerContext,
  ) {
    const { cert, key } = options;
    this.server = createServer({ cert, key }, (request, response) => void this.handle(request, response));
  }

  public get port(): number {
    return this.boundPort;
  }

  public async stop(): Promise<void> {
    await close(this.server);
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const time = Date.now();
    const token = bearerToken(request);
    const caller = token ? this.context.tokens.member(token) : undefined;
    const body = await readBody(request);
    let status: number;
    try {
      if (token && !caller) throw invalidCredentials("storage");
      status = await this.serve(request, response, body, caller);
    } catch (error) {
      const known = error instanceof GoogleError ? error : new GoogleError(500, String(error));
      status = known.code;
      answerJson(response, status, known.body("storage"));
    }
    const { method = "GET", url = "/" } = request;
    this.context.requests.add({ time, method, path: url, status, ...(caller && { caller }) });
  }

  private async serve(
    request: IncomingMessage,
    response: ServerResponse,
    body: Buffer,
    caller: string | undefined,
  ): Promise<number> {
    const url = new URL(request.url ?? "/", "https://storage.googleapis.com");
    const uploadId = url.searchParams.get("upload_id");
    if (uploadId) {
      if (this.uploads.get(uploadId) !== caller) throw notFound("Upload not found.");
      return this.proxy(request, response, body);
    }
    const operation = storageOperation(request.method ?? "GET", url, request.headers["content-type"], body);
    const bucket = this.context.buckets.bucket(operation.bucket);
    if (!bucket) throw notFound("The specified bucket does not exist.");
    await this.decide(operation, caller);
    if (operation.answeredHere) {
      answerJson(response, 200, this.testPermissionsOr(bucket, operation, url, caller));
      return 200;
    }
    return this.proxy(request, response, body, (started) => this.uploads.set(started, caller ?? ""));
  }

  private async decide({ needs }: StorageOperation, caller: string | undefined): Promise<void> {
    for (const { permission, resource } of needs) {
      this.require(permission, resource, caller);
      const overwrites =
        permission === "storage.objects.create" &&
        resource.object !== undefined &&
        (await this.context.objects.exists(resource.bucket, resource.object));
      if (overwrites) this.require("storage.objects.delete", resource, caller);
    }
  }

  private require(permission: string, resource: StorageResource, caller: string | undefined): void {
    if (this.allows(permission, resource, caller)) return;
    const what = resource.object === undefined ? "bucket" : "object";
    const who = caller ? caller.replace(/^(serviceAccount|user):/, "") : "Anonymous caller";
    const denied = `Permission '${permission}' denied on resource (or it may not exist).`;
    throw new GoogleError(
      caller ? 403 : 401,
      `${who} does not have ${permission} access to the Google Cloud Storage ${what}. ${denied}`,
      caller ? {} : { reason: "required" },
    );
  }

  private allows(permission: string, resource: StorageResource, caller: string | undefined): boolean {
    const { administrator, decisions } = this.context;
    return caller === administrator || decisions.allows(caller ?? "allUsers", permission, resource);
  }

  /** The bucket itself, or which of the asked permissions the caller has in it. */
  private testPermissionsOr(bucket: Json, operation: StorageOperation, url: URL, caller?: string): Json {
    if (!operation.testsPermissions) return bucket;
    const permissions = url.searchParams
      .getAll("permissions")
      .filter((permission) => this.allows(permission, { bucket: bucket.name }, caller));
    return { kind: "storage#testIamPermissionsResponse", ...(permissions.length && { permissions }) };
  }

  private proxy(
    request: IncomingMessage,
    response: ServerResponse,
    body: Buffer,
    onUploadStarted?: (uploadId: string) => void,
  ): Promise<number> {
    const headers = without(request.headers, "authorization");
    return new Promise((resolve, reject) => {
      const forwarded = httpRequest(
        new URL(request.url ?? "/", this.context.objectStoreUrl),
        { method: request.method, headers },
        (answer) => {
          // The store is asked over http and so says http; the client must come back here, over TLS.
          const location = answer.headers.location?.replace(/^http:/, "https:");
          const uploadId = /[?&]upload_id=([^&]+)/.exec(location ?? "")?.[1];
          if (uploadId) onUploadStarted?.(decodeURIComponent(uploadId));
          const status = answer.statusCode ?? 502;
          const answerHeaders = { ...answer.headers, ...(location && { location }) };
          forward(answer, response, status, answerHeaders).then(() => resolve(status), reject);
        },
      );
      forwarded.on("error", reject);
      forwarded.end(body);
    });
  }
}

/** Passes an answer on as it is, but for the links that stand in an object's description. */
async function forward(
  answer: IncomingMessage,
  response: ServerResponse,
  status: number,
  headers: IncomingHttpHeaders,
): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of answer) chunks.push(chunk as Buffer);
  let body = Buffer.concat(chunks);
  if (headers["content-type"]?.includes("json") && headers["content-encoding"] === undefined) {
    body = Buffer.from(body.toString("utf8").replace(/("(?:media|self)Link":\s*")http:/g, "$1https:"));
  }
  response.writeHead(status, { ...without(headers, "transfer-encoding"), "content-length": body.length });
  response.end(body);
}
