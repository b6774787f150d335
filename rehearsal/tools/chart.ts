import { existsSync } from "node:fs";
import type { ToolCache } from "./cache";
import { KUBERAY_CHART_VERSION } from "./versions";

/** The operator chart's file, or why there is none and where it is wanted. */
export type ChartFile = { readonly file: string } | { readonly skipReason: string; readonly wanted: string };

/**
 * The upstream chart of the KubeRay operator. The rehearsal neither holds nor makes it: scenarios that install
 * it run where somebody has put the packed chart into the cache, or where the tools could fetch it from its repository.
 */
export function kuberayOperatorChart(cache: ToolCache): ChartFile {
  const file = cache.path("charts", `kuberay-operator-${KUBERAY_CHART_VERSION}.tgz`);
  if (existsSync(file)) {
    return { file };
  }
  return { skipReason: `no chart file at ${file} ('helm pull kuberay-operator' makes it)`, wanted: file };
}
