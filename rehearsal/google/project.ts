import { randomInt } from "node:crypto";

/** A Google service account, as IAM answers it. */
export interface ServiceAccount {
  readonly name: string;
  readonly projectId: string;
  readonly uniqueId: string;
  readonly email: string;
  readonly oauth2ClientId: string;
  etag: string;
  displayName?: string;
  description?: string;
  disabled?: boolean;
}

/** A project can always call the service that enables the others. */
const ALWAYS_ENABLED = "serviceusage.googleapis.com";

/** What a project that has long been in use has enabled. */
const ALL_SERVICES = [
  "cloudbilling.googleapis.com",
  "cloudresourcemanager.googleapis.com",
  "compute.googleapis.com",
  "container.googleapis.com",
  "iam.googleapis.com",
  "iamcredentials.googleapis.com",
  "logging.googleapis.com",
  "monitoring.googleapis.com",
  "storage.googleapis.com",
  "sts.googleapis.com",
];

/** A numeric id of the length that Google's have: 21 digits for accounts, 19 for Compute Engine. */
export const uniqueId = (digits = 21) =>
  `1${Array.from({ length: digits - 1 }, () => randomInt(10)).join("")}`;

/** An opaque version tag: base64 of a growing number, as Google's are. */
export function etagOf(version: number): string {
  const bytes = [0x08];
  for (let rest = version; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) {
      bytes.push(rest);
      return Buffer.from(bytes).toString("base64");
    }
    bytes.push((rest % 128) | 0x80);
  }
}

/** What the organization of the project requires, or has taken away. */
export interface OrganizationPolicies {
  /** The default account of Compute Engine is disabled. */
  readonly defaultComputeAccountDisabled?: boolean;
  /** `constraints/compute.requireShieldedVm` */
  readonly shieldedNodes?: boolean;
  /** `constraints/gcp.restrictNonCmekServices` */
  readonly customerManagedKeys?: boolean;
}

/** The project that all the doubles share: its services, identities and workload identity pools. */
export class Project {
  public readonly services = new Set<string>([ALWAYS_ENABLED]);
  /** Pools stay once a cluster has brought them into the project, also after the cluster is gone. */
  public readonly identityPools = new Set<string>();
  public readonly serviceAccounts = new Map<string, ServiceAccount>();
  /** Projects of others that the caller may see. */
  public readonly others = new Set<string>();
  private versions = 0;

  constructor(
    public readonly id: string,
    public readonly number: string,
    enabledApis: "all" | readonly string[],
    public readonly organization: OrganizationPolicies = {},
  ) {
    for (const service of enabledApis === "all" ? ALL_SERVICES : enabledApis) this.services.add(service);
  }

  public get workloadPool(): string {
    return `${this.id}.svc.id.goog`;
  }

  public isProject(name: string): boolean {
    return name === this.id || name === this.number;
  }

  public isEnabled(service: string): boolean {
    return this.services.has(service);
  }

  public nextEtag(): string {
    return etagOf(++this.versions);
  }

  public addServiceAccount(email: string): ServiceAccount {
    const projectId = /@(.+)\.iam\.gserviceaccount\.com$/.exec(email)?.[1] ?? this.id;
    if (projectId !== this.id) this.others.add(projectId);
    const account: ServiceAccount = {
      name: `projects/${projectId}/serviceAccounts/${email}`,
      projectId,
      uniqueId: uniqueId(),
      email,
      oauth2ClientId: uniqueId(),
      etag: this.nextEtag(),
    };
    this.serviceAccounts.set(email, account);
    return account;
  }

  /** Whether Google itself keeps this account: no stack makes it, and it is there with its API. */
  public isServiceAgent(email: string): boolean {
    return (
      email === `${this.number}-compute@developer.gserviceaccount.com` ||
      email === `${this.number}@cloudservices.gserviceaccount.com` ||
      (email.startsWith(`service-${this.number}@`) && email.endsWith(".iam.gserviceaccount.com"))
    );
  }
}
