import { NamespaceV1 } from "@cdktf/provider-kubernetes/lib/namespace-v1";
import { TerraformStack } from "cdktf";
import {
  IGkeWorkloadIdentityCluster,
  IWorkloadIdentity,
  KubeRayOperator,
  RayAuthProxy,
  RayCluster,
  RbacSubject,
  SkyPilotServiceAccount,
  SkyPilotServiceAccountProps,
  WorkloadIdentity,
} from "../lib";
import { synthesizeApp } from "./support/apps";
import { bucketAccess, emptyStack, existingCluster } from "./support/stacks";
import { Template } from "./support/template";

type Make = (stack: TerraformStack, cluster: IGkeWorkloadIdentityCluster, namespace: string) => void;

function skyPilot(id: string, props: (namespace: string) => Partial<SkyPilotServiceAccountProps>): Make {
  return (stack, cluster, namespace) =>
    new SkyPilotServiceAccount(stack, id, { cluster, namespace: "tasks", ...props(namespace) });
}

/** Everything that has a namespace, how it is made, and what it is called where it is in the way or comes too late. */
const USES: { [name: string]: { make: Make; path: string; property: string; purpose: string } } = {
  ray: {
    make: (stack, cluster, namespace) => {
      const operator = KubeRayOperator.existing(stack, "ray-operator", { cluster, namespace: "operators" });
      const head = { cpu: 2, memoryGiB: 8 };
      new RayCluster(stack, "ray", { operator, namespace, rayClusterName: "ray", head });
    },
    path: "stack/ray",
    property: "namespace",
    purpose: "the pods of a Ray cluster",
  },
  "an imported Ray": {
    make: (stack, cluster, namespace) =>
      RayCluster.fromRayClusterAttributes(stack, "imported", {
        cluster,
        namespace,
        rayClusterName: "imported",
        headServiceAccountName: "head",
      }),
    path: "stack/imported",
    property: "namespace",
    purpose: "the pods of a Ray cluster",
  },
  "the proxy": {
    make: (stack, cluster, namespace) => {
      const attributes = {
        cluster,
        namespace: "behind",
        rayClusterName: "ray",
        headServiceAccountName: "head",
      };
      const rayCluster = RayCluster.fromRayClusterAttributes(stack, "behind", attributes);
      new RayAuthProxy(stack, "auth", { rayCluster, namespace });
    },
    path: "stack/auth",
    property: "namespace",
    purpose: "the proxy of a Ray cluster",
  },
  "SkyPilot's launcher": {
    make: skyPilot("launcher", (launcherNamespace) => ({ launcherNamespace })),
    path: "stack/launcher",
    property: "launcherNamespace",
    purpose: "the launcher of SkyPilot",
  },
  "SkyPilot's launcher by default": {
    make: (stack, cluster, namespace) => {
      const main = namespace.replace("-launcher", "");
      new SkyPilotServiceAccount(stack, "default", { cluster, namespace: main });
    },
    path: "stack/default",
    property: "launcherNamespace",
    purpose: "the launcher of SkyPilot",
  },
  "SkyPilot's tasks": {
    make: skyPilot("tasks", (namespace) => ({ namespace, launcherNamespace: "elsewhere" })),
    path: "stack/tasks",
    property: "namespace",
    purpose: "the tasks of SkyPilot",
  },
  "SkyPilot's further tasks": {
    make: skyPilot("further", (namespace) => ({ additionalNamespaces: ["more", namespace] })),
    path: "stack/further",
    property: "additionalNamespaces[1]",
    purpose: "the tasks of SkyPilot",
  },
  "SkyPilot's tasks as the launcher": {
    make: skyPilot("shared", (namespace) => ({ namespace, sharedIdentity: true })),
    path: "stack/shared",
    property: "namespace",
    purpose: "the tasks of SkyPilot",
  },
  "the operator": {
    make: (stack, cluster, namespace) => KubeRayOperator.existing(stack, "operator", { cluster, namespace }),
    path: "stack/operator",
    property: "namespace",
    purpose: "the KubeRay operator",
  },
  "the operator's chart": {
    make: (stack, cluster, namespace) => KubeRayOperator.chart(stack, "chart", { cluster, namespace }),
    path: "stack/chart",
    property: "namespace",
    purpose: "the KubeRay operator",
  },
};

const isSkyPilot = (name: string) => name.startsWith("SkyPilot");
const RAY_AND_OPERATOR = ["the pods of a Ray cluster", "the KubeRay operator"];

/** Pairs that have something to refuse between Ray, its proxy, its operator and SkyPilot; SkyPilots have tests of their own. */
const PAIRS = Object.keys(USES).flatMap((first) =>
  Object.keys(USES)
    .filter((second) => USES[first].purpose !== USES[second].purpose)
    .filter((second) => !(isSkyPilot(first) && isSkyPilot(second)))
    .filter((second) => ![first, second].every((name) => RAY_AND_OPERATOR.includes(USES[name].purpose)))
    .map((second) => [first, second] as const),
);

