/** Where programs of Kubernetes look for the token of their pod. */
const MOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount";

/** How long a token lives; the kubelet renews it at 80 percent of that. */
const EXPIRATION_SECONDS = 3600;

/**
 * A volume with the token of the pod's service account, for one container and not for its neighbours. It holds what Kubernetes
 * would mount into every container by itself.
 *
 * https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/#serviceaccount-token-volume-projection
 */
export function tokenVolume(name: string) {
  return {
    name,
    projected: {
      sources: [
        { serviceAccountToken: { path: "token", expirationSeconds: EXPIRATION_SECONDS } },
        { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
        { downwardAPI: { items: [{ path: "namespace", fieldRef: { fieldPath: "metadata.namespace" } }] } },
      ],
    },
  };
}

/** Mounts such a volume where the container's program looks for it. */
export function tokenMount(name: string) {
  return { name, mountPath: MOUNT_PATH, readOnly: true };
}
