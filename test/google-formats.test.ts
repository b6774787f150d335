import { TerraformVariable } from "cdktf";
import {
  BucketRole,
  GkeNodePool,
  GkeTaintEffect,
  GkeWorkloadIdentityClusterProps,
  RayBucketAccessProps,
} from "../lib";
import { bucketAccess, emptyStack, existingCluster, standardCluster } from "./support/stacks";

const pool: GkeNodePool = { name: "ray", machineType: "e2-standard-8", maxNodeCount: 1 };
const window = {
  startTime: "2026-01-03T02:00:00Z",
  endTime: "2026-01-03T08:00:00Z",
  recurrence: "FREQ=WEEKLY;BYDAY=SA,SU",
};

function create(props: Partial<GkeWorkloadIdentityClusterProps>): () => void {
  return () => void standardCluster(emptyStack(), props);
}

/** What synth warns of. */
function warningsOf(run: () => { node: { metadata: { type: string; data?: any }[] } }): string[] {
  return run()
    .node.metadata.filter(({ type }) => type === "@cdktf/warn")
    .map(({ data }) => data);
}

function poolWarnings(more: Partial<GkeNodePool>): string[] {
  return warningsOf(() => standardCluster(emptyStack(), { nodePools: [{ ...pool, ...more }] }));
}

