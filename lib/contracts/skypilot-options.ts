/** The Pod Security Standard of namespaces for tasks. https://kubernetes.io/docs/concepts/security/pod-security-standards/ */
export enum SkyPilotPodSecurity {
  /** Everything, also to be root on the node. */
  PRIVILEGED = "privileged",
  /** Nothing that is known to lead out of the container. */
  BASELINE = "baseline",
}

/** The identity that SkyPilot gives its pods. https://docs.skypilot.co/en/latest/cloud-setup/cloud-permissions/kubernetes.html */
export enum SkyPilotRemoteIdentity {
  /** They call the API server as the workload's service account, with its rights. */
  CUSTOM_SERVICE_ACCOUNT = "CUSTOM_SERVICE_ACCOUNT",
  /**
   * They also get a copy of the kubeconfig of who launches: every task can then do what the launcher can. A kubeconfig that
   * calls a program, as gcloud's does, works only in images that have that program.
   */
  LOCAL_CREDENTIALS = "LOCAL_CREDENTIALS",
}

/** Features of SkyPilot besides launching, reaching and stopping clusters. Each adds the rights that it names and no more. */
export interface SkyPilotFeatures {
  /**
   * `sky gpus list` and `sky status-kubernetes`: list the pods of all namespaces, with their images, commands and
   * environment.
   * @default false
   */
  readonly gpuAvailability?: boolean;
  /**
   * Mount object stores into tasks: create the DaemonSet `fusermount-server` in `skypilot-system`, which is root on every node. An
   * admission policy holds it to SkyPilot's own shape. Tasks mount a folder of the node, so the workload namespaces must admit
   * privileged pods.
   * @default false
   */
  readonly objectStoreMounts?: boolean;
  /**
   * Ports by an ingress (`ports: ingress`): create ingresses in the workload namespaces, which can take over paths and host names
   * of others, and list ingress classes and the Services of `ingress-nginx`, a namespace that must exist.
   * @default false
   */
  readonly ingressPorts?: boolean;
  /**
   * `sky volumes`: create and delete persistent volume claims, list storage classes and volumes.
   * @default false
   */
  readonly volumes?: boolean;
  /**
   * Controllers that outlive their pod: create and delete Deployments and persistent volume claims.
   * @default false
   */
  readonly haControllers?: boolean;
  /**
   * Tasks on the node's network: read and write the ConfigMaps of the workload namespaces from pods. Tasks reach what listens on
   * the node, so the workload namespaces must admit privileged pods.
   * @default false
   */
  readonly hostNetwork?: boolean;
  /**
   * GPU metrics of several clusters in SkyPilot's API server: read which cluster it is (the id of the namespace `kube-system`).
   * @default false
   */
  readonly gpuMetrics?: boolean;
  /**
   * SkyPilot up to 0.10: create Secrets in the workload namespaces, and so tokens for every service account there.
   * @default false
   */
  readonly legacySshSecret?: boolean;
  /**
   * `sky jobs` and `sky serve`: their controllers run in pods and launch others, so the pods get the launcher's rights too; so
   * does every task.
   * @default false
   */
  readonly controllers?: boolean;
}
