import { Annotations, Token } from "cdktf";
import type { IConstruct } from "constructs";
import { RayAuthProxyPlacement } from "../../contracts/ray-auth-proxy";
import type { RayAuthOptions } from "../../contracts/ray-auth-options";
import type { IRayCluster, RayClusterProps } from "../../contracts/ray-cluster";
import type { RayGroup } from "../../contracts/ray-groups";
import { invalid } from "../validation";

/** The environment variable by which every process of Ray learns whether it asks callers for a token. */
const AUTH_MODE = "RAY_AUTH_MODE";

/** Ray asks nobody. Said outright, because Ray 2.61 changes the default. */
export const AUTH_DISABLED = [AUTH_MODE, "disabled"] as const;

/** What decides the mode. */
interface AuthModeInput {
  readonly authOptions?: RayAuthOptions;
  readonly head: RayGroup;
}

/** The environment of every Ray pod; with `authOptions` the operator sets it. */
export function authModeEnv({ authOptions }: Pick<AuthModeInput, "authOptions">): { [name: string]: string } {
  return authOptions === undefined ? Object.fromEntries([AUTH_DISABLED]) : {};
}

/** The autoscaler is Ray too, in a container that the operator creates: it must authenticate as the head does. */
export function autoscalerAuthEnv(input: AuthModeInput): { name: string; value: string }[] | undefined {
  const mode = { ...authModeEnv(input), ...input.head.env }[AUTH_MODE];
  return mode === undefined ? undefined : [{ name: AUTH_MODE, value: mode }];
}

/** @throws if a group sets the mode that `authOptions` sets */
export function requireAuthModeOnce(
  scope: IConstruct,
  path: string,
  { env }: RayGroup,
  authOptions?: RayAuthOptions,
): void {
  const mode = env?.[AUTH_MODE];
  if (authOptions === undefined || mode === undefined) return;
  throw invalid(scope, `${path}.env.${AUTH_MODE}`, "be left to 'authOptions'", mode);
}

/** Whether the user has decided how Ray treats its callers. */
export function statesAuthMode({ authOptions, head }: RayClusterProps): boolean {
  return authOptions !== undefined || head.env?.[AUTH_MODE] !== undefined;
}

/** The Ray clusters whose callers a proxy asks who they are, and where it runs. */
const guarded = new WeakMap<IRayCluster, RayAuthProxyPlacement>();

/** Notes that a proxy stands in front of a Ray cluster. */
export function noteGuard(ray: IRayCluster, placement: RayAuthProxyPlacement): void {
  guarded.set(ray, placement);
}

/** What `ray start` must say, or leave out, for a proxy in another pod to reach the dashboard. */
const REACHABLE: { [parameter: string]: string } = {
  "dashboard-host": "0.0.0.0",
  "dashboard-port": "8265",
  "include-dashboard": "true",
};

/**
 * @param startParams of the head, as rendered
 * @throws if a proxy in pods of its own could not reach the dashboard
 */
export function requireReachableDashboard(
  ray: IRayCluster,
  startParams: { readonly [name: string]: string } = {},
): void {
  if (guarded.get(ray) !== RayAuthProxyPlacement.DEPLOYMENT) return;
  for (const [name, expected] of Object.entries(REACHABLE)) {
    const given = startParams[name] ?? expected;
    if (given.toLowerCase() === expected || Token.isUnresolved(given)) continue;
    const rule = `be left out, or ${expected}, for the RayAuthProxy to reach the dashboard`;
    throw invalid(ray, `head.rayStartParams.${name}`, rule, given);
  }
}

/**
 * Warns, once the tree is complete, that nobody asks who uses a Ray cluster. Ray asks by itself from 2.61 on unless
 * `RAY_AUTH_MODE` is `disabled`, which it is here unless something else is said.
 */
export function warnOfOpenApi(ray: IRayCluster): void {
  ray.node.addValidation({
    validate: () => {
      if (!guarded.has(ray)) {
        Annotations.of(ray).addWarning(
          `nobody asks who uses the Ray cluster ${JSON.stringify(ray.rayClusterName)}: its pods have RAY_AUTH_MODE=disabled, which from Ray 2.61 on turns a default off, and whoever reaches their ports runs code as they do. Add a RayAuthProxy or set 'authOptions'; to have it so, set RAY_AUTH_MODE in 'head.env'`,
        );
      }
      return [];
    },
  });
}
