import { invalidArgument, permissionDenied } from "./errors";
import { Call, Route, routesOf } from "./routes";
import { PolicyStore } from "./policies";
import { Project } from "./project";
import { Tokens } from "./tokens";

const GENERATE = "/v1/projects/-/serviceAccounts/(?<account>[^/:]+):generateAccessToken";
const MAY_MAKE_TOKENS = ["roles/iam.serviceAccountTokenCreator", "roles/iam.workloadIdentityUser"];
const LONGEST_SECONDS = 3600;

/**
 * The Service Account Credentials API v1: tokens of service accounts, for those who may make them. Being the project's owner
 * is not enough.
 *
 * Follows the requests of Terraform's provider and the reference; there are no recordings of it.
 */
export class IamCredentialsApi {
  /** @param known tokens that somebody else takes as an account's too, by email; other tokens are made up */
  constructor(
    private readonly project: Project,
    private readonly policies: PolicyStore,
    private readonly tokens: Tokens,
    private readonly known: Readonly<Record<string, string>>,
  ) {}

  public routes(): Route[] {
    const route = routesOf("iamcredentials");
    return [route("POST", GENERATE, (call) => this.generate(call), "GenerateAccessTokenRequest")];
  }

  private generate({ params, body, caller }: Call): object {
    const email = decodeURIComponent(params.account);
    const { scope = [], lifetime = `${LONGEST_SECONDS}s` } = body;
    const seconds = Number(/^(\d+)s$/.exec(lifetime)?.[1]);
    if (scope.length === 0) throw invalidArgument("Scope must be specified.");
    if (!(seconds > 0 && seconds <= LONGEST_SECONDS)) throw invalidArgument(`Invalid lifetime: ${lifetime}.`);
    if (!this.mayMakeTokens(caller, email)) {
      throw permissionDenied(
        "Permission 'iam.serviceAccounts.getAccessToken' denied on resource (or it may not exist).",
      );
    }
    const member = `serviceAccount:${email}`;
    const accessToken = this.known[email] ?? this.tokens.issue(member, seconds);
    this.tokens.accept(accessToken, member, seconds);
    return { accessToken, expireTime: new Date(Date.now() + seconds * 1000).toISOString() };
  }

  private mayMakeTokens(caller: string, email: string): boolean {
    const account = this.project.serviceAccounts.get(email);
    if (account === undefined || account.disabled) return false;
    return [account.name, `projects/${this.project.id}`]
      .flatMap((resource) => this.policies.get(resource).bindings)
      .some(({ role, members }) => MAY_MAKE_TOKENS.includes(role) && members.includes(caller));
  }
}
