import { DataGoogleContainerCluster } from "@cdktf/provider-google/lib/data-google-container-cluster";
import { ITerraformDependable } from "cdktf";
import { Construct } from "constructs";
import type { GkeClusterAttributes, GkeClusterOptions } from "../gke-workload-identity-cluster";
import { GkeClusterBase } from "./gke-cluster-base";
import { CLUSTER_NAME, LOCATION, PROJECT_ID, SECURITY_GROUP, invalid, requireName } from "./validation";

/** The checks that an owned and an existing cluster share. */
export function requireClusterOptions(scope: Construct, options: GkeClusterOptions): void {
  requireName(scope, "clusterName", options.clusterName, CLUSTER_NAME);
  requireName(scope, "location", options.location, LOCATION);
  requireName(scope, "project", options.project, PROJECT_ID);
  requireName(scope, "securityGroup", options.securityGroup, SECURITY_GROUP);
}

/** What an existing cluster is told, whichever way it is found. */
abstract class ImportedCluster extends GkeClusterBase {
  public readonly clusterName: string;
  public readonly location: string;
  public readonly autopilot: boolean;
  public readonly rayOperatorAddon: boolean;
  public readonly gcsFuseAddon: boolean;
  public readonly securityGroup?: string;

  constructor(scope: Construct, id: string, options: GkeClusterOptions) {
    super(scope, id, options);
    requireClusterOptions(this, options);
    this.clusterName = options.clusterName;
    this.location = options.location;
    this.autopilot = options.autopilot ?? false;
    this.rayOperatorAddon = options.rayOperatorAddon ?? false;
    this.gcsFuseAddon = this.autopilot || (options.gcsFuseAddon ?? false);
    this.securityGroup = options.securityGroup;
  }
}

/** A cluster that Terraform looks up by its name. */
export class ExistingCluster extends ImportedCluster {
  public readonly kubernetesDependencies: ITerraformDependable[] = [];
  private readonly cluster: DataGoogleContainerCluster;

  constructor(scope: Construct, id: string, props: GkeClusterOptions) {
    super(scope, id, props);
    this.cluster = new DataGoogleContainerCluster(this, "cluster", {
      name: props.clusterName,
      location: props.location,
      project: props.project,
      provider: props.googleProvider,
    });
  }

  public get endpoint(): string {
    return this.dnsEndpoint
      ? this.cluster.controlPlaneEndpointsConfig.get(0).dnsEndpointConfig.get(0).endpoint
      : this.cluster.endpoint;
  }

  public get workloadIdentityPool(): string {
    return this.cluster.workloadIdentityConfig.get(0).workloadPool;
  }

  protected get encodedCaCertificate(): string {
    return this.cluster.masterAuth.get(0).clusterCaCertificate;
  }
}

/** A cluster that is known by what the user says of it. */
export class ClusterOfAttributes extends ImportedCluster {
  public readonly workloadIdentityPool: string;
  public readonly kubernetesDependencies: ITerraformDependable[];

  constructor(
    scope: Construct,
    id: string,
    private readonly attributes: GkeClusterAttributes,
  ) {
    super(scope, id, attributes);
    this.workloadIdentityPool = attributes.workloadIdentityPool;
    this.kubernetesDependencies = [...(attributes.kubernetesDependencies ?? [])];
  }

  public get endpoint(): string {
    return this.required("endpoint", this.attributes.endpoint);
  }

  protected get encodedCaCertificate(): string {
    return this.required("clusterCaCertificate", this.attributes.clusterCaCertificate);
  }

  private required(property: string, value: string | undefined): string {
    if (value === undefined) {
      throw invalid(this, property, "be given unless 'kubernetesProvider' and 'helmProvider' are");
    }
    return value;
  }
}
