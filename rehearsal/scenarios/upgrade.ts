import { BucketRole } from "../../lib/contracts/bucket-role";
import { GkeNodePool, GkeTaintEffect } from "../../lib/contracts/gke-node-pool";
import { GkeReleaseChannel } from "../../lib/contracts/gke-workload-identity-cluster";
import { RayClusterUpgradeStrategy } from "../../lib/contracts/ray-cluster";
import { RayWorkerGroup } from "../../lib/contracts/ray-groups";
import { expect, Scenario, Stage } from "../stage/stage";
import { PlannedChange, Terraform } from "../terraform/terraform";
import { merge, PLATFORM, PLATFORM_SITE, PlatformChange, synthesizePlatform } from "./support/platform";

/** What is done to which resource, and for an update to which of its attributes. */
type Planned = readonly [action: string, address: string, ...attributes: string[]];

/** One prop that is given another value. */
interface Upgrade {
  /** The prop. */
  readonly prop: string;
  readonly change: PlatformChange;
  /** All that the plan shows. */
  readonly plan: readonly Planned[];
  /** @default - each running pod stays */
  readonly pods?: Pods;
  /** What the plan shows when the prop is set back, and what becomes of the pods. @default - the same, the other way round */
  readonly back?: { readonly plan?: readonly Planned[]; readonly pods?: Pods };
}

type Pods = "stay" | "replaced";

const CLUSTER = "google_container_cluster.cluster";
const POOL = "google_container_node_pool.cluster_pool-ray";
const GPU_POOL = "google_container_node_pool.cluster_pool-gpu";
const BUCKET = "google_storage_bucket.bucket";
const GRANT = "google_storage_bucket_iam_member.bucket_grant-storage";
const POLICY = "kubernetes_network_policy_v1.ray_network-policy";
const RELEASE = "helm_release.ray_ray-cluster";

/** What holds everything else; none of these changes is worth that. */
const NEVER_REPLACED = ["google_container_cluster", "google_storage_bucket"];

/** What the google provider keeps of labels besides the labels themselves. */
const LABELS_IN_STATE = ["effective_labels", "terraform_labels"];

const APIS = ["cloudresourcemanager", "compute", "container", "iam", "iamcredentials", "storage"];

/** Taken out again, it stays, as its docs say. */
const STAYS = { plan: [] };

function cluster(prop: string, value: unknown, ...plan: Planned[]): Upgrade {
  return { prop: `cluster.${prop}`, change: { cluster: { [prop]: value } }, plan };
}

const CLUSTER_UPGRADES: readonly Upgrade[] = [
  cluster("resourceLabels", { team: "research" }, ["update", CLUSTER, "resource_labels", ...LABELS_IN_STATE]),
  cluster("releaseChannel", GkeReleaseChannel.STABLE, ["update", CLUSTER, "release_channel"]),
  cluster(
    "maintenanceWindow",
    {
      startTime: "2026-01-03T02:00:00Z",
      endTime: "2026-01-03T08:00:00Z",
      recurrence: "FREQ=WEEKLY;BYDAY=SA,SU",
    },
    ["update", CLUSTER, "maintenance_policy"],
  ),
  {
    ...cluster(
      "authorizedNetworks",
      [{ cidrBlock: "203.0.113.0/24", displayName: "office" }],
      ["update", CLUSTER, "master_authorized_networks_config"],
    ),
    back: STAYS,
  },
  cluster("binaryAuthorization", true, ["update", CLUSTER, "binary_authorization"]),
  {
    ...cluster("securityGroup", "gke-security-groups@example.com", [
      "update",
      CLUSTER,
      "authenticator_groups_config",
    ]),
    back: STAYS,
  },
  cluster("gcsFuseAddon", true, ["update", CLUSTER, "addons_config.0.gcs_fuse_csi_driver_config"]),
  cluster("rayOperatorAddon", true, ["update", CLUSTER, "addons_config.0.ray_operator_config"]),
  cluster("nodeZones", ["us-west1-c"], ["update", CLUSTER, "node_locations"]),
  cluster(
    "enableApis",
    true,
    ...APIS.map((api): Planned => ["create", `google_project_service.cluster_api-${api}`]),
  ),
  cluster("deletionProtection", false, ["update", CLUSTER, "deletion_protection"]),
  cluster("timeoutMinutes", 60),
];

const RAY_POOL: GkeNodePool = { name: "ray", machineType: "e2-standard-8", maxNodeCount: 1 };

