/**
 * Which pods a namespace admits.
 *
 * https://kubernetes.io/docs/concepts/security/pod-security-standards/
 */
export enum PodSecurityStandard {
  /** Every pod, also one that is root on the node. */
  PRIVILEGED = "privileged",
  /** No privileged containers, no namespaces and no folders of the node. Every other pod is admitted. */
  BASELINE = "baseline",
  /**
   * Only pods that give up what the standard lists: root, privilege escalation, capabilities, kinds of volumes. The pods of this
   * library do. A RayJob does only with security contexts in its `submitterPodTemplate`; without them it waits forever.
   */
  RESTRICTED = "restricted",
}
