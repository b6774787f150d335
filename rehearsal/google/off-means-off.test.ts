import { GoogleProvider } from "@cdktf/provider-google/lib/provider";
import { App, TerraformStack } from "cdktf";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BucketRole } from "../../lib/contracts/bucket-role";
import {
  GkeGpuDriverVersion,
  GkeGpuSharingStrategy,
  GkeLocationPolicy,
  GkeNodePool,
  GkeTaintEffect,
} from "../../lib/contracts/gke-node-pool";
import {
  GkeReleaseChannel,
  GkeWorkloadIdentityClusterProps,
} from "../../lib/contracts/gke-workload-identity-cluster";
import { RayBucketAccessProps } from "../../lib/contracts/ray-bucket-access";
import { GkeWorkloadIdentityCluster } from "../../lib/gke-workload-identity-cluster";
import { RayBucketAccess } from "../../lib/ray-bucket-access";
import { installInto } from "../terraform/providers";
import { Terraform } from "../terraform/terraform";
import { Json } from "./json";
import { optionalProps } from "./optional-props";
import { GoogleApis } from "./server";

/**
 * For every optional prop: what is in Google after it was set, applied, taken out and applied again is what is there when it was
 * never set, and the plans after that are empty. Applied by the real provider.
 */
const PROJECT = "my-project-id";
const account = (name: string) => `${name}@${PROJECT}.iam.gserviceaccount.com`;
const KEY = `projects/${PROJECT}/locations/us-west1/keyRings/ray/cryptoKeys/ray`;
const MINUTES = 60_000;

interface Change {
  readonly cluster?: Partial<GkeWorkloadIdentityClusterProps>;
  readonly pool?: Partial<GkeNodePool>;
  readonly bucket?: Partial<RayBucketAccessProps>;
}

/** A prop that is not tried: why there is nothing to try, or where its docs say that there is no way back. */
interface NotTried {
  readonly because: string;
}

type Entry<Props> = Partial<Props> | NotTried;

const inKubernetes = { because: "it changes nothing in Google Cloud" };
const atCreation = { because: "decided when the cluster is created, as its docs say" };
const provider = { because: "which provider makes the resources" };
const noWayBack = { because: "google 6.50 has no way back, as its docs say" };

const CLUSTER: Readonly<Record<string, Entry<GkeWorkloadIdentityClusterProps>>> = {
  project: { project: PROJECT },
  autopilot: { because: "another kind of cluster: it is replaced" },
  dnsEndpoint: { dnsEndpoint: true },
  rayOperatorAddon: { rayOperatorAddon: true },
  gcsFuseAddon: { gcsFuseAddon: true },
  securityGroup: noWayBack,
  googleProvider: provider,
  kubernetesToken: inKubernetes,
  kubernetesProvider: provider,
  helmProvider: provider,
  nodePools: { because: "its own props are tried" },
  otherNodePools: { because: "it is a statement, and creates nothing" },
  nodeZones: { nodeZones: ["us-west1-c"] },
  network: atCreation,
  subnetwork: atCreation,
  podsRangeName: atCreation,
  servicesRangeName: atCreation,
  privateNodes: { privateNodes: true },
  authorizedNetworks: noWayBack,
  releaseChannel: { releaseChannel: GkeReleaseChannel.RAPID },
  maintenanceWindow: {
    maintenanceWindow: {
      startTime: "2026-01-03T02:00:00Z",
      endTime: "2026-01-03T08:00:00Z",
      recurrence: "FREQ=WEEKLY;BYDAY=SA",
    },
  },
  binaryAuthorization: { binaryAuthorization: true },
  nodeServiceAccountId: { nodeServiceAccountId: "other-nodes" },
  nodeServiceAccountEmail: { nodeServiceAccountEmail: account("nodes") },
  artifactRegistryAccess: { artifactRegistryAccess: true },
  bootDiskKmsKey: { bootDiskKmsKey: KEY },
  deletionProtection: { because: "it protects the cluster that is changed here" },
  resourceLabels: { resourceLabels: { team: "research" } },
  enableApis: { because: "APIs stay enabled, as its docs say" },
  timeoutMinutes: { timeoutMinutes: 60 },
};

