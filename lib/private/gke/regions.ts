/** https://cloud.google.com/compute/docs/regions-zones */
export const REGIONS: readonly string[] = [
  "africa-south1",
  ...inPlaces("asia", ["east1", "east2", "northeast1", "northeast2", "northeast3", "south1", "south2"]),
  ...inPlaces("asia", ["southeast1", "southeast2"]),
  ...inPlaces("australia", ["southeast1", "southeast2"]),
  ...inPlaces("europe", ["central2", "north1", "north2", "southwest1", "west1", "west2", "west3", "west4"]),
  ...inPlaces("europe", ["west6", "west8", "west9", "west10", "west12"]),
  ...inPlaces("me", ["central1", "central2", "west1"]),
  ...inPlaces("northamerica", ["northeast1", "northeast2", "south1"]),
  ...inPlaces("southamerica", ["east1", "west1"]),
  ...inPlaces("us", ["central1", "east1", "east4", "east5", "south1", "west1", "west2", "west3", "west4"]),
];

/** Zones of the regions that do not have a, b and c. */
const OTHER_ZONES: { readonly [region: string]: string } = {
  "europe-west1": "bcd",
  "us-central1": "abcf",
  "us-east1": "bcd",
};

/** The zones of a region; none where the region is not known here. */
export function zonesOf(region: string): string[] {
  if (!REGIONS.includes(region)) return [];
  return [...(OTHER_ZONES[region] ?? "abc")].map((letter) => `${region}-${letter}`);
}

/** Where a bucket may be other than in one region. https://cloud.google.com/storage/docs/locations */
export const MULTI_REGIONS: readonly string[] = [
  ...["ASIA", "EU", "US"],
  ...["ASIA1", "EUR4", "EUR5", "EUR7", "EUR8", "NAM4"],
];

function inPlaces(continent: string, places: string[]): string[] {
  return places.map((place) => `${continent}-${place}`);
}
