import { GoogleError } from "./errors";
import { Json, setPath } from "./json";
import {
  addons,
  checkAuthenticatorGroups,
  checkWorkloadPool,
  ClusterTarget,
  controlPlaneEndpoints,
} from "./container-cluster";
import { Project } from "./project";

/** Where the value of a desired field goes in the cluster, when it simply replaces what is there. */
const REPLACED: Readonly<Record<string, string>> = {
  desiredAuthenticatorGroupsConfig: "authenticatorGroupsConfig",
  desiredAutopilotWorkloadPolicyConfig: "autopilot.workloadPolicyConfig",
  desiredBinaryAuthorization: "binaryAuthorization",
  desiredContainerdConfig: "nodePoolDefaults.nodeConfigDefaults.containerdConfig",
  desiredCostManagementConfig: "costManagementConfig",
  desiredDatabaseEncryption: "databaseEncryption",
  desiredDefaultEnablePrivateNodes: "networkConfig.defaultEnablePrivateNodes",
  desiredDefaultSnatStatus: "networkConfig.defaultSnatStatus",
  desiredDisableL4LbFirewallReconciliation: "networkConfig.disableL4LbFirewallReconciliation",
  desiredDnsConfig: "networkConfig.dnsConfig",
  desiredEnableCiliumClusterwideNetworkPolicy: "networkConfig.enableCiliumClusterwideNetworkPolicy",
  desiredEnableFqdnNetworkPolicy: "networkConfig.enableFqdnNetworkPolicy",
  desiredEnableMultiNetworking: "networkConfig.enableMultiNetworking",
  desiredFleet: "fleet",
  desiredGatewayApiConfig: "networkConfig.gatewayApiConfig",
  desiredGcfsConfig: "nodePoolDefaults.nodeConfigDefaults.gcfsConfig",
  desiredGkeAutoUpgradeConfig: "gkeAutoUpgradeConfig",
  desiredIdentityServiceConfig: "identityServiceConfig",
  desiredInTransitEncryptionConfig: "networkConfig.inTransitEncryptionConfig",
  desiredK8sBetaApis: "enableK8sBetaApis",
  desiredLocations: "locations",
  desiredLoggingService: "loggingService",
  desiredMasterVersion: "currentMasterVersion",
  desiredMeshCertificates: "meshCertificates",
  desiredMonitoringService: "monitoringService",
  desiredNetworkPerformanceConfig: "networkConfig.networkPerformanceConfig",
  desiredNodePoolAutoConfigKubeletConfig: "nodePoolAutoConfig.nodeKubeletConfig",
  desiredNodePoolAutoConfigLinuxNodeConfig: "nodePoolAutoConfig.linuxNodeConfig",
  desiredNodePoolAutoConfigNetworkTags: "nodePoolAutoConfig.networkTags",
  desiredNodePoolAutoConfigResourceManagerTags: "nodePoolAutoConfig.resourceManagerTags",
  desiredNodePoolLoggingConfig: "nodePoolDefaults.nodeConfigDefaults.loggingConfig",
  desiredNotificationConfig: "notificationConfig",
  desiredPodAutoscaling: "podAutoscaling",
  desiredPrivateIpv6GoogleAccess: "networkConfig.privateIpv6GoogleAccess",
  desiredReleaseChannel: "releaseChannel",
  desiredResourceUsageExportConfig: "resourceUsageExportConfig",
  desiredSecretManagerConfig: "secretManagerConfig",
  desiredSecurityPostureConfig: "securityPostureConfig",
  desiredServiceExternalIpsConfig: "networkConfig.serviceExternalIpsConfig",
  desiredShieldedNodes: "shieldedNodes",
  desiredStackType: "ipAllocationPolicy.stackType",
  desiredUserManagedKeysConfig: "userManagedKeysConfig",
  desiredVerticalPodAutoscaling: "verticalPodAutoscaling",
  desiredWorkloadIdentityConfig: "workloadIdentityConfig",
};

/** Where its parts replace the parts that are there: those that the request leaves out stay as they are. */
const REPLACED_BY_PART: Readonly<Record<string, string>> = {
  desiredAddonsConfig: "addonsConfig",
  desiredAnonymousAuthenticationConfig: "anonymousAuthenticationConfig",
  desiredClusterAutoscaling: "autoscaling",
  desiredLoggingConfig: "loggingConfig",
  desiredMonitoringConfig: "monitoringConfig",
  desiredNodeKubeletConfig: "nodePoolDefaults.nodeConfigDefaults.nodeKubeletConfig",
  desiredRbacBindingConfig: "rbacBindingConfig",
};

/** Where only the one switch inside it counts. */
const SWITCHED: Readonly<Record<string, string>> = {
  desiredIntraNodeVisibilityConfig: "networkConfig.enableIntraNodeVisibility",
  desiredL4ilbSubsettingConfig: "networkConfig.enableL4ilbSubsetting",
};

/** Fields that say which node pool is meant or what it becomes. */
const NODE_POOL_FIELDS = [
  "desiredNodePoolId",
  "desiredNodePoolAutoscaling",
  "desiredNodeVersion",
  "desiredImageType",
];

/**
 * Applies the part of a ClusterUpdate that concerns the cluster itself.
 *
 * @throws GoogleError 400 for what the API refuses, 501 for a field whose effect is not known here
 */
export function updateCluster(cluster: Json, update: Json, project: Project, target: ClusterTarget): void {
  checkWorkloadPool(update.desiredWorkloadIdentityConfig, project);
  checkAuthenticatorGroups(update.desiredAuthenticatorGroupsConfig);
  for (const [field, value] of Object.entries(update)) {
    if (NODE_POOL_FIELDS.includes(field)) continue;
    if (field in REPLACED) setPath(cluster, REPLACED[field], value);
    else if (field in REPLACED_BY_PART) {
      const path = REPLACED_BY_PART[field];
      setPath(cluster, path, { ...at(cluster, path), ...value });
    } else if (field in SWITCHED) setPath(cluster, SWITCHED[field], value.enabled ?? false);
    else if (field === "desiredEnterpriseConfig") cluster.enterpriseConfig = enterprise(value);
    else if (field === "desiredControlPlaneEndpointsConfig") {
      cluster.controlPlaneEndpointsConfig = controlPlaneEndpoints(value, cluster, project, target);
      cluster.masterAuthorizedNetworksConfig =
        cluster.controlPlaneEndpointsConfig.ipEndpointsConfig.authorizedNetworksConfig;
    } else throw new GoogleError(501, `Update of cluster field ${field} is not rehearsed.`);
  }
  cluster.addonsConfig = addons(cluster.addonsConfig);
}

/** The add-ons that an update switches on. */
export function enabledAddons(addonsConfig: Json | undefined): string[] {
  return Object.entries(addonsConfig ?? {})
    .filter(([, config]) => config.enabled === true)
    .map(([addon]) => addon);
}

const enterprise = ({ desiredTier }: Json) => ({ clusterTier: desiredTier, desiredTier });

function at(message: Json, path: string): Json {
  return path.split(".").reduce<any>((value, name) => value?.[name], message) ?? {};
}
