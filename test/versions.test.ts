import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

const ROOT = resolve(__dirname, "..");
const FOLDERS = ["bench", "docs", "examples", "lib", "rehearsal", "scripts", "test"];
const FILES = ["CONTRIBUTING.md", "README.md", "main.ts", "package.json"];

interface Version {
  /** The file whose version is the right one, and where it is there. */
  readonly home: readonly [file: string, pattern: RegExp];
  /** What a mention looks like, its version in parentheses, in all files but go.mod. */
  readonly mention: RegExp;
  /** What a mention in a go.mod of the rehearsal's tools looks like. */
  readonly goMod?: RegExp;
  /** Versions that look alike and are meant: those that tests try, that a feature came with, or of something else. */
  readonly others?: readonly string[];
}

const provider = (name: string): readonly [string, RegExp] => [
  `node_modules/@cdktf/provider-${name}/lib/provider/index.js`,
  /providerVersion: '([\d.]+)'/,
];

const npmPackage = (name: string): Version => ({
  home: [`node_modules/${name}/package.json`, /"version": "([\d.]+)"/],
  mention: new RegExp(`${name}"?(?:@|: ")(\\d+\\.\\d+\\.\\d+)`, "g"),
});

/**
 * To bump one: change it at its home, run this test, and change what it names, until it passes. Then for
 * - KubeRay and kube-rbac-proxy: `go get` in rehearsal/tools/go/kuberay or kube-rbac-proxy, and `go mod tidy`;
 * - Kubernetes: the same in rehearsal/tools/go/node;
 * - Ray: nothing more; the rehearsal makes its image of that version;
 * - a Terraform provider: its npm package in package.json, then `npm install` and `node scripts/extract-schema.mjs`.
 *
 * The links to sources in comments name a version: read there whether the rule still holds. Then `npm run rehearsal`.
 */
const VERSIONS: Record<string, Version> = {
  KubeRay: {
    home: ["lib/kuberay-operator.ts", /DEFAULT_CHART_VERSION = "([\d.]+)"/],
    mention: /(?<![\d.])(1\.[2-9]\.\d+)(?![\d.])/g,
    goMod: /kuberay\/ray-operator v([\d.]+)/g,
    others: ["1.2.2", "1.2.3", "1.3.0", "1.3.2", "1.4.0", "1.5.0", "1.5.1", "1.6.0", "1.6.1", "1.7.0"],
  },
  Ray: {
    home: ["lib/private/ray/versions.ts", /DEFAULT_RAY_VERSION = "([\d.]+)"/],
    mention: /(?<![\d.])(2\.[4-9]\d\.\d+)(?![\d.])/g,
    others: ["2.40.0", "2.41.0", "2.46.0", "2.51.0", "2.52.0", "2.53.0", "2.54.0", "2.55.0", "2.59.0"],
  },
  "kube-rbac-proxy": {
    home: ["lib/private/ray/auth-proxy-container.ts", /kube-rbac-proxy:v([\d.]+)"/],
    mention: /kube-rbac-proxy[: ]v?(\d+\.\d+\.\d+)/g,
    goMod: /brancz\/kube-rbac-proxy v([\d.]+)/g,
  },
  Kubernetes: {
    home: ["rehearsal/tools/go/node/go.mod", /k8s\.io\/kubernetes v([\d.]+)/],
    mention: /(?<![\d.])(1\.3\d\.\d+)(?![\d.])/g,
    goMod: /k8s\.io\/kubernetes v([\d.]+)/g,
  },
  "Terraform's google provider": {
    home: provider("google"),
    mention: /(?<!knip": ")(?<![\d.])(6\.[4-9]\d\.\d+)(?![\d.])/g,
    others: ["6.49.0"],
  },
  "Terraform's kubernetes provider": {
    home: provider("kubernetes"),
    mention: /(?<![\d.])(2\.3\d\.\d+)(?![\d.])/g,
  },
  "Terraform's helm provider": {
    home: provider("helm"),
    mention: /(?<![\d.])(3\.[1-5]\.\d+)(?![\d.])/g,
    others: ["3.3.30"],
  },
  "@cdktf/provider-google": npmPackage("@cdktf/provider-google"),
  "@cdktf/provider-kubernetes": npmPackage("@cdktf/provider-kubernetes"),
  "@cdktf/provider-helm": npmPackage("@cdktf/provider-helm"),
  cdktf: {
    home: ["rehearsal/stage/clients.ts", /cdktf-cli@([\d.]+)/],
    mention: /(?:cdktf-cli[@ ]|cdktf@|"cdktf": "(?:>=)?)(\d+\.\d+\.\d+)/g,
  },
  cdktn: {
    home: ["scripts/test-cdktn.mjs", /cdktn@([\d.]+)/],
    mention: /cdktn@(\d+\.\d+\.\d+)/g,
  },
};

const texts = new Map(
  [
    ...FILES.filter((file) => existsSync(join(ROOT, file))),
    ...FOLDERS.flatMap((folder) =>
      readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" }).map((file) =>
        join(folder, file),
      ),
    ),
  ]
    .filter((file) => /(\.(ts|mjs|cjs|md|py|sh|ya?ml|json)|\/go\.mod)$/.test(file))
    .filter((file) => file !== "test/versions.test.ts")
    .map((file) => [file, readFileSync(join(ROOT, file), "utf8")]),
);

test.each(Object.entries(VERSIONS))("every mention of the version of %s is the same", (_name, version) => {
  const [home, pattern] = version.home;
  const right = pattern.exec(readFileSync(join(ROOT, home), "utf8"))?.[1];
  expect(right).toMatch(/^\d+\.\d+\.\d+$/);

  const found = [...texts].flatMap(([file, text]) => {
    const mention = file.endsWith("go.mod") ? version.goMod : version.mention;
    return mention === undefined
      ? []
      : [...text.matchAll(mention)].map((match) => ({
          where: `${file}:${text.slice(0, match.index).split("\n").length}`,
          says: match[1],
        }));
  });

  expect(found.filter(({ says }) => says !== right && !version.others?.includes(says!))).toEqual([]);
  expect(found.filter(({ says }) => says === right).length).toBeGreaterThan(1);
});
