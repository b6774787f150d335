import { ContainerApi } from "./container";
import { instanceGroupName } from "./container-node-pool";
import { notFound } from "./errors";
import { Call, Route, routesOf } from "./routes";
import { uniqueId, Project } from "./project";

const PROJECT = "/compute/v1/projects/(?<project>[^/]+)";
const GROUP_MANAGER = `${PROJECT}/zones/(?<zone>[^/]+)/instanceGroupManagers/(?<name>[^/]+)`;

/** The little of Compute Engine that is read to know how many nodes a pool has. */
export class ComputeApi {
  private readonly created = new Date().toISOString();
  private readonly ids = new Map<string, string>();

  constructor(
    private readonly project: Project,
    private readonly container: ContainerApi,
  ) {}

  public routes(): Route[] {
    const route = routesOf("compute");
    return [
      route("GET", PROJECT, () => this.getProject()),
      route("GET", GROUP_MANAGER, (call) => this.getGroupManager(call)),
    ];
  }

  private getProject(): object {
    return { kind: "compute#project", id: this.project.number, name: this.project.id };
  }

  private getGroupManager({ params }: Call): object {
    const { zone, name } = params;
    const found = this.container
      .nodePools()
      .find(
        ({ cluster, pool }) =>
          instanceGroupName(cluster, pool.name) === name && pool.locations.includes(zone),
      );
    const path = `projects/${this.project.id}/zones/${zone}`;
    if (!found) throw notFound(`The resource '${path}/instanceGroupManagers/${name}' was not found`);
    const { nodesPerZone } = found;
    const compute = `https://www.googleapis.com/compute/v1`;
    const baseInstanceName = name.replace(/-grp$/, "");
    if (!this.ids.has(name)) this.ids.set(name, uniqueId(19));
    return {
      kind: "compute#instanceGroupManager",
      creationTimestamp: this.created,
      id: this.ids.get(name),
      name,
      baseInstanceName,
      zone: `${compute}/${path}`,
      selfLink: `${compute}/${path}/instanceGroupManagers/${name}`,
      instanceGroup: `${compute}/${path}/instanceGroups/${name}`,
      instanceTemplate: `${compute}/projects/${this.project.id}/global/instanceTemplates/${baseInstanceName}`,
      targetSize: nodesPerZone,
      currentActions: { none: nodesPerZone },
      fingerprint: "42WmSpB8rSM=",
      status: { isStable: true },
      instanceLifecyclePolicy: { defaultActionOnFailure: "REPAIR", forceUpdateOnRepair: "YES" },
      updatePolicy: {
        type: "OPPORTUNISTIC",
        minimalAction: "REPLACE",
        replacementMethod: "SUBSTITUTE",
        maxSurge: { fixed: 1 },
        maxUnavailable: { fixed: 1 },
      },
    };
  }
}
