import { ALLOW, type AllowRow, DENY, type DenyRow, type Feature, type Place } from "./matrix";

/** One kind of request, as RBAC sees it. */
export interface Access {
  readonly verb: string;
  /** Empty for the core group. */
  readonly group: string;
  readonly resource: string;
  /** Empty for the resource itself. */
  readonly subresource: string;
  /** Empty for the whole cluster. */
  readonly namespace: string;
  /** Empty for any. */
  readonly name: string;
}

/** The namespaces behind the places of the matrix, from the point of view of one account. */
export type Namespaces = Readonly<Partial<Record<Place, string>>>;

/** Whose rights are asked about. */
export type Kind = "launcher" | "workload" | "shared" | "controller";

/** What an account of a kind may do with some features on. */
export function allowed(kind: Kind, features: readonly Feature[], namespaces: Namespaces): Access[] {
  const rows = ALLOW.filter(({ who }) => who === kind || kind === "shared" || kind === "controller").filter(
    ({ feature }) => feature === undefined || features.includes(feature),
  );
  return cells(rows, namespaces);
}

/** What it may not do: what nobody may, and what others may or what it may with other features. */
export function denied(kind: Kind, features: readonly Feature[], namespaces: Namespaces): Access[] {
  const mine = new Set(allowed(kind, features, namespaces).map(describeWhole));
  const others = cells(ALLOW, namespaces).filter((access) => !mine.has(describeWhole(access)));
  const rows = DENY.filter(({ unless }) => unless === undefined || !features.includes(unless));
  return [...others, ...cells(rows, namespaces)];
}

/** `get deployments.apps/status sky-ssh-keys`, without the namespace. */
export function describe({ verb, group, resource, subresource, name }: Access): string {
  return [verb, resourceText(group, resource, subresource), name].filter((part) => part !== "").join(" ");
}

/** With its place: `delete services in tasks`, `list nodes in the cluster`. */
export function describeWhole(access: Access): string {
  return `${describe(access)} in ${access.namespace || "the cluster"}`;
}

/** As in `kubectl auth can-i`. */
function resourceText(group: string, resource: string, subresource = ""): string {
  return `${resource}${group && `.${group}`}${subresource && `/${subresource}`}`;
}

function cells(rows: readonly (AllowRow | DenyRow)[], namespaces: Namespaces): Access[] {
  return rows.flatMap((row) => {
    const places = "place" in row ? [row.place] : row.places;
    return places
      .filter((place) => place === "cluster" || namespaces[place] !== undefined)
      .flatMap((place) =>
        row.verbs.map((verb) => access(verb, row.resource, namespaces[place] ?? "", row.name)),
      );
  });
}

function access(verb: string, resource: string, namespace: string, name = ""): Access {
  const [qualified, subresource = ""] = resource.split("/");
  const dot = qualified.indexOf(".");
  const group = dot < 0 ? "" : qualified.slice(dot + 1);
  const plural = dot < 0 ? qualified : qualified.slice(0, dot);
  return { verb, group, resource: plural, subresource, namespace, name };
}

/** What has no HTTP method: RBAC alone knows these verbs. */
const WORDS_OF_RBAC = ["impersonate", "escalate", "bind", "approve"];

const METHODS: Readonly<Record<string, string>> = {
  get: "GET",
  list: "GET",
  watch: "GET",
  create: "POST",
  update: "PUT",
  patch: "PATCH",
  delete: "DELETE",
  deletecollection: "DELETE",
};

/** Request for something that does not exist, or that says nothing: the answer tells only whether it was allowed. */
export interface Probe {
  readonly method: string;
  readonly path: string;
  readonly body?: object;
}

/** The HTTP request of this kind that does nothing when it is allowed; none where the verb is RBAC's own. */
export function probe({ verb, group, resource, subresource, namespace, name }: Access): Probe | undefined {
  if (WORDS_OF_RBAC.includes(verb)) return undefined;
  const root = group === "" ? "/api/v1" : `/apis/${group}/v1`;
  const scope = namespace === "" ? "" : `/namespaces/${namespace}`;
  const collection = `${root}${scope}/${resource}`;
  const object = `${collection}/${name || "absent"}`;
  const nothing = "labelSelector=rehearsal%3Dnothing";
  const ofObject = subresource === "" ? object : `${object}/${subresource}`;
  const paths: Readonly<Record<string, string>> = {
    get: ofObject,
    list: collection,
    watch: `${collection}?watch=true&timeoutSeconds=1&${nothing}`,
    create: subresource === "" ? collection : ofObject,
    update: ofObject,
    patch: ofObject,
    delete: ofObject,
    deletecollection: `${collection}?${nothing}`,
  };
  // No object, so that the request ends when it has been allowed.
  const body = ["create", "update", "patch"].includes(verb) ? [] : undefined;
  return { method: METHODS[verb], path: paths[verb], body };
}