test.each<[string, Partial<GkeWorkloadIdentityClusterProps>, string]>([
  [
    "a range with host bits",
    { authorizedNetworks: [{ cidrBlock: "203.0.113.7/24" }] },
    `'authorizedNetworks[0].cidrBlock' must be the range itself, "203.0.113.0/24", got "203.0.113.7/24"`,
  ],
  [
    "a range of numbers that are none of an address",
    { authorizedNetworks: [{ cidrBlock: "300.0.0.0/8" }] },
    `'authorizedNetworks[0].cidrBlock' must be an address range such as "203.0.113.0/24", got "300.0.0.0/8"`,
  ],
  [
    "a length beyond an address",
    { authorizedNetworks: [{ cidrBlock: "10.0.0.0/33" }] },
    `'authorizedNetworks[0].cidrBlock' must be an address range such as "203.0.113.0/24", got "10.0.0.0/33"`,
  ],
  [
    "a label in capitals",
    { resourceLabels: { Team: "a" } },
    `'resourceLabels' must have keys of 1 to 63 lower-case letters, digits, _ and -, starting with a letter, got "Team"`,
  ],
  [
    "a label whose value is in capitals",
    { resourceLabels: { team: "Research" } },
    `'resourceLabels.team' must be at most 63 lower-case letters, digits, _ and -, got "Research"`,
  ],
  [
    "more labels than a resource can have",
    { resourceLabels: Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`l${index}`, "a"])) },
    "'resourceLabels' must have at most 64 labels, got 65",
  ],
  [
    "a window that is an hour of the day",
    { maintenanceWindow: { ...window, startTime: "02:00" } },
    `'maintenanceWindow.startTime' must be a time of RFC 3339, such as "2026-01-03T02:00:00Z", got "02:00"`,
  ],
  [
    "a window on a day that there is not",
    { maintenanceWindow: { ...window, endTime: "2026-13-03T08:00:00Z" } },
    `'maintenanceWindow.endTime' must be a time of RFC 3339, such as "2026-01-03T02:00:00Z", got "2026-13-03T08:00:00Z"`,
  ],
  [
    "a window that ends before it begins",
    { maintenanceWindow: { ...window, endTime: "2026-01-02T08:00:00Z" } },
    `'maintenanceWindow.endTime' must be at least 4 hours after startTime, got "2026-01-02T08:00:00Z"`,
  ],
  [
    "a window of an hour",
    { maintenanceWindow: { ...window, endTime: "2026-01-03T03:00:00Z" } },
    `'maintenanceWindow.endTime' must be at least 4 hours after startTime, got "2026-01-03T03:00:00Z"`,
  ],
  [
    "a recurrence in words",
    { maintenanceWindow: { ...window, recurrence: "weekly" } },
    `'maintenanceWindow.recurrence' must be a rule of RFC 5545, such as "FREQ=WEEKLY;BYDAY=SA,SU", got "weekly"`,
  ],
  [
    "a node label of Kubernetes",
    { nodePools: [{ ...pool, labels: { "kubernetes.io/role": "ray" } }] },
    `'nodePools[0].labels' must not have keys under kubernetes.io or k8s.io, which GKE refuses, got "kubernetes.io/role"`,
  ],
  [
    "a node label with a blank",
    { nodePools: [{ ...pool, labels: { "my team": "a" } }] },
    `'nodePools[0].labels' must have keys of Kubernetes labels, such as "team" or "example.com/team", got "my team"`,
  ],
  [
    "a node label whose value has a blank",
    { nodePools: [{ ...pool, labels: { team: "a b" } }] },
    `'nodePools[0].labels.team' must be at most 63 letters, digits, -, _ and ., starting and ending with a letter or digit, got "a b"`,
  ],
  [
    "a taint with a blank",
    { nodePools: [{ ...pool, taints: [{ key: "my team", value: "a", effect: GkeTaintEffect.NO_EXECUTE }] }] },
    `'nodePools[0].taints[0].key' must have keys of Kubernetes labels, such as "team" or "example.com/team", got "my team"`,
  ],
  [
    "a disk type without its family",
    { nodePools: [{ ...pool, diskType: "ssd" }] },
    `'nodePools[0].diskType' must be a disk type, such as "pd-balanced", got "ssd"`,
  ],
  [
    "a disk that a series lacks",
    { nodePools: [{ ...pool, machineType: "n4-standard-8", diskType: "pd-ssd" }] },
    `'nodePools[0].diskType' must be one that a n4-standard-8 can boot from, such as hyperdisk-balanced, got "pd-ssd"`,
  ],
  [
    "a Hyperdisk on a series without",
    { nodePools: [{ ...pool, diskType: "hyperdisk-balanced" }] },
    `'nodePools[0].diskType' must be one that a e2-standard-8 can boot from, such as pd-balanced, got "hyperdisk-balanced"`,
  ],
  [
    "a machine type that is none",
    { nodePools: [{ ...pool, machineType: "large" }] },
    `'nodePools[0].machineType' must be a machine type, such as "e2-standard-8", got "large"`,
  ],
  [
    "a GPU as it is sold",
    { nodePools: [{ ...pool, machineType: "g2-standard-12", acceleratorType: "L4" }] },
    `'nodePools[0].acceleratorType' must be a type as GKE names it, such as "nvidia-l4", got "L4"`,
  ],
  [
    "an L4 on a machine that cannot have it",
    { nodePools: [{ ...pool, machineType: "n1-standard-8", acceleratorType: "nvidia-l4" }] },
    `'nodePools[0].acceleratorType' must be one that a n1-standard-8 has or can have, got "nvidia-l4"`,
  ],
  [
    "a GPU on a machine without",
    { nodePools: [{ ...pool, acceleratorType: "nvidia-tesla-t4" }] },
    `'nodePools[0].acceleratorType' must be one that a e2-standard-8 has or can have, got "nvidia-tesla-t4"`,
  ],
  [
    "two GPUs on a machine with one",
    {
      nodePools: [
        { ...pool, machineType: "g2-standard-12", acceleratorType: "nvidia-l4", acceleratorCount: 2 },
      ],
    },
    "'nodePools[0].acceleratorCount' must be 1, as a g2-standard-12 has them, got 2",
  ],
  [
    "one GPU on a machine with eight",
    { nodePools: [{ ...pool, machineType: "a3-highgpu-8g", acceleratorType: "nvidia-h100-80gb" }] },
    "'nodePools[0].acceleratorCount' must be 8, as a a3-highgpu-8g has them, got 1",
  ],
  [
    "three GPUs where 1, 2 or 4 can be attached",
    {
      nodePools: [
        { ...pool, machineType: "n1-standard-8", acceleratorType: "nvidia-tesla-t4", acceleratorCount: 3 },
      ],
    },
    "'nodePools[0].acceleratorCount' must be 1, 2, 4, as a n1-standard-8 has them, got 3",
  ],
])("%s is refused", (_what, props, message) => {
  expect(create(props)).toThrow(new Error(`${message} (at stack/cluster)`));
});

