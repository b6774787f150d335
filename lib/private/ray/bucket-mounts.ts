import { Token } from "cdktf";
import { IConstruct } from "constructs";
import { BucketRole } from "../../contracts/bucket-role";
import type { BucketMountOptions } from "../../contracts/bucket-mount-options";
import type { ManifestPart } from "../../contracts/manifest";
import type { RayPods } from "../../contracts/ray-pods";
import type { IWorkloadIdentity } from "../../contracts/workload-identity";
import { bucketGrants } from "../gke/bucket-grants";
import { invalid, requireInteger } from "../validation";

/** The user and group that the Ray images run as. */
const RAY_USER = 1000;
const RAY_GROUP = 100;

/** https://github.com/GoogleCloudPlatform/gcs-fuse-csi-driver/blob/main/pkg/webhook/config.go */
export const MOUNTED_ANNOTATION = "gke-gcsfuse/volumes";
const STORAGE_LIMIT_ANNOTATION = "gke-gcsfuse/ephemeral-storage-limit";
const DEFAULT_STORAGE_LIMIT_GIB = 5;

/** What a pod cannot do without: its Ray, Ray's own files, the system. */
const NEEDED = [
  "/home/ray/anaconda3",
  "/tmp/ray",
  "/dev/shm",
  "/var/run/secrets",
  ...["/bin", "/etc", "/lib", "/lib64", "/proc", "/root", "/run", "/sbin", "/sys", "/usr"],
];

/**
 * A bucket as a CSI ephemeral volume.
 *
 * https://github.com/GoogleCloudPlatform/gcs-fuse-csi-driver/blob/main/pkg/csi_driver/utils.go (the volume attributes)
 */
export function gcsFuseVolume(
  volumeName: string,
  bucketName: string,
  options: BucketMountOptions,
): ManifestPart {
  const mountOptions = [
    ...((options.implicitDirs ?? true) ? ["implicit-dirs"] : []),
    `uid=${options.uid ?? RAY_USER}`,
    `gid=${options.gid ?? RAY_GROUP}`,
    ...(options.onlyDir === undefined ? [] : [`only-dir=${options.onlyDir}`]),
    ...(options.mountOptions ?? []),
  ];
  const cache = options.fileCacheGiB === undefined ? {} : { fileCacheCapacity: `${options.fileCacheGiB}Gi` };
  return {
    name: volumeName,
    csi: {
      driver: "gcsfuse.csi.storage.gke.io",
      ...(options.readOnly ? { readOnly: true } : {}),
      volumeAttributes: { bucketName, mountOptions: mountOptions.join(","), ...cache },
    },
  };
}

/** @throws if an option cannot be one of a mount */
export function requireMountOptions(scope: IConstruct, options: BucketMountOptions): void {
  requireInteger(scope, "uid", options.uid, 0);
  requireInteger(scope, "gid", options.gid, 0);
  requireInteger(scope, "fileCacheGiB", options.fileCacheGiB, 1);
  const { onlyDir } = options;
  if (onlyDir !== undefined && !Token.isUnresolved(onlyDir) && !/^[^/,\s]+(\/[^/,\s]+)*$/.test(onlyDir)) {
    const rule =
      'be a folder of the bucket such as "team-a/data", without a slash at its ends, blanks and commas';
    throw invalid(scope, "onlyDir", rule, onlyDir);
  }
  options.mountOptions?.forEach((option, index) => {
    if (!Token.isUnresolved(option) && !/^[a-z][^,\s]*$/.test(option)) {
      const rule = "be one option of Cloud Storage FUSE, without dashes before it, blanks and commas";
      throw invalid(scope, `mountOptions[${index}]`, rule, option);
    }
  });
}

/** A bucket that pods may mount: a `RayBucketAccess`. */
interface MountableBucket extends IConstruct {
  csiVolume(volumeName: string, options: BucketMountOptions): ManifestPart;
}

/** A bucket in a folder of the pods. */
interface Mount {
  readonly access: MountableBucket;
  readonly bucketName: string;
  readonly mountPath: string;
  readonly readOnly: boolean;
}

/** Roles that say nothing of objects, and roles that let nobody write them. Of others it is not known here. */
const OF_THE_BUCKET = [BucketRole.BUCKET_VIEWER.role];
const TO_READ = [
  ...OF_THE_BUCKET,
  BucketRole.OBJECT_VIEWER.role,
  "roles/storage.legacyBucketReader",
  "roles/storage.legacyObjectReader",
];

