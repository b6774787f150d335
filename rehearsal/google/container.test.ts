import { Json } from "./json";
import { NUMBER, POOL, PROJECT, TestClient, withApis } from "./test-client";
import { checkMessage } from "./validation";

/** Requests and answers as they were recorded from the real API, less the fields that only v1beta1 has. */
const ZONE = "us-central1-a";
const CLUSTERS = `/v1/projects/${PROJECT}/locations/${ZONE}/clusters`;
const SCOPES = ["devstorage.read_only", "logging.write", "monitoring", "service.management.readonly"]
  .concat(["servicecontrol", "trace.append"])
  .map((scope) => `https://www.googleapis.com/auth/${scope}`);

const REQUEST = {
  name: "recorded",
  initialNodeCount: 1,
  network: `projects/${PROJECT}/global/networks/default`,
  autopilot: { enabled: false },
  autoscaling: { enableNodeAutoprovisioning: false },
  binaryAuthorization: { enabled: false },
  ipAllocationPolicy: { stackType: "IPV4", useIpAliases: false },
  legacyAbac: { enabled: false },
  maintenancePolicy: { window: {} },
  networkConfig: {},
  networkPolicy: {},
  nodeConfig: { oauthScopes: SCOPES },
  notificationConfig: { pubsub: {} },
  releaseChannel: { channel: "RAPID" },
  resourceLabels: { team: "ml" },
  shieldedNodes: { enabled: true },
  workloadIdentityConfig: { workloadPool: POOL },
};

async function created(client: TestClient, request: Json = REQUEST, location = ZONE): Promise<Json> {
  const clusters = `/v1/projects/${PROJECT}/locations/${location}/clusters`;
  await client.done(await client.post(clusters, { cluster: request }), location);
  return (await client.get(`${clusters}/${request.name}`)).body;
}

const refusal = (message: unknown, reason = "badRequest", status = "INVALID_ARGUMENT") => ({
  status: 400,
  body: { error: { code: 400, message, status, errors: [{ domain: "global", message, reason }] } },
});

