import { GoogleError, invalidArgument, notFound, preconditionFailed } from "./errors";
import { Call, Route, routesOf } from "./routes";
import { Json, mergePatch, without, withoutDefaults } from "./json";
import { checkBucketName, checkLabels } from "./names";
import { ObjectStore } from "./object-store";
import { Policy, PolicyStore, renderPolicy } from "./policies";
import { etagOf, Project } from "./project";
import { Visibility } from "./visibility";

const BUCKETS = "/storage/v1/b";
const BUCKET = `${BUCKETS}/(?<bucket>[^/]+)`;
const MULTI_REGIONS = ["US", "EU", "ASIA"];
const DUAL_REGIONS = /^(NAM4|EUR[457]|EUR8|ASIA1)$/;
const REGION = /^[A-Z]+-[A-Z]+[0-9]+$/;
const STORAGE_CLASSES = ["STANDARD", "NEARLINE", "COLDLINE", "ARCHIVE"];
const SOFT_DELETE_SECONDS = "604800";

const conflict = (message: string) => new GoogleError(409, message, { reason: "conflict" });

/**
 * The buckets of the Cloud Storage JSON API v1, as their owner sees them.
 *
 * Buckets follow recordings of the real API, their policies the reference and the provider's requests.
 */
export class StorageApi {
  private readonly buckets = new Map<string, Json>();

  constructor(
    private readonly project: Project,
    private readonly policies: PolicyStore,
    private readonly visibility: Visibility,
    private readonly objects: ObjectStore,
  ) {}

  public routes(): Route[] {
    const route = routesOf("storage");
    return [
      route("GET", BUCKETS, () => ({ kind: "storage#buckets", items: this.all() })),
      route("POST", BUCKETS, (call) => this.insert(call), "Bucket"),
      route("GET", BUCKET, (call) => this.get(call)),
      route("PATCH", BUCKET, (call) => this.patch(call), "Bucket"),
      route("DELETE", BUCKET, (call) => this.delete(call)),
      route("GET", `${BUCKET}/iam`, (call) => this.getPolicy(call)),
      route("PUT", `${BUCKET}/iam`, (call) => this.setPolicy(call), "BucketPolicy"),
      route("GET", `${BUCKET}/o`, (call) => this.listObjects(call)),
      route("DELETE", `${BUCKET}/o/(?<object>[^/]+)`, (call) => this.deleteObject(call)),
      route("GET", `${BUCKET}/anywhereCaches/?`, (call) => this.listCaches(call)),
    ];
  }

  /** Puts a bucket there that no stack made; the request is that of its creation. */
  public async seed(requested: Json): Promise<void> {
    await this.add(newBucket(requested, this.project));
  }

  public all(): Json[] {
    return [...this.buckets.values()];
  }

  public bucket(name: string): Json | undefined {
    return this.buckets.get(name);
  }

  private async insert({ body, query }: Call): Promise<Json> {
    const project = query.get("project");
    if (!project) throw new GoogleError(400, "Required parameter: project", { reason: "required" });
    if (!this.project.isProject(project)) throw invalidArgument(`Unknown project id: ${project}`);
    checkBucketName(body.name);
    if (this.buckets.has(body.name)) {
      throw conflict("Your previous request to create the named bucket succeeded and you already own it.");
    }
    const bucket = newBucket(body, this.project);
    await this.add(bucket);
    this.visibility.appear("bucketReads", body.name);
    return bucket;
  }

  private async add(bucket: Json): Promise<void> {
    await this.objects.createBucket(bucket.name);
    this.buckets.set(bucket.name, bucket);
    const { id } = this.project;
    this.policies.seed(`buckets/${bucket.name}`, [
      { role: "roles/storage.legacyBucketOwner", members: [`projectEditor:${id}`, `projectOwner:${id}`] },
      { role: "roles/storage.legacyBucketReader", members: [`projectViewer:${id}`] },
    ]);
  }

  private get(call: Call): Json {
    const bucket = this.find(call);
    if (!this.visibility.sees("bucketReads", bucket.name)) throw noSuchBucket();
    return bucket;
  }

