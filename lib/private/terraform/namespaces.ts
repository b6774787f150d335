import { ITerraformDependable, TerraformProvider, TerraformStack, Token } from "cdktf";
import { Construct, IConstruct } from "constructs";
import { PodSecurityStandard } from "../../contracts/pod-security-standard";
import type { SkyPilotPodSecurity } from "../../contracts/skypilot-options";
import { DNS_LABEL, invalid, requireName, requireOneOf } from "../validation";
import { lateDependencies } from "./dependencies";
import { claimNamespace, NamespacePurpose } from "./namespace-purposes";
import { providerKey } from "./claims";
import { kubernetesObjects } from "./kubernetes-objects";
import { resolvedText } from "./names";
import { PerStack } from "./per-stack";
import { PlainAttributes, PlainResource } from "./plain-elements";

const POD_SECURITY = "pod-security.kubernetes.io";

/** Namespaces that every cluster has. */
const BUILT_IN = /^(default|kube-(system|public|node-lease))$/;

/** What a construct says of the namespace that it works in. */
export interface NamespaceRequest {
  readonly namespace: string;
  /** Left out: made, unless it is a built-in one or a reference to something else in the plan. */
  readonly createNamespace?: boolean;
  /** Labels of the namespace where it is made. */
  readonly labels?: { [name: string]: string };
  /** Given where pods run in the namespace: which ones it admits where it is made. */
  readonly podSecurity?: PodSecurity;
  /** Left out where any purpose will do. */
  readonly purpose?: NamespacePurpose;
  /**
   * The property that names the namespace, for error messages.
   * @default namespace
   */
  readonly property?: string;
  readonly provider: TerraformProvider;
  readonly dependencies: ITerraformDependable[];
}

/** What a construct says of the pods that a namespace admits. */
export interface PodSecurity {
  /** @default - what another construct says, else BASELINE */
  readonly standard?: PodSecurityStandard | SkyPilotPodSecurity;
  /** The property that names the standard, for error messages. */
  readonly property: string;
}

/**
 * Makes a namespace once per stack and provider, whoever asks first, and returns what its objects wait for.
 *
 * @throws if one construct wants the namespace made and another says that it exists, if another construct has it for another
 * purpose, if two want other pods admitted, or if the provider is of another stack
 */
export function useNamespace(scope: Construct, request: NamespaceRequest): ITerraformDependable[] {
  const { namespace, purpose, property = "namespace", provider, podSecurity } = request;
  requireName(scope, property, namespace, DNS_LABEL);
  if (podSecurity !== undefined) {
    requireOneOf(scope, podSecurity.property, podSecurity.standard, Object.values(PodSecurityStandard));
  }
  const stack = TerraformStack.of(scope);
  const home = TerraformStack.of(provider);
  if (home !== stack) {
    const requirement = `be of the stack ${stack.node.path}, not of ${home.node.path}, whose providers do not reach here: look it up here by GkeWorkloadIdentityCluster.fromClusterName`;
    throw invalid(scope, "cluster", requirement);
  }
  if (purpose !== undefined) {
    claimNamespace(scope, { namespace, purpose, property, provider: () => provider });
  }
  return registries.of(scope).use(scope, request);
}

/** @throws if it is a namespace that every cluster has, with pods of others in it */
export function refuseBuiltInNamespace(scope: IConstruct, property: string, namespace: string): void {
  if (!BUILT_IN.test(namespace)) return;
  throw invalid(scope, property, "be a namespace of its own: others have pods in this one", namespace);
}

/** The Pod Security Standard that a namespace enforces; none where it is not made here. */
export function enforcedStandard(
  scope: IConstruct,
  namespace: string,
  provider: TerraformProvider,
): string | undefined {
  return registries.of(scope).find(namespace, provider)?.standard;
}

/**
 * The namespace of that name as something to wait for, if anything in the stack creates it, before or after; else nothing, which
 * Terraform does not see.
 */
export function lateNamespace(
  scope: IConstruct,
  namespace: string,
  provider: () => TerraformProvider,
): ITerraformDependable {
  const stack = TerraformStack.of(scope);
  return {
    get fqn() {
      const name = resolvedText(scope, namespace);
      const cluster = providerKey(provider());
      const found = kubernetesObjects(stack).find(
        (object) => object.kind === "namespace" && object.name === name && object.cluster === cluster,
      );
      // cdktf drops what is undefined from a list.
      return found?.resource.fqn as string;
    },
  };
}

/** @throws if a Pod Security Standard is given for a namespace that is not made here */
export function refuseStandardOfExisting(
  scope: Construct,
  { standard, property }: PodSecurity,
  namespace: string,
  createNamespace?: boolean,
): void {
  if (standard === undefined || isNamespaceCreated(namespace, createNamespace)) return;
  const requirement = `not be given for the namespace ${JSON.stringify(namespace)}, which is not made here: label it where it is made`;
  throw invalid(scope, property, requirement, standard);
}

/** The namespaces of each stack, beside a construct of the user's own if that has taken the id. */
const registries = new PerStack(
  (stack): Namespaces =>
    new Namespaces(
      stack,
      stack.node.tryFindChild("namespaces") === undefined ? "namespaces" : "ray-namespaces",
    ),
);

