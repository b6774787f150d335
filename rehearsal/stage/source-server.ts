import { createServer, Server } from "node:https";
import { close, listen } from "../tools/servers";

export interface SourceServerOptions {
  readonly host: string;
  readonly port: number;
  /** Certificate for the server's name, as PEM, and its key. */
  readonly cert: string;
  readonly key: string;
}

/** A request as it came in; never with the password. */
export interface SourceRequest {
  readonly path: string;
  /** Whether somebody said who they are, rightly or not. */
  readonly signedIn: boolean;
  readonly status: number;
}

/**
 * A host of private archives, with basic authentication. Like GitHub it answers 404 to who may not see one, so that nobody
 * learns that it exists.
 */
export class SourceServer {
  public static async start(options: SourceServerOptions): Promise<SourceServer> {
    const server = new SourceServer(options);
    await listen(server.server, options.port, options.host);
    return server;
  }

  /** Every request so far. */
  public readonly requests: SourceRequest[] = [];
  private readonly server: Server;
  private readonly archives = new Map<string, Buffer>();
  private credential = "";

  private constructor({ cert, key }: SourceServerOptions) {
    this.server = createServer({ cert, key }, ({ url = "", headers }, response) => {
      const archive = this.archives.get(url);
      const may = headers.authorization === this.credential && archive !== undefined;
      const status = may ? 200 : 404;
      this.requests.push({ path: url, signedIn: headers.authorization !== undefined, status });
      response.writeHead(status).end(may ? archive : "Not Found");
    });
  }

  /** From now on only this user and password are known. */
  public allow(user: string, password: string): void {
    this.credential = `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
  }

  /** Puts an archive at a path. */
  public put(path: string, archive: Buffer): void {
    this.archives.set(path, archive);
  }

  public async stop(): Promise<void> {
    await close(this.server);
  }
}
