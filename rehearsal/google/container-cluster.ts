import { createHash, randomBytes } from "node:crypto";
import { invalidArgument } from "./errors";
import { Json, overlay, without, withoutDefaults } from "./json";
import { checkClusterName, checkLabels, defaultZones, isZone, regionOf } from "./names";
import { NODE_VERSION, OAUTH_SCOPES } from "./container-node-pool";
import { checkNodeServiceAccount } from "./node-rules";
import { Project } from "./project";

/** What every cluster of the double leads to. */
export interface ClusterTarget {
  /** Host, with a port where it is not 443, that clusters answer as their endpoint. */
  readonly endpoint: string;
  /** Certificate authority of the API server there, as PEM. */
  readonly caPem: string;
}

/** The driver stays on, as was recorded, also when a creation or an update asks for it to be off. */
const ALWAYS_ON = { gcePersistentDiskCsiDriverConfig: { enabled: true } };

const PRIVATE_ENDPOINT = "10.128.0.2";
const POD_RANGE = "10.112.0.0";
const SERVICE_RANGE = "34.118.224.0";

/**
 * A cluster as the API answers it, without its node pools, from what was asked for.
 *
 * @throws GoogleError 400 for what the API refuses
 */
export function newCluster(requested: Json, location: string, project: Project, target: ClusterTarget): Json {
  checkCluster(requested, location, project);
  const autopilot = Boolean(requested.autopilot?.enabled);
  const kind = autopilot ? overlay(standardDefaults(), autopilotDefaults(project)) : standardDefaults();
  const placed = placement(requested.name, location, requested, project, target);
  const cluster = overlay(overlay(kind, placed), without(requested, "nodePools"));
  return withoutDefaults({ ...cluster, ...derived(cluster, requested, project, target) });
}

/** What a Standard cluster has when nothing is asked for, as the real API answered. */
function standardDefaults(): Json {
  return {
    addonsConfig: {
      gcePersistentDiskCsiDriverConfig: { enabled: true },
      kubernetesDashboard: { disabled: true },
      networkPolicyConfig: { disabled: true },
    },
    anonymousAuthenticationConfig: { mode: "ENABLED" },
    autopilot: {},
    autoscaling: {
      autoprovisioningNodePoolDefaults: {
        imageType: "COS_CONTAINERD",
        management: { autoRepair: true, autoUpgrade: true },
        oauthScopes: OAUTH_SCOPES,
        serviceAccount: "default",
      },
      autoscalingProfile: "BALANCED",
    },
    binaryAuthorization: {},
    databaseEncryption: { currentState: "CURRENT_STATE_DECRYPTED", state: "DECRYPTED" },
    defaultMaxPodsConstraint: { maxPodsPerNode: "110" },
    enterpriseConfig: { clusterTier: "STANDARD" },
    legacyAbac: {},
    loggingConfig: { componentConfig: { enableComponents: ["SYSTEM_COMPONENTS", "WORKLOADS"] } },
    loggingService: "logging.googleapis.com/kubernetes",
    masterAuth: { clientCertificateConfig: {} },
    monitoringConfig: {
      advancedDatapathObservabilityConfig: {},
      componentConfig: {
        enableComponents: [
          "SYSTEM_COMPONENTS",
          "DAEMONSET",
          "DEPLOYMENT",
          "STATEFULSET",
          "JOBSET",
          "STORAGE",
          "HPA",
          "POD",
          "CADVISOR",
          "KUBELET",
          "DCGM",
        ],
      },
      managedPrometheusConfig: { enabled: true },
    },
    monitoringService: "monitoring.googleapis.com/kubernetes",
    nodePoolAutoConfig: { nodeKubeletConfig: { insecureKubeletReadonlyPortEnabled: false } },
    nodePoolDefaults: {
      nodeConfigDefaults: {
        loggingConfig: { variantConfig: { variant: "DEFAULT" } },
        nodeKubeletConfig: { insecureKubeletReadonlyPortEnabled: false },
      },
    },
    notificationConfig: { pubsub: {} },
    podAutoscaling: { hpaProfile: "PERFORMANCE" },
    rbacBindingConfig: {
      enableInsecureBindingSystemAuthenticated: true,
      enableInsecureBindingSystemUnauthenticated: true,
    },
    releaseChannel: { channel: "REGULAR" },
    securityPostureConfig: { mode: "BASIC", vulnerabilityMode: "VULNERABILITY_MODE_UNSPECIFIED" },
    shieldedNodes: { enabled: true },
    status: "PROVISIONING",
    userManagedKeysConfig: {},
  };
}

