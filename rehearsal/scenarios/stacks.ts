import { SPREAD_TASKS } from "../stage/running-ray";
import { BARE_PROJECT, GOOGLE_USERS, type SiteOptions } from "../stage/site";
import { expect, Scenario, Skipped, Stage } from "../stage/stage";
import type { Site } from "../stage/site";
import { mustChange, synthesizeStacks } from "../terraform/apps";
import type { Terraform } from "../terraform/terraform";
import type { KubeRayChart } from "../tools/chart";
import { RAY_VERSION } from "../tools/versions";
import { expectClosed, startNeighbour } from "./support/auth-ports";

const RAY_ADDON = { addonsConfig: { rayOperatorConfig: { enabled: true } } };

/** An app of ours whose stacks are applied as they are, used, planned again and destroyed. */
interface StackScenario extends Omit<Scenario, "run"> {
  readonly app: string;
  /** Lets Terraform destroy the clusters of the app, as somebody who is done with them would; left out where it has none. */
  readonly unprotected?: Unprotected;
  /** The chart of KubeRay that the stack installs. */
  readonly chart?: KubeRayChart;
  /** Namespace and name of each Ray cluster. */
  readonly rayClusters: readonly (readonly [string, string])[];
  readonly site?: SiteOptions;
  /** What somebody else made before. */
  before?(stage: Stage, site: Site): Promise<unknown>;
  /** How the stack is used. */
  use?(stage: Stage): Promise<void>;
  /** Removes what was made before. */
  after?(stage: Stage): Promise<void>;
}

/** How an app is told that its clusters may be destroyed. */
interface Unprotected {
  readonly settings?: Readonly<Record<string, string>>;
  readonly change?: (source: string) => string;
}

/** A Google service account that somebody else made, in another project. */
const TEAM_ACCOUNT = "team-a-ray@data-project-id.iam.gserviceaccount.com";

/** A team whose operator, namespace and account are there already. */
async function teamIsThere(stage: Stage, site: Site): Promise<void> {
  await site.startOperator(0).ready;
  const namespace = "team-a";
  const items = [
    { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } },
    { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "team-a-ray", namespace } },
  ];
  const list = { apiVersion: "v1", kind: "List", items };
  await stage.node.kubectl(["create", "-f", "-"], { input: JSON.stringify(list) });
}

/** Reads through the folder what the API has put into the bucket, once from there and once from the cache. */
const READ_FOLDER = `
from google.cloud import storage
blob = storage.Client(project="my-project-id").bucket("my-training-data").blob("run-1/epoch-1.txt")
blob.upload_from_string("first epoch")
for _ in range(2):
    with open("/data/run-1/epoch-1.txt") as file:
        print(file.read())
try:
    open("/data/run-1/epoch-2.txt", "w")
except OSError as error:
    print(error.strerror)
blob.delete()
`;

