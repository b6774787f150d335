/** One request, as it was answered. */
export interface LoggedRequest {
  /** When it came, in milliseconds since the epoch. */
  readonly time: number;
  readonly method: string;
  /** Path with the query. */
  readonly path: string;
  /** Status of the answer; 0 where the connection was dropped on purpose. */
  readonly status: number;
  /** The IAM member of the token, if there was a good one. */
  readonly caller?: string;
}

/** Every request in the order of its arrival, for assertions on order. */
export class RequestLog {
  private readonly entries: LoggedRequest[] = [];

  public add(entry: LoggedRequest): void {
    const later = this.entries.findIndex((other) => other.time > entry.time);
    this.entries.splice(later === -1 ? this.entries.length : later, 0, entry);
  }

  public all(): readonly LoggedRequest[] {
    return this.entries;
  }

  public matching(method: string, path: RegExp): readonly LoggedRequest[] {
    return this.entries.filter((entry) => entry.method === method && path.test(entry.path));
  }

  public clear(): void {
    this.entries.length = 0;
  }
}
