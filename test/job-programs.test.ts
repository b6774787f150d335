import { readdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Answer, Call, ProgramHost, testWithPython } from "./support/job-program";

const FOLDER = resolve(__dirname, "../lib/jobs");
const ANNOTATION = "cdktf-gke-ray/description";
const SERVED = { json: { resources: [{ name: "rayclusters" }, { name: "rayjobs" }] } };

/** Gives these answers one after the other, and the last one from then on. */
function inTurn(...answers: Answer[]): (call: Call) => Answer {
  return () => (answers.length > 1 ? answers.shift()! : answers[0]);
}

/** What an API server may answer in a bad minute, with what is printed of it. */
const TROUBLES: [what: string, answer: Answer, printed: RegExp][] = [
  ["401", { status: 401, message: "Unauthorized" }, /: 401 Unauthorized$/m],
  ["403", { status: 403, message: "pods is forbidden" }, /: 403 pods is forbidden$/m],
  ["404", { status: 404 }, /: 404 /],
  ["429", { status: 429 }, /: 429 /],
  ["503", { status: 503, message: "apiserver is shutting down" }, /: 503 apiserver is shutting down$/m],
  ["half a JSON text", { text: '{"items": [' }, /: Expecting value/],
  ["no JSON", { text: "<html>" }, /: Expecting value/],
  ["bytes that are no text", { text: "\ud800" }, /./],
  ["a list", { json: [] }, /: the answer is not an object/],
  ["null", { json: null }, /: the answer is not an object/],
  ["an object without what is asked for", { json: {} }, /KeyError: '(resources|items)'/],
  ["another shape", { json: { resources: [1], items: [1] } }, /TypeError: /],
  ["the end of the connection", "hang up", /: Remote end closed connection/],
];

