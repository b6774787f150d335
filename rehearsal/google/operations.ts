import { randomBytes } from "node:crypto";
import { failedPrecondition, notFound } from "./errors";
import { Faults } from "./faults";
import { setTimeout as sleep } from "node:timers/promises";
import { Project } from "./project";
import { isZone } from "./names";

/** How long things take. */
export interface Latency {
  /**
   * Milliseconds before any answer.
   * @default 0
   */
  readonly requestMs?: number;
  /**
   * Milliseconds that a long-running operation runs, or that of each type (`CREATE_CLUSTER`). Terraform looks
   * at once and then every 10 s, so the shortest running operation costs 10 s of an apply.
   * @default 0
   */
  readonly operationMs?: number | Readonly<Record<string, number>>;
}

export interface OperationStart {
  readonly type: string;
  readonly location: string;
  /** Path of what it works on below the location: `clusters/NAME` or `clusters/NAME/nodePools/POOL`. */
  readonly target: string;
}

interface Operation {
  readonly start: OperationStart;
  readonly name: string;
  readonly startTime: string;
  endTime?: string;
  error?: string;
}

const CREATE_PROGRESS = {
  CLUSTER_CONFIGURING: "8",
  CLUSTER_CONFIGURING_TOTAL: "8",
  CLUSTER_DEPLOYING: "12",
  CLUSTER_DEPLOYING_TOTAL: "12",
  CLUSTER_HEALTHCHECKING: "1",
  CLUSTER_HEALTHCHECKING_TOTAL: "2",
};

/** The long-running operations of the Kubernetes Engine API. */
export class ContainerOperations {
  private readonly operations = new Map<string, Operation>();

  constructor(
    private readonly project: Project,
    private readonly faults: Faults,
    private readonly latency: () => Latency,
  ) {}

  /**
   * Starts an operation; `finish` is awaited before it is done, and a fault or a failed `finish` ends it with
   * an error.
   *
   * @throws GoogleError 400 FAILED_PRECONDITION while an operation that excludes it runs on the same cluster
   */
  public start(start: OperationStart, finish: (error?: string) => void | Promise<void>): object {
    this.refuseIncompatible(start);
    const id = `operation-${Date.now()}-${randomBytes(8).toString("hex")}`;
    const operation: Operation = { start, name: id, startTime: new Date().toISOString() };
    this.operations.set(`${start.location}/${id}`, operation);
    void this.run(operation, finish);
    return this.render(operation);
  }

  public get(location: string, name: string): object {
    const operation = this.operations.get(`${location}/${name}`);
    if (!operation) {
      throw notFound(`Not found: projects/${this.project.id}/locations/${location}/operations/${name}.`);
    }
    return this.render(operation);
  }

  private async run(operation: Operation, finish: (error?: string) => void | Promise<void>): Promise<void> {
    const { operationMs = 0 } = this.latency();
    await sleep(typeof operationMs === "number" ? operationMs : (operationMs[operation.start.type] ?? 0));
    operation.error = this.faults.operationError(operation.start.type);
    try {
      await finish(operation.error);
    } catch (error) {
      operation.error = error instanceof Error ? error.message : String(error);
    }
    operation.endTime = new Date().toISOString();
  }

  /** Node pools of one cluster change side by side; anything else excludes everything on its cluster. */
  private refuseIncompatible({ location, target }: OperationStart): void {
    const cluster = target.split("/").slice(0, 2).join("/");
    for (const running of this.operations.values()) {
      if (running.endTime || running.start.location !== location) continue;
      const other = running.start.target;
      const sameCluster = other === cluster || other.startsWith(`${cluster}/`);
      const bothPools = other !== cluster && target !== cluster && other !== target;
      if (sameCluster && !bothPools) {
        throw failedPrecondition(`Cluster is running incompatible operation ${running.name}.`);
      }
    }
  }

  private render({ start, name, startTime, endTime, error }: Operation): object {
    const place = `${isZone(start.location) ? "zones" : "locations"}/${start.location}`;
    const base = `https://container.googleapis.com/v1/projects/${this.project.number}/${place}`;
    return {
      name,
      operationType: start.type,
      zone: start.location,
      status: endTime ? "DONE" : "RUNNING",
      startTime,
      selfLink: `${base}/operations/${name}`,
      targetLink: `${base}/${start.target}`,
      ...(endTime && { endTime }),
      ...(endTime && start.type === "CREATE_CLUSTER" && { progress: { metrics: metrics(CREATE_PROGRESS) } }),
      ...(endTime && error && { statusMessage: error, error: { code: 13, message: error } }),
    };
  }
}

const metrics = (values: Record<string, string>) =>
  Object.entries(values).map(([name, intValue]) => ({ name, intValue }));
