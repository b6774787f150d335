import { TerraformProvider, TerraformStack } from "cdktf";
import { IConstruct } from "constructs";
import { PlainDataSource } from "./plain-elements";

/**
 * What a Google provider knows of itself: its project and its access token. One data source serves all constructs of a
 * stack that use the same provider.
 */
export function googleClientConfig(scope: IConstruct, googleProvider?: TerraformProvider): PlainDataSource {
  const stack = TerraformStack.of(scope);
  const alias = googleProvider?.alias;
  const id = alias === undefined ? "google-client" : `google-client-${alias}`;
  const existing = stack.node.tryFindChild(id) as PlainDataSource | undefined;
  return existing ?? new PlainDataSource(stack, id, "google_client_config", { provider: googleProvider });
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
