import type { RunningRay } from "../stage/running-ray";
import type { Site } from "../stage/site";
import { expect, Scenario, Stage } from "../stage/stage";
import { without } from "./support/grants";
import { PLATFORM, PLATFORM_SITE, PlatformChange, synthesizePlatform } from "./support/platform";

const BUCKET = "my-project-id-ray";
/** The service account itself: it stands for no Google account. */
const MEMBER =
  "principal://iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/" +
  "my-project-id.svc.id.goog/subject/ns/ray/sa/ray";

const MOUNTED: PlatformChange = {
  cluster: { gcsFuseAddon: true, deletionProtection: false },
  bucket: { forceDestroy: true },
  mounts: [
    ["/data", { mountOptions: ["metadata-cache:ttl-secs:0", "file-mode=640"] }],
    ["/models", { readOnly: true, onlyDir: "models/released", fileCacheGiB: 2 }],
  ],
};

/** What a Ray task writes into the folder the API finds, and the other way round. */
const USE = `
import os, ray, sys
from google.cloud import storage
ray.init(address="auto", log_to_driver=False)

@ray.remote
def use(bucket_name):
    seen = []
    bucket = storage.Client(project="my-project-id").bucket(bucket_name)
    with open("/data/results.txt", "w") as file:
        file.write("written in the folder")
    seen.append(f"through the API: {bucket.blob('results.txt').download_as_text()}")
    bucket.blob("models/released/weights.txt").upload_from_string("uploaded by the API")
    for path in ["/data/models/released/weights.txt", "/models/weights.txt", "/models/weights.txt"]:
        with open(path) as file:
            seen.append(f"{path} {file.read()}")
    os.mkdir("/data/run-1")
    os.rename("/data/results.txt", "/data/run-1/results.txt")
    os.remove("/data/run-1/results.txt")
    seen.append(f"left: {sorted(blob.name for blob in bucket.list_blobs())}")
    for path in ["/data/models", "/data/models/released/weights.txt", "/models/weights.txt"]:
        status = os.stat(path)
        seen.append(f"{path} owner: {status.st_uid} {status.st_gid} {oct(status.st_mode & 0o777)}")
    try:
        open("/models/new.txt", "w")
        seen.append("written where only reading is allowed")
    except OSError as error:
        seen.append(f"read-only: {error.strerror}")
    return seen

for line in ray.get(use.remote(sys.argv[1])):
    print(line)
`;

/** What it prints, line by line. */
const USED = [
  "through the API: written in the folder",
  "/data/models/released/weights.txt uploaded by the API",
  "/models/weights.txt uploaded by the API",
  "/models/weights.txt uploaded by the API",
  "left: ['models/released/weights.txt', 'run-1/']",
  "/data/models owner: 1000 100 0o755",
  "/data/models/released/weights.txt owner: 1000 100 0o640",
  "/models/weights.txt owner: 1000 100 0o644",
  "read-only: Read-only file system",
];

export const bucketFolders: Scenario = {
  name: "bucket-folders",
  title:
    "Ray tasks use a bucket as a folder, with their own rights and no more, and no pod starts without them",
  needs: ["pods", "terraform", "fuse"],
  long: true,
  async run(stage) {
    const site = await stage.site({ seed: PLATFORM_SITE.seed });
    await site.startOperator(0).ready;
    await stage.begin();
    const first = site.google.snapshot();

    stage.step("apply");
    const terraform = await site.terraform(synthesizePlatform(MOUNTED));
    await terraform.apply();
    const pods = stage.ray(PLATFORM.namespace, PLATFORM.rayClusterName);
    stage.step("head");
    await pods.waitForHead();
    stage.step("a Ray task uses the folders");
    const printed = (await pods.python(USE, BUCKET)).trim().split("\n");
    expect(printed.join("\n") === USED.join("\n"), "the folders are not as they should be", printed);

    await expectRightsNeeded(stage, site, pods);
    await stage.expectNothingToDo(terraform);
    stage.step("destroy");
    await terraform.destroy();
    await stage.expectNothingLeft(site, first);
  },
};

/** A head that comes while its account may not read the bucket waits until it may. */
async function expectRightsNeeded(stage: Stage, site: Site, pods: RunningRay): Promise<void> {
  stage.step("a head without the grant");
  const before = await pods.waitForHead();
  const grant = { resource: `buckets/${BUCKET}`, role: "roles/storage.objectUser", member: MEMBER };
  await without(site, grant, async () => {
    const { namespace } = PLATFORM;
    await stage.node.kubectl(["delete", "pod", "-n", namespace, before, "--force", "--grace-period=0"]);
    await stage.node.waitFor("the refusal of the mount", 90_000, async () => {
      const events = await stage.node.client.list(
        `/api/v1/namespaces/${namespace}/events?fieldSelector=reason=FailedMount`,
      );
      return events.some(
        ({ message, involvedObject }) =>
          involvedObject.name !== before && message.includes("storage.objects.list"),
      );
    });
    const [head] = await pods.list("head");
    expect(head.status.phase === "Pending", "a head started without its bucket", head.status);
  });
  stage.step("the grant is back");
  await pods.waitForHead();
}