describe("a namespace has one purpose", () => {
  test.each(PAIRS)("%s and then %s in one are refused", (first, second) => {
    const stack = emptyStack();
    const cluster = existingCluster(stack, { project: "my-project-id" });
    USES[first].make(stack, cluster, "one-launcher");
    const { make, property, path } = USES[second];

    expect(() => make(stack, cluster, "one-launcher")).toThrow(
      new Error(
        `'${property}' must not use the namespace "one-launcher", which ${USES[first].path} has for ${USES[first].purpose}: whoever may start pods in a namespace can use every service account in it (at ${path})`,
      ),
    );
  });

  test("also where two constructs stand for one cluster", () => {
    for (const [first, second] of PAIRS) {
      const stack = emptyStack();
      USES[first].make(stack, existingCluster(stack, {}, "a"), "one-launcher");
      const same = existingCluster(stack, {}, "b");
      expect(() => USES[second].make(stack, same, "one-launcher")).toThrow(/must not use the namespace/);
    }
  });

  test("unless it is on another cluster", () => {
    for (const [first, second] of PAIRS) {
      const stack = emptyStack();
      USES[first].make(stack, existingCluster(stack, {}, "a"), "one-launcher");
      const other = existingCluster(stack, { clusterName: "other-cluster" }, "b");
      expect(() => USES[second].make(stack, other, "one-launcher")).not.toThrow();
    }
  });

  test("also where two clusters are reached by one provider", () => {
    const stack = emptyStack();
    const cluster = existingCluster(stack);
    const { kubernetesProvider, helmProvider } = cluster;
    USES.ray.make(stack, cluster, "ray");

    expect(() =>
      USES["SkyPilot's tasks"].make(
        stack,
        existingCluster(stack, { kubernetesProvider, helmProvider }, "again"),
        "ray",
      ),
    ).toThrow(
      `'namespace' must not use the namespace "ray", which stack/ray has for the pods of a Ray cluster: whoever may start pods in a namespace can use every service account in it (at stack/tasks)`,
    );
  });

  test("also where Terraform alone knows its name", () => {
    const stack = emptyStack();
    const cluster = existingCluster(stack);
    const namespace = new NamespaceV1(stack, "mine", {
      metadata: { name: "mine" },
      provider: cluster.kubernetesProvider,
    });
    const name = () => namespace.metadata.name;
    USES.ray.make(stack, cluster, name());

    expect(name()).not.toBe(name());
    expect(() => USES["SkyPilot's tasks"].make(stack, cluster, name())).toThrow(
      `'namespace' must not use the namespace "\${kubernetes_namespace_v1.mine.metadata[0].name}", which stack/ray has for the pods of a Ray cluster: whoever may start pods in a namespace can use every service account in it (at stack/tasks)`,
    );
  });

  test("and several Ray clusters, and the operator, may share it", () => {
    const stack = emptyStack();
    const cluster = existingCluster(stack);

    expect(() => {
      for (const name of ["ray", "an imported Ray", "the operator", "the operator's chart"]) {
        USES[name].make(stack, cluster, "ray");
      }
    }).not.toThrow();
  });

  test("and one with a name that Terraform alone knows is made once, however often it is asked for", () => {
    const stack = emptyStack();
    const cluster = existingCluster(stack);
    const project = new NamespaceV1(stack, "mine", {
      metadata: { name: "mine" },
      provider: cluster.kubernetesProvider,
    });
    for (const serviceAccountName of ["a", "b"]) {
      const namespace = project.metadata.name;
      new WorkloadIdentity(stack, serviceAccountName, {
        cluster,
        namespace,
        serviceAccountName,
        createNamespace: true,
      });
    }

    expect(Template.of(stack).resources("kubernetes_namespace_v1")).toHaveLength(2);
  });

  test("and an imported Ray cluster asks for no provider", () => {
    const stack = emptyStack();
    USES["an imported Ray"].make(stack, existingCluster(stack), "ray");

    expect(Template.of(stack).providers("kubernetes")).toEqual([]);
  });
});

describe("one identity for Ray and for SkyPilot is refused", () => {
  function parts() {
    const stack = emptyStack();
    const cluster = existingCluster(stack);
    const identity = new WorkloadIdentity(stack, "identity", {
      cluster,
      namespace: "shared",
      serviceAccountName: "shared",
    });
    const operator = KubeRayOperator.existing(stack, "operator", { cluster });
    const head = { cpu: 2, memoryGiB: 8 };
    const ray = (of?: IWorkloadIdentity) =>
      new RayCluster(stack, "ray", {
        operator,
        rayClusterName: "ray",
        head,
        ...(of ? { identity: of } : { namespace: "shared", serviceAccountName: "shared" }),
      });
    const sky = () =>
      new SkyPilotServiceAccount(stack, "sky", { cluster, namespace: "shared", workloadIdentity: identity });
    return { identity, ray, sky };
  }
  const WHY = "whoever may start pods in a namespace can use every service account in it";

  test("when it is Ray's already", () => {
    const { identity, ray, sky } = parts();
    ray(identity);

    expect(sky).toThrow(
      `'namespace' must not use the namespace "shared", which stack/ray has for the pods of a Ray cluster: ${WHY} (at stack/sky)`,
    );
  });

  test.each(["identity", "namespace"])("when it is SkyPilot's already, by %s", (property) => {
    const { identity, ray, sky } = parts();
    sky();

    expect(() => ray(property === "identity" ? identity : undefined)).toThrow(
      `'${property}' must not use the namespace "shared", which stack/sky has for the tasks of SkyPilot: ${WHY} (at stack/ray)`,
    );
  });
});

