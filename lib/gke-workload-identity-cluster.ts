import { dependable, ITerraformDependable, TerraformResource, Token } from "cdktf";
import { Construct, IConstruct } from "constructs";
import type { GkeNodePool } from "./contracts/gke-node-pool";
import {
  GkeClusterAttributes,
  GkeClusterOptions,
  GkeReleaseChannel,
  GkeWorkloadIdentityClusterProps,
  IGkeWorkloadIdentityCluster,
} from "./contracts/gke-workload-identity-cluster";
import type { ManifestPart } from "./contracts/manifest";
import {
  CA_CERTIFICATE,
  DNS_ENDPOINT,
  GkeClusterBase,
  SIDECAR_WAY_OUT,
  WORKLOAD_POOL,
} from "./private/gke/cluster-base";
import { ClusterOfAttributes, ExistingCluster } from "./private/gke/existing-cluster";
import {
  requireCidrBlock,
  requireMaintenanceWindow,
  requireResourceLabels,
} from "./private/gke/google-formats";
import { isZone, requireNodeZones } from "./private/gke/locations";
import { requireSharedNetwork } from "./private/gke/networks";
import { requireNodePools } from "./private/gke/node-pool-rules";
import { hasAccelerators, nodePoolAttributes, temporaryNodes } from "./private/gke/node-pools";
import { addressKey, claim, projectKey } from "./private/terraform/claims";
import { checkLate } from "./private/terraform/late-checks";
import { fitName, fitText, LONGEST_DISPLAY_NAME } from "./private/terraform/names";
import { PlainAttributes, PlainResource } from "./private/terraform/plain-elements";
import {
  invalid,
  KMS_KEY,
  requireAtLeast,
  requireAtMostOne,
  requireName,
  requireOneOf,
  SERVICE_ACCOUNT_EMAIL,
  SERVICE_ACCOUNT_ID,
} from "./private/validation";

export * from "./contracts/gke-workload-identity-cluster";

/**
 * How long Google may take, as in newer versions of the provider: what Terraform gives up goes on in Google Cloud, and is tainted
 * or in the way at the next apply.
 */
const CLUSTER_MINUTES = 90;
const NODE_POOL_MINUTES = 120;

/** The APIs that the constructs of this library call, Resource Manager first: the provider reads the project by it. */
const APIS = ["cloudresourcemanager", "compute", "container", "iam", "iamcredentials", "storage"];

/**
 * A GKE cluster whose pods act in Google Cloud without keys, with the settings that Ray and a reviewer want: Workload
 * Identity on every node, VPC-native, Dataplane V2, shielded nodes, a node account with the least rights.
 */
export class GkeWorkloadIdentityCluster extends GkeClusterBase {
  /** A cluster that exists already, looked up by Terraform when it plans. */
  public static fromClusterName(
    scope: Construct,
    id: string,
    options: GkeClusterOptions,
  ): IGkeWorkloadIdentityCluster {
    return new ExistingCluster(scope, id, options);
  }

  /**
   * A cluster known by its attributes, for one that the same stack creates by other means (a look-up by name would fail
   * before it exists), or when a ready-made provider is all there is.
   */
  public static fromClusterAttributes(
    scope: Construct,
    id: string,
    attributes: GkeClusterAttributes,
  ): IGkeWorkloadIdentityCluster {
    return new ClusterOfAttributes(scope, id, attributes);
  }

  /** True: it is created here. */
  public readonly owned = true;
  /**
   * Resources that every Kubernetes object in the cluster waits for: its node pools (with Autopilot the cluster), and the nodes'
   * rights.
   */
  public readonly kubernetesDependencies: ITerraformDependable[];
  /** Email of the account that the nodes run as. */
  public readonly nodeServiceAccountEmail: string;
  /** The node pools as they were given; none with Autopilot. */
  public readonly nodePools: GkeNodePool[];
  /** Whether nodes may come from elsewhere than `nodePools`. */
  public readonly otherNodePools: boolean;
  /** The cluster itself, for `addOverride` of what is not modelled here. */
  public readonly resource: TerraformResource;
  private readonly apis = new Map<string, TerraformResource>();
  private readonly poolResources = new Map<string, TerraformResource>();

