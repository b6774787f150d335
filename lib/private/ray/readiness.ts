import { dependable, Fn, ITerraformDependable, TerraformResource } from "cdktf";
import { Construct } from "constructs";
import type { IGkeWorkloadIdentityCluster } from "../../contracts/gke-workload-identity-cluster";
import type { ManifestPart } from "../../contracts/manifest";
import type { RayToleration } from "../../contracts/ray-groups";
import { waitingJob } from "../kubernetes/waiting-job";
import { hasToken, terraformJson } from "../terraform/json";
import { shortHash } from "../terraform/names";
import { PlainDataSource, PlainResource } from "../terraform/plain-elements";

/** Of which description of the Ray cluster a head is. */
const DESCRIPTION_ANNOTATION = "cdktf-gke-ray/description";

/** What the operator does not replace pods for. */
const NOT_DESCRIBED = [
  "upgradeStrategy",
  "replicas",
  "minReplicas",
  "maxReplicas",
  "scaleStrategy",
  "tolerations",
  "schedulingGates",
];

/** How long an image may fail to come, which a registry's bad minute can do, before it is taken for one that is not there. */
const PULL_PATIENCE_SECONDS = 120;

/**
 * Marks the head with a description of the Ray cluster, so that it can be told from a head of an older one.
 *
 * https://github.com/ray-project/kuberay/blob/v1.6.2/ray-operator/controllers/ray/utils/util.go (GenerateHashWithoutReplicasAndWorkersToDelete)
 */
export function markHead(manifest: ManifestPart): void {
  const { metadata } = manifest.spec.headGroupSpec.template;
  const text = JSON.stringify(manifest.spec, (field, value) =>
    NOT_DESCRIBED.includes(field) ? undefined : value,
  );
  const description = JSON.parse(text);
  const hash = hasToken(description)
    ? Fn.substr(Fn.sha256(terraformJson(description)), 0, 6)
    : shortHash(text);
  manifest.spec.headGroupSpec.template.metadata = {
    ...metadata,
    annotations: { ...metadata?.annotations, [DESCRIPTION_ANNOTATION]: hash },
  };
}

export interface RayReadinessProps {
  readonly cluster: IGkeWorkloadIdentityCluster;
  readonly namespace: string;
  readonly rayClusterName: string;
  readonly timeoutMinutes: number;
  /** Anything with python3. */
  readonly image: string;
  /** Of the head, so that the Job may go where it goes. */
  readonly tolerations?: RayToleration[];
  /** The release of the Ray cluster: whenever it changes, the pods are waited for. */
  readonly release: TerraformResource;
  readonly dependencies: ITerraformDependable[];
}

/**
 * Fails an apply whose Ray pods do not become Ready, with the reason: a Job waits for them, and a data source reads what it
 * has written into a ConfigMap.
 */
export class RayReadiness extends Construct {
  /** What is there only once the pods have been Ready. */
  public readonly dependencies: ITerraformDependable[];

  constructor(
    scope: Construct,
    id: string,
    private readonly props: RayReadinessProps,
  ) {
    super(scope, id);
    const result = this.createResult();
    const job = this.createJob([result, ...this.createRights()]);
    this.dependencies = [this.readResult(job)];
  }

  /** Of the ConfigMap, the Job and its account. */
  private get name(): string {
    return `${this.props.rayClusterName}-ready`;
  }

  private createResult(): TerraformResource {
    const { namespace, cluster, dependencies } = this.props;
    return new PlainResource(this, "result", "kubernetes_config_map_v1", {
      metadata: { name: this.name, namespace },
      lifecycle: { ignoreChanges: ["data"] },
      dependsOn: dependencies,
      provider: cluster.kubernetesProvider,
    });
  }

  private createRights(): TerraformResource[] {
    const { namespace, rayClusterName, cluster, dependencies } = this.props;
    const common = { dependsOn: dependencies, provider: cluster.kubernetesProvider };
    const account = new PlainResource(this, "service-account", "kubernetes_service_account_v1", {
      metadata: { name: this.name, namespace },
      ...common,
    });
    // With colons, which the name of a RayCluster cannot have: the operator makes a Role of that name.
    const roleName = `ray:${rayClusterName}:ready`;
    const role = new PlainResource(this, "role", "kubernetes_role_v1", {
      metadata: { name: roleName, namespace },
      rule: [
        { apiGroups: [""], resources: ["pods"], verbs: ["list"] },
        {
          apiGroups: ["ray.io"],
          resources: ["rayclusters"],
          resourceNames: [rayClusterName],
          verbs: ["get"],
        },
        { apiGroups: [""], resources: ["configmaps"], resourceNames: [this.name], verbs: ["patch"] },
        { apiGroups: ["batch"], resources: ["jobs"], resourceNames: [this.name], verbs: ["delete"] },
      ],
      ...common,
    });
    const binding = new PlainResource(this, "role-binding", "kubernetes_role_binding_v1", {
      metadata: { name: roleName, namespace },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: roleName },
      subject: [{ kind: "ServiceAccount", name: this.name, namespace }],
      ...common,
      dependsOn: [role],
    });
    return [account, binding];
  }

  private createJob(dependencies: TerraformResource[]): TerraformResource {
    const { namespace, rayClusterName, timeoutMinutes, image, tolerations, release, cluster } = this.props;
    const seconds = timeoutMinutes * 60;
    return waitingJob(this, "job", {
      name: this.name,
      namespace,
      containerName: "wait",
      program: "wait_for_ray_cluster",
      args: [namespace, rayClusterName, `${seconds}`, `${PULL_PATIENCE_SECONDS}`, DESCRIPTION_ANNOTATION],
      image,
      serviceAccountName: this.name,
      restartPolicy: "OnFailure",
      tolerations,
      // Longer than it waits, for the time that its own pod takes to start.
      deadlineMinutes: timeoutMinutes + 5,
      replaceTriggeredBy: [dependable(release)],
      dependencies: [release, ...dependencies],
      provider: cluster.kubernetesProvider,
    });
  }

  /** Read after the Job, so that what was written down is an error of the apply. */
  private readResult(job: TerraformResource): PlainDataSource {
    const { namespace, rayClusterName, cluster } = this.props;
    return new PlainDataSource(this, "outcome", "kubernetes_config_map_v1", {
      metadata: { name: this.name, namespace },
      dependsOn: [job],
      lifecycle: {
        postcondition: [
          {
            condition: '${try(self.data["ready"], "") == "true"}',
            errorMessage: `The Ray cluster ${namespace}/${rayClusterName} is not ready: \${try(self.data["message"], "nothing was written down")}. The next apply waits again.`,
          },
        ],
      },
      provider: cluster.kubernetesProvider,
    });
  }
}
