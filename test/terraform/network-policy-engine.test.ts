import { GoogleProvider } from "@cdktf/provider-google/lib/provider";
import { App, TerraformStack } from "cdktf";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GkeWorkloadIdentityCluster } from "../../lib/gke-workload-identity-cluster";
import { GoogleApis } from "../../rehearsal/google/server";
import { terraformDiagnostics, terraformPlan, testWithPlugins } from "../support/terraform";

/** The folder of a stack that looks a cluster up and depends on its network policies. */
function synthesized(autopilot: boolean): string {
  const outdir = mkdtempSync(join(tmpdir(), "synthesized-"));
  const app = new App({ outdir });
  const stack = new TerraformStack(app, "engine");
  new GoogleProvider(stack, "google", { project: "my-project-id" });
  const cluster = GkeWorkloadIdentityCluster.fromClusterName(stack, "cluster", {
    clusterName: "team",
    location: "us-east4",
    autopilot,
  });
  cluster.requireNetworkPolicyEngine(cluster);
  app.synth();
  return join(outdir, "stacks", "engine");
}

/** The errors of a plan where the cluster was created so. */
async function planErrors(settings: { autopilot?: object; [field: string]: unknown }): Promise<string[]> {
  const cluster = {
    name: "team",
    initialNodeCount: 1,
    workloadIdentityConfig: { workloadPool: "my-project-id.svc.id.goog" },
    ...settings,
  };
  const apis = await GoogleApis.start({
    projectId: "my-project-id",
    projectNumber: "123456789012",
    cluster: { endpoint: "198.18.0.1", caPem: "-----BEGIN CERTIFICATE-----\n" },
    seed: { clusters: [{ location: "us-east4", cluster }] },
  });
  try {
    const folder = synthesized(settings.autopilot !== undefined);
    expect(terraformDiagnostics(folder)).toEqual([]);
    return (await terraformPlan(folder, apis.terraformEnv())).errors;
  } finally {
    await apis.stop();
  }
}

testWithPlugins(
  "a plan fails where the cluster enforces no network policies and something depends on them",
  async () => {
    const [error, ...others] = await planErrors({ networkConfig: { datapathProvider: "LEGACY_DATAPATH" } });

    expect(others).toEqual([]);
    expect(error).toContain(
      "The cluster team does not enforce network policies, without which every pod of the cluster gets past engine/cluster. " +
        "Turn Dataplane V2 or network policy enforcement on, or give the proxy 'placement: RayAuthProxyPlacement.HEAD_SIDECAR'.",
    );
    expect(await planErrors({})).toHaveLength(1);
  },
);

testWithPlugins(
  "a plan goes on where Dataplane V2, the older engine or Autopilot enforces them",
  async () => {
    for (const settings of [
      { networkConfig: { datapathProvider: "ADVANCED_DATAPATH" } },
      { networkPolicy: { enabled: true, provider: "CALICO" } },
      { autopilot: { enabled: true } },
    ]) {
      expect(await planErrors(settings)).toEqual([]);
    }
  },
);
