import { Construct } from "constructs";
import type { IGkeWorkloadIdentityCluster } from "../../contracts/gke-workload-identity-cluster";

/** The namespaces and service accounts of a `SkyPilotServiceAccount`. */
export interface SkyPilotAccounts extends Construct {
  readonly cluster: IGkeWorkloadIdentityCluster;
  /** Context of the kubeconfig. */
  readonly contextName: string;
  /** The workload namespaces, the main one first. */
  readonly namespaces: string[];
  readonly launcherNamespace: string;
  /** The launcher's service account. */
  readonly serviceAccountName: string;
  /** The pods' service account. */
  readonly workloadServiceAccountName: string;
}
