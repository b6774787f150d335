import type { BucketRole } from "./bucket-role";
import type { IGkeWorkloadIdentityCluster } from "./gke-workload-identity-cluster";
import type { IWorkloadIdentity, WorkloadIdentityOptions } from "./workload-identity";

/** Objects that are deleted, or moved to a cheaper class, when all of the conditions hold. */
export interface BucketLifecycleRule {
  /**
   * Storage class to move the objects to, for example `NEARLINE`.
   * @default - the objects are deleted
   */
  readonly storageClass?: string;
  /**
   * Days since the object was written.
   * @default - any age
   */
  readonly ageDays?: number;
  /**
   * The number of newer versions of the object. It needs `versioning`.
   * @default - any number
   */
  readonly newerVersions?: number;
  /**
   * Beginnings of object names, for example `checkpoints/`.
   * @default - every object
   */
  readonly prefixes?: string[];
}

/** Which objects a grant is about. */
export interface BucketGrantOptions {
  /**
   * Beginning of the names of the objects, for example `team-a/`. End it with a slash to mean a folder: `team-a` is also the
   * beginning of `team-ab/data`, of which a warning tells. Listing is a right on the bucket as a whole, so who has only this
   * grant cannot list objects. https://cloud.google.com/storage/docs/access-control/iam#conditions
   * @default - all objects
   */
  readonly objectPrefix?: string;
}

/** Properties of `RayBucketAccess`. */
export interface RayBucketAccessProps extends WorkloadIdentityOptions {
  /** The cluster of the pods that use the bucket. */
  readonly cluster: IGkeWorkloadIdentityCluster;
  /** Globally unique name of the bucket. https://cloud.google.com/storage/docs/buckets#naming */
  readonly bucketName: string;
  /**
   * Whether to create the bucket. An existing one is left as it is but for the grants.
   * @default true
   */
  readonly createBucket?: boolean;
  /**
   * The identity that gets access. Give this, or the name of an account to create: `namespace` and `serviceAccountName`.
   * @default - an identity is created
   */
  readonly identity?: IWorkloadIdentity;
  /**
   * Namespace of the identity that is created.
   * @default - required without `identity`
   */
  readonly namespace?: string;
  /**
   * Kubernetes service account of the identity that is created.
   * @default - required without `identity`
   */
  readonly serviceAccountName?: string;
  /**
   * Give the identity read access only.
   * @default false
   */
  readonly readOnly?: boolean;
  /**
   * Roles of the identity on the bucket. An empty list states that it has its rights from elsewhere, such as the project.
   * @default - [BucketRole.OBJECT_USER, BucketRole.BUCKET_VIEWER], or with `readOnly` OBJECT_VIEWER in place of OBJECT_USER
   */
  readonly roles?: BucketRole[];
  /**
   * Limits the identity's grant to objects whose names begin so. See `BucketGrantOptions`.
   * @default - all objects
   */
  readonly objectPrefix?: string;
  /**
   * Region, dual-region or multi-region of the bucket, for example `EU`.
   * @default - the region of the cluster
   */
  readonly bucketLocation?: string;
  /** @default STANDARD */
  readonly storageClass?: string;
  /**
   * Keep old versions of objects.
   * @default false
   */
  readonly versioning?: boolean;
  /**
   * Days for which deleted objects can be restored, and are paid for: 7 to 90, or 0 for none. Taken out again, the bucket
   * keeps what it has: google 6.50 leaves it so.
   * @default - the project's setting, which is 7 unless changed
   */
  readonly softDeleteRetentionDays?: number;
  /** @default - objects stay until somebody deletes them */
  readonly lifecycleRules?: BucketLifecycleRule[];
  /**
   * Cloud KMS key for the objects. The project's Cloud Storage service agent must be allowed to use it.
   * @default - keys managed by Google
   */
  readonly kmsKeyName?: string;
  /**
   * Bucket that gets the access logs. Cloud Storage must be allowed to write there (`createAccessLogGrant`), or there are none.
   * @default - no access logs
   */
  readonly accessLogBucketName?: string;
  /**
   * Let Cloud Storage write into `accessLogBucketName`: the group `cloud-storage-analytics@google.com` gets
   * `roles/storage.objectCreator` on it. A destroy takes that away again, also from other buckets that log there.
   * https://cloud.google.com/storage/docs/access-logs
   * @default false
   */
  readonly createAccessLogGrant?: boolean;
  /**
   * Labels on the bucket.
   * @default - none
   */
  readonly labels?: { [name: string]: string };
  /**
   * Delete the objects with the bucket. Without this, a bucket that holds objects is not destroyed.
   * @default false
   */
  readonly forceDestroy?: boolean;
}
