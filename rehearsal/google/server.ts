import { randomBytes } from "node:crypto";
import { createServer, Server } from "node:http";
import { ComputeApi } from "./compute";
import { ClusterHooks, ContainerApi } from "./container";
import { ClusterTarget } from "./container-cluster";
import { Faults } from "./faults";
import { FrontDoor } from "./front-door";
import { close, listen } from "../tools/servers";
import { IamApi } from "./iam";
import { IamCredentialsApi } from "./iam-credentials";
import { Json } from "./json";
import { Members } from "./members";
import { MetadataServer, MetadataServerOptions } from "./metadata-server";
import { FakeGcsServer, NoObjects } from "./object-store";
import { ContainerOperations, Latency } from "./operations";
import { StorageDecisions } from "./permissions";
import { Binding, PolicyStore } from "./policies";
import { OrganizationPolicies, Project } from "./project";
import { RequestLog } from "./requests";
import { ResourceManagerApi } from "./resource-manager";
import { ServiceUsageApi } from "./service-usage";
import { StorageApi } from "./storage";
import { StorageServer, StorageServerOptions } from "./storage-server";
import { Tokens } from "./tokens";
import { EventualConsistency, Visibility } from "./visibility";

/** What is in the project before any stack is applied. */
export interface Seed {
  /** Emails, also of accounts in other projects. */
  readonly serviceAccounts?: readonly string[];
  /** Emails of those of these accounts whose tokens the project's owner may make. */
  readonly impersonated?: readonly string[];
  /** Creation requests of buckets. */
  readonly buckets?: readonly Json[];
  /** Creation requests of clusters, also of another project, which is named then. */
  readonly clusters?: readonly {
    readonly projectId?: string;
    readonly location: string;
    readonly cluster: Json;
  }[];
  readonly projectBindings?: readonly Binding[];
}

export interface GoogleApisOptions extends ClusterHooks {
  readonly projectId: string;
  readonly projectNumber: string;
  /**
   * Address to listen on.
   * @default 127.0.0.1
   */
  readonly host?: string;
  /** @default - a free port */
  readonly port?: number;
  /** What created clusters answer as their endpoint and certificate authority. */
  readonly cluster: ClusterTarget;
  /**
   * The token that Terraform gets; the API server may take the same one.
   * @default - a random one
   */
  readonly accessToken?: string;
  /**
   * Tokens that the API server takes for those of service accounts, by email.
   * @default - tokens that are made of service accounts are good for the Google APIs alone
   */
  readonly accountTokens?: Readonly<Record<string, string>>;
  /** @default - nothing takes time */
  readonly latency?: Latency;
  /** @default - everything is seen at once */
  readonly consistency?: EventualConsistency;
  /** @default "all" */
  readonly enabledApis?: "all" | readonly string[];
  /** @default - the organization requires nothing */
  readonly organization?: OrganizationPolicies;
  /** @default - an empty project */
  readonly seed?: Seed;
  /**
   * URL of a fake-gcs-server that holds the objects.
   * @default - buckets stay empty
   */
  readonly objectStoreUrl?: string;
}

/** What is in the project, each thing by its name; empty after a clean destroy. */
export interface Snapshot {
  readonly clusters: readonly string[];
  readonly nodePools: readonly string[];
  readonly serviceAccounts: readonly string[];
  readonly buckets: readonly string[];
  /** `RESOURCE ROLE MEMBER`, without what every bucket has from the start. */
  readonly bindings: readonly string[];
  /** Services that were enabled after the start. */
  readonly services: readonly string[];
}

const ADMINISTRATOR = "user:administrator@example.com";
const ADMINISTRATOR_LIFETIME_SECONDS = 24 * 3600;

/** A double of the Google APIs that a stack is applied against, for one project. */
export class GoogleApis {
  /** Starts the APIs; nothing is listening once {@link stop} has resolved. */
  public static async start(options: GoogleApisOptions): Promise<GoogleApis> {
    const apis = new GoogleApis(options);
    await apis.seed(options.seed ?? {});
    apis.port = await listen(apis.server, options.port ?? 0, apis.host);
    return apis;
  }

  /** The token that acts as the project's owner. */
  public readonly accessToken: string;
  public readonly requests = new RequestLog();
  public readonly faults = new Faults();
  public readonly tokens = new Tokens();
  public readonly project: Project;
  public readonly policies: PolicyStore;
  /** May be changed while the APIs run. */
  public latency: Latency;
  private readonly host: string;
  private port = 0;
  private readonly server: Server;
  private readonly visibility: Visibility;
  private readonly container: ContainerApi;
  private readonly storage: StorageApi;
  private readonly objects: FakeGcsServer | NoObjects;
  private readonly enabledAtStart: readonly string[];
  private readonly others: { stop(): Promise<void> }[] = [];

