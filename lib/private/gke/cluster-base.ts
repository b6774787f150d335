import { HelmProvider } from "@cdktf/provider-helm/lib/provider";
import { KubernetesProvider } from "@cdktf/provider-kubernetes/lib/provider";
import { Fn, ITerraformDependable, TerraformProvider, Token } from "cdktf";
import { Construct, IConstruct } from "constructs";
import type { GkeNodePool } from "../../contracts/gke-node-pool";
import type {
  GkeClusterAttributes,
  GkeClusterOptions,
  IGkeWorkloadIdentityCluster,
} from "../../contracts/gke-workload-identity-cluster";
import { warnUnlessKnown } from "../nearest";
import { noteProvider } from "../terraform/claims";
import { googleClientConfig, googleProject } from "../terraform/client-config";
import { refuseDuplicates } from "../kubernetes/duplicates";
import { uniqueName } from "../terraform/names";
import { CLUSTER_NAME, invalid, LOCATION, PROJECT_ID, requireName, SECURITY_GROUP } from "../validation";
import { isZone, regionIn, regionOf, warnOfUnknownZone } from "./locations";
import { REGIONS } from "./regions";

/** Annotations that GKE writes on objects of ours; without this every plan would want to remove them. */
const GKE_ANNOTATIONS = ["^autopilot[.]gke[.]io/.*", "^cloud[.]google[.]com/.*", "^iam[.]gke[.]io/.*"];

/** Where the resource and the data source of a cluster keep what is read from it. */
export const CA_CERTIFICATE = "master_auth[0].cluster_ca_certificate";
export const DNS_ENDPOINT = "control_plane_endpoints_config[0].dns_endpoint_config[0].endpoint";
export const WORKLOAD_POOL = "workload_identity_config[0].workload_pool";

/** What to do where network policies are not enforced, as the end of a sentence; the placement that needs none. */
export const SIDECAR_WAY_OUT = "give the proxy 'placement: RayAuthProxyPlacement.HEAD_SIDECAR'";

/** How to reach an API server, as both providers want it. */
interface Connection {
  readonly host: string;
  readonly token: string;
  readonly clusterCaCertificate?: string;
}

/**
 * What an owned and an existing cluster share: the project, the providers and the commands.
 *
 * @internal
 */
export abstract class GkeClusterBase extends Construct implements IGkeWorkloadIdentityCluster {
  public abstract readonly owned: boolean;
  public abstract readonly nodePools: GkeNodePool[];
  public abstract readonly otherNodePools: boolean;
  public readonly clusterName: string;
  public readonly location: string;
  public readonly autopilot: boolean;
  public readonly rayOperatorAddon: boolean;
  public readonly gcsFuseAddon: boolean;
  public readonly securityGroup?: string;
  public abstract readonly workloadIdentityPool: string;
  public abstract readonly endpoint: string;
  public abstract readonly kubernetesDependencies: ITerraformDependable[];
  public readonly googleProvider?: TerraformProvider;
  public readonly dnsEndpoint: boolean;
  private readonly givenProject?: string;
  private readonly projectOfKey?: string;
  private readonly kubernetesToken?: string;
  private givenKubernetesProvider?: TerraformProvider;
  private givenHelmProvider?: TerraformProvider;

  constructor(scope: Construct, id: string, props: GkeClusterOptions) {
    super(scope, id);
    requireName(this, "clusterName", props.clusterName, CLUSTER_NAME);
    requireName(this, "location", props.location, LOCATION);
    warnUnlessKnown(this, "location", regionIn(props.location), "region", REGIONS);
    warnOfUnknownZone(this, "location", props.location);
    if (props.autopilot && isZone(props.location)) {
      const region = JSON.stringify(regionOf(props.location));
      throw invalid(
        this,
        "location",
        `be a region with 'autopilot', such as ${region}: Google makes no zonal Autopilot clusters`,
        props.location,
      );
    }
    requireName(this, "project", props.project, PROJECT_ID);
    requireName(this, "securityGroup", props.securityGroup || undefined, SECURITY_GROUP);
    this.requireReference("kubernetesToken", props.kubernetesToken);
    this.clusterName = props.clusterName;
    this.location = props.location;
    this.autopilot = props.autopilot ?? false;
    this.rayOperatorAddon = props.rayOperatorAddon ?? false;
    this.gcsFuseAddon = this.autopilot || (props.gcsFuseAddon ?? false);
    this.securityGroup = props.securityGroup || undefined;
    this.givenProject = props.project;
    // Where it is left out, the identity pool of a cluster that is known by its attributes tells the project.
    this.projectOfKey = props.project ?? (props as Partial<GkeClusterAttributes>).workloadIdentityPool;
    this.kubernetesToken = props.kubernetesToken;
    this.dnsEndpoint = props.dnsEndpoint ?? false;
    this.googleProvider = props.googleProvider;
    this.givenKubernetesProvider = props.kubernetesProvider;
    this.givenHelmProvider = props.helmProvider;
    this.note(props.kubernetesProvider);
    this.note(props.helmProvider);
    refuseDuplicates(this);
  }

  /** Base64-encoded, as Google answers it; not there on the DNS endpoint, whose certificate is a public one. */
  protected abstract get encodedCaCertificate(): string;

  public get project(): string {
    return this.givenProject ?? googleProject(this, this.googleProvider);
  }

  public get kubernetesProvider(): TerraformProvider {
    if (this.givenKubernetesProvider === undefined) {
      this.givenKubernetesProvider = new KubernetesProvider(this, "kubernetes", {
        alias: uniqueName(this),
        ...this.connection(),
        ignoreAnnotations: GKE_ANNOTATIONS,
      });
      this.note(this.givenKubernetesProvider);
    }
    return this.givenKubernetesProvider;
  }

  public get helmProvider(): TerraformProvider {
    if (this.givenHelmProvider === undefined) {
      this.givenHelmProvider = new HelmProvider(this, "helm", {
        alias: uniqueName(this),
        kubernetes: this.connection(),
      });
      this.note(this.givenHelmProvider);
    }
    return this.givenHelmProvider;
  }

  public get credentialsCommand(): string {
    const endpoint = this.dnsEndpoint ? " --dns-endpoint" : "";
    return `gcloud container clusters get-credentials ${this.clusterName} --location ${this.location} --project ${this.project}${endpoint}`;
  }

  public apiDependencies(_service: string): ITerraformDependable[] {
    return [];
  }

  public abstract requireNetworkPolicyEngine(user: IConstruct): void;

  private note(provider: TerraformProvider | undefined): void {
    if (provider === undefined) return;
    const { clusterName, location, projectOfKey, googleProvider } = this;
    noteProvider(provider, this, { clusterName, location, project: projectOfKey, googleProvider });
  }

  private connection(): Connection {
    return {
      host: `https://${this.endpoint}`,
      token:
        this.kubernetesToken ??
        googleClientConfig(this, this.googleProvider).getStringAttribute("access_token"),
      clusterCaCertificate: this.dnsEndpoint ? undefined : Fn.base64decode(this.encodedCaCertificate),
    };
  }

  /** Never says what was given, which may be a token. */
  private requireReference(property: string, value: string | undefined): void {
    if (value === undefined || Token.isUnresolved(value) || value.startsWith("${")) return;
    throw invalid(
      this,
      property,
      'be a reference such as "${ephemeral...}", so that the token is in no code',
    );
  }
}
