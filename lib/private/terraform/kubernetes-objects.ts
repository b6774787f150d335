import { TerraformElement, TerraformResource, TerraformStack } from "cdktf";
import { providerKey } from "./claims";
import { resolvedText } from "./names";

/** Resources of the Kubernetes provider that are no object: they write to one, or ask for a token. */
const NO_OBJECT =
  /^kubernetes_(annotations|labels|env|config_map_v1_data|secret_v1_data|node_taint|token_request(_v1)?)$/;

/** A Kubernetes object, or a Helm release, that a resource of Terraform is. */
export interface KubernetesObject {
  readonly resource: TerraformResource;
  /** For example `role`. */
  readonly kind: string;
  /** Empty where the object is in no namespace. */
  readonly namespace: string;
  readonly name: string;
  /** Tells clusters apart. */
  readonly cluster: string;
}

/** What resources say of themselves: those of this library and of the provider packages' classes. */
interface Inputs {
  readonly metadataInput?: { readonly name?: string; readonly namespace?: string };
  readonly nameInput?: string;
  readonly namespaceInput?: string;
}

/** The Kubernetes objects of a stack, whoever created the resources. */
export function kubernetesObjects(stack: TerraformStack): KubernetesObject[] {
  return stack.node
    .findAll()
    .filter((construct) => TerraformElement.isTerraformElement(construct))
    .filter((element) => TerraformResource.isTerraformResource(element))
    .filter((resource) => TerraformStack.of(resource) === stack)
    .flatMap((resource) => {
      const { terraformResourceType: type, provider, forEach, count } = resource;
      if (!/^(kubernetes|helm)_/.test(type) || NO_OBJECT.test(type)) return [];
      // Terraform alone knows how many these are, and what they are called.
      if (forEach !== undefined || count !== undefined) return [];
      const { metadataInput, nameInput, namespaceInput } = resource as Inputs;
      const name = metadataInput?.name ?? nameInput;
      // A name that Kubernetes chooses is nobody else's.
      if (name === undefined) return [];
      return [
        {
          resource,
          kind: type.replace(/^kubernetes_|_v\d+\w*$/g, ""),
          namespace: resolvedText(stack, metadataInput?.namespace ?? namespaceInput ?? ""),
          name: resolvedText(stack, name),
          cluster: provider === undefined ? "" : providerKey(provider),
        },
      ];
    });
}
