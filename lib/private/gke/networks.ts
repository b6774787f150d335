import { Token } from "cdktf";
import { IConstruct } from "constructs";
import type { GkeWorkloadIdentityClusterProps } from "../../contracts/gke-workload-identity-cluster";
import { invalid } from "../validation";

/** @throws if the network is another project's and something is missing that only its own project could create */
export function requireSharedNetwork(scope: IConstruct, props: GkeWorkloadIdentityClusterProps): void {
  const { network, project } = props;
  if (network === undefined || Token.isUnresolved(network) || Token.isUnresolved(project)) return;
  const [, host] = /(?:^|\/)projects\/([^/]+)\/global\/networks\/[^/]+$/.exec(network) ?? [];
  if (host === undefined) {
    if (/^[a-z]([a-z0-9-]*[a-z0-9])?$/.test(network)) return;
    const rule =
      'be the name of a network or its self link, such as "projects/host-project/global/networks/vpc"';
    throw invalid(scope, "network", rule, network);
  }
  if (project === undefined || host === project) return;
  for (const property of ["subnetwork", "podsRangeName", "servicesRangeName"] as const) {
    if (props[property] !== undefined) continue;
    throw invalid(scope, property, `be given with the network of another project (${host})`);
  }
}