describe("clusters, as recorded", () => {
  test("a cluster that does not exist is named by its zone", async () => {
    await withApis({}, async (client) => {
      const message = `Not found: projects/${PROJECT}/zones/${ZONE}/clusters/recorded.`;
      expect(await client.get(`${CLUSTERS}/recorded`)).toEqual({
        status: 404,
        body: {
          error: {
            code: 404,
            message,
            status: "NOT_FOUND",
            errors: [{ domain: "global", message, reason: "notFound" }],
          },
        },
      });
    });
  });

  test("a creation answers a running operation that ends with its progress", async () => {
    await withApis({}, async (client) => {
      const started = await client.post(CLUSTERS, { cluster: REQUEST });
      const base = `https://container.googleapis.com/v1/projects/${NUMBER}/zones/${ZONE}`;
      expect(started.body).toEqual({
        name: expect.stringMatching(/^operation-\d+-[0-9a-f]+$/),
        operationType: "CREATE_CLUSTER",
        selfLink: `${base}/operations/${started.body.name}`,
        startTime: expect.any(String),
        status: "RUNNING",
        targetLink: `${base}/clusters/recorded`,
        zone: ZONE,
      });
      const ended = await client.done(started, ZONE);
      expect(ended).toMatchObject({ ...started.body, status: "DONE", endTime: expect.any(String) });
      expect(ended.progress.metrics).toContainEqual({ name: "CLUSTER_DEPLOYING", intValue: "12" });
    });
  });

  test("what was not asked for is filled in", async () => {
    await withApis({}, async (client) => {
      const cluster = await created(client);
      expect(cluster).toMatchObject({
        addonsConfig: {
          gcePersistentDiskCsiDriverConfig: { enabled: true },
          kubernetesDashboard: { disabled: true },
          networkPolicyConfig: { disabled: true },
        },
        autopilot: {},
        binaryAuthorization: {},
        controlPlaneEndpointsConfig: {
          dnsEndpointConfig: { allowExternalTraffic: false, endpoint: expect.stringMatching(/\.gke\.goog$/) },
          ipEndpointsConfig: {
            authorizedNetworksConfig: { gcpPublicCidrsAccessEnabled: true },
            enabled: true,
            enablePublicEndpoint: true,
            globalAccess: false,
            publicEndpoint: "198.18.0.1:6443",
          },
        },
        currentNodeCount: 1,
        databaseEncryption: { currentState: "CURRENT_STATE_DECRYPTED", state: "DECRYPTED" },
        defaultMaxPodsConstraint: { maxPodsPerNode: "110" },
        endpoint: "198.18.0.1:6443",
        initialNodeCount: 1,
        ipAllocationPolicy: { podCidrOverprovisionConfig: {}, stackType: "IPV4", useIpAliases: true },
        legacyAbac: {},
        location: ZONE,
        locations: [ZONE],
        loggingService: "logging.googleapis.com/kubernetes",
        maintenancePolicy: { resourceVersion: expect.any(String) },
        masterAuth: {
          clientCertificateConfig: {},
          clusterCaCertificate: Buffer.from("-----BEGIN CERTIFICATE-----\n").toString("base64"),
        },
        network: "default",
        networkConfig: {
          network: `projects/${PROJECT}/global/networks/default`,
          serviceExternalIpsConfig: {},
          subnetwork: `projects/${PROJECT}/regions/us-central1/subnetworks/default`,
        },
        privateClusterConfig: { publicEndpoint: "198.18.0.1:6443" },
        releaseChannel: { channel: "RAPID" },
        resourceLabels: { team: "ml" },
        shieldedNodes: { enabled: true },
        status: "RUNNING",
        subnetwork: "default",
        workloadIdentityConfig: { workloadPool: POOL },
        zone: ZONE,
      });
      expect(cluster).not.toHaveProperty("networkPolicy");
      expect(cluster.autoscaling).not.toHaveProperty("enableNodeAutoprovisioning");
      expect(cluster.nodePools).toHaveLength(1);
      expect(cluster.nodeConfig).toEqual(cluster.nodePools[0].config);
    });
  });

  test("a cluster says nothing that version 1 of the API does not have", async () => {
    await withApis({}, async (client) => {
      const standard = await created(client);
      const autopilot = await created(client, { name: "auto", autopilot: { enabled: true } }, "us-central1");
      for (const cluster of [standard, autopilot]) {
        expect(() => checkMessage("Cluster", cluster)).not.toThrow();
      }
    });
  });

  test("add-ons change one by one, and the disk driver stays on", async () => {
    await withApis({}, async (client) => {
      const addonsConfig = { cloudRunConfig: { disabled: true }, dnsCacheConfig: { enabled: false } };
      await created(client, { ...REQUEST, addonsConfig });
      const desiredAddonsConfig = {
        gcePersistentDiskCsiDriverConfig: { enabled: false },
        gcsFuseCsiDriverConfig: { enabled: true },
        horizontalPodAutoscaling: { disabled: false },
      };
      const update = await client.put(`${CLUSTERS}/recorded`, { update: { desiredAddonsConfig } });
      expect(update.body).toMatchObject({ operationType: "UPDATE_CLUSTER", status: "RUNNING" });
      await client.done(update, ZONE);

      expect((await client.get(`${CLUSTERS}/recorded`)).body.addonsConfig).toEqual({
        cloudRunConfig: { disabled: true, loadBalancerType: "LOAD_BALANCER_TYPE_EXTERNAL" },
        dnsCacheConfig: {},
        gcePersistentDiskCsiDriverConfig: { enabled: true },
        gcsFuseCsiDriverConfig: { enabled: true },
        horizontalPodAutoscaling: {},
        kubernetesDashboard: { disabled: true },
        networkPolicyConfig: { disabled: true },
      });
    });
  });

  test("a deletion is an operation, after which the cluster is not found", async () => {
    await withApis({}, async (client) => {
      await created(client);
      const deletion = await client.delete(`${CLUSTERS}/recorded`);
      expect(deletion.body).toMatchObject({ operationType: "DELETE_CLUSTER", status: "RUNNING" });
      await client.done(deletion, ZONE);
      expect((await client.get(`${CLUSTERS}/recorded`)).status).toBe(404);
    });
  });
});

