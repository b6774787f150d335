import { Token } from "cdktf";
import { Construct } from "constructs";
import type { GkeBlueGreenUpgrade, GkeNodePool, GkeUpgradeSettings } from "../../contracts/gke-node-pool";
import { invalid, requireInteger } from "../validation";

/** Nodes that GKE upgrades at once. https://cloud.google.com/kubernetes-engine/docs/concepts/node-pool-upgrade-strategies */
const MOST_AT_ONCE = 20;

/** https://cloud.google.com/kubernetes-engine/docs/concepts/node-pool-upgrade-strategies#blue-green-upgrade-strategy */
const LONGEST_SOAK_SECONDS = 7 * 24 * 3600;

/** What GKE does with pools that say nothing. */
const DEFAULT_SURGE = { maxSurge: 1, maxUnavailable: 0 };

/** @throws if GKE refuses such upgrades, or the pool has none */
export function requireUpgradeSettings(scope: Construct, path: string, pool: GkeNodePool): void {
  const { upgradeSettings: settings, flexStart } = pool;
  if (settings === undefined) return;
  if (flexStart) {
    const rule = "not be given together with 'flexStart': such nodes are upgraded when they are replaced";
    throw invalid(scope, `${path}.upgradeSettings`, rule, settings);
  }
  const property = `${path}.upgradeSettings`;
  if (settings.blueGreen === undefined) return requireSurge(scope, property, settings);
  for (const name of ["maxSurge", "maxUnavailable"] as const) {
    if (settings[name] === undefined) continue;
    throw invalid(scope, `${property}.${name}`, "not be given together with 'blueGreen'", settings[name]);
  }
  requireBlueGreen(scope, `${property}.blueGreen`, settings.blueGreen);
}

function requireSurge(scope: Construct, property: string, settings: GkeUpgradeSettings): void {
  const { maxSurge, maxUnavailable } = { ...DEFAULT_SURGE, ...settings };
  requireInteger(scope, `${property}.maxSurge`, maxSurge, 0, MOST_AT_ONCE);
  requireInteger(scope, `${property}.maxUnavailable`, maxUnavailable, 0, MOST_AT_ONCE);
  if ([maxSurge, maxUnavailable].some((count) => Token.isUnresolved(count))) return;
  const atOnce = maxSurge + maxUnavailable;
  if (atOnce >= 1 && atOnce <= MOST_AT_ONCE) return;
  const rule = `have 'maxSurge' and 'maxUnavailable' that are 1 to ${MOST_AT_ONCE} together`;
  throw invalid(scope, property, rule, { maxSurge, maxUnavailable });
}

function requireBlueGreen(scope: Construct, property: string, settings: GkeBlueGreenUpgrade): void {
  const { batchNodeCount, batchPercentage, batchSoakSeconds, soakSeconds } = settings;
  requireInteger(scope, `${property}.batchNodeCount`, batchNodeCount, 1);
  requireInteger(scope, `${property}.batchPercentage`, batchPercentage, 1, 100);
  requireInteger(scope, `${property}.batchSoakSeconds`, batchSoakSeconds, 0, LONGEST_SOAK_SECONDS);
  requireInteger(scope, `${property}.soakSeconds`, soakSeconds, 0, LONGEST_SOAK_SECONDS);
  if (batchNodeCount !== undefined && batchPercentage !== undefined) {
    const rule = "not be given together with 'batchNodeCount'";
    throw invalid(scope, `${property}.batchPercentage`, rule, batchPercentage);
  }
}

/** The block, with GKE's own defaults said outright: google 6.50 leaves as it is what is not said. */
export function upgradeSettings({ upgradeSettings: settings, flexStart }: GkeNodePool) {
  if (flexStart) return undefined;
  if (settings?.blueGreen === undefined) {
    return { strategy: "SURGE", ...DEFAULT_SURGE, ...settings };
  }
  const { batchNodeCount, batchPercentage, batchSoakSeconds = 0, soakSeconds = 3600 } = settings.blueGreen;
  const batch =
    batchPercentage === undefined
      ? { batchNodeCount: batchNodeCount ?? 1 }
      : { batchPercentage: batchPercentage / 100 };
  return {
    strategy: "BLUE_GREEN",
    blueGreenSettings: {
      standardRolloutPolicy: { ...batch, batchSoakDuration: `${batchSoakSeconds}s` },
      nodePoolSoakDuration: `${soakSeconds}s`,
    },
  };
}
