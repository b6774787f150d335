import { Token } from "cdktf";
import { Construct, IConstruct } from "constructs";
import { warnUnlessKnown } from "../nearest";
import { zonesOf } from "./regions";
import { invalid, LOCATION, requireName } from "../validation";

/** Whether a location is a zone; one that Terraform knows later is not judged. */
export function isZone(location: string): boolean {
  return !Token.isUnresolved(location) && /^[a-z]+(-[a-z]+)+[0-9]+-[a-z0-9]+$/.test(location);
}

/** The region of a zone; a region is its own. */
export function regionOf(location: string): string {
  return location.split("-").slice(0, 2).join("-");
}

/** The region of a location, unless Terraform alone knows it. */
export function regionIn(location: string): string | undefined {
  return Token.isUnresolved(location) ? undefined : regionOf(location);
}

/** Warns of a zone that a known region is not known to have. */
export function warnOfUnknownZone(scope: IConstruct, property: string, zone: string): void {
  const zones = zonesOf(regionOf(zone));
  if (isZone(zone) && zones.length > 0) warnUnlessKnown(scope, property, zone, "zone", zones);
}

/** @throws unless these are zones of the cluster's region; a list that Terraform knows later is taken as it is */
export function requireNodeZones(
  scope: Construct,
  property: string,
  zones: string[] | undefined,
  location: string,
): void {
  if (Token.isUnresolved(zones)) return;
  zones?.forEach((zone, index) => {
    if (Token.isUnresolved(zone)) return;
    requireName(scope, `${property}[${index}]`, zone, LOCATION);
    const region = regionOf(location);
    if (!isZone(zone) || (!Token.isUnresolved(location) && regionOf(zone) !== region)) {
      const where = Token.isUnresolved(location) ? "" : ` of the cluster's region ${region}`;
      throw invalid(scope, `${property}[${index}]`, `be a zone${where}`, zone);
    }
    if (zones.indexOf(zone) < index) throw invalid(scope, `${property}[${index}]`, "be named once", zone);
    warnOfUnknownZone(scope, `${property}[${index}]`, zone);
  });
}