  constructor(scope: Construct, id: string, props: GkeWorkloadIdentityClusterProps) {
    super(scope, id, props);
    this.requireOwnOptions(props);
    this.nodePools = [...(props.nodePools ?? [])];
    this.otherNodePools = props.otherNodePools ?? this.autopilot;

    claim(this, {
      property: "clusterName",
      name: props.clusterName,
      what: `cluster ${addressKey(this, props)}`,
      advice: "share that cluster",
    });
    if (props.enableApis) this.enableApis(props);
    const nodeRights: ITerraformDependable[] = [];
    this.nodeServiceAccountEmail =
      props.nodeServiceAccountEmail ?? this.createNodeServiceAccount(props, nodeRights);
    this.resource = this.createCluster(props);
    this.createNodePools(props, nodeRights);

    const nodes = this.autopilot ? [this.resource] : [...this.poolResources.values()];
    this.kubernetesDependencies = [...nodes, ...nodeRights];
  }

  /** Host name or address of the API server. */
  public get endpoint(): string {
    return this.resource.getStringAttribute(this.dnsEndpoint ? DNS_ENDPOINT : "endpoint");
  }

  /** Read from the cluster, so that what names the pool waits until it exists. */
  public get workloadIdentityPool(): string {
    return this.resource.getStringAttribute(WORKLOAD_POOL);
  }

  /**
   * The resource of a node pool, for `addOverride` of what is not modelled here.
   *
   * @throws if there is no pool of that name
   */
  public nodePoolResource(name: string): TerraformResource {
    const pool = this.poolResources.get(name);
    if (pool === undefined) {
      throw invalid(this, "name", `be one of ${[...this.poolResources.keys()].join(", ")}`, name);
    }
    return pool;
  }

  /**
   * The enablement of an API, where `enableApis` is on.
   *
   * @param service for example `storage`
   */
  public override apiDependencies(service: string): ITerraformDependable[] {
    const api = this.apis.get(service);
    return api === undefined ? [] : [api];
  }

  /** Dataplane V2 is on, unless an override of the resource turns it off; that is known when everything is synthesized. */
  public override requireNetworkPolicyEngine(user: IConstruct): void {
    const rule = `enforce network policies, on which ${user.node.path} depends: leave Dataplane V2 on (datapath_provider), or ${SIDECAR_WAY_OUT}`;
    checkLate(this, () => [
      () => {
        if (!this.enforcesNetworkPolicies()) throw invalid(this, "resource", rule);
      },
    ]);
  }

  protected get encodedCaCertificate(): string {
    return this.resource.getStringAttribute(CA_CERTIFICATE);
  }

  /** As rendered, with overrides; what Terraform alone knows is not judged. */
  private enforcesNetworkPolicies(): boolean {
    const [body] = Object.values<ManifestPart>(this.resource.toTerraform().resource.google_container_cluster);
    const [policy] = [body.network_policy ?? []].flat();
    const engines = [body.datapath_provider === "ADVANCED_DATAPATH", policy?.enabled === true];
    const settings = [body.datapath_provider, policy?.enabled];
    return (
      this.autopilot || engines.includes(true) || settings.some((setting) => Token.isUnresolved(setting))
    );
  }

  private requireOwnOptions(props: GkeWorkloadIdentityClusterProps): void {
    requireNodePools(this, props.nodePools, props);
    requireAtMostOne(this, {
      nodeServiceAccountEmail: props.nodeServiceAccountEmail,
      nodeServiceAccountId: props.nodeServiceAccountId,
    });
    requireName(this, "nodeServiceAccountId", props.nodeServiceAccountId, SERVICE_ACCOUNT_ID);
    requireName(this, "nodeServiceAccountEmail", props.nodeServiceAccountEmail, SERVICE_ACCOUNT_EMAIL);
    requireName(this, "bootDiskKmsKey", props.bootDiskKmsKey, KMS_KEY);
    if (props.artifactRegistryAccess && props.nodeServiceAccountEmail !== undefined) {
      const rule = "be left to the owner of 'nodeServiceAccountEmail', to whom nothing is granted here";
      throw invalid(this, "artifactRegistryAccess", rule, true);
    }
    requireSharedNetwork(this, props);
    requireResourceLabels(this, "resourceLabels", props.resourceLabels);
    requireMaintenanceWindow(this, "maintenanceWindow", props.maintenanceWindow);
    props.authorizedNetworks?.forEach(({ cidrBlock }, index) =>
      requireCidrBlock(this, `authorizedNetworks[${index}].cidrBlock`, cidrBlock),
    );
    requireAtLeast(this, "timeoutMinutes", props.timeoutMinutes, 1);
    requireOneOf(this, "releaseChannel", props.releaseChannel, Object.values(GkeReleaseChannel));
    if (!["boolean", "undefined"].includes(typeof props.deletionProtection)) {
      const rule =
        "be true or false, not a reference: Terraform decides on 'prevent_destroy' before it knows";
      throw invalid(this, "deletionProtection", rule);
    }
    requireNodeZones(this, "nodeZones", props.nodeZones, props.location);
    const own = Token.isUnresolved(props.nodeZones) ? -1 : (props.nodeZones ?? []).indexOf(props.location);
    if (own >= 0) {
      const rule = "not be the zone of a zonal cluster, which has nodes there anyway";
      throw invalid(this, `nodeZones[${own}]`, rule, props.location);
    }
  }

