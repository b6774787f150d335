import { alreadyExists, GoogleError, invalidArgument, notFound, permissionDenied } from "./errors";
import { Call, Route, routesOf } from "./routes";
import { checkServiceAccountId } from "./names";
import { PolicyStore, renderPolicy } from "./policies";
import { Project, ServiceAccount } from "./project";
import { Visibility } from "./visibility";

const ACCOUNTS = "/v1/projects/(?<project>[^/]+)/serviceAccounts";
const ACCOUNT = `${ACCOUNTS}/(?<account>[^/:]+)`;
const MAX_DISPLAY_NAME_BYTES = 100;
const MAX_DESCRIPTION_BYTES = 256;

/** The fields that a PATCH may name in its mask, as the mask spells them. */
const PATCHED: Readonly<Record<string, "displayName" | "description">> = {
  display_name: "displayName",
  displayName: "displayName",
  description: "description",
};

/**
 * The IAM API v1: service accounts and who may act as them.
 *
 * Service accounts and the shape of policies follow recordings of the real API; what a policy may not say follows
 * its documentation and the errors users report.
 */
export class IamApi {
  constructor(
    private readonly project: Project,
    private readonly policies: PolicyStore,
    private readonly visibility: Visibility,
  ) {}

  public routes(): Route[] {
    const route = routesOf("iam");
    return [
      route("GET", ACCOUNTS, () => ({ accounts: [...this.project.serviceAccounts.values()] })),
      route("POST", ACCOUNTS, (call) => this.create(call), "CreateServiceAccountRequest"),
      route("GET", ACCOUNT, (call) => this.get(call)),
      route("PATCH", ACCOUNT, (call) => this.patch(call), "PatchServiceAccountRequest"),
      route("DELETE", ACCOUNT, (call) => this.delete(call)),
      route("POST", `${ACCOUNT}:enable`, (call) => this.disable(call, false), "EnableServiceAccountRequest"),
      route("POST", `${ACCOUNT}:disable`, (call) => this.disable(call, true), "DisableServiceAccountRequest"),
      route("POST", `${ACCOUNT}:getIamPolicy`, (call) =>
        renderPolicy(this.policies.get(this.find(call).name)),
      ),
      route("GET", `${ACCOUNT}:getIamPolicy`, (call) =>
        renderPolicy(this.policies.get(this.find(call).name)),
      ),
      route("POST", `${ACCOUNT}:setIamPolicy`, (call) => this.setPolicy(call), "SetIamPolicyRequest"),
    ];
  }

  private create({ params, body }: Call): ServiceAccount {
    const { accountId, serviceAccount = {} } = body;
    if (!this.project.isProject(params.project)) {
      throw permissionDenied(
        `Permission 'iam.serviceAccounts.create' denied on resource (or it may not exist).`,
      );
    }
    checkServiceAccountId(accountId);
    checkTexts(serviceAccount);
    const email = `${accountId}@${this.project.id}.iam.gserviceaccount.com`;
    if (this.project.serviceAccounts.has(email)) {
      throw alreadyExists(
        `Service account ${accountId} already exists within project projects/${params.project}.`,
      );
    }
    const account = this.project.addServiceAccount(email);
    if (serviceAccount.displayName) account.displayName = serviceAccount.displayName;
    if (serviceAccount.description) account.description = serviceAccount.description;
    this.visibility.appear("serviceAccountReads", email);
    this.visibility.appear("serviceAccountBindings", email);
    return account;
  }

  private get(call: Call): ServiceAccount {
    const account = this.find(call);
    if (!this.visibility.sees("serviceAccountReads", account.email)) throw unknownAccount();
    return account;
  }

  /** Answers with the name and the fields of the mask alone, as the real API does. */
  private patch(call: Call): object {
    const account = this.find(call);
    const { serviceAccount = {}, updateMask = "" } = call.body;
    if (serviceAccount.etag && serviceAccount.etag !== account.etag) {
      throw new GoogleError(409, "The service account has changed since it was read.", {
        status: "ABORTED",
        reason: "aborted",
      });
    }
    checkTexts(serviceAccount);
    const answer: Record<string, string> = { name: account.name };
    for (const path of updateMask.split(",").filter(Boolean)) {
      const field = PATCHED[path.trim().replace(/^service_?account\./i, "")];
      if (!field) throw invalidArgument(`Invalid update mask: ${path}.`);
      account[field] = serviceAccount[field] || undefined;
      if (serviceAccount[field]) answer[field] = serviceAccount[field];
    }
    account.etag = this.project.nextEtag();
    return answer;
  }

  private delete(call: Call): object {
    const account = this.find(call);
    this.project.serviceAccounts.delete(account.email);
    this.policies.delete(account.name);
    this.policies.forgetMember(`serviceAccount:${account.email}`, account.uniqueId);
    return {};
  }

  private disable(call: Call, disabled: boolean): object {
    this.find(call).disabled = disabled || undefined;
    return {};
  }

  private setPolicy(call: Call): object {
    return renderPolicy(this.policies.set("serviceAccount", this.find(call).name, call.body.policy ?? {}));
  }

  /** Finds an account by its email or unique id, in this project or where the project is left open (`-`). */
  private find({ params }: Call): ServiceAccount {
    const { project, account } = params;
    const id = decodeURIComponent(account);
    const found = [...this.project.serviceAccounts.values()].find(
      ({ email, uniqueId }) => email === id || uniqueId === id,
    );
    const asked = this.project.isProject(project) ? this.project.id : project;
    if (!found || (asked !== "-" && asked !== found.projectId)) throw unknownAccount();
    return found;
  }
}

const unknownAccount = () => notFound("Unknown service account");

function checkTexts({ displayName = "", description = "" }: Partial<ServiceAccount>): void {
  if (Buffer.byteLength(displayName) > MAX_DISPLAY_NAME_BYTES) {
    throw invalidArgument(`The display name must be at most ${MAX_DISPLAY_NAME_BYTES} bytes.`);
  }
  if (Buffer.byteLength(description) > MAX_DESCRIPTION_BYTES) {
    throw invalidArgument(`The description must be at most ${MAX_DESCRIPTION_BYTES} bytes.`);
  }
}
