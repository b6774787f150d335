import { ITerraformDependable } from "cdktf";
import { IConstruct } from "constructs";
import { invalid } from "../private/validation";
import type { ManifestPart } from "./manifest";

/** Names of the containers of the operator and of this library. */
const OWN_CONTAINERS = ["ray-head", "ray-worker", "autoscaler", "wait-gcs-ready"];

/** Volumes of containers beside Ray, with a token of Kubernetes. */
const OWN_VOLUMES = ["autoscaler-token"];

/**
 * Additions of features to the head pod, or to every worker pod, of a Ray cluster. Everything is collected until synth, so the
 * order does not matter. For a Ray cluster that is deployed by other means it is plain data to put into its manifest.
 *
 * Containers, volumes and volume mounts are written as in a Kubernetes manifest.
 */
export class RayPods {
  private readonly containerList: ManifestPart[] = [];
  private readonly initContainerList: ManifestPart[] = [];
  private readonly volumeList: ManifestPart[] = [];
  private readonly volumeMountList: ManifestPart[] = [];
  private readonly environment: { [name: string]: string } = {};
  private readonly startParameters: { [name: string]: string } = {};
  private readonly awaited: ITerraformDependable[] = [];
  private readiness?: ManifestPart;
  private liveness?: ManifestPart;
  private readonly podAnnotations: { [name: string]: string } = {};
  private mountsToken = false;
  private volumeGroup?: number;

  /**
   * @param owner whose pods these are
   * @param group `head` or `workers`, for error messages
   */
  constructor(
    private readonly owner: IConstruct,
    private readonly group: string,
  ) {}

  /** Containers beside the Ray container. */
  public get containers(): ManifestPart[] {
    return [...this.containerList];
  }

  /** Init containers, native sidecars among them. */
  public get initContainers(): ManifestPart[] {
    return [...this.initContainerList];
  }

  /** Volumes of the pods. */
  public get volumes(): ManifestPart[] {
    return [...this.volumeList];
  }

  /** Volume mounts of the Ray container. */
  public get volumeMounts(): ManifestPart[] {
    return [...this.volumeMountList];
  }

  /** Environment of the Ray container. */
  public get env(): { [name: string]: string } {
    return { ...this.environment };
  }

  /** Parameters of `ray start`. */
  public get rayStartParams(): { [name: string]: string } {
    return { ...this.startParameters };
  }

  /** Readiness probe of the Ray container; the operator's where there is none. */
  public get readinessProbe(): ManifestPart | undefined {
    return this.readiness;
  }

  /** Liveness probe of the Ray container; the operator's where there is none. */
  public get livenessProbe(): ManifestPart | undefined {
    return this.liveness;
  }

  /**
   * True if every container of the pods has the token of their service account. Jobs run in the Ray container, so they have it
   * too; a feature that needs a token for a container of its own gives that container a volume of its own.
   */
  public get automountServiceAccountToken(): boolean {
    return this.mountsToken;
  }

  /** Annotations of the pods. */
  public get annotations(): { [name: string]: string } {
    return { ...this.podAnnotations };
  }

  /** Group that the pods' volumes are given to (`securityContext.fsGroup`); none unless a feature needs it. */
  public get fsGroup(): number | undefined {
    return this.volumeGroup;
  }

  /** Resources that the pods wait for. */
  public get dependencies(): ITerraformDependable[] {
    return [...this.awaited];
  }

  /**
   * Adds a container beside the Ray container, which stays the first.
   *
   * @throws if there is another one of that name
   */
  public addContainer(container: ManifestPart): void {
    this.requireFree("container", "name", container, this.knownContainers);
    this.containerList.push(container);
  }

  /**
   * Adds an init container; with `restartPolicy: Always` it is a native sidecar.
   *
   * @throws if there is another one of that name
   */
  public addInitContainer(container: ManifestPart): void {
    this.requireFree("init container", "name", container, this.knownContainers);
    this.initContainerList.push(container);
  }

  /**
   * Adds a volume to the pods.
   *
   * @throws if there is another one of that name
   */
  public addVolume(volume: ManifestPart): void {
    this.requireFree("volume", "name", volume, [
      ...this.volumeList,
      ...OWN_VOLUMES.map((name) => ({ name })),
    ]);
    this.volumeList.push(volume);
  }

  /**
   * Mounts a volume into the Ray container.
   *
   * @throws if something is mounted at that path already, or the volume holds the autoscaler's token
   */
  public addVolumeMount(mount: ManifestPart): void {
    this.requireFree("volume mount", "mountPath", mount, this.volumeMountList);
    if (OWN_VOLUMES.includes(mount.name)) {
      const rule = "not be a volume that jobs must not read";
      throw invalid(this.owner, `${this.group}.volume mount.name`, rule, mount.name);
    }
    this.volumeMountList.push(mount);
  }

  /**
   * Sets a variable in the environment of the Ray container.
   *
   * @throws if it is set to something else already
   */
  public addEnv(name: string, value: string): void {
    this.set("environment variable", this.environment, name, value);
  }

  /**
   * Sets a parameter of `ray start`, without the dashes.
   *
   * @throws if it is set to something else already
   */
  public addRayStartParam(name: string, value: string): void {
    this.set("ray start parameter", this.startParameters, name, value);
  }

  /**
   * Sets the probes of the Ray container, instead of the operator's.
   *
   * @throws if they are set already
   */
  public setProbes(readiness: ManifestPart, liveness: ManifestPart): void {
    if (this.readiness !== undefined)
      throw invalid(this.owner, `${this.group}.readinessProbe`, "be set once", readiness);
    this.readiness = readiness;
    this.liveness = liveness;
  }

  /** Mounts the token of the pods' service account into every container, the Ray container among them. */
  public mountServiceAccountToken(): void {
    this.mountsToken = true;
  }

  /**
   * Sets an annotation of the pods.
   *
   * @throws if it is set to something else already
   */
  public addAnnotation(name: string, value: string): void {
    this.set("annotation", this.podAnnotations, name, value);
  }

  /**
   * Gives the pods' volumes to a group, so that its members can read them.
   *
   * @throws if they are given to another group already
   */
  public useFsGroup(group: number): void {
    if (this.volumeGroup !== undefined && this.volumeGroup !== group)
      throw invalid(this.owner, `${this.group}.fsGroup`, `stay ${this.volumeGroup}`, group);
    this.volumeGroup = group;
  }

  /** Makes the pods wait for something. */
  public addDependency(dependency: ITerraformDependable): void {
    this.awaited.push(dependency);
  }

  private get knownContainers(): ManifestPart[] {
    return [...this.containerList, ...this.initContainerList, ...OWN_CONTAINERS.map((name) => ({ name }))];
  }

  private requireFree(kind: string, key: string, item: ManifestPart, taken: ManifestPart[]): void {
    if (typeof item[key] !== "string" || item[key] === "") {
      throw invalid(this.owner, `${this.group}.${kind}.${key}`, "be given", item[key] ?? null);
    }
    // "/data/" is the same place as "/data".
    const place = (other: ManifestPart) => String(other[key]).replace(/(?<=.)\/$/, "");
    if (taken.some((other) => place(other) === place(item))) {
      throw invalid(this.owner, `${this.group}.${kind}.${key}`, "be unique", item[key]);
    }
  }

  private set(kind: string, values: { [name: string]: string }, name: string, value: string): void {
    if (name in values && values[name] !== value) {
      throw invalid(
        this.owner,
        `${this.group}.${kind} ${name}`,
        `stay ${JSON.stringify(values[name])}`,
        value,
      );
    }
    values[name] = value;
  }
}
