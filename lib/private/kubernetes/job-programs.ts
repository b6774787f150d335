import { readFileSync } from "node:fs";
import * as path from "node:path";

/** The programs of lib/jobs. */
export type JobProgram = "drain" | "wait_for_ray_api" | "wait_for_ray_cluster";

const texts = new Map<string, string>();

/** Command of a container that runs a program of lib/jobs; its arguments, where it takes any, are the container's. */
export function programCommand(program: JobProgram): string[] {
  return ["python3", "-c", `${textOf("api_server")}\n\n${textOf(program)}`];
}

function textOf(file: string): string {
  const known = texts.get(file);
  if (known !== undefined) return known;
  const text = readFileSync(path.join(__dirname, "..", "..", "jobs", `${file}.py`), "utf8");
  texts.set(file, text);
  return text;
}
