/** A role on a bucket. https://cloud.google.com/storage/docs/access-control/iam-roles */
export class BucketRole {
  /** Read, write, list and delete objects. */
  public static readonly OBJECT_USER = new BucketRole("roles/storage.objectUser");
  /** Read and list objects. */
  public static readonly OBJECT_VIEWER = new BucketRole("roles/storage.objectViewer");
  /** Read the bucket's own settings, which `client.get_bucket()` does. */
  public static readonly BUCKET_VIEWER = new BucketRole("roles/storage.bucketViewer");
  /** All of it: also delete the bucket and change who may use it. */
  public static readonly ADMIN = new BucketRole("roles/storage.admin");

  /**
   * Any other role, predefined or custom.
   *
   * @param role for example `roles/storage.objectAdmin` or `projects/my-project/roles/myRole`
   */
  public static of(role: string): BucketRole {
    return new BucketRole(role);
  }

  private constructor(
    /** Name of the role. */
    public readonly role: string,
  ) {}
}
