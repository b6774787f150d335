import {
  DefaultTokenResolver,
  StringConcat,
  TerraformElement,
  TerraformOutput,
  TerraformProvider,
  Tokenization,
} from "cdktf";
import {
  Block,
  blocksOf,
  ConfigurationSource,
  configurationOf,
  entries,
  Reference,
  referencesIn,
  referencesInExpression,
} from "./configuration";

/** The address of a block, or the construct that makes the block. */
export type GraphNode = string | TerraformElement;

/** `from` waits for `to`. */
export interface GraphEdge {
  readonly from: string;
  readonly to: string;
}

export interface UnresolvedReference {
  readonly from: string;
  readonly reference: string;
}

export interface CriticalPath {
  /** Addresses from the first to the last, without those that take no time. */
  readonly path: string[];
  readonly seconds: number;
}

/**
 * What waits for what when Terraform applies a configuration.
 *
 * A block waits for the blocks its values refer to, for its `depends_on`, and for its provider, which in turn waits
 * for what the provider's own configuration refers to. Destroy runs the same edges backwards.
 */
export class Graph {
  public static of(source: ConfigurationSource): Graph {
    const blocks = blocksOf(configurationOf(source));
    const addresses = new Set(blocks.map(({ address }) => address));
    const edges = new Map<string, Set<string>>();
    const unresolved: UnresolvedReference[] = [];
    for (const block of blocks) {
      const targets = targetsOf(block, addresses);
      edges.set(
        block.address,
        new Set(targets.map(({ address }) => address).filter((a) => addresses.has(a))),
      );
      for (const { address, text } of targets.filter((target) => !addresses.has(target.address))) {
        unresolved.push({ from: block.address, reference: text ?? address });
      }
    }
    return new Graph(edges, unresolved);
  }

  private constructor(
    private readonly targets: ReadonlyMap<string, ReadonlySet<string>>,
    private readonly unresolved: readonly UnresolvedReference[],
  ) {}

  public addresses(): string[] {
    return [...this.targets.keys()];
  }

  /** Addresses of one type: `google_storage_bucket`, `data.google_project`, `provider kubernetes`. */
  public addressesOfType(type: string): string[] {
    return this.addresses().filter((address) => address === type || address.startsWith(`${type}.`));
  }

  public edges(): GraphEdge[] {
    return [...this.targets].flatMap(([from, targets]) => [...targets].map((to) => ({ from, to })));
  }

  public directDependencies(node: GraphNode): string[] {
    return [...this.targets.get(this.addressOf(node))!];
  }

  /** What waits directly for the node. */
  public dependents(node: GraphNode): string[] {
    const address = this.addressOf(node);
    return this.addresses().filter((other) => this.targets.get(other)!.has(address));
  }

  /**
   * Whether `node` waits for `other`, directly or through others; given several, whether each waits for each.
   *
   * @throws when a node is not in the configuration, so that a misspelt address never passes for "does not wait".
   */
  public dependsOn(node: GraphNode | readonly GraphNode[], other: GraphNode | readonly GraphNode[]): boolean {
    const others = [other].flat().map((target) => this.addressOf(target as GraphNode));
    const nodes = [node].flat().map((source) => this.addressOf(source as GraphNode));
    if (nodes.length === 0 || others.length === 0) {
      throw new Error("an empty list of nodes waits for everything and for nothing");
    }
    return nodes.every((address) => {
      const reachable = this.reachableFrom(address);
      return others.every((target) => reachable.has(target));
    });
  }

  /** Everything the node waits for, directly or through others. */
  public allDependencies(node: GraphNode): string[] {
    return [...this.reachableFrom(this.addressOf(node))];
  }

  /** Groups of nodes that wait for each other; empty in a configuration that Terraform can apply. */
  public cycles(): string[][] {
    const reachable = new Map(this.addresses().map((address) => [address, this.reachableFrom(address)]));
    const seen = new Set<string>();
    const cycles: string[][] = [];
    for (const address of this.addresses()) {
      if (reachable.get(address)!.has(address) && !seen.has(address)) {
        const cycle = this.addresses().filter(
          (other) => reachable.get(address)!.has(other) && reachable.get(other)!.has(address),
        );
        cycle.forEach((member) => seen.add(member));
        cycles.push(cycle);
      }
    }
    return cycles;
  }

