import type { GkeNodePool } from "./gke-node-pool";
import type { GkeAuthorizedNetwork } from "./gke-workload-identity-cluster";
import type { RayGroup, RayWorkerGroup } from "./ray-groups";

/** Properties of `RayPlatformStack`. Each has a default. */
export interface RayPlatformStackProps {
  /** @default cloud-bucket-cluster */
  readonly clusterName?: string;
  /**
   * Zone or region; with `autopilot` a region.
   * @default - us-west1-b, or with `autopilot` us-west1
   */
  readonly location?: string;
  /** @default - the project of the stack's Google provider */
  readonly project?: string;
  /**
   * Whether GKE manages the nodes.
   * @default false
   */
  readonly autopilot?: boolean;
  /**
   * Id of the service account that is created for the nodes.
   * @default - "<clusterName>-<location>-nodes", shortened to 30 characters where needed
   */
  readonly nodeServiceAccountId?: string;
  /** @default - one pool "ray" of `machineType`, one node at first; none with Autopilot */
  readonly nodePools?: GkeNodePool[];
  /**
   * Machine type of the pool "ray"; not with `nodePools`.
   * @default e2-standard-8
   */
  readonly machineType?: string;
  /**
   * Fewest nodes in each zone of the pool "ray"; not with `nodePools`.
   * @default 0
   */
  readonly minNodeCount?: number;
  /**
   * Most nodes in each zone of the pool "ray"; not with `nodePools`.
   * @default 1
   */
  readonly maxNodeCount?: number;
  /** @default - the network "default" of the project */
  readonly network?: string;
  /** @default - the network's subnetwork in the cluster's region */
  readonly subnetwork?: string;
  /** @default - GKE creates one */
  readonly podsRangeName?: string;
  /** @default - GKE creates one */
  readonly servicesRangeName?: string;
  /**
   * Nodes without public addresses. They then need Cloud NAT, or images from Artifact Registry, to start anything.
   * @default false
   */
  readonly privateNodes?: boolean;
  /**
   * Let the nodes read the images in all Artifact Registry repositories of the project.
   * @default false
   */
  readonly artifactRegistryAccess?: boolean;
  /** @default - the control plane's public address answers everybody (who has no credentials is refused) */
  readonly authorizedNetworks?: GkeAuthorizedNetwork[];
  /**
   * Reach the API server by its DNS endpoint. Tokens of Kubernetes service accounts are refused on it.
   * @default false
   */
  readonly dnsEndpoint?: boolean;
  /** @default - "<project id>-ray" */
  readonly bucketName?: string;
  /**
   * The folder of every pod where the bucket appears, for example `/data`.
   * @default - nowhere
   */
  readonly bucketMountPath?: string;
  /** @default ray */
  readonly namespace?: string;
  /** @default my-ksa */
  readonly serviceAccountName?: string;
  /** @default my-iam-sa */
  readonly googleServiceAccountId?: string;
  /** @default raycluster-mini */
  readonly rayClusterName?: string;
  /** @default 2.60.0 */
  readonly rayVersion?: string;
  /** @default - 2 CPUs and 8 GiB */
  readonly head?: RayGroup;
  /** @default - one group "cpu" of 2 CPUs and 8 GiB, 0 to 1 workers */
  readonly workerGroups?: RayWorkerGroup[];
  /**
   * Let only those use the Ray dashboard and job API whom Kubernetes knows and who have a right to.
   * @default true
   */
  readonly authProxy?: boolean;
  /**
   * Name of the Kubernetes service account that may submit jobs through the proxy.
   * @default ray-user
   */
  readonly submitterServiceAccountName?: string;
  /**
   * An existing Secret in the namespace whose key `.netrc` holds credentials for private `runtime_env` sources.
   * @default - none
   */
  readonly netrcSecretName?: string;
  /**
   * Make service accounts for SkyPilot, with exactly the rights that it uses.
   * @default true
   */
  readonly skyPilot?: boolean;
  /**
   * Namespace that SkyPilot launches in.
   * @default sky
   */
  readonly skyPilotNamespace?: string;
  /**
   * Enable the Google APIs that are used. They stay enabled on destroy.
   * @default true
   */
  readonly enableApis?: boolean;
  /**
   * Terraform refuses to destroy or replace the cluster while this is on. To destroy it, apply `false` first.
   * @default true
   */
  readonly deletionProtection?: boolean;
  /**
   * Delete the objects with the bucket. Without this, a bucket that holds objects is not destroyed.
   * @default false
   */
  readonly forceDestroyBucket?: boolean;
}
