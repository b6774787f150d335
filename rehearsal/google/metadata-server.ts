import { createServer, IncomingMessage, Server, ServerResponse } from "node:http";
import { close, listen } from "../tools/servers";
import { Json } from "./json";
import { federatedPrincipal, workloadIdentityMember } from "./members";
import { PolicyStore } from "./policies";
import { Project } from "./project";
import { RequestLog } from "./requests";
import { Tokens } from "./tokens";

/** The pod behind an address, as far as its identity goes. */
export interface PodIdentity {
  readonly namespace: string;
  readonly serviceAccountName: string;
  /** Annotations of the Kubernetes service account. */
  readonly annotations: Readonly<Record<string, string>>;
}

export interface MetadataServerOptions {
  /** @default 169.254.169.254 */
  readonly host?: string;
  /** @default 80 */
  readonly port?: number;
  /** The pod that has an address; nothing for what is not a pod. */
  readonly podForIp: (ip: string) => PodIdentity | undefined | Promise<PodIdentity | undefined>;
}

export interface MetadataServerContext {
  /** The cluster whose nodes the server runs on. */
  readonly cluster: () => Json | undefined;
  readonly policies: PolicyStore;
  readonly project: Project;
  readonly requests: RequestLog;
  readonly tokens: Tokens;
}

const GSA_ANNOTATION = "iam.gke.io/gcp-service-account";
const ROOT = "/computeMetadata/v1";
const SCOPES = [
  "https://www.googleapis.com/auth/cloud-platform",
  "https://www.googleapis.com/auth/userinfo.email",
];
const TOKEN_SECONDS = 3600;

