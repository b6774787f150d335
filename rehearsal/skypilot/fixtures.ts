import { setTimeout as sleep } from "node:timers/promises";
import type { Node } from "../node/node";
import { RAY_VERSION } from "../tools/versions";
import type { Account } from "./account";
import { fuseDaemonSet } from "./fuse-daemon-set";
import { FUSE_DAEMON_SET } from "./matrix";

/** An image that the node has. */
export const IMAGE = `rayproject/ray:${RAY_VERSION}`;

const GPU_NODE = "gpu-node";

/** Where a pod never goes. */
const NOWHERE = { nodeSelector: { "rehearsal/nowhere": "true" } };

const AT_ONCE = ["--wait=false", "--ignore-not-found", "--force", "--grace-period=0"];

/** One CPU by the measure of this node, where SkyPilot knows no less. */
const REQUESTS = { requests: { cpu: "16", memory: "16Gi" } };

/** Of a pod whose devices are given back before it may be gone. */
const DEVICES = { resourceClaims: [{ name: "device", resourceClaimName: "device" }] };

/** An address for documentation. https://www.rfc-editor.org/rfc/rfc5737 */
const ADDRESS = "192.0.2.1";

/** What SkyPilot's functions find in the cluster: clusters of every state, and what an administrator installs. */
export class Fixtures {
  private readonly namespace: string;
  private stopped = false;
  private working: Promise<void> = Promise.resolve();

  /** @param workload whom the pods run as */
  constructor(
    private readonly node: Node,
    private readonly workload: Account,
  ) {
    this.namespace = workload.namespace;
  }

  /** Makes what an administrator installs. */
  public async prepare(): Promise<void> {
    await this.apply(this.ofAdministrator());
  }

  /** Makes clusters of every state, and begins to do what a cloud does. */
  public async create(): Promise<void> {
    await this.restore();
    const { namespace } = this;
    await this.kubectl("wait", "-n", namespace, "--for=condition=Ready", "pod/running-head", "--timeout=90s");
    this.working = this.work();
  }

  /** Makes what a step has used up, and removes what one has left. */
  public async restore(): Promise<void> {
    const kinds = "pods,services,deployments,ingresses,persistentvolumeclaims";
    await this.kubectl("delete", kinds, "-n", this.namespace, "-l", "rehearsal!=kept", ...AT_ONCE);
    await this.removeDaemonSet();
    for (const object of this.ofSkyPilot()) await this.makeUnlessThere(object);
    await this.kubectl("delete", "pod", "stuck-head", "-n", this.namespace, "--wait=false");
  }

  /** An older SkyPilot's DaemonSet, whose image a newer one renews. */
  public async makeOldDaemonSet(): Promise<void> {
    await this.removeDaemonSet();
    const daemonSet = fuseDaemonSet();
    daemonSet.metadata.namespace = "skypilot-system";
    daemonSet.spec.template.spec.containers[0].image = "berkeleyskypilot/fusermount-server:0.2.1";
    await this.makeUnlessThere(daemonSet);
  }

  /** Runs the program with which a pod on the node's network finds its ports, with the pod's own token. */
  public async probeHostNetwork(script: string): Promise<void> {
    const { namespace } = this;
    const arguments_ = ["--mode=head", "--env-file=/tmp/ports", "--configmap-name=running-ray-ports"];
    const python = ["python3", "-", ...arguments_, `--configmap-namespace=${namespace}`];
    const exec = ["exec", "-i", "-n", namespace, "running-head", "--", ...python];
    await this.node.kubectl(exec, { input: script });
  }

  /** Ends what a cloud does, and lets every pod end: on the node that only seems to be there nobody ends them. */
  public async stop(): Promise<void> {
    this.stopped = true;
    await this.working;
    const stuck = `/api/v1/namespaces/${this.namespace}/pods/stuck-head`;
    await this.node.client.attempt("PATCH", stuck, { metadata: { finalizers: null } });
    await this.kubectl("delete", "node", GPU_NODE);
    await this.kubectl("delete", "pods", "--all", "-n", "skypilot-system", ...AT_ONCE);
  }

  /** Removes what is not in a namespace of the stack. */
  public async remove(): Promise<void> {
    const names = this.ofAdministrator()
      .filter(({ metadata }) => metadata.namespace === undefined)
      .map(({ kind, metadata }) => `${kind}/${metadata.name}`);
    await this.kubectl("delete", ...names, "--ignore-not-found", "--wait");
  }

  private async removeDaemonSet(): Promise<void> {
    await this.kubectl("delete", "daemonset", FUSE_DAEMON_SET, "-n", "skypilot-system", ...AT_ONCE);
  }

  private ofAdministrator(): any[] {
    const beat = new Date().toISOString();
    const gpus = { cpu: "8", memory: "32Gi", pods: "110", "nvidia.com/gpu": "8" };
    return [
      { apiVersion: "v1", kind: "Namespace", metadata: { name: "ingress-nginx" } },
      {
        apiVersion: "v1",
        kind: "Service",
        metadata: { name: "ingress-nginx-controller", namespace: "ingress-nginx" },
        spec: {
          type: "NodePort",
          externalIPs: [ADDRESS],
          ports: [
            { name: "http", port: 80 },
            { name: "https", port: 443 },
          ],
        },
      },
      {
        apiVersion: "networking.k8s.io/v1",
        kind: "IngressClass",
        metadata: { name: "nginx" },
        spec: { controller: "k8s.io/ingress-nginx" },
      },
      {
        apiVersion: "storage.k8s.io/v1",
        kind: "StorageClass",
        metadata: {
          name: "rehearsal",
          annotations: { "storageclass.kubernetes.io/is-default-class": "true" },
        },
        provisioner: "kubernetes.io/no-provisioner",
        volumeBindingMode: "WaitForFirstConsumer",
      },
      {
        apiVersion: "v1",
        kind: "Node",
        metadata: { name: GPU_NODE, labels: { "cloud.google.com/gke-accelerator": "nvidia-tesla-t4" } },
        spec: { taints: [{ key: "nvidia.com/gpu", value: "present", effect: "NoSchedule" }] },
        status: {
          capacity: gpus,
          allocatable: gpus,
          conditions: [
            {
              type: "Ready",
              status: "True",
              reason: "KubeletReady",
              lastHeartbeatTime: beat,
              lastTransitionTime: beat,
            },
          ],
        },
      },
    ];
  }

