import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { graphPicture } from "../scripts/graph-picture";
import { synthesizeApp } from "./support/apps";

const ROOT = resolve(__dirname, "..");
const PAGES = [
  "CHANGELOG.md",
  "CONTRIBUTING.md",
  "README.md",
  ...readdirSync(join(ROOT, "docs")).map((file) => `docs/${file}`),
].filter((file) => file.endsWith(".md"));

function read(file: string): string {
  return readFileSync(join(ROOT, file), "utf8");
}

test("the picture of the graph is that of the default stack", () => {
  const { json } = synthesizeApp("main.ts")["ray-platform"];

  expect(graphPicture(json)).toBe(read("docs/graph.svg"));
});

test("the README has a row for each setting of main.ts, and main.ts reads each of the README's", () => {
  const settings = [...read("main.ts").matchAll(/\b(?:setting|flag|count|list)\("(RAY_\w+)"\)/g)].map(
    ([, name]) => name,
  );
  const rows = [...read("README.md").matchAll(/^\| `(RAY_\w+)` +\|/gm)].map(([, name]) => name);

  expect(settings.length).toBeGreaterThan(15);
  expect(rows.sort()).toEqual([...new Set(settings)].sort());
});

test("the README has a row for each example", () => {
  const examples = readdirSync(join(ROOT, "examples")).filter((file) => file.endsWith(".ts"));
  const rows = [...read("README.md").matchAll(/^\| \[([\w-]+)\]\(examples\/\1\.ts\) +\|/gm)].map(
    ([, name]) => `${name}.ts`,
  );

  expect(rows.sort()).toEqual(examples.sort());
});

test.each(PAGES)("every link of %s leads somewhere", (page) => {
  const text = read(page).replace(/^```[^]*?^```/gm, "");
  const links = [...text.matchAll(/\]\(([^)\s]+)\)|src="([^"]+)"/g)].map(
    ([, link, source]) => link ?? source,
  );
  const broken = links
    .filter((link) => !/^https?:/.test(link))
    .filter((link) => {
      const [path, anchor] = link.split("#");
      const file = path === "" ? page : join(dirname(page), path);
      if (!existsSync(join(ROOT, file))) return true;
      return anchor !== undefined && !anchorsOf(read(file)).includes(anchor);
    });

  expect(broken).toEqual([]);
});

test("every file that the guide for contributors names is there", () => {
  const named = /`((?:bench|docs|examples|lib|rehearsal|scripts|test)\/[\w./-]*)`/g;
  const files = [...read("CONTRIBUTING.md").matchAll(named)].map(([, file]) => file);

  expect(files.length).toBeGreaterThan(50);
  expect(files.filter((file) => !existsSync(join(ROOT, file)))).toEqual([]);
});

/** As GitHub makes them of headings. */
function anchorsOf(markdown: string): string[] {
  const headings = [...markdown.replace(/^```[^]*?^```/gm, "").matchAll(/^#+ (.+)$/gm)];
  return headings.map(([, heading]) =>
    heading
      .toLowerCase()
      .replace(/[^\w\- ]/g, "")
      .replaceAll(" ", "-"),
  );
}
