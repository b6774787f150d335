import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ToolCache } from "../tools/cache";
import { ADDRESSES } from "./network";
import type { Supervisor } from "./supervisor";

const READY_PORT = 8181;

/** The node's DNS: names of the cluster, the names we double, and nothing else. */
export class NameServer {
  private readonly hostsFile: string;
  private readonly hosts: Map<string, string>;

  constructor(
    private readonly stateDir: string,
    hosts: Readonly<Record<string, string>>,
  ) {
    this.hostsFile = join(stateDir, "hosts");
    this.hosts = new Map(Object.entries(hosts));
    this.writeHosts();
  }

  public start(cache: ToolCache, supervisor: Supervisor, kubeconfig: string): void {
    const file = join(this.stateDir, "Corefile");
    writeFileSync(file, this.corefile(kubeconfig));
    supervisor.start("coredns", cache.program("coredns"), ["-conf", file]);
  }

  public async isReady(): Promise<boolean> {
    const answer = await fetch(`http://${ADDRESSES.node}:${READY_PORT}/ready`);
    return answer.ok;
  }

  /** Adds names, or gives them other addresses; they count within a second. */
  public addHosts(hosts: Readonly<Record<string, string>>): void {
    for (const [name, address] of Object.entries(hosts)) {
      this.hosts.set(name, address);
    }
    this.writeHosts();
  }

  /**
   * Every foreign name gets NXDOMAIN at once: a lookup that is refused or runs into a time-out makes the
   * google provider try again for minutes, "no such host" lets it go on.
   */
  private corefile(kubeconfig: string): string {
    return `cluster.local:53 in-addr.arpa:53 ip6.arpa:53 {
    bind ${ADDRESSES.node}
    errors
    ready ${ADDRESSES.node}:${READY_PORT}
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        kubeconfig ${kubeconfig}
        ttl 5
    }
}
.:53 {
    bind ${ADDRESSES.node}
    errors
    hosts ${this.hostsFile} {
        ttl 5
        reload 500ms
        fallthrough
    }
    template ANY ANY {
        rcode NXDOMAIN
    }
}
`;
  }

  private writeHosts(): void {
    const lines = [...this.hosts].map(([name, address]) => `${address} ${name}\n`);
    writeFileSync(this.hostsFile, lines.join(""));
  }
}