  private enableApis(props: GkeWorkloadIdentityClusterProps): void {
    for (const service of APIS) {
      const first = this.apis.get(APIS[0]);
      const api = new PlainResource(this, `api-${service}`, "google_project_service", {
        service: `${service}.googleapis.com`,
        project: props.project,
        disableOnDestroy: false,
        dependsOn: first === undefined ? undefined : [first],
        provider: props.googleProvider,
      });
      this.apis.set(service, api);
    }
  }

  private createNodeServiceAccount(
    props: GkeWorkloadIdentityClusterProps,
    nodeRights: ITerraformDependable[],
  ): string {
    const accountId =
      props.nodeServiceAccountId ?? fitName(`${props.clusterName}-${props.location}-nodes`, 30);
    claim(this, {
      property: "nodeServiceAccountId",
      name: accountId,
      what: `Google service account ${projectKey(this, this.project, props.googleProvider)} ${accountId}`,
      advice: "give another id, or its email as 'nodeServiceAccountEmail'",
    });
    const account = new PlainResource(this, "node-service-account", "google_service_account", {
      accountId,
      displayName: fitText(`Nodes of the GKE cluster ${props.clusterName}`, LONGEST_DISPLAY_NAME),
      project: props.project,
      dependsOn: this.apiDependencies("iam"),
      provider: props.googleProvider,
    });
    const role = new PlainResource(this, "node-service-account-role", "google_project_iam_member", {
      project: this.project,
      role: "roles/container.defaultNodeServiceAccount",
      member: account.getStringAttribute("member"),
      dependsOn: this.apiDependencies("cloudresourcemanager"),
      provider: props.googleProvider,
    });
    nodeRights.push(role);
    if (props.artifactRegistryAccess) {
      const reader = new PlainResource(this, "node-service-account-registry", "google_project_iam_member", {
        project: this.project,
        role: "roles/artifactregistry.reader",
        member: account.getStringAttribute("member"),
        dependsOn: this.apiDependencies("cloudresourcemanager"),
        provider: props.googleProvider,
      });
      nodeRights.push(reader);
    }
    return account.getStringAttribute("email");
  }

  private createCluster(props: GkeWorkloadIdentityClusterProps): TerraformResource {
    return new PlainResource(this, "cluster", "google_container_cluster", {
      ...this.clusterConfig(props),
      lifecycle: {
        // Nodes are the node pools' business once the cluster exists; a change here would replace the cluster.
        ignoreChanges: ["initial_node_count", "node_config"],
        // The provider's own protection refuses only after what depends on the cluster has been destroyed.
        preventDestroy: (props.deletionProtection ?? true) || undefined,
      },
      dependsOn: [...this.apiDependencies("container"), ...this.apiDependencies("compute")],
      provider: props.googleProvider,
    });
  }

  private clusterConfig(props: GkeWorkloadIdentityClusterProps): PlainAttributes {
    const timeout = `${props.timeoutMinutes ?? CLUSTER_MINUTES}m`;
    return {
      name: props.clusterName,
      location: props.location,
      project: props.project,
      // Only of a zonal cluster is it known which zones it has when none are named.
      nodeLocations: props.nodeZones ?? (isZone(props.location) ? [] : undefined),
      network: props.network,
      subnetwork: props.subnetwork,
      networkingMode: "VPC_NATIVE",
      ipAllocationPolicy: {
        // Said so that the block is there at all: an empty one would be left out.
        stackType: "IPV4",
        clusterSecondaryRangeName: props.podsRangeName,
        servicesSecondaryRangeName: props.servicesRangeName,
      },
      releaseChannel: { channel: props.releaseChannel ?? GkeReleaseChannel.REGULAR },
      deletionProtection: props.deletionProtection ?? true,
      resourceLabels: props.resourceLabels ?? { "managed-by": "cdktf-gke-ray" },
      masterAuth: { clientCertificateConfig: { issueClientCertificate: false } },
      privateClusterConfig: { enablePrivateNodes: props.privateNodes ?? false },
      masterAuthorizedNetworksConfig: props.authorizedNetworks && {
        cidrBlocks: props.authorizedNetworks.map(({ cidrBlock, displayName }) => ({
          cidrBlock,
          displayName,
        })),
      },
      // What is off is written as off from here on: of what is left out, the provider keeps what it read.
      controlPlaneEndpointsConfig: { dnsEndpointConfig: { allowExternalTraffic: this.dnsEndpoint } },
      maintenancePolicy: props.maintenanceWindow && { recurringWindow: { ...props.maintenanceWindow } },
      authenticatorGroupsConfig:
        props.securityGroup === undefined ? undefined : { securityGroup: props.securityGroup },
      binaryAuthorization: {
        evaluationMode: props.binaryAuthorization ? "PROJECT_SINGLETON_POLICY_ENFORCE" : "DISABLED",
      },
      addonsConfig: this.addonsConfig(),
      ...(this.autopilot ? this.autopilotConfig() : this.standardConfig(props)),
      timeouts: { create: timeout, update: timeout, delete: timeout },
    };
  }

