import * as nodeModule from "node:module";
// From Node.js 22 on, what is loaded below is compiled once and read from a cache of Node's own at the next run.
(nodeModule as { enableCompileCache?: () => unknown }).enableCompileCache?.();
import { GoogleProvider } from "@cdktf/provider-google/lib/provider";
import { App, CloudBackend, NamedCloudWorkspace } from "cdktf";
import { nearest } from "./lib/private/nearest";
import { RayPlatformStack } from "./lib/ray-platform-stack";

/** Variables of Ray's own clients, which a shell may have as well. */
const OF_RAY =
  /^RAY_(ADDRESS|API_SERVER_ADDRESS|JOB_HEADERS|AUTH_MODE|AUTH_TOKEN|AUTH_TOKEN_PATH|TMPDIR|RUNTIME_ENV_\w+|DEDUP_LOGS|LOG_\w+|\w+_LOG_LEVEL)$/;

const settings = new Set<string>();

/** An environment variable that is set to something. */
function setting(name: string): string | undefined {
  settings.add(name);
  return process.env[name] || undefined;
}

/** An environment variable that is a whole number. */
function count(name: string): number | undefined {
  const value = setting(name);
  if (value === undefined) return undefined;
  if (!/^\d+$/.test(value)) throw new Error(`${name} must be a whole number, got "${value}"`);
  return Number(value);
}

/** An environment variable that is a list, with commas between. */
function list(name: string): string[] | undefined {
  return setting(name)
    ?.split(",")
    .map((item) => item.trim());
}

/** A mistyped setting would otherwise do nothing. */
function refuseUnknownSettings(): void {
  for (const name of Object.keys(process.env).sort()) {
    if (!name.startsWith("RAY_") || settings.has(name) || OF_RAY.test(name)) continue;
    throw new Error(
      `${name} is no setting: the nearest is ${nearest(name, [...settings])}. Rename it, or unset it`,
    );
  }
}

/** An environment variable that says yes or no. */
function flag(name: string): boolean | undefined {
  const value = setting(name);
  if (value === undefined) return undefined;
  if (value !== "true" && value !== "false")
    throw new Error(`${name} must be "true" or "false", got "${value}"`);
  return value === "true";
}

function synthesize(): void {
  const app = new App();
  const location = setting("RAY_LOCATION");
  const project = setting("RAY_PROJECT");
  const stack = new RayPlatformStack(app, "ray-platform", {
    project,
    location,
    clusterName: setting("RAY_GKE_CLUSTER_NAME"),
    autopilot: flag("RAY_AUTOPILOT"),
    machineType: setting("RAY_MACHINE_TYPE"),
    minNodeCount: count("RAY_MIN_NODES"),
    maxNodeCount: count("RAY_MAX_NODES"),
    network: setting("RAY_NETWORK"),
    subnetwork: setting("RAY_SUBNETWORK"),
    podsRangeName: setting("RAY_PODS_RANGE"),
    servicesRangeName: setting("RAY_SERVICES_RANGE"),
    privateNodes: flag("RAY_PRIVATE_NODES"),
    artifactRegistryAccess: flag("RAY_ARTIFACT_REGISTRY_ACCESS"),
    authorizedNetworks: list("RAY_AUTHORIZED_NETWORKS")?.map((cidrBlock) => ({ cidrBlock })),
    dnsEndpoint: flag("RAY_DNS_ENDPOINT"),
    nodeServiceAccountId: setting("RAY_NODE_SERVICE_ACCOUNT_ID"),
    bucketName: setting("RAY_BUCKET_NAME"),
    namespace: setting("RAY_NAMESPACE"),
    serviceAccountName: setting("RAY_SERVICE_ACCOUNT_NAME"),
    googleServiceAccountId: setting("RAY_GOOGLE_SERVICE_ACCOUNT_ID"),
    rayClusterName: setting("RAY_CLUSTER_NAME"),
    rayVersion: setting("RAY_VERSION"),
    authProxy: flag("RAY_AUTH_PROXY"),
    submitterServiceAccountName: setting("RAY_SUBMITTER_SERVICE_ACCOUNT_NAME"),
    netrcSecretName: setting("RAY_NETRC_SECRET_NAME"),
    skyPilot: flag("RAY_SKYPILOT"),
    skyPilotNamespace: setting("RAY_SKYPILOT_NAMESPACE"),
    enableApis: flag("RAY_ENABLE_APIS"),
    deletionProtection: flag("RAY_DELETION_PROTECTION"),
    forceDestroyBucket: flag("RAY_FORCE_DESTROY_BUCKET"),
  });
  // The provider holds calls back for 3 s to send several at once, again and again; a stack of this size gains nothing by it.
  new GoogleProvider(stack, "google", { project, batching: [{ sendAfter: "300ms", enableBatching: true }] });
  const organization = setting("RAY_TERRAFORM_CLOUD_ORGANIZATION");
  const workspace = setting("RAY_TERRAFORM_CLOUD_WORKSPACE");
  if (organization && workspace) {
    // Terraform Cloud keeps the state, and runs Terraform on the stack's folder.
    new CloudBackend(stack, { organization, workspaces: new NamedCloudWorkspace(workspace) });
  } else if (organization || workspace) {
    throw new Error(
      "RAY_TERRAFORM_CLOUD_ORGANIZATION and RAY_TERRAFORM_CLOUD_WORKSPACE must be given together",
    );
  }
  refuseUnknownSettings();
  app.synth();
}

try {
  synthesize();
} catch (error) {
  // What a setting does wrong is told by itself; a fault of the code keeps its stack trace, and so does what an importer sees.
  if (require.main !== module || error instanceof TypeError) throw error;
  console.error((error as Error).message);
  process.exitCode = 1;
}
