import {
  AssetType,
  ITerraformDependable,
  Lazy,
  TerraformAsset,
  TerraformResource,
  TerraformStack,
} from "cdktf";
import { Construct } from "constructs";
import * as path from "node:path";
import type { IGkeWorkloadIdentityCluster } from "../../contracts/gke-workload-identity-cluster";
import type { ManifestPart } from "../../contracts/manifest";
import { lateDependencies } from "./dependencies";
import { hasToken, terraformJson } from "./json";
import { PlainResource } from "./plain-elements";

/** The version in the chart's own Chart.yaml. */
const CHART_VERSION = "1.0.0";

export interface ManifestReleaseProps {
  readonly cluster: IGkeWorkloadIdentityCluster;
  readonly releaseName: string;
  readonly namespace: string;
  /** Values of our chart, asked for at synth. */
  readonly values: () => ManifestPart;
  /** Asked for at synth. */
  readonly dependencies: () => ITerraformDependable[];
}

/**
 * A Helm release of our one chart, which prints manifests. Custom resources go through it because Terraform's own
 * resource for them wants their types, and so the cluster, to exist before the plan.
 */
export function manifestRelease(
  scope: Construct,
  id: string,
  props: ManifestReleaseProps,
): TerraformResource {
  const release = new PlainResource(scope, id, "helm_release", {
    name: props.releaseName,
    namespace: props.namespace,
    chart: chartPath(scope),
    values: [Lazy.stringValue({ produce: () => jsonText(props.values()) })],
    // Taken over where Terraform lost sight of it; only with a version does this need no cluster at plan time.
    upgradeInstall: true,
    version: CHART_VERSION,
    atomic: true,
    timeout: 600,
    maxHistory: 10,
    provider: props.cluster.helmProvider,
  });
  release.dependsOn = lateDependencies(scope, props.dependencies);
  return release;
}

/** The chart travels in the stack's folder, and its path holds its hash, so that a new chart is an upgrade. */
function chartPath(scope: Construct): string {
  const stack = TerraformStack.of(scope);
  const id = "manifests-chart";
  const asset = (stack.node.tryFindChild(id) ??
    new TerraformAsset(stack, id, {
      path: path.join(__dirname, "..", "..", "charts", "manifests"),
      type: AssetType.DIRECTORY,
    })) as TerraformAsset;
  return `./${asset.path}`;
}

/** JSON, which Terraform's plans show field by field; put together by Terraform where a value is known only there. */
function jsonText(value: unknown): string {
  return hasToken(value) ? terraformJson(value) : JSON.stringify(value);
}
