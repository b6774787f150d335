import { ITerraformDependable } from "cdktf";
import { Construct, IConstruct } from "constructs";
import type { GkeNodePool } from "../gke-node-pool";
import type { GkeClusterAttributes, GkeClusterOptions } from "../gke-cluster-options";
import {
  CA_CERTIFICATE,
  DNS_ENDPOINT,
  GkeClusterBase,
  SIDECAR_WAY_OUT,
  WORKLOAD_POOL,
} from "./gke-cluster-base";
import { PlainDataSource } from "./plain-elements";
import { ENDPOINT, WORKLOAD_IDENTITY_POOL, invalid, requireName } from "./validation";

/** What must be true of a cluster once it has been read. */
interface Postcondition {
  readonly condition: string;
  readonly errorMessage: string;
}

/** A cluster that Terraform looks up by its name. */
export class ExistingCluster extends GkeClusterBase {
  public readonly owned = false;
  public readonly nodePools: GkeNodePool[] = [];
  public readonly otherNodePools = true;
  public readonly kubernetesDependencies: ITerraformDependable[] = [];
  private readonly cluster: PlainDataSource;
  private readonly postconditions: Postcondition[];
  private asksForNetworkPolicyEngine = false;

  constructor(scope: Construct, id: string, options: GkeClusterOptions) {
    super(scope, id, options);
    const { clusterName, location, project, googleProvider } = options;
    this.postconditions = [
      {
        condition: "${length(self.workload_identity_config) > 0}",
        errorMessage: `The cluster ${clusterName} has no workload identity pool. Turn Workload Identity on, or name another cluster.`,
      },
    ];
    this.cluster = new PlainDataSource(
      this,
      "cluster",
      {
        terraformResourceType: "google_container_cluster",
        terraformGeneratorMetadata: { providerName: "google" },
        provider: googleProvider,
        lifecycle: { postcondition: this.postconditions },
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

  public override requireNetworkPolicyEngine(user: IConstruct): void {
    if (this.asksForNetworkPolicyEngine) return;
    this.asksForNetworkPolicyEngine = true;
    this.postconditions.push({
      condition:
        '${self.datapath_provider == "ADVANCED_DATAPATH" || try(self.network_policy[0].enabled, false)}',
      errorMessage: `The cluster ${this.clusterName} does not enforce network policies, without which every pod of the cluster gets past ${user.node.path}. Turn Dataplane V2 or network policy enforcement on, or ${SIDECAR_WAY_OUT}.`,
    });
  }

  protected get encodedCaCertificate(): string {
    return this.cluster.getStringAttribute(CA_CERTIFICATE);
  }
}

/** A cluster that is known by what the user says of it. */
export class ClusterOfAttributes extends GkeClusterBase {
  public readonly owned = false;
  public readonly nodePools: GkeNodePool[] = [];
  public readonly otherNodePools = true;
  public readonly workloadIdentityPool: string;
  public readonly kubernetesDependencies: ITerraformDependable[];

  constructor(
    scope: Construct,
    id: string,
    private readonly attributes: GkeClusterAttributes,
  ) {
    super(scope, id, attributes);
    requireName(this, "workloadIdentityPool", attributes.workloadIdentityPool, WORKLOAD_IDENTITY_POOL);
    requireName(this, "endpoint", attributes.endpoint, ENDPOINT);
    this.workloadIdentityPool = attributes.workloadIdentityPool;
    this.kubernetesDependencies = [...(attributes.kubernetesDependencies ?? [])];
  }

  public get endpoint(): string {
    return this.required("endpoint", this.attributes.endpoint);
  }

  public override requireNetworkPolicyEngine(user: IConstruct): void {
    const { networkPolicyEngine } = this.attributes;
    if (networkPolicyEngine ?? this.autopilot) return;
    throw invalid(
      this,
      "networkPolicyEngine",
      `be true, which states that the cluster enforces network policies: where it does not, every pod of the cluster gets past ${user.node.path}; or ${SIDECAR_WAY_OUT}`,
      networkPolicyEngine,
    );
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
