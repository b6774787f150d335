import { ITerraformDependable, TerraformOutput, Token } from "cdktf";
import { Construct } from "constructs";
import type { IGkeWorkloadIdentityCluster } from "./contracts/gke-workload-identity-cluster";
import { RbacSubject } from "./contracts/rbac-subject";
import { SkyPilotRemoteIdentity } from "./contracts/skypilot-options";
import type { SkyPilotServiceAccountProps } from "./contracts/skypilot-service-account";
import { noteIdentity } from "./private/gke/identities";
import { clusterRoleRef, rbacSubjectOf, requireRbacSubject, roleRef } from "./private/kubernetes/rbac";
import {
  podSecurityOf,
  registerAccounts,
  requireSkyPilotProps,
  workloadProperty,
} from "./private/skypilot/checks";
import { kubeconfigOutput, skyPilotConfig } from "./private/skypilot/config";
import { SkyPilotRule, SkyPilotRules, skyPilotRules } from "./private/skypilot/rules";
import { SYSTEM_NAMESPACE, useSkyPilotSystem } from "./private/skypilot/system";
import { claimNamespace, NamespacePurpose } from "./private/terraform/namespace-purposes";
import { useNamespace } from "./private/terraform/namespaces";
import { PlainResource } from "./private/terraform/plain-elements";

export type * from "./contracts/skypilot-service-account";

/** Where ingress-nginx is, fixed by SkyPilot. */
const INGRESS_NAMESPACE = "ingress-nginx";

const LABELS = { parent: "skypilot" };

/** A role and who has it. */
interface BoundRole {
  readonly name: string;
  readonly namespace: string;
  readonly rules: SkyPilotRule[];
  readonly subjects: RbacSubject[];
  readonly dependencies: ITerraformDependable[];
}

/**
 * Service accounts that SkyPilot works with, with exactly the rights that it uses: one for who launches, one for the pods.
 *
 * https://docs.skypilot.co/en/latest/cloud-setup/cloud-permissions/kubernetes.html
 */
export class SkyPilotServiceAccount extends Construct {
  /** The cluster that SkyPilot launches on. */
  public readonly cluster: IGkeWorkloadIdentityCluster;
  /** The workload namespaces, the main one first. */
  public readonly namespaces: string[];
  /** Namespace of the launcher. */
  public readonly launcherNamespace: string;
  /** The launcher's service account. */
  public readonly serviceAccountName: string;
  /** The pods' service account, in each workload namespace. */
  public readonly workloadServiceAccountName: string;
  private readonly remoteIdentity: SkyPilotRemoteIdentity;
  private readonly rules: SkyPilotRules;
  /** Whether pods may do what the launcher may. */
  private readonly podsLaunch: boolean;
  private readonly launchers: RbacSubject[] = [];
  private readonly launcherBindings: (PlainResource | PlainResource)[] = [];
  private readonly kubeconfig?: TerraformOutput;

  /**
   * @throws if a namespace or a name is one that SkyPilot, Kubernetes or another instance uses, if an account would be within
   * reach of those who must not have it, or if properties contradict each other
   */
  constructor(scope: Construct, id: string, props: SkyPilotServiceAccountProps) {
    super(scope, id);
    const { features = {}, sharedIdentity = false } = props;
    this.cluster = props.cluster;
    this.namespaces = [props.namespace, ...(props.additionalNamespaces ?? [])];
    this.serviceAccountName = props.serviceAccountName ?? "sky-sa";
    this.launcherNamespace = sharedIdentity
      ? props.namespace
      : (props.launcherNamespace ?? `${props.namespace}-launcher`);
    const workloadName = props.workloadIdentity?.serviceAccountName ?? props.workloadServiceAccountName;
    this.workloadServiceAccountName = sharedIdentity
      ? this.serviceAccountName
      : (workloadName ?? `${this.serviceAccountName}-workload`);
    this.remoteIdentity = props.remoteIdentity ?? SkyPilotRemoteIdentity.CUSTOM_SERVICE_ACCOUNT;
    this.podsLaunch = sharedIdentity || (features.controllers ?? false);
    this.rules = skyPilotRules(features);
    requireSkyPilotProps(this, props);
    registerAccounts(this);
    if (props.workloadIdentity !== undefined) {
      noteIdentity("skyPilot", {
        scope: this,
        property: "workloadIdentity",
        identity: props.workloadIdentity,
      });
    }

    const launcher = this.createLauncher(props);
    this.bindCluster();
    this.namespaces.forEach((_namespace, index) => this.createWorkload(index, props));
    if (features.objectStoreMounts) this.bindSystem(props.createSkyPilotSystem ?? true);
    if (features.ingressPorts) this.bindIngress();
    if (props.createKubeconfig) this.kubeconfig = kubeconfigOutput(this, launcher);
  }

