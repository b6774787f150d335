import { GoogleProvider } from "@cdktf/provider-google/lib/provider";
import { CloudBackend, NamedCloudWorkspace, Testing } from "cdktf";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { RayPlatformStack, RayPlatformStackProps } from "../lib";
import { Template } from "./support/template";

function platform(props?: RayPlatformStackProps): RayPlatformStack {
  const stack = new RayPlatformStack(Testing.app(), "stack", props);
  new GoogleProvider(stack, "google", {});
  return stack;
}

/** The hash is of the path `stack/operator`. */
const GATE_NAMESPACE = "ray-operator-addon-6613f18b";

test("the platform's resources keep their addresses, because a new address replaces a user's resource", () => {
  const { json } = Template.of(platform());
  const addresses = Object.entries<any>(json.resource).flatMap(([type, resources]) =>
    Object.keys(resources).map((name) => `${type}.${name}`),
  );

  expect(addresses.sort()).toEqual([
    "google_container_cluster.cluster_A4C38409",
    "google_container_node_pool.cluster_pool-ray_6C523EC7",
    "google_project_iam_member.cluster_node-service-account-role_0E41AC01",
    "google_project_service.cluster_api-cloudresourcemanager_F2802F10",
    "google_project_service.cluster_api-compute_F2743004",
    "google_project_service.cluster_api-container_9F554D38",
    "google_project_service.cluster_api-iam_079F7FE2",
    "google_project_service.cluster_api-iamcredentials_93B7837D",
    "google_project_service.cluster_api-storage_F885BAC0",
    "google_service_account.bucket_identity_google-service-account_C96BDBEC",
    "google_service_account.cluster_node-service-account_B5377F90",
    "google_service_account_iam_member.bucket_identity_workload-identity-user_74A7CFD2",
    "google_storage_bucket.bucket_3056591E",
    "google_storage_bucket_iam_member.bucket_grant-storage-bucketViewer-9fca45_562E70F7",
    "google_storage_bucket_iam_member.bucket_grant-storage-objectUser-36c5e0_1B93BA85",
    "helm_release.ray_autoscaler-policy_D08B2708",
    "helm_release.ray_ray-cluster_C33B65C6",
    "kubernetes_cluster_role_binding_v1.auth_auth-delegator_E1AC322F",
    "kubernetes_cluster_role_binding_v1.sky_cluster-binding_0D0DB02B",
    "kubernetes_cluster_role_v1.sky_cluster-role_47C41655",
    "kubernetes_config_map_v1.auth_config_9E97CD33",
    "kubernetes_deployment_v1.auth_proxy_deployment_97539B79",
    "kubernetes_job_v1.operator_gate_3592A613",
    "kubernetes_namespace_v1.namespaces_cluster-ray-auth_51376C49",
    "kubernetes_namespace_v1.namespaces_cluster-ray-operator-addon-6613f18b_15EEA610",
    "kubernetes_namespace_v1.namespaces_cluster-ray_F83B1975",
    "kubernetes_namespace_v1.namespaces_cluster-sky-launcher_E76ABAC4",
    "kubernetes_namespace_v1.namespaces_cluster-sky_AE7E7636",
    "kubernetes_network_policy_v1.ray_network-policy_F6006E8F",
    "kubernetes_pod_disruption_budget_v1.auth_proxy_disruption-budget_802B31E3",
    "kubernetes_role_binding_v1.auth_proxy_connect-serviceaccountrayray-user_F3084055",
    "kubernetes_role_binding_v1.auth_submit-serviceaccountrayray-user_B2752D8E",
    "kubernetes_role_binding_v1.sky_launcher-binding_0DC5BAEA",
    "kubernetes_role_binding_v1.sky_workload-binding_2DC83068",
    "kubernetes_role_v1.auth_proxy_connect-role_60E77884",
    "kubernetes_role_v1.auth_submit-role_5D3559FD",
    "kubernetes_role_v1.sky_launcher-role_905B8CBA",
    "kubernetes_role_v1.sky_workload-role_41C8298F",
    "kubernetes_service_account_v1.auth_proxy_service-account_459E0FAF",
    "kubernetes_service_account_v1.auth_submitter_5F1C10B1",
    "kubernetes_service_account_v1.bucket_identity_service-account_BF65BADE",
    "kubernetes_service_account_v1.sky_launcher_FAD90FCA",
    "kubernetes_service_account_v1.sky_workload_C766AC4D",
    "kubernetes_service_v1.auth_proxy_service_10BBF602",
  ]);
});

