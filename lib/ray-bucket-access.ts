import { Annotations, dependable, Fn, ITerraformDependable, TerraformResource, Token } from "cdktf";
import { Construct } from "constructs";
import type { BucketMountOptions } from "./contracts/bucket-mount-options";
import { BucketRole } from "./contracts/bucket-role";
import type { IGkeWorkloadIdentityCluster } from "./contracts/gke-workload-identity-cluster";
import type { ManifestPart } from "./contracts/manifest";
import type {
  BucketGrantOptions,
  BucketLifecycleRule,
  RayBucketAccessProps,
} from "./contracts/ray-bucket-access";
import type { IWorkloadIdentity } from "./contracts/workload-identity";
import { requireResourceLabels } from "./private/gke/google-formats";
import { bucketGrants, noteBucketGrant } from "./private/gke/bucket-grants";
import { regionOf } from "./private/gke/locations";
import { MULTI_REGIONS, REGIONS } from "./private/gke/regions";
import { warnUnlessKnown } from "./private/nearest";
import { gcsFuseVolume, requireMountOptions } from "./private/ray/bucket-mounts";
import { claim } from "./private/terraform/claims";
import { terraformJson } from "./private/terraform/json";
import { fitText, LONGEST_CONDITION_DESCRIPTION, pathInStack, shortHash } from "./private/terraform/names";
import { PlainAttributes, PlainResource } from "./private/terraform/plain-elements";
import {
  DNS_LABEL,
  invalid,
  KMS_KEY,
  requireAtMostOne,
  requireBucketName,
  requireInteger,
  requireName,
  ROLE,
} from "./private/validation";
import { WorkloadIdentity } from "./workload-identity";

export type * from "./contracts/ray-bucket-access";

/** In bytes of UTF-8. */
const LONGEST_OBJECT_NAME = 1024;

/** https://cloud.google.com/storage/docs/storage-classes */
const STORAGE_CLASSES = ["STANDARD", "NEARLINE", "COLDLINE", "ARCHIVE"];

/** Settings that only a bucket of ours has. */
const NEW_BUCKET_ONLY = [
  "bucketLocation",
  "storageClass",
  "versioning",
  "softDeleteRetentionDays",
  "lifecycleRules",
  "kmsKeyName",
  "accessLogBucketName",
  "createAccessLogGrant",
  "labels",
  "forceDestroy",
] as const;

/** Settings that only an identity of ours has. */
const NEW_IDENTITY_ONLY = [
  "namespace",
  "serviceAccountName",
  "createNamespace",
  "podSecurityStandard",
  "createServiceAccount",
  "automountServiceAccountToken",
  "googleServiceAccountId",
  "googleServiceAccountEmail",
  "projectNumber",
] as const;

/** A bucket, and pods that may use it without a key. */
export class RayBucketAccess extends Construct {
  /** Name of the bucket. */
  public readonly bucketName: string;
  /** The identity with access: what to give a `RayCluster`. */
  public readonly identity: IWorkloadIdentity;
  /** The bucket, for `addOverride` of what is not modelled here; none when it existed already. */
  public readonly resource?: TerraformResource;
  private readonly cluster: IGkeWorkloadIdentityCluster;
  private readonly givenBucketName: string;
  private readonly members = new Map<string, PlainResource>();
  private readonly openPrefixes = new Set<string>();

  constructor(scope: Construct, id: string, props: RayBucketAccessProps) {
    super(scope, id);
    this.requireProps(props);
    this.givenBucketName = props.bucketName;
    this.cluster = props.cluster;
    this.identity = props.identity ?? this.createIdentity(props);
    if (props.createBucket ?? true) {
      const bucket = this.createBucket(props);
      this.bucketName = bucket.getStringAttribute("name");
      this.resource = bucket;
    } else {
      this.bucketName = props.bucketName;
    }
    const objectRole = props.readOnly ? BucketRole.OBJECT_VIEWER : BucketRole.OBJECT_USER;
    this.grant(this.identity, props.roles ?? [objectRole, BucketRole.BUCKET_VIEWER], props);
  }

