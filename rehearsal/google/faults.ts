import { GoogleError } from "./errors";
import { setTimeout as sleep } from "node:timers/promises";

export interface RequestMatch {
  readonly method?: string | RegExp;
  /** Looked for in the path with its query. */
  readonly path: RegExp;
}

interface Limited {
  /**
   * How many matching requests it meets.
   * @default 1
   */
  readonly times?: number;
}

export interface Failure extends Limited {
  readonly match: RequestMatch;
  readonly status: 400 | 401 | 403 | 404 | 409 | 412 | 429 | 500 | 503;
  readonly message?: string;
  readonly reason?: string;
}

export interface Delay extends Limited {
  readonly match: RequestMatch;
  readonly delayMs: number;
}

export interface HoldOptions {
  /**
   * Whether the request is stopped before or after it has taken effect; in both cases before it is answered.
   * @default "before"
   */
  readonly when?: "before" | "after";
}

/** Sees a request, which goes on when the promise resolves and fails when it is rejected. */
export type Visitor = (method: string, path: string) => Promise<void>;

/** A request that is stopped, so that a test can do something just then. */
export interface Hold {
  /** Resolves when the request is there. */
  readonly reached: Promise<void>;
  /** Lets the request go on. */
  release(): void;
}

export interface OperationFailure extends Limited {
  /** Such as CREATE_NODE_POOL. */
  readonly type: string;
  readonly message: string;
}

type Rule =
  | { kind: "fail"; match: RequestMatch; left: number; failure: Failure }
  | { kind: "delay"; match: RequestMatch; left: number; delayMs: number }
  | { kind: "before" | "after"; match: RequestMatch; left: number; visit: Visitor };

const MESSAGES: Record<number, string> = {
  409: "The operation was aborted.",
  429: "Quota exceeded for quota metric 'Requests' and limit 'Requests per minute' of the service.",
  503: "The service is currently unavailable.",
};

/** What goes wrong on demand. */
export class Faults {
  private rules: Rule[] = [];
  private operations: { failure: OperationFailure; left: number }[] = [];

  /** Answers matching requests with an error instead of doing them. */
  public fail(failure: Failure): void {
    this.rules.push({ kind: "fail", match: failure.match, left: failure.times ?? 1, failure });
  }

  /** Answers matching requests later. */
  public delay(delay: Delay): void {
    this.rules.push({
      kind: "delay",
      match: delay.match,
      left: delay.times ?? Infinity,
      delayMs: delay.delayMs,
    });
  }

  /** Stops the next matching request until it is released. */
  public hold(match: RequestMatch, options: HoldOptions = {}): Hold {
    let arrive = () => {};
    let release = () => {};
    const reached = new Promise<void>((resolve) => (arrive = resolve));
    const released = new Promise<void>((resolve) => (release = resolve));
    const visit = () => {
      arrive();
      return released;
    };
    this.rules.push({ kind: options.when ?? "before", match, left: 1, visit });
    return { reached, release };
  }

  /** Shows every matching request to a visitor. */
  public visit(match: RequestMatch, visit: Visitor, options: HoldOptions = {}): void {
    this.rules.push({ kind: options.when ?? "before", match, left: Infinity, visit });
  }

  /** Lets long-running operations of a type end with an error. */
  public failOperation(failure: OperationFailure): void {
    this.operations.push({ failure, left: failure.times ?? 1 });
  }

  public clear(): void {
    this.rules = [];
    this.operations = [];
  }

  /** @throws GoogleError where a failure was asked for */
  public async before(method: string, path: string): Promise<void> {
    for (const rule of this.matching(method, path, (kind) => kind !== "after")) {
      if (rule.kind === "delay") await sleep(rule.delayMs);
      else if (rule.kind === "fail") throw errorOf(rule.failure);
      else await rule.visit(method, path);
    }
  }

  /** @throws GoogleError where a visitor wants it */
  public async after(method: string, path: string): Promise<void> {
    for (const rule of this.matching(method, path, (kind) => kind === "after")) {
      if (rule.kind === "after") await rule.visit(method, path);
    }
  }

  public operationError(type: string): string | undefined {
    const rule = this.operations.find(({ failure, left }) => failure.type === type && left > 0);
    if (!rule) return undefined;
    rule.left--;
    return rule.failure.message;
  }

  private matching(method: string, path: string, wanted: (kind: Rule["kind"]) => boolean): Rule[] {
    const rules = this.rules.filter(
      ({ kind, match, left }) =>
        wanted(kind) && left > 0 && isMethod(match.method, method) && match.path.test(path),
    );
    rules.forEach((rule) => rule.left--);
    return rules;
  }
}

function isMethod(wanted: RequestMatch["method"], method: string): boolean {
  return wanted instanceof RegExp ? wanted.test(method) : wanted === undefined || wanted === method;
}

function errorOf({ status, message, reason }: Failure): GoogleError {
  const aborted = status === 409 ? { status: "ABORTED", reason: "aborted" } : {};
  return new GoogleError(status, message ?? MESSAGES[status] ?? "The request failed.", {
    ...aborted,
    ...(reason && { reason }),
  });
}
