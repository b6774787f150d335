import { IncomingMessage, Server, ServerResponse } from "node:http";
import { AddressInfo } from "node:net";

/** A request that has passed the front door: authenticated, its API enabled, its body of the right form. */
export interface Call {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  /** Named groups of the route's path. */
  readonly params: Record<string, string>;
  readonly body: any;
  /** The IAM member that the token stands for. */
  readonly caller: string;
}

/** One method of one API. */
export interface Route {
  readonly method: string;
  readonly path: RegExp;
  /** The service that must be enabled in the project; none for what every project can call. */
  readonly service?: string;
  /** Name of the request message that the body must fit. */
  readonly request?: string;
  /** Answers with a JSON body, or with nothing (204). */
  handle(call: Call): unknown;
}

/** Makes the routes of one API: method, path as a regular expression, what answers, and the request message. */
export function routesOf(service: string) {
  return (method: string, path: string, handle: (call: Call) => unknown, request?: string): Route => ({
    method,
    path: new RegExp(`^${path}$`),
    service: `${service}.googleapis.com`,
    request,
    handle,
  });
}

export async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

export function answerJson(response: ServerResponse, status: number, body?: unknown): void {
  const text = body === undefined ? "" : JSON.stringify(body);
  response.writeHead(status, {
    "Content-Type": "application/json; charset=UTF-8",
    "Content-Length": Buffer.byteLength(text),
  });
  response.end(text);
}

/** Resolves with the port once the server listens; port 0 takes a free one. */
export function listen(server: Server, port: number, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve((server.address() as AddressInfo).port);
    });
  });
}

export function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

export const bearerToken = (request: IncomingMessage) =>
  /^Bearer (.+)$/i.exec(request.headers.authorization ?? "")?.[1];

export const sleep = (milliseconds: number) =>
  new Promise<void>((resolve) => setTimeout(resolve, milliseconds));
