import {
  ClusterTarget,
  fingerprint,
  maintenancePolicy,
  checkNetworkPolicy,
  newCluster,
} from "./container-cluster";
import { checkAutoscaling, newNodePool, NodePool, updateNodePool } from "./container-node-pool";
import { enabledAddons, updateCluster } from "./container-updates";
import {
  alreadyExists,
  failedPrecondition,
  invalidArgument,
  notFound,
  permissionDenied,
  preconditionFailed,
} from "./errors";
import { Call, Route, routesOf } from "./routes";
import { clone, Json, withoutDefaults } from "./json";
import { checkLabels, checkLocation, isZone } from "./names";
import { ContainerOperations } from "./operations";
import { Project, uniqueId } from "./project";

/** A cluster or node pool that something happened to. */
export interface ClusterEvent {
  readonly name: string;
  readonly location: string;
  /** Set when it happened to a node pool. */
  readonly nodePool?: string;
}

/** What the rehearsal does when clusters change; operations are done only when these are. */
export interface ClusterHooks {
  readonly onClusterRunning?: (event: ClusterEvent) => void | Promise<void>;
  readonly onNodePoolRunning?: (event: ClusterEvent) => void | Promise<void>;
  /** An add-on of the cluster is on, such as `rayOperatorConfig`: at creation or by an update. */
  readonly onAddonEnabled?: (event: ClusterEvent, addon: string) => void | Promise<void>;
  readonly onClusterDeleted?: (event: ClusterEvent) => void | Promise<void>;
}

/** How an operation fails whose machines Compute Engine does not make. */
class NoMachines extends Error {
  constructor(problem: string) {
    super(
      `Not all instances running in IGM after 32.252902304s. Expected 1, running 0, transitioning 1. Current errors: ` +
        `[CONDITION_NOT_MET]: ${problem}`,
    );
  }
}

interface Cluster {
  cluster: Json;
  readonly pools: Map<string, NodePool>;
}

const CLUSTERS = "/v1/projects/(?<project>[^/]+)/locations/(?<location>[^/]+)/clusters";
const CLUSTER = `${CLUSTERS}/(?<cluster>[^/:]+)`;
const POOLS = `${CLUSTER}/nodePools`;
const POOL = `${POOLS}/(?<pool>[^/:]+)`;
const OPERATION =
  "/v1/projects/(?<project>[^/]+)/locations/(?<location>[^/]+)/operations/(?<operation>[^/]+)";

/**
 * The Kubernetes Engine API v1: clusters, node pools and their operations.
 *
 * Standard clusters and node pools follow recordings of the real API (v1beta1, less what v1 lacks), except that
 * a regional cluster answers its zones as locations. Autopilot follows its documentation and the provider.
 */
export class ContainerApi {
  private readonly clusters = new Map<string, Cluster>();

  constructor(
    private readonly project: Project,
    private readonly operations: ContainerOperations,
    private readonly target: ClusterTarget,
    private readonly hooks: ClusterHooks,
  ) {}

  public routes(): Route[] {
    const route = routesOf("container");
    return [
      route("GET", CLUSTERS, (call) => this.listClusters(call)),
      route("POST", CLUSTERS, (call) => this.createCluster(call), "CreateClusterRequest"),
      route("GET", CLUSTER, (call) => this.render(this.find(call))),
      route("PUT", CLUSTER, (call) => this.updateCluster(call), "UpdateClusterRequest"),
      route("DELETE", CLUSTER, (call) => this.deleteCluster(call)),
      route("POST", `${CLUSTER}:setResourceLabels`, (call) => this.setLabels(call), "SetLabelsRequest"),
      route(
        "POST",
        `${CLUSTER}:setNetworkPolicy`,
        (call) => this.setNetworkPolicy(call),
        "SetNetworkPolicyRequest",
      ),
      route(
        "POST",
        `${CLUSTER}:setMaintenancePolicy`,
        (call) => this.setMaintenancePolicy(call),
        "SetMaintenancePolicyRequest",
      ),
      route("POST", `${CLUSTER}:setLegacyAbac`, (call) => this.setLegacyAbac(call), "SetLegacyAbacRequest"),
      route("GET", POOLS, (call) => ({ nodePools: this.renderPools(this.find(call)) })),
      route("POST", POOLS, (call) => this.createNodePool(call), "CreateNodePoolRequest"),
      route("GET", POOL, (call) => this.findPool(call).pool),
      route("PUT", POOL, (call) => this.updateNodePool(call), "UpdateNodePoolRequest"),
      route("DELETE", POOL, (call) => this.deleteNodePool(call)),
      route("POST", `${POOL}:setSize`, (call) => this.setSize(call), "SetNodePoolSizeRequest"),
      route(
        "POST",
        `${POOL}:setManagement`,
        (call) => this.setManagement(call),
        "SetNodePoolManagementRequest",
      ),
      route(
        "POST",
        `${POOL}:setAutoscaling`,
        (call) => this.setAutoscaling(call),
        "SetNodePoolAutoscalingRequest",
      ),
      route("GET", OPERATION, ({ params }) => this.operations.get(params.location, params.operation)),
    ];
  }