  /** Name of the context that `gcloud container clusters get-credentials` makes, and that the kubeconfig here has. */
  public get contextName(): string {
    const { project, location, clusterName } = this.cluster;
    return `gke_${project}_${location}_${clusterName}`;
  }

  /** Content of `~/.sky/config.yaml` of those who launch, or of the configuration of SkyPilot's API server, as YAML. */
  public get skyConfig(): string {
    return skyPilotConfig({
      context: this.contextName,
      namespace: this.namespaces[0],
      workloadServiceAccountName: this.workloadServiceAccountName,
      remoteIdentity: this.remoteIdentity,
      inPods: this.podsLaunch,
    });
  }

  /** Command that prints a token of the launcher, for an hour; the DNS endpoint of a cluster refuses it unless told otherwise. */
  public get tokenCommand(): string {
    return `kubectl create token ${this.serviceAccountName} --namespace ${this.launcherNamespace} --duration=1h`;
  }

  /** Command that writes the launcher's kubeconfig into a file that others cannot read; none without `createKubeconfig`. */
  public get kubeconfigCommand(): string | undefined {
    if (this.kubeconfig === undefined) return undefined;
    return `(umask 077 && terraform output -raw ${this.kubeconfig.friendlyUniqueId} > sky-kubeconfig)`;
  }

  /**
   * Lets somebody else launch too, by the same rights: SkyPilot's client works with the user of the kubeconfig, which on GKE is a
   * Google identity. A second binding of the same subject changes nothing.
   *
   * @throws if the subject is a group and the cluster knows none
   */
  public grantLauncher(subject: RbacSubject): void {
    requireRbacSubject(this, "subject", this.cluster, subject);
    this.addLauncher(subject);
  }

  private addLauncher(subject: RbacSubject): void {
    const key = JSON.stringify(subject);
    if (this.launchers.some((launcher) => JSON.stringify(launcher) === key)) return;
    this.launchers.push(subject);
    for (const binding of this.launcherBindings) binding.put({ subject: this.launchers.map(rbacSubjectOf) });
  }

  /** With colons, which no name that SkyPilot gives has: it rewrites roles that have its own names. */
  private get roleName(): string {
    return `skypilot:${this.launcherNamespace}:${this.serviceAccountName}`;
  }

  private createLauncher(props: SkyPilotServiceAccountProps): ITerraformDependable[] {
    this.addLauncher(RbacSubject.serviceAccount(this.serviceAccountName, this.launcherNamespace));
    const dependencies = useNamespace(this, {
      namespace: this.launcherNamespace,
      createNamespace: props.sharedIdentity ? props.createNamespace : props.createLauncherNamespace,
      ...(props.sharedIdentity
        ? { purpose: NamespacePurpose.SKYPILOT_WORKLOADS }
        : { purpose: NamespacePurpose.SKYPILOT_LAUNCHER, property: "launcherNamespace" }),
      labels: LABELS,
      provider: this.cluster.kubernetesProvider,
      dependencies: this.cluster.kubernetesDependencies,
    });
    if (!(props.createServiceAccount ?? true)) return dependencies;
    const account = new PlainResource(this, "launcher", "kubernetes_service_account_v1", {
      metadata: { name: this.serviceAccountName, namespace: this.launcherNamespace, labels: LABELS },
      // Outside a shared account no pod needs it.
      automountServiceAccountToken: props.sharedIdentity ?? false,
      dependsOn: dependencies,
      provider: this.cluster.kubernetesProvider,
    });
    return [account];
  }