describe("node pools, as recorded", () => {
  const POOLS = `${CLUSTERS}/recorded/nodePools`;
  const POOL_REQUEST = {
    name: "workers",
    autoscaling: {
      enabled: true,
      minNodeCount: 1,
      maxNodeCount: 3,
      totalMinNodeCount: 0,
      totalMaxNodeCount: 0,
    },
    config: {
      loggingConfig: { variantConfig: { variant: "DEFAULT" } },
      taints: [{ effect: "NO_SCHEDULE", key: "first", value: "one" }],
    },
    networkConfig: {},
  };

  test("a pool that does not exist is named in quotes", async () => {
    await withApis({}, async (client) => {
      await created(client);
      const { status, body } = await client.get(`${POOLS}/workers`);
      expect(status).toBe(404);
      expect(body.error.message).toBe(`nodePool "${POOLS.replace("/v1/", "")}/workers" not found`);
    });
  });

  test("a pool gets the nodes, the settings and the network that were not asked for", async () => {
    await withApis({}, async (client) => {
      await created(client);
      const creation = await client.post(POOLS, { nodePool: POOL_REQUEST });
      expect(creation.body).toMatchObject({ operationType: "CREATE_NODE_POOL", status: "RUNNING" });
      await client.done(creation, ZONE);

      expect((await client.get(`${POOLS}/workers`)).body).toEqual({
        name: "workers",
        autoscaling: { enabled: true, maxNodeCount: 3, minNodeCount: 1 },
        config: {
          bootDisk: { diskType: "pd-balanced", sizeGb: "100" },
          diskSizeGb: 100,
          diskType: "pd-balanced",
          effectiveCgroupMode: "EFFECTIVE_CGROUP_MODE_V2",
          imageType: "COS_CONTAINERD",
          kubeletConfig: { insecureKubeletReadonlyPortEnabled: false, maxParallelImagePulls: 2 },
          loggingConfig: { variantConfig: { variant: "DEFAULT" } },
          machineType: "e2-medium",
          metadata: { "disable-legacy-endpoints": "true" },
          oauthScopes: SCOPES,
          resourceLabels: { "goog-gke-node-pool-provisioning-model": "on-demand" },
          serviceAccount: "default",
          shieldedInstanceConfig: { enableIntegrityMonitoring: true },
          taints: [{ effect: "NO_SCHEDULE", key: "first", value: "one" }],
          windowsNodeConfig: {},
        },
        initialNodeCount: 1,
        instanceGroupUrls: [expect.stringMatching(`/zones/${ZONE}/instanceGroupManagers/gke-.*-grp$`)],
        locations: [ZONE],
        management: { autoRepair: true, autoUpgrade: true },
        maxPodsConstraint: { maxPodsPerNode: "110" },
        networkConfig: {
          podIpv4CidrBlock: expect.any(String),
          podIpv4RangeUtilization: 0.001,
          podRange: expect.stringMatching(/^workers-pods-/),
          subnetwork: `projects/${PROJECT}/regions/us-central1/subnetworks/default`,
        },
        podIpv4CidrSize: 24,
        selfLink: `https://container.googleapis.com${POOLS}/workers`,
        status: "RUNNING",
        upgradeSettings: { maxSurge: 1, strategy: "SURGE" },
        version: expect.stringMatching(/-gke\./),
      });
    });
  });

  test("limits change through the cluster, taints through the pool", async () => {
    await withApis({}, async (client) => {
      await created(client);
      await client.done(await client.post(POOLS, { nodePool: POOL_REQUEST }), ZONE);
      const desiredNodePoolAutoscaling = {
        enabled: true,
        maxNodeCount: 5,
        minNodeCount: 1,
        totalMinNodeCount: 0,
      };
      const update = { desiredNodePoolAutoscaling, desiredNodePoolId: "workers" };
      await client.done(await client.put(`${CLUSTERS}/recorded`, { update }), ZONE);
      const taints = [{ effect: "NO_SCHEDULE", key: "second", value: "two" }];
      await client.done(await client.put(`${POOLS}/workers`, { name: "workers", taints: { taints } }), ZONE);

      const { body } = await client.get(`${POOLS}/workers`);
      expect(body.autoscaling).toEqual({ enabled: true, maxNodeCount: 5, minNodeCount: 1 });
      expect(body.config.taints).toEqual(taints);
    });
  });

  test("the instance group of a pool tells its size", async () => {
    await withApis({}, async (client) => {
      const [{ instanceGroupUrls }] = (await created(client)).nodePools;
      const { body } = await client.get(instanceGroupUrls[0].replace("https://www.googleapis.com", ""));
      expect(body).toMatchObject({
        kind: "compute#instanceGroupManager",
        currentActions: { none: 1 },
        status: { isStable: true },
        targetSize: 1,
        updatePolicy: { maxSurge: { fixed: 1 }, minimalAction: "REPLACE", type: "OPPORTUNISTIC" },
      });
    });
  });
});