  /** Puts a running cluster there that no stack made; the request is that of its creation. */
  public seed(location: string, requested: Json, projectId = this.project.id): void {
    const foreign = projectId !== this.project.id;
    const project = foreign ? new Project(projectId, uniqueId(12), "all") : this.project;
    if (foreign) this.project.others.add(projectId);
    const cluster = newCluster(requested, location, project, this.target);
    const entry: Cluster = { cluster, pools: new Map() };
    this.clusters.set(`${projectId}/${location}/${cluster.name}`, entry);
    for (const pool of this.firstPools(requested)) this.addPool(entry, location, pool);
    this.running(entry);
    entry.pools.forEach(({ pool }) => (pool.status = "RUNNING"));
  }

  /** Every cluster as the API would answer it. */
  public all(): Json[] {
    return [...this.clusters.values()].map((entry) => this.render(entry));
  }

  /** Node pools that an instance group manager's name may mean. */
  public nodePools(): { cluster: string; pool: Json; nodesPerZone: number }[] {
    return [...this.clusters.values()].flatMap(({ cluster, pools }) =>
      [...pools.values()].map((entry) => ({ cluster: cluster.name, ...entry })),
    );
  }

  private listClusters({ params }: Call): Json {
    const here = (cluster: Json) => params.location === "-" || cluster.location === params.location;
    return { clusters: this.all().filter(here) };
  }

  private createCluster({ params, body }: Call): object {
    const { location } = params;
    const requested: Json = body.cluster ?? {};
    checkLocation(location);
    if (!this.project.isProject(params.project)) {
      throw permissionDenied(
        `Required "container.clusters.create" permission(s) for "projects/${params.project}".`,
      );
    }
    const key = `${this.project.id}/${location}/${requested.name}`;
    if (this.clusters.has(key))
      throw alreadyExists(`Already exists: ${this.placeOf(location, requested.name)}.`);
    const cluster = newCluster(requested, location, this.project, this.target);
    const entry: Cluster = { cluster, pools: new Map() };
    for (const pool of this.firstPools(requested)) this.addPool(entry, location, pool);
    this.clusters.set(key, entry);
    const event = { name: cluster.name, location };
    const start = { type: "CREATE_CLUSTER", location, target: `clusters/${cluster.name}` };
    return this.operations.start(start, async (error) => {
      const problem = [...entry.pools.values()].find((pool) => pool.problem !== undefined)?.problem;
      if (error || problem) {
        cluster.status = "ERROR";
        if (problem) throw new NoMachines(problem);
        return;
      }
      this.running(entry);
      await this.hooks.onClusterRunning?.(event);
      await this.poolsRunning(entry, event);
      await this.announceAddons(event, cluster.addonsConfig);
    });
  }

  private updateCluster(call: Call): object {
    const entry = this.findRunning(call);
    const { location, cluster: name } = call.params;
    const update: Json = call.body.update ?? {};
    const changed = clone(entry.cluster);
    const before = enabledAddons(changed.addonsConfig);
    updateCluster(changed, update, this.project, this.target);
    const pool = update.desiredNodePoolId
      ? this.poolOf(entry, location, update.desiredNodePoolId)
      : undefined;
    if (update.desiredNodePoolAutoscaling?.enabled) checkAutoscaling(update.desiredNodePoolAutoscaling);
    return this.change("UPDATE_CLUSTER", location, entry, `clusters/${name}`, async () => {
      entry.cluster = withoutDefaults(changed);
      if (pool) updatePool(pool.pool, update);
      this.registerPool(entry.cluster);
      const added = enabledAddons(entry.cluster.addonsConfig).filter((addon) => !before.includes(addon));
      for (const addon of added) await this.hooks.onAddonEnabled?.({ name, location }, addon);
    });
  }

  private deleteCluster(call: Call): object {
    const entry = this.find(call);
    const { location, cluster: name } = call.params;
    const start = { type: "DELETE_CLUSTER", location, target: `clusters/${name}` };
    const operation = this.operations.start(start, async (error) => {
      if (error) {
        entry.cluster.status = "RUNNING";
        return;
      }
      this.clusters.delete(`${this.projectOf(call.params.project)}/${location}/${name}`);
      await this.hooks.onClusterDeleted?.({ name, location });
    });
    entry.cluster.status = "STOPPING";
    return operation;
  }

