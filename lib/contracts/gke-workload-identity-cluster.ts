import { ITerraformDependable, TerraformProvider } from "cdktf";
import { IConstruct } from "constructs";
import type { GkeNodePool } from "./gke-node-pool";

/**
 * The release channel, which decides how early a cluster gets new GKE versions.
 * https://cloud.google.com/kubernetes-engine/docs/concepts/release-channels
 */
export enum GkeReleaseChannel {
  /** New versions as soon as they are released. */
  RAPID = "RAPID",
  /** After some months in `RAPID`. */
  REGULAR = "REGULAR",
  /** After some months in `REGULAR`. */
  STABLE = "STABLE",
  /** The versions of `REGULAR`, each supported for about two years. */
  EXTENDED = "EXTENDED",
}

/** A network that may reach the cluster's control plane. */
export interface GkeAuthorizedNetwork {
  /** For example `203.0.113.0/24`. */
  readonly cidrBlock: string;
  /** @default - no name */
  readonly displayName?: string;
}

/** When GKE may upgrade the cluster. */
export interface GkeMaintenanceWindow {
  /** Start of the first window, RFC 3339, for example `2026-01-03T02:00:00Z`. */
  readonly startTime: string;
  /** End of the first window, RFC 3339. */
  readonly endTime: string;
  /** RFC 5545 rule, for example `FREQ=WEEKLY;BYDAY=SA,SU`. */
  readonly recurrence: string;
}

/** A GKE cluster with a workload identity pool, ours or not. */
export interface IGkeWorkloadIdentityCluster extends IConstruct {
  /** True if this library creates the cluster. It then has nothing that its properties do not name. */
  readonly owned: boolean;
  /** Name of the cluster. */
  readonly clusterName: string;
  /** Zone or region, as it was given. */
  readonly location: string;
  /** Project id. */
  readonly project: string;
  /** Whether GKE manages the nodes. */
  readonly autopilot: boolean;
  /** The node pools; none with Autopilot, nor of a cluster that is not created here. */
  readonly nodePools: GkeNodePool[];
  /** Whether nodes may come from elsewhere than `nodePools`, so that pods which fit on none of these are let be. */
  readonly otherNodePools: boolean;
  /** Whether the Ray Operator add-on is on. */
  readonly rayOperatorAddon: boolean;
  /** Whether the Cloud Storage FUSE CSI driver is on. */
  readonly gcsFuseAddon: boolean;
  /** The Google group whose member groups may be named in RBAC, if any. */
  readonly securityGroup?: string;
  /** Host name or address of the API server. */
  readonly endpoint: string;
  /** Whether the API server is reached by its DNS endpoint, which accepts only Google identities. */
  readonly dnsEndpoint: boolean;
  /** The pool, for example `my-project.svc.id.goog`, known once the cluster exists. */
  readonly workloadIdentityPool: string;
  /** The Google provider of the cluster's own resources, if it is not the default one. */
  readonly googleProvider?: TerraformProvider;
  /** Provider for Kubernetes objects in the cluster, created on first use. */
  readonly kubernetesProvider: TerraformProvider;
  /** Provider for Helm releases in the cluster, created on first use. */
  readonly helmProvider: TerraformProvider;
  /** Resources that every Kubernetes object in the cluster waits for, so that it can be created and, on destroy, deleted. */
  readonly kubernetesDependencies: ITerraformDependable[];
  /** Command that lets kubectl reach the cluster. */
  readonly credentialsCommand: string;
  /**
   * Resources that a resource of a Google API waits for: the enablement of that API, where the cluster enables it.
   *
   * @param service for example `storage`
   */
  apiDependencies(service: string): ITerraformDependable[];
  /**
   * Makes sure that the cluster enforces network policies, for a construct whose protection depends on them. A cluster that is
   * looked up is asked when Terraform plans.
   *
   * @param user the construct, for the error
   * @throws if the cluster is known by its attributes, and these do not state it
   */
  requireNetworkPolicyEngine(user: IConstruct): void;
}

