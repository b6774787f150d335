import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { allApps } from "./apps";

test("every example is applied by a scenario", () => {
  const folder = join(__dirname, "scenarios");
  const scenarios = readdirSync(folder).map((file) => readFileSync(join(folder, file), "utf8"));
  const applied = (app: string) => scenarios.some((source) => source.includes(`"${app}"`));

  expect(allApps().filter((app) => !applied(app))).toEqual([]);
});