/** Each change of the pool is kept by those that follow. */
function poolUpgrades(): Upgrade[] {
  const changes: readonly [Partial<GkeNodePool>, ...Planned[]][] = [
    [{ maxNodeCount: 3 }, ["update", POOL, "autoscaling.0.max_node_count"]],
    [{ minNodeCount: 1 }, ["update", POOL, "autoscaling.0.min_node_count"]],
    [{ initialNodeCount: 2 }],
    [{ labels: { team: "research" } }, ["update", POOL, "node_config.0.labels"]],
    [
      { taints: [{ key: "team", value: "research", effect: GkeTaintEffect.PREFER_NO_SCHEDULE }] },
      ["update", POOL, "node_config.0.taint"],
    ],
    [{ machineType: "e2-standard-16" }, ["update", POOL, "node_config.0.machine_type"]],
    [{ diskSizeGb: 200 }, ["update", POOL, "node_config.0.disk_size_gb"]],
    [{ diskType: "pd-ssd" }, ["update", POOL, "node_config.0.disk_type"]],
    [{ zones: ["us-west1-c"] }, ["update", POOL, "node_locations"]],
  ];
  let pool = RAY_POOL;
  const upgrades = changes.map(([change, ...plan]): Upgrade => {
    pool = { ...pool, ...change };
    return {
      prop: `cluster.nodePools[0].${Object.keys(change)[0]}`,
      change: { cluster: { nodePools: [pool] } },
      plan,
    };
  });
  const gpu = { name: "gpu", machineType: "g2-standard-12", maxNodeCount: 1, acceleratorType: "nvidia-l4" };
  return [
    ...upgrades,
    {
      prop: "cluster.nodePools, one more",
      change: { cluster: { nodePools: [pool, gpu] } },
      plan: [["create", GPU_POOL]],
    },
    {
      prop: "cluster.nodePools[1].spot",
      change: { cluster: { nodePools: [pool, { ...gpu, spot: true }] } },
      plan: [["replace", GPU_POOL]],
    },
    {
      prop: "cluster.nodePools, one less",
      change: { cluster: { nodePools: [pool] } },
      plan: [["delete", GPU_POOL]],
    },
  ];
}

function bucket(prop: string, value: unknown, ...plan: Planned[]): Upgrade {
  return { prop: `bucket.${prop}`, change: { bucket: { [prop]: value } }, plan };
}

const BUCKET_UPGRADES: readonly Upgrade[] = [
  bucket("labels", { team: "research" }, ["update", BUCKET, "labels", ...LABELS_IN_STATE]),
  bucket("versioning", true, ["update", BUCKET, "versioning"]),
  bucket("lifecycleRules", [{ ageDays: 30, prefixes: ["tmp/"] }], ["update", BUCKET, "lifecycle_rule"]),
  { ...bucket("softDeleteRetentionDays", 14, ["update", BUCKET, "soft_delete_policy"]), back: STAYS },
  bucket("storageClass", "NEARLINE", ["update", BUCKET, "storage_class"]),
  bucket("accessLogBucketName", "my-access-logs", ["update", BUCKET, "logging"]),
  bucket("kmsKeyName", "projects/my-project-id/locations/us-west1/keyRings/ray/cryptoKeys/ray", [
    "update",
    BUCKET,
    "encryption",
  ]),
  bucket("forceDestroy", true, ["update", BUCKET, "force_destroy"]),
  bucket("readOnly", true, ["delete", `${GRANT}-objectUser`], ["create", `${GRANT}-objectViewer`]),
  {
    prop: "bucket.roles",
    change: { bucket: { readOnly: undefined, roles: [BucketRole.ADMIN] } },
    plan: [
      ["delete", `${GRANT}-objectViewer`],
      ["delete", `${GRANT}-bucketViewer`],
      ["create", `${GRANT}-admin`],
    ],
  },
  bucket("objectPrefix", "team/", ["delete", `${GRANT}-admin`], ["create", `${GRANT}-admin`]),
  bucket(
    "googleServiceAccountId",
    "my-iam-sa",
    ["create", "google_service_account.bucket_identity_google-service-account"],
    ["create", "google_service_account_iam_member.bucket_identity_workload-identity-user"],
    ["replace", `${GRANT}-admin`],
    ["update", "kubernetes_service_account_v1.bucket_identity_service-account", "metadata.0.annotations"],
  ),
];

const HEAD = { cpu: 1, memoryGiB: 4 };
const GROUP: RayWorkerGroup = { groupName: "cpu", cpu: 1, memoryGiB: 4, minReplicas: 1, maxReplicas: 2 };
const LARGER = { ...GROUP, maxReplicas: 3 };

/** A change of the release, named by what changes in the RayCluster. */
function release(...fields: string[]): Planned {
  return ["update", RELEASE, "id", "metadata", ...fields.map((field) => `values.0.manifests.0.${field}`)];
}

function ray(
  prop: string,
  change: PlatformChange["ray"],
  plan: Planned,
  pods?: Pods,
  back?: Upgrade["back"],
): Upgrade {
  return { prop: `ray.${prop}`, change: { ray: change }, plan: [plan], pods, back };
}

