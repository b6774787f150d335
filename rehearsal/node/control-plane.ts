import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ToolCache } from "../tools/cache";
import {
  type CertificateFiles,
  createAuthority,
  issueCertificate,
  writePrivateKey,
} from "../tools/certificates";
import { AUDIT_POLICY } from "./audit";
import { ADDRESSES, SERVICE_RANGE } from "./network";
import type { Part, Supervisor } from "./supervisor";

/** Somebody whom the API server knows by a fixed token. */
export interface StaticUser {
  readonly token: string;
  readonly name: string;
  readonly groups?: readonly string[];
}

export interface ControlPlaneProps {
  readonly cache: ToolCache;
  readonly supervisor: Supervisor;
  readonly stateDir: string;
  /** Address and ports to listen on. */
  readonly address: string;
  readonly apiPort: number;
  readonly etcdPort: number;
  readonly etcdPeerPort: number;
  readonly users: readonly StaticUser[];
}

/** The defaults suit a shared API server; here they would make the start wait four seconds for service accounts. */
const CLIENT_LIMITS = ["--kube-api-qps=500", "--kube-api-burst=1000"];

/** etcd, the API server, the controllers and the scheduler, as processes. */
export class ControlPlane {
  public readonly url: string;
  public readonly auditLog: string;
  /** Signs the certificates of this run's cluster. */
  public readonly authority: CertificateFiles;
  private readonly serverCertificate: CertificateFiles;
  private readonly kubeletClient: CertificateFiles;
  private readonly serviceAccountKey: string;
  private readonly serviceAccountPublicKey: string;
  private apiServer: Part | undefined;

  constructor(private readonly props: ControlPlaneProps) {
    this.url = `https://${props.address}:${props.apiPort}`;
    this.auditLog = join(props.supervisor.logDir, "audit.jsonl");
    this.authority = this.files("ca");
    this.serverCertificate = this.files("apiserver");
    this.kubeletClient = this.files("kubelet-client");
    this.serviceAccountKey = this.path("service-account.key");
    this.serviceAccountPublicKey = this.path("service-account.pub");
  }

  /** Starts etcd and the API server; the caller waits until it answers. */
  public async start(): Promise<void> {
    const { cache, supervisor, etcdPort, etcdPeerPort } = this.props;
    const client = `http://127.0.0.1:${etcdPort}`;
    const peer = `http://127.0.0.1:${etcdPeerPort}`;
    supervisor.start("etcd", cache.program("etcd"), [
      `--data-dir=${this.path("etcd")}`,
      `--listen-client-urls=${client}`,
      `--advertise-client-urls=${client}`,
      `--listen-peer-urls=${peer}`,
      `--initial-advertise-peer-urls=${peer}`,
      `--initial-cluster=default=${peer}`,
      // The data dies with the run: nothing is lost by not waiting for a disk.
      "--unsafe-no-fsync",
      "--log-level=warn",
    ]);
    await this.writeCredentials();
    this.startApiServer();
  }

  public startApiServer(): void {
    const { cache, supervisor } = this.props;
    this.apiServer = supervisor.start(
      "kube-apiserver",
      cache.program("kube-apiserver"),
      this.apiServerFlags(),
    );
  }

  public async stopApiServer(): Promise<void> {
    if (this.apiServer !== undefined) {
      await this.props.supervisor.stop(this.apiServer);
    }
  }

  public startControllers(controllerManager: string, scheduler: string): void {
    const { cache, supervisor } = this.props;
    supervisor.start("kube-controller-manager", cache.program("kube-controller-manager"), [
      `--kubeconfig=${controllerManager}`,
      "--leader-elect=false",
      "--secure-port=0",
      ...CLIENT_LIMITS,
      // Each controller acts as its own service account, with no more rights than GKE gives it.
      "--use-service-account-credentials=true",
      `--service-account-private-key-file=${this.serviceAccountKey}`,
      `--root-ca-file=${this.authority.certificate}`,
      `--flex-volume-plugin-dir=${this.path("volume-plugins")}`,
    ]);
    supervisor.start("kube-scheduler", cache.program("kube-scheduler"), [
      `--kubeconfig=${scheduler}`,
      "--leader-elect=false",
      "--secure-port=0",
      ...CLIENT_LIMITS,
    ]);
  }

