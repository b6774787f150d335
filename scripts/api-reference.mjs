// Writes docs/api.md from the docstrings, and fails where a public member has none: `npm run docs`. With `--check` it writes
// nothing and fails where the page is not what it would write.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Application } from "typedoc";

/** The constructs in the order of the README, each with the page that says how to use it and the types that belong to it. */
const SECTIONS = [
  {
    construct: "GkeWorkloadIdentityCluster",
    page: "gke-workload-identity-cluster.md",
    types: [
      "GkeWorkloadIdentityClusterProps",
      "GkeClusterOptions",
      "GkeClusterAttributes",
      "IGkeWorkloadIdentityCluster",
      "GkeNodePool",
      "GkeTaint",
      "GkeTaintEffect",
      "GkeGpuDriverVersion",
      "GkeGpuSharing",
      "GkeGpuSharingStrategy",
      "GkeLocationPolicy",
      "GkeUpgradeSettings",
      "GkeBlueGreenUpgrade",
      "GkeAuthorizedNetwork",
      "GkeMaintenanceWindow",
      "GkeReleaseChannel",
    ],
  },
  {
    construct: "RayBucketAccess",
    page: "bucket-access.md",
    types: [
      "RayBucketAccessProps",
      "BucketLifecycleRule",
      "BucketGrantOptions",
      "BucketRole",
      "BucketMountOptions",
    ],
  },
  {
    construct: "WorkloadIdentity",
    page: "bucket-access.md",
    types: ["WorkloadIdentityProps", "WorkloadIdentityOptions", "IWorkloadIdentity", "PodSecurityStandard"],
  },
  {
    construct: "KubeRayOperator",
    page: "kuberay-operator.md",
    types: ["KubeRayAddonProps", "KubeRayChartProps", "ExistingKubeRayOperatorProps", "IKubeRayOperator"],
  },
  {
    construct: "RayCluster",
    page: "ray-cluster.md",
    types: [
      "RayClusterProps",
      "RayClusterAttributes",
      "IRayCluster",
      "RayGroup",
      "RayWorkerGroup",
      "RayToleration",
      "RayTopologySpreadConstraint",
      "RayAutoscalerOptions",
      "RayAutoscalerVersion",
      "RayUpscalingMode",
      "RayGcsFaultToleranceOptions",
      "RaySecretKey",
      "RayAuthOptions",
      "RayAuthMode",
      "RayReadinessOptions",
      "RayClusterUpgradeStrategy",
      "RayNetworkPeer",
      "RayPods",
      "ManifestPart",
    ],
  },
  {
    construct: "RayAutoscalerPolicy",
    page: "ray-cluster.md",
    types: ["RayAutoscalerPolicyProps"],
  },
  {
    construct: "RayAuthProxy",
    page: "authentication.md",
    types: [
      "RayAuthProxyProps",
      "RayAuthProxyPlacement",
      "RayAuthResource",
      "RbacSubject",
      "RbacSubjectKind",
    ],
  },
  {
    construct: "RuntimeEnvNetrc",
    page: "private-sources.md",
    types: ["RuntimeEnvNetrcProps", "NetrcMachine"],
  },
  {
    construct: "SkyPilotServiceAccount",
    page: "skypilot.md",
    types: [
      "SkyPilotServiceAccountProps",
      "SkyPilotFeatures",
      "SkyPilotPodSecurity",
      "SkyPilotRemoteIdentity",
    ],
  },
  { construct: "RayPlatformStack", page: "ray-platform-stack.md", types: ["RayPlatformStackProps"] },
];

const root = fileURLToPath(new URL("..", import.meta.url));
const page = join(root, "docs/api.md");
const written = arrange(tidy(await generate()));
requireLinks();
if (!process.argv.includes("--check")) {
  writeFileSync(page, written);
} else if (readFileSync(page, "utf8") !== written) {
  throw new Error("docs/api.md is not what the docstrings say: run npm run docs");
}

