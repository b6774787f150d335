import { Token } from "cdktf";
import { IConstruct } from "constructs";
import type { IWorkloadIdentity } from "../../contracts/workload-identity";
import { checkLate } from "../terraform/late-checks";
import { resolvedText } from "../terraform/names";
import { PerStack } from "../terraform/per-stack";
import { invalid } from "../validation";

/** @throws unless it is an identity; whoever has no types easily gives what has one */
export function requireIdentity(
  scope: IConstruct,
  property: string,
  identity: IWorkloadIdentity | undefined,
): void {
  if (identity === undefined || identity.addPodDependency !== undefined) return;
  const { node } = identity as Partial<IConstruct>;
  const rule = "be an identity, such as a WorkloadIdentity or the 'identity' of a RayBucketAccess";
  throw invalid(scope, property, rule, node?.path ?? identity);
}

/** Who runs as an identity. */
interface IdentityUse {
  readonly scope: IConstruct;
  readonly property: string;
  readonly identity: IWorkloadIdentity;
}

interface IdentityUses {
  readonly ray: IdentityUse[];
  readonly skyPilot: IdentityUse[];
}

const uses = new PerStack((stack): IdentityUses => {
  const known: IdentityUses = { ray: [], skyPilot: [] };
  checkLate(stack, () =>
    known.skyPilot.flatMap((sky) => known.ray.map((ray) => () => requireApart(sky, ray))),
  );
  return known;
});

/** Notes who runs as an identity. Ray's pods and SkyPilot's tasks never are one in Google Cloud, which is checked late. */
export function noteIdentity(user: "ray" | "skyPilot", use: IdentityUse): void {
  uses.of(use.scope)[user].push(use);
}

function requireApart({ scope, property, identity }: IdentityUse, ray: IdentityUse): void {
  const others = namesOf(ray.identity);
  if (!namesOf(identity).some((name) => others.includes(name))) return;
  const requirement = `not be who the pods of ${ray.scope.node.path} are in Google Cloud: SkyPilot's tasks would have the rights of Ray's`;
  throw invalid(scope, property, requirement, identity.node.path);
}

/** Emails of accounts that are created here, where the project is known. */
const emails = new WeakMap<IWorkloadIdentity, string>();

/** Notes by which email others may name an account that is created here. */
export function noteEmail(identity: IWorkloadIdentity, accountId: string, project: string | undefined): void {
  if (Token.isUnresolved(accountId) || project === undefined || Token.isUnresolved(project)) return;
  emails.set(identity, `${accountId}@${project}.iam.gserviceaccount.com`);
}

/** What an identity may be called in Google Cloud. */
function namesOf(identity: IWorkloadIdentity): string[] {
  const { member, googleServiceAccountEmail } = identity;
  return [member, googleServiceAccountEmail, emails.get(identity)].flatMap((name) =>
    name === undefined ? [] : [resolvedText(identity, name)],
  );
}
