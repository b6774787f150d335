import type { RayPods } from "../ray-pods";
import { expect, Stage } from "../stage";

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
 * Ports that every head behind the proxy answers on where nothing enforces the network policy: GCS, metrics, the proxy, Ray
 * clients, metrics of the autoscaler and of the dashboard, and the dashboard's agent. Ray chooses others anew at each start.
 */
const OPEN_PORTS: readonly number[] = [6379, 8080, 8265, 10001, 44217, 44227, 52365];

/** Where those begin that Ray chooses. */
const FIRST_CHOSEN_PORT = 10002;

const POD = "neighbour";

/** A pod beside the Ray clusters that has nothing to do with them. */
export async function startNeighbour(stage: Stage, namespace: string, image: string): Promise<void> {
  await stage.node.client.create(`/api/v1/namespaces/${namespace}/pods`, {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: POD, namespace },
    spec: {
      containers: [{ name: "main", image, command: ["sleep", "600"] }],
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: 0,
    },
  });
}

/**
 * Connects to every port of a head that anything listens on.
 *
 * @throws unless the proxy answers and Ray's own dashboard does not, and other ports are open as the documentation says
 */
export async function expectPorts(stage: Stage, namespace: string, ray: RayPods): Promise<void> {
  const listening = JSON.parse(await ray.python(LISTENING)) as [string, number][];
  const [head] = await ray.list("head");
  const ports = [...new Set([...listening.map(([, port]) => port), 8000])];
  const ready = ["wait", "-n", namespace, "--for=condition=Ready", `pod/${POD}`, "--timeout=60s"];
  await stage.node.kubectl(ready);
  const exec = ["exec", "-n", namespace, "-i", POD, "--", "python3", "-"];
  const connect = [...exec, head.status.podIP, JSON.stringify(ports)];
  const open = JSON.parse(await stage.node.kubectl(connect, { input: CONNECT })) as number[];

  const evidence = { listening, open };
  const dashboard = listening.filter(([, port]) => port === 8443).map(([address]) => address);
  expect(
    dashboard.join() === "127.0.0.1",
    "Ray's own dashboard does not listen on 127.0.0.1 alone",
    evidence,
  );
  expect(!open.includes(8443) && open.includes(8265), "the proxy can be gone round", evidence);
  const closed = OPEN_PORTS.filter((port) => !open.includes(port));
  expect(closed.length === 0, "less is open than the documentation says", evidence);
  const others = open.filter((port) => port < FIRST_CHOSEN_PORT && !OPEN_PORTS.includes(port));
  expect(others.length === 0, "more is open than the documentation says", evidence);
}
