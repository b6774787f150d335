import { FUSE_DAEMON_SET } from "./matrix";

const FOLDER = "/var/run/fusermount";

/**
 * The DaemonSet that SkyPilot makes for mounts of object stores.
 *
 * https://github.com/skypilot-org/skypilot/blob/v0.14.1/sky/provision/kubernetes/manifests/fusermount-server-daemonset.yaml
 */
export function fuseDaemonSet(): any {
  const labels = { app: FUSE_DAEMON_SET };
  return {
    apiVersion: "apps/v1",
    kind: "DaemonSet",
    metadata: { name: FUSE_DAEMON_SET, labels: { ...labels, role: "agent", parent: "skypilot" } },
    spec: {
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          tolerations: [
            { operator: "Exists", effect: "NoSchedule" },
            { operator: "Exists", effect: "NoExecute" },
          ],
          containers: [
            {
              name: "server",
              image: "berkeleyskypilot/fusermount-server:0.2.2",
              securityContext: { privileged: true },
              volumeMounts: [{ name: "shared-dir", mountPath: FOLDER }],
              env: [{ name: "FUSERMOUNT_SHARED_DIR", value: FOLDER }],
              resources: { requests: { cpu: "50m", memory: "50Mi" } },
              livenessProbe: {
                exec: { command: ["/bin/sh", "-c", `test -S ${FOLDER}/server.sock`] },
                initialDelaySeconds: 10,
                periodSeconds: 5,
                timeoutSeconds: 2,
                failureThreshold: 10,
              },
            },
          ],
          volumes: [{ name: "shared-dir", hostPath: { path: FOLDER, type: "DirectoryOrCreate" } }],
        },
      },
    },
  };
}

/** A DaemonSet that would let its maker do more on every node, and how it differs from SkyPilot's. */
export interface Variation {
  readonly what: string;
  readonly daemonSet: any;
}

type Change = (pod: any, container: any, daemonSet: any) => void;

