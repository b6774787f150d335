import type { RunningRay } from "../../stage/running-ray";
import { expect, Stage } from "../../stage/stage";

/** Prints the address and port of every TCP socket that listens in the pod's network namespace. */
const LISTENING = `
import ipaddress, json, struct
found = set()
for file in ("/proc/net/tcp", "/proc/net/tcp6"):
    for line in open(file).read().splitlines()[1:]:
        local, state = line.split()[1], line.split()[3]
        if state != "0A":
            continue
        address, port = local.split(":")
        words = [struct.pack("<I", int(address[at : at + 8], 16)) for at in range(0, len(address), 8)]
        ip = ipaddress.ip_address(b"".join(words))
        found.add((str(getattr(ip, "ipv4_mapped", None) or ip), int(port, 16)))
print(json.dumps(sorted(found)))
`;

/** Prints which of the ports in the second argument take a connection at the address in the first. */
const CONNECT = `
import json, socket, sys
open_ports = []
for port in json.loads(sys.argv[2]):
    try:
        socket.create_connection((sys.argv[1], port), timeout=5).close()
        open_ports.append(port)
    except OSError:
        pass
print(json.dumps(open_ports))
`;

/**
 * Ports that every head answers on where no policy is: GCS, metrics, the dashboard or the proxy before it, Ray clients, metrics
 * of the autoscaler and of the dashboard, and the dashboard's agent. Ray chooses others anew at each start.
 */
const OPEN_PORTS: readonly number[] = [6379, 8080, 8265, 10001, 44217, 44227, 52365];

/** Where those begin that Ray chooses. */
const FIRST_CHOSEN_PORT = 10002;

/** Where Ray's own dashboard listens behind a proxy in the head pod. */
const DASHBOARD_BEHIND_SIDECAR = 8443;

/** Where a proxy with TLS in the head pod answers the kubelet whether it is well, and nothing else. */
const HEALTH_OF_SIDECAR = 8643;

const POD = "neighbour";

/** A pod that has nothing to do with the Ray clusters. */
export async function startNeighbour(stage: Stage, namespace: string, image: string): Promise<void> {
  await stage.node.client.create(`/api/v1/namespaces/${namespace}/pods`, {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: POD, namespace },
    spec: {
      containers: [{ name: "main", image, command: ["sleep", "3600"] }],
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: 0,
    },
  });
}

/** Runs a Python script in that pod and returns what it printed. */
export async function neighbourRuns(
  stage: Stage,
  namespace: string,
  script: string,
  ...args: string[]
): Promise<string> {
  const ready = ["wait", "-n", namespace, "--for=condition=Ready", `pod/${POD}`, "--timeout=60s"];
  await stage.node.kubectl(ready);
  const python = ["exec", "-n", namespace, "-i", POD, "--", "python3", "-", ...args];
  return stage.node.kubectl(python, { input: script });
}

/** Somebody's way to the ports of a head that anything listens on. */
interface Probe {
  readonly listening: readonly (readonly [address: string, port: number])[];
  /** Returns the ports that take a connection. */
  connect(): Promise<number[]>;
}

/**
 * Connects to every port of a head that anything listens on.
 *
 * @throws unless the network policy closes all of them
 */
export async function expectClosed(stage: Stage, namespace: string, ray: RunningRay): Promise<Probe> {
  const listening = JSON.parse(await ray.python(LISTENING)) as [string, number][];
  const [head] = await ray.list("head");
  const ports = JSON.stringify([...new Set([...listening.map(([, port]) => port), 8000])]);
  const connect = async (): Promise<number[]> =>
    JSON.parse(await neighbourRuns(stage, namespace, CONNECT, head.status.podIP, ports));
  const open = await connect();
  expect(open.length === 0, "the network policy leaves ports open", open);
  return { listening, connect };
}

/**
 * Connects to every port of a head that anything listens on, with the network policy and after it was deleted; the next apply
 * creates it again.
 *
 * @param sidecar whether the proxy is in the head pod, with TLS
 * @throws unless the policy closes every port, and without it those are open that the documentation names
 */
export async function expectPorts(
  stage: Stage,
  namespace: string,
  ray: RunningRay,
  sidecar = false,
): Promise<void> {
  const { listening, connect } = await expectClosed(stage, namespace, ray);
  await stage.node.kubectl(["delete", "networkpolicies", "--all", "-n", namespace]);
  await stage.node.waitFor("the end of the policy", 15_000, async () => (await connect()).includes(8265));
  const open = await connect();

  const evidence = { listening, open };
  if (sidecar) {
    const addresses = listening.filter(([, port]) => port === DASHBOARD_BEHIND_SIDECAR);
    const alone = addresses.map(([address]) => address).join() === "127.0.0.1";
    expect(alone, "Ray's own dashboard does not listen on 127.0.0.1 alone", evidence);
    expect(!open.includes(DASHBOARD_BEHIND_SIDECAR), "the proxy can be gone round", evidence);
  }
  const documented = sidecar ? [...OPEN_PORTS, HEALTH_OF_SIDECAR] : OPEN_PORTS;
  const closed = documented.filter((port) => !open.includes(port));
  expect(closed.length === 0, "less is open than the documentation says", evidence);
  const others = open.filter((port) => port < FIRST_CHOSEN_PORT && !documented.includes(port));
  expect(others.length === 0, "more is open than the documentation says", evidence);
}
