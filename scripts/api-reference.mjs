// Writes docs/api.md from the docstrings, and fails where a public member has none: `npm run docs`. With `--check` it writes
// nothing and fails where the page is not what it would write.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Application } from "typedoc";

const root = fileURLToPath(new URL("..", import.meta.url));
const page = join(root, "docs/api.md");
const written = tidy(await generate());
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
    await app.generateOutputs(project);
    return readFileSync(join(folder, "api.md"), "utf8");
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Takes away what a reader of the source's own files would want. */
function tidy(markdown) {
  const introduction = `# API reference

Everything that \`cdktf-gke-ray\` exports, from its docstrings (\`npm run docs\`).
`;
  return markdown
    .replace(/^# cdktf-gke-ray\n/, introduction)
    .replace(/<a id="[^"]*"><\/a> /g, "")
    .replace(/\[([^\]]+)\]\(#(enumeration-member|property)-[^)]*\)/g, "$1")
    .replace(
      /\n#+ (Overrides|Inherited from|Extends|Extended by|Implements|Implementation of)\n\n(.+\n)+/g,
      "",
    )
    .replace(/\| `undefined` \|/g, "| |")
    .replace(/\n{3,}/g, "\n\n");
}
