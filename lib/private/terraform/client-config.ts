import { TerraformProvider, TerraformStack } from "cdktf";
import { IConstruct } from "constructs";
import { PerStack } from "./per-stack";
import { PlainDataSource } from "./plain-elements";

/** The data sources of each stack. */
const configs = new PerStack(() => new Map<string, PlainDataSource>());

/**
 * What a Google provider knows of itself: its project and its access token. One data source serves all constructs of a
 * stack that use the same provider.
 */
export function googleClientConfig(scope: IConstruct, googleProvider?: TerraformProvider): PlainDataSource {
  const stack = TerraformStack.of(scope);
  const alias = googleProvider?.alias;
  const name = alias === undefined ? "google-client" : `google-client-${alias}`;
  const known = configs.of(scope);
  const existing = known.get(name);
  if (existing !== undefined) return existing;
  // A construct of the user's own may have the id.
  const id = stack.node.tryFindChild(name) === undefined ? name : `${name}-config`;
  const config = new PlainDataSource(stack, id, "google_client_config", { provider: googleProvider });
  known.set(name, config);
  return config;
}

/** The project of a Google provider. A plan fails at once where the provider has none, and not an apply halfway. */
export function googleProject(scope: IConstruct, googleProvider?: TerraformProvider): string {
  const config = googleClientConfig(scope, googleProvider);
  config.lifecycle = {
    postcondition: [
      {
        condition: '${self.project != ""}',
        errorMessage:
          "The Google provider has no project. Set the environment variable GOOGLE_PROJECT, or the provider's 'project'.",
      },
    ],
  };
  return config.getStringAttribute("project");
}