async function generate() {
  const folder = mkdtempSync(join(tmpdir(), "api-"));
  try {
    const app = await Application.bootstrapWithPlugins({ options: root, out: folder, logLevel: "Warn" });
    const project = await app.convert();
    if (project === undefined) throw new Error("the library does not compile");
    app.validate(project);
    if (app.logger.hasErrors() || app.logger.hasWarnings())
      throw new Error("the docstrings are not complete");
    leaveToParents(project);
    await app.generateOutputs(project);
    return readFileSync(join(folder, "api.md"), "utf8");
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Leaves out what a type has from another one that the page describes, and links that one instead. */
function leaveToParents(project) {
  const described = new Map(project.children.map((type) => [type.name, type]));
  for (const type of project.children) {
    const left = new Set();
    for (const member of [...(type.children ?? [])]) {
      const parent = parentOf(member, described);
      if (parent === undefined || !saysTheSame(member, parent.getChildByName(member.name))) continue;
      project.removeReflection(member);
      for (const group of type.groups) group.children = group.children.filter((other) => other !== member);
      left.add(`[\`${parent.name}\`](#${parent.name.toLowerCase()})`);
    }
    if (left.size === 0) continue;
    type.groups = type.groups.filter(({ children }) => children.length > 0);
    type.comment.summary.push({
      kind: "text",
      text: `\n\nIt also has the members of ${[...left].join(" and ")}.`,
    });
  }
}

/** The described type that a member comes from, or that asks for it: the interface of a class also where a base class is between. */
function parentOf(member, described) {
  const reflections = [member, ...(member.signatures ?? []), member.getSignature].filter(Boolean);
  const origins = reflections.flatMap(({ inheritedFrom, implementationOf }) => [
    inheritedFrom,
    implementationOf,
  ]);
  return [...origins.map((origin) => origin?.name.split(".")[0]), `I${member.parent.name}`]
    .map((name) => described.get(name))
    .find((parent) => parent !== undefined && parent !== member.parent);
}

/** True if a member of a type says nothing that the member of its parent does not say. */
function saysTheSame(member, inherited) {
  return inherited !== undefined && wordsOf(member) === wordsOf(inherited);
}

/** The comment and the type of a member, be it a property, an accessor or a method. */
function wordsOf(member) {
  const { comment, type } = member.getSignature ?? member.signatures?.[0] ?? member;
  const parts = [comment?.summary ?? [], ...(comment?.blockTags ?? []).map(({ content }) => content)];
  return [type, member.flags.isOptional, ...parts.map((part) => part.map(({ text }) => text).join(""))].join(
    "|",
  );
}

/** Takes away what a reader of the source's own files would want, and what a signature has said already. */
function tidy(markdown) {
  return markdown
    .replace(/<a id="[^"]*"><\/a> /g, "")
    .replace(/^### `abstract` /gm, "### ")
    .replaceAll("(#abstract-", "(#")
    .replace(/\[([^\]]+)\]\(#(enumeration-member|property)-[^)]*\)/g, "$1")
    .replace(
      /\n#+ (Overrides|Inherited from|Extends|Extended by|Implements|Implementation of)\n\n(.+\n)+/g,
      "",
    )
    .replace(/\n#+ Get Signature\n/g, "")
    .replace(/\n#+ Returns\n\n[^\n]+\n(?=\n(?:#|\*\*\*)|\s*$)/g, "")
    .replace(/\| `undefined` \|/g, "| |")
    .replace(/\n{3,}/g, "\n\n");
}

/** Puts each type beneath its construct, in the order of the README, behind a table of contents. */
function arrange(markdown) {
  const described = new Map();
  for (const part of markdown.split(/^(?=### )/m).slice(1)) {
    const [heading] = part.split("\n", 1);
    const text = part.replace(/^## .*$/gm, "").replace(/^\*\*\*$/gm, "");
    described.set(heading.slice("### ".length), text.slice(heading.length).trim());
  }
  const placed = SECTIONS.flatMap(({ construct, types }) => [construct, ...types]);
  const homeless = [...described.keys()].filter((name) => !placed.includes(name));
  const unknown = placed.filter((name) => !described.has(name));
  if (homeless.length + unknown.length > 0) {
    const list = `without a section: ${homeless.join(", ")}; not exported: ${unknown.join(", ")}`;
    throw new Error(`SECTIONS of scripts/api-reference.mjs does not fit the exports (${list})`);
  }
  const link = (name) => `[\`${name}\`](#${name.toLowerCase()})`;
  const contents = SECTIONS.map(
    ({ construct, types }) => `- ${link(construct)}: ${types.map(link).join(", ")}`,
  );
  const sections = SECTIONS.map(({ construct, page, types }) => {
    const title = /^# (.+)$/m.exec(readFileSync(join(root, "docs", page), "utf8"))[1];
    const own = described.get(construct).replace(/^##(#+ )/gm, "#$1");
    const parts = types.map((name) => `### ${name}\n\n${described.get(name)}`);
    return [`## ${construct}`, `How to use it: [${title}](${page}).`, own, ...parts].join("\n\n");
  });
  const introduction = `# API reference

Everything that \`cdktf-gke-ray\` exports, from its docstrings (\`npm run docs\`): each construct, and beneath it its properties,
options and enums. A type that has the members of another one links that one.
`;
  return `${[introduction.trim(), "## Contents", contents.join("\n"), ...sections].join("\n\n")}\n`;
}

/** Each page leads to the sections of its constructs, and the README has the constructs' pages in the same order. */
function requireLinks() {
  for (const { construct, page } of SECTIONS) {
    const target = `](api.md#${construct.toLowerCase()})`;
    if (readFileSync(join(root, "docs", page), "utf8").includes(target)) continue;
    throw new Error(`docs/${page} must link the section of ${construct}: [...${target}`);
  }
  const order = [...new Set(SECTIONS.map(({ page }) => page))];
  const table = readFileSync(join(root, "README.md"), "utf8").split("\n## Pages\n")[1].split("\n## ")[0];
  const rows = [...table.matchAll(/^\| \[[^\]]+\]\(docs\/([\w-]+\.md)\)/gm)].map(([, page]) => page);
  const listed = rows.filter((page) => order.includes(page));
  if (listed.join() !== order.join()) {
    throw new Error(
      `the README has the pages in the order ${listed.join(", ")}, docs/api.md in ${order.join(", ")}`,
    );
  }
}
