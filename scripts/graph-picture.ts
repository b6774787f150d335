// Draws what waits for what in the default stack: `npm run docs` writes docs/graph.svg.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { Configuration } from "../test/support/configuration";
import { Graph } from "../test/support/graph";

/** What a reader calls a type, where that is not the type itself. */
const WORDS: Readonly<Record<string, string>> = {
  google_container_cluster: "GKE cluster",
  google_container_node_pool: "node pool",
  google_project_iam_member: "project grant",
  google_project_service: "Google API",
  google_service_account: "service account",
  google_service_account_iam_member: "account grant",
  google_storage_bucket: "bucket",
  google_storage_bucket_iam_member: "bucket grant",
  helm_release: "RayCluster",
  kubernetes_cluster_role_binding_v1: "ClusterRoleBinding",
  kubernetes_config_map_v1: "ConfigMap",
  kubernetes_job_v1: "Job",
  kubernetes_namespace_v1: "Namespace",
  kubernetes_network_policy_v1: "NetworkPolicy",
  kubernetes_role_binding_v1: "RoleBinding",
  kubernetes_role_v1: "Role",
  kubernetes_service_account_v1: "ServiceAccount",
};

/** Types of which several stand as one. */
const GROUPED = ["google_project_service", "google_storage_bucket_iam_member"];

/** What the constructs of the default stack are for. */
const CONSTRUCTS: Readonly<Record<string, string>> = {
  auth: "RayAuthProxy",
  sky: "SkyPilot's accounts",
};

const FILLS: Readonly<Record<string, string>> = {
  google: "#d6e4ff",
  kubernetes: "#d5f0e3",
  helm: "#ffe3c2",
};

const NODE = { width: 138, height: 40, gap: 8 };
const ROW_HEIGHT = 84;
const MARGIN = 16;
/** Room for a line that passes a row. */
const LANE_WIDTH = 12;
const LONGEST_NAME = 23;

/** A box of the picture, or the place where a line passes a row. */
interface Place {
  readonly row: number;
  readonly width: number;
  readonly box?: { readonly fill: string; readonly title: string; readonly name: string };
  readonly above: Place[];
  readonly below: Place[];
  /** Its middle. */
  x: number;
}