  /** A workload namespace: the pods' account and what launcher and pods may do there. */
  private createWorkload(index: number, props: SkyPilotServiceAccountProps): void {
    const namespace = this.namespaces[index];
    const name = Token.isUnresolved(namespace) ? `${index}` : namespace;
    const scope = index === 0 ? this : new Construct(this, `namespace-${name}`);
    const dependencies = this.useWorkloadNamespace(index, props);
    if (props.resourceQuota !== undefined) {
      new PlainResource(scope, "quota", "kubernetes_resource_quota_v1", {
        metadata: { name: this.workloadServiceAccountName, namespace, labels: LABELS },
        spec: { hard: props.resourceQuota },
        dependsOn: dependencies,
        provider: this.cluster.kubernetesProvider,
      });
    }
    const pods = RbacSubject.serviceAccount(this.workloadServiceAccountName, namespace);
    const isThere = index === 0 && (props.sharedIdentity || props.workloadIdentity !== undefined);
    // The same name in every namespace, because SkyPilot knows only one.
    if (!isThere) {
      new PlainResource(scope, "workload", "kubernetes_service_account_v1", {
        metadata: { name: pods.subjectName, namespace, labels: LABELS },
        automountServiceAccountToken: true,
        dependsOn: dependencies,
        provider: this.cluster.kubernetesProvider,
      });
    }
    if (this.podsLaunch) this.addLauncher(pods);
    this.bindLauncher(scope, "launcher", namespace, this.rules.launcher, dependencies);
    const workloadRole = `${this.roleName}:workload`;
    this.bind(scope, "workload", {
      name: workloadRole,
      namespace,
      rules: this.rules.workload,
      subjects: [pods],
      dependencies,
    });
  }

  private useWorkloadNamespace(index: number, props: SkyPilotServiceAccountProps): ITerraformDependable[] {
    const standard = props.podSecurity ?? podSecurityOf(props.features ?? {});
    return useNamespace(this, {
      namespace: this.namespaces[index],
      createNamespace: props.createNamespace,
      labels: LABELS,
      podSecurity: { standard, property: "podSecurity" },
      purpose: NamespacePurpose.SKYPILOT_WORKLOADS,
      property: workloadProperty(index),
      provider: this.cluster.kubernetesProvider,
      dependencies: this.cluster.kubernetesDependencies,
    });
  }

  /** The launcher may make SkyPilot's DaemonSet only after there is a policy that holds it to that. */
  private bindSystem(create: boolean): void {
    claimNamespace(this, {
      namespace: SYSTEM_NAMESPACE,
      purpose: NamespacePurpose.SKYPILOT_SYSTEM,
      property: "features.objectStoreMounts",
      provider: () => this.cluster.kubernetesProvider,
    });
    const dependencies = useSkyPilotSystem(this, this.cluster, create);
    this.bindLauncher(this, "system", SYSTEM_NAMESPACE, this.rules.system, dependencies);
  }

  private bindIngress(): void {
    const dependencies = this.cluster.kubernetesDependencies;
    this.bindLauncher(this, "ingress", INGRESS_NAMESPACE, this.rules.ingress, dependencies);
  }

  private bindLauncher(
    scope: Construct,
    id: string,
    namespace: string,
    rules: SkyPilotRule[],
    dependencies: ITerraformDependable[],
  ): void {
    const grant = { name: this.roleName, namespace, rules, subjects: this.launchers, dependencies };
    this.launcherBindings.push(this.bind(scope, id, grant));
  }

  private bind(scope: Construct, id: string, grant: BoundRole): PlainResource {
    const common = {
      metadata: { name: grant.name, namespace: grant.namespace, labels: LABELS },
      provider: this.cluster.kubernetesProvider,
    };
    const role = new PlainResource(scope, `${id}-role`, "kubernetes_role_v1", {
      ...common,
      rule: grant.rules,
      dependsOn: grant.dependencies,
    });
    return new PlainResource(scope, `${id}-binding`, "kubernetes_role_binding_v1", {
      ...common,
      roleRef: roleRef(grant.name),
      subject: grant.subjects.map(rbacSubjectOf),
      dependsOn: [role],
    });
  }

  private bindCluster(): void {
    const common = {
      metadata: { name: this.roleName, labels: LABELS },
      provider: this.cluster.kubernetesProvider,
    };
    const role = new PlainResource(this, "cluster-role", "kubernetes_cluster_role_v1", {
      ...common,
      rule: this.rules.cluster,
      dependsOn: this.cluster.kubernetesDependencies,
    });
    const binding = new PlainResource(this, "cluster-binding", "kubernetes_cluster_role_binding_v1", {
      ...common,
      roleRef: clusterRoleRef(this.roleName),
      subject: this.launchers.map(rbacSubjectOf),
      dependsOn: [role],
    });
    this.launcherBindings.push(binding);
  }
}
