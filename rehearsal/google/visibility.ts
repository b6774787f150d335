/** Things that Google shows only some time after they were made. */
export interface EventualConsistency {
  /** Reads of a new service account that still answer 404. */
  readonly serviceAccountReads?: number;
  /** Policies that may not yet name a new service account ("does not exist"). */
  readonly serviceAccountBindings?: number;
  /** Reads of a new bucket that still answer 404. */
  readonly bucketReads?: number;
  /** Lists of services in which a newly enabled service is still missing. */
  readonly serviceLists?: number;
}

/** Counts, for each new thing, the looks at it that still miss it. */
export class Visibility {
  private readonly unseen = new Map<string, number>();

  constructor(public consistency: EventualConsistency = {}) {}

  public appear(kind: keyof EventualConsistency, name: string): void {
    const looks = this.consistency[kind] ?? 0;
    if (looks > 0) this.unseen.set(`${kind} ${name}`, looks);
  }

  /** Whether this look sees the thing; each look counts. */
  public sees(kind: keyof EventualConsistency, name: string): boolean {
    const key = `${kind} ${name}`;
    const looks = this.unseen.get(key) ?? 0;
    if (looks === 0) return true;
    if (looks === 1) this.unseen.delete(key);
    else this.unseen.set(key, looks - 1);
    return false;
  }
}
