import { TerraformElement, TerraformResource, TerraformStack } from "cdktf";
import { providerKey } from "../terraform/claims";
import { resolvedText } from "../terraform/names";

/** Resources of the Kubernetes provider that write to an object which something else creates. */
const WRITES_TO_OTHERS = /^kubernetes_(annotations|labels|env|config_map_v1_data|secret_v1_data|node_taint)$/;

/** A Kubernetes object, or a Helm release, that a resource of Terraform is. */
export interface KubernetesObject {
  readonly resource: TerraformResource;
  /** For example `role`; `annotations of ServiceAccount` where others create the object. */
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
  readonly kindInput?: string;
}

/** The Kubernetes objects of a stack, whoever created the resources. */
export function kubernetesObjects(stack: TerraformStack): KubernetesObject[] {
  return stack.node
    .findAll()
    .filter((construct) => TerraformElement.isTerraformElement(construct))
    .filter((element) => TerraformResource.isTerraformResource(element))
    .flatMap((resource) => {
      const { terraformResourceType: type, provider } = resource;
      if (!/^(kubernetes|helm)_/.test(type)) return [];
      const { metadataInput, nameInput, namespaceInput, kindInput } = resource as Inputs;
      const name = metadataInput?.name ?? nameInput;
      // A name that Kubernetes chooses is nobody else's.
      if (name === undefined) return [];
      const ownKind = type.replace(/^kubernetes_|_v\d+\w*$/g, "");
      return [
        {
          resource,
          kind: WRITES_TO_OTHERS.test(type) ? `${ownKind} of ${kindInput ?? "an object"}` : ownKind,
          namespace: resolvedText(stack, metadataInput?.namespace ?? namespaceInput ?? ""),
          name: resolvedText(stack, name),
          cluster: provider === undefined ? "" : providerKey(provider),
        },
      ];
    });
}
