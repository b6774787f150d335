import { TerraformStack, TerraformVariable, Testing } from "cdktf";
import {
  BucketMountOptions,
  BucketRole,
  GkeWorkloadIdentityCluster,
  KubeRayOperator,
  RayBucketAccess,
  RayBucketAccessProps,
  RayCluster,
  RayClusterProps,
  WorkloadIdentity,
} from "../lib";
import { Graph } from "./support/graph";
import {
  bucketAccess,
  emptyStack,
  existingCluster,
  problemsOf,
  rayCluster,
  standardCluster,
} from "./support/stacks";
import { Template } from "./support/template";

const group = { groupName: "cpu", cpu: 1, memoryGiB: 4, minReplicas: 1, maxReplicas: 1 };

/** A Ray cluster of a head and a worker group, whose identity may use a bucket. */
function withBucket(
  props: Partial<RayClusterProps> = {},
  cluster: (stack: TerraformStack) => GkeWorkloadIdentityCluster = (stack) =>
    standardCluster(stack, { gcsFuseAddon: true }),
): { stack: TerraformStack; ray: RayCluster; access: RayBucketAccess } {
  const stack = emptyStack();
  const at = cluster(stack);
  const access = bucketAccess(stack, at);
  const ray = new RayCluster(stack, "ray", {
    operator: KubeRayOperator.gkeAddon(stack, "operator", { cluster: at }),
    rayClusterName: "ray",
    identity: access.identity,
    head: { cpu: 2, memoryGiB: 8 },
    workerGroups: [group],
    ...props,
  });
  return { stack, ray, access };
}

function podsOf(stack: TerraformStack): any[] {
  const { spec } = Template.of(stack).rayCluster();
  return [spec.headGroupSpec, ...spec.workerGroupSpecs].map(({ template }) => template);
}

function volumeOf(options: BucketMountOptions): any {
  const { stack, ray, access } = withBucket();
  ray.mountBucket(access, "/data", options);
  return podsOf(stack)[0].spec.volumes[0];
}

test("a bucket appears at a path of every pod", () => {
  const { stack, ray, access } = withBucket();
  ray.mountBucket(access, "/data");

  for (const { metadata, spec } of podsOf(stack)) {
    expect(metadata.annotations).toMatchObject({ "gke-gcsfuse/volumes": "true" });
    expect(spec.volumes).toEqual([
      {
        name: "bucket-0",
        csi: {
          driver: "gcsfuse.csi.storage.gke.io",
          volumeAttributes: { bucketName: "my-bucket", mountOptions: "implicit-dirs,uid=1000,gid=100" },
        },
      },
    ]);
    expect(spec.containers[0].volumeMounts).toEqual([{ name: "bucket-0", mountPath: "/data" }]);
  }
});

test("a mount can be read-only, of one folder, of another user, and with further options", () => {
  const { stack, ray, access } = withBucket();
  ray.mountBucket(access, "/models", {
    readOnly: true,
    onlyDir: "team-a/models",
    implicitDirs: false,
    uid: 2000,
    gid: 2001,
    mountOptions: ["metadata-cache:ttl-secs:60"],
  });
  const [{ spec }] = podsOf(stack);

  expect(spec.volumes[0].csi).toEqual({
    driver: "gcsfuse.csi.storage.gke.io",
    readOnly: true,
    volumeAttributes: {
      bucketName: "my-bucket",
      mountOptions: "uid=2000,gid=2001,only-dir=team-a/models,metadata-cache:ttl-secs:60",
    },
  });
  expect(spec.containers[0].volumeMounts[0].readOnly).toBe(true);
});

test("a cache has room in the sidecar, unless a group says how much it has", () => {
  const annotations = { "gke-gcsfuse/ephemeral-storage-limit": "50Gi" };
  const { stack, ray, access } = withBucket({ workerGroups: [{ ...group, annotations }] });
  ray.mountBucket(access, "/data", { fileCacheGiB: 10 });
  ray.mountBucket(access, "/models", { fileCacheGiB: 20 });
  const [head, worker] = podsOf(stack);

  expect(head.spec.volumes.map(({ csi }: any) => csi.volumeAttributes.fileCacheCapacity)).toEqual([
    "10Gi",
    "20Gi",
  ]);
  expect(head.metadata.annotations["gke-gcsfuse/ephemeral-storage-limit"]).toBe("35Gi");
  expect(worker.metadata.annotations["gke-gcsfuse/ephemeral-storage-limit"]).toBe("50Gi");
});

test("several buckets are several volumes", () => {
  const { stack, ray, access } = withBucket();
  const models = new RayBucketAccess(stack, "models", {
    cluster: ray.cluster,
    bucketName: "my-models",
    identity: access.identity,
    readOnly: true,
  });
  ray.mountBucket(access, "/data");
  ray.mountBucket(models, "/models", { readOnly: true });
  const [{ spec }] = podsOf(stack);

  expect(spec.volumes.map(({ name, csi }: any) => [name, csi.volumeAttributes.bucketName])).toEqual([
    ["bucket-0", "my-bucket"],
    ["bucket-1", "my-models"],
  ]);
});