const POOL: Readonly<Record<string, Entry<GkeNodePool>>> = {
  minNodeCount: { minNodeCount: 1 },
  initialNodeCount: { because: "only what a pool is created with" },
  zones: { zones: ["us-west1-a"] },
  locationPolicy: { locationPolicy: GkeLocationPolicy.ANY },
  upgradeSettings: { upgradeSettings: { blueGreen: { batchPercentage: 50, soakSeconds: 60 } } },
  diskSizeGb: { diskSizeGb: 200 },
  diskType: { diskType: "pd-ssd" },
  labels: { labels: { team: "research" } },
  resourceLabels: { resourceLabels: { team: "research" } },
  taints: { taints: [{ key: "team", value: "research", effect: GkeTaintEffect.NO_SCHEDULE }] },
  spot: { spot: true },
  imageStreaming: noWayBack,
  localSsdCount: { localSsdCount: 1 },
  reservationName: { reservationName: "my-reservation" },
  maxRunDurationSeconds: { maxRunDurationSeconds: 86_400 },
  flexStart: { flexStart: true },
  acceleratorType: { acceleratorType: "nvidia-tesla-t4" },
  acceleratorCount: { acceleratorType: "nvidia-tesla-t4", acceleratorCount: 2 },
  gpuDriverVersion: {
    acceleratorType: "nvidia-tesla-t4",
    gpuDriverVersion: GkeGpuDriverVersion.LATEST,
  },
  gpuSharing: {
    acceleratorType: "nvidia-tesla-t4",
    gpuSharing: { strategy: GkeGpuSharingStrategy.TIME_SHARING, maxSharedClientsPerGpu: 4 },
  },
  tpuTopology: { machineType: "ct6e-standard-4t", tpuTopology: "4x4", maxNodeCount: 4 },
  placementPolicyName: {
    machineType: "tpu7x-standard-4t",
    tpuTopology: "2x2x2",
    maxNodeCount: 2,
    placementPolicyName: "slices",
  },
};

const BUCKET: Readonly<Record<string, Entry<RayBucketAccessProps>>> = {
  createBucket: { because: "the bucket is then somebody else's" },
  identity: { because: "another construct" },
  namespace: { because: "required here" },
  serviceAccountName: { because: "required here" },
  readOnly: { readOnly: true },
  roles: { roles: [BucketRole.ADMIN] },
  objectPrefix: { objectPrefix: "team/" },
  bucketLocation: { bucketLocation: "US" },
  storageClass: { storageClass: "NEARLINE" },
  versioning: { versioning: true },
  softDeleteRetentionDays: noWayBack,
  lifecycleRules: { lifecycleRules: [{ ageDays: 0 }, { ageDays: 30, prefixes: ["tmp/"] }] },
  kmsKeyName: { kmsKeyName: KEY },
  accessLogBucketName: { accessLogBucketName: "my-access-logs" },
  createAccessLogGrant: { accessLogBucketName: "my-access-logs", createAccessLogGrant: true },
  labels: { labels: { team: "research" } },
  forceDestroy: { forceDestroy: true },
};

const IDENTITY: Readonly<Record<string, Entry<RayBucketAccessProps>>> = {
  createNamespace: inKubernetes,
  podSecurityStandard: inKubernetes,
  createServiceAccount: inKubernetes,
  automountServiceAccountToken: inKubernetes,
  googleServiceAccountId: { googleServiceAccountId: "my-iam-sa" },
  googleServiceAccountEmail: { googleServiceAccountEmail: account("existing") },
  projectNumber: { because: "needed here, where no project is looked up" },
};

test("every prop of a bucket is tried in some round", () => {
  const names = rounds().flatMap(([name]) => name.split(", "));

  expect(names).toEqual(
    expect.arrayContaining(
      [...changesOf("bucket", BUCKET), ...changesOf("bucket", IDENTITY)].map(([name]) => name),
    ),
  );
});

test("every optional prop has an entry here", () => {
  const cluster = "gke-workload-identity-cluster.ts";
  expect(Object.keys(CLUSTER)).toEqual([
    ...optionalProps(cluster, "GkeClusterOptions"),
    ...optionalProps(cluster, "GkeWorkloadIdentityClusterProps"),
  ]);
  expect(Object.keys(POOL)).toEqual(optionalProps("gke-node-pool.ts", "GkeNodePool"));
  expect(Object.keys(BUCKET)).toEqual(optionalProps("ray-bucket-access.ts", "RayBucketAccessProps"));
  expect(Object.keys(IDENTITY)).toEqual(optionalProps("workload-identity.ts", "WorkloadIdentityOptions"));
});

/** The Google part of a cluster with a bucket; returns the folder of its stack. */
function synthesize({ cluster = {}, pool = {}, bucket = {} }: Change): string {
  const outdir = mkdtempSync(join(tmpdir(), "synthesized-"));
  const app = new App({ outdir });
  const stack = new TerraformStack(app, "stack");
  new GoogleProvider(stack, "google", { project: PROJECT });
  const gke = new GkeWorkloadIdentityCluster(stack, "cluster", {
    clusterName: "ray",
    location: "us-west1-b",
    deletionProtection: false,
    nodePools: [{ name: "ray", machineType: "n1-standard-8", maxNodeCount: 1, ...pool }],
    ...cluster,
  });
  new RayBucketAccess(stack, "bucket", {
    cluster: gke,
    bucketName: "my-bucket",
    namespace: "ray",
    serviceAccountName: "ray",
    projectNumber: "123456789012",
    ...bucket,
  });
  app.synth();
  const folder = join(outdir, "stacks/stack");
  keepGoogle(join(folder, "cdk.tf.json"));
  return folder;
}

