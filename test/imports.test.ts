import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

const ROOT = resolve(__dirname, "..");

function sources(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts"))
    .map((file) => join(folder, file));
}

const library = sources("lib");

/** What a source imports by these words, without types, which are not there when it runs. */
function importsOf(file: string, from: RegExp): string[] {
  const text = readFileSync(join(ROOT, file), "utf8");
  return [...text.matchAll(/^import (?!type )[^;]* from "([^"]+)";$/gm)].flatMap(
    ([, module]) => from.exec(module)?.slice(1) ?? [],
  );
}

test.each(library.concat("main.ts", sources("examples")))(
  "%s imports no index of a provider package",
  (file) => {
    const text = readFileSync(join(ROOT, file), "utf8");

    expect(text).not.toMatch(/from ["']@cdktf\/provider-\w+["']/);
  },
);

test("the library never asks whether something is an instance of a cdktf class, which a second copy is not", () => {
  const asking = library.filter((file) => /instanceof/.test(readFileSync(join(ROOT, file), "utf8")));

  expect(asking).toEqual([]);
});

test("the library never adds a dependency to a construct's node, which cdktf ignores", () => {
  const adding = library.filter((file) => /node\.addDependency/.test(readFileSync(join(ROOT, file), "utf8")));

  expect(adding).toEqual([]);
});

test.each(library)(
  "%s imports no class of a provider package but a provider, for loading one costs more than all it says",
  (file) => {
    const classes = importsOf(file, /^@cdktf\/provider-(\w+\/lib\/.+)$/);

    expect(classes.filter((path) => !path.endsWith("/lib/provider"))).toEqual([]);
  },
);
