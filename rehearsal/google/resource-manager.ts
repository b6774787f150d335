import { permissionDenied } from "./errors";
import { Call, Route, routesOf } from "./routes";
import { PolicyStore, renderPolicy } from "./policies";
import { Project } from "./project";

const PROJECT = "/v1/projects/(?<project>[^/:]+)";
const CREATED = "2024-04-01T12:34:56.789Z";

/**
 * The project itself: Resource Manager v1 (its policy) and what Cloud Billing says of it.
 *
 * Follows the requests of Terraform's provider and the reference; there are no recordings of it.
 */
export class ResourceManagerApi {
  constructor(
    private readonly project: Project,
    private readonly policies: PolicyStore,
  ) {}

  public routes(): Route[] {
    const route = routesOf("cloudresourcemanager");
    return [
      route("GET", PROJECT, (call) => this.get(call)),
      route(
        "POST",
        `${PROJECT}:getIamPolicy`,
        (call) => renderPolicy(this.policies.get(this.find(call))),
        "GetIamPolicyRequest",
      ),
      route("POST", `${PROJECT}:setIamPolicy`, (call) => this.setPolicy(call), "SetIamPolicyRequest"),
      routesOf("cloudbilling")("GET", `${PROJECT}/billingInfo`, (call) => this.billing(call)),
    ];
  }

  private get(call: Call): object {
    this.find(call);
    const { id, number } = this.project;
    return {
      projectNumber: number,
      projectId: id,
      lifecycleState: "ACTIVE",
      name: id,
      createTime: CREATED,
    };
  }

  private setPolicy(call: Call): object {
    return renderPolicy(this.policies.set("project", this.find(call), call.body.policy ?? {}));
  }

  private billing(call: Call): object {
    this.find(call);
    return {
      name: `projects/${this.project.id}/billingInfo`,
      projectId: this.project.id,
      billingAccountName: "billingAccounts/000000-000000-000000",
      billingEnabled: true,
    };
  }

  /** A project one may not see and one that does not exist answer the same. */
  private find({ params }: Call): string {
    if (!this.project.isProject(params.project))
      throw permissionDenied("The caller does not have permission");
    return `projects/${this.project.id}`;
  }
}
