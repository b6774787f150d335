import { ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, Server } from "node:https";
import { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { JobProgram, programCommand } from "../../lib/private/kubernetes/job-programs";

/** A call that a program made of the API server. */
export interface Call {
  /** Method and path, for example `GET /api/v1/pods`. */
  readonly request: string;
  readonly token: string;
  readonly body?: any;
}

/** What an API server answers: an object with status 200, a text as it is, a status, or nothing at all. */
export type Answer = { readonly json: any } | { readonly text: string } | Refusal | "nothing" | "hang up";
interface Refusal {
  readonly status: number;
  readonly message?: string;
}

/** How a program ended. */
export interface Ending {
  readonly exitCode: number | null;
  readonly output: string;
}

const MISSING = ["python3", "openssl"].filter(
  (command) => spawnSync(command, ["--help"]).error !== undefined,
);

/**
 * A test that runs python3 against an HTTPS server of its own, beside others: they mostly wait. Where a tool for that is missing it
 * is skipped, and says so.
 */
export function testWithPython(name: string, run: (host: ProgramHost) => Promise<void>): void {
  if (MISSING.length > 0) {
    process.stderr.write(`skipped: ${name}: needs ${MISSING.join(" and ")}\n`);
    test.skip(name, () => {});
    return;
  }
  test.concurrent(
    name,
    async () => {
      const host = new ProgramHost();
      try {
        await run(host);
      } finally {
        await host.close();
      }
    },
    20_000,
  );
}

interface Certificates {
  readonly ca: Buffer;
  readonly key: Buffer;
  readonly cert: Buffer;
}

let certificates: Certificates | undefined;

/** An authority and what it signs, without the identifier of the authority's key: as on many clusters. */
function createCertificates(): Certificates {
  const folder = mkdtempSync(join(tmpdir(), "certificates-"));
  const create = (name: string, ...options: string[]) => {
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    const files = ["-keyout", `${name}-key.pem`, "-out", `${name}.pem`, "-subj", `/CN=${name}`];
    const all = ["req", "-x509", ...key, ...files, "-addext", "authorityKeyIdentifier=none", ...options];
    const { status, stderr } = spawnSync("openssl", all, { cwd: folder, encoding: "utf8" });
    if (status !== 0) throw new Error(stderr);
  };
  try {
    create("ca");
    const extensions = ["subjectAltName=IP:127.0.0.1", "basicConstraints=CA:false"];
    create(
      "server",
      "-CA",
      "ca.pem",
      "-CAkey",
      "ca-key.pem",
      ...extensions.flatMap((each) => ["-addext", each]),
    );
    const [ca, key, cert] = ["ca.pem", "server-key.pem", "server.pem"].map((file) =>
      readFileSync(join(folder, file)),
    );
    return { ca, key, cert };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** An API server as a program in a pod sees it, with the folder of the pod's service account. */
export class ProgramHost {
  public readonly calls: Call[] = [];
  /** What the program has printed so far. */
  public output = "";
  private readonly folder = mkdtempSync(join(tmpdir(), "job-program-"));
  private readonly running = new Set<ChildProcess>();
  private server?: Server;
  private port = 0;
  private answer: (call: Call) => Answer = () => ({ status: 404 });

  constructor() {
    certificates ??= createCertificates();
    writeFileSync(join(this.folder, "ca.crt"), certificates.ca);
    this.setToken("token");
  }

  public setToken(token: string): void {
    writeFileSync(join(this.folder, "token"), token);
  }

  /** Answers from now on; before the first time nobody listens. */
  public async serve(answer: (call: Call) => Answer): Promise<void> {
    this.answer = answer;
    if (this.server !== undefined) return;
    this.server = createServer({ key: certificates!.key, cert: certificates!.cert }, (request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk) => chunks.push(chunk));
      request.on("end", () => {
        const text = Buffer.concat(chunks).toString();
        const call = {
          request: `${request.method} ${request.url}`,
          token: (request.headers.authorization ?? "").replace(/^Bearer /, ""),
          ...(text && { body: JSON.parse(text) }),
        };
        this.calls.push(call);
        const answered = this.answer(call);
        if (answered === "nothing") return;
        if (answered === "hang up") return void response.destroy();
        response.statusCode = "status" in answered ? answered.status : 200;
        response.end("text" in answered ? answered.text : JSON.stringify(jsonOf(answered)));
      });
    }).listen(this.port, "127.0.0.1");
    await once(this.server, "listening");
    this.port = (this.server.address() as AddressInfo).port;
  }

  public async unreachable(): Promise<void> {
    this.server?.closeAllConnections();
    this.server?.close();
    if (this.server !== undefined) await once(this.server, "close");
    this.server = undefined;
  }

  /**
   * Runs a program to its end, as its container would, but for less time between two calls.
   *
   * @param changes `prelude`: Python that runs before it; `callSeconds`: how long an answer may take
   */
  public async run(
    program: JobProgram,
    args: string[] = [],
    changes: { readonly prelude?: string; readonly callSeconds?: number } = {},
  ): Promise<Ending> {
    const [python, option, text] = programCommand(program);
    const constants = {
      SERVER: `"https://127.0.0.1:${this.port}"`,
      ACCOUNT: `pathlib.Path(${JSON.stringify(this.folder)})`,
      POLL_SECONDS: "0.002",
      CALL_SECONDS: `${changes.callSeconds ?? 10}`,
    };
    let here = text;
    for (const [name, value] of Object.entries(constants)) {
      const line = new RegExp(`^${name} = .*$`, "m");
      if (!line.test(here)) throw new Error(`${program} has no ${name}`);
      here = here.replace(line, () => `${name} = ${value}`);
    }
    const child = spawn(python, [option, `${changes.prelude ?? ""}\n${here}`, ...args], {
      env: { PATH: process.env.PATH },
    });
    this.running.add(child);
    this.output = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (this.output += chunk));
    const [exitCode] = await once(child, "close");
    this.running.delete(child);
    return { exitCode, output: this.output };
  }

  public async close(): Promise<void> {
    for (const child of this.running) child.kill("SIGKILL");
    await this.unreachable();
    rmSync(this.folder, { recursive: true });
  }
}

function jsonOf(answer: { readonly json: any } | Refusal): any {
  if ("json" in answer) return answer.json;
  return { kind: "Status", status: "Failure", code: answer.status, message: answer.message };
}