  private setLabels(call: Call): object {
    const entry = this.find(call);
    const { resourceLabels = {}, labelFingerprint } = call.body;
    checkLabels("resource_labels", resourceLabels);
    if (labelFingerprint !== entry.cluster.labelFingerprint) {
      throw preconditionFailed("Labels could not be set due to fingerprint mismatch.");
    }
    return this.changeCluster("UPDATE_CLUSTER", call, entry, (cluster) => {
      cluster.resourceLabels = resourceLabels;
      cluster.labelFingerprint = fingerprint(resourceLabels);
    });
  }

  private setNetworkPolicy(call: Call): object {
    const entry = this.find(call);
    const policy = call.body.networkPolicy;
    checkNetworkPolicy(policy, entry.cluster.networkConfig.datapathProvider);
    return this.changeCluster("SET_NETWORK_POLICY", call, entry, (cluster) => {
      cluster.networkPolicy = policy?.enabled ? policy : undefined;
    });
  }

  private setMaintenancePolicy(call: Call): object {
    const entry = this.find(call);
    const policy = call.body.maintenancePolicy;
    if (policy?.resourceVersion !== entry.cluster.maintenancePolicy.resourceVersion) {
      throw preconditionFailed("The maintenance policy has changed since its resource version was read.");
    }
    return this.changeCluster("SET_MAINTENANCE_POLICY", call, entry, (cluster) => {
      cluster.maintenancePolicy = maintenancePolicy(policy);
    });
  }

  private setLegacyAbac(call: Call): object {
    return this.changeCluster("UPDATE_CLUSTER", call, this.find(call), (cluster) => {
      cluster.legacyAbac = { enabled: call.body.enabled ?? false };
    });
  }

  private createNodePool(call: Call): object {
    const entry = this.find(call);
    const { location, cluster: name } = call.params;
    const requested: Json = call.body.nodePool ?? {};
    this.refuseAutopilot(entry);
    if (entry.pools.has(requested.name)) {
      throw alreadyExists(`Already exists: ${this.placeOf(location, name)}/nodePools/${requested.name}.`);
    }
    const created = newNodePool(requested, { project: this.project, location, cluster: entry.cluster });
    const target = `clusters/${name}/nodePools/${requested.name}`;
    const operation = this.operations.start({ type: "CREATE_NODE_POOL", location, target }, async (error) => {
      created.pool.status = error || created.problem ? "ERROR" : "RUNNING";
      if (!error && created.problem) throw new NoMachines(created.problem);
      if (!error) await this.hooks.onNodePoolRunning?.({ name, location, nodePool: requested.name });
    });
    entry.pools.set(requested.name, created);
    return operation;
  }

  private updateNodePool(call: Call): object {
    this.refuseAutopilot(this.find(call));
    const changed = clone(this.findPool(call).pool);
    updateNodePool(changed, call.body);
    return this.changePool("UPDATE_CLUSTER", call, ({ pool }) => {
      for (const field of Object.keys(pool)) delete pool[field];
      Object.assign(pool, changed);
    });
  }

  private deleteNodePool(call: Call): object {
    const entry = this.find(call);
    this.refuseAutopilot(entry);
    const { pool } = this.findPool(call);
    const operation = this.changePool("DELETE_NODE_POOL", call, () => {
      entry.pools.delete(pool.name);
    });
    pool.status = "STOPPING";
    return operation;
  }

  private setSize(call: Call): object {
    const { nodeCount = 0 } = call.body;
    return this.changePool("SET_NODE_POOL_SIZE", call, (entry) => {
      entry.nodesPerZone = nodeCount;
    });
  }

  private setManagement(call: Call): object {
    return this.changePool("SET_NODE_POOL_MANAGEMENT", call, ({ pool }) => {
      pool.management = withoutDefaults(call.body.management ?? {});
    });
  }

  private setAutoscaling(call: Call): object {
    const { autoscaling = {} } = call.body;
    if (autoscaling.enabled) checkAutoscaling(autoscaling);
    return this.changePool("UPDATE_CLUSTER", call, ({ pool }) => {
      pool.autoscaling = withoutDefaults(autoscaling);
    });
  }

  private changeCluster(type: string, call: Call, entry: Cluster, apply: (cluster: Json) => void): object {
    const { location, cluster: name } = call.params;
    return this.change(type, location, entry, `clusters/${name}`, () => apply(entry.cluster));
  }

  private changePool(type: string, call: Call, apply: (pool: NodePool) => void): object {
    const { location, cluster, pool: name } = call.params;
    const entry = this.findPool(call);
    const target = `clusters/${cluster}/nodePools/${name}`;
    return this.operations.start({ type, location, target }, (error) => {
      if (!error) apply(entry);
    });
  }

