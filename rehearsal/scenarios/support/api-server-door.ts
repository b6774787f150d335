import { readFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { Agent, createServer, request as forward, Server } from "node:https";
import { join } from "node:path";
import { GoogleError } from "../../google/errors";
import { Faults } from "../../google/faults";
import { answerJson, close, listen, readBody } from "../../tools/servers";
import type { Node } from "../../node/node";
import type { ToolCache } from "../../tools/cache";
import { issueCertificate } from "../../tools/certificates";

/** What Kubernetes calls the errors that a scenario asks for. */
const REASONS: Readonly<Record<number, string>> = {
  401: "Unauthorized",
  403: "Forbidden",
  409: "Conflict",
  429: "TooManyRequests",
  503: "ServiceUnavailable",
};

/** Stands before the API server, on a port of its own, so that single requests can be held or fail. */
export class ApiServerDoor {
  public static async open(node: Node, cache: ToolCache, logDir: string): Promise<ApiServerDoor> {
    const [host] = node.endpoint.split(":");
    const files = { certificate: join(logDir, "door.pem"), key: join(logDir, "door.key") };
    const authority = { certificate: cache.authorityCertificate, key: cache.authorityKey };
    await issueCertificate(authority, files, { commonName: host, names: [host] });
    const door = new ApiServerDoor(node, readFileSync(files.certificate), readFileSync(files.key));
    const port = await listen(door.server, 0, host);
    return Object.assign(door, {
      target: { endpoint: `${host}:${port}`, caPem: readFileSync(authority.certificate, "utf8") },
    });
  }

  /** What a cluster behind the door answers as its endpoint and certificate authority. */
  public readonly target!: { readonly endpoint: string; readonly caPem: string };
  public readonly faults = new Faults();
  private readonly server: Server;
  private readonly agent: Agent;

  private constructor(
    private readonly node: Node,
    cert: Buffer,
    key: Buffer,
  ) {
    this.agent = new Agent({ ca: node.caPem, keepAlive: true });
    this.server = createServer({ cert, key }, (request, response) => void this.handle(request, response));
  }

  public async close(): Promise<void> {
    await close(this.server);
    this.agent.destroy();
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = "GET", url: path = "/" } = request;
    try {
      const body = await readBody(request);
      await this.faults.before(method, path);
      // A client that has gone away meanwhile does not want it any more.
      if (response.destroyed) return;
      const answer = await this.send(request, body);
      if (answer.statusCode! < 400) await this.faults.after(method, path);
      response.writeHead(answer.statusCode!, answer.headers);
      response.once("close", () => answer.destroy());
      answer.pipe(response);
    } catch (error) {
      if (error instanceof GoogleError) answerJson(response, error.code, statusOf(error));
      else response.destroy();
    }
  }

  private send(request: IncomingMessage, body: Buffer): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const { method, url, headers } = request;
      const call = forward(`https://${this.node.endpoint}${url}`, { method, headers, agent: this.agent });
      call.once("response", resolve).once("error", reject);
      call.end(body);
    });
  }
}

function statusOf({ code, message }: GoogleError): object {
  return { kind: "Status", apiVersion: "v1", status: "Failure", reason: REASONS[code], code, message };
}
