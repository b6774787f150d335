import type { Bench } from "./bench";

/** Something that SkyPilot does, as the launcher or as a pod. */
export interface Step {
  readonly name: string;
  readonly who: "launcher" | "workload";
  run(bench: Bench): Promise<unknown>;
}

/** kubectl before 1.30 and 1.31. */
const OLD_KUBECTL = {
  KUBECTL_REMOTE_COMMAND_WEBSOCKETS: "false",
  KUBECTL_PORT_FORWARD_WEBSOCKETS: "false",
};

/** Functions of steps.py that need nothing but the fixtures. */
export const FUNCTIONS = [
  "check",
  "gpus",
  "status-kubernetes",
  "launch",
  "launch-again",
  "unschedulable",
  "node-health",
  "run",
  "ssh",
  "autostop",
  "replace-terminating",
  "down",
  "ports-loadbalancer",
  "ports-podip",
  "ports-ingress",
  "volumes",
  "ha-controller",
  "ha-controller-restarting",
  "host-network",
  "gpu-metrics",
  "object-store-mounts",
];

/** Steps that need more. */
export const OTHER_STEPS: readonly Step[] = [
  { name: "run, old kubectl", who: "launcher", run: ({ client }) => client.steps(["run"], OLD_KUBECTL) },
  { name: "ssh, old kubectl", who: "launcher", run: ({ client }) => client.steps(["ssh"], OLD_KUBECTL) },
  {
    name: "object-store-mounts, an older DaemonSet",
    who: "launcher",
    run: async ({ client, fixtures }) => {
      await fixtures.makeOldDaemonSet();
      await client.steps(["object-store-mounts"]);
    },
  },
  {
    name: "autodown",
    who: "workload",
    run: ({ client, workloadKubeconfig }) => client.stepsAs(workloadKubeconfig, ["autodown"]),
  },
  {
    name: "host-network-probe",
    who: "workload",
    run: async ({ fixtures, hostNetworkProbe }) => {
      await fixtures.probeHostNetwork(hostNetworkProbe);
      await fixtures.probeHostNetwork(hostNetworkProbe);
    },
  },
];

export const STEPS: readonly Step[] = [
  ...FUNCTIONS.map((name): Step => ({ name, who: "launcher", run: ({ client }) => client.steps([name]) })),
  ...OTHER_STEPS,
];
