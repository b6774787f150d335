import { ITerraformDependable } from "cdktf";
import { IConstruct } from "constructs";
import type { IGkeWorkloadIdentityCluster } from "./gke-workload-identity-cluster";
import type { PodSecurityStandard } from "./pod-security-standard";

/** The Kubernetes service account of pods, and what it is in Google Cloud. */
export interface IWorkloadIdentity extends IConstruct {
  /** The cluster whose pods it is for. */
  readonly cluster: IGkeWorkloadIdentityCluster;
  /** Namespace of the Kubernetes service account. */
  readonly namespace: string;
  /** Name of the Kubernetes service account. */
  readonly serviceAccountName: string;
  /** Email of the Google service account that pods act as; none where they act as themselves. */
  readonly googleServiceAccountEmail?: string;
  /** The IAM member to grant roles to: `serviceAccount:...`, or `principal://...` where pods act as themselves. */
  readonly member: string;
  /** Resources that objects in the namespace wait for: the namespace, where it is created here. */
  readonly namespaceDependencies: ITerraformDependable[];
  /** Resources that a pod with this identity waits for: the account, its binding, and every grant so far. */
  readonly podDependencies: ITerraformDependable[];
  /** Makes pods with this identity wait for something more, such as a role granted by other means. */
  addPodDependency(dependency: ITerraformDependable): void;
}

/** Ways in which pods act in Google Cloud. With none of these they act as themselves, as a federated principal. */
export interface WorkloadIdentityOptions {
  /**
   * Whether to create the namespace. It is created once, however many constructs use it; they must agree.
   * @default - true, but for `default`, `kube-system` and a reference to another resource
   */
  readonly createNamespace?: boolean;
  /**
   * Which pods the namespace admits, where it is created here; constructs that share it must agree. Workloads that fall short of
   * RESTRICTED are admitted or refused by it, and named in a warning and in the audit log in any case.
   * @default PodSecurityStandard.BASELINE
   */
  readonly podSecurityStandard?: PodSecurityStandard;
  /**
   * Whether to create the Kubernetes service account. An existing one is annotated where that is needed.
   * @default true
   */
  readonly createServiceAccount?: boolean;
  /**
   * Mount a token of the Kubernetes service account into pods whose own description says nothing about it. Pods need one only
   * to call the API server; Google Cloud is reached without it. A `RayCluster` decides for its pods itself. Not for an existing
   * account, which is left as it is.
   * @default true
   */
  readonly automountServiceAccountToken?: boolean;
  /**
   * Id of a Google service account that is created for the pods to act as.
   * @default - none is created
   */
  readonly googleServiceAccountId?: string;
  /**
   * Email of an existing Google service account for the pods to act as, of any project.
   * @default - none
   */
  readonly googleServiceAccountEmail?: string;
  /**
   * Number of the cluster's project, which stands in the name of a federated principal.
   * @default - looked up where it is needed, for which the provider's account needs `resourcemanager.projects.get`
   */
  readonly projectNumber?: string;
}

/** Properties of `WorkloadIdentity`. */
export interface WorkloadIdentityProps extends WorkloadIdentityOptions {
  /** The cluster that the pods run on. */
  readonly cluster: IGkeWorkloadIdentityCluster;
  /** Namespace of the pods. */
  readonly namespace: string;
  /** Name of the Kubernetes service account. */
  readonly serviceAccountName: string;
}
