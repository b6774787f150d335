import { Token } from "cdktf";
import type { ManifestPart } from "../../contracts/manifest";
import type { IRayCluster, RayClusterProps } from "../../contracts/ray-cluster";
import { headNeeds, nodeNeeds } from "../gke/accelerators";
import { requirePodSecurity } from "../kubernetes/pod-security";
import { enforcedStandard } from "../terraform/namespaces";
import { invalid } from "../validation";
import { requireReachableDashboard } from "./auth-mode";
import { autoscales } from "./cluster-checks";
import { requireRoom } from "./node-fit";
import { autoscalerResources, requireOneAutoscaler } from "./options";
import { requireAgreement } from "./pod-template";

/**
 * The checks of a Ray cluster that need what other constructs add to its pods, and what overrides change.
 *
 * @param manifest the RayCluster as the operator will read it
 * @param workerServiceAccountName account of the worker pods
 */
export function renderedChecks(
  ray: IRayCluster,
  props: RayClusterProps,
  manifest: ManifestPart,
  workerServiceAccountName: string,
): (() => void)[] {
  const { head, workerGroups = [] } = props;
  const { cluster, namespace } = ray;
  const { spec } = manifest;
  const standard = enforcedStandard(ray, namespace, cluster.kubernetesProvider);
  const autoscaler = autoscales(props) ? [autoscalerResources(props.autoscalerOptions)] : [];
  return [
    ...fieldsOfOthers(ray, props, manifest, workerServiceAccountName),
    () => requireOneAutoscaler(ray, props.autoscalerOptions, { ...head.env, ...ray.head.env }),
    () => requireAgreement(ray, "head", head, ray.head, headNeeds(head, cluster.autopilot)),
    ...workerGroups.map((group, index) => () => {
      const needs = nodeNeeds(group, cluster.autopilot);
      requireAgreement(ray, `workerGroups[${index}]`, group, ray.workers, needs);
    }),
    () => requireReachableDashboard(ray, spec.headGroupSpec?.rayStartParams),
    () => requirePodSecurity(ray, namespace, standard, spec),
    () => requireRoom(ray, cluster, "head", spec.headGroupSpec, autoscaler),
    ...(spec.workerGroupSpecs ?? []).map(
      (group: ManifestPart, index: number) => () =>
        requireRoom(ray, cluster, `workerGroups[${index}]`, group),
    ),
  ];
}

/** What network and admission policies, roles and the proxy rely on: an override would leave them with something else. */
function fieldsOfOthers(
  ray: IRayCluster,
  props: RayClusterProps,
  { metadata, spec }: ManifestPart,
  workerServiceAccountName: string,
): (() => void)[] {
  const pod = (group: ManifestPart) => group?.template?.spec?.serviceAccountName;
  const { namespace, rayClusterName, headServiceAccountName } = ray;
  const workers: [string, unknown, unknown, string][] = (spec.workerGroupSpecs ?? []).map(
    (group: ManifestPart, index: number) => [
      `spec.workerGroupSpecs.${index}.template.spec.serviceAccountName`,
      pod(group),
      workerServiceAccountName,
      "workerIdentity",
    ],
  );
  const account = props.identity === undefined ? "serviceAccountName" : "identity";
  const fields: [path: string, rendered: unknown, expected: unknown, property: string][] = [
    ["metadata.name", metadata?.name, rayClusterName, "rayClusterName"],
    ["metadata.namespace", metadata?.namespace, namespace, props.identity ? "identity" : "namespace"],
    [
      "spec.headGroupSpec.template.spec.serviceAccountName",
      pod(spec.headGroupSpec),
      headServiceAccountName,
      account,
    ],
    [
      "spec.enableInTreeAutoscaling",
      spec.enableInTreeAutoscaling ?? false,
      autoscales(props),
      "enableInTreeAutoscaling",
    ],
    ...workers,
  ];
  return fields.map(([path, rendered, expected, property]) => () => {
    if (rendered === expected || Token.isUnresolved(rendered)) return;
    const rule = `leave ${path} to '${property}', by which policies and roles are made too`;
    throw invalid(ray, "addOverride", rule, rendered ?? null);
  });
}