/** What Autopilot settles by itself; from its documentation and the provider, not from a recording. */
function autopilotDefaults(project: Project): Json {
  return {
    addonsConfig: {
      dnsCacheConfig: { enabled: true },
      gcpFilestoreCsiDriverConfig: { enabled: true },
      gcsFuseCsiDriverConfig: { enabled: true },
      horizontalPodAutoscaling: {},
      httpLoadBalancing: {},
    },
    autoscaling: {
      autoscalingProfile: "OPTIMIZE_UTILIZATION",
      enableNodeAutoprovisioning: true,
      resourceLimits: [
        { resourceType: "cpu", maximum: "1000000000" },
        { resourceType: "memory", maximum: "1000000000" },
      ],
    },
    networkConfig: {
      datapathProvider: "ADVANCED_DATAPATH",
      dnsConfig: {
        clusterDns: "CLOUD_DNS",
        clusterDnsScope: "CLUSTER_SCOPE",
        clusterDnsDomain: "cluster.local",
      },
      enableIntraNodeVisibility: true,
      gatewayApiConfig: { channel: "CHANNEL_STANDARD" },
    },
    verticalPodAutoscaling: { enabled: true },
    workloadIdentityConfig: { workloadPool: project.workloadPool },
  };
}

/** Names, addresses and times of one cluster. */
function placement(
  name: string,
  location: string,
  requested: Json,
  project: Project,
  target: ClusterTarget,
): Json {
  const place = `${isZone(location) ? "zones" : "locations"}/${location}`;
  return {
    createTime: new Date().toISOString(),
    currentMasterVersion: version(requested.initialClusterVersion),
    currentNodeVersion: version(requested.initialClusterVersion),
    endpoint: target.endpoint,
    etag: randomBytes(6).toString("base64"),
    id: randomBytes(32).toString("hex"),
    labelFingerprint: fingerprint(requested.resourceLabels ?? {}),
    location,
    locations: defaultZones(location),
    name,
    selfLink: `https://container.googleapis.com/v1/projects/${project.id}/${place}/clusters/${name}`,
    ...(isZone(location) && { zone: location }),
  };
}

const AUTOPROVISIONING_DEFAULTS = {
  autoprovisioningNodePoolDefaults: { upgradeSettings: { strategy: "SURGE" } },
};

/** The parts whose answer is more than what was asked for. */
function derived(cluster: Json, requested: Json, project: Project, target: ClusterTarget): Json {
  const network = lastSegment(requested.network) || "default";
  const subnetwork = lastSegment(requested.subnetwork) || "default";
  const ranges = ipRanges(requested.ipAllocationPolicy ?? {});
  return {
    addonsConfig: addons(cluster.addonsConfig),
    // Said only where nodes are provisioned automatically.
    autoscaling: cluster.autoscaling.enableNodeAutoprovisioning
      ? overlay(AUTOPROVISIONING_DEFAULTS, cluster.autoscaling)
      : cluster.autoscaling,
    clusterIpv4Cidr: requested.clusterIpv4Cidr || ranges.clusterIpv4Cidr,
    controlPlaneEndpointsConfig: controlPlaneEndpoints(
      requested.controlPlaneEndpointsConfig,
      cluster,
      project,
      target,
    ),
    initialClusterVersion: cluster.currentMasterVersion,
    ipAllocationPolicy: ranges,
    maintenancePolicy: maintenancePolicy(requested.maintenancePolicy),
    masterAuth: {
      ...cluster.masterAuth,
      clusterCaCertificate: Buffer.from(target.caPem).toString("base64"),
    },
    masterAuthorizedNetworksConfig: overlay(
      { gcpPublicCidrsAccessEnabled: true },
      requested.controlPlaneEndpointsConfig?.ipEndpointsConfig?.authorizedNetworksConfig ??
        requested.masterAuthorizedNetworksConfig,
    ),
    monitoringConfig: { ...standardDefaults().monitoringConfig, ...requested.monitoringConfig },
    network,
    networkConfig: {
      ...cluster.networkConfig,
      network: requested.network || `projects/${project.id}/global/networks/default`,
      serviceExternalIpsConfig: cluster.networkConfig?.serviceExternalIpsConfig ?? {},
      subnetwork:
        requested.subnetwork ||
        `projects/${project.id}/regions/${regionOf(cluster.location)}/subnetworks/default`,
    },
    networkPolicy: requested.networkPolicy?.enabled ? requested.networkPolicy : undefined,
    privateClusterConfig: {
      enablePrivateNodes: Boolean(requested.networkConfig?.defaultEnablePrivateNodes),
      masterIpv4CidrBlock: requested.privateClusterConfig?.masterIpv4CidrBlock,
      privateEndpoint: PRIVATE_ENDPOINT,
      publicEndpoint: target.endpoint,
    },
    servicesIpv4Cidr: ranges.servicesIpv4Cidr,
    subnetwork,
  };
}

/** The add-ons with what the API adds to those that were asked for. */
export function addons(requested: Json): Json {
  const { cloudRunConfig } = requested;
  return {
    ...requested,
    ...ALWAYS_ON,
    ...(cloudRunConfig && {
      cloudRunConfig: { loadBalancerType: "LOAD_BALANCER_TYPE_EXTERNAL", ...cloudRunConfig },
    }),
  };
}