  private change(
    type: string,
    location: string,
    entry: Cluster,
    target: string,
    apply: () => void | Promise<void>,
  ): object {
    const operation = this.operations.start({ type, location, target }, async (error) => {
      if (!error) await apply();
      entry.cluster.status = "RUNNING";
    });
    entry.cluster.status = "RECONCILING";
    return operation;
  }

  /** Marks a cluster as running and registers its identity pool with the project, for good. */
  private running({ cluster }: Cluster): void {
    cluster.status = "RUNNING";
    this.registerPool(cluster);
  }

  private registerPool(cluster: Json): void {
    const pool = cluster.workloadIdentityConfig?.workloadPool;
    if (pool) this.project.identityPools.add(pool);
  }

  private async poolsRunning({ pools }: Cluster, event: ClusterEvent): Promise<void> {
    for (const { pool } of pools.values()) {
      pool.status = "RUNNING";
      await this.hooks.onNodePoolRunning?.({ ...event, nodePool: pool.name });
    }
  }

  private async announceAddons(event: ClusterEvent, addonsConfig: Json | undefined): Promise<void> {
    for (const addon of enabledAddons(addonsConfig)) await this.hooks.onAddonEnabled?.(event, addon);
  }

  private firstPools(requested: Json): Json[] {
    if (requested.nodePools?.length) return requested.nodePools;
    const { initialNodeCount = 1, nodeConfig } = requested;
    return [{ name: "default-pool", initialNodeCount, config: nodeConfig }];
  }

  private addPool(entry: Cluster, location: string, requested: Json): void {
    const place = { project: this.project, location, cluster: entry.cluster };
    entry.pools.set(requested.name, newNodePool(requested, place));
  }

  private refuseAutopilot({ cluster }: Cluster): void {
    if (!cluster.autopilot?.enabled) return;
    throw invalidArgument("Autopilot node pools cannot be accessed or modified.");
  }

  /** A project may be named by its number. */
  private projectOf(name: string): string {
    return this.project.isProject(name) ? this.project.id : name;
  }

  private find({ params }: Call): Cluster {
    const entry = this.clusters.get(`${this.projectOf(params.project)}/${params.location}/${params.cluster}`);
    if (!entry) throw notFound(`Not found: ${this.placeOf(params.location, params.cluster)}.`);
    return entry;
  }

  /** The cluster of a call that only a running one takes. */
  private findRunning(call: Call): Cluster {
    const entry = this.find(call);
    const { name, status } = entry.cluster;
    if (status === "RUNNING" || status === "RECONCILING") return entry;
    throw failedPrecondition(`Cluster ${name} is ${status}.`);
  }

  private findPool(call: Call): NodePool {
    return this.poolOf(this.find(call), call.params.location, call.params.pool);
  }

  private poolOf({ cluster, pools }: Cluster, location: string, name: string): NodePool {
    const entry = pools.get(name);
    if (entry) return entry;
    throw notFound(`nodePool "${this.pathOf(location, cluster.name)}/nodePools/${name}" not found`);
  }

  /** A zonal cluster is named by its zone in errors, whatever the request called it. */
  private placeOf(location: string, cluster: string): string {
    return `projects/${this.project.id}/${isZone(location) ? "zones" : "locations"}/${location}/clusters/${cluster}`;
  }

  private pathOf(location: string, cluster: string): string {
    return `projects/${this.project.id}/locations/${location}/clusters/${cluster}`;
  }

  private render({ cluster, pools }: Cluster): Json {
    const nodePools = [...pools.values()];
    const nodes = nodePools.map(({ pool, nodesPerZone }) => nodesPerZone * pool.locations.length);
    return {
      ...cluster,
      currentNodeCount: nodes.reduce((sum, count) => sum + count, 0) || undefined,
      instanceGroupUrls: nodePools.flatMap(({ pool }) => pool.instanceGroupUrls),
      nodeConfig: nodePools[0]?.pool.config,
      nodePools: nodePools.map(({ pool }) => pool),
    };
  }

  private renderPools({ pools }: Cluster): Json[] {
    return [...pools.values()].map(({ pool }) => pool);
  }
}

/** The part of a ClusterUpdate that concerns the node pool it names. */
function updatePool(pool: Json, update: Json): void {
  if (update.desiredNodePoolAutoscaling)
    pool.autoscaling = withoutDefaults(update.desiredNodePoolAutoscaling);
  if (update.desiredNodeVersion) pool.version = update.desiredNodeVersion;
  if (update.desiredImageType) pool.config.imageType = update.desiredImageType;
}
