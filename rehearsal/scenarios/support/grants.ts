import type { Site } from "../../stage/site";
import { expect } from "../../stage/stage";

/** A role in the policy of a resource, and a member who has it or does not. */
export interface IamGrant {
  readonly resource: string;
  readonly role: string;
  readonly member: string;
}

/** Somebody takes a role from a member for a while, as one can at Google's console. */
export async function without(site: Site, grant: IamGrant, during: () => Promise<void>): Promise<void> {
  const { resource, role, member } = grant;
  const { bindings } = site.google.policies.get(resource);
  const fewer = bindings.map((binding) =>
    binding.role === role
      ? { ...binding, members: binding.members.filter((one) => one !== member) }
      : binding,
  );
  expect(JSON.stringify(fewer) !== JSON.stringify(bindings), `${member} does not have ${role}`, bindings);
  site.google.policies.seed(resource, fewer);
  await during();
  site.google.policies.seed(resource, bindings);
}

/** Somebody gives a member a role for a while. */
export async function withGrant(site: Site, grant: IamGrant, during: () => Promise<void>): Promise<void> {
  const { resource, role, member } = grant;
  const { bindings } = site.google.policies.get(resource);
  site.google.policies.seed(resource, [...bindings, { role, members: [member] }]);
  await during();
  site.google.policies.seed(resource, bindings);
}
