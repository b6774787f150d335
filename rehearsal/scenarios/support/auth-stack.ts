import { GoogleProvider } from "@cdktf/provider-google/lib/provider";
import { App, ITerraformDependable, TerraformOutput, TerraformStack } from "cdktf";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { IGkeWorkloadIdentityCluster } from "../../../lib/contracts/gke-workload-identity-cluster";
import { RayAuthProxyProps } from "../../../lib/contracts/ray-auth-proxy";
import { IRayCluster, RayClusterProps } from "../../../lib/contracts/ray-cluster";
import { GkeWorkloadIdentityCluster } from "../../../lib/gke-workload-identity-cluster";
import { KubeRayOperator } from "../../../lib/kuberay-operator";
import { RayAuthProxy } from "../../../lib/ray-auth-proxy";
import { RayCluster } from "../../../lib/ray-cluster";
import { SiteOptions } from "../../stage/site";

/** The cluster is there already, and so is the operator. */
export const AUTH_SITE: SiteOptions = {
  seed: {
    clusters: [
      {
        location: "us-east4",
        cluster: {
          name: "team-cluster",
          initialNodeCount: 1,
          workloadIdentityConfig: { workloadPool: "my-project-id.svc.id.goog" },
          networkConfig: { datapathProvider: "ADVANCED_DATAPATH" },
          addonsConfig: { rayOperatorConfig: { enabled: true } },
        },
      },
    ],
  },
};

export const NAMESPACE = "ray";
export const MINI = "raycluster-mini";

/** Makes the operator of a stack. */
type MakeOperator = (stack: TerraformStack, cluster: IGkeWorkloadIdentityCluster) => KubeRayOperator;

const existingOperator: MakeOperator = (stack, cluster) =>
  KubeRayOperator.existing(stack, "operator", { cluster, kuberayVersion: "1.6.2" });

/** A stack of Ray clusters, each a small head, and the proxies before them. */
export class AuthStack {
  public readonly stack: TerraformStack;
  public readonly cluster: IGkeWorkloadIdentityCluster;
  private readonly app: App;
  private readonly operator: KubeRayOperator;

  /**
   * @param operator whose operator it is; that of somebody else where nothing is said
   * @param rayOperatorAddon whether the cluster has Google's operator
   */
  constructor(operator: MakeOperator = existingOperator, rayOperatorAddon = false) {
    this.app = new App({ outdir: mkdtempSync(join(tmpdir(), "synthesized-")) });
    this.stack = new TerraformStack(this.app, "auth");
    new GoogleProvider(this.stack, "google", { project: "my-project-id" });
    this.cluster = GkeWorkloadIdentityCluster.fromClusterName(this.stack, "cluster", {
      clusterName: "team-cluster",
      location: "us-east4",
      rayOperatorAddon,
    });
    this.operator = operator(this.stack, this.cluster);
  }

  /** A Ray cluster that is deployed by other means, in the same namespace. */
  public foreignRayCluster(
    rayClusterName: string,
    namespaceDependencies: ITerraformDependable[] = [],
  ): IRayCluster {
    return RayCluster.fromRayClusterAttributes(this.stack, rayClusterName, {
      cluster: this.cluster,
      namespace: NAMESPACE,
      rayClusterName,
      headServiceAccountName: "default",
      namespaceDependencies,
    });
  }

  public rayCluster(
    rayClusterName: string,
    props: Partial<RayClusterProps> = {},
    id = rayClusterName,
  ): RayCluster {
    const ray = new RayCluster(this.stack, id, {
      operator: this.operator,
      rayClusterName,
      namespace: NAMESPACE,
      head: { cpu: 2, memoryGiB: 4 },
      ...props,
    });
    // Half a minute for every pod that ends would be most of the time that this takes.
    ray.addOverride("spec.headGroupSpec.template.spec.terminationGracePeriodSeconds", 1);
    return ray;
  }

  public proxy(rayCluster: IRayCluster, props: Partial<RayAuthProxyProps> = {}): RayAuthProxy {
    return new RayAuthProxy(this.stack, `${rayCluster.rayClusterName}-auth`, { rayCluster, ...props });
  }

  public output(name: string, value: string): void {
    new TerraformOutput(this.stack, name, { value }).overrideLogicalId(name);
  }

  /** Returns the stack's folder. */
  public synthesize(): string {
    this.app.synth();
    return join(this.app.outdir, "stacks", "auth");
  }
}
