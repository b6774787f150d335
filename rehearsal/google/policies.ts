import { evaluateCondition } from "./conditions";
import { concurrentPolicyChange, GoogleError, invalidArgument, preconditionFailed } from "./errors";
import { Members } from "./members";
import { etagOf } from "./project";

export interface Condition {
  readonly title?: string;
  readonly description?: string;
  readonly expression: string;
}

export interface Binding {
  readonly role: string;
  readonly members: readonly string[];
  readonly condition?: Condition;
}

export interface Policy {
  /** Missing until a policy is first written. */
  readonly version?: number;
  readonly etag: string;
  readonly bindings: readonly Binding[];
}

export type PolicyKind = "project" | "serviceAccount" | "bucket";

const ROLE = /^(roles\/[A-Za-z][A-Za-z0-9.]*|(projects|organizations)\/[^/]+\/roles\/[A-Za-z0-9_.]+)$/;
const BASIC_ROLES = ["roles/owner", "roles/editor", "roles/viewer", "roles/browser"];

/** Which predefined roles a kind of resource takes; custom roles it takes all. */
const GRANTABLE: Record<PolicyKind, (role: string) => boolean> = {
  project: (role) => !role.startsWith("roles/storage.legacy"),
  serviceAccount: (role) => role.startsWith("roles/iam.") || BASIC_ROLES.slice(0, 3).includes(role),
  bucket: (role) => role.startsWith("roles/storage."),
};

/** The policies of all resources, by resource name, with the checks that IAM makes on a write. */
export class PolicyStore {
  private readonly policies = new Map<string, Policy>();
  private versions = 0;

  constructor(private readonly members: Members) {}

  public get(resource: string): Policy {
    return this.policies.get(resource) ?? { etag: "ACAB", bindings: [] };
  }

  /** Gives a new resource its first policy, which no caller wrote. */
  public seed(resource: string, bindings: readonly Binding[]): void {
    this.policies.set(resource, { version: 1, etag: etagOf(++this.versions), bindings });
  }

  /**
   * Replaces a policy, as setIamPolicy does.
   *
   * @throws GoogleError 409 (buckets: 412) when the etag is not the policy's own, 400 for what IAM refuses
   */
  public set(kind: PolicyKind, resource: string, requested: Partial<Policy>): Policy {
    const current = this.get(resource);
    if (requested.etag && requested.etag !== current.etag) throw this.staleEtag(kind);
    const bindings = (requested.bindings ?? []).filter((binding) => binding.members?.length);
    bindings.forEach((binding) => this.check(kind, binding, requested.version ?? 1));
    const version = bindings.some((binding) => binding.condition) ? 3 : 1;
    const policy = { version, etag: etagOf(++this.versions), bindings: merge(bindings) };
    this.policies.set(resource, policy);
    return policy;
  }

  public delete(resource: string): void {
    this.policies.delete(resource);
  }

  /** An account that is deleted stays in policies, marked, and grants nothing from then on. */
  public forgetMember(member: string, uniqueId: string): void {
    const mark = (other: string) => (other === member ? `deleted:${member}?uid=${uniqueId}` : other);
    for (const [resource, policy] of this.policies) {
      const bindings = policy.bindings.map((binding) => ({ ...binding, members: binding.members.map(mark) }));
      this.policies.set(resource, { ...policy, bindings });
    }
  }

  public entries(): [string, Policy][] {
    return [...this.policies];
  }

  private check(kind: PolicyKind, binding: Binding, version: number): void {
    const { role, members, condition } = binding;
    if (!role || !ROLE.test(role)) throw invalidArgument(`Invalid role name (${role ?? ""}).`);
    if (role.startsWith("roles/") && !GRANTABLE[kind](role)) {
      throw invalidArgument(`Role ${role} is not supported for this resource.`);
    }
    members.forEach((member) => this.members.check(member));
    if (!condition) return;
    if (version < 3) throw invalidArgument("Policies with conditions must specify version 3.");
    const { title = "", description = "" } = condition;
    if (title.length > 100 || description.length > 256) {
      throw invalidArgument(`The title or the description of the condition of ${role} is too long.`);
    }
    if (!condition.title) throw invalidArgument(`The condition of ${role} has no title.`);
    if (BASIC_ROLES.includes(role)) throw invalidArgument(`Conditions can't be set on basic role ${role}.`);
    evaluateCondition(condition.expression, {
      "resource.name": "",
      "resource.type": "",
      "resource.service": "",
    });
  }

  private staleEtag(kind: PolicyKind): GoogleError {
    if (kind !== "bucket") return concurrentPolicyChange();
    return preconditionFailed("At least one of the pre-conditions you specified did not hold.");
  }
}

/** A policy as an API answers it: without the list of bindings when that is empty. */
export function renderPolicy({ bindings, ...policy }: Policy): object {
  return { ...policy, ...(bindings.length > 0 && { bindings }) };
}

/** One binding a role and condition, members once and in order, as policies are read back. */
function merge(bindings: readonly Binding[]): Binding[] {
  const merged = new Map<string, Binding>();
  for (const { role, condition, members } of bindings) {
    const key = JSON.stringify([role, condition?.title, condition?.description, condition?.expression]);
    const all = [...new Set([...(merged.get(key)?.members ?? []), ...members])].sort();
    merged.set(key, { role, members: all, ...(condition && { condition }) });
  }
  return [...merged.values()].sort((a, b) => (a.role < b.role ? -1 : 1));
}
