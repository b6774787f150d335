import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { installInto } from "../terraform/providers";
import { startTerraform, type TerraformRun } from "../terraform/command";
import { GoogleApis, GoogleApisOptions } from "./server";

/** Real Terraform with the real google provider against the double; each test has a project and a state of its own. */
const MINUTES = 60_000;
const PROJECT = "rehearsal-project";
const NUMBER = "123456789012";
const POOL = "${google_container_cluster.ray.workload_identity_config[0].workload_pool}";

const PROVIDER = {
  terraform: { required_providers: { google: { source: "hashicorp/google", version: "6.50.0" } } },
  provider: { google: {} },
};

const installed = mkdtempSync(join(tmpdir(), "terraform-"));
const unavailable = installInto(installed, PROVIDER.terraform.required_providers);
const applied = unavailable
  ? (name: string, _run: () => Promise<void>) => test.skip(`${name} (skipped: ${unavailable})`, () => {})
  : (name: string, run: () => Promise<void>) => test.concurrent(name, run, 5 * MINUTES);

afterAll(() => rmSync(installed, { recursive: true, force: true }));

/** A folder with a configuration, a state, and APIs that it is applied against. */
class Rehearsal {
  public static async of(
    config: Record<string, unknown>,
    options: Partial<GoogleApisOptions> = {},
  ): Promise<Rehearsal> {
    const apis = await GoogleApis.start({
      projectId: PROJECT,
      projectNumber: NUMBER,
      cluster: { endpoint: "198.18.0.1:6443", caPem: "-----BEGIN CERTIFICATE-----\n" },
      ...options,
    });
    const folder = mkdtempSync(join(tmpdir(), "rehearsal-"));
    cpSync(installed, folder, { recursive: true, verbatimSymlinks: true });
    const rehearsal = new Rehearsal(apis, folder);
    rehearsal.write(config);
    return rehearsal;
  }

  private constructor(
    public readonly apis: GoogleApis,
    private readonly folder: string,
  ) {}

  public write(config: Record<string, unknown>): void {
    writeFileSync(join(this.folder, "main.tf.json"), JSON.stringify({ ...PROVIDER, ...config }));
  }

  public apply(): Promise<TerraformRun> {
    return this.run("apply", "-auto-approve");
  }

  public destroy(): Promise<TerraformRun> {
    return this.run("destroy", "-auto-approve");
  }

  /** Exit code 0 says that there is nothing to do, 2 that there is. */
  public plan(): Promise<TerraformRun> {
    return this.run("plan", "-detailed-exitcode");
  }