const STACKS: readonly StackScenario[] = [
  {
    name: "default-stack",
    title: "main.ts, from a bare project to a worker that a task asked for, and away again",
    needs: ["pods", "terraform"],
    app: "main.ts",
    unprotected: { settings: { RAY_DELETION_PROTECTION: "false" } },
    rayClusters: [["ray", "raycluster-mini"]],
    site: { enabledApis: BARE_PROJECT },
    use: async (stage) => {
      stage.step("a task asks for a worker");
      const printed = await stage.ray("ray", "raycluster-mini").python(SPREAD_TASKS);
      expect(printed.includes("nodes: 2"), "the tasks did not run on two Ray nodes", printed);
    },
  },
  {
    name: "autopilot",
    title: "Autopilot, a federated principal, and an add-on whose types come 30 s late",
    needs: ["pods", "terraform"],
    app: "examples/autopilot.ts",
    unprotected: unprotectedAt("clusterName:"),
    rayClusters: [["ray", "raycluster-autopilot"]],
    site: { enabledApis: BARE_PROJECT, crdDelayMs: 30_000 },
  },
  {
    name: "existing",
    title: "an existing cluster, operator, namespace, bucket and accounts, which are all there afterwards",
    needs: ["pods", "terraform"],
    app: "examples/existing.ts",
    rayClusters: [["team-a", "raycluster-team-a"]],
    site: {
      seed: {
        clusters: [{ location: "us-east4", cluster: existingCluster("team-cluster") }],
        buckets: [{ name: "my-existing-bucket" }],
        serviceAccounts: [TEAM_ACCOUNT],
      },
    },
    before: teamIsThere,
    use: async (stage) => {
      const { metadata } = await stage.node.client.get(
        "/api/v1/namespaces/team-a/serviceaccounts/team-a-ray",
      );
      const annotation = metadata.annotations?.["iam.gke.io/gcp-service-account"];
      expect(annotation === TEAM_ACCOUNT, "the existing account is not annotated", metadata);
    },
    after: async (stage) => {
      const { metadata } = await stage.node.client.get(
        "/api/v1/namespaces/team-a/serviceaccounts/team-a-ray",
      );
      expect(metadata.annotations === undefined, "the existing account is still annotated", metadata);
      await stage.node.kubectl(["delete", "namespace", "team-a"]);
    },
  },
  {
    name: "operator-chart",
    title: "private nodes, spot GPUs, a bucket as a folder, and the operator as the pod of its chart",
    needs: ["pods", "terraform", "fuse"],
    chart: "kuberay-operator",
    app: "examples/private-gpu.ts",
    unprotected: unprotectedAt("clusterName:"),
    rayClusters: [["research", "research"]],
    use: async (stage) => {
      stage.step("the folder");
      const printed = await stage.ray("research", "research").python(READ_FOLDER);
      const wanted = "first epoch\nfirst epoch\nRead-only file system";
      expect(printed.trim() === wanted, "the folder is not as it should be", printed);
    },
  },
  {
    name: "shared-buckets",
    title: "two Ray clusters of one name on an existing cluster, sharing two buckets",
    needs: ["pods", "terraform"],
    long: true,
    app: "examples/shared-buckets.ts",
    rayClusters: [
      ["red", "ray"],
      ["blue", "ray"],
    ],
    site: {
      seed: {
        clusters: [{ location: "us-west1", cluster: { ...existingCluster("ray-shared"), ...RAY_ADDON } }],
        buckets: [{ name: "my-datasets" }],
      },
    },
    before: async (_stage, site) => site.startOperator(0).ready,
  },
  {
    name: "own-cluster",
    title: "one construct in a stack whose cluster and providers are the user's",
    needs: ["terraform"],
    app: "examples/own-cluster.ts",
    unprotected: unprotectedAt("enableAutopilot:"),
    rayClusters: [],
  },
  {
    name: "skypilot-stack",
    title: "SkyPilot's accounts, roles, quotas and policy and a bucket for its tasks, without Ray",
    needs: ["terraform"],
    long: true,
    app: "examples/skypilot.ts",
    unprotected: unprotectedAt("clusterName:"),
    rayClusters: [],
  },
  {
    name: "other-project",
    title: "a team's own bucket and account, on a cluster of another project, by one provider each",
    needs: ["terraform"],
    long: true,
    app: "examples/other-project.ts",
    rayClusters: [],
    site: {
      seed: {
        clusters: [
          {
            projectId: "platform-project-id",
            location: "us-east4",
            cluster: existingCluster("platform-cluster", "platform-project-id"),
          },
        ],
      },
    },
  },
  {
    name: "tenants-example",
    title: "two tenants with a bucket, a Ray cluster and a proxy each",
    needs: ["pods", "terraform"],
    app: "examples/tenants.ts",
    unprotected: unprotectedAt("clusterName:"),
    rayClusters: [
      ["vision", "ray"],
      ["speech", "ray"],
    ],
    long: true,
  },
  {
    name: "two-stacks",
    title: "the platform in one stack, a team in another that reads the first one's state",
    needs: ["pods", "terraform"],
    app: "examples/two-stacks.ts",
    unprotected: unprotectedAt("clusterName:"),
    rayClusters: [["team", "team"]],
    long: true,
  },
  {
    name: "two-clusters",
    title: "two clusters in one stack, with one Kubernetes behind both",
    needs: ["pods", "terraform"],
    app: "examples/two-clusters.ts",
    unprotected: unprotectedAt("clusterName:"),
    rayClusters: [
      ["training", "training"],
      ["serving", "serving"],
    ],
    // The add-on of the second cluster would be a second operator.
    site: { onAddonEnabled: () => undefined },
    before: async (_stage, site) => site.startOperator(0).ready,
    long: true,
  },
  {
    name: "helm-ray-cluster",
    title:
      "a Ray cluster of KubeRay's own chart behind the proxy, and closed by a policy that the proxy brings",
    needs: ["pods", "terraform"],
    chart: "ray-cluster",
    app: "examples/helm-ray-cluster.ts",
    rayClusters: [["team-a", "raycluster-helm"]],
    site: { seed: { clusters: [{ location: "us-east4", cluster: existingCluster("team-cluster") }] } },
    long: true,
    before: teamIsThere,
    use: async (stage) => {
      const shell = stage.userShell();
      const service = "service/raycluster-helm-proxy";
      const forward = await shell.forward(
        `kubectl port-forward --namespace team-a-auth ${service} 8265:8265`,
      );
      const { ada, mallory } = GOOGLE_USERS;
      const statuses = [
        await shell.askJobApi(),
        await shell.askJobApi(mallory.token),
        await shell.askJobApi(ada.token),
      ];
      await forward.stop();
      expect(statuses.join() === "401,403,200", "the proxy does not answer as it should", statuses);
      stage.step("ports");
      await startNeighbour(stage, "team-a", `rayproject/ray:${RAY_VERSION}`);
      await expectClosed(stage, "team-a", stage.ray("team-a", "raycluster-helm"));
    },
    after: async (stage) => {
      await stage.ray("team-a", "raycluster-helm").waitForNone();
      await stage.node.kubectl(["delete", "namespace", "team-a"]);
    },
  },
  {
    name: "standard",
    title: "the constructs one by one on a zonal cluster",
    needs: ["pods", "terraform"],
    app: "examples/standard.ts",
    unprotected: unprotectedAt("clusterName:"),
    rayClusters: [["ray", "raycluster-mini"]],
    long: true,
  },
];