const HEAD_SPEC = "spec.headGroupSpec.template.spec";
const WORKER_SPEC = "spec.workerGroupSpecs.0.template.spec";

const RAY_UPGRADES: readonly Upgrade[] = [
  ray("networkPeers", { networkPeers: [{ namespace: "notebooks" }] }, ["update", POLICY, "spec.0.ingress.1"]),
  ray(
    "workerGroups[0].maxReplicas",
    { workerGroups: [LARGER] },
    release("spec.workerGroupSpecs.0.maxReplicas"),
  ),
  // KubeRay does not take a toleration for a change, because others than the user add some. The pod that waits on destroy has it too.
  ray("head.tolerations", { head: { ...HEAD, tolerations: [{ key: "team", value: "research" }] } }, [
    ...release(`${HEAD_SPEC}.tolerations`),
    "values.0.drain.pod.tolerations",
  ]),
  ray("networkPolicy, off", { networkPolicy: false, networkPeers: undefined }, ["delete", POLICY]),
  ray("networkPolicy, on", { networkPolicy: true }, ["create", POLICY]),
  ray(
    "upgradeStrategy, NONE",
    { upgradeStrategy: RayClusterUpgradeStrategy.NONE },
    release("spec.upgradeStrategy"),
    "stay",
    // They still have the environment that was taken back meanwhile.
    { pods: "replaced" },
  ),
  // The toleration goes with it.
  ray("head.env, with NONE", { head: { ...HEAD, env: { TEAM: "research" } } }, [
    ...release(HEAD_SPEC),
    "values.0.drain.pod.tolerations",
  ]),
  ray(
    "upgradeStrategy, RECREATE",
    { upgradeStrategy: undefined },
    release("spec.upgradeStrategy"),
    "replaced",
    { pods: "stay" },
  ),
  ray("head.env", { head: HEAD }, release(`${HEAD_SPEC}.containers.0.env`), "replaced"),
  ray(
    "head.numCpus",
    { head: { ...HEAD, numCpus: 0 } },
    release("spec.headGroupSpec.rayStartParams"),
    "replaced",
  ),
  ray(
    "autoscalerOptions",
    { autoscalerOptions: { idleTimeoutSeconds: 120 } },
    release("spec.autoscalerOptions.idleTimeoutSeconds"),
    "replaced",
  ),
  ray(
    "workerGroups, one more",
    { workerGroups: [LARGER, { ...GROUP, groupName: "more", minReplicas: 0 }] },
    release("spec.workerGroupSpecs.1"),
    "replaced",
  ),
  ray("workerGroups, one less", { workerGroups: [LARGER] }, release("spec.workerGroupSpecs.1"), "replaced"),
  // Another name of the same image, because no other is on the node.
  {
    prop: "ray.image",
    change: { ray: { image: "docker.io/rayproject/ray:2.60.0" } },
    plan: [
      [
        ...release(`${HEAD_SPEC}.containers.0.image`, `${WORKER_SPEC}.containers.0.image`),
        "values.0.drain.pod.containers.0.image",
      ],
    ],
    pods: "replaced",
  },
  // The image is given, so that it is the version that the operator reads.
  ray("rayVersion", { rayVersion: "2.59.0" }, release("spec.rayVersion"), "replaced"),
  ray(
    "labels",
    { labels: { team: "research" } },
    release(
      "metadata.labels",
      "spec.headGroupSpec.template.metadata",
      "spec.workerGroupSpecs.0.template.metadata",
    ),
    "replaced",
  ),
];

const START: PlatformChange = {
  cluster: { nodePools: [RAY_POOL] },
  operator: { kuberayVersion: "1.6.2" },
  ray: { head: HEAD, workerGroups: [GROUP] },
  // Half a minute for every pod that is replaced would be most of the time that this takes.
  overrides: {
    "spec.headGroupSpec.template.spec.terminationGracePeriodSeconds": 1,
    "spec.workerGroupSpecs.0.template.spec.terminationGracePeriodSeconds": 1,
  },
};

/** One change of each construct at a time: they are of different resources, so that none can hide another. */
function rounds(): Upgrade[][] {
  const lists = [CLUSTER_UPGRADES, poolUpgrades(), BUCKET_UPGRADES, RAY_UPGRADES];
  const count = Math.max(...lists.map(({ length }) => length));
  return Array.from({ length: count }, (_, round) => lists.flatMap((list) => list[round] ?? []));
}

