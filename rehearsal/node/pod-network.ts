import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { runCommand } from "../tools/command";
import type { KubeObject } from "./kube-client";

/** How a connection ended: `connected`, `refused`, `no answer`, or the system's name of another error. */
export type Outcome = string;

const CONNECT = `
const { connect } = require("node:net");
const [host, ...ports] = process.argv.slice(1);
const attempt = (port) =>
  new Promise((resolve) => {
    const socket = connect({ host, port: Number(port), timeout: 3000 });
    const end = (outcome) => resolve([port, outcome, socket.destroy()]);
    socket.once("connect", () => end("connected"));
    socket.once("timeout", () => end("no answer"));
    socket.once("error", ({ code }) => end(code === "ECONNREFUSED" ? "refused" : code));
  });
Promise.all(ports.map(attempt)).then((outcomes) => console.log(JSON.stringify(outcomes)));
`;

const LISTEN = `
const { createServer } = require("node:net");
const listen = (port) =>
  new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once("error", (error) => (error.code === "EADDRINUSE" ? resolve() : reject(error)));
    server.listen(Number(port), "0.0.0.0", resolve);
  });
Promise.all(process.argv.slice(1).map(listen)).then(() => console.log("listening"));
`;

/**
 * The network namespace of a running pod, entered from the node. What is sent there comes from the pod's own address, whatever
 * programs its image has.
 */
export class PodNetwork {
  private readonly command: readonly string[];

  /** @throws when no process of the pod runs */
  constructor(pod: KubeObject) {
    const { name, namespace, uid } = pod.metadata;
    const found = readdirSync("/proc").find((entry) => /^\d+$/.test(entry) && isOfPod(entry, uid ?? ""));
    if (found === undefined) throw new Error(`no process of pod ${namespace}/${name} runs`);
    this.command = [`--net=/proc/${found}/ns/net`, process.execPath, "-e"];
  }

  /** Connects to each port of an address and tells how that ended. */
  public async connect(address: string, ports: readonly number[]): Promise<ReadonlyMap<number, Outcome>> {
    const printed = await runCommand("nsenter", [...this.command, CONNECT, address, ...ports.map(String)]);
    const outcomes = JSON.parse(printed) as [string, Outcome][];
    return new Map(outcomes.map(([port, outcome]) => [Number(port), outcome]));
  }

  /**
   * Listens on every port that is still free, on all of the pod's addresses: then a connection that is refused was refused on the
   * way. Returns how to end that.
   */
  public async listen(ports: readonly number[]): Promise<() => void> {
    const args = [...this.command, LISTEN, ...ports.map(String)];
    const child = spawn("nsenter", args, { stdio: ["ignore", "pipe", "inherit"] });
    await new Promise<void>((resolve, reject) => {
      child.stdout.once("data", () => resolve());
      child.once("error", reject);
      child.once("exit", (code) => reject(new Error(`the listener ended with status ${code}`)));
    });
    return () => child.kill();
  }
}

function isOfPod(process: string, uid: string): boolean {
  try {
    return readFileSync(`/proc/${process}/cgroup`, "utf8").includes(`/pod${uid}/`);
  } catch {
    // It ended meanwhile.
    return false;
  }
}