/** How the control plane is reached; parts that were not asked for keep the API's defaults. */
export function controlPlaneEndpoints(
  requested: Json | undefined,
  cluster: Json,
  project: Project,
  target: ClusterTarget,
): Json {
  const hash = createHash("sha256").update(cluster.id).digest("hex").slice(0, 12);
  const dnsEndpoint = `gke-${hash}-${project.number}.${cluster.location}.gke.goog`;
  const ip = overlay(
    {
      authorizedNetworksConfig: { gcpPublicCidrsAccessEnabled: true },
      enabled: true,
      enablePublicEndpoint: true,
      globalAccess: false,
    },
    requested?.ipEndpointsConfig,
  );
  return {
    dnsEndpointConfig: {
      ...overlay({ allowExternalTraffic: false }, requested?.dnsEndpointConfig),
      endpoint: dnsEndpoint,
    },
    ipEndpointsConfig: { ...ip, privateEndpoint: PRIVATE_ENDPOINT, publicEndpoint: target.endpoint },
  };
}

/** The version of a maintenance policy is that of its window: writes must name the one they read. */
export function maintenancePolicy(requested: Json | undefined): Json {
  const window = withoutDefaults(requested?.window ?? {});
  if (window.dailyMaintenanceWindow) window.dailyMaintenanceWindow.duration = "PT4H0M0S";
  if (window.maintenanceExclusions && !Object.keys(window.maintenanceExclusions).length) {
    delete window.maintenanceExclusions;
  }
  for (const { maintenanceExclusionOptions: options } of Object.values<Json>(
    window.maintenanceExclusions ?? {},
  )) {
    // The first value of the enumeration is left out, as all over these APIs.
    if (options?.scope === "NO_UPGRADES") delete options.scope;
  }
  return {
    resourceVersion: fingerprint(window).slice(0, 8),
    ...(Object.keys(window).length > 0 && { window }),
  };
}

export function fingerprint(value: unknown): string {
  return createHash("sha256").update(JSON.stringify(value)).digest("hex").slice(0, 8);
}

function ipRanges(requested: Json): Json {
  const clusterRange = range(requested.clusterIpv4CidrBlock, POD_RANGE, 14);
  const servicesRange = range(requested.servicesIpv4CidrBlock, SERVICE_RANGE, 20);
  return {
    ...requested,
    clusterIpv4Cidr: clusterRange,
    clusterIpv4CidrBlock: clusterRange,
    podCidrOverprovisionConfig: requested.podCidrOverprovisionConfig ?? {},
    servicesIpv4Cidr: servicesRange,
    servicesIpv4CidrBlock: servicesRange,
    stackType: requested.stackType || "IPV4",
    useIpAliases: !requested.useRoutes,
  };
}

/** A range may be asked for by its size alone. */
function range(asked: string | undefined, base: string, size: number): string {
  if (!asked) return `${base}/${size}`;
  return asked.startsWith("/") ? `${base}${asked}` : asked;
}

function version(asked: string | undefined): string {
  if (!asked || asked === "latest" || asked === "-" || NODE_VERSION.startsWith(asked)) return NODE_VERSION;
  if (/^1\.\d+\.\d+-gke\.\d+$/.test(asked)) return asked;
  throw invalidArgument(`Master version "${asked}" is unsupported.`);
}

const lastSegment = (path: string | undefined) => path?.split("/").pop();

function checkCluster(requested: Json, location: string, project: Project): void {
  checkClusterName("cluster.name", requested.name);
  checkLabels("cluster.resource_labels", requested.resourceLabels);
  checkWorkloadPool(requested.workloadIdentityConfig, project);
  checkAuthenticatorGroups(requested.authenticatorGroupsConfig);
  if (requested.autopilot?.enabled) {
    checkNodeServiceAccount(requested.autoscaling?.autoprovisioningNodePoolDefaults?.serviceAccount, project);
  }
  checkNetworkPolicy(requested.networkPolicy, requested.networkConfig?.datapathProvider);
  if (requested.autopilot?.enabled && isZone(location)) {
    throw invalidArgument("Autopilot clusters must be regional clusters.");
  }
  if (!requested.autopilot?.enabled && !requested.nodePools?.length && !(requested.initialNodeCount > 0)) {
    throw invalidArgument("Cluster.initial_node_count must be greater than zero.");
  }
}

export function checkWorkloadPool(config: Json | undefined, project: Project): void {
  const pool = config?.workloadPool;
  if (!pool || pool === project.workloadPool) return;
  throw invalidArgument(`Invalid workload pool "${pool}": it must be ${project.workloadPool}.`);
}

export function checkAuthenticatorGroups(config: Json | undefined): void {
  const group = config?.securityGroup;
  if (!group || /^gke-security-groups@[^@\s]+$/.test(group)) return;
  throw invalidArgument(`Invalid security group "${group}": it must be named gke-security-groups@DOMAIN.`);
}

export function checkNetworkPolicy(policy: Json | undefined, datapathProvider: string | undefined): void {
  if (policy?.enabled && datapathProvider === "ADVANCED_DATAPATH") {
    throw invalidArgument(
      "Enabling NetworkPolicy for clusters with DatapathProvider=ADVANCED_DATAPATH is not allowed.",
    );
  }
}
