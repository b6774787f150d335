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

function inPlaces(continent: string, places: string[]): string[] {
  return places.map((place) => `${continent}-${place}`);
}
