import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { allApps } from "./apps";

test("every example is applied by a scenario", () => {
  const folder = join(__dirname, "..");
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((file) =>
    file.endsWith(".ts"),
  );
  const scenarios = files.map((file) => readFileSync(join(folder, file), "utf8"));
  const applied = (app: string) => scenarios.some((source) => source.includes(`"${app}"`));

  expect(allApps().filter((app) => !applied(app))).toEqual([]);
});
