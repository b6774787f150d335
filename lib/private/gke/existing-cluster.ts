import { ITerraformDependable } from "cdktf";
import { Construct, IConstruct } from "constructs";
import type { GkeNodePool } from "../../contracts/gke-node-pool";
import type { GkeClusterAttributes, GkeClusterOptions } from "../../contracts/gke-workload-identity-cluster";
import { PlainDataSource } from "../terraform/plain-elements";
import { ENDPOINT, invalid, requireName, WORKLOAD_IDENTITY_POOL } from "../validation";
import { CA_CERTIFICATE, DNS_ENDPOINT, GkeClusterBase, SIDECAR_WAY_OUT, WORKLOAD_POOL } from "./cluster-base";

/** What must be true of a cluster once it has been read. */
interface Postcondition {
  readonly condition: string;
  readonly errorMessage: string;
}

/** What is said of a cluster, to be compared with what Terraform reads of it. */
interface Statement {
  readonly condition: string;
  /** Goes on after the name of the cluster, and says what to change. */
  readonly problem: string;
}

const RAY_OPERATOR = "try(self.addons_config[0].ray_operator_config[0].enabled, false)";
const GCS_FUSE = "try(self.addons_config[0].gcs_fuse_csi_driver_config[0].enabled, false)";
const DNS_TRAFFIC =
  "try(self.control_plane_endpoints_config[0].dns_endpoint_config[0].allow_external_traffic, false)";
const GROUP = 'try(self.authenticator_groups_config[0].security_group, "")';

function statements(options: GkeClusterOptions): Statement[] {
  const { autopilot, rayOperatorAddon, gcsFuseAddon, dnsEndpoint, securityGroup } = options;
  const all: [said: boolean | undefined, statement: Statement][] = [
    [
      true,
      {
        condition: "length(self.workload_identity_config) > 0",
        problem: "has no workload identity pool. Turn Workload Identity on, or name another cluster.",
      },
    ],
    [
      autopilot,
      {
        condition: "try(self.enable_autopilot, false)",
        problem: "is not Autopilot. Leave 'autopilot' out, or name another cluster.",
      },
    ],
    [
      !autopilot,
      {
        condition: "!try(self.enable_autopilot, false)",
        problem:
          "is Autopilot, whose pods are made otherwise. Set 'autopilot' to true, or name another cluster.",
      },
    ],
    [
      rayOperatorAddon,
      {
        condition: RAY_OPERATOR,
        problem: "does not have the Ray Operator add-on. Turn it on, or leave 'rayOperatorAddon' out.",
      },
    ],
    [
      gcsFuseAddon && !autopilot,
      {
        condition: GCS_FUSE,
        problem: "does not have the Cloud Storage FUSE CSI driver. Turn it on, or leave 'gcsFuseAddon' out.",
      },
    ],
    [
      dnsEndpoint,
      {
        condition: DNS_TRAFFIC,
        problem: "takes no traffic on its DNS endpoint. Allow it there, or leave 'dnsEndpoint' out.",
      },
    ],
    [
      Boolean(securityGroup),
      {
        condition: `${GROUP} == ${JSON.stringify(securityGroup)}`,
        problem: `does not know the groups of ${securityGroup}. Turn Google Groups for RBAC on with that group, or change 'securityGroup'.`,
      },
    ],
  ];
  return all.filter(([said]) => said).map(([, statement]) => statement);
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
    this.postconditions = statements(options).map(({ condition, problem }) => ({
      condition: `\${${condition}}`,
      errorMessage: `The cluster ${clusterName} ${problem}`,
    }));
    this.cluster = new PlainDataSource(this, "cluster", "google_container_cluster", {
      name: clusterName,
      location,
      project,
      provider: googleProvider,
      lifecycle: { postcondition: this.postconditions },
    });
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