  /** For example `gs://my-bucket`. */
  public get bucketUrl(): string {
    return `gs://${this.bucketName}`;
  }

  /** Every grant on the bucket so far. */
  public get grants(): ITerraformDependable[] {
    return [...this.members.values()];
  }

  /** Whether an identity has been granted anything on the bucket so far, or is said to be by others (`roles: []`). */
  public isGrantedTo(identity: IWorkloadIdentity): boolean {
    return bucketGrants(this, this.givenBucketName, identity).length > 0;
  }

  /**
   * The bucket as a volume of a pod, by the Cloud Storage FUSE CSI driver, as in a Kubernetes manifest. The pod also needs the
   * annotation `gke-gcsfuse/volumes: "true"` and an identity that was granted access. `RayCluster.mountBucket` does all of it.
   *
   * @param volumeName name of the volume, for the pod's volume mounts
   * @throws if an option cannot be one of a mount
   */
  public csiVolume(volumeName: string, options: BucketMountOptions = {}): ManifestPart {
    requireName(this, "volumeName", volumeName, DNS_LABEL);
    requireMountOptions(this, options);
    // The name as it was given, so that a plan shows it before the bucket is there.
    return gcsFuseVolume(volumeName, this.givenBucketName, options);
  }

  /** Lets pods list and read objects and read the bucket's settings. Ray clusters with that identity wait for it. */
  public grantRead(identity: IWorkloadIdentity, options: BucketGrantOptions = {}): void {
    this.grant(identity, [BucketRole.OBJECT_VIEWER, BucketRole.BUCKET_VIEWER], options);
  }

  /** Lets pods list, read, write and delete objects and read the bucket's settings. Ray clusters with that identity wait for it. */
  public grantReadWrite(identity: IWorkloadIdentity, options: BucketGrantOptions = {}): void {
    this.grant(identity, [BucketRole.OBJECT_USER, BucketRole.BUCKET_VIEWER], options);
  }

  /**
   * Gives pods roles on the bucket. Ray clusters with that identity wait for them.
   *
   * @throws if `objectPrefix` has what ends a text in the condition that it becomes, or could not be the beginning of a name
   */
  public grant(identity: IWorkloadIdentity, roles: BucketRole[], options: BucketGrantOptions = {}): void {
    this.requirePrefix(options.objectPrefix);
    roles.forEach(({ role }, index) => requireName(this, `roles[${index}]`, role, ROLE));
    for (const role of roles.length === 0 ? [undefined] : roles) {
      noteBucketGrant(this, this.givenBucketName, identity, { role, objectPrefix: options.objectPrefix });
    }
    for (const role of roles) {
      // What the role allows on the bucket itself cannot hang on the name of an object.
      const prefix = role.role === BucketRole.BUCKET_VIEWER.role ? undefined : options.objectPrefix;
      const id = this.grantId(identity, role, prefix);
      if (this.members.has(id)) continue;
      const member = new PlainResource(this, id, "google_storage_bucket_iam_member", {
        bucket: this.bucketName,
        role: role.role,
        member: identity.member,
        condition: prefix === undefined ? undefined : this.prefixCondition(prefix),
        provider: this.cluster.googleProvider,
        dependsOn: this.cluster.apiDependencies("storage"),
        // The name stays known when the bucket is replaced, and its grants go with it.
        lifecycle: this.resource && { replaceTriggeredBy: [`${dependable(this.resource)}.id`] },
      });
      this.members.set(id, member);
      identity.addPodDependency(member);
    }
  }