  private addonsConfig() {
    return {
      // Always on with Autopilot, which refuses to hear of it.
      gcsFuseCsiDriverConfig: this.autopilot ? undefined : { enabled: this.gcsFuseAddon },
      rayOperatorConfig: [{ enabled: this.rayOperatorAddon }],
    };
  }

  /** What Autopilot always has, such as the pool and Dataplane V2, is left out: the provider refuses part of it. */
  private autopilotConfig() {
    return {
      enableAutopilot: true,
      clusterAutoscaling: {
        autoProvisioningDefaults: {
          serviceAccount: this.nodeServiceAccountEmail,
          oauthScopes: ["https://www.googleapis.com/auth/cloud-platform"],
        },
      },
    };
  }

  private standardConfig(props: GkeWorkloadIdentityClusterProps) {
    return {
      // GKE cannot make a cluster without a pool, so one is made and removed again; ours are resources of their own.
      removeDefaultNodePool: true,
      initialNodeCount: 1,
      nodeConfig: temporaryNodes(this.nodeServiceAccountEmail, props.bootDiskKmsKey),
      workloadIdentityConfig: { workloadPool: `${this.project}.svc.id.goog` },
      // Dataplane V2 enforces network policies by itself; the older engine must then be off.
      datapathProvider: "ADVANCED_DATAPATH",
      networkPolicy: { enabled: false },
      enableIntranodeVisibility: true,
      enableShieldedNodes: true,
    };
  }

  private createNodePools(props: GkeWorkloadIdentityClusterProps, nodeRights: ITerraformDependable[]): void {
    // GKE taints nodes with accelerators only where there are others when they are created.
    const [plain] = this.nodePools.filter((pool) => !hasAccelerators(pool));
    const first = plain === undefined ? [] : [this.createNodePool(plain, props, nodeRights)];
    for (const pool of this.nodePools) {
      if (pool === plain) continue;
      this.createNodePool(pool, props, [...nodeRights, ...(hasAccelerators(pool) ? first : [])]);
    }
  }

  /** Those of a pool that names none, said outright so that a pool that named some comes back to them. */
  private zonesOfNodes({ location, nodeZones }: GkeWorkloadIdentityClusterProps): string[] {
    if (Token.isUnresolved(nodeZones) || Token.isUnresolved(location)) {
      return this.resource.getListAttribute("node_locations");
    }
    if (isZone(location)) return [location, ...(nodeZones ?? [])];
    return nodeZones ?? this.resource.getListAttribute("node_locations");
  }

  private createNodePool(
    pool: GkeNodePool,
    props: GkeWorkloadIdentityClusterProps,
    dependsOn: ITerraformDependable[],
  ): TerraformResource {
    const timeout = `${props.timeoutMinutes ?? NODE_POOL_MINUTES}m`;
    const name = Token.isUnresolved(pool.name) ? `${this.nodePools.indexOf(pool)}` : pool.name;
    const resource = new PlainResource(this, `pool-${name}`, "google_container_node_pool", {
      ...nodePoolAttributes(pool, this.nodeServiceAccountEmail, props.bootDiskKmsKey),
      nodeLocations: pool.zones ?? this.zonesOfNodes(props),
      cluster: this.resource.getStringAttribute("name"),
      location: props.location,
      project: props.project,
      timeouts: { create: timeout, update: timeout, delete: timeout },
      lifecycle: {
        // The size belongs to the autoscaler once the pool exists; a change here would replace the pool.
        ignoreChanges: ["initial_node_count"],
        // The name stays known when the cluster is replaced, and its pools go with it.
        replaceTriggeredBy: [`${dependable(this.resource)}.id`],
      },
      dependsOn,
      provider: props.googleProvider,
    });
    this.poolResources.set(pool.name, resource);
    return resource;
  }
}
