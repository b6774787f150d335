import type { Answer, KubeClient } from "../node/kube-client";
import type { Node } from "../node/node";
import type { Feature } from "./matrix";
import { type Access, describe, type Kind, type Namespaces, probe } from "./access";

const REVIEWS = "/apis/authorization.k8s.io/v1";

/** A service account of the stack, and what it is expected to be able to do. */
export class Account {
  private known?: KubeClient;
  private ownToken?: string;

  constructor(
    private readonly node: Node,
    public readonly name: string,
    public readonly namespace: string,
    public readonly kind: Kind,
    public readonly features: readonly Feature[],
    public readonly namespaces: Namespaces,
  ) {}

  /** As it stands in an audit log. */
  public get userName(): string {
    return `system:serviceaccount:${this.namespace}:${this.name}`;
  }

  /** A token of an hour, by the API that `kubectl create token` uses. */
  public async token(): Promise<string> {
    if (this.ownToken === undefined) {
      const path = `/api/v1/namespaces/${this.namespace}/serviceaccounts/${this.name}/token`;
      const { status } = await this.node.client.create(path, { spec: { expirationSeconds: 3600 } });
      this.ownToken = status.token as string;
    }
    return this.ownToken;
  }

  /** Talks to the API server as this account. */
  public async client(): Promise<KubeClient> {
    this.known ??= this.node.clientFor(await this.token());
    return this.known;
  }

  public async kubectl(...args: string[]): Promise<string> {
    return this.node.kubectl(args, { token: await this.token() });
  }

  /** Whether the API server would let it, by its own word. */
  public may(access: Access): Promise<boolean> {
    const groups = ["system:serviceaccounts", `system:serviceaccounts:${this.namespace}`];
    return wouldLet(this.node, this.userName, groups, access);
  }

  /** Whether the API server lets it, by a real request that changes nothing; undefined where there is no such request. */
  public async does(access: Access): Promise<boolean | undefined> {
    const request = probe(access);
    if (request === undefined) return undefined;
    const client = await this.client();
    return !isForbidden(await client.attempt(request.method, request.path, request.body));
  }

  /** Everything that it may do in a namespace, or in the whole cluster, by its own question. */
  public async rules(namespace: string): Promise<Set<string>> {
    const client = await this.client();
    const review = await client.create(`${REVIEWS}/selfsubjectrulesreviews`, { spec: { namespace } });
    return new Set((review.status.resourceRules as Rule[]).flatMap(flatten));
  }

  public close(): void {
    this.known?.close();
  }
}

/** Whether the API server would let somebody, by its own word. */
export async function wouldLet(
  node: Node,
  user: string,
  groups: readonly string[],
  { verb, group, resource, subresource, namespace, name }: Access,
): Promise<boolean> {
  const review = await node.client.create(`${REVIEWS}/subjectaccessreviews`, {
    spec: {
      user,
      groups: [...groups, "system:authenticated"],
      resourceAttributes: { verb, group, resource, subresource, namespace, name },
    },
  });
  return review.status.allowed;
}

interface Rule {
  readonly verbs: readonly string[];
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly resourceNames?: readonly string[];
}

/** One by one, as `describe` writes them. */
function flatten({ verbs, apiGroups, resources, resourceNames = [""] }: Rule): string[] {
  return resources.flatMap((whole) => {
    const [resource, subresource = ""] = whole.split("/");
    return apiGroups.flatMap((group) =>
      verbs.flatMap((verb) =>
        resourceNames.map((name) => describe({ verb, group, resource, subresource, name, namespace: "" })),
      ),
    );
  });
}

/** Refused by RBAC: admission refuses with the same status. */
function isForbidden({ status, text }: Answer): boolean {
  return status === 403 && /is forbidden: User .* cannot /.test(text);
}