test("no program has what Terraform, Kubernetes or Helm would put something else for", () => {
  const files = readdirSync(FOLDER);

  expect(files.filter((file) => !file.endsWith(".py"))).toEqual([]);
  for (const file of files) {
    expect(readFileSync(resolve(FOLDER, file), "utf8")).not.toMatch(/[$%]\{|\$\(|\{\{/);
  }
});

describe("the gate", () => {
  testWithPython("ends when RayClusters are served", async (host) => {
    await host.serve(() => SERVED);

    expect(await host.run("wait_for_ray_api")).toEqual({
      exitCode: 0,
      output: "ray.io/v1 serves ['rayclusters', 'rayjobs']\n",
    });
    expect(host.calls).toEqual([{ request: "GET /apis/ray.io/v1", token: "token" }]);
  });

  testWithPython("waits while the API is not served, and while other types of it are", async (host) => {
    await host.serve(inTurn({ status: 404 }, { json: { resources: [{ name: "rayjobs" }] } }, SERVED));

    const { exitCode, output } = await host.run("wait_for_ray_api");

    expect(exitCode).toBe(0);
    expect(output.split("\n")).toEqual([
      expect.stringMatching(/^CallError: GET \/apis\/ray.io\/v1: 404 /),
      "ray.io/v1 serves ['rayjobs']",
      "ray.io/v1 serves ['rayclusters', 'rayjobs']",
      "",
    ]);
  });

  testWithPython("waits while nobody listens", async (host) => {
    await host.serve(() => SERVED);
    await host.unreachable();
    let running = true;
    const ended = host.run("wait_for_ray_api").finally(() => (running = false));
    while (running && !host.output.includes("Connection refused")) await sleep(10);
    await host.serve(() => SERVED);

    const { exitCode, output } = await ended;

    expect(exitCode).toBe(0);
    expect(output).toMatch(/^CallError: GET \/apis\/ray.io\/v1: .*Connection refused/);
  });

  testWithPython("gives up a call that is not answered, and makes another", async (host) => {
    await host.serve(inTurn("nothing", SERVED));

    const { exitCode, output } = await host.run("wait_for_ray_api", [], { callSeconds: 0.3 });

    expect(exitCode).toBe(0);
    expect(output).toMatch(/^CallError: GET \/apis\/ray.io\/v1: .*timed out$/m);
  });

  testWithPython("shows the token that is valid now", async (host) => {
    await host.serve(({ token }) => {
      host.setToken("new token\n");
      return token === "new token" ? SERVED : { status: 401 };
    });

    expect((await host.run("wait_for_ray_api")).exitCode).toBe(0);
    expect(host.calls.map(({ token }) => token)).toEqual(["token", "new token"]);
  });

  testWithPython("takes a certificate authority that Python 3.13 by itself does not", async (host) => {
    await host.serve(() => SERVED);
    const prelude = `
import ssl
create = ssl.create_default_context
def strict(**options):
    context = create(**options)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    return context
ssl.create_default_context = strict`;

    expect((await host.run("wait_for_ray_api", [], { prelude })).exitCode).toBe(0);
  });
});

describe("the drain", () => {
  const pods = (...names: string[]) => ({ json: { items: names.map((name) => ({ metadata: { name } })) } });

  testWithPython("waits while pods remain and ends when the last one is gone", async (host) => {
    await host.serve(inTurn(pods("head", "worker"), pods("head"), pods()));

    expect(await host.run("drain", ["ray", "mini"])).toEqual({
      exitCode: 0,
      output: "waiting for ['head', 'worker']\nwaiting for ['head']\n",
    });
    expect(new Set(host.calls.map(({ request }) => request))).toEqual(
      new Set(["GET /api/v1/namespaces/ray/pods?labelSelector=ray.io/cluster%3Dmini"]),
    );
  });

  testWithPython("takes a list that is null for an empty one, as Go writes it", async (host) => {
    await host.serve(() => ({ json: { items: null } }));

    expect((await host.run("drain", ["ray", "mini"])).exitCode).toBe(0);
  });
});

describe.each([
  ["the gate", "wait_for_ray_api", [], SERVED],
  ["the drain", "drain", ["ray", "mini"], { json: { items: [] } }],
] as const)("%s goes on", (_what, program, args, good) => {
  testWithPython("after every bad answer", async (host) => {
    await host.serve(inTurn(...TROUBLES.map(([, answer]) => answer), good));

    const { exitCode, output } = await host.run(program, [...args]);

    expect(exitCode).toBe(0);
    expect(host.calls).toHaveLength(TROUBLES.length + 1);
    for (const [, , printed] of TROUBLES) expect(output).toMatch(printed);
  });
});

describe("the wait for a Ray cluster", () => {
  const RESULT = "PATCH /api/v1/namespaces/ray/configmaps/mini-ready";
  const DELETION = "DELETE /apis/batch/v1/namespaces/ray/jobs/mini-ready?propagationPolicy=Background";
  const worker = { groupName: "cpu", minReplicas: 2, maxReplicas: 4 };

  interface Cluster {
    /** Answers to questions for the RayCluster, in turn. */
    readonly ray?: Answer[];
    /** Answers to questions for its pods, in turn. */
    readonly pods: Answer[];
    /** Answers to what is written, in turn. */
    readonly written?: Answer[];
    readonly waitSeconds?: string;
    readonly imageSeconds?: string;
  }

  /** Runs the wait to its end; a RayCluster has two workers unless it is said otherwise. */
  async function wait(host: ProgramHost, cluster: Cluster) {
    const ray = inTurn(...(cluster.ray ?? [rayCluster({ workerGroupSpecs: [worker] })]));
    const pods = inTurn(...cluster.pods);
    const written = inTurn(...(cluster.written ?? [{ json: {} }]));
    await host.serve((call) => {
      if (call.request === "GET /apis/ray.io/v1/namespaces/ray/rayclusters/mini") return ray(call);
      if (call.request === "GET /api/v1/namespaces/ray/pods?labelSelector=ray.io/cluster%3Dmini")
        return pods(call);
      return written(call);
    });
    const { waitSeconds = "60", imageSeconds = "60" } = cluster;
    const ending = await host.run("wait_for_ray_cluster", [
      "ray",
      "mini",
      waitSeconds,
      imageSeconds,
      ANNOTATION,
    ]);
    const writes = host.calls.filter(({ request }) => !request.startsWith("GET"));
    return {
      ...ending,
      requests: writes.map(({ request }) => request),
      result: writes.filter(({ body }) => body !== undefined).pop()?.body.data,
    };
  }

  function rayCluster(spec: object = {}, more: object = {}): Answer {
    return { json: { spec: { headGroupSpec: { template: {} }, ...spec }, ...more } };
  }

  function pod(name: string, group: string, status: object = {}, metadata: object = {}) {
    return { metadata: { name, uid: name, labels: { "ray.io/group": group }, ...metadata }, status };
  }

  const READY = { conditions: [{ type: "Ready", status: "True" }] };
  const list = (...items: object[]): Answer => ({ json: { items } });
  const head = pod("head", "headgroup", READY);
  const workers = [pod("worker-1", "cpu", READY), pod("worker-2", "cpu", READY)];

  function notPulled(reason: string) {
    const waiting = { reason, message: "no such image" };
    return pod("head", "headgroup", {
      containerStatuses: [{ name: "ray-head", image: "example/ray:wrong", state: { waiting } }],
    });
  }

  testWithPython("writes down that the head and the fewest workers are ready", async (host) => {
    const { exitCode, requests, result } = await wait(host, {
      pods: [list(), list(head), list(head, ...workers)],
    });

    expect({ exitCode, requests, result }).toEqual({
      exitCode: 0,
      requests: [RESULT],
      result: { ready: "true", message: "" },
    });
  });

  testWithPython("waits for every host of a group, and for no pod that is about to go", async (host) => {
    const hosts = rayCluster({ workerGroupSpecs: [{ groupName: "tpu", minReplicas: 1, numOfHosts: 2 }] });
    const going = pod("host-2", "tpu", READY, { deletionTimestamp: "2026-01-01T00:00:00Z" });
    const { output, result } = await wait(host, {
      ray: [hosts],
      pods: [
        list(head, pod("host-1", "tpu", READY), going),
        list(head, pod("host-1", "tpu", READY), pod("host-3", "tpu", READY)),
      ],
    });

    expect(output).toBe("['1 of 2 pods of tpu are ready']\nready\n");
    expect(result.ready).toBe("true");
  });

  testWithPython("does not count a head of an older description", async (host) => {
    const template = (value: string) => ({ metadata: { annotations: { [ANNOTATION]: value } } });
    const of = (value: string) => pod("head", "headgroup", READY, template(value).metadata);
    const { output, result } = await wait(host, {
      ray: [rayCluster({ headGroupSpec: { template: template("new") } })],
      pods: [list(head), list(of("old")), list(of("new"))],
    });

    const older = "['pod head is of an older description: delete it if it stays']\n";
    expect(output).toBe(`${older}${older}ready\n`);
    expect(result.ready).toBe("true");
  });

  testWithPython(
    "says when the time is up which pods are not ready and why, and makes way for another Job",
    async (host) => {
      const unscheduled = {
        type: "PodScheduled",
        status: "False",
        message: "0/3 nodes are available\nsorry",
      };
      const crash = { reason: "CrashLoopBackOff", message: "back-off" };
      const crashed = {
        name: "ray-worker",
        image: "example/ray",
        state: { waiting: crash },
        lastState: { terminated: { exitCode: 137 } },
      };
      const failure = { type: "ReplicaFailure", status: "True", message: "exceeded quota" };
      const { exitCode, requests, result } = await wait(host, {
        ray: [rayCluster({ workerGroupSpecs: [worker] }, { status: { conditions: [failure] } })],
        pods: [
          list(
            pod("head", "headgroup", { conditions: [unscheduled] }),
            pod("worker-1", "cpu", { containerStatuses: [crashed] }),
            pod("worker-2", "cpu"),
          ),
        ],
        waitSeconds: "0",
      });

      expect({ exitCode, requests }).toEqual({ exitCode: 0, requests: [RESULT, DELETION] });
      expect(result).toEqual({
        ready: "false",
        message: [
          "0 of 1 pods of headgroup are ready",
          "pod head: PodScheduled is false: 0/3 nodes are available sorry",
          "0 of 2 pods of cpu are ready",
          "pod worker-1: container ray-worker of image example/ray: CrashLoopBackOff: back-off, exit code 137",
          "pod worker-2: not ready yet",
          "the operator says: exceeded quota",
        ].join("; "),
      });
    },
  );

  testWithPython("waits no longer for an image that fails to come for too long", async (host) => {
    const { output, result } = await wait(host, {
      pods: [list(notPulled("ErrImagePull")), list(notPulled("ImagePullBackOff"))],
      imageSeconds: "0.3",
    });

    expect(output).toMatch(/: ErrImagePull: .*\n.*: ImagePullBackOff: /);
    expect(result.ready).toBe("false");
    expect(result.message).toContain(
      "pod head: container ray-head of image example/ray:wrong: ImagePullBackOff: no such image",
    );
  });

  testWithPython("waits on for an image that comes after all", async (host) => {
    const { result } = await wait(host, { pods: [list(notPulled("ErrImagePull")), list(head, ...workers)] });

    expect(result.ready).toBe("true");
  });

  testWithPython("goes on after every bad answer, whichever question it is to", async (host) => {
    const bad = TROUBLES.map(([, answer]) => answer);
    const { exitCode, output, requests, result } = await wait(host, {
      ray: [...bad, rayCluster({ workerGroupSpecs: null })],
      pods: [...bad, list({ metadata: { name: "pod" } }, head)],
      written: [...bad.filter((answer) => typeof answer === "string" || "status" in answer), { json: {} }],
    });

    expect(exitCode).toBe(0);
    expect(output).toMatch(/the API server does not answer: GET .*pods.*: 403 pods is forbidden/);
    expect(output).toMatch(/what the API server answers is not understood: KeyError: '(spec|items)'/);
    expect(output).toMatch(/CallError: PATCH .*: 403 pods is forbidden/);
    expect(requests).toContain(RESULT);
    expect(result.ready).toBe("true");
  });

  testWithPython("says when the time is up that the API server did not answer", async (host) => {
    const { result } = await wait(host, {
      ray: [{ status: 403, message: "no" }],
      pods: [list()],
      waitSeconds: "0",
    });

    expect(result).toEqual({
      ready: "false",
      message: "the API server does not answer: GET /apis/ray.io/v1/namespaces/ray/rayclusters/mini: 403 no",
    });
  });

  testWithPython("ends when its Job is gone already, and asks again when that is not known", async (host) => {
    const { exitCode, requests } = await wait(host, {
      pods: [list()],
      waitSeconds: "0",
      written: [{ json: {} }, { status: 503 }, { json: {} }, { status: 404 }],
    });

    expect({ exitCode, requests }).toEqual({ exitCode: 0, requests: [RESULT, DELETION, RESULT, DELETION] });
  });
});
