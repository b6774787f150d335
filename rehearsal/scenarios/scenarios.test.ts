import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { allApps } from "../terraform/apps";
import { scenarios } from ".";

const PAGE = readFileSync(join(__dirname, "../../docs/rehearsal.md"), "utf8");

/** Names in the first columns of the tables of scenarios: those of short ones, long ones, and SkyPilot's, in this order. */
function namesInTables(): string[][] {
  const tables = PAGE.split(/^\| scenario .*\n\| -.*\n/m).slice(1);
  return tables.map((text) => {
    const rows = text.split("\n");
    const end = rows.findIndex((row) => !row.startsWith("|"));
    return rows
      .slice(0, end)
      .flatMap((row) => [...row.split("|")[1].matchAll(/`([\w-]+)`/g)].map(([, name]) => name));
  });
}

test("each scenario stands in a table of docs/rehearsal.md, and nothing else does", () => {
  const [short, long, skypilot] = namesInTables();
  const named = [...new Set([...short, ...long, ...skypilot])];

  expect(named.sort()).toEqual(scenarios.map(({ name }) => name).sort());
});

test("the long scenarios stand in a table of their own", () => {
  const [short, long, skypilot] = namesInTables();
  const isLong = (name: string) => scenarios.find((scenario) => scenario.name === name)?.long ?? false;

  expect(short.filter(isLong)).toEqual([]);
  expect(long.filter((name) => !isLong(name))).toEqual([]);
  expect(skypilot.filter(isLong)).toEqual(["skypilot-client", "skypilot-rules"]);
});

test("every example is applied by a scenario", () => {
  const files = readdirSync(__dirname, { recursive: true, encoding: "utf8" }).filter((file) =>
    file.endsWith(".ts"),
  );
  const sources = files.map((file) => readFileSync(join(__dirname, file), "utf8"));
  const applied = (app: string) => sources.some((source) => source.includes(`"${app}"`));

  expect(allApps().filter((app) => !applied(app))).toEqual([]);
});
