import {
  SkyPilotFeatures,
  SkyPilotPodSecurity,
  SkyPilotRemoteIdentity,
} from "../../contracts/skypilot-options";
import type { SkyPilotServiceAccountProps } from "../../contracts/skypilot-service-account";
import { PerStack } from "../terraform/per-stack";
import { refuseStandardOfExisting } from "../terraform/namespaces";
import { requireIdentity } from "../gke/identities";
import { DNS_LABEL, DNS_SUBDOMAIN, invalid, QUANTITY, requireName } from "../validation";
import type { SkyPilotAccounts } from "./accounts";
import { SYSTEM_NAMESPACE } from "./system";

/** Namespaces of everybody, of Kubernetes itself, or of GKE. */
const BUILT_IN = /^(default|(kube|gke-managed|gmp)-.*)$/;

/** Namespaces that have a use of their own in SkyPilot. */
const TAKEN = [SYSTEM_NAMESPACE, "ingress-nginx"];

/** Accounts that SkyPilot makes itself, with roles that it rewrites to allow everything. */
const NAMES_OF_SKYPILOT = /^skypilot-(system-|controller-)?service-account/;

/** Pods of a namespace run as `default` unless told otherwise; SkyPilot reads `none` as an identity without rights. */
const RESERVED_NAMES = ["default", "none"];

/** Features whose pods only a privileged namespace admits. */
const PRIVILEGED_FEATURES = ["objectStoreMounts", "hostNetwork"] as const;

/** The Pod Security standard that SkyPilot's pods need. */
export function podSecurityOf(features: SkyPilotFeatures): SkyPilotPodSecurity {
  const privileged = PRIVILEGED_FEATURES.some((feature) => features[feature]);
  return privileged ? SkyPilotPodSecurity.PRIVILEGED : SkyPilotPodSecurity.BASELINE;
}

/** @throws if something that was given cannot stand, by itself or beside the rest */
export function requireSkyPilotProps(sky: SkyPilotAccounts, props: SkyPilotServiceAccountProps): void {
  requireNamespaces(sky, props);
  requirePodSecurity(sky, props);
  requireAccounts(sky, props);
  requireFeatures(sky, props);
  for (const [resource, amount] of Object.entries(props.resourceQuota ?? {})) {
    requireName(sky, `resourceQuota["${resource}"]`, amount, QUANTITY);
  }
  if (props.createKubeconfig && props.cluster.dnsEndpoint && !props.dnsEndpointAcceptsTokens) {
    throw invalid(
      sky,
      "createKubeconfig",
      `not be on with the DNS endpoint of ${props.cluster.node.path}, which refuses tokens of Kubernetes service accounts unless told otherwise (if it was, state 'dnsEndpointAcceptsTokens'; else use the cluster's address, or grantLauncher to Google identities)`,
      true,
    );
  }
}

function requireNamespaces(sky: SkyPilotAccounts, props: SkyPilotServiceAccountProps): void {
  const known = new Set<string>();
  sky.namespaces.forEach((namespace, index) => {
    const property = workloadProperty(index);
    requireName(sky, property, namespace, DNS_LABEL);
    if (known.has(namespace)) throw invalid(sky, property, "be unique", namespace);
    known.add(namespace);
    if (TAKEN.includes(namespace)) {
      const requirement = "be a namespace for tasks: this one has another use in SkyPilot";
      throw invalid(sky, property, requirement, namespace);
    }
    if (BUILT_IN.test(namespace) && !props.allowBuiltInNamespace) {
      throw invalid(
        sky,
        property,
        "be a namespace for nothing else: who launches can use every Secret and service account in it (state 'allowBuiltInNamespace' to have it nevertheless)",
        namespace,
      );
    }
  });
  requireName(sky, "launcherNamespace", sky.launcherNamespace, DNS_LABEL);
  if (!props.sharedIdentity && known.has(sky.launcherNamespace)) {
    throw invalid(
      sky,
      "launcherNamespace",
      "not be a workload namespace: its pods could run as the launcher (or state 'sharedIdentity')",
      sky.launcherNamespace,
    );
  }
}

function requirePodSecurity(sky: SkyPilotAccounts, props: SkyPilotServiceAccountProps): void {
  const { features = {}, podSecurity } = props;
  if (podSecurity === undefined) return;
  for (const feature of PRIVILEGED_FEATURES) {
    if (features[feature] && podSecurity !== SkyPilotPodSecurity.PRIVILEGED) {
      const requirement = `be PRIVILEGED, or left out, with the feature '${feature}', whose pods no other standard admits`;
      throw invalid(sky, "podSecurity", requirement, podSecurity);
    }
  }
  for (const namespace of sky.namespaces) {
    const given = { standard: podSecurity, property: "podSecurity" };
    refuseStandardOfExisting(sky, given, namespace, props.createNamespace);
  }
}