  private patch(call: Call): Json {
    const bucket = this.find(call);
    const expected = call.query.get("ifMetagenerationMatch");
    if (expected !== null && expected !== bucket.metageneration) throw stale();
    checkLabels("labels", call.body.labels);
    const { name, location } = call.body;
    if ((name && name !== bucket.name) || (location && location.toUpperCase() !== bucket.location)) {
      throw invalidArgument("A bucket's name and location cannot be changed.");
    }
    const patched = mergePatch(bucket, call.body);
    checkIamConfiguration(patched.iamConfiguration);
    checkLifecycle(patched.lifecycle);
    const metageneration = Number(bucket.metageneration) + 1;
    const changed = completed({
      ...patched,
      etag: etagOf(metageneration),
      metageneration: String(metageneration),
      updated: new Date().toISOString(),
    });
    this.buckets.set(bucket.name, changed);
    return { ...changed, ...this.accessControls(changed) };
  }

  /** What a PATCH answers in full: the access control lists, which uniform access does without. */
  private accessControls({ iamConfiguration, name }: Json): Json {
    if (iamConfiguration.uniformBucketLevelAccess.enabled) return {};
    const { number: projectNumber } = this.project;
    const teams = Object.entries({ owners: "OWNER", editors: "OWNER", viewers: "READER" });
    const grants = teams.map(([team, role]) => ({
      entity: `project-${team}-${projectNumber}`,
      etag: etagOf(1),
      projectTeam: { projectNumber, team },
      role,
    }));
    return {
      acl: grants.map((grant) => ({
        ...grant,
        kind: "storage#bucketAccessControl",
        bucket: name,
        id: `${name}/${grant.entity}`,
        selfLink: `https://www.googleapis.com/storage/v1/b/${name}/acl/${grant.entity}`,
      })),
      defaultObjectAcl: grants.map((grant) => ({ ...grant, kind: "storage#objectAccessControl" })),
      owner: { entity: `project-owners-${projectNumber}` },
    };
  }

  private async delete(call: Call): Promise<void> {
    const bucket = this.find(call);
    if ((await this.objects.list(bucket.name)).length) {
      throw conflict("The bucket you tried to delete is not empty.");
    }
    await this.objects.deleteBucket(bucket.name);
    this.buckets.delete(bucket.name);
    this.policies.delete(`buckets/${bucket.name}`);
  }

  private getPolicy(call: Call): Json {
    return renderBucketPolicy(this.find(call).name, this.policies.get(this.policyOf(call)));
  }

  private setPolicy(call: Call): Json {
    const bucket = this.find(call);
    const conditional = (call.body.bindings ?? []).some((binding: Json) => binding.condition);
    if (conditional && !bucket.iamConfiguration.uniformBucketLevelAccess.enabled) {
      throw preconditionFailed("IAM Conditions need uniform bucket-level access on the bucket.");
    }
    if (bucket.iamConfiguration.publicAccessPrevention === "enforced" && grantsPublic(call.body.bindings)) {
      throw preconditionFailed(
        "The member bindings allUsers and allAuthenticatedUsers are not allowed since public access " +
          "prevention is enforced.",
      );
    }
    return renderBucketPolicy(bucket.name, this.policies.set("bucket", this.policyOf(call), call.body));
  }

  private async listObjects(call: Call): Promise<Json> {
    const items = await this.objects.list(this.find(call).name);
    return items.length ? { kind: "storage#objects", items } : { kind: "storage#objects" };
  }

  private async deleteObject(call: Call): Promise<void> {
    await this.objects.delete(this.find(call).name, decodeURIComponent(call.params.object));
  }

  private listCaches(call: Call): Json {
    this.find(call);
    return { kind: "storage#anywhereCaches" };
  }

  private policyOf({ params }: Call): string {
    return `buckets/${decodeURIComponent(params.bucket)}`;
  }

  private find({ params }: Call): Json {
    const bucket = this.buckets.get(decodeURIComponent(params.bucket));
    if (!bucket) throw noSuchBucket();
    return bucket;
  }
}

const noSuchBucket = () => notFound("The specified bucket does not exist.");

const stale = () => preconditionFailed("At least one of the pre-conditions you specified did not hold.");