describe("what the Kubernetes Engine API refuses", () => {
  test.each([
    [
      "a field it does not have",
      { name: "c", initialNodeCount: 1, nodeConfig: { machineTyp: "e2" } },
      `Invalid JSON payload received. Unknown name "machineTyp" at 'cluster.node_config': Cannot find field.`,
    ],
    [
      "a value of another type",
      { name: "c", initialNodeCount: "one" },
      `Invalid JSON payload received. Invalid value at 'cluster.initial_node_count' (TYPE_INT32), "one"`,
    ],
    [
      "a network policy on Dataplane V2",
      {
        name: "c",
        initialNodeCount: 1,
        networkPolicy: { enabled: true },
        networkConfig: { datapathProvider: "ADVANCED_DATAPATH" },
      },
      "Enabling NetworkPolicy for clusters with DatapathProvider=ADVANCED_DATAPATH is not allowed.",
    ],
    ["no nodes", { name: "c" }, "Cluster.initial_node_count must be greater than zero."],
    ["a bad name", { name: "My_Cluster", initialNodeCount: 1 }, expect.stringContaining('"My_Cluster"')],
    [
      "a bad label",
      { name: "c", initialNodeCount: 1, resourceLabels: { Team: "ml" } },
      expect.stringContaining('label key "Team"'),
    ],
    [
      "somebody else's workload pool",
      { name: "c", initialNodeCount: 1, workloadIdentityConfig: { workloadPool: "other.svc.id.goog" } },
      `Invalid workload pool "other.svc.id.goog": it must be ${POOL}.`,
    ],
    [
      "a security group of another name",
      { name: "c", initialNodeCount: 1, authenticatorGroupsConfig: { securityGroup: "ray@example.com" } },
      expect.stringContaining("gke-security-groups@DOMAIN"),
    ],
    [
      "nodes that run as an account that does not exist",
      { name: "c", initialNodeCount: 1, nodeConfig: { serviceAccount: "no@such.iam.gserviceaccount.com" } },
      expect.stringContaining('does not have access to service account "no@such.iam.gserviceaccount.com"'),
    ],
  ])("%s", async (_what, cluster, message) => {
    await withApis({}, async (client) => {
      expect(await client.post(CLUSTERS, { cluster })).toMatchObject(refusal(message));
      expect(client.apis.snapshot().clusters).toEqual([]);
    });
  });

  test("a name that is taken", async () => {
    await withApis({}, async (client) => {
      await created(client);
      const { status, body } = await client.post(CLUSTERS, { cluster: REQUEST });
      expect(status).toBe(409);
      expect(body.error).toMatchObject({
        message: `Already exists: projects/${PROJECT}/zones/${ZONE}/clusters/recorded.`,
        status: "ALREADY_EXISTS",
        errors: [{ reason: "alreadyExists" }],
      });
    });
  });

  test("a change while another runs on the same cluster, but not on another node pool", async () => {
    await withApis({ latency: { operationMs: { CREATE_NODE_POOL: 100 } } }, async (client) => {
      await created(client);
      const pools = `${CLUSTERS}/recorded/nodePools`;
      const first = await client.post(pools, { nodePool: { name: "one", initialNodeCount: 1 } });
      const second = await client.post(pools, { nodePool: { name: "two", initialNodeCount: 1 } });
      expect([first.status, second.status]).toEqual([200, 200]);
      expect(await client.delete(`${CLUSTERS}/recorded`)).toMatchObject(
        refusal(
          `Cluster is running incompatible operation ${first.body.name}.`,
          "failedPrecondition",
          "FAILED_PRECONDITION",
        ),
      );
    });
  });

  test("labels and maintenance policies that were read before somebody else changed them", async () => {
    await withApis({}, async (client) => {
      await created(client);
      const labels = { resourceLabels: { team: "new" }, labelFingerprint: "stale" };
      expect((await client.post(`${CLUSTERS}/recorded:setResourceLabels`, labels)).status).toBe(412);
      const maintenancePolicy = { resourceVersion: "stale", window: {} };
      expect(
        (await client.post(`${CLUSTERS}/recorded:setMaintenancePolicy`, { maintenancePolicy })).status,
      ).toBe(412);
    });
  });

  test("GKE_METADATA on a cluster without workload identity, and node pools on Autopilot", async () => {
    await withApis({}, async (client) => {
      await created(client, { name: "plain", initialNodeCount: 1 });
      await created(client, { name: "auto", autopilot: { enabled: true } }, "us-central1");
      const config = { workloadMetadataConfig: { mode: "GKE_METADATA" } };
      const nodePool = { name: "workers", initialNodeCount: 1, config };
      const onPlain = await client.post(`${CLUSTERS}/plain/nodePools`, { nodePool });
      expect(onPlain.body.error.message).toContain("requires Workload Identity");
      const auto = `/v1/projects/${PROJECT}/locations/us-central1/clusters/auto`;
      const onAutopilot = await client.post(`${auto}/nodePools`, { nodePool });
      expect(onAutopilot.body.error.message).toBe("Autopilot node pools cannot be accessed or modified.");
    });
  });
});