test("the pods wait for the grant, whichever came first, and the worker's own identity is enough", () => {
  const stack = emptyStack();
  const cluster = standardCluster(stack, { gcsFuseAddon: true });
  const identityOf = (id: string) =>
    new WorkloadIdentity(stack, id, { cluster, namespace: "ray", serviceAccountName: id });
  const [identity, workerIdentity] = [identityOf("head"), identityOf("worker")];
  const ray = new RayCluster(stack, "ray", {
    operator: KubeRayOperator.gkeAddon(stack, "operator", { cluster }),
    rayClusterName: "ray",
    identity,
    workerIdentity,
    head: { cpu: 2, memoryGiB: 8 },
    workerGroups: [group],
  });
  const access = bucketAccess(stack, cluster, { identity });
  ray.mountBucket(access, "/data", { readOnly: true });
  access.grantRead(workerIdentity);
  const graph = Graph.of(stack);
  const grants = graph.addressesOfType("google_storage_bucket_iam_member");

  expect(grants).toHaveLength(4);
  expect(graph.dependsOn(ray.resource, grants)).toBe(true);
  expect(graph.dependsOn(ray.resource, graph.addressesOfType("google_storage_bucket"))).toBe(true);
});

test("Autopilot has the driver by itself, and of a cluster made by others nothing is asked", () => {
  const autopilot = withBucket({}, (stack) => standardCluster(stack, { autopilot: true }));
  const existing = withBucket(
    {},
    (stack) => existingCluster(stack, { rayOperatorAddon: true }) as GkeWorkloadIdentityCluster,
  );
  for (const { stack, ray, access } of [autopilot, existing]) {
    ray.mountBucket(access, "/data");
    expect(podsOf(stack)[0].spec.volumes).toHaveLength(1);
  }
});

test("the cluster of ours has the driver switched on", () => {
  const { stack } = withBucket();

  expect(Template.of(stack).resource("google_container_cluster").addons_config).toMatchObject({
    gcs_fuse_csi_driver_config: { enabled: true },
  });
});

test("a bucket is a volume for pods of one's own too", () => {
  const { access } = withBucket();

  expect(access.csiVolume("data", { onlyDir: "a" })).toEqual({
    name: "data",
    csi: {
      driver: "gcsfuse.csi.storage.gke.io",
      volumeAttributes: {
        bucketName: "my-bucket",
        mountOptions: "implicit-dirs,uid=1000,gid=100,only-dir=a",
      },
    },
  });
});

test("a value that is known only later is not judged", () => {
  const { stack, ray, access } = withBucket();
  const text = new TerraformVariable(stack, "text", { type: "string" }).stringValue;
  ray.mountBucket(access, text, { onlyDir: text, mountOptions: [text] });

  expect(() => Testing.synth(stack, true)).not.toThrow();
});