class MetadataError extends Error {
  constructor(
    public readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** Who a pod is to Google: the account it is annotated with, or itself in the workload identity pool. */
interface Identity {
  /** The name under which the pod finds its account. */
  readonly email: string;
  readonly member: string;
}

/**
 * The metadata server of a GKE node: a pod gets a token only when its service account, the annotation on it and
 * the binding on the Google account agree.
 */
export class MetadataServer {
  public static async start(
    options: MetadataServerOptions,
    context: MetadataServerContext,
  ): Promise<MetadataServer> {
    const server = new MetadataServer(options, context);
    server.boundPort = await listen(server.server, options.port ?? 80, options.host ?? "169.254.169.254");
    return server;
  }

  private readonly server: Server;
  private boundPort = 0;

  private constructor(
    private readonly options: MetadataServerOptions,
    private readonly context: MetadataServerContext,
  ) {
    this.server = createServer((request, response) => void this.handle(request, response));
  }

  public get port(): number {
    return this.boundPort;
  }

  public async stop(): Promise<void> {
    await close(this.server);
  }

  /**
   * The token of a pod, for those that ask on its behalf.
   *
   * @throws when its identity does not give it one
   */
  public tokenOf(pod: PodIdentity): object {
    return this.token(this.identityOf(pod));
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const time = Date.now();
    const { method = "GET", url: path = "/" } = request;
    let status = 200;
    let answer: unknown;
    try {
      checkHeaders(request);
      const url = new URL(path, "http://metadata.google.internal");
      answer = await this.answer(url, request.socket.remoteAddress ?? "");
    } catch (error) {
      status = error instanceof MetadataError ? error.status : 500;
      answer = error instanceof Error ? error.message : String(error);
    }
    const isText = typeof answer === "string";
    response.writeHead(status, {
      "Metadata-Flavor": "Google",
      Server: "GKE Metadata Server",
      "Content-Type": isText ? "application/text" : "application/json",
    });
    response.end(isText ? answer : JSON.stringify(answer));
    this.context.requests.add({ time, method, path, status });
  }

  private async answer(url: URL, ip: string): Promise<unknown> {
    const { project } = this.context;
    const path = url.pathname.replace(/\/+$/, "");
    if (path === "" || path === "/computeMetadata") return `${ROOT.split("/").pop()}/\n`;
    if (path === ROOT) return "instance/\nproject/\n";
    if (path === `${ROOT}/project/project-id`) return project.id;
    if (path === `${ROOT}/project/numeric-project-id`) return project.number;
    if (path === `${ROOT}/universe/universe-domain`) return "googleapis.com";
    const attribute = new RegExp(`^${ROOT}/instance/attributes/(cluster-name|cluster-location)$`).exec(
      path,
    )?.[1];
    if (attribute) return this.attribute(attribute);
    if (path === `${ROOT}/instance/zone`) return this.zone();
    const account = new RegExp(`^${ROOT}/instance/service-accounts(?:/([^/]+))?(?:/([^/]+))?$`).exec(path);
    if (!account) throw new MetadataError(404, `${url.pathname} is not rehearsed.`);
    return this.serviceAccounts(await this.identity(ip), account[1], account[2], url.searchParams);
  }

  private serviceAccounts(
    identity: Identity,
    asked: string | undefined,
    item: string | undefined,
    query: URLSearchParams,
  ): unknown {
    if (asked === undefined) return `${identity.email}/\ndefault/\n`;
    const name = decodeURIComponent(asked);
    if (name !== "default" && name !== identity.email) {
      throw new MetadataError(404, `Service account ${name} is not the pod's.`);
    }
    const everything = { aliases: ["default"], email: identity.email, scopes: SCOPES };
    if (item === undefined)
      return query.get("recursive") ? everything : "aliases\nemail\nidentity\nscopes\ntoken\n";
    if (item === "email") return identity.email;
    if (item === "aliases") return "default\n";
    if (item === "scopes") return `${SCOPES.join("\n")}\n`;
    if (item !== "token") throw new MetadataError(404, `${item} is not rehearsed.`);
    return this.token(identity);
  }

  private token(identity: Identity): object {
    const token = this.context.tokens.issue(this.allowed(identity), TOKEN_SECONDS);
    return { access_token: token, expires_in: TOKEN_SECONDS, token_type: "Bearer" };
  }

  /**
   * The member that the pod's token stands for.
   *
   * An annotated service account needs the binding that lets it act as the account; without an annotation the
   * pod acts for itself, and what it may do is decided where it tries.
   */
  private allowed({ email, member }: Identity): string {
    const { policies, project } = this.context;
    if (member.startsWith("principal:")) return member;
    const account = project.serviceAccounts.get(email);
    const bound =
      account !== undefined &&
      !account.disabled &&
      policies
        .get(account.name)
        .bindings.some(
          ({ role, members }) => role === "roles/iam.workloadIdentityUser" && members.includes(member),
        );
    if (bound) return `serviceAccount:${email}`;
    throw new MetadataError(
      403,
      "Unable to generate access token; IAM returned 403 Forbidden: Permission " +
        "'iam.serviceAccounts.getAccessToken' denied on resource (or it may not exist).\n" +
        "This error could be caused by a missing IAM policy binding on the target IAM service account.\n",
    );
  }

  private async identity(ip: string): Promise<Identity> {
    return this.identityOf(await this.options.podForIp(ip.replace(/^::ffff:/, "")));
  }

  private identityOf(pod: PodIdentity | undefined): Identity {
    const { project } = this.context;
    const pool: string | undefined = this.context.cluster()?.workloadIdentityConfig?.workloadPool;
    if (!pod || !pool) throw new MetadataError(404, "No workload identity for this address.");
    const { annotations, namespace, serviceAccountName } = pod;
    const email = annotations[GSA_ANNOTATION];
    if (email) return { email, member: workloadIdentityMember(pool, namespace, serviceAccountName) };
    return { email: pool, member: federatedPrincipal(project, pool, namespace, serviceAccountName) };
  }

  private attribute(name: string): string {
    const cluster = this.context.cluster();
    if (!cluster) throw new MetadataError(404, "No cluster.");
    return name === "cluster-name" ? cluster.name : cluster.location;
  }

  private zone(): string {
    const [zone] = this.context.cluster()?.locations ?? [];
    if (!zone) throw new MetadataError(404, "No cluster.");
    return `projects/${this.context.project.number}/zones/${zone}`;
  }
}

/** Requests that a browser or a proxy was tricked into have no Metadata-Flavor, or say whom they forward. */
function checkHeaders({ headers, url = "/" }: IncomingMessage): void {
  if (headers["x-forwarded-for"]) throw new MetadataError(403, "X-Forwarded-For is not allowed.\n");
  const probe = url === "/" || url === "";
  if (!probe && headers["metadata-flavor"] !== "Google") {
    throw new MetadataError(403, "Missing Metadata-Flavor:Google header.\n");
  }
}