test("an Autopilot cluster brings its workload pool, Dataplane V2 and node auto-provisioning", async () => {
  await withApis({}, async (client) => {
    const cluster = await created(client, { name: "auto", autopilot: { enabled: true } }, "us-central1");
    expect(cluster).toMatchObject({
      autopilot: { enabled: true },
      autoscaling: { enableNodeAutoprovisioning: true },
      locations: ["us-central1-a", "us-central1-b", "us-central1-c"],
      networkConfig: { datapathProvider: "ADVANCED_DATAPATH", enableIntraNodeVisibility: true },
      workloadIdentityConfig: { workloadPool: POOL },
    });
  });
});

test("hooks tell when a cluster, its pools and its add-ons are there, before the operation is done", async () => {
  const events: string[] = [];
  const hooks = {
    onClusterRunning: ({ name }: { name: string }) => void events.push(`cluster ${name}`),
    onNodePoolRunning: ({ nodePool }: { nodePool?: string }) => void events.push(`pool ${nodePool}`),
    onAddonEnabled: (_event: unknown, addon: string) => void events.push(`addon ${addon}`),
    onClusterDeleted: ({ name }: { name: string }) => void events.push(`deleted ${name}`),
  };
  await withApis(hooks, async (client) => {
    await created(client, { ...REQUEST, addonsConfig: { rayOperatorConfig: { enabled: true } } });
    await client.done(await client.delete(`${CLUSTERS}/recorded`), ZONE);
    expect(events).toEqual([
      "cluster recorded",
      "pool default-pool",
      "addon gcePersistentDiskCsiDriverConfig",
      "addon rayOperatorConfig",
      "deleted recorded",
    ]);
  });
});

test("a cluster of somebody else's project can be looked at, and its pool named, but none be made there", async () => {
  const pool = "platform.svc.id.goog";
  const cluster = { ...REQUEST, workloadIdentityConfig: { workloadPool: pool } };
  const seed = { clusters: [{ projectId: "platform", location: ZONE, cluster }] };
  await withApis({ seed }, async (client) => {
    const theirs = `/v1/projects/platform/locations/${ZONE}/clusters`;

    expect((await client.get(`${theirs}/recorded`)).body.workloadIdentityConfig).toEqual({
      workloadPool: pool,
    });
    expect((await client.get(`${CLUSTERS}/recorded`)).status).toBe(404);
    expect(client.apis.project.identityPools).toContain(pool);
    expect((await client.post(theirs, { cluster: { ...cluster, name: "second" } })).body.error).toMatchObject(
      {
        code: 403,
        message: 'Required "container.clusters.create" permission(s) for "projects/platform".',
      },
    );
    expect((await client.get(theirs.replace("platform", "stranger"))).status).toBe(403);
  });
});