/** Properties of new and existing clusters. */
export interface GkeClusterOptions {
  /** Name of the cluster. */
  readonly clusterName: string;
  /** Zone, for a zonal cluster, or region; with `autopilot` a region. */
  readonly location: string;
  /** @default - the project of the Google provider */
  readonly project?: string;
  /**
   * Whether GKE manages the nodes.
   * @default false
   */
  readonly autopilot?: boolean;
  /**
   * Reach the API server by its DNS endpoint instead of its address. It has a public certificate and Google's access
   * control in front; tokens of Kubernetes service accounts are refused on it, because google 6.50 has no setting for them.
   * @default false
   */
  readonly dnsEndpoint?: boolean;
  /**
   * The Ray Operator add-on: Google hosts the KubeRay operator. `KubeRayOperator.gkeAddon` needs it.
   * @default false
   */
  readonly rayOperatorAddon?: boolean;
  /**
   * The Cloud Storage FUSE CSI driver, which mounts buckets into pods. Always on with Autopilot.
   * @default false
   */
  readonly gcsFuseAddon?: boolean;
  /**
   * Google Groups for RBAC: the group `gke-security-groups@DOMAIN`, whose member groups may be named in RBAC. Taken out again,
   * it stays, because google 6.50 leaves it so: `""` turns it off.
   * @default - groups cannot be granted anything
   */
  readonly securityGroup?: string;
  /** @default - the default Google provider of the stack */
  readonly googleProvider?: TerraformProvider;
  /**
   * Token of the providers that are created for Kubernetes objects and Helm releases: a reference, for example to an ephemeral
   * resource, which is in no plan and no state and is asked for anew at every apply.
   * @default - the Google provider's own: it is read when Terraform plans, lives for an hour, and is stored in the state
   */
  readonly kubernetesToken?: string;
  /** @default - a provider created from the cluster's endpoint and `kubernetesToken` */
  readonly kubernetesProvider?: TerraformProvider;
  /** @default - a provider created from the cluster's endpoint and `kubernetesToken` */
  readonly helmProvider?: TerraformProvider;
}

