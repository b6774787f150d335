import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/** Where KubeRay publishes its charts. */
const REPOSITORY = "https://ray-project.github.io/kuberay-helm/";

const TIMEOUT_MS = 10_000;

/**
 * Fetches a packed chart from its repository.
 *
 * @param file where to put it; its name is that in the repository, such as `kuberay-operator-1.6.2.tgz`
 * @returns why it cannot be fetched, if it cannot
 */
export async function downloadChart(file: string, repository = REPOSITORY): Promise<string | undefined> {
  try {
    const { url, digest } = entryOf((await get(new URL("index.yaml", repository))).toString(), file);
    const archive = await get(new URL(url, repository));
    const actual = createHash("sha256").update(archive).digest("hex");
    if (actual !== digest) return `${url} has the digest ${actual} and not ${digest}`;
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, archive);
    return undefined;
  } catch (error) {
    const { message, cause } = error as Error;
    return `${repository} does not give it (${(cause as Error)?.message ?? message})`;
  }
}

async function get(url: URL): Promise<Buffer> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
  return Buffer.from(await answer.arrayBuffer());
}

/** The version of a chart whose archive has a name, in a repository's index. */
function entryOf(index: string, file: string): { url: string; digest: string } {
  const name = file.slice(file.lastIndexOf("/") + 1);
  for (const version of index.split(/^ *- (?=\w+: )/m)) {
    const url = [...version.matchAll(/^ *- (\S+)$/gm)]
      .map(([, item]) => item)
      .find((item) => item.endsWith(`/${name}`) || item === name);
    const digest = /^ *digest: ([0-9a-f]{64})$/m.exec(version)?.[1];
    if (url && digest) return { url, digest };
  }
  throw new Error(`its index has no ${name}`);
}