/** An SVG in which every box stands below what it waits for. */
export function graphPicture(configuration: Configuration): string {
  const rows = placesOf(configuration);
  order(rows);
  straighten(rows);
  const places = rows.flat();
  const left = Math.min(...places.map(({ x, width }) => x - width / 2)) - MARGIN;
  const width = Math.max(...places.map(({ x, width }) => x + width / 2)) + MARGIN - left;
  const height = (rows.length - 1) * ROW_HEIGHT + NODE.height + 2 * MARGIN;
  const lines = places.flatMap((place) => place.below.map((next) => line(place, next)));
  const boxes = places.flatMap((place) => (place.box ? [box(place, place.box)] : []));
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="${round(left)} 0 ${round(width)} ${height}" width="${round(width)}" height="${height}" font-family="Helvetica, Arial, sans-serif" text-anchor="middle">
<title>What waits for what in the default stack</title>
<rect x="${round(left)}" width="${round(width)}" height="${height}" rx="8" fill="#ffffff"/>
<g fill="none" stroke="#7a869a" stroke-width="1.3">
${lines.join("\n")}
</g>
<g fill="#1b2a41" font-size="11.5">
${boxes.join("\n")}
</g>
</svg>
`;
}

/** The resources as boxes in rows, joined by lines that pass no row without a place in it. */
function placesOf(configuration: Configuration): Place[][] {
  const graph = Graph.of(configuration);
  const groups = groupsOf(configuration, graph);
  const waits = waitsOf(groups, graph);
  const rowOf = new Map<string, number>();
  const row = (name: string): number => {
    if (!rowOf.has(name)) rowOf.set(name, Math.max(-1, ...[...waits.get(name)!].map(row)) + 1);
    return rowOf.get(name)!;
  };
  const rows: Place[][] = Array.from({ length: Math.max(...[...waits.keys()].map(row)) + 1 }, () => []);
  const add = (at: number, width: number, box?: Place["box"]): Place => {
    const place: Place = { row: at, width, box, above: [], below: [], x: 0 };
    rows[at].push(place);
    return place;
  };
  const boxes = new Map(
    [...groups]
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .map(([name, members]) => [name, add(row(name), NODE.width, boxOf(name, members, configuration))]),
  );
  for (const [name, targets] of waits) {
    for (const target of withoutDetours(targets, waits)) {
      let upper = boxes.get(target)!;
      for (let at = upper.row + 1; at <= row(name); at++) {
        const lower = at === row(name) ? boxes.get(name)! : add(at, LANE_WIDTH);
        upper.below.push(lower);
        lower.above.push(upper);
        upper = lower;
      }
    }
  }
  return rows;
}

/** What stands in the boxes: single resources, and groups of those that a reader need not tell apart. */
function groupsOf(configuration: Configuration, graph: Graph): Map<string, string[]> {
  const resources = Object.entries<any>(configuration.resource).flatMap(([type, bodies]) =>
    Object.keys(bodies).map((id) => `${type}.${id}`),
  );
  const rayClusters = graph.addressesOfType("helm_release");
  const ofRay = new Set(rayClusters.flatMap((address) => [address, ...graph.allDependencies(address)]));
  const groups = new Map<string, string[]>();
  for (const address of resources) {
    const { type, path } = resourceAt(address, configuration);
    // What no Ray pod waits for stands by the construct that makes it.
    const group = ofRay.has(address) ? (GROUPED.includes(type) ? type : address) : path.split("/")[1];
    groups.set(group, [...(groups.get(group) ?? []), address]);
  }
  return groups;
}

function resourceAt(address: string, configuration: Configuration) {
  const [type, id] = address.split(".");
  const body = configuration.resource[type][id];
  return { type, body, path: body["//"].metadata.path as string };
}

/** Everything that each group waits for. */
function waitsOf(groups: ReadonlyMap<string, string[]>, graph: Graph): Map<string, ReadonlySet<string>> {
  const groupOf = new Map(
    [...groups].flatMap(([group, members]) => members.map((member) => [member, group])),
  );
  return new Map(
    [...groups].map(([group, members]) => {
      const targets = members.flatMap((member) => graph.allDependencies(member));
      const others = targets
        .flatMap((target) => groupOf.get(target) ?? [])
        .filter((other) => other !== group);
      return [group, new Set(others)];
    }),
  );
}

/** Leaves out what is waited for by way of something else anyway. */
function withoutDetours(
  targets: ReadonlySet<string>,
  waits: ReadonlyMap<string, ReadonlySet<string>>,
): string[] {
  return [...targets].filter((target) => ![...targets].some((other) => waits.get(other)!.has(target)));
}

/** Whether a Helm release holds admission policies and no RayCluster. */
function isPolicy({ values }: any): boolean {
  return values?.[0].includes('"ValidatingAdmissionPolicy"') ?? false;
}

function boxOf(group: string, addresses: string[], configuration: Configuration): Place["box"] {
  const members = addresses.map((address) => resourceAt(address, configuration));
  const types = [...new Set(members.map(({ type }) => type))];
  const fill = FILLS[types[0].split("_")[0]];
  const bodies = members.map(({ body }) => body);
  const word = isPolicy(bodies[0]) ? "AdmissionPolicy" : (WORDS[types[0]] ?? types[0]);
  if (members.length === 1) return { fill, title: word, name: nameOf(bodies[0]) };
  if (types.length === 1) return { fill, title: `${members.length} ${word}s`, name: namesOf(bodies) };
  return { fill, title: CONSTRUCTS[group] ?? group, name: `${members.length} objects` };
}

function namesOf(resources: any[]): string {
  const names = resources.map(nameOf);
  return names.join(", ").length <= LONGEST_NAME ? names.join(", ") : `${names[0]}, …`;
}

/** The name that a reader knows a resource by, cut where it is long; what only Terraform knows stands as `…`. */
function nameOf(body: any): string {
  const name: string = body.metadata?.name ?? body.account_id ?? body.role ?? body.service ?? body.name ?? "";
  const short = name
    .replace(/\$\{[^}]*\}/g, "…")
    .replace(/^roles\//, "")
    .replace(/\.googleapis\.com$/, "");
  return short.length <= LONGEST_NAME ? short : `${short.slice(0, LONGEST_NAME - 1)}…`;
}

/** Puts each row in the order of its neighbours' places, down and up again, until few lines cross. */
function order(rows: Place[][]): void {
  const index = new Map<Place, number>();
  const remember = (row: Place[]) => row.forEach((place, at) => index.set(place, at / row.length));
  rows.forEach(remember);
  const sort = (row: Place[], neighbours: (place: Place) => Place[]) => {
    const wanted = new Map(
      row.map((place) => [
        place,
        mean(neighbours(place).map((other) => index.get(other)!)) ?? index.get(place)!,
      ]),
    );
    row.sort((one, other) => wanted.get(one)! - wanted.get(other)!);
    remember(row);
  };
  for (let pass = 0; pass < 12; pass++) {
    rows.forEach((row) => sort(row, ({ above }) => above));
    [...rows].reverse().forEach((row) => sort(row, ({ below }) => below));
  }
}

/** Moves each place towards the middle of its neighbours, as far as those beside it leave room. */
function straighten(rows: Place[][]): void {
  for (let pass = 0; pass < 60; pass++) {
    for (const row of pass % 2 === 0 ? rows : [...rows].reverse()) {
      spread(
        row,
        row.map(({ above, below, x }) => mean([...above, ...below].map((place) => place.x)) ?? x),
      );
    }
  }
}

/** Puts the places of a row where they want to be; those that would overlap stand side by side around their common middle. */
function spread(row: Place[], wanted: number[]): void {
  const offsets = row.reduce<number[]>(
    (sums, place, at) => [...sums, at === 0 ? 0 : sums[at - 1] + distance(row[at - 1], place)],
    [],
  );
  const groups: { start: number; count: number }[] = [];
  row.forEach((_place, at) => {
    groups.push({ start: wanted[at] - offsets[at], count: 1 });
    while (groups.length > 1 && groups[groups.length - 2].start >= groups[groups.length - 1].start) {
      const [left, right] = groups.splice(-2);
      const count = left.count + right.count;
      groups.push({ start: (left.start * left.count + right.start * right.count) / count, count });
    }
  });
  const starts = groups.flatMap(({ start, count }) => Array<number>(count).fill(start));
  row.forEach((place, at) => (place.x = starts[at] + offsets[at]));
}

function distance(left: Place, right: Place): number {
  return (left.width + right.width) / 2 + NODE.gap;
}

function mean(values: number[]): number | undefined {
  return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0) / values.length;
}

function line(from: Place, to: Place): string {
  const [top, bottom] = [
    topOf(from) + (from.box ? NODE.height : NODE.height / 2),
    topOf(to) + (to.box ? 0 : NODE.height / 2),
  ];
  const middle = round((top + bottom) / 2);
  return `<path d="M${round(from.x)} ${top}C${round(from.x)} ${middle} ${round(to.x)} ${middle} ${round(to.x)} ${bottom}"/>`;
}

function box(place: Place, { fill, title, name }: NonNullable<Place["box"]>): string {
  const top = topOf(place);
  const left = round(place.x - NODE.width / 2);
  return [
    `<rect x="${left}" y="${top}" width="${NODE.width}" height="${NODE.height}" rx="6" fill="${fill}" stroke="#7a869a"/>`,
    `<text x="${round(place.x)}" y="${top + 17}" font-weight="bold">${escape(title)}</text>`,
    `<text x="${round(place.x)}" y="${top + 31}" font-size="10.5">${escape(name)}</text>`,
  ].join("");
}

function topOf({ row }: Place): number {
  return MARGIN + row * ROW_HEIGHT;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}

function defaultStack(): Configuration {
  const root = resolve(__dirname, "..");
  const outdir = mkdtempSync(join(tmpdir(), "graph-"));
  try {
    const command = ["-r", "ts-node/register/transpile-only", join(root, "main.ts")];
    execFileSync(process.execPath, command, { cwd: root, env: { ...process.env, CDKTF_OUTDIR: outdir } });
    return JSON.parse(readFileSync(join(outdir, "stacks/ray-platform/cdk.tf.json"), "utf8"));
  } finally {
    rmSync(outdir, { recursive: true });
  }
}

if (require.main === module) {
  writeFileSync(resolve(__dirname, "../docs/graph.svg"), graphPicture(defaultStack()));
}
