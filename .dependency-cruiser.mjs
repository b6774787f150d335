// Which room may import which: `npm run lint`. CONTRIBUTING.md has the map.

/** A rule that what lies in `from` imports, of this project, nothing but itself and `allowed`. */
const only = (name, comment, from, ...allowed) => ({
  name,
  comment,
  severity: "error",
  from: { path: from },
  to: { path: "^(lib|test|rehearsal|bench|examples|scripts|main)", pathNot: [from, ...allowed] },
});

const CONTRACTS = "^lib/contracts/";
const VALIDATION = "^lib/private/(validation|nearest)[.]ts$";
const room = (name) => `^lib/private/${name}/`;

/** @type {import("dependency-cruiser").IConfiguration} */
export default {
  forbidden: [
    {
      name: "no-circle",
      comment: "Files that need each other are one file, or lack a third one below both. Types count too.",
      severity: "error",
      from: {},
      to: { circular: true },
    },
    only(
      "contracts-are-below-constructs",
      "What constructs share knows no construct.",
      CONTRACTS,
      VALIDATION,
    ),
    only("validation-is-at-the-bottom", "Everything checks with it.", VALIDATION),
    only(
      "room-terraform",
      "What every construct makes things with.",
      room("terraform"),
      CONTRACTS,
      VALIDATION,
    ),
    only(
      "room-kubernetes",
      "Pieces of manifests.",
      room("kubernetes"),
      room("terraform"),
      CONTRACTS,
      VALIDATION,
    ),
    only(
      "room-gke",
      "Clusters and their nodes.",
      room("gke"),
      room("kubernetes"),
      room("terraform"),
      CONTRACTS,
      VALIDATION,
    ),
    ...["ray", "skypilot"].map((name) =>
      only(
        `room-${name}`,
        "Ray and SkyPilot know nothing of each other.",
        room(name),
        room("gke"),
        room("kubernetes"),
        room("terraform"),
        CONTRACTS,
        VALIDATION,
      ),
    ),
    only("rehearsal-tools-are-at-the-bottom", "What the rehearsal is made of.", "^rehearsal/tools/"),
    ...["node", "terraform"].map((name) =>
      only(
        `rehearsal-${name}`,
        "The node and Terraform know nothing of Google, nor of what is tried on them.",
        `^rehearsal/${name}/`,
        "^rehearsal/tools/",
      ),
    ),
    only(
      "rehearsal-google",
      "The double of Google's APIs knows no node and no Terraform.",
      "^rehearsal/google/(?!.*[.]test[.])",
      "^rehearsal/tools/",
    ),
    only(
      "rehearsal-google-tests",
      "They call the double by Terraform, with what the constructs send.",
      "^rehearsal/google/",
      "^rehearsal/(tools|terraform)/",
      "^lib/",
    ),
    only(
      "rehearsal-stage",
      "What scenarios act with knows no scenario.",
      "^rehearsal/stage/",
      "^rehearsal/(tools|node|terraform|google)/",
    ),
    only(
      "rehearsal-skypilot",
      "What SkyPilot's scenarios share knows no scenario.",
      "^rehearsal/skypilot/",
      "^rehearsal/(tools|node|terraform|google|stage)/",
      "^lib/",
    ),
    {
      name: "rehearsal-scenarios-are-at-the-top",
      comment: "Only the command runs scenarios. What others need of them belongs into a room below.",
      severity: "error",
      from: { pathNot: "^rehearsal/(main[.]ts$|scenarios/)" },
      to: { path: "^rehearsal/scenarios/" },
    },
    only("lib-stands-alone", "The library is published without the rest.", "^lib/"),
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
  },
};
