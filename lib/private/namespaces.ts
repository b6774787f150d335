import { NamespaceV1, NamespaceV1Metadata } from "@cdktf/provider-kubernetes/lib/namespace-v1";
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
  /** Labels of the namespace where it is made. */
  readonly labels?: { [name: string]: string };
  readonly provider: TerraformProvider;
  readonly dependencies: ITerraformDependable[];
}

/**
 * Makes a namespace once per stack and provider, whoever asks first, and returns what its objects wait for.
 *
 * @throws if one construct wants the namespace made and another says that it exists, or if the provider is of another stack
 */
export function useNamespace(scope: Construct, request: NamespaceRequest): ITerraformDependable[] {
  requireName(scope, "namespace", request.namespace, DNS_LABEL);
  const stack = TerraformStack.of(scope);
  const home = TerraformStack.of(request.provider);
  if (home !== stack) {
    const requirement = `be of the stack ${stack.node.path}, not of ${home.node.path}, whose providers do not reach here: look it up here by GkeWorkloadIdentityCluster.fromClusterName`;
    throw invalid(scope, "cluster", requirement);
  }
  const registry = (stack.node.tryFindChild("namespaces") ??
    new Namespaces(stack, "namespaces")) as Namespaces;
  return registry.use(scope, request);
}

/** Whether a namespace is made where it is left open: every cluster has some, and a reference is to something that exists. */
export function isNamespaceCreated(namespace: string, createNamespace?: boolean): boolean {
  return createNamespace ?? !(Token.isUnresolved(namespace) || BUILT_IN.test(namespace));
}

/** The namespaces of a stack. */
class Namespaces extends Construct {
  private readonly known = new Map<string, SharedNamespace>();

  public use(scope: Construct, request: NamespaceRequest): ITerraformDependable[] {
    const { namespace, provider } = request;
    const create = isNamespaceCreated(namespace, request.createNamespace);
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
    known.addLabels(scope, request.labels ?? {});
    return known.dependencies;
  }
}

/** One namespace and what it waits for. */
class SharedNamespace {
  public readonly dependencies: ITerraformDependable[];
  private readonly awaited: Set<ITerraformDependable>;
  private readonly labels: { [name: string]: string };
  private readonly resource?: NamespaceV1;

  constructor(
    scope: Construct,
    id: string,
    public readonly firstUser: string,
    public readonly created: boolean,
    private readonly request: NamespaceRequest,
  ) {
    this.awaited = new Set(request.dependencies);
    this.labels = { ...request.labels };
    if (!created) {
      this.dependencies = request.dependencies;
      return;
    }
    this.resource = new NamespaceV1(scope, id, {
      metadata: this.metadata,
      // The namespace goes only when every pod in it has ended.
      timeouts: { delete: "15m" },
      provider: request.provider,
    });
    this.resource.dependsOn = lateDependencies(scope, () => [...this.awaited]);
    this.dependencies = [this.resource];
  }

  public waitFor(dependencies: ITerraformDependable[]): void {
    dependencies.forEach((dependency) => this.awaited.add(dependency));
  }

  /**
   * Labels the namespace, unless it exists already and is left as it is.
   *
   * @throws if it has such a label of another value
   */
  public addLabels(scope: Construct, labels: { [name: string]: string }): void {
    if (this.resource === undefined) return;
    for (const [name, value] of Object.entries(labels)) {
      const present = this.labels[name] ?? value;
      if (present !== value) {
        const rule = `be the same wherever "${this.request.namespace}" is used, but another construct has "${present}"`;
        throw invalid(scope, `label ${name} of the namespace`, rule, value);
      }
      this.labels[name] = value;
    }
    this.resource.putMetadata(this.metadata);
  }

  private get metadata(): NamespaceV1Metadata {
    const labels = Object.keys(this.labels).length > 0 ? { ...this.labels } : undefined;
    return { name: this.request.namespace, labels };
  }
}
