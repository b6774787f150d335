import { GoogleError, invalidArgument } from "./errors";
import { Project } from "./project";
import { Visibility } from "./visibility";

/** The IAM member of a Kubernetes service account that acts through a Google service account. */
export function workloadIdentityMember(pool: string, namespace: string, serviceAccount: string): string {
  return `serviceAccount:${pool}[${namespace}/${serviceAccount}]`;
}

/** The IAM member of a Kubernetes service account that acts for itself. */
export function federatedPrincipal(
  project: Project,
  pool: string,
  namespace: string,
  serviceAccount: string,
): string {
  return (
    `principal://iam.googleapis.com/projects/${project.number}/locations/global/workloadIdentityPools/` +
    `${pool}/subject/ns/${namespace}/sa/${serviceAccount}`
  );
}

const WORKLOAD_IDENTITY = /^serviceAccount:([a-z0-9.:-]+\.svc\.id\.goog)\[([^/\]]+)\/([^/\]]+)\]$/;
const FEDERATED =
  /^principal(Set)?:\/\/iam\.googleapis\.com\/projects\/(\d+)\/locations\/global\/workloadIdentityPools\/([^/]+)\/(.+)$/;
const EMAIL = /^[^@\s:]+@[^@\s]+\.[^@\s]+$/;
const DOMAIN = /^[^@\s]+\.[^@\s]+$/;
const PUBLIC = ["allUsers", "allAuthenticatedUsers"];

function poolDoesNotExist(pool: string): GoogleError {
  return invalidArgument(
    `Identity Pool does not exist (${pool}). Please check that you specified a valid resource name as ` +
      "returned in the `name` attribute in the configuration API.",
  );
}

/** Refuses the members that IAM refuses in a policy: unknown types, accounts and pools that do not exist. */
export class Members {
  constructor(
    private readonly project: Project,
    private readonly visibility: Visibility,
  ) {}

  public check(member: string): void {
    if (PUBLIC.includes(member) || member.startsWith("deleted:")) return;
    if (member.startsWith("principal")) return this.checkFederated(member);
    const [type, ...rest] = member.split(":");
    const value = rest.join(":");
    if (type === "serviceAccount") return this.checkServiceAccount(member, value);
    if ((type === "user" || type === "group") && EMAIL.test(value)) return;
    if (type === "domain" && DOMAIN.test(value)) return;
    if (/^project(Owner|Editor|Viewer)$/.test(type) && this.project.isProject(value)) return;
    throw invalidArgument(
      `The member ${member} is of an unknown type. Please set a valid type prefix for the member.`,
    );
  }

  private checkServiceAccount(member: string, email: string): void {
    if (email.includes("[")) {
      const pool = WORKLOAD_IDENTITY.exec(member)?.[1];
      if (!pool) throw invalidArgument(`Invalid service account member (${member}).`);
      if (!this.project.identityPools.has(pool)) throw poolDoesNotExist(pool);
      return;
    }
    const exists = this.project.serviceAccounts.has(email) || this.project.isServiceAgent(email);
    if (!exists || !this.visibility.sees("serviceAccountBindings", email)) {
      throw invalidArgument(`Service account ${email} does not exist.`);
    }
  }

  private checkFederated(member: string): void {
    const match = FEDERATED.exec(member);
    if (!match) throw invalidArgument(`Invalid principal member (${member}).`);
    const [, isSet, number, pool, subject] = match;
    if (number !== this.project.number || !this.project.identityPools.has(pool)) throw poolDoesNotExist(pool);
    const wellFormed = isSet
      ? /^(namespace\/[^/]+|kubernetes\.cluster\/.+|\*)$/.test(subject)
      : /^subject\/ns\/[^/]+\/sa\/[^/]+$/.test(subject) ||
        subject.startsWith("kubernetes.serviceaccount.uid/");
    if (!wellFormed) throw invalidArgument(`Invalid principal member (${member}).`);
  }
}
