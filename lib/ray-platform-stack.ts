import { TerraformOutput, TerraformStack } from "cdktf";
import { Construct } from "constructs";
import { GkeNodePool } from "./gke-node-pool";
import { GkeAuthorizedNetwork, GkeWorkloadIdentityCluster } from "./gke-workload-identity-cluster";
import { KubeRayOperator } from "./kuberay-operator";
import { googleProject } from "./private/client-config";
import { invalid } from "./private/validation";
import { RayAuthProxy } from "./ray-auth-proxy";
import { RayBucketAccess } from "./ray-bucket-access";
import { RayCluster } from "./ray-cluster";
import { RayGroup, RayWorkerGroup } from "./ray-groups";
import { RuntimeEnvNetrc } from "./runtime-env-netrc";
import { SkyPilotServiceAccount } from "./skypilot-service-account";

/** What the platform is told; everything has a default. */
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
   * Id of the service account that is made for the nodes.
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
  /** @default - GKE makes one */
  readonly podsRangeName?: string;
  /** @default - GKE makes one */
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
   * Where the bucket appears as a folder in every pod, for example `/data`.
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

/**
 * Everything at once: a cluster, a bucket, an identity, and a Ray cluster that uses the bucket without a key, with outputs
 * that say how to go on. Add a `GoogleProvider` to it; the stack makes none and chooses no backend.
 */
export class RayPlatformStack extends TerraformStack {
  /** Where it all runs. */
  public readonly cluster: GkeWorkloadIdentityCluster;
  /** Google's add-on, with the gate that waits for it. */
  public readonly operator: KubeRayOperator;
  /** The bucket and the identity that may use it. */
  public readonly bucket: RayBucketAccess;
  /** The Ray cluster whose pods have that identity. */
  public readonly ray: RayCluster;
  /** Who may use the dashboard and the job API; none where everybody may who reaches them. */
  public readonly authProxy?: RayAuthProxy;
  /** Who SkyPilot is on the cluster; none where that is left out. */
  public readonly skyPilot?: SkyPilotServiceAccount;

  constructor(scope: Construct, id: string, props: RayPlatformStackProps = {}) {
    super(scope, id);
    this.requirePoolProps(props);
    this.cluster = new GkeWorkloadIdentityCluster(this, "cluster", {
      clusterName: props.clusterName ?? "cloud-bucket-cluster",
      location: props.location ?? (props.autopilot ? "us-west1" : "us-west1-b"),
      project: props.project,
      autopilot: props.autopilot,
      nodePools: props.nodePools ?? (props.autopilot ? undefined : [nodePool(props)]),
      network: props.network,
      subnetwork: props.subnetwork,
      podsRangeName: props.podsRangeName,
      servicesRangeName: props.servicesRangeName,
      privateNodes: props.privateNodes,
      artifactRegistryAccess: props.artifactRegistryAccess,
      authorizedNetworks: props.authorizedNetworks,
      dnsEndpoint: props.dnsEndpoint,
      nodeServiceAccountId: props.nodeServiceAccountId,
      rayOperatorAddon: true,
      gcsFuseAddon: props.bucketMountPath !== undefined,
      enableApis: props.enableApis ?? true,
      deletionProtection: props.deletionProtection,
    });
    this.operator = KubeRayOperator.gkeAddon(this, "operator", { cluster: this.cluster });
    this.bucket = new RayBucketAccess(this, "bucket", {
      cluster: this.cluster,
      bucketName: props.bucketName ?? `${props.project ?? googleProject(this)}-ray`,
      namespace: props.namespace ?? "ray",
      serviceAccountName: props.serviceAccountName ?? "my-ksa",
      googleServiceAccountId: props.googleServiceAccountId ?? "my-iam-sa",
      forceDestroy: props.forceDestroyBucket,
    });
    this.ray = new RayCluster(this, "ray", {
      operator: this.operator,
      rayClusterName: props.rayClusterName ?? "raycluster-mini",
      rayVersion: props.rayVersion,
      identity: this.bucket.identity,
      head: props.head ?? { cpu: 2, memoryGiB: 8 },
      workerGroups: props.workerGroups ?? [DEFAULT_WORKER_GROUP],
    });
    if (props.bucketMountPath !== undefined) this.ray.mountBucket(this.bucket, props.bucketMountPath);
    if (props.authProxy ?? true) {
      this.authProxy = new RayAuthProxy(this, "auth", {
        rayCluster: this.ray,
        submitterServiceAccountName: props.submitterServiceAccountName ?? "ray-user",
      });
    }
    if (props.netrcSecretName !== undefined) {
      new RuntimeEnvNetrc(this, "netrc", {
        rayCluster: this.ray,
        existingSecretName: props.netrcSecretName,
      });
    }
    if (props.skyPilot ?? true) {
      this.skyPilot = new SkyPilotServiceAccount(this, "sky", {
        cluster: this.cluster,
        namespace: props.skyPilotNamespace ?? "sky",
        serviceAccountName: "sky-sa",
      });
    }
    this.createOutputs();
  }