/** @throws GoogleError 400 for what the API refuses */
function newBucket(requested: Json, project: Project): Json {
  checkBucketName(requested.name);
  checkLabels("labels", requested.labels);
  checkIamConfiguration(requested.iamConfiguration);
  checkLifecycle(requested.lifecycle);
  const location = (requested.location || "US").toUpperCase();
  const locationType = locationTypeOf(location);
  const storageClass = requested.storageClass || "STANDARD";
  if (!STORAGE_CLASSES.includes(storageClass))
    throw invalidArgument(`Invalid storage class: ${storageClass}`);
  const now = new Date().toISOString();
  return completed({
    ...withoutDefaults(requested),
    // Here 0 is a condition like any other.
    ...(requested.lifecycle && { lifecycle: requested.lifecycle }),
    ...(requested.versioning && { versioning: { enabled: Boolean(requested.versioning.enabled) } }),
    etag: etagOf(1),
    generation: String(Date.now() * 1000),
    iamConfiguration: requested.iamConfiguration ?? {},
    id: requested.name,
    kind: "storage#bucket",
    location,
    locationType,
    metageneration: "1",
    name: requested.name,
    projectNumber: project.number,
    selfLink: `https://www.googleapis.com/storage/v1/b/${requested.name}`,
    softDeletePolicy: requested.softDeletePolicy ?? { retentionDurationSeconds: SOFT_DELETE_SECONDS },
    storageClass,
    timeCreated: now,
    updated: now,
    ...(locationType !== "region" && { rpo: requested.rpo || "DEFAULT" }),
  });
}

/** What the API adds to what was asked for, on a write of any kind. */
function completed(bucket: Json): Json {
  const { iamConfiguration, lifecycle, softDeletePolicy, timeCreated } = bucket;
  const uniform = { enabled: Boolean(iamConfiguration.uniformBucketLevelAccess?.enabled) };
  const retention = String(softDeletePolicy.retentionDurationSeconds);
  const lockedTime = new Date(Date.parse(timeCreated) + 90 * 86_400_000).toISOString();
  const access = uniform.enabled ? { ...uniform, lockedTime } : uniform;
  return {
    ...without(bucket, "lifecycle"),
    iamConfiguration: {
      bucketPolicyOnly: access,
      publicAccessPrevention: iamConfiguration.publicAccessPrevention || "inherited",
      uniformBucketLevelAccess: access,
    },
    ...(lifecycle?.rule?.length && { lifecycle }),
    softDeletePolicy:
      retention === "0"
        ? { retentionDurationSeconds: retention }
        : {
            effectiveTime: softDeletePolicy.effectiveTime ?? timeCreated,
            retentionDurationSeconds: retention,
          },
  };
}

function locationTypeOf(location: string): string {
  if (MULTI_REGIONS.includes(location)) return "multi-region";
  if (DUAL_REGIONS.test(location)) return "dual-region";
  if (REGION.test(location)) return "region";
  throw new GoogleError(400, `The specified location constraint is not valid: '${location}'`, {
    reason: "invalid",
  });
}

/** Every rule needs a condition, or it would be about all objects at once. */
function checkLifecycle(lifecycle: Json | undefined): void {
  for (const { condition = {} } of lifecycle?.rule ?? []) {
    if (Object.keys(condition).length > 0) continue;
    throw new GoogleError(400, "Invalid argument.", { reason: "invalid" });
  }
}

function checkIamConfiguration(configuration: Json | undefined): void {
  const prevention = configuration?.publicAccessPrevention;
  if (prevention && !["inherited", "enforced", "unspecified"].includes(prevention)) {
    throw invalidArgument(`Invalid argument: publicAccessPrevention '${prevention}'`);
  }
}

const grantsPublic = (bindings: Json[] = []) =>
  bindings.some(({ members = [] }) =>
    members.some((member: string) => /^all(Authenticated)?Users$/.test(member)),
  );

function renderBucketPolicy(bucket: string, policy: Policy): Json {
  return { kind: "storage#policy", resourceId: `projects/_/buckets/${bucket}`, ...renderPolicy(policy) };
}