describe("refuses", () => {
  test.each<[string, string, string]>([
    [
      "a relative path",
      "data",
      `'mountPath' must be an absolute path such as "/data", without a slash at its end, dots, colons and blanks, got "data"`,
    ],
    [
      "a path that leads up",
      "/data/../etc",
      `'mountPath' must be an absolute path such as "/data", without a slash at its end, dots, colons and blanks, got "/data/../etc"`,
    ],
    [
      "the root",
      "/",
      `'mountPath' must be an absolute path such as "/data", without a slash at its end, dots, colons and blanks, got "/"`,
    ],
    [
      "the home of Ray's Python",
      "/home/ray",
      `'mountPath' must not hide or lie in /home/ray/anaconda3, which the pods need, got "/home/ray"`,
    ],
    [
      "Ray's own files",
      "/tmp/ray/session",
      `'mountPath' must not hide or lie in /tmp/ray, which the pods need, got "/tmp/ray/session"`,
    ],
    [
      "a path that is taken",
      "/scratch",
      `'mountPath' must not hide or lie in /scratch, where something is mounted, got "/scratch"`,
    ],
    [
      "a path in another mount",
      "/scratch/a",
      `'mountPath' must not hide or lie in /scratch, where something is mounted, got "/scratch/a"`,
    ],
  ])("%s", (_what, mountPath, message) => {
    const { ray, access } = withBucket();
    ray.workers.addVolumeMount({ name: "scratch", mountPath: "/scratch" });

    expect(() => ray.mountBucket(access, mountPath)).toThrow(new Error(`${message} (at stack/ray)`));
  });

  test.each<[string, BucketMountOptions, string]>([
    [
      "a folder with a slash before it",
      { onlyDir: "/a" },
      `'onlyDir' must be a folder of the bucket such as "team-a/data", without a slash at its ends, blanks and commas, got "/a"`,
    ],
    [
      "two options in one",
      { mountOptions: ["a,b"] },
      `'mountOptions[0]' must be one option of Cloud Storage FUSE, without dashes before it, blanks and commas, got "a,b"`,
    ],
    ["half a user", { uid: 0.5 }, "'uid' must be a whole number of at least 0, got 0.5"],
    ["an empty cache", { fileCacheGiB: 0 }, "'fileCacheGiB' must be a whole number of at least 1, got 0"],
  ])("%s", (_what, options, message) => {
    expect(() => volumeOf(options)).toThrow(new Error(`${message} (at stack/bucket)`));
  });

  test("a cluster of ours without the driver", () => {
    const { ray, access } = withBucket({}, (stack) => standardCluster(stack));

    expect(() => ray.mountBucket(access, "/data")).toThrow(
      new Error("'operator.cluster' must have 'gcsFuseAddon' on (stack/cluster does not) (at stack/ray)"),
    );
  });

  test("pods that are nobody in Google Cloud", () => {
    const { stack, ray } = rayCluster();
    const access = bucketAccess(stack, existingCluster(stack, {}, "other"));

    expect(() => ray.mountBucket(access, "/data")).toThrow(
      new Error("'identity' must be given for the pods to mount stack/bucket (at stack/ray)"),
    );
  });

  test("a bucket that the workers were granted nothing on", () => {
    const stack = emptyStack();
    const cluster = existingCluster(stack);
    const access = bucketAccess(stack, cluster);
    const workerIdentity = new WorkloadIdentity(stack, "workers", {
      cluster,
      namespace: "ray",
      serviceAccountName: "worker-ksa",
    });
    const ray = new RayCluster(stack, "ray", {
      operator: KubeRayOperator.existing(stack, "operator", { cluster }),
      rayClusterName: "ray",
      identity: access.identity,
      workerIdentity,
      head: { cpu: 2, memoryGiB: 8 },
    });
    ray.mountBucket(access, "/data");

    expect(() => Testing.synth(stack, true)).toThrow(
      "[stack/ray] 'workerIdentity' must be granted access to the bucket at /data: stack/bucket grants stack/workers nothing",
    );
  });

  test.each<[string, Partial<RayBucketAccessProps>, string]>([
    [
      "writing where only reading is granted",
      { readOnly: true },
      "only reading (mount it with 'readOnly', or grantReadWrite)",
    ],
    [
      "a grant of some objects, which does not list them",
      { objectPrefix: "team-a/" },
      "only objects whose names begin with something, and the driver lists all",
    ],
    [
      "a grant of the bucket's settings alone",
      { roles: [BucketRole.BUCKET_VIEWER] },
      "only objects whose names begin with something, and the driver lists all",
    ],
  ])("%s", (_what, props, lack) => {
    const problemsWith = (options: BucketMountOptions, grantMore = false) => {
      const stack = emptyStack();
      const cluster = existingCluster(stack);
      const access = bucketAccess(stack, cluster, props);
      const ray = new RayCluster(stack, "ray", {
        operator: KubeRayOperator.existing(stack, "operator", { cluster }),
        rayClusterName: "ray",
        identity: access.identity,
        head: { cpu: 2, memoryGiB: 8 },
      });
      ray.mountBucket(access, "/data", options);
      if (grantMore) access.grantReadWrite(access.identity);
      return problemsOf(stack);
    };

    expect(problemsWith({})).toEqual([
      `[stack/ray] 'identity' must be granted access to the bucket at /data: stack/bucket grants stack/bucket/identity ${lack}`,
    ]);
    expect(problemsWith({ readOnly: true })).toHaveLength(props.readOnly ? 0 : 1);
    expect(problemsWith({}, true)).toEqual([]);
  });

  test("nothing that others grant, or that is granted by another construct or to another one of the same account", () => {
    const stack = emptyStack();
    const cluster = existingCluster(stack);
    const email = "pods@my-project-id.iam.gserviceaccount.com";
    const identity = (id: string) =>
      new WorkloadIdentity(stack, id, {
        cluster,
        namespace: "ray",
        serviceAccountName: id,
        googleServiceAccountEmail: email,
      });
    const [one, other] = [identity("one"), identity("other")];
    const access = bucketAccess(stack, cluster, { identity: one, roles: [] });
    const shared = { cluster, bucketName: "shared", createBucket: false, identity: one };
    const mounted = new RayBucketAccess(stack, "shared", { ...shared, readOnly: true });
    new RayBucketAccess(stack, "again", shared);
    const ray = new RayCluster(stack, "ray", {
      operator: KubeRayOperator.existing(stack, "operator", { cluster }),
      rayClusterName: "ray",
      identity: one,
      workerIdentity: other,
      head: { cpu: 2, memoryGiB: 8 },
    });
    ray.mountBucket(access, "/data");
    ray.mountBucket(mounted, "/shared");

    expect(problemsOf(stack)).toEqual([]);
  });
});
