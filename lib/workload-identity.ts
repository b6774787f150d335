import { ITerraformDependable } from "cdktf";
import { Construct } from "constructs";
import type { IGkeWorkloadIdentityCluster } from "./contracts/gke-workload-identity-cluster";
import type { IWorkloadIdentity, WorkloadIdentityProps } from "./contracts/workload-identity";
import { noteEmail } from "./private/gke/identities";
import { requireOwnAccountName } from "./private/kubernetes/rbac";
import { claim, clusterKey, projectKey } from "./private/terraform/claims";
import { fitText, LONGEST_DISPLAY_NAME } from "./private/terraform/names";
import { refuseStandardOfExisting, useNamespace } from "./private/terraform/namespaces";
import { PlainDataSource, PlainResource } from "./private/terraform/plain-elements";
import {
  DNS_SUBDOMAIN,
  PROJECT_NUMBER,
  requireAtMostOne,
  requireName,
  SERVICE_ACCOUNT_EMAIL,
  SERVICE_ACCOUNT_ID,
} from "./private/validation";

export type * from "./contracts/workload-identity";

/**
 * An identity for pods: a Kubernetes service account that acts in Google Cloud without a key.
 *
 * https://cloud.google.com/kubernetes-engine/docs/how-to/workload-identity
 */
export class WorkloadIdentity extends Construct implements IWorkloadIdentity {
  public readonly cluster: IGkeWorkloadIdentityCluster;
  public readonly namespace: string;
  public readonly serviceAccountName: string;
  public readonly googleServiceAccountEmail?: string;
  public readonly member: string;
  public readonly namespaceDependencies: ITerraformDependable[];
  private readonly awaited: ITerraformDependable[] = [];

  constructor(scope: Construct, id: string, props: WorkloadIdentityProps) {
    super(scope, id);
    requireName(this, "serviceAccountName", props.serviceAccountName, DNS_SUBDOMAIN);
    if (props.createServiceAccount ?? true) {
      requireOwnAccountName(this, "serviceAccountName", props.serviceAccountName);
    }
    requireName(this, "googleServiceAccountId", props.googleServiceAccountId, SERVICE_ACCOUNT_ID);
    requireName(this, "googleServiceAccountEmail", props.googleServiceAccountEmail, SERVICE_ACCOUNT_EMAIL);
    requireName(this, "projectNumber", props.projectNumber, PROJECT_NUMBER);
    requireAtMostOne(this, {
      googleServiceAccountEmail: props.googleServiceAccountEmail,
      googleServiceAccountId: props.googleServiceAccountId,
    });
    this.cluster = props.cluster;
    this.namespace = props.namespace;
    this.serviceAccountName = props.serviceAccountName;

    if (props.googleServiceAccountId !== undefined) {
      const account = this.createGoogleServiceAccount(props.googleServiceAccountId);
      noteEmail(this, props.googleServiceAccountId, this.cluster.project);
      this.googleServiceAccountEmail = account.getStringAttribute("email");
      this.member = account.getStringAttribute("member");
      this.bindGoogleServiceAccount(account.getStringAttribute("name"));
    } else if (props.googleServiceAccountEmail !== undefined) {
      this.googleServiceAccountEmail = props.googleServiceAccountEmail;
      this.member = `serviceAccount:${props.googleServiceAccountEmail}`;
      // "-" stands for whichever project the account is in.
      this.bindGoogleServiceAccount(`projects/-/serviceAccounts/${props.googleServiceAccountEmail}`);
    } else {
      this.member = this.federatedPrincipal(props.projectNumber ?? this.lookUpProjectNumber());
    }
    const podSecurity = { standard: props.podSecurityStandard, property: "podSecurityStandard" };
    refuseStandardOfExisting(this, podSecurity, props.namespace, props.createNamespace);
    this.namespaceDependencies = useNamespace(this, {
      namespace: props.namespace,
      createNamespace: props.createNamespace,
      podSecurity,
      provider: this.cluster.kubernetesProvider,
      dependencies: this.cluster.kubernetesDependencies,
    });
    this.awaited.push(...this.useServiceAccount(props));
  }

