import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { close, listen } from "./servers";
import { downloadChart } from "./chart-download";

const ARCHIVE = "packed";
const DIGEST = createHash("sha256").update(ARCHIVE).digest("hex");

/** The form in which KubeRay's repository lists its charts. */
function indexOf(digest: string): string {
  const version = (number: string, of: string) => `  - apiVersion: v2
    created: "2025-07-16T23:37:13.763868925Z"
    digest: ${of}
    keywords:
    - ray
    - distributed computing
    name: kuberay-operator
    urls:
    - releases/download/kuberay-operator-${number}/kuberay-operator-${number}.tgz
    version: ${number}
`;
  const versions =
    version("1.7.0", "0".repeat(64)) + version("1.6.2", digest) + version("1.6.1", "1".repeat(64));
  return `apiVersion: v1\nentries:\n  kuberay-operator:\n${versions}generated: "2025-07-16T23:37:13Z"\n`;
}

/** Downloads from a repository with this index, and tells what came of it. */
async function download(index: string): Promise<{ problem?: string; archive?: string; repository: string }> {
  const server = createServer(({ url = "" }, response) => {
    if (url === "/charts/index.yaml") response.end(index);
    else if (url.endsWith("/kuberay-operator-1.6.2.tgz")) response.end(ARCHIVE);
    else response.writeHead(404).end();
  });
  const folder = mkdtempSync(join(tmpdir(), "charts-"));
  const file = join(folder, "charts", "kuberay-operator-1.6.2.tgz");
  const repository = `http://127.0.0.1:${await listen(server, 0, "127.0.0.1")}/charts/`;
  try {
    const problem = await downloadChart(file, repository);
    return { problem, archive: existsSync(file) ? readFileSync(file, "utf8") : undefined, repository };
  } finally {
    await close(server);
    rmSync(folder, { recursive: true });
  }
}

test("the chart of the wanted version is fetched", async () => {
  const { problem, archive } = await download(indexOf(DIGEST));

  expect(problem).toBeUndefined();
  expect(archive).toBe(ARCHIVE);
});

test("an archive that is not what the index says is not kept", async () => {
  const { problem, archive } = await download(indexOf("2".repeat(64)));

  const url = "releases/download/kuberay-operator-1.6.2/kuberay-operator-1.6.2.tgz";
  expect(problem).toBe(`${url} has the digest ${DIGEST} and not ${"2".repeat(64)}`);
  expect(archive).toBeUndefined();
});

test("a repository without the chart is named", async () => {
  const { problem, repository } = await download("apiVersion: v1\nentries: {}\n");

  expect(problem).toBe(`${repository} does not give it (its index has no kuberay-operator-1.6.2.tgz)`);
});

test("a repository that cannot be reached is named", async () => {
  const problem = await downloadChart("/nowhere/kuberay-operator-1.6.2.tgz", "http://127.0.0.1:1/");

  expect(problem).toMatch(/^http:\/\/127\.0\.0\.1:1\/ does not give it \(.+\)$/);
});
