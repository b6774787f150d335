import { Configuration, ConfigurationSource, configurationOf } from "./configuration";

/** What Terraform will read, asked for by type. */
export class Template {
  public static of(source: ConfigurationSource): Template {
    return new Template(configurationOf(source));
  }

  private constructor(public readonly json: Configuration) {}

  /** The bodies of all resources of a type. */
  public resources(type: string): any[] {
    return Object.values(this.json.resource?.[type] ?? {});
  }

  /**
   * The body of the only resource of a type.
   *
   * @throws when there is none or more than one
   */
  public resource(type: string): any {
    const all = this.resources(type);
    if (all.length !== 1) throw new Error(`${all.length} resources of type ${type}`);
    return all[0];
  }

  /** The bodies of all data sources of a type. */
  public dataSources(type: string): any[] {
    return Object.values(this.json.data?.[type] ?? {});
  }

  /** The bodies of all configurations of a provider. */
  public providers(name: string): any[] {
    return this.json.provider?.[name] ?? [];
  }

  /** The Kubernetes objects that Helm releases of our chart put into the cluster. */
  public manifests(): any[] {
    return this.releaseValues().flatMap((values) => values.manifests ?? []);
  }

  /**
   * The only RayCluster.
   *
   * @throws when there is none or more than one
   */
  public rayCluster(): any {
    const all = this.manifests().filter(({ kind }) => kind === "RayCluster");
    if (all.length !== 1) throw new Error(`${all.length} RayClusters`);
    return all[0];
  }

  /** The values of the Helm releases that are plain JSON. */
  public releaseValues(): any[] {
    return this.resources("helm_release")
      .flatMap((release) => release.values ?? [])
      .filter((text: string) => text.startsWith("{"))
      .map((text: string) => JSON.parse(text));
  }
}
