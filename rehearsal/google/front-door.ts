import { IncomingMessage, ServerResponse } from "node:http";
import {
  ErrorStyle,
  GoogleError,
  invalidCredentials,
  invalidPayload,
  missingCredentials,
  permissionDenied,
  serviceDisabled,
} from "./errors";
import { Faults } from "./faults";
import { setTimeout as sleep } from "node:timers/promises";
import { answerJson, bearerToken, readBody } from "../tools/servers";
import { Route } from "./routes";
import { Latency } from "./operations";
import { Project } from "./project";
import { RequestLog } from "./requests";
import { Tokens } from "./tokens";
import { checkMessage } from "./validation";

export interface FrontDoorOptions {
  readonly project: Project;
  readonly tokens: Tokens;
  /** The member that may use the control plane: whoever runs Terraform. */
  readonly administrator: string;
  readonly faults: Faults;
  readonly requests: RequestLog;
  readonly latency: () => Latency;
  readonly routes: readonly Route[];
}

/** What every request to a control plane passes: log, faults, credentials, enabled API, form of the body. */
export class FrontDoor {
  constructor(private readonly options: FrontDoorOptions) {}

  public async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { faults, latency, requests, tokens } = this.options;
    const time = Date.now();
    const method = request.method ?? "GET";
    const path = request.url ?? "/";
    const caller = tokens.member(bearerToken(request) ?? "");
    let status = 200;
    let body: unknown;
    const raw = await readBody(request);
    try {
      await sleep(latency().requestMs ?? 0);
      await faults.before(method, path);
      // A client that has gone away meanwhile does not want it any more.
      if (response.destroyed) return;
      body = await this.dispatch(method, path, raw, bearerToken(request));
      if (body === undefined) status = 204;
      await faults.after(method, path);
    } catch (error) {
      const known = error instanceof GoogleError ? error : new GoogleError(500, String(error));
      status = known.code;
      body = known.body(styleOf(path));
    }
    requests.add({ time, method, path, status, ...(caller && { caller }) });
    answerJson(response, status, body);
  }

  private dispatch(method: string, path: string, raw: Buffer, token: string | undefined): unknown {
    const { administrator, project, routes, tokens } = this.options;
    const url = new URL(path, "http://localhost");
    // The provider takes the version off a custom endpoint only when that is https, and then adds its own.
    const pathname = url.pathname.replace(/^\/v1\/v1\//, "/v1/");
    if (!token) throw missingCredentials();
    const caller = tokens.member(token);
    if (!caller) throw invalidCredentials(styleOf(path));
    const matching = routes.filter((route) => route.path.test(pathname));
    const route = matching.find((candidate) => candidate.method === method);
    if (!route) throw new GoogleError(501, `${method} ${pathname} is not rehearsed.`);
    if (route.service && !project.isEnabled(route.service)) {
      throw serviceDisabled(route.service, project.number);
    }
    if (caller !== administrator) throw permissionDenied("The caller does not have permission");
    const { groups = {} } = route.path.exec(pathname)!;
    this.checkProject(groups.project);
    const body = parse(raw);
    if (route.request) checkMessage(route.request, body);
    return route.handle({ method, path: pathname, query: url.searchParams, params: groups, body, caller });
  }

  /** Other people's projects and projects that do not exist answer the same. */
  private checkProject(name: string | undefined): void {
    const { project } = this.options;
    if (name === undefined || name === "-" || project.isProject(name) || project.others.has(name)) return;
    throw permissionDenied(`Permission denied on resource project ${name}.`);
  }
}

const styleOf = (path: string): ErrorStyle => (path.startsWith("/storage/") ? "storage" : "cloud");

function parse(raw: Buffer): any {
  if (raw.length === 0) return {};
  try {
    return JSON.parse(raw.toString("utf8"));
  } catch (error) {
    throw invalidPayload(String(error), "");
  }
}