  private ofSkyPilot(): any[] {
    return [
      this.runningPod(),
      ...["ended", "idle"].flatMap((cluster) => [
        this.pod(cluster, { ...NOWHERE, ...DEVICES }),
        this.service(cluster, `${cluster}-head`),
        this.service(cluster, `${cluster}-head-ssh`),
        this.service(cluster, `${cluster}-worker1`),
      ]),
      this.pod("unschedulable", NOWHERE),
      this.pod("stuck", NOWHERE, { finalizers: ["kueue.x-k8s.io/managed"] }),
      {
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata: this.metadata("running", "running-ray-ports"),
        data: { "sshd_running-head": "2222" },
      },
      {
        apiVersion: "apps/v1",
        kind: "Deployment",
        metadata: this.metadata("restarting", "restarting-deployment"),
        spec: {
          replicas: 0,
          selector: { matchLabels: { app: "restarting" } },
          template: {
            metadata: { labels: { app: "restarting" } },
            spec: { containers: [{ name: "ray-node", image: IMAGE }] },
          },
        },
      },
    ];
  }

  /** A web server where SkyPilot's own image has sshd. */
  private runningPod(): any {
    const fieldOf = (path: string) => ({ valueFrom: { fieldRef: { fieldPath: path } } });
    return this.pod("running", {
      serviceAccountName: this.workload.name,
      containers: [
        {
          name: "ray-node",
          image: IMAGE,
          command: ["python3", "-m", "http.server", "22"],
          securityContext: { runAsUser: 0 },
          readinessProbe: { tcpSocket: { port: 22 }, periodSeconds: 1 },
          resources: REQUESTS,
          env: [
            { name: "SKYPILOT_POD_NAME", ...fieldOf("metadata.name") },
            { name: "SKYPILOT_POD_UID", ...fieldOf("metadata.uid") },
          ],
        },
      ],
    });
  }

  private pod(cluster: string, spec: object, metadata: object = {}): any {
    return {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { ...this.metadata(cluster, `${cluster}-head`), ...metadata },
      spec: {
        terminationGracePeriodSeconds: 0,
        containers: [{ name: "ray-node", image: IMAGE, command: ["sleep", "3600"], resources: REQUESTS }],
        ...spec,
      },
    };
  }

  private service(cluster: string, name: string): any {
    const spec = { clusterIP: "None", selector: { component: name } };
    return { apiVersion: "v1", kind: "Service", metadata: this.metadata(cluster, name), spec };
  }

  private metadata(cluster: string, name: string) {
    return {
      name,
      namespace: this.namespace,
      labels: {
        rehearsal: "kept",
        parent: "skypilot",
        "skypilot-cluster-name": cluster,
        "ray-cluster-name": cluster,
        "ray-node-type": "head",
      },
    };
  }

  /** Gives load balancers an address, and tells that the GPU node lives. */
  private async work(): Promise<void> {
    while (!this.stopped) {
      await this.giveAddresses().catch(() => undefined);
      await this.renewNode().catch(() => undefined);
      await sleep(500);
    }
  }

  private async giveAddresses(): Promise<void> {
    const path = `/api/v1/namespaces/${this.namespace}/services`;
    for (const { metadata, spec, status } of await this.node.client.list(path)) {
      if (spec.type !== "LoadBalancer" || status.loadBalancer?.ingress) continue;
      const address = { status: { loadBalancer: { ingress: [{ ip: ADDRESS }] } } };
      await this.node.client.merge(`${path}/${metadata.name}/status`, address);
    }
  }

  private async renewNode(): Promise<void> {
    const leases = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases";
    const spec = { holderIdentity: GPU_NODE, leaseDurationSeconds: 40, renewTime: microTime() };
    const { status } = await this.node.client.attempt("PATCH", `${leases}/${GPU_NODE}`, { spec });
    if (status === 404) await this.node.client.create(leases, { metadata: { name: GPU_NODE }, spec });
  }

  private async makeUnlessThere(object: any): Promise<void> {
    const { apiVersion, kind, metadata } = object;
    const root = apiVersion === "v1" ? "/api/v1" : `/apis/${apiVersion}`;
    const collection = `${root}/namespaces/${metadata.namespace}/${kind.toLowerCase()}s`;
    const { status, text } = await this.node.client.attempt("POST", collection, object);
    if (status !== 201 && status !== 409) throw new Error(`${kind} ${metadata.name}: ${text}`);
  }

  private async apply(objects: readonly object[]): Promise<void> {
    const list = { apiVersion: "v1", kind: "List", items: objects };
    await this.node.kubectl(["apply", "-f", "-"], { input: JSON.stringify(list) });
  }

  private kubectl(...args: string[]): Promise<string> {
    return this.node.kubectl(args);
  }
}

/** As leases want it. */
function microTime(): string {
  return new Date().toISOString().replace("Z", "000Z");
}
