import { Token } from "cdktf";

/** Whether a location is a zone; one that Terraform knows later is not judged. */
export function isZone(location: string): boolean {
  return !Token.isUnresolved(location) && /^[a-z]+-[a-z]+[0-9]+-[a-z0-9]+$/.test(location);
}

/** The region of a zone; a region is its own. */
export function regionOf(location: string): string {
  return location.split("-").slice(0, 2).join("-");
}
