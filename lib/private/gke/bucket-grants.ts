import { IConstruct } from "constructs";
import type { BucketRole } from "../../contracts/bucket-role";
import type { IWorkloadIdentity } from "../../contracts/workload-identity";
import { resolvedText } from "../terraform/names";
import { PerStack } from "../terraform/per-stack";

/** A grant on a bucket. */
interface BucketGrant {
  /** None where somebody else grants. */
  readonly role?: BucketRole;
  /** Beginning of the names of the objects that it is about; of all objects without. */
  readonly objectPrefix?: string;
}

/** The grants of each stack, by bucket and IAM member: several constructs may stand for one bucket, and for one identity. */
const grants = new PerStack(() => new Map<string, BucketGrant[]>());

export function noteBucketGrant(
  scope: IConstruct,
  bucketName: string,
  identity: IWorkloadIdentity,
  grant: BucketGrant,
): void {
  const known = grants.of(scope);
  const key = grantKey(scope, bucketName, identity);
  known.set(key, [...(known.get(key) ?? []), grant]);
}

/** Every grant on a bucket to an identity so far. */
export function bucketGrants(
  scope: IConstruct,
  bucketName: string,
  identity: IWorkloadIdentity,
): readonly BucketGrant[] {
  return grants.of(scope).get(grantKey(scope, bucketName, identity)) ?? [];
}

function grantKey(scope: IConstruct, bucketName: string, { member }: IWorkloadIdentity): string {
  return `${resolvedText(scope, bucketName)} ${resolvedText(scope, member)}`;
}