  private constructor(private readonly options: GoogleApisOptions) {
    this.host = options.host ?? "127.0.0.1";
    this.latency = options.latency ?? {};
    this.accessToken = options.accessToken ?? `ya29.${randomBytes(32).toString("base64url")}`;
    this.tokens.accept(this.accessToken, ADMINISTRATOR, ADMINISTRATOR_LIFETIME_SECONDS);
    this.project = new Project(
      options.projectId,
      options.projectNumber,
      options.enabledApis ?? "all",
      options.organization,
    );
    this.enabledAtStart = [...this.project.services];
    this.visibility = new Visibility(options.consistency);
    this.policies = new PolicyStore(new Members(this.project, this.visibility));
    this.objects = options.objectStoreUrl ? new FakeGcsServer(options.objectStoreUrl) : new NoObjects();
    const operations = new ContainerOperations(this.project, this.faults, () => this.latency);
    this.container = new ContainerApi(this.project, operations, options.cluster, options);
    this.storage = new StorageApi(this.project, this.policies, this.visibility, this.objects);
    const frontDoor = new FrontDoor({
      project: this.project,
      tokens: this.tokens,
      administrator: ADMINISTRATOR,
      faults: this.faults,
      requests: this.requests,
      latency: () => this.latency,
      routes: [
        ...this.container.routes(),
        ...new ComputeApi(this.project, this.container).routes(),
        ...new IamApi(this.project, this.policies, this.visibility).routes(),
        ...new IamCredentialsApi(
          this.project,
          this.policies,
          this.tokens,
          options.accountTokens ?? {},
        ).routes(),
        ...new ServiceUsageApi(this.project, this.visibility).routes(),
        ...new ResourceManagerApi(this.project, this.policies).routes(),
        ...this.storage.routes(),
      ],
    });
    this.server = createServer((request, response) => void frontDoor.handle(request, response));
  }

  public get url(): string {
    return `http://${this.host}:${this.port}`;
  }

  /** Environment in which Terraform's google provider talks to these APIs and to nothing else. */
  public terraformEnv(): Record<string, string> {
    return {
      GOOGLE_PROJECT: this.project.id,
      GOOGLE_OAUTH_ACCESS_TOKEN: this.accessToken,
      GOOGLE_CONTAINER_CUSTOM_ENDPOINT: `${this.url}/`,
      GOOGLE_IAM_CUSTOM_ENDPOINT: `${this.url}/`,
      GOOGLE_IAM_CREDENTIALS_CUSTOM_ENDPOINT: `${this.url}/`,
      GOOGLE_STORAGE_CUSTOM_ENDPOINT: `${this.url}/storage/v1/`,
      GOOGLE_RESOURCE_MANAGER_CUSTOM_ENDPOINT: `${this.url}/v1/`,
      GOOGLE_SERVICE_USAGE_CUSTOM_ENDPOINT: `${this.url}/v1/`,
      GOOGLE_COMPUTE_CUSTOM_ENDPOINT: `${this.url}/compute/v1/`,
      GOOGLE_CLOUD_BILLING_CUSTOM_ENDPOINT: `${this.url}/v1/`,
    };
  }

  /** Serves storage.googleapis.com to pods, over TLS: each request decided by the bucket's policy. */
  public async startStorage(options: StorageServerOptions): Promise<StorageServer> {
    if (!this.options.objectStoreUrl) throw new Error("startStorage needs 'objectStoreUrl'");
    const server = await StorageServer.start(options, {
      administrator: ADMINISTRATOR,
      buckets: this.storage,
      decisions: new StorageDecisions(this.project, this.policies),
      objectStoreUrl: this.options.objectStoreUrl,
      objects: this.objects,
      requests: this.requests,
      tokens: this.tokens,
    });
    this.others.push(server);
    return server;
  }

  /** Serves the GKE metadata server to pods. */
  public async startMetadataServer(options: MetadataServerOptions): Promise<MetadataServer> {
    const server = await MetadataServer.start(options, {
      cluster: () => this.container.all()[0],
      policies: this.policies,
      project: this.project,
      requests: this.requests,
      tokens: this.tokens,
    });
    this.others.push(server);
    return server;
  }

  public snapshot(): Snapshot {
    const clusters = this.container.all();
    const buckets = this.storage.all().map(({ name }) => name);
    const startsWith = new Set(buckets.flatMap((bucket) => firstBindings(bucket, this.project.id)));
    return {
      clusters: clusters.map(({ location, name }) => `${location}/${name}`),
      nodePools: clusters.flatMap(({ location, name, nodePools }) =>
        nodePools.map((pool: Json) => `${location}/${name}/${pool.name}`),
      ),
      serviceAccounts: [...this.project.serviceAccounts.keys()],
      buckets,
      bindings: this.policies
        .entries()
        .flatMap(([resource, { bindings }]) =>
          bindings.flatMap(({ role, members }) => members.map((member) => `${resource} ${role} ${member}`)),
        )
        .filter((binding) => !startsWith.has(binding)),
      services: [...this.project.services].filter((service) => !this.enabledAtStart.includes(service)),
    };
  }

  /** Ends everything that was started here. */
  public async stop(): Promise<void> {
    await Promise.all(this.others.map((server) => server.stop()));
    await close(this.server);
  }

  private async seed({
    serviceAccounts = [],
    impersonated = [],
    buckets = [],
    clusters = [],
    projectBindings,
  }: Seed): Promise<void> {
    serviceAccounts.forEach((email) => this.project.addServiceAccount(email));
    for (const email of impersonated) {
      const binding = { role: "roles/iam.serviceAccountTokenCreator", members: [ADMINISTRATOR] };
      this.policies.seed(this.project.serviceAccounts.get(email)!.name, [binding]);
    }
    clusters.forEach(({ location, cluster, projectId }) => this.container.seed(location, cluster, projectId));
    for (const bucket of buckets) await this.storage.seed(bucket);
    if (projectBindings) this.policies.seed(`projects/${this.project.id}`, projectBindings);
  }
}

function firstBindings(bucket: string, projectId: string): string[] {
  return [
    `buckets/${bucket} roles/storage.legacyBucketOwner projectEditor:${projectId}`,
    `buckets/${bucket} roles/storage.legacyBucketOwner projectOwner:${projectId}`,
    `buckets/${bucket} roles/storage.legacyBucketReader projectViewer:${projectId}`,
  ];
}
