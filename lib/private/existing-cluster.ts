import { ITerraformDependable } from "cdktf";
import { Construct } from "constructs";
import type { GkeNodePool } from "../gke-node-pool";
import type { GkeClusterAttributes, GkeClusterOptions } from "../gke-workload-identity-cluster";
import { CA_CERTIFICATE, DNS_ENDPOINT, GkeClusterBase, WORKLOAD_POOL } from "./gke-cluster-base";
import { PlainDataSource } from "./plain-elements";
import { invalid } from "./validation";

/** A cluster that Terraform looks up by its name. */
export class ExistingCluster extends GkeClusterBase {
  public readonly owned = false;
  public readonly nodePools: GkeNodePool[] = [];
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
export class ClusterOfAttributes extends GkeClusterBase {
  public readonly owned = false;
  public readonly nodePools: GkeNodePool[] = [];
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
