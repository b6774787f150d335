import { NamespaceV1 } from "@cdktf/provider-kubernetes/lib/namespace-v1";
import { ITerraformDependable, TerraformProvider, TerraformStack, Token } from "cdktf";
import { Construct } from "constructs";
import { lateDependencies } from "./dependencies";
import { DNS_LABEL, invalid, requireName } from "./validation";

/** Namespaces that every cluster has. */
const BUILT_IN = /^(default|kube-(system|public|node-lease))$/;

/** What a construct says of the namespace that it works in. */
export interface NamespaceRequest {
  readonly namespace: string;
  /** Left out: made, unless it is a built-in one or a reference to something else in the plan. */
  readonly createNamespace?: boolean;
  readonly provider: TerraformProvider;
  readonly dependencies: ITerraformDependable[];
}

/**
 * Makes a namespace once per stack and provider, whoever asks first, and returns what its objects wait for.
 *
 * @throws if one construct wants the namespace made and another says that it exists
 */
export function useNamespace(scope: Construct, request: NamespaceRequest): ITerraformDependable[] {
  requireName(scope, "namespace", request.namespace, DNS_LABEL);
  const stack = TerraformStack.of(scope);
  const registry = (stack.node.tryFindChild("namespaces") ??
    new Namespaces(stack, "namespaces")) as Namespaces;
  return registry.use(scope, request);
}

/** The namespaces of a stack. */
class Namespaces extends Construct {
  private readonly known = new Map<string, SharedNamespace>();

  public use(scope: Construct, request: NamespaceRequest): ITerraformDependable[] {
    const { namespace, provider } = request;
    const create = request.createNamespace ?? !(Token.isUnresolved(namespace) || BUILT_IN.test(namespace));
    if (create && BUILT_IN.test(namespace)) {
      throw invalid(scope, "createNamespace", `be false for "${namespace}", which every cluster has`, true);
    }
    const owner = provider.alias ?? provider.terraformResourceType;
    const key = `${owner}-${namespace}`;
    const known = this.known.get(key);
    if (known === undefined) {
      const id = Token.isUnresolved(namespace) ? `${owner}-${this.known.size}` : key;
      const made = new SharedNamespace(this, id, scope.node.path, create, request);
      this.known.set(key, made);
      return made.dependencies;
    }
    if (known.created !== create) {
      const rule = `be the same wherever "${namespace}" is used, but ${known.firstUser} has ${known.created}`;
      throw invalid(scope, "createNamespace", rule, create);
    }
    known.waitFor(request.dependencies);
    return known.dependencies;
  }
}

/** One namespace and what it waits for. */
class SharedNamespace {
  public readonly dependencies: ITerraformDependable[];
  private readonly awaited: Set<ITerraformDependable>;

  constructor(
    scope: Construct,
    id: string,
    public readonly firstUser: string,
    public readonly created: boolean,
    request: NamespaceRequest,
  ) {
    this.awaited = new Set(request.dependencies);
    if (!created) {
      this.dependencies = request.dependencies;
      return;
    }
    const resource = new NamespaceV1(scope, id, {
      metadata: { name: request.namespace },
      // The namespace goes only when every pod in it has ended.
      timeouts: { delete: "15m" },
      provider: request.provider,
    });
    resource.dependsOn = lateDependencies(scope, () => [...this.awaited]);
    this.dependencies = [resource];
  }

  public waitFor(dependencies: ITerraformDependable[]): void {
    dependencies.forEach((dependency) => this.awaited.add(dependency));
  }
}
