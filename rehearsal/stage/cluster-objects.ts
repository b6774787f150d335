import type { Node } from "../node/node";

/** Kinds that come and go without anybody's doing, and those of Google's hosted operator and drivers. */
const IGNORED =
  /^(events|leases|endpoints|endpointslices|nodes|csidrivers|csinodes|apiservices|customresourcedefinitions)\b|ray\.io$/;

/** Every object in the cluster, as `KIND NAMESPACE/NAME`. */
export async function clusterObjects(node: Node): Promise<string[]> {
  const kinds = (await node.kubectl(["api-resources", "--verbs=list", "-o", "name"]))
    .split("\n")
    .filter((kind) => kind !== "" && !IGNORED.test(kind));
  const columns = "custom-columns=KIND:.kind,NAMESPACE:.metadata.namespace,NAME:.metadata.name";
  const listed = await node.kubectl(["get", kinds.join(","), "-A", "--no-headers", "-o", columns]);
  return listed
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => line.trim().split(/\s+/))
    .map(([kind, namespace, name]) => `${kind} ${namespace}/${name}`)
    .sort();
}
