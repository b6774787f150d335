import { TerraformVariable } from "cdktf";
import type { IRayCluster } from "./ray-cluster";

/** One entry of a netrc file: how Ray signs in to a host. */
export interface NetrcMachine {
  /** Host name, for example `github.com`. Redirects to another host need an entry of their own, such as `codeload.github.com`. */
  readonly machine: string;
  /** Name of the user. */
  readonly login: string;
  /**
   * Terraform variable with the password or access token. It is created sensitive and ephemeral, so that its value is in neither
   * the synthesized JSON nor a saved plan nor the state; it must have no default.
   */
  readonly password: TerraformVariable;
}

/** Properties of `RuntimeEnvNetrc`. */
export interface RuntimeEnvNetrcProps {
  /** The Ray cluster whose `runtime_env` may name private sources, created here or by other means. */
  readonly rayCluster: IRayCluster;
  /**
   * An existing Secret in the Ray cluster's namespace whose key `.netrc` is a netrc file; Terraform never sees what is in it.
   * @default - a Secret is created from `machines`
   */
  readonly existingSecretName?: string;
  /**
   * Entries of the netrc file. Needs Terraform 1.11, and the variables again when a saved plan is applied.
   * @default - required without `existingSecretName`
   */
  readonly machines?: NetrcMachine[];
  /**
   * Which writing of `machines` this is. Terraform cannot see that a password has changed: increase it to have the Secret
   * written again, which replaces the pods where the operator can (`upgradeStrategy`).
   * @default 1
   */
  readonly revision?: number;
}