/** Properties of `GkeWorkloadIdentityCluster`. */
export interface GkeWorkloadIdentityClusterProps extends GkeClusterOptions {
  /** Required unless `autopilot`. */
  readonly nodePools?: GkeNodePool[];
  /**
   * States that nodes come from elsewhere too: from node pools that are created by other means, or from node auto-provisioning
   * that is turned on by an override. Pods that fit on none of `nodePools` are then no error.
   * @default - false, or true with `autopilot`
   */
  readonly otherNodePools?: boolean;
  /**
   * Zones of the nodes; with a zonal cluster those besides its own. Taken out again, a regional cluster keeps them: name others.
   * @default - the cluster's zone, or three zones of its region
   */
  readonly nodeZones?: string[];
  /**
   * VPC network: its name, or its self link. Decided when the cluster is created. A shared VPC, of another project, also needs
   * `subnetwork` and both ranges, and in the host project `roles/container.hostServiceAgentUser` and
   * `roles/compute.networkUser` for the service agents of the cluster's project.
   * https://cloud.google.com/kubernetes-engine/docs/how-to/cluster-shared-vpc
   * @default - the network "default" of the project
   */
  readonly network?: string;
  /** @default - the network's subnetwork in the cluster's region */
  readonly subnetwork?: string;
  /**
   * Secondary range of the subnetwork for pods.
   * @default - GKE creates one
   */
  readonly podsRangeName?: string;
  /**
   * Secondary range of the subnetwork for Services.
   * @default - GKE creates one
   */
  readonly servicesRangeName?: string;
  /**
   * Nodes without public addresses. They then need Cloud NAT, or images from Artifact Registry (`artifactRegistryAccess`), to
   * start anything. Decided
   * when the cluster is created: the provider replaces an existing cluster to change it.
   * @default false
   */
  readonly privateNodes?: boolean;
  /**
   * Address ranges that may reach the control plane's public address. Taken out again, they stay, because google 6.50 leaves them
   * so: to let everybody in, name `0.0.0.0/0`.
   * @default - everybody (who has no credentials is refused)
   */
  readonly authorizedNetworks?: GkeAuthorizedNetwork[];
  /** @default GkeReleaseChannel.REGULAR */
  readonly releaseChannel?: GkeReleaseChannel;
  /** @default - GKE chooses the time */
  readonly maintenanceWindow?: GkeMaintenanceWindow;
  /**
   * Enforce the project's Binary Authorization policy on images.
   * @default false
   */
  readonly binaryAuthorization?: boolean;
  /**
   * Id of the service account that is created for the nodes.
   * @default - "<clusterName>-<location>-nodes", shortened to 30 characters where needed
   */
  readonly nodeServiceAccountId?: string;
  /**
   * An existing service account for the nodes. It needs `roles/container.defaultNodeServiceAccount`, which is not granted
   * to an account that is not ours.
   * @default - one is created
   */
  readonly nodeServiceAccountEmail?: string;
  /**
   * Let the nodes read the images in all Artifact Registry repositories of the project: their account gets
   * `roles/artifactregistry.reader`. Of another project's repositories grant it yourself, to `nodeServiceAccountEmail`.
   * @default false
   */
  readonly artifactRegistryAccess?: boolean;
  /**
   * Cloud KMS key for the boot disks of all nodes. The Compute Engine service agent of the project must be allowed to use it.
   * Decided when a node pool is created: another key replaces the pool.
   * @default - keys managed by Google
   */
  readonly bootDiskKmsKey?: string;
  /**
   * A plan that would destroy or replace the cluster fails while this is on, and nothing of the stack is touched. To destroy
   * it, apply `false` first: until that is applied, Google's provider still refuses, after it has destroyed the node pools.
   * @default true
   */
  readonly deletionProtection?: boolean;
  /**
   * Labels on the cluster, for example for billing.
   * @default - { "managed-by": "cdktf-gke-ray" }
   */
  readonly resourceLabels?: { [name: string]: string };
  /**
   * Enable the Google APIs that this library uses. They stay enabled on destroy.
   * @default false
   */
  readonly enableApis?: boolean;
  /**
   * The longest time, in minutes, that the creation, an update or the deletion of the cluster or of a node pool may take. What
   * Terraform gives up goes on in Google Cloud, so a short time saves none: a cluster that came late is tainted, and the next
   * apply replaces it.
   * @default - 90 for the cluster and 120 for a node pool, as in newer versions of Google's provider
   */
  readonly timeoutMinutes?: number;
}

/** A cluster that is known by its attributes: one that the same stack creates, or one behind a provider of yours. */
export interface GkeClusterAttributes extends GkeClusterOptions {
  /** For example `my-project.svc.id.goog`; for a cluster of the same stack the resource's own attribute. */
  readonly workloadIdentityPool: string;
  /**
   * Host name or address of the API server, without `https://`.
   * @default - not known: `kubernetesProvider` and `helmProvider` must be given
   */
  readonly endpoint?: string;
  /**
   * Base64-encoded, as GKE answers it.
   * @default - not known: `kubernetesProvider` and `helmProvider` must be given, unless `dnsEndpoint`
   */
  readonly clusterCaCertificate?: string;
  /**
   * Resources that Kubernetes objects in the cluster wait for: its node pools and the IAM of their account.
   * @default - nothing
   */
  readonly kubernetesDependencies?: ITerraformDependable[];
  /**
   * States that the cluster enforces network policies, by Dataplane V2 or by Calico. Where it does not, the policies of this
   * library are decoration: every pod of the cluster reaches Ray's ports, past `RayAuthProxy`.
   * @default - true with `autopilot`, else not known
   */
  readonly networkPolicyEngine?: boolean;
}