test.each<[string, Partial<RayBucketAccessProps>, string]>([
  [
    "a key that is no path",
    { kmsKeyName: "my-key" },
    `'kmsKeyName' must be the path of a Cloud KMS key, such as "projects/my-project/locations/us-west1/keyRings/ring/cryptoKeys/key", got "my-key"`,
  ],
  [
    "a role without roles/",
    { roles: [BucketRole.of("storage.objectAdmin")] },
    `'roles[0]' must be the name of a role, such as "roles/storage.objectAdmin" or "projects/my-project/roles/myRole", got "storage.objectAdmin"`,
  ],
  [
    "a label in capitals",
    { labels: { Team: "a" } },
    `'labels' must have keys of 1 to 63 lower-case letters, digits, _ and -, starting with a letter, got "Team"`,
  ],
])("of a bucket %s is refused", (_what, props, message) => {
  const stack = emptyStack();

  expect(() => bucketAccess(stack, existingCluster(stack), props)).toThrow(
    new Error(`${message} (at stack/bucket)`),
  );
});

test("what Google may have by now is a warning that names the nearest", () => {
  expect(warningsOf(() => standardCluster(emptyStack(), { location: "us-wets1" }))).toEqual([
    `'location' is no region that is known here, got "us-wets1"; the nearest known is "us-west1"`,
  ]);
  expect(poolWarnings({ machineType: "e2-standrad-8" })).toEqual([
    `'nodePools[0].machineType' is no machine type that is known here, got "e2-standrad-8"; the nearest known is "e2-standard-8"`,
  ]);
  expect(poolWarnings({ diskType: "pd-balancd" })).toEqual([
    `'nodePools[0].diskType' is no disk type that is known here, got "pd-balancd"; the nearest known is "pd-balanced"`,
  ]);
  expect(poolWarnings({ machineType: "g2-standard-12", acceleratorType: "nvidia-l44" })).toEqual([
    `'nodePools[0].acceleratorType' is no GPU type that is known here, got "nvidia-l44"; the nearest known is "nvidia-l4"`,
  ]);
  const stack = emptyStack();
  expect(warningsOf(() => bucketAccess(stack, existingCluster(stack), { storageClass: "NEARLIN" }))).toEqual([
    `'storageClass' is no storage class that is known here, got "NEARLIN"; the nearest known is "NEARLINE"`,
  ]);
});

test.each([
  ...["e2-standard-8", "n2-highmem-64", "n1-standard-4", "e2-medium", "custom-2-8192", "n2d-custom-4-16384"],
  ...[
    "c3-standard-8-lssd",
    "m3-ultramem-32",
    "g2-standard-12",
    "a3-megagpu-8g",
    "ct5lp-hightpu-4t",
    "z3-highmem-88",
  ],
])("%s is known", (machineType) => {
  expect(poolWarnings({ machineType })).toEqual([]);
});

test("what Terraform alone knows is not judged", () => {
  const stack = emptyStack();
  const text = new TerraformVariable(stack, "text", { type: "string" }).stringValue;
  const cluster = standardCluster(stack, {
    location: text,
    authorizedNetworks: [{ cidrBlock: text }],
    resourceLabels: { team: text },
    maintenanceWindow: { startTime: text, endTime: text, recurrence: text },
    bootDiskKmsKey: text,
    nodePools: [
      {
        ...pool,
        machineType: text,
        diskType: text,
        acceleratorType: text,
        labels: { team: text },
        taints: [{ key: text, value: text, effect: GkeTaintEffect.NO_EXECUTE }],
      },
    ],
  });
  bucketAccess(stack, cluster, {
    kmsKeyName: text,
    storageClass: text,
    roles: [BucketRole.of(text)],
    labels: { team: text },
  });

  expect(cluster.node.metadata.filter(({ type }) => type === "@cdktf/warn")).toEqual([]);
});