function keepGoogle(file: string): void {
  const config = JSON.parse(readFileSync(file, "utf8"));
  const google = (things: Json) =>
    Object.fromEntries(Object.entries(things).filter(([name]) => /^google/.test(name)));
  writeFileSync(
    file,
    JSON.stringify({
      ...config,
      provider: google(config.provider),
      resource: google(config.resource),
      terraform: { ...config.terraform, required_providers: google(config.terraform.required_providers) },
    }),
  );
}

/** A project of its own, to which changes are applied one after another. */
class Project {
  public static async start(installed: string): Promise<Project> {
    const apis = await GoogleApis.start({
      projectId: PROJECT,
      projectNumber: "123456789012",
      cluster: { endpoint: "198.18.0.1", caPem: "-----BEGIN CERTIFICATE-----\n" },
      seed: { serviceAccounts: ["nodes", "existing"].map(account), buckets: [{ name: "my-access-logs" }] },
    });
    process.env.TF_CLI_ARGS_init = `-plugin-dir=${join(installed, ".terraform/providers")}`;
    const options = { env: apis.terraformEnv(), logFile: join(installed, "terraform.log") };
    return new Project(apis, await Terraform.of(synthesize({}), options));
  }

  private constructor(
    private readonly apis: GoogleApis,
    private readonly terraform: Terraform,
  ) {}

  /** Applies, and returns what is in Google then. @throws when the next plan is not empty */
  public async apply(what: string, change: Change): Promise<Json> {
    await this.terraform.update(synthesize(change));
    await this.terraform.apply();
    const changes = await this.terraform.plannedChanges();
    expect({ [what]: changes.map(({ address, attributes }) => [address, attributes]) }).toEqual({
      [what]: [],
    });
    return this.state();
  }

  public async end(): Promise<void> {
    await this.apis.stop();
    this.terraform.remove();
  }

  private async state(): Promise<Json> {
    const get = async (path: string) => {
      const headers = { authorization: `Bearer ${this.apis.accessToken}` };
      return (await fetch(`${this.apis.url}/${path}`, { headers })).json() as Promise<Json>;
    };
    const { clusters } = await get(`v1/projects/${PROJECT}/locations/-/clusters`);
    const buckets = await get(`storage/v1/b?project=${PROJECT}`);
    const granted = this.apis.policies.entries().filter(([, { bindings }]) => bindings.length > 0);
    const policies = Object.fromEntries(granted.sort());
    const names = Object.values(this.apis.snapshot()).map((things) => [...things].sort());
    return stable({ clusters, buckets, policies, names });
  }
}

/** What every new thing has of its own, and the times and versions of changes. */
const OWN = [
  "createTime",
  "etag",
  "id",
  "endpoint",
  "timeCreated",
  "updated",
  "generation",
  "metageneration",
];
const TIMES = ["effectiveTime", "lockedTime", "labelFingerprint"];

function stable(value: any): any {
  if (Array.isArray(value)) return value.map(stable);
  if (value === null || typeof value !== "object") return value;
  const kept = Object.entries(value).filter(([name]) => ![...OWN, ...TIMES].includes(name));
  return Object.fromEntries(kept.map(([name, item]) => [name, stable(item)]));
}

/** The props of one kind that are tried, as changes. */
function changesOf(kind: keyof Change, entries: Readonly<Record<string, object>>): [string, Change][] {
  return Object.entries(entries)
    .filter(([, entry]) => !("because" in entry))
    .map(([prop, entry]) => [`${kind}.${prop}`, { [kind]: entry }]);
}

/** A prop of the cluster or a pool at a time, and one of the bucket: they are of different resources, so that none hides another. */
function rounds(): [string, Change][] {
  const clusters = [...changesOf("cluster", CLUSTER), ...changesOf("pool", POOL)];
  const buckets = [...changesOf("bucket", BUCKET), ...changesOf("bucket", IDENTITY)];
  return clusters.map(([name, change], index) => {
    const [bucketName, bucket] = buckets[index] ?? [];
    return bucket === undefined ? [name, change] : [`${name}, ${bucketName}`, { ...change, ...bucket }];
  });
}

const installed = mkdtempSync(join(tmpdir(), "terraform-"));
const unavailable = installInto(installed, { google: { source: "hashicorp/google", version: "6.50.0" } });
afterAll(() => rmSync(installed, { recursive: true, force: true }));

if (unavailable) test.skip(`with, then without (skipped: ${unavailable})`, () => {});
else {
  /** Two at a time, each in a project of its own: most of the time is Terraform's. */
  const halves = [0, 1].map((half) => rounds().filter((_change, index) => index % 2 === half));
  test.concurrent.each(halves.map((half, index) => [index + 1, half] as const))(
    "with, then without, is never: half %s of the rounds",
    async (_half, some) => {
      const project = await Project.start(installed);
      try {
        const never = await project.apply("never", {});
        for (const [prop, change] of some) {
          await project.apply(`with ${prop}`, change);
          const after = await project.apply(`without ${prop}`, {});
          expect({ [prop]: after }).toEqual({ [prop]: never });
        }
      } finally {
        await project.end();
      }
    },
    20 * MINUTES,
  );
}