  /** Says in Terraform's address who is granted what; the hash tells accounts of the same name apart. */
  private grantId(identity: IWorkloadIdentity, role: BucketRole, prefix: string | undefined): string {
    const roleName = role.role.replace(/^.*\//, "").replace(/[^A-Za-z0-9]+/g, "-");
    const hash = shortHash(`${pathInStack(identity)}|${role.role}|${prefix ?? ""}`);
    return `grant-${roleName}-${hash}`;
  }

  private prefixCondition(prefix: string) {
    const beginning = `projects/_/buckets/${this.bucketName}/objects/${prefix}`;
    // A text of IAM's conditions is written as one of JSON; what is in a reference only Terraform can write so.
    const text = Token.isUnresolved(prefix) ? terraformJson(beginning) : `"${beginning}"`;
    return {
      title: "object-prefix",
      description: fitText(`Objects whose names begin with ${prefix}`, LONGEST_CONDITION_DESCRIPTION),
      expression: `resource.name.startsWith(${text})`,
    };
  }

  /** https://cloud.google.com/storage/docs/objects#naming */
  private requirePrefix(prefix: string | undefined): void {
    if (prefix === undefined || Token.isUnresolved(prefix)) return;
    if (prefix === "") {
      throw invalid(
        this,
        "objectPrefix",
        "have at least one character, or be left out for all objects",
        prefix,
      );
    }
    if (/["\\\p{Cc}]|[$%]\{/u.test(prefix) || Buffer.byteLength(prefix) > LONGEST_OBJECT_NAME) {
      const rule = `be the beginning of an object's name, of at most ${LONGEST_OBJECT_NAME} bytes without double quotes, backslashes, control characters, "\${" and "%{"`;
      throw invalid(this, "objectPrefix", rule, prefix);
    }
    if (!prefix.endsWith("/") && !this.openPrefixes.has(prefix)) {
      this.openPrefixes.add(prefix);
      Annotations.of(this).addWarning(
        `'objectPrefix' ${JSON.stringify(prefix)} is also the beginning of names such as ${JSON.stringify(`${prefix}b/data`)}: end it with "/" to mean a folder`,
      );
    }
  }

  private createIdentity(props: RayBucketAccessProps): IWorkloadIdentity {
    for (const property of ["namespace", "serviceAccountName"] as const) {
      if (props[property] === undefined) throw invalid(this, property, "be given unless 'identity' is");
    }
    return new WorkloadIdentity(this, "identity", {
      cluster: props.cluster,
      namespace: props.namespace!,
      serviceAccountName: props.serviceAccountName!,
      createNamespace: props.createNamespace,
      podSecurityStandard: props.podSecurityStandard,
      createServiceAccount: props.createServiceAccount,
      automountServiceAccountToken: props.automountServiceAccountToken,
      googleServiceAccountId: props.googleServiceAccountId,
      googleServiceAccountEmail: props.googleServiceAccountEmail,
      projectNumber: props.projectNumber,
    });
  }

  private createBucket(props: RayBucketAccessProps): TerraformResource {
    claim(this, {
      property: "bucketName",
      name: props.bucketName,
      what: `bucket ${props.bucketName}`,
      advice:
        "grant more identities access by 'grantRead' and 'grantReadWrite', or set 'createBucket' to false",
    });
    if (props.createAccessLogGrant) {
      new PlainResource(this, "access-log-writer", "google_storage_bucket_iam_member", {
        bucket: props.accessLogBucketName!,
        role: "roles/storage.objectCreator",
        member: "group:cloud-storage-analytics@google.com",
        dependsOn: props.cluster.apiDependencies("storage"),
        provider: props.cluster.googleProvider,
      });
    }
    return new PlainResource(this, "bucket", "google_storage_bucket", {
      name: props.bucketName,
      location: props.bucketLocation ?? bucketLocationNear(props.cluster.location),
      project: props.cluster.project,
      storageClass: props.storageClass,
      uniformBucketLevelAccess: true,
      publicAccessPrevention: "enforced",
      forceDestroy: props.forceDestroy ?? false,
      versioning: { enabled: props.versioning ?? false },
      softDeletePolicy:
        props.softDeleteRetentionDays === undefined
          ? undefined
          : { retentionDurationSeconds: props.softDeleteRetentionDays * 24 * 60 * 60 },
      lifecycleRule: props.lifecycleRules?.map(lifecycleRule),
      encryption: props.kmsKeyName ? { defaultKmsKeyName: props.kmsKeyName } : undefined,
      logging: props.accessLogBucketName ? { logBucket: props.accessLogBucketName } : undefined,
      labels: props.labels,
      // Not the cluster: the bucket is made while the cluster is.
      dependsOn: props.cluster.apiDependencies("storage"),
      provider: props.cluster.googleProvider,
    });
  }

  private requireProps(props: RayBucketAccessProps): void {
    requireBucketName(this, "bucketName", props.bucketName);
    if (props.createAccessLogGrant && props.accessLogBucketName === undefined) {
      throw invalid(this, "createAccessLogGrant", "not be given without 'accessLogBucketName'", true);
    }
    requireAtMostOne(this, { readOnly: props.readOnly || undefined, roles: props.roles });
    if (props.createBucket === false) {
      this.refuse(props, NEW_BUCKET_ONLY, "with 'createBucket' false: it is for a bucket that is made here");
    }
    if (props.identity !== undefined) {
      this.refuse(props, NEW_IDENTITY_ONLY, "with 'identity': it is for an identity that is made here");
    }
    requireName(this, "kmsKeyName", props.kmsKeyName, KMS_KEY);
    requireResourceLabels(this, "labels", props.labels);
    const locations = [...MULTI_REGIONS, ...REGIONS.map((region) => region.toUpperCase())];
    const location = Token.isUnresolved(props.bucketLocation)
      ? undefined
      : props.bucketLocation?.toUpperCase();
    warnUnlessKnown(this, "bucketLocation", location, "location of buckets", locations);
    warnUnlessKnown(this, "storageClass", props.storageClass, "storage class", STORAGE_CLASSES);
    const days = props.softDeleteRetentionDays;
    if (days !== undefined && days !== 0) requireInteger(this, "softDeleteRetentionDays", days, 7, 90);
    props.lifecycleRules?.forEach((rule, index) => this.requireLifecycleRule(rule, index, props.versioning));
  }

  private refuse(
    props: RayBucketAccessProps,
    properties: readonly (keyof RayBucketAccessProps)[],
    reason: string,
  ): void {
    const given = properties.find((property) => props[property] !== undefined);
    if (given !== undefined) throw invalid(this, given, `not be given together ${reason}`);
  }

  private requireLifecycleRule(
    rule: BucketLifecycleRule,
    index: number,
    versioning: boolean | undefined,
  ): void {
    const path = `lifecycleRules[${index}]`;
    requireInteger(this, `${path}.ageDays`, rule.ageDays, 0);
    warnUnlessKnown(this, `${path}.storageClass`, rule.storageClass, "storage class", STORAGE_CLASSES);
    requireInteger(this, `${path}.newerVersions`, rule.newerVersions, 1);
    const prefixes = rule.prefixes?.length === 0 ? undefined : rule.prefixes;
    if (rule.ageDays === undefined && rule.newerVersions === undefined && prefixes === undefined) {
      throw invalid(this, path, "have at least one of 'ageDays', 'newerVersions' and 'prefixes'", rule);
    }
    if (rule.newerVersions !== undefined && !versioning) {
      throw invalid(this, `${path}.newerVersions`, "not be given without 'versioning'", rule.newerVersions);
    }
  }
}

/** Buckets in the region of the pods are fast and cost nothing to read. https://cloud.google.com/storage/docs/locations */
function bucketLocationNear(location: string): string {
  if (Token.isUnresolved(location)) {
    return Fn.upper(Fn.join("-", Fn.slice(Fn.split("-", location), 0, 2)));
  }
  return regionOf(location).toUpperCase();
}

function lifecycleRule(rule: BucketLifecycleRule): PlainAttributes {
  return {
    action: rule.storageClass
      ? { type: "SetStorageClass", storageClass: rule.storageClass }
      : { type: "Delete" },
    condition: {
      age: rule.ageDays,
      // The provider leaves a 0 out otherwise, and with it the only condition.
      sendAgeIfZero: rule.ageDays === 0 ? true : undefined,
      numNewerVersions: rule.newerVersions,
      matchesPrefix: rule.prefixes,
    },
  };
}