function requireAccounts(sky: SkyPilotAccounts, props: SkyPilotServiceAccountProps): void {
  for (const property of ["serviceAccountName", "workloadServiceAccountName"] as const) {
    const name = sky[property];
    requireName(sky, property, name, DNS_SUBDOMAIN);
    if (NAMES_OF_SKYPILOT.test(name)) {
      const requirement = "not be a name that SkyPilot itself gives: it rewrites the roles of those";
      throw invalid(sky, property, requirement, name);
    }
    if (RESERVED_NAMES.includes(name)) {
      const requirement = "be a name of its own: Kubernetes or SkyPilot mean something else by this one";
      throw invalid(sky, property, requirement, name);
    }
  }
  const alone = [
    "launcherNamespace",
    "createLauncherNamespace",
    "workloadServiceAccountName",
    "workloadIdentity",
  ] as const;
  for (const property of alone) {
    if (props.sharedIdentity && props[property] !== undefined) {
      throw invalid(sky, property, "not be given with 'sharedIdentity': launcher and pods are one account");
    }
  }
  requireWorkloadIdentity(sky, props);
}

function requireWorkloadIdentity(sky: SkyPilotAccounts, props: SkyPilotServiceAccountProps): void {
  const { workloadIdentity } = props;
  if (workloadIdentity === undefined) return;
  requireIdentity(sky, "workloadIdentity", workloadIdentity);
  if (props.workloadServiceAccountName !== undefined) {
    const requirement = "be left to 'workloadIdentity'";
    throw invalid(sky, "workloadServiceAccountName", requirement, props.workloadServiceAccountName);
  }
  if (workloadIdentity.cluster !== props.cluster) {
    const clusters = `${props.cluster.node.path}, not of ${workloadIdentity.cluster.node.path}`;
    throw invalid(sky, "workloadIdentity", `be of the cluster ${clusters}`);
  }
  if (workloadIdentity.namespace !== props.namespace) {
    const requirement = `be in the workload namespace ${JSON.stringify(props.namespace)}`;
    throw invalid(sky, "workloadIdentity", requirement, workloadIdentity.namespace);
  }
}

function requireFeatures(sky: SkyPilotAccounts, props: SkyPilotServiceAccountProps): void {
  const { features = {} } = props;
  if (features.controllers && props.sharedIdentity) {
    const requirement = "be left out with 'sharedIdentity': the pods have the launcher's rights already";
    throw invalid(sky, "features.controllers", requirement, true);
  }
  if (features.controllers && props.remoteIdentity === SkyPilotRemoteIdentity.LOCAL_CREDENTIALS) {
    const requirement = "be left out with LOCAL_CREDENTIALS: the pods have the launcher's kubeconfig";
    throw invalid(sky, "features.controllers", requirement, true);
  }
  const privileged = PRIVILEGED_FEATURES.find((feature) => features[feature]);
  if (privileged !== undefined && sky.cluster.autopilot) {
    const requirement = `be left out on Autopilot (${sky.cluster.node.path}), which does not admit its pods`;
    throw invalid(sky, `features.${privileged}`, requirement, true);
  }
  if (props.createSkyPilotSystem !== undefined && !features.objectStoreMounts) {
    const requirement = "be given only with the feature 'objectStoreMounts'";
    throw invalid(sky, "createSkyPilotSystem", requirement, props.createSkyPilotSystem);
  }
}

/** The instances of each stack. */
const instances = new PerStack((): SkyPilotAccounts[] => []);

/** @throws if another SkyPilot on the same cluster has an account of that name, or its pods could run as this one's launcher */
export function registerAccounts(sky: SkyPilotAccounts): void {
  const known = instances.of(sky);
  for (const other of known.filter(({ cluster }) => cluster === sky.cluster)) requireApart(sky, other);
  known.push(sky);
}

function requireApart(sky: SkyPilotAccounts, other: SkyPilotAccounts): void {
  const { path } = other.node;
  if (
    sky.launcherNamespace === other.launcherNamespace &&
    sky.serviceAccountName === other.serviceAccountName
  ) {
    const requirement = `not be that of ${path}, in the same 'launcherNamespace': their cluster roles would be one`;
    throw invalid(sky, "serviceAccountName", requirement, sky.serviceAccountName);
  }
  if (other.namespaces.includes(sky.launcherNamespace)) {
    const requirement = `not be a workload namespace of ${path}: its pods could run as the launcher`;
    throw invalid(sky, "launcherNamespace", requirement, sky.launcherNamespace);
  }
  sky.namespaces.forEach((namespace, index) => {
    if (namespace === other.launcherNamespace) {
      const requirement = `not be the launcher's namespace of ${path}: pods could run as that launcher`;
      throw invalid(sky, workloadProperty(index), requirement, namespace);
    }
    if (
      other.namespaces.includes(namespace) &&
      sky.workloadServiceAccountName === other.workloadServiceAccountName
    ) {
      const requirement = `not be that of ${path}, which is in the namespace "${namespace}" too (grantLauncher lets several launch)`;
      throw invalid(sky, "workloadServiceAccountName", requirement, sky.workloadServiceAccountName);
    }
  });
}

/** The property that names a workload namespace. */
export function workloadProperty(index: number): string {
  return index === 0 ? "namespace" : `additionalNamespaces[${index - 1}]`;
}