  public get caPem(): string {
    return readFileSync(this.authority.certificate, "utf8");
  }

  /** Writes a kubeconfig for a token and returns its path. */
  public writeKubeconfig(name: string, token: string): string {
    const file = this.path(`${name}.kubeconfig`);
    const config = {
      apiVersion: "v1",
      kind: "Config",
      clusters: [
        {
          name: "rehearsal",
          cluster: { server: this.url, "certificate-authority-data": base64(this.caPem) },
        },
      ],
      users: [{ name, user: { token } }],
      contexts: [{ name: "rehearsal", context: { cluster: "rehearsal", user: name } }],
      "current-context": "rehearsal",
    };
    writeFileSync(file, JSON.stringify(config, undefined, 2), { mode: 0o600 });
    return file;
  }

  /** A certificate of this run's authority, for a server inside the run. */
  public async issueServerCertificate(name: string, names: readonly string[]): Promise<CertificateFiles> {
    const files = this.files(name);
    await issueCertificate(this.authority, files, { commonName: name, names });
    return files;
  }

  private async writeCredentials(): Promise<void> {
    await createAuthority(this.authority, "kubernetes");
    const names = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost"];
    await Promise.all([
      issueCertificate(this.authority, this.serverCertificate, {
        commonName: "kube-apiserver",
        names: [
          ...names,
          "kubernetes.default.svc.cluster.local",
          ...new Set(["127.0.0.1", this.props.address, ADDRESSES.kubernetesService]),
        ],
      }),
      issueCertificate(this.authority, this.kubeletClient, {
        commonName: "kube-apiserver",
        organization: "system:masters",
      }),
    ]);
    const { publicKey } = writePrivateKey(this.serviceAccountKey);
    writeFileSync(this.serviceAccountPublicKey, publicKey);
    writeFileSync(this.path("audit-policy.json"), JSON.stringify(AUDIT_POLICY));
    writeFileSync(this.path("tokens.csv"), tokenFile(this.props.users), { mode: 0o600 });
  }

  private apiServerFlags(): string[] {
    const { address, apiPort, etcdPort } = this.props;
    // A loopback address is refused as an endpoint of the kubernetes Service; then it gets none.
    const endpoint = address.startsWith("127.")
      ? ["--endpoint-reconciler-type=none"]
      : [`--advertise-address=${address}`];
    return [
      `--etcd-servers=http://127.0.0.1:${etcdPort}`,
      `--bind-address=${address}`,
      `--secure-port=${apiPort}`,
      ...endpoint,
      `--cert-dir=${this.path("apiserver-generated")}`,
      `--tls-cert-file=${this.serverCertificate.certificate}`,
      `--tls-private-key-file=${this.serverCertificate.key}`,
      `--client-ca-file=${this.authority.certificate}`,
      `--kubelet-client-certificate=${this.kubeletClient.certificate}`,
      `--kubelet-client-key=${this.kubeletClient.key}`,
      "--kubelet-preferred-address-types=Hostname",
      `--token-auth-file=${this.path("tokens.csv")}`,
      "--authorization-mode=Node,RBAC",
      "--enable-admission-plugins=NodeRestriction",
      "--allow-privileged=true",
      "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
      `--service-account-key-file=${this.serviceAccountPublicKey}`,
      `--service-account-signing-key-file=${this.serviceAccountKey}`,
      `--service-cluster-ip-range=${SERVICE_RANGE}`,
      `--audit-policy-file=${this.path("audit-policy.json")}`,
      `--audit-log-path=${this.auditLog}`,
      "--audit-log-mode=blocking",
    ];
  }

  private files(name: string): CertificateFiles {
    return { certificate: this.path(`${name}.pem`), key: this.path(`${name}.key`) };
  }

  private path(name: string): string {
    return join(this.props.stateDir, name);
  }
}

/** token,user,uid,"group,group" */
function tokenFile(users: readonly StaticUser[]): string {
  const quote = (text: string) => `"${text.replaceAll('"', '""')}"`;
  const lines = users.map(({ token, name, groups }) =>
    [token, name, name, ...(groups === undefined ? [] : [groups.join(",")])].map(quote).join(","),
  );
  return `${lines.join("\n")}\n`;
}

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}
