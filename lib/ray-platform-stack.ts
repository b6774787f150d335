import { TerraformOutput, TerraformStack } from "cdktf";
import { Construct } from "constructs";
import type { GkeNodePool } from "./contracts/gke-node-pool";
import type { RayWorkerGroup } from "./contracts/ray-groups";
import type { RayPlatformStackProps } from "./contracts/ray-platform-stack";
import { GkeWorkloadIdentityCluster } from "./gke-workload-identity-cluster";
import { KubeRayOperator } from "./kuberay-operator";
import { googleProject } from "./private/terraform/client-config";
import { invalid } from "./private/validation";
import { RayAuthProxy } from "./ray-auth-proxy";
import { RayBucketAccess } from "./ray-bucket-access";
import { RayCluster } from "./ray-cluster";
import { RuntimeEnvNetrc } from "./runtime-env-netrc";
import { SkyPilotServiceAccount } from "./skypilot-service-account";

export type * from "./contracts/ray-platform-stack";

/**
 * Everything at once: a cluster, a bucket, an identity, and a Ray cluster that uses the bucket without a key, with outputs
 * that say how to go on. Add a `GoogleProvider` to it; the stack makes none and chooses no backend.
 */
export class RayPlatformStack extends TerraformStack {
  /** The GKE cluster that everything runs on. */
  public readonly cluster: GkeWorkloadIdentityCluster;
  /** Google's add-on, with the gate that waits for it. */
  public readonly operator: KubeRayOperator;
  /** The bucket and the identity that may use it. */
  public readonly bucket: RayBucketAccess;
  /** The Ray cluster whose pods have that identity. */
  public readonly ray: RayCluster;
  /**
   * The proxy in front of the dashboard and the job API; none with `authProxy: false`, where everybody who reaches them may use
   * them.
   */
  public readonly authProxy?: RayAuthProxy;
  /** The service accounts of SkyPilot; none with `skyPilot: false`. */
  public readonly skyPilot?: SkyPilotServiceAccount;

  constructor(scope: Construct, id: string, props: RayPlatformStackProps = {}) {
    super(scope, id);
    this.requirePoolProps(props);
    this.requireProxy(props);
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

  private requireProxy(props: RayPlatformStackProps): void {
    if (props.authProxy !== false || props.submitterServiceAccountName === undefined) return;
    const rule = "not be given with 'authProxy' off: nobody asks then who submits";
    throw invalid(this, "submitterServiceAccountName", rule, props.submitterServiceAccountName);
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