/** The buckets that the pods of one Ray cluster mount. */
export class BucketMounts {
  private readonly mounted: Mount[] = [];
  private cacheGiB = 0;

  constructor(private readonly scope: IConstruct) {}

  public add(
    access: MountableBucket,
    mountPath: string,
    options: BucketMountOptions,
    groups: RayPods[],
  ): void {
    this.requirePath(mountPath, groups);
    const name = `bucket-${this.mounted.length}`;
    const volume = access.csiVolume(name, options);
    for (const pods of groups) {
      pods.addVolume(volume);
      pods.addVolumeMount({ name, mountPath, ...(options.readOnly ? { readOnly: true } : {}) });
      pods.addAnnotation(MOUNTED_ANNOTATION, "true");
    }
    const { bucketName } = volume.csi.volumeAttributes;
    this.mounted.push({ access, bucketName, mountPath, readOnly: options.readOnly ?? false });
    this.cacheGiB += options.fileCacheGiB ?? 0;
  }

  /** What the driver's sidecar gets unless a group says otherwise. */
  public get defaultAnnotations(): { [name: string]: string } {
    if (this.cacheGiB === 0) return {};
    return { [STORAGE_LIMIT_ANNOTATION]: `${DEFAULT_STORAGE_LIMIT_GIB + this.cacheGiB}Gi` };
  }

  /**
   * @param identities whose pods mount the buckets, by property
   * @throws if one of them was granted too little on a bucket: its pods would never start, or fail to write
   */
  public requireGrants(identities: { [property: string]: IWorkloadIdentity }): void {
    for (const mount of this.mounted) {
      for (const [property, identity] of Object.entries(identities)) {
        const lack = lackOf(mount, identity);
        if (lack === undefined) continue;
        const { access, mountPath } = mount;
        const grants = `${access.node.path} grants ${identity.node.path} ${lack}`;
        throw invalid(this.scope, property, `be granted access to the bucket at ${mountPath}: ${grants}`);
      }
    }
  }

  private requirePath(mountPath: string, groups: RayPods[]): void {
    if (Token.isUnresolved(mountPath)) return;
    if (!/^(\/[^/:\s]+)+$/.test(mountPath) || mountPath.split("/").some((part) => /^\.+$/.test(part))) {
      const rule = 'be an absolute path such as "/data", without a slash at its end, dots, colons and blanks';
      throw invalid(this.scope, "mountPath", rule, mountPath);
    }
    const needed = NEEDED.find((path) => liesIn(path, mountPath) || liesIn(mountPath, path));
    if (needed !== undefined) {
      throw invalid(this.scope, "mountPath", `not hide or lie in ${needed}, which the pods need`, mountPath);
    }
    const taken = groups.flatMap((pods) => pods.volumeMounts.map((mount) => String(mount.mountPath)));
    const other = taken.find((path) => liesIn(path, mountPath) || liesIn(mountPath, path));
    if (other !== undefined) {
      throw invalid(
        this.scope,
        "mountPath",
        `not hide or lie in ${other}, where something is mounted`,
        mountPath,
      );
    }
  }
}

/** What is missing for a mount, as the end of the sentence "... grants ...". */
function lackOf({ access, bucketName, readOnly }: Mount, identity: IWorkloadIdentity): string | undefined {
  const grants = bucketGrants(access, bucketName, identity);
  if (grants.length === 0) return "nothing";
  // Where others grant, it is not known here what.
  if (grants.some(({ role }) => role === undefined)) return undefined;
  const ofAll = grants
    .filter(({ objectPrefix }) => objectPrefix === undefined)
    .flatMap(({ role }) => (role === undefined ? [] : [role.role]));
  if (ofAll.every((role) => OF_THE_BUCKET.includes(role))) {
    return "only objects whose names begin with something, and the driver lists all";
  }
  // Some may write a folder of a bucket that they may list.
  if (!readOnly && grants.every(({ role }) => TO_READ.includes(role!.role))) {
    return "only reading (mount it with 'readOnly', or grantReadWrite)";
  }
  return undefined;
}

/** Whether a path is a folder itself or something in it. */
function liesIn(path: string, folder: string): boolean {
  return `${path}/`.startsWith(`${folder.replace(/\/$/, "")}/`);
}
