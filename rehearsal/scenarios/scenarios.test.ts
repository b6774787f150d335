import { readFileSync } from "node:fs";
import { join } from "node:path";
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