test("Ray in the namespace of SkyPilot's DaemonSet is refused", () => {
  const stack = emptyStack();
  const cluster = existingCluster(stack);
  const features = { objectStoreMounts: true };
  new SkyPilotServiceAccount(stack, "sky", { cluster, namespace: "sky", features });

  expect(() => USES.ray.make(stack, cluster, "skypilot-system")).toThrow(
    `'namespace' must not use the namespace "skypilot-system", which stack/sky has for the DaemonSet of SkyPilot: whoever may start pods in a namespace can use every service account in it (at stack/ray)`,
  );
});

test.each([
  [{ RAY_SKYPILOT_NAMESPACE: "ray" }, "namespace", "ray", "ray", "the pods of a Ray cluster"],
  [{ RAY_SKYPILOT_NAMESPACE: "ray-auth" }, "namespace", "ray-auth", "auth", "the proxy of a Ray cluster"],
  [{ RAY_NAMESPACE: "sky" }, "namespace", "sky", "ray", "the pods of a Ray cluster"],
  [
    { RAY_NAMESPACE: "sky-launcher" },
    "launcherNamespace",
    "sky-launcher",
    "ray",
    "the pods of a Ray cluster",
  ],
])("main.ts refuses %p", (environment, property, namespace, other, purpose) => {
  expect(() => synthesizeApp("main.ts", environment)).toThrow(
    `'${property}' must not use the namespace "${namespace}", which ray-platform/${other} has for ${purpose}: whoever may start pods in a namespace can use every service account in it (at ray-platform/sky)`,
  );
});

test.each([true, false])(
  "a namespace that is created for others is waited for by what an imported Ray cluster needs: before %p",
  (before) => {
    const stack = emptyStack();
    const cluster = existingCluster(stack);
    const create = () => bucketAccess(stack, cluster, { namespace: "team" });
    if (before) create();
    const ray = RayCluster.fromRayClusterAttributes(stack, "ray", {
      cluster,
      namespace: "team",
      rayClusterName: "theirs",
      headServiceAccountName: "theirs",
    });
    new RayAuthProxy(stack, "auth", { rayCluster: ray }).grantView(RbacSubject.user("ada@example.com"));
    if (!before) create();

    const inTeam = ["kubernetes_network_policy_v1", "kubernetes_role_v1"].map((type) =>
      Template.of(stack)
        .resources(type)
        .find(({ metadata }) => metadata.namespace === "team"),
    );
    for (const { depends_on: dependsOn } of inTeam) {
      expect(dependsOn).toEqual([
        expect.stringMatching(/^kubernetes_namespace_v1\.namespaces_cluster-team_/),
      ]);
    }
  },
);

test("where nobody creates it, an imported Ray cluster's namespace is not waited for", () => {
  const stack = emptyStack();
  const cluster = existingCluster(stack);
  const ray = RayCluster.fromRayClusterAttributes(stack, "ray", {
    cluster,
    namespace: "team",
    rayClusterName: "theirs",
    headServiceAccountName: "theirs",
  });
  ray.allowFrom({ namespace: "ci" });

  expect(Template.of(stack).resource("kubernetes_network_policy_v1").depends_on ?? []).toEqual([]);
});

test("a namespace that exists for a construct, and that the same stack creates by other means, is waited for", () => {
  const stack = emptyStack();
  const cluster = existingCluster(stack);
  new RayCluster(stack, "ray", {
    operator: KubeRayOperator.existing(stack, "operator", { cluster }),
    rayClusterName: "ray",
    namespace: "team",
    createNamespace: false,
    head: { cpu: 2, memoryGiB: 8 },
  });
  new NamespaceV1(stack, "team", { metadata: { name: "team" }, provider: cluster.kubernetesProvider });

  for (const type of ["kubernetes_service_account_v1", "kubernetes_network_policy_v1"]) {
    expect(Template.of(stack).resource(type).depends_on).toEqual(["kubernetes_namespace_v1.team"]);
  }
});

test("clusters and namespaces whose names come to one text have a namespace each", () => {
  const stack = emptyStack();
  for (const [clusterName, namespace] of [
    ["train", "eu-ray"],
    ["train-eu", "ray"],
  ]) {
    const cluster = existingCluster(stack, { clusterName }, clusterName);
    new WorkloadIdentity(cluster, "pods", {
      cluster,
      namespace,
      serviceAccountName: "pods",
      projectNumber: "123",
    });
  }

  const names = Template.of(stack)
    .resources("kubernetes_namespace_v1")
    .map(({ metadata, provider }) => `${provider} ${metadata.name}`);
  expect(names.sort()).toEqual(["kubernetes.train eu-ray", "kubernetes.train-eu ray"]);
});
