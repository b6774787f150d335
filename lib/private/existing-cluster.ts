import { ITerraformDependable } from "cdktf";
import { Construct } from "constructs";
import type { GkeClusterAttributes, GkeClusterOptions } from "../gke-workload-identity-cluster";
import { CA_CERTIFICATE, DNS_ENDPOINT, GkeClusterBase, WORKLOAD_POOL } from "./gke-cluster-base";
import { PlainDataSource } from "./plain-elements";
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
  private readonly cluster: PlainDataSource;

  constructor(scope: Construct, id: string, options: GkeClusterOptions) {
    super(scope, id, options);
    const { clusterName, location, project, googleProvider } = options;
    const lifecycle = {
      postcondition: [
        {
          condition: "${length(self.workload_identity_config) > 0}",
          errorMessage: `The cluster ${clusterName} has no workload identity pool. Turn Workload Identity on, or name another cluster.`,
        },
      ],
    };
    this.cluster = new PlainDataSource(
      this,
      "cluster",
      {
        terraformResourceType: "google_container_cluster",
        terraformGeneratorMetadata: { providerName: "google" },
        provider: googleProvider,
        lifecycle,
      },
      { name: clusterName, location, project },
    );
  }

  public get endpoint(): string {
    return this.cluster.getStringAttribute(this.dnsEndpoint ? DNS_ENDPOINT : "endpoint");
  }

  public get workloadIdentityPool(): string {
    return this.cluster.getStringAttribute(WORKLOAD_POOL);
  }

  protected get encodedCaCertificate(): string {
    return this.cluster.getStringAttribute(CA_CERTIFICATE);
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
