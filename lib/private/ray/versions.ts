/** The Ray version that this library is rehearsed with. */
export const DEFAULT_RAY_VERSION = "2.60.0";

export function rayImage(rayVersion: string): string {
  return `rayproject/ray:${rayVersion}`;
}

export const DEFAULT_RAY_IMAGE = rayImage(DEFAULT_RAY_VERSION);

/** Whether a version is known to be at least another one; an unknown version is not. */
export function isAtLeast(version: string | undefined, minimum: string): boolean {
  if (version === undefined) return false;
  const [have, want] = [version, minimum].map((text) => text.split(/[.-]/).slice(0, 3).map(Number));
  for (let part = 0; part < 3; part++) {
    if (have[part] !== want[part]) return have[part] > want[part];
  }
  return true;
}