  public get podDependencies(): ITerraformDependable[] {
    return [...this.awaited];
  }

  public addPodDependency(dependency: ITerraformDependable): void {
    this.awaited.push(dependency);
  }

  private createGoogleServiceAccount(accountId: string): PlainResource {
    claim(this, {
      property: "googleServiceAccountId",
      name: accountId,
      what: `Google service account ${projectKey(this, this.cluster.project, this.cluster.googleProvider)} ${accountId}`,
      advice: "share that identity ('identity'), or give the account's 'googleServiceAccountEmail'",
    });
    return new PlainResource(this, "google-service-account", "google_service_account", {
      accountId,
      displayName: fitText(
        `Pods of ${this.namespace}/${this.serviceAccountName} on ${this.cluster.clusterName}`,
        LONGEST_DISPLAY_NAME,
      ),
      project: this.cluster.project,
      dependsOn: this.cluster.apiDependencies("iam"),
      provider: this.cluster.googleProvider,
    });
  }

  /** The pool's name comes from the cluster, because IAM refuses a member of a pool that does not exist yet. */
  private bindGoogleServiceAccount(serviceAccountId: string): void {
    const pool = this.cluster.workloadIdentityPool;
    const binding = new PlainResource(this, "workload-identity-user", "google_service_account_iam_member", {
      serviceAccountId,
      role: "roles/iam.workloadIdentityUser",
      member: `serviceAccount:${pool}[${this.namespace}/${this.serviceAccountName}]`,
      dependsOn: [...this.cluster.apiDependencies("iam"), ...this.cluster.apiDependencies("iamcredentials")],
      provider: this.cluster.googleProvider,
    });
    this.awaited.push(binding);
  }

  private lookUpProjectNumber(): string {
    return new PlainDataSource(this, "project", "google_project", {
      projectId: this.cluster.project,
      dependsOn: this.cluster.apiDependencies("cloudresourcemanager"),
      provider: this.cluster.googleProvider,
    }).getStringAttribute("number");
  }

  /** https://cloud.google.com/iam/docs/principal-identifiers */
  private federatedPrincipal(projectNumber: string): string {
    const pool = `projects/${projectNumber}/locations/global/workloadIdentityPools/${this.cluster.workloadIdentityPool}`;
    return `principal://iam.googleapis.com/${pool}/subject/ns/${this.namespace}/sa/${this.serviceAccountName}`;
  }

  private useServiceAccount(props: WorkloadIdentityProps): ITerraformDependable[] {
    const provider = this.cluster.kubernetesProvider;
    const namespace = this.namespaceDependencies;
    const metadata = { name: this.serviceAccountName, namespace: this.namespace };
    const annotations = this.googleServiceAccountEmail
      ? { "iam.gke.io/gcp-service-account": this.googleServiceAccountEmail }
      : undefined;
    if (annotations !== undefined) {
      claim(this, {
        property: "serviceAccountName",
        name: this.serviceAccountName,
        what: `Google identity of ${clusterKey(this.cluster)} ${this.namespace}/${this.serviceAccountName}`,
        advice: "a Kubernetes service account has one Google identity; share it ('identity')",
      });
    }
    if (props.createServiceAccount ?? true) {
      claim(this, {
        property: "serviceAccountName",
        name: this.serviceAccountName,
        what: `Kubernetes service account ${clusterKey(this.cluster)} ${this.namespace}/${this.serviceAccountName}`,
        advice: "share that identity ('identity'), or set 'createServiceAccount' to false",
      });
      const account = new PlainResource(this, "service-account", "kubernetes_service_account_v1", {
        metadata: { ...metadata, annotations },
        automountServiceAccountToken: props.automountServiceAccountToken ?? true,
        dependsOn: namespace,
        provider,
      });
      return [account];
    }
    if (annotations === undefined) return namespace;
    const annotated = new PlainResource(this, "service-account-annotation", "kubernetes_annotations", {
      apiVersion: "v1",
      kind: "ServiceAccount",
      metadata,
      annotations,
      dependsOn: namespace,
      provider,
    });
    return [annotated];
  }
}