test("the outputs say how to go on", () => {
  const { json } = Template.of(platform({ project: "my-project-id" }));

  expect(json.output).toEqual({
    bucket_url: {
      description: "The bucket that Ray's pods read and write.",
      value: "gs://${google_storage_bucket.bucket_3056591E.name}",
    },
    get_credentials_command: {
      description: "Lets kubectl reach the cluster.",
      value:
        "gcloud container clusters get-credentials cloud-bucket-cluster --location us-west1-b --project my-project-id",
    },
    google_job_headers_command: {
      description: "The same as the Google identity of gcloud, once that has been granted the right.",
      value: 'export RAY_JOB_HEADERS="{\\"Authorization\\": \\"Bearer $(gcloud auth print-access-token)\\"}"',
    },
    identity: {
      description: "Who the pods are for IAM.",
      value: "${google_service_account.bucket_identity_google-service-account_C96BDBEC.member}",
    },
    job_headers_command: {
      description: "Lets the Ray client call as the service account that may submit jobs, for an hour.",
      value:
        'export RAY_JOB_HEADERS="{\\"Authorization\\": \\"Bearer $(kubectl create token ray-user --namespace ray --duration=1h)\\"}"',
    },
    job_submit_command: {
      description: "Runs a small Ray job, after the commands above.",
      value:
        'ray job submit --address http://localhost:8265 -- python -c "import ray; ray.init(); print(ray.cluster_resources())"',
    },
    port_forward_command: {
      description: "Makes the Ray dashboard and job API reachable at http://localhost:8265.",
      value: "kubectl port-forward --namespace ray-auth service/raycluster-mini-proxy 8265:8265",
    },
    sky_config: {
      description: "What belongs into ~/.sky/config.yaml.",
      value:
        'kubernetes:\n  context_configs:\n    "gke_my-project-id_us-west1-b_cloud-bucket-cluster":\n      namespace: "sky"\n      remote_identity: "sky-sa-workload"\n',
    },
    sky_token_command: {
      description: "Prints a token of SkyPilot's launcher, for an hour.",
      value: "kubectl create token sky-sa --namespace sky-launcher --duration=1h",
    },
  });
});

test("the dashboard answers everybody where the proxy is left out", () => {
  const template = Template.of(platform({ authProxy: false }));

  expect(template.rayCluster().spec.headGroupSpec.rayStartParams).toEqual({});
  expect(template.resources("kubernetes_config_map_v1")).toEqual([]);
  expect(Object.keys(template.json.output)).not.toContain("job_headers_command");
});

test("SkyPilot is left out by one setting, and launches where another says", () => {
  const namespaces = (props: object) =>
    Template.of(platform(props))
      .resources("kubernetes_namespace_v1")
      .map(({ metadata }) => metadata.name)
      .sort();
  const { json } = Template.of(platform({ skyPilot: false }));

  expect(namespaces({ skyPilot: false })).toEqual(["ray", "ray-auth", GATE_NAMESPACE]);
  expect(namespaces({ skyPilotNamespace: "team" })).toEqual([
    "ray",
    "ray-auth",
    GATE_NAMESPACE,
    "team",
    "team-launcher",
  ]);
  expect(JSON.stringify(json.resource)).not.toContain("skypilot");
  expect(json.output).not.toHaveProperty("sky_config");
});

test("private sources are on where a Secret is named", () => {
  const netrc = (props: object) =>
    Template.of(platform(props)).rayCluster().spec.workerGroupSpecs[0].template.spec.volumes;

  expect(netrc({})).toBeUndefined();
  expect(netrc({ netrcSecretName: "netrc-secret" })).toEqual([
    { name: "netrc-kuberay", secret: { secretName: "netrc-secret", defaultMode: 0o440 } },
  ]);
});

test("the stack makes no provider for Google and chooses no backend", () => {
  const json = JSON.parse(Testing.synth(new RayPlatformStack(Testing.app(), "stack")));

  expect(json.provider).not.toHaveProperty("google");
  expect(Object.keys(json.terraform)).toEqual(["required_providers"]);
});

test("on Autopilot there are no pools", () => {
  const template = Template.of(platform({ autopilot: true }));

  expect(template.resources("google_container_node_pool")).toEqual([]);
  expect(template.resource("google_container_cluster").enable_autopilot).toBe(true);
});

test("a stack for a remote runner names no path of the machine that synthesized it", () => {
  const stack = new RayPlatformStack(Testing.app(), "stack");
  new GoogleProvider(stack, "google");
  new CloudBackend(stack, { organization: "example", workspaces: new NamedCloudWorkspace("ray") });
  const text = readFileSync(join(Testing.fullSynth(stack), "stacks/stack/cdk.tf.json"), "utf8");

  expect(text).toMatch(/"cloud": \{\s*"organization": "example"/);
  expect(text).not.toContain(process.cwd());
  expect(text).not.toMatch(/"path": "\/(?!\/|healthz")/);
});

test("the bucket is a folder of every pod where it is asked for, and the driver for that is on only then", () => {
  const stackWith = (props: object) => Template.of(platform({ bucketName: "my-bucket", ...props }));
  const mounted = stackWith({ bucketMountPath: "/data" });
  const { headGroupSpec, workerGroupSpecs } = mounted.rayCluster().spec;

  for (const { template } of [headGroupSpec, ...workerGroupSpecs]) {
    expect(template.spec.containers[0].volumeMounts).toContainEqual({ name: "bucket-0", mountPath: "/data" });
  }
  expect(mounted.resource("google_container_cluster").addons_config).toEqual({
    gcs_fuse_csi_driver_config: { enabled: true },
    ray_operator_config: [{ enabled: true }],
  });
  expect(stackWith({}).resource("google_container_cluster").addons_config).toEqual({
    gcs_fuse_csi_driver_config: { enabled: false },
    ray_operator_config: [{ enabled: true }],
  });
});
