import { GoogleApis } from "../../rehearsal/google/server";
import { allApps, synthesizeApp } from "../support/apps";
import { Configuration } from "../support/configuration";
import { Plan, terraformDiagnostics, terraformPlan, testWithPlugins } from "../support/terraform";

/** A project that holds the clusters and accounts that a configuration looks up. */
async function inProject(json: Configuration, run: (apis: GoogleApis) => Promise<Plan>): Promise<Plan> {
  const clusters = Object.values<any>(json.data?.google_container_cluster ?? {}).map((cluster) => ({
    projectId: cluster.project,
    location: cluster.location,
    cluster: {
      name: cluster.name,
      initialNodeCount: 1,
      workloadIdentityConfig: { workloadPool: `${cluster.project ?? "my-project-id"}.svc.id.goog` },
      networkConfig: { datapathProvider: "ADVANCED_DATAPATH" },
      addonsConfig: { rayOperatorConfig: { enabled: true } },
    },
  }));
  const accounts = Object.values<any>(json.ephemeral?.google_service_account_access_token ?? {}).map(
    ({ target_service_account: email }) => email,
  );
  const apis = await GoogleApis.start({
    projectId: "my-project-id",
    projectNumber: "123456789012",
    cluster: { endpoint: "198.18.0.1", caPem: "-----BEGIN CERTIFICATE-----\n" },
    seed: { clusters, serviceAccounts: accounts, impersonated: accounts },
  });
  try {
    return await run(apis);
  } finally {
    await apis.stop();
  }
}

/** The variables that a stack wants to be told. */
function variablesOf(json: Configuration): Record<string, string> {
  const names = Object.keys(json.variable ?? {}).filter((name) => !("default" in json.variable[name]));
  return Object.fromEntries(names.map((name) => [`TF_VAR_${name}`, "told-by-the-test"]));
}

/** Why a stack cannot be planned by itself, if it cannot. */
function unplannable(json: Configuration): boolean {
  const loadsChart = Object.values<any>(json.resource.helm_release ?? {}).some(
    ({ repository }) => repository,
  );
  return loadsChart || json.data?.terraform_remote_state !== undefined;
}

for (const app of allApps()) {
  testWithPlugins(`the providers find nothing wrong in ${app}, and plan to create it`, async () => {
    for (const [name, { dir, json }] of Object.entries(synthesizeApp(app))) {
      expect({ [name]: terraformDiagnostics(dir) }).toEqual({ [name]: [] });
      if (unplannable(json)) continue;
      const plan = await inProject(json, (apis) =>
        terraformPlan(dir, { ...apis.terraformEnv(), ...variablesOf(json) }),
      );
      expect({ [name]: plan.errors }).toEqual({ [name]: [] });
      expect(plan.changes.length).toBeGreaterThanOrEqual(Object.keys(json.resource).length);
      expect(plan.changes.filter((change) => !/: (create|read)$/.test(change))).toEqual([]);
    }
  });
}

testWithPlugins("a plan without a project ends at once, and says what to set", async () => {
  const { dir } = synthesizeApp("main.ts")["ray-platform"];
  expect(terraformDiagnostics(dir)).toEqual([]);

  const { errors } = await terraformPlan(dir, { GOOGLE_OAUTH_ACCESS_TOKEN: "ya29.any" });

  expect(errors[0]).toContain(
    "The Google provider has no project. Set the environment variable GOOGLE_PROJECT, or the provider's 'project'.",
  );
});

testWithPlugins("a plan without credentials ends at once, and says how to get some", async () => {
  const { dir } = synthesizeApp("main.ts")["ray-platform"];
  expect(terraformDiagnostics(dir)).toEqual([]);

  const { errors } = await terraformPlan(dir, { GOOGLE_PROJECT: "my-project-id", HOME: dir });

  expect(errors).toHaveLength(1);
  expect(errors[0]).toMatch(/No credentials loaded\. To use your gcloud credentials, run 'gcloud auth/);
});