/** The request that somebody once made for a cluster with Workload Identity and Dataplane V2. */
function existingCluster(name: string, project = "my-project-id"): object {
  return {
    name,
    initialNodeCount: 1,
    workloadIdentityConfig: { workloadPool: `${project}.svc.id.goog` },
    networkConfig: { datapathProvider: "ADVANCED_DATAPATH" },
  };
}

/** Writes before a property of a cluster that Terraform may destroy it. */
function unprotectedAt(property: string): Unprotected {
  return { change: (source) => source.replace(property, `deletionProtection: false,\n  ${property}`) };
}

async function switchProtectionOff(
  app: string,
  { change, settings }: Unprotected,
  applied: readonly Terraform[],
): Promise<void> {
  const folders = await synthesizeStacks(app, settings, change && mustChange(app, change));
  for (const [index, folder] of [...folders.values()].entries()) {
    await applied[index].update(folder);
    await applied[index].apply();
  }
}

async function applyUseDestroy(scenario: StackScenario, stage: Stage): Promise<void> {
  const { app, unprotected } = scenario;
  const [stackFolders, site] = await Promise.all([
    synthesizeStacks(app),
    stage.site(scenario.site),
    stage.begin(),
  ]);
  if (scenario.chart) {
    const missing = await site.serveChart(scenario.chart);
    if (missing) throw new Skipped(missing);
  }
  await scenario.before?.(stage, site);
  const first = site.google.snapshot();

  const applied: Terraform[] = [];
  for (const [name, folder] of stackFolders) {
    stage.step(stackFolders.size > 1 ? `apply of ${name}` : "apply");
    const terraform = await site.terraform(folder);
    await terraform.apply();
    applied.push(terraform);
  }
  for (const [namespace, name] of scenario.rayClusters) {
    stage.step(`head of ${namespace}/${name}`);
    await stage.ray(namespace, name).waitForHead();
  }
  await scenario.use?.(stage);
  for (const terraform of applied) await stage.expectNothingToDo(terraform);

  if (unprotected) {
    stage.step("protection off");
    await switchProtectionOff(app, unprotected, applied);
  }
  for (const terraform of applied.reverse()) {
    stage.step("destroy");
    await terraform.destroy();
  }
  await scenario.after?.(stage);
  await stage.expectNothingLeft(site, first);
}

export const stacks: readonly Scenario[] = STACKS.map((scenario) => ({
  ...scenario,
  run: (stage) => applyUseDestroy(scenario, stage),
}));
