/**
 * What the restricted Pod Security Standard asks for. The Ray images run as user 1000.
 *
 * https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
 */
export const POD_SECURITY_CONTEXT = {
  runAsNonRoot: true,
  seccompProfile: { type: "RuntimeDefault" },
};

export const CONTAINER_SECURITY_CONTEXT = {
  allowPrivilegeEscalation: false,
  capabilities: { drop: ["ALL"] },
};