export const upgrade: Scenario = {
  name: "upgrade",
  title:
    "each prop that may change is changed and set back: the plan shows that and nothing else, and pods follow",
  needs: ["pods", "terraform"],
  long: true,
  async run(stage) {
    const site = await stage.site(PLATFORM_SITE);
    await site.startOperator(0).ready;
    await stage.begin();
    const first = site.google.snapshot();
    stage.step("apply");
    const terraform = await site.terraform(synthesizePlatform(START));
    await terraform.apply();
    const pods = stage.ray(PLATFORM.namespace, PLATFORM.rayClusterName);
    stage.step("pods");
    await stage.node.waitFor("a head and a worker", 60_000, async () => (await pods.list()).length === 2);

    const inGoogle = site.google.snapshot();

    const states = [START];
    for (const round of rounds()) {
      stage.step(`change of ${round.map(({ prop }) => prop).join(", ")}`);
      states.push(round.reduce((merged, { change }) => merge(merged, change), states[states.length - 1]));
      await perform(stage, terraform, states[states.length - 1], round);
    }
    stage.step("pods of the last change");
    await pods.waitForHead();
    await pods.waitForWorkers(1);

    for (const round of rounds().reverse()) {
      stage.step(`back with ${round.map(({ prop }) => prop).join(", ")}`);
      states.pop();
      await perform(stage, terraform, states[states.length - 1], round.map(undone));
    }
    stage.step("pods as they were");
    await pods.waitForHead();
    await pods.waitForWorkers(1);
    const now = site.google.snapshot();
    expect(JSON.stringify(now) === JSON.stringify(inGoogle), "Google has other things than before", now);

    await terraform.update(synthesizePlatform(merge(START, { cluster: { deletionProtection: false } })));
    await terraform.apply();

    stage.step("destroy");
    await terraform.destroy();
    await stage.expectNothingLeft(site, first);
  },
};

/** The same prop as it was before. */
function undone({ back, plan, pods, ...upgrade }: Upgrade): Upgrade {
  const inverse = { create: "delete", delete: "create" } as { [action: string]: string | undefined };
  const reversed = plan.map(
    ([action, ...rest]): Planned => [inverse[action] ?? action, ...rest] as unknown as Planned,
  );
  return { ...upgrade, plan: back?.plan ?? reversed, pods: back?.pods ?? pods };
}

async function perform(
  stage: Stage,
  terraform: Terraform,
  state: PlatformChange,
  round: readonly Upgrade[],
): Promise<void> {
  const before = await podUids(stage);
  await terraform.update(synthesizePlatform(state));
  expectPlan(
    await terraform.plannedChanges(),
    round.flatMap(({ plan }) => plan),
  );
  // What is there was read for that plan.
  await terraform.apply("-refresh=false");
  const changes = await terraform.plannedChanges();
  expect(changes.length === 0, "the second plan is not empty", changes);
  if (round.some(({ pods }) => pods === "replaced")) {
    await stage.node.waitFor("other pods", 120_000, async () => {
      const now = await podUids(stage);
      return now.length === before.length && now.every((uid) => !before.includes(uid));
    });
  } else {
    const now = await podUids(stage);
    expect(now.join() === before.join(), "pods were replaced", { before, now });
  }
}

async function podUids(stage: Stage): Promise<string[]> {
  const pods = await stage.ray(PLATFORM.namespace, PLATFORM.rayClusterName).list();
  return pods.map(({ metadata }) => metadata.uid!).sort();
}

/** @throws unless a plan shows these changes, of these attributes, and no other */
function expectPlan(changes: readonly PlannedChange[], expected: readonly Planned[]): void {
  const replaced = changes.filter(
    ({ address, actions }) => actions.includes("delete") && NEVER_REPLACED.includes(address.split(".")[0]),
  );
  expect(replaced.length === 0, "the plan replaces what holds everything", replaced);
  const open = [...changes];
  for (const [action, address, ...attributes] of expected) {
    const at = open.findIndex((change) => actionOf(change) === action && nameOf(change) === address);
    expect(at >= 0, `the plan does not ${action} ${address}`, open);
    const [change] = open.splice(at, 1);
    if (action !== "update") continue;
    const begins = (path: string, start: string) => path === start || path.startsWith(`${start}.`);
    const others = change.attributes.filter((path) => !attributes.some((start) => begins(path, start)));
    expect(others.length === 0, `the plan changes more of ${address}`, others);
    const missing = attributes.filter((start) => !change.attributes.some((path) => begins(path, start)));
    expect(missing.length === 0, `the plan leaves parts of ${address} as they are`, missing);
  }
  expect(open.length === 0, "the plan shows more", open);
}

function actionOf({ actions }: PlannedChange): string {
  return actions.length > 1 ? "replace" : actions[0];
}

/** Without the hashes that stand behind every name. */
function nameOf({ address }: PlannedChange): string {
  return address.replace(/(-[0-9a-f]{6})?_[0-9A-F]{8}$/, "");
}
