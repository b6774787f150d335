import { existsSync } from "node:fs";
import type { ToolCache } from "./cache";
import { KUBERAY_CHART_VERSION } from "./versions";

/** Charts of KubeRay's repository, all of one version. */
export const KUBERAY_CHARTS = ["kuberay-operator", "ray-cluster"] as const;

export type KubeRayChart = (typeof KUBERAY_CHARTS)[number];

/** A chart's file, or why there is none and where it is wanted. */
export type ChartFile = { readonly file: string } | { readonly skipReason: string; readonly wanted: string };

/**
 * An upstream chart of KubeRay. The rehearsal neither holds nor makes it: scenarios that install it run where somebody has
 * put the packed chart into the cache, or where the tools could fetch it from its repository.
 */
export function kuberayChart(cache: ToolCache, chart: KubeRayChart): ChartFile {
  const file = cache.path("charts", `${chart}-${KUBERAY_CHART_VERSION}.tgz`);
  if (existsSync(file)) {
    return { file };
  }
  return { skipReason: `no chart file at ${file} ('helm pull ${chart}' makes it)`, wanted: file };
}
