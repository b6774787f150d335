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
