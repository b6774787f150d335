import { randomBytes } from "node:crypto";
import { failedPrecondition, invalidArgument, notFound, permissionDenied } from "./errors";
import { Call, Route, routesOf } from "./routes";
import { Project } from "./project";
import { Visibility } from "./visibility";

const SERVICES = "/v1/projects/(?<project>[^/]+)/services";
const SERVICE = `${SERVICES}/(?<service>[^/:]+)`;
const SERVICE_NAME = /^[a-z][a-z0-9-]*\.googleapis\.com$/;
const MAX_BATCH = 20;

/** Services that another one brings along, and that cannot be disabled before it. */
const DEPENDENCIES: Readonly<Record<string, readonly string[]>> = {
  "container.googleapis.com": ["compute.googleapis.com"],
};

/**
 * The Service Usage API v1: which APIs the project may call.
 *
 * Follows the requests of Terraform's provider and the reference; there are no recordings of it.
 */
export class ServiceUsageApi {
  private readonly operations = new Map<string, object>();

  constructor(
    private readonly project: Project,
    private readonly visibility: Visibility,
  ) {}

  public routes(): Route[] {
    const route = routesOf("serviceusage");
    return [
      route("GET", SERVICES, (call) => this.list(call)),
      route("GET", `${SERVICES}:batchGet`, (call) => this.batchGet(call)),
      route("GET", SERVICE, ({ params }) => this.render(params.service)),
      route(
        "POST",
        `${SERVICE}:enable`,
        (call) => this.enable(call, [call.params.service]),
        "EnableServiceRequest",
      ),
      route(
        "POST",
        `${SERVICES}:batchEnable`,
        (call) => this.batchEnable(call),
        "BatchEnableServicesRequest",
      ),
      route("POST", `${SERVICE}:disable`, (call) => this.disable(call), "DisableServiceRequest"),
      route("GET", "/v1/operations/(?<operation>[^/]+)", ({ params }) => this.operation(params.operation)),
    ];
  }

  private list({ params, query }: Call): object {
    this.checkProject(params.project);
    const filter = query.get("filter");
    if (filter && !/^state:(ENABLED|DISABLED)$/.test(filter))
      throw invalidArgument(`Invalid filter: ${filter}`);
    const services = [...this.project.services]
      .filter((service) => filter !== "state:DISABLED" && this.visibility.sees("serviceLists", service))
      .map((service) => this.render(service));
    return services.length ? { services } : {};
  }

  private batchGet({ query }: Call): object {
    const names = query.getAll("names").map((name) => name.split("/").pop()!);
    return { services: names.map((service) => this.render(service)) };
  }

  private batchEnable(call: Call): object {
    const services: string[] = call.body.serviceIds ?? [];
    if (services.length < 2 || services.length > MAX_BATCH) {
      throw invalidArgument(`A batch must enable between 2 and ${MAX_BATCH} services.`);
    }
    return this.enable(call, services);
  }

  private enable({ params }: Call, services: string[]): object {
    this.checkProject(params.project);
    const unknown = services.filter((service) => !SERVICE_NAME.test(service));
    if (unknown.length) {
      throw permissionDenied(`Not found or permission denied for service(s): ${unknown.join(", ")}.`);
    }
    for (const service of services.flatMap((name) => [name, ...(DEPENDENCIES[name] ?? [])])) {
      if (!this.project.services.has(service)) this.visibility.appear("serviceLists", service);
      this.project.services.add(service);
    }
    return this.start({ services: services.map((service) => this.render(service)) });
  }

  private disable({ params, body }: Call): object {
    this.checkProject(params.project);
    const { service } = params;
    const dependants = Object.keys(DEPENDENCIES).filter(
      (name) => DEPENDENCIES[name].includes(service) && this.project.services.has(name),
    );
    if (dependants.length && !body.disableDependentServices) {
      throw failedPrecondition(
        `The service ${service} is depended on by the following active service(s): ${dependants.join(",")}; ` +
          "Please specify disable_dependent_services=true if you want to proceed with disabling all services.",
      );
    }
    [service, ...dependants].forEach((name) => this.project.services.delete(name));
    return this.start({ service: this.render(service) });
  }

  /** Changes of services are operations that end at once: the first look finds them done. */
  private start(response: object): object {
    const name = `operations/acat.p2-${this.project.number}-${randomBytes(8).toString("hex")}`;
    this.operations.set(name, { name, done: true, response });
    return { name };
  }

  private operation(id: string): object {
    const operation = this.operations.get(`operations/${id}`);
    if (!operation) throw notFound(`Operation not found: operations/${id}.`);
    return operation;
  }

  private render(service: string): object {
    return {
      name: `projects/${this.project.number}/services/${service}`,
      config: { name: service },
      state: this.project.isEnabled(service) ? "ENABLED" : "DISABLED",
      parent: `projects/${this.project.number}`,
    };
  }

  private checkProject(project: string): void {
    if (!this.project.isProject(project)) throw permissionDenied("Permission denied to list services.");
  }
}
