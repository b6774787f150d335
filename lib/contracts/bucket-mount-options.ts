/**
 * How a bucket is mounted into pods by the Cloud Storage FUSE CSI driver.
 *
 * https://cloud.google.com/kubernetes-engine/docs/how-to/cloud-storage-fuse-csi-driver-ephemeral
 */
export interface BucketMountOptions {
  /**
   * Refuse writes.
   * @default false
   */
  readonly readOnly?: boolean;
  /**
   * Folder of the bucket to mount instead of the whole, for example `team-a/data`.
   * @default - the whole bucket
   */
  readonly onlyDir?: string;
  /**
   * Show folders that only the names of objects imply, as objects written by other means have.
   * @default true
   */
  readonly implicitDirs?: boolean;
  /**
   * User that the files belong to.
   * @default - 1000, the user of the Ray images
   */
  readonly uid?: number;
  /**
   * Group that the files belong to.
   * @default - 100, the group of the Ray images
   */
  readonly gid?: number;
  /**
   * Size of the cache of files that were read, in GiB, on the node's disk. The limit of the driver's sidecar for ephemeral
   * storage is raised by as much, unless the group's annotation `gke-gcsfuse/ephemeral-storage-limit` says another.
   * @default - no cache
   */
  readonly fileCacheGiB?: number;
  /**
   * Further options of Cloud Storage FUSE, such as `metadata-cache:ttl-secs:60`.
   * https://cloud.google.com/storage/docs/cloud-storage-fuse/cli-options
   * @default - none
   */
  readonly mountOptions?: string[];
}
