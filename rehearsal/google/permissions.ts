import { evaluateCondition } from "./conditions";
import { PolicyStore } from "./policies";
import { Project } from "./project";

/** A storage object, or a bucket where no object is named. */
export interface StorageResource {
  readonly bucket: string;
  readonly object?: string;
}

const OBJECT_READ = ["storage.objects.get", "storage.objects.list"];
const OBJECT_WRITE = ["storage.objects.create", "storage.objects.delete", "storage.objects.update"];
const OBJECT_POLICY = ["storage.objects.getIamPolicy", "storage.objects.setIamPolicy"];
const BUCKET_READ = ["storage.buckets.get", "storage.buckets.list"];
const BUCKET_POLICY = ["storage.buckets.getIamPolicy", "storage.buckets.setIamPolicy"];
const BUCKET_WRITE = ["storage.buckets.create", "storage.buckets.delete", "storage.buckets.update"];
const OBJECT_ALL = [...OBJECT_READ, ...OBJECT_WRITE, ...OBJECT_POLICY];
const EVERYTHING = [...OBJECT_ALL, ...BUCKET_READ, ...BUCKET_WRITE, ...BUCKET_POLICY];

/** https://cloud.google.com/storage/docs/access-control/iam-roles, as far as the JSON API is used here. */
const STORAGE_ROLES: Readonly<Record<string, readonly string[]>> = {
  "roles/storage.admin": EVERYTHING,
  "roles/storage.objectAdmin": OBJECT_ALL,
  "roles/storage.objectUser": [...OBJECT_READ, ...OBJECT_WRITE],
  "roles/storage.objectCreator": ["storage.objects.create"],
  "roles/storage.objectViewer": OBJECT_READ,
  "roles/storage.bucketViewer": BUCKET_READ,
  "roles/storage.legacyBucketReader": ["storage.buckets.get", "storage.objects.list"],
  "roles/storage.legacyBucketWriter": [
    "storage.buckets.get",
    "storage.objects.list",
    "storage.objects.create",
    "storage.objects.delete",
  ],
  "roles/storage.legacyBucketOwner": [
    "storage.buckets.get",
    "storage.buckets.update",
    ...BUCKET_POLICY,
    "storage.objects.list",
    "storage.objects.create",
    "storage.objects.delete",
  ],
  "roles/storage.legacyObjectReader": ["storage.objects.get"],
  "roles/storage.legacyObjectOwner": ["storage.objects.get", "storage.objects.update", ...OBJECT_POLICY],
  "roles/owner": EVERYTHING,
  "roles/editor": EVERYTHING,
  "roles/viewer": BUCKET_READ,
};

function attributesOf({ bucket, object }: StorageResource) {
  const name = `projects/_/buckets/${bucket}`;
  return {
    "resource.name": object === undefined ? name : `${name}/objects/${object}`,
    "resource.type": `storage.googleapis.com/${object === undefined ? "Bucket" : "Object"}`,
    "resource.service": "storage.googleapis.com",
  };
}

/** Decides from the policies that were written, and from nothing else, who may do what in a bucket. */
export class StorageDecisions {
  constructor(
    private readonly project: Project,
    private readonly policies: PolicyStore,
  ) {}

  public allows(member: string, permission: string, resource: StorageResource): boolean {
    const granting = [
      ...this.policies.get(`buckets/${resource.bucket}`).bindings,
      ...this.policies.get(`projects/${this.project.id}`).bindings,
    ];
    return granting.some(
      (binding) =>
        binding.members.some((granted) => this.covers(granted, member)) &&
        (STORAGE_ROLES[binding.role] ?? []).includes(permission) &&
        (!binding.condition || evaluateCondition(binding.condition.expression, attributesOf(resource))),
    );
  }

  private covers(granted: string, member: string): boolean {
    if (granted === "allUsers" || granted === "allAuthenticatedUsers" || granted === member) return true;
    const set = /^principalSet:(\/\/.+\/)(?:namespace\/([^/]+)|\*)$/.exec(granted);
    if (!set) return false;
    const [, pool, namespace] = set;
    return member.startsWith(`principal:${pool}subject/${namespace ? `ns/${namespace}/` : ""}`);
  }
}
