import { GoogleProvider } from "@cdktf/provider-google/lib/provider";
import { App, CloudBackend, NamedCloudWorkspace } from "cdktf";
import { RayPlatformStack } from "./lib/ray-platform-stack";

/** An environment variable that is set to something. */
function setting(name: string): string | undefined {
  return process.env[name] || undefined;
}

/** An environment variable that says yes or no. */
function flag(name: string): boolean | undefined {
  const value = setting(name);
  if (value === undefined) return undefined;
  if (value !== "true" && value !== "false")
    throw new Error(`${name} must be "true" or "false", got "${value}"`);
  return value === "true";
}

const app = new App();
const location = setting("RAY_LOCATION");
const project = setting("RAY_PROJECT");
const stack = new RayPlatformStack(app, "ray-platform", {
  project,
  location,
  clusterName: setting("RAY_GKE_CLUSTER_NAME"),
  autopilot: flag("RAY_AUTOPILOT"),
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
app.synth();
