import { readFileSync } from "node:fs";
import { createServer, Server } from "node:https";
import { basename } from "node:path";
import { close, listen } from "../tools/servers";
import type { KubeRayChart } from "../tools/chart";
import { KUBERAY_CHART_VERSION } from "../tools/versions";

export interface ChartRepositoryOptions {
  readonly host: string;
  readonly port: number;
  /** Certificate for the repository's name, as PEM, and its key. */
  readonly cert: string;
  readonly key: string;
  readonly chart: KubeRayChart;
  /** The packed chart. */
  readonly chartFile: string;
}

/** Serves a chart of KubeRay under the name of its own repository, which is not reachable from the namespaces. */
export class ChartRepository {
  public static async start(options: ChartRepositoryOptions): Promise<ChartRepository> {
    const repository = new ChartRepository(options);
    await listen(repository.server, options.port, options.host);
    return repository;
  }

  private readonly server: Server;

  private constructor(options: ChartRepositoryOptions) {
    const { cert, key, chart, chartFile } = options;
    const archive = readFileSync(chartFile);
    const index = indexOf(chart, basename(chartFile));
    this.server = createServer({ cert, key }, ({ url = "" }, response) => {
      if (url.endsWith("/index.yaml")) response.end(index);
      else if (url.endsWith(`/${basename(chartFile)}`)) response.end(archive);
      else response.writeHead(404).end();
    });
  }

  public async stop(): Promise<void> {
    await close(this.server);
  }
}

function indexOf(name: KubeRayChart, archive: string): string {
  const version = { apiVersion: "v2", name, version: KUBERAY_CHART_VERSION, urls: [archive] };
  return JSON.stringify({ apiVersion: "v1", entries: { [name]: [version] } });
}
