import type { IGkeWorkloadIdentityCluster } from "./gke-workload-identity-cluster";
import type { SkyPilotFeatures, SkyPilotPodSecurity, SkyPilotRemoteIdentity } from "./skypilot-options";
import type { IWorkloadIdentity } from "./workload-identity";

/** Properties of `SkyPilotServiceAccount`. */
export interface SkyPilotServiceAccountProps {
  /** The cluster that SkyPilot launches on. */
  readonly cluster: IGkeWorkloadIdentityCluster;
  /**
   * Namespace of the pods. Who may launch in it can read every Secret and use every service account there: give it no other
   * use.
   */
  readonly namespace: string;
  /**
   * Further namespaces of pods, with the same rights, for SkyPilot's workspaces that name one.
   * @default - none
   */
  readonly additionalNamespaces?: string[];
  /**
   * Whether to create the workload namespaces.
   * @default - true, but for `default`, `kube-system` and references to other resources
   */
  readonly createNamespace?: boolean;
  /**
   * Allow `default` or a namespace of Kubernetes or GKE itself as a workload namespace.
   * @default false
   */
  readonly allowBuiltInNamespace?: boolean;
  /**
   * The launcher: who SkyPilot's client or API server is.
   * @default sky-sa
   */
  readonly serviceAccountName?: string;
  /**
   * Namespace of the launcher, which no pod of SkyPilot may be in, because it could then run as the launcher.
   * @default - "<namespace>-launcher"
   */
  readonly launcherNamespace?: string;
  /**
   * Whether to create the launcher's namespace.
   * @default - true, but for `default`, `kube-system` and references to other resources
   */
  readonly createLauncherNamespace?: boolean;
  /**
   * Whether to create the launcher's service account.
   * @default true
   */
  readonly createServiceAccount?: boolean;
  /**
   * Name of the service account of the pods.
   * @default - "<serviceAccountName>-workload"
   */
  readonly workloadServiceAccountName?: string;
  /**
   * Identity of the pods, where they act in Google Cloud too: `bucket.grantReadWrite(identity)` then lets tasks use a bucket. In
   * additional namespaces the account of that name means nothing in Google Cloud.
   * @default - a plain service account
   */
  readonly workloadIdentity?: IWorkloadIdentity;
  /**
   * One account for launcher and pods. Every task can then do what the launcher can.
   * @default false
   */
  readonly sharedIdentity?: boolean;
  /**
   * Features of SkyPilot besides launching, reaching and stopping clusters.
   * @default - nothing
   */
  readonly features?: SkyPilotFeatures;
  /**
   * The identity that SkyPilot gives its pods.
   * @default SkyPilotRemoteIdentity.CUSTOM_SERVICE_ACCOUNT
   */
  readonly remoteIdentity?: SkyPilotRemoteIdentity;
  /**
   * Pod Security standard that the workload namespaces created here enforce.
   * @default - BASELINE; PRIVILEGED with `objectStoreMounts` or `hostNetwork`
   */
  readonly podSecurity?: SkyPilotPodSecurity;
  /**
   * Most that the pods of each workload namespace may ask for together, for example `{ "requests.nvidia.com/gpu": "8" }`.
   * https://kubernetes.io/docs/concepts/policy/resource-quotas/
   * @default - no limit
   */
  readonly resourceQuota?: { [resource: string]: string };
  /**
   * Whether to create the namespace `skypilot-system` and its admission policy, for `objectStoreMounts`; false where another
   * stack creates them.
   * @default true
   */
  readonly createSkyPilotSystem?: boolean;
  /**
   * Make a kubeconfig for the launcher with a token that does not end, in an output that is marked sensitive. The token is in
   * Terraform's state, and ends with the account or its Secret.
   * @default false
   */
  readonly createKubeconfig?: boolean;
  /**
   * State that the cluster's DNS endpoint accepts tokens of Kubernetes service accounts, which the google provider 6.50 has no
   * setting for. `createKubeconfig` is refused on a DNS endpoint otherwise.
   * @default false
   */
  readonly dnsEndpointAcceptsTokens?: boolean;
}