  private requirePoolProps(props: RayPlatformStackProps): void {
    const others = { nodePools: props.nodePools, autopilot: props.autopilot || undefined };
    const [other] = Object.keys(others).filter((name) => others[name as keyof typeof others] !== undefined);
    if (other === undefined) return;
    for (const property of ["machineType", "minNodeCount", "maxNodeCount"] as const) {
      if (props[property] === undefined) continue;
      throw invalid(this, property, `not be given together with '${other}'`, props[property]);
    }
  }

  private createOutputs(): void {
    this.output(
      "get_credentials_command",
      "Lets kubectl reach the cluster.",
      this.cluster.credentialsCommand,
    );
    this.output("bucket_url", "The bucket that Ray's pods read and write.", this.bucket.bucketUrl);
    this.output("identity", "Who the pods are for IAM.", this.bucket.identity.member);
    this.output(
      "port_forward_command",
      "Makes the Ray dashboard and job API reachable at http://localhost:8265.",
      (this.authProxy ?? this.ray).portForwardCommand,
    );
    this.createCallerOutputs(this.authProxy);
    this.output(
      "job_submit_command",
      "Runs a small Ray job, after the commands above.",
      (this.authProxy ?? this.ray).jobSubmitCommand,
    );
    if (this.skyPilot !== undefined) {
      this.output("sky_config", "What belongs into ~/.sky/config.yaml.", this.skyPilot.skyConfig);
      this.output(
        "sky_token_command",
        "Prints a token of SkyPilot's launcher, for an hour.",
        this.skyPilot.tokenCommand,
      );
    }
  }

  /** How somebody says who they are; nothing to say where nobody asks. */
  private createCallerOutputs(proxy?: RayAuthProxy): void {
    if (proxy?.submitter === undefined) return;
    this.output(
      "job_headers_command",
      "Lets the Ray client call as the service account that may submit jobs, for an hour.",
      proxy.jobHeadersCommand(proxy.submitter),
    );
    this.output(
      "google_job_headers_command",
      "The same as the Google identity of gcloud, once that has been granted the right.",
      proxy.googleJobHeadersCommand,
    );
  }

  private output(name: string, description: string, value: string): void {
    new TerraformOutput(this, name, { description, value }).overrideLogicalId(name);
  }
}

function nodePool({ machineType, minNodeCount = 0, maxNodeCount = 1 }: RayPlatformStackProps): GkeNodePool {
  return {
    name: "ray",
    machineType: machineType ?? "e2-standard-8",
    initialNodeCount: Math.max(1, minNodeCount),
    minNodeCount,
    maxNodeCount,
  };
}

const DEFAULT_WORKER_GROUP: RayWorkerGroup = {
  groupName: "cpu",
  cpu: 2,
  memoryGiB: 8,
  minReplicas: 0,
  maxReplicas: 1,
};