const CHANGES: Readonly<Record<string, Change>> = {
  "another name": (_pod, _container, daemonSet) => (daemonSet.metadata.name = "another"),
  "a generated name": (_pod, _container, daemonSet) => {
    delete daemonSet.metadata.name;
    daemonSet.metadata.generateName = `${FUSE_DAEMON_SET}-`;
  },
  "another image": (_pod, container) => (container.image = "busybox:1.36"),
  "an image whose name begins alike": (_pod, container) =>
    (container.image = "berkeleyskypilot/fusermount-server-of-mine:0.2.2"),
  "the image of another registry": (_pod, container) =>
    (container.image = "example.com/berkeleyskypilot/fusermount-server:0.2.2"),
  "a second container": (pod) => pod.containers.push({ name: "second", image: "busybox:1.36" }),
  "a second container of the same image": (pod, container) =>
    pod.containers.push({ ...container, name: "second" }),
  "an init container": (pod) => (pod.initContainers = [{ name: "first", image: "busybox:1.36" }]),
  "a command": (_pod, container) => (container.command = ["/bin/sh", "-c", "id"]),
  arguments: (_pod, container) => (container.args = ["-c", "id"]),
  "a hook after the start": (_pod, container) =>
    (container.lifecycle = { postStart: { exec: { command: ["/bin/sh", "-c", "id"] } } }),
  "another liveness probe": (_pod, container) =>
    (container.livenessProbe.exec.command = ["/bin/sh", "-c", "id"]),
  "a liveness probe by HTTP": (_pod, container) =>
    (container.livenessProbe = { httpGet: { host: "169.254.169.254", port: 80, path: "/" } }),
  "a readiness probe": (_pod, container) =>
    (container.readinessProbe = { exec: { command: ["/bin/sh", "-c", "id"] } }),
  "a startup probe": (_pod, container) =>
    (container.startupProbe = { exec: { command: ["/bin/sh", "-c", "id"] } }),
  "another variable": (_pod, container) => container.env.push({ name: "LD_PRELOAD", value: "/tmp/mine.so" }),
  "another value of its variable": (_pod, container) => (container.env[0].value = "/"),
  "a variable from a Secret": (_pod, container) => {
    container.env = [
      { name: "FUSERMOUNT_SHARED_DIR", valueFrom: { secretKeyRef: { name: "anything", key: "token" } } },
    ];
  },
  "variables from a Secret": (_pod, container) => (container.envFrom = [{ secretRef: { name: "anything" } }]),
  "another folder of the node": (pod) => (pod.volumes[0].hostPath.path = "/"),
  "a folder of the node besides": (pod) =>
    pod.volumes.push({ name: "root", hostPath: { path: "/", type: "Directory" } }),
  "a Secret as a volume": (pod) => pod.volumes.push({ name: "secret", secret: { secretName: "anything" } }),
  "its folder over the image's programs": (_pod, container) => (container.volumeMounts[0].mountPath = "/bin"),
  "a part of its folder": (_pod, container) => (container.volumeMounts[0].subPath = "a-link"),
  "the node's processes": (pod) => (pod.hostPID = true),
  "the node's network": (pod) => (pod.hostNetwork = true),
  "the node's memory": (pod) => (pod.hostIPC = true),
  "another service account": (pod) => (pod.serviceAccountName = "stronger"),
  "another service account, by the old field": (pod) => (pod.serviceAccount = "stronger"),
  "its last message over a program": (_pod, container) => (container.terminationMessagePath = "/bin/sh"),
  "its log as its last message": (_pod, container) =>
    (container.terminationMessagePolicy = "FallbackToLogsOnError"),
  "an image that is never pulled": (_pod, container) => (container.imagePullPolicy = "Never"),
  "another name of the container": (_pod, container) => (container.name = "another"),
  "the CPUs of a node": (_pod, container) => (container.resources.requests.cpu = "7"),
  "the memory of a node": (_pod, container) => (container.resources.limits = { memory: "30Gi" }),
  "the GPUs of a node": (_pod, container) => (container.resources.limits = { "nvidia.com/gpu": "1" }),
  "a claim of a device": (pod, container) => {
    pod.resourceClaims = [{ name: "device", resourceClaimTemplateName: "device" }];
    container.resources.claims = [{ name: "device" }];
  },
  "the node's name server": (pod) => (pod.dnsPolicy = "Default"),
  "another scheduler": (pod) => (pod.schedulerName = "mine"),
  "an end that takes a day": (pod) => (pod.terminationGracePeriodSeconds = 86400),
  "a probe that ends it in a day": (_pod, container) =>
    (container.livenessProbe.terminationGracePeriodSeconds = 86400),
  "a toleration of one taint": (pod) => pod.tolerations.push({ key: "team", operator: "Equal", value: "a" }),
  "a file in the place of its folder": (pod) => (pod.volumes[0].hostPath.type = "FileOrCreate"),
  "other host names": (pod) => (pod.hostAliases = [{ ip: "10.0.0.1", hostnames: ["kubernetes.default"] }]),
  "a priority": (pod) => (pod.priorityClassName = "system-node-critical"),
  "pods that cannot be deleted": (_pod, _container, daemonSet) =>
    (daemonSet.spec.template.metadata.finalizers = ["example.com/never"]),
  "a finalizer": (_pod, _container, daemonSet) => (daemonSet.metadata.finalizers = ["example.com/never"]),
  "an owner": (_pod, _container, daemonSet) => {
    const uid = "00000000-0000-0000-0000-000000000000";
    daemonSet.metadata.ownerReferences = [{ apiVersion: "v1", kind: "ConfigMap", name: "mine", uid }];
  },
  "a working folder": (_pod, container) => (container.workingDir = FOLDER),
};

export function fuseVariations(): Variation[] {
  return Object.entries(CHANGES).map(([what, change]) => {
    const daemonSet = fuseDaemonSet();
    const pod = daemonSet.spec.template.spec;
    change(pod, pod.containers[0], daemonSet);
    return { what, daemonSet };
  });
}
