/** A message of an API in its JSON form. */
export type Json = Record<string, any>;

/**
 * Fields that the API writes also when they are false: the optional ones, where unset means something else.
 */
const WRITTEN_WHEN_FALSE = new Set([
  "allowExternalTraffic",
  "enablePublicEndpoint",
  "enableInsecureBindingSystemAuthenticated",
  "enableInsecureBindingSystemUnauthenticated",
  "gcpPublicCidrsAccessEnabled",
  "globalAccess",
  "insecureKubeletReadonlyPortEnabled",
  "privateEndpointEnforcementEnabled",
]);

const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isDefault = (value: unknown) =>
  value === undefined ||
  value === null ||
  value === false ||
  value === 0 ||
  value === "" ||
  (Array.isArray(value) && value.length === 0);

/** Leaves out what is unset or at its zero value, as Google's JSON answers do; empty messages stay. */
export function withoutDefaults(message: Json): Json {
  const written: Json = {};
  for (const [name, value] of Object.entries(message)) {
    if (isObject(value)) written[name] = withoutDefaults(value);
    else if (Array.isArray(value) && value.some(isObject)) written[name] = value.map(withoutDefaults);
    else if (!isDefault(value) || (value === false && WRITTEN_WHEN_FALSE.has(name))) written[name] = value;
  }
  return written;
}

/** The base with the fields of the other laid over it; lists are replaced whole. */
export function overlay(base: Json, over: Json | undefined): Json {
  const merged = { ...base };
  for (const [name, value] of Object.entries(over ?? {})) {
    merged[name] = isObject(value) && isObject(merged[name]) ? overlay(merged[name], value) : value;
  }
  return merged;
}

/** Applies a JSON merge patch: null takes a field away. */
export function mergePatch(base: Json, patch: Json): Json {
  const merged = { ...base };
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete merged[name];
    else if (isObject(value)) merged[name] = mergePatch(isObject(merged[name]) ? merged[name] : {}, value);
    else merged[name] = value;
  }
  return merged;
}

/** The message without some of its fields. */
export function without(message: Json, ...names: string[]): Json {
  return Object.fromEntries(Object.entries(message).filter(([name]) => !names.includes(name)));
}

/** Sets a field by its dotted path, making the messages on the way. */
export function setPath(message: Json, path: string, value: unknown): void {
  const names = path.split(".");
  const last = names.pop()!;
  let parent = message;
  for (const name of names) parent = parent[name] ??= {};
  parent[last] = value;
}

export const clone = <T>(value: T): T => structuredClone(value);
