import {
  GkeNodePool,
  GkeTaintEffect,
  GkeWorkloadIdentityClusterProps,
  RayBucketAccessProps,
  RayGroup,
} from "../lib";
import { bucketAccess, emptyStack, rayCluster, standardCluster, warningsOf } from "./support/stacks";

/** A second pool, so that what GKE needs for its own pods is there. */
function withPool(pool: object): () => unknown {
  const first = { name: "first", machineType: "e2-standard-8", maxNodeCount: 1 };
  const second = { ...first, name: "second", ...pool } as GkeNodePool;
  return () => standardCluster(emptyStack(), { nodePools: [first, second] });
}

const GPU = { machineType: "g2-standard-12", acceleratorType: "nvidia-l4" };
const TAINT = { key: "team", value: "a", effect: GkeTaintEffect.NO_SCHEDULE };
const VALUE_RULE = "be at most 63 letters, digits, -, _ and ., starting and ending with a letter or digit";

test.each<[string, object, string]>([
  [
    "diskType",
    { diskType: "hyperdisk-ml" },
    `be a disk that machines boot from, such as hyperdisk-balanced, got "hyperdisk-ml"`,
  ],
  ["taints[0].value", { taints: [{ ...TAINT, value: "a b" }] }, `${VALUE_RULE}, got "a b"`],
  [
    "taints[0].effect",
    { taints: [{ ...TAINT, effect: "NoSchedule" }] },
    `be NO_SCHEDULE, PREFER_NO_SCHEDULE, NO_EXECUTE, got "NoSchedule"`,
  ],
  [
    "reservationName",
    { reservationName: "My_Res" },
    `be the name of a reservation, such as "gpus", or of a shared one, "projects/my-project/reservations/gpus", got "My_Res"`,
  ],
  [
    "gpuSharing.strategy",
    { ...GPU, gpuSharing: { strategy: "time-sharing", maxSharedClientsPerGpu: 2 } },
    `be TIME_SHARING, MPS, got "time-sharing"`,
  ],
  [
    "gpuDriverVersion",
    { ...GPU, gpuDriverVersion: "newest" },
    `be DEFAULT, LATEST, INSTALLATION_DISABLED, got "newest"`,
  ],
  ["locationPolicy", { locationPolicy: "RANDOM" }, `be BALANCED, ANY, got "RANDOM"`],
  ["zones[1]", { zones: ["us-west1-b", "us-west1-b"] }, `be named once, got "us-west1-b"`],
])("a pool's %s is what Google takes", (property, pool, requirement) => {
  expect(withPool(pool)).toThrow(
    new Error(`'nodePools[1].${property}' must ${requirement} (at stack/cluster)`),
  );
});

test.each<[string, object]>([
  ["a reservation of another project", { reservationName: "projects/my-project/reservations/gpus" }],
  ["a part of such a reservation", { reservationName: "projects/p/reservations/r/reservationBlocks/b" }],
  ["a disk of newer machines", { machineType: "c4-standard-8", diskType: "hyperdisk-balanced" }],
  ["two zones", { zones: ["us-west1-b", "us-west1-c"] }],
])("%s is taken", (_what, pool) => {
  expect(withPool(pool)).not.toThrow();
});

test.each<[string, unknown, string]>([
  ["releaseChannel", "regular", `be RAPID, REGULAR, STABLE, EXTENDED, got "regular"`],
  [
    "deletionProtection",
    "false",
    "be true or false, not a reference: Terraform decides on 'prevent_destroy' before it knows",
  ],
])("a cluster's %s is one of its words", (property, value, requirement) => {
  const props = { [property]: value } as Partial<GkeWorkloadIdentityClusterProps>;

  expect(() => standardCluster(emptyStack(), props)).toThrow(
    new Error(`'${property}' must ${requirement} (at stack/cluster)`),
  );
});

test("zones that a region is not known to have are warned of, wherever they are given", () => {
  const stack = emptyStack();
  standardCluster(stack, { location: "us-east1-a", nodeZones: ["us-east1-z", "us-east1-d"] });

  expect(warningsOf(stack)).toEqual([
    [
      "stack/cluster",
      `'location' is no zone that is known here, got "us-east1-a"; the nearest known is "us-east1-b"`,
    ],
    [
      "stack/cluster",
      `'nodeZones[0]' is no zone that is known here, got "us-east1-z"; the nearest known is "us-east1-b"`,
    ],
  ]);
});

test.each<[string, number]>([
  ["MOON", 1],
  ["us-west1", 0],
  ["EU", 0],
  ["nam4", 0],
])("a bucket in %s gives %d warnings", (bucketLocation, count) => {
  const stack = emptyStack();
  const props: Partial<RayBucketAccessProps> = { bucketLocation };
  bucketAccess(stack, standardCluster(stack), props);

  const warnings = warningsOf(stack).filter(([, text]) => text.startsWith("'bucketLocation'"));
  expect(warnings).toHaveLength(count);
});

test.each<[string, Partial<RayGroup>, string]>([
  [
    "env",
    { env: { "1A=": "x" } },
    `have names of letters, digits, -, _ and ., not beginning with a digit, got "1A="`,
  ],
  ["env.TEAM", { env: { TEAM: undefined as unknown as string } }, "be a text, got null"],
  [
    "annotations",
    { annotations: { "a b": "c" } },
    `have keys of Kubernetes labels, such as "team" or "example.com/team", got "a b"`,
  ],
  ["labels.team", { labels: { team: "a b" } }, `${VALUE_RULE}, got "a b"`],
  ["nodeSelector.team", { nodeSelector: { team: undefined as unknown as string } }, "have a value, got null"],
])("a group's %s is what Kubernetes takes", (property, group, requirement) => {
  expect(() => rayCluster({ head: { cpu: 2, memoryGiB: 8, ...group } })).toThrow(
    new Error(`'head.${property}' must ${requirement} (at stack/ray)`),
  );
});

test.each(["kube-system", "kube-public"])(
  "Ray pods are in no %s, where others have accounts with more rights",
  (namespace) => {
    expect(() => rayCluster({ namespace })).toThrow(
      new Error(
        `'namespace' must be a namespace of its own: others have pods in this one, got "${namespace}" (at stack/ray)`,
      ),
    );
    expect(() => rayCluster({ namespace: "default" })).not.toThrow();
  },
);