  /** References, `depends_on` entries and providers that lead to no block of the configuration. */
  public unresolvedReferences(): UnresolvedReference[] {
    return [...this.unresolved];
  }

  /**
   * The graph as it would be if `from` did not wait directly for `to`.
   *
   * @throws when there is no such edge.
   */
  public withoutEdge(from: GraphNode, to: GraphNode): Graph {
    const source = this.addressOf(from);
    const target = this.addressOf(to);
    const remaining = new Set(this.targets.get(source));
    if (!remaining.delete(target)) {
      throw new Error(`${source} does not wait directly for ${target}`);
    }
    return new Graph(new Map(this.targets).set(source, remaining), this.unresolved);
  }

  /**
   * The chain of nodes that decides how long an apply takes when all that may run at the same time does.
   *
   * @throws when the graph has a cycle.
   */
  public criticalPath(durationSeconds: (address: string) => number): CriticalPath {
    if (this.cycles().length > 0) {
      throw new Error(`a graph with a cycle has no critical path: ${this.cycles()[0].join(", ")}`);
    }
    const known = new Map<string, CriticalPath>();
    const pathTo = (address: string): CriticalPath => {
      const before = longest(
        [...this.targets.get(address)!].map((target) => known.get(target) ?? pathTo(target)),
      );
      const seconds = durationSeconds(address);
      const result = {
        path: seconds === 0 ? before.path : [...before.path, address],
        seconds: before.seconds + seconds,
      };
      known.set(address, result);
      return result;
    };
    return longest(this.addresses().map((address) => known.get(address) ?? pathTo(address)));
  }

  private reachableFrom(address: string): Set<string> {
    const reachable = new Set<string>();
    const waiting = [address];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      for (const target of this.targets.get(next)!) {
        if (!reachable.has(target)) {
          reachable.add(target);
          waiting.push(target);
        }
      }
    }
    return reachable;
  }

  private addressOf(node: GraphNode): string {
    const address = addressOf(node);
    if (!this.targets.has(address)) {
      throw new Error(`no block ${address} in the configuration`);
    }
    return address;
  }
}

/** The address under which Terraform knows a construct; a string is taken for an address. */
export function addressOf(node: GraphNode): string {
  if (typeof node === "string") {
    return node;
  }
  if (TerraformOutput.isTerraformOutput(node)) {
    return `output.${node.friendlyUniqueId}`;
  }
  const resolver = new DefaultTokenResolver(new StringConcat());
  const fqn: string = Tokenization.resolve(node.fqn, { scope: node, resolver, preparing: false });
  const address = fqn.replace(/^\$\{(.*)\}$/, "$1");
  return TerraformProvider.isTerraformProvider(node) ? `provider ${address}` : address;
}

type Target = Pick<Reference, "address"> & Partial<Pick<Reference, "text">>;

function targetsOf(block: Block, addresses: ReadonlySet<string>): Target[] {
  if (block.kind === "local") return referencesIn(block.body);
  if (block.kind === "variable") {
    // Its own validation names the variable itself.
    return referencesIn(block.body).filter(({ address }) => address !== block.address);
  }
  const { depends_on: dependsOn = [], provider, lifecycle, ...values } = block.body;
  const { replace_triggered_by: triggers = [], ...conditions } = lifecycle ?? {};
  return [
    ...referencesIn(values),
    ...referencesIn(conditions),
    ...[...dependsOn, ...triggers].flatMap(referencesInExpression),
    ...providerTargets(block, provider, addresses),
  ];
}

function providerTargets(block: Block, provider: any, addresses: ReadonlySet<string>): Target[] {
  if (block.kind === "module") {
    return entries(block.body.providers).map(([, name]) => ({ address: `provider ${name}` }));
  }
  if (block.kind !== "resource" && block.kind !== "data" && block.kind !== "ephemeral") {
    return [];
  }
  if (provider !== undefined) {
    return [{ address: `provider ${provider}` }];
  }
  // Without the meta-argument Terraform takes the provider that the type's first word names, configured or not.
  const implied = `provider ${block.type.split("_")[0]}`;
  return addresses.has(implied) ? [{ address: implied }] : [];
}

function longest(paths: CriticalPath[]): CriticalPath {
  return paths.reduce((best, path) => (path.seconds > best.seconds ? path : best), { path: [], seconds: 0 });
}