  public async end(): Promise<void> {
    await this.apis.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  private run(...args: string[]): Promise<TerraformRun> {
    const env = { ...process.env, ...this.apis.terraformEnv() };
    return startTerraform(args, { folder: this.folder, env }).finished;
  }
}

async function rehearse(
  config: Record<string, unknown>,
  options: Partial<GoogleApisOptions>,
  test: (rehearsal: Rehearsal) => Promise<void>,
): Promise<void> {
  const rehearsal = await Rehearsal.of(config, options);
  try {
    await test(rehearsal);
  } finally {
    await rehearsal.end();
  }
}

/** Fails with Terraform's whole output, so that the reason is seen. */
function expectDone(run: TerraformRun): void {
  if (run.exitCode !== 0) throw new Error(`exit code ${run.exitCode}:\n${run.output}`);
}

const standardCluster = {
  name: "ray",
  location: "us-west1-b",
  remove_default_node_pool: true,
  initial_node_count: 1,
  deletion_protection: false,
  workload_identity_config: { workload_pool: `${PROJECT}.svc.id.goog` },
  ip_allocation_policy: {},
  datapath_provider: "ADVANCED_DATAPATH",
  release_channel: { channel: "REGULAR" },
  enable_shielded_nodes: true,
  enable_intranode_visibility: true,
  master_auth: { client_certificate_config: { issue_client_certificate: false } },
  network_policy: { enabled: false },
  resource_labels: { app: "ray" },
  addons_config: {
    ray_operator_config: { enabled: true },
    gcs_fuse_csi_driver_config: { enabled: true },
  },
  authenticator_groups_config: { security_group: "gke-security-groups@example.com" },
  binary_authorization: { evaluation_mode: "PROJECT_SINGLETON_POLICY_ENFORCE" },
  private_cluster_config: { enable_private_nodes: true, enable_private_endpoint: false },
  master_authorized_networks_config: { cidr_blocks: [{ cidr_block: "10.0.0.0/8", display_name: "office" }] },
  control_plane_endpoints_config: { dns_endpoint_config: { allow_external_traffic: true } },
  maintenance_policy: {
    recurring_window: {
      start_time: "2026-01-01T03:00:00Z",
      end_time: "2026-01-01T09:00:00Z",
      recurrence: "FREQ=WEEKLY;BYDAY=SA,SU",
    },
  },
};

const nodePool = {
  name: "ray",
  cluster: "${google_container_cluster.ray.name}",
  location: "us-west1-b",
  initial_node_count: 1,
  autoscaling: { min_node_count: 0, max_node_count: 3 },
  management: { auto_repair: true, auto_upgrade: true },
  node_config: {
    machine_type: "e2-standard-8",
    disk_size_gb: 50,
    disk_type: "pd-ssd",
    labels: { pool: "ray" },
    taint: [{ key: "ray", value: "true", effect: "NO_SCHEDULE" }],
    spot: true,
    service_account: "${google_service_account.nodes.email}",
    oauth_scopes: ["https://www.googleapis.com/auth/cloud-platform"],
    workload_metadata_config: { mode: "GKE_METADATA" },
    shielded_instance_config: { enable_secure_boot: true, enable_integrity_monitoring: true },
    metadata: { "disable-legacy-endpoints": "true" },
  },
};

const gpuPool = {
  name: "gpu",
  cluster: "${google_container_cluster.ray.name}",
  location: "us-west1-b",
  initial_node_count: 0,
  autoscaling: { min_node_count: 0, max_node_count: 2 },
  placement_policy: { type: "COMPACT" },
  node_config: {
    machine_type: "g2-standard-8",
    guest_accelerator: [{ type: "nvidia-l4", count: 1 }],
    service_account: "${google_service_account.nodes.email}",
    workload_metadata_config: { mode: "GKE_METADATA" },
  },
};

const bucket = {
  name: "rehearsal-bucket",
  location: "us-west1",
  uniform_bucket_level_access: true,
  public_access_prevention: "enforced",
  labels: { app: "ray" },
};

const workloadIdentity = {
  service_account_id: "${google_service_account.ray.name}",
  role: "roles/iam.workloadIdentityUser",
  member: `serviceAccount:${POOL}[ray/my-ksa]`,
};

const bucketGrant = {
  bucket: "${google_storage_bucket.data.name}",
  role: "roles/storage.objectUser",
  member: "${google_service_account.ray.member}",
};

const smallCluster = {
  name: "ray",
  location: "us-west1-b",
  initial_node_count: 1,
  deletion_protection: false,
};

applied("a platform of every resource applies, settles and is destroyed without a trace", async () => {
  const addons: string[] = [];
  const config = {
    data: { google_client_config: { current: {} }, google_project: { this: {} } },
    resource: {
      google_container_cluster: { ray: standardCluster },
      google_container_node_pool: { ray: nodePool, gpu: gpuPool },
      google_service_account: {
        nodes: { account_id: "ray-nodes" },
        ray: { account_id: "my-iam-sa", display_name: "Ray" },
      },
      google_service_account_iam_member: { ray: workloadIdentity },
      google_project_iam_member: {
        logs: {
          project: PROJECT,
          role: "roles/logging.logWriter",
          member: "${google_service_account.nodes.member}",
        },
      },
      google_storage_bucket: {
        data: {
          ...bucket,
          versioning: { enabled: true },
          lifecycle_rule: [{ action: { type: "Delete" }, condition: { age: 30 } }],
          soft_delete_policy: { retention_duration_seconds: 0 },
        },
        plain: { name: "rehearsal-plain-bucket", location: "US" },
      },
      google_storage_bucket_iam_member: {
        ray: bucketGrant,
        reader: {
          bucket: "${google_storage_bucket.data.name}",
          role: "roles/storage.objectViewer",
          member:
            "principal://iam.googleapis.com/projects/${data.google_project.this.number}/locations/global/" +
            `workloadIdentityPools/${POOL}/subject/ns/ray/sa/reader`,
          condition: {
            title: "public",
            expression: `resource.name.startsWith("projects/_/buckets/rehearsal-bucket/objects/public/")`,
          },
        },
      },
    },
  };
  const hooks = { onAddonEnabled: (_event: unknown, addon: string) => void addons.push(addon) };
  await rehearse(config, hooks, async (platform) => {
    expectDone(await platform.apply());
    expectDone(await platform.plan());

    const { bindings, nodePools } = platform.apis.snapshot();
    expect(nodePools.slice().sort()).toEqual(["us-west1-b/ray/gpu", "us-west1-b/ray/ray"]);
    expect(bindings).toHaveLength(4);
    expect(addons).toContain("rayOperatorConfig");

    expectDone(await platform.destroy());
    expectNothingLeft(platform.apis);
  });
});

applied("an Autopilot cluster applies, settles and is destroyed without a trace", async () => {
  const config = {
    resource: {
      google_container_cluster: {
        ray: {
          name: "ray",
          location: "us-west1",
          enable_autopilot: true,
          deletion_protection: false,
          ip_allocation_policy: {},
          release_channel: { channel: "REGULAR" },
          addons_config: { ray_operator_config: { enabled: true } },
          cluster_autoscaling: {
            auto_provisioning_defaults: { service_account: "${google_service_account.nodes.email}" },
          },
        },
      },
      google_service_account: { nodes: { account_id: "ray-nodes" } },
      google_service_account_iam_member: {
        ray: { ...workloadIdentity, service_account_id: "${google_service_account.nodes.name}" },
      },
    },
  };
  await rehearse(config, {}, async (platform) => {
    expectDone(await platform.apply());
    expectDone(await platform.plan());
    expectDone(await platform.destroy());
    expectNothingLeft(platform.apis);
  });
});

applied("a regional cluster with calico, node auto-provisioning and a sized pool settles", async () => {
  const config = {
    resource: {
      google_container_cluster: {
        ray: {
          ...smallCluster,
          location: "us-west1",
          remove_default_node_pool: true,
          network: "default",
          subnetwork: "default",
          min_master_version: "1.34",
          ip_allocation_policy: { cluster_ipv4_cidr_block: "/16", services_ipv4_cidr_block: "/22" },
          maintenance_policy: { daily_maintenance_window: { start_time: "03:00" } },
          addons_config: {
            network_policy_config: { disabled: false },
            gcp_filestore_csi_driver_config: { enabled: true },
            gcs_fuse_csi_driver_config: { enabled: false },
          },
          network_policy: { enabled: true, provider: "CALICO" },
          cluster_autoscaling: {
            enabled: true,
            resource_limits: [
              { resource_type: "cpu", minimum: 1, maximum: 64 },
              { resource_type: "memory", maximum: 256 },
            ],
          },
        },
      },
      google_container_node_pool: {
        sized: {
          name: "sized",
          cluster: "${google_container_cluster.ray.id}",
          node_count: 2,
          node_locations: ["us-west1-a", "us-west1-b"],
          upgrade_settings: { max_surge: 2, max_unavailable: 1 },
          node_config: { resource_labels: { team: "ml" }, gvnic: { enabled: true } },
        },
      },
    },
  };
  await rehearse(config, {}, async (platform) => {
    expectDone(await platform.apply());
    expectDone(await platform.plan());
    expectDone(await platform.destroy());
    expectNothingLeft(platform.apis);
  });
});

applied("changes in place reach the cluster, its pool, the account and the bucket, and settle", async () => {
  const labelled = (labels: Record<string, string>, maxNodes: number, machine: string) => ({
    resource: {
      google_container_cluster: {
        ray: {
          ...smallCluster,
          remove_default_node_pool: true,
          resource_labels: labels,
          ...(maxNodes > 3 && {
            addons_config: { ray_operator_config: { enabled: true } },
            release_channel: { channel: "RAPID" },
            master_authorized_networks_config: { cidr_blocks: [{ cidr_block: "10.0.0.0/8" }] },
            maintenance_policy: { daily_maintenance_window: { start_time: "05:00" } },
          }),
        },
      },
      google_container_node_pool: {
        ray: {
          name: "ray",
          cluster: "${google_container_cluster.ray.name}",
          location: "us-west1-b",
          autoscaling: { min_node_count: 0, max_node_count: maxNodes },
          management: { auto_repair: true, auto_upgrade: maxNodes > 3 },
          node_config: { machine_type: machine, labels },
        },
      },
      google_service_account: { ray: { account_id: "my-iam-sa", display_name: machine } },
      google_storage_bucket: { data: { ...bucket, labels, versioning: { enabled: maxNodes > 3 } } },
    },
  });
  await rehearse(labelled({ app: "ray", old: "label" }, 3, "e2-standard-4"), {}, async (platform) => {
    expectDone(await platform.apply());
    platform.write(labelled({ app: "ray", team: "ml" }, 5, "e2-standard-8"));

    const change = await platform.apply();

    expectDone(change);
    expect(change.output).toContain("0 added, 4 changed, 0 destroyed");
    expectDone(await platform.plan());
  });
});

applied("an existing cluster, bucket and account are used by reference and survive the destroy", async () => {
  const email = `existing@${PROJECT}.iam.gserviceaccount.com`;
  const config = {
    data: { google_container_cluster: { ray: { name: "existing", location: "us-west1-b" } } },
    resource: {
      google_service_account_iam_member: {
        ray: {
          service_account_id: `projects/${PROJECT}/serviceAccounts/${email}`,
          role: "roles/iam.workloadIdentityUser",
          member:
            "serviceAccount:${data.google_container_cluster.ray.workload_identity_config[0].workload_pool}" +
            "[ray/my-ksa]",
        },
      },
      google_storage_bucket_iam_member: {
        ray: { bucket: "existing-bucket", role: "roles/storage.admin", member: `serviceAccount:${email}` },
      },
    },
  };
  const workloadIdentityConfig = { workloadPool: `${PROJECT}.svc.id.goog` };
  const seed = {
    serviceAccounts: [email],
    buckets: [{ name: "existing-bucket" }],
    clusters: [
      { location: "us-west1-b", cluster: { name: "existing", initialNodeCount: 1, workloadIdentityConfig } },
    ],
  };
  await rehearse(config, { seed }, async (platform) => {
    const before = platform.apis.snapshot();
    expectDone(await platform.apply());
    expectDone(await platform.plan());
    expect(platform.apis.snapshot().bindings).toHaveLength(2);
    expectDone(await platform.destroy());
    expect(platform.apis.snapshot()).toEqual(before);
  });
});

applied(
  "a project without APIs refuses a stack that does not enable them, and takes one that does",
  async () => {
    const apis = ["container", "iam", "storage"].map((name) => `${name}.googleapis.com`);
    const resource = {
      google_container_cluster: { ray: smallCluster },
      google_storage_bucket: { data: bucket },
    };
    const enabling = {
      locals: { apis },
      resource: {
        google_project_service: { apis: { for_each: "${toset(local.apis)}", service: "${each.key}" } },
        google_container_cluster: { ray: { ...smallCluster, depends_on: ["google_project_service.apis"] } },
        google_storage_bucket: { data: { ...bucket, depends_on: ["google_project_service.apis"] } },
      },
    };
    await rehearse(
      { resource },
      { enabledApis: ["cloudresourcemanager.googleapis.com"] },
      async (platform) => {
        const refused = await platform.apply();
        expect(refused.exitCode).toBe(1);
        expect(refused.output).toMatch(
          /Kubernetes Engine API has not been used in project 123456789012 before/,
        );
        expect(refused.output).toContain("SERVICE_DISABLED");

        platform.write(enabling);
        expectDone(await platform.apply());
        expectDone(await platform.plan());
      },
    );
  },
);

applied(
  "late visibility, conflicts, quota and outages delay an apply but duplicate and lose nothing",
  async () => {
    const config = {
      resource: {
        google_container_cluster: {
          ray: { ...smallCluster, workload_identity_config: { workload_pool: `${PROJECT}.svc.id.goog` } },
        },
        google_service_account: { ray: { account_id: "my-iam-sa" } },
        google_service_account_iam_member: { ray: workloadIdentity },
        google_storage_bucket: { data: bucket },
        google_storage_bucket_iam_member: { ray: bucketGrant },
      },
    };
    const consistency = { serviceAccountReads: 2, bucketReads: 1 };
    await rehearse(config, { consistency }, async (platform) => {
      const { faults, requests } = platform.apis;
      faults.fail({ match: { method: "POST", path: /\/clusters\?/ }, status: 503, times: 2 });
      faults.fail({ match: { method: "POST", path: /:setIamPolicy/ }, status: 409 });
      faults.fail({ match: { method: "PUT", path: /\/iam\?/ }, status: 412, times: 2 });
      faults.fail({ match: { method: "GET", path: /\/clusters\/ray\?/ }, status: 429 });

      expectDone(await platform.apply());
      expectDone(await platform.plan());

      expect(requests.all().filter(({ status }) => [409, 412, 429, 503].includes(status))).toHaveLength(6);
      expect(platform.apis.snapshot()).toMatchObject({
        clusters: ["us-west1-b/ray"],
        serviceAccounts: [`my-iam-sa@${PROJECT}.iam.gserviceaccount.com`],
        buckets: ["rehearsal-bucket"],
      });
    });
  },
);

applied("a cluster that is protected is not asked to go", async () => {
  const config = {
    resource: { google_container_cluster: { ray: { ...smallCluster, deletion_protection: true } } },
  };
  await rehearse(config, {}, async (platform) => {
    expectDone(await platform.apply());

    const refused = await platform.destroy();

    expect(refused.exitCode).toBe(1);
    expect(refused.output).toContain("deletion_protection is set to true");
    expect(platform.apis.snapshot().clusters).toEqual(["us-west1-b/ray"]);
    expect(platform.apis.requests.matching("DELETE", /clusters/)).toEqual([]);
  });
});

applied(
  "a workload identity binding that does not wait for the cluster fails in a fresh project",
  async () => {
    const email = `existing@${PROJECT}.iam.gserviceaccount.com`;
    const config = {
      resource: {
        google_service_account_iam_member: {
          ray: {
            service_account_id: `projects/${PROJECT}/serviceAccounts/${email}`,
            role: "roles/iam.workloadIdentityUser",
            member: `serviceAccount:${PROJECT}.svc.id.goog[ray/my-ksa]`,
          },
        },
      },
    };
    await rehearse(config, { seed: { serviceAccounts: [email] } }, async (platform) => {
      const refused = await platform.apply();
      expect(refused.exitCode).toBe(1);
      expect(refused.output).toContain(`Identity Pool does not exist (${PROJECT}.svc.id.goog)`);
      expect(refused.output).toContain("badRequest");
    });
  },
);

function expectNothingLeft(apis: GoogleApis): void {
  expect(apis.snapshot()).toEqual({
    clusters: [],
    nodePools: [],
    serviceAccounts: [],
    buckets: [],
    bindings: [],
    services: [],
  });
}