/** Whether a namespace is made where it is left open: every cluster has some, and a reference is to something that exists. */
function isNamespaceCreated(namespace: string, createNamespace?: boolean): boolean {
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
    const known = this.find(namespace, provider);
    if (known === undefined) {
      const id = this.freeId(provider, Token.isUnresolved(namespace) ? `${this.known.size}` : namespace);
      const made = new SharedNamespace(this, id, scope, create, request);
      this.known.set(this.key(namespace, provider), made);
      return made.dependencies;
    }
    if (known.created !== create) {
      const rule = `be the same wherever "${namespace}" is used, but ${known.firstUser} has ${known.created}`;
      throw invalid(scope, "createNamespace", rule, create);
    }
    known.waitFor(request.dependencies);
    known.addLabels(scope, request.labels ?? {});
    known.addPodSecurity(scope, request);
    return known.dependencies;
  }

  public find(namespace: string, provider: TerraformProvider): SharedNamespace | undefined {
    return this.known.get(this.key(namespace, provider));
  }

  private key(namespace: string, provider: TerraformProvider): string {
    return `${providerKey(provider)} ${resolvedText(this, namespace)}`;
  }

  /** Tells the namespaces of several clusters apart; two names may come to one text. */
  private freeId(provider: TerraformProvider, name: string): string {
    const owner = provider.alias ?? provider.terraformResourceType;
    const id = `${owner}-${name}`;
    return this.node.tryFindChild(id) === undefined ? id : `${owner}--${name}`;
  }
}

/** One namespace and what it waits for. */
class SharedNamespace {
  public readonly dependencies: ITerraformDependable[];
  private readonly awaited: Set<ITerraformDependable>;
  public readonly firstUser: string;
  private readonly labels: { [name: string]: string };
  private readonly resource?: PlainResource;
  private podSecurity?: PodSecurity & { readonly owner: string };
  /** Those who try something out do not want warnings about SkyPilot's pods, which have root. */
  private warns = true;

  constructor(
    parent: Construct,
    id: string,
    scope: Construct,
    public readonly created: boolean,
    private readonly request: NamespaceRequest,
  ) {
    this.firstUser = scope.node.path;
    this.awaited = new Set(request.dependencies);
    this.labels = { ...request.labels };
    if (!created) {
      const { namespace, provider } = request;
      this.dependencies = [...request.dependencies, lateNamespace(scope, namespace, () => provider)];
      return;
    }
    this.notePodSecurity(scope, request);
    this.resource = new PlainResource(parent, id, "kubernetes_namespace_v1", {
      metadata: this.metadata,
      // The namespace goes only when every pod in it has ended.
      timeouts: { delete: "15m" },
      provider: request.provider,
    });
    this.resource.dependsOn = lateDependencies(parent, () => [...this.awaited]);
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
    this.resource.put({ metadata: this.metadata });
  }

  /** The Pod Security Standard that it enforces, if it enforces one. */
  public get standard(): string | undefined {
    return this.podSecurity && (this.podSecurity.standard ?? PodSecurityStandard.BASELINE);
  }

  /**
   * Has the namespace admit certain pods only, unless it exists already and is left as it is.
   *
   * @throws if another construct wants other pods admitted
   */
  public addPodSecurity(scope: Construct, request: NamespaceRequest): void {
    if (this.resource === undefined) return;
    this.notePodSecurity(scope, request);
    this.resource.put({ metadata: this.metadata });
  }

  private notePodSecurity(scope: Construct, { podSecurity, purpose }: NamespaceRequest): void {
    if (podSecurity === undefined) return;
    if (purpose === NamespacePurpose.SKYPILOT_WORKLOADS) this.warns = false;
    const { standard, property } = podSecurity;
    const present = this.podSecurity?.standard;
    if (standard !== undefined && present !== undefined && standard !== present) {
      const rule = `be the same wherever "${this.request.namespace}" is used, but ${this.podSecurity!.owner} has "${present}"`;
      throw invalid(scope, property, rule, standard);
    }
    if (present === undefined) this.podSecurity = { ...podSecurity, owner: scope.node.path };
  }

  /**
   * Who applies a workload is warned of what its pods lack for `restricted`; of pods that the operator makes, the audit log tells.
   *
   * https://kubernetes.io/docs/tasks/configure-pod-container/enforce-standards-namespace-labels/
   */
  private get podSecurityLabels(): { [name: string]: string } {
    if (this.standard === undefined) return {};
    const enforce = { [`${POD_SECURITY}/enforce`]: this.standard };
    if (!this.warns) return enforce;
    const { RESTRICTED } = PodSecurityStandard;
    return { ...enforce, [`${POD_SECURITY}/warn`]: RESTRICTED, [`${POD_SECURITY}/audit`]: RESTRICTED };
  }

  private get metadata(): PlainAttributes {
    const labels = { ...this.labels, ...this.podSecurityLabels };
    return { name: this.request.namespace, labels: Object.keys(labels).length > 0 ? labels : undefined };
  }
}
