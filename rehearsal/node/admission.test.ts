import { ORIGINAL_REQUESTS_ANNOTATION, scaleRequests } from "./admission";

const SCALE = { cpu: 1 / 16, memory: 1 / 16 };

function podWith(resources: object, annotations?: Record<string, string>) {
  return {
    metadata: annotations === undefined ? {} : { annotations },
    spec: {
      initContainers: [{ name: "proxy", resources: { requests: { cpu: "50m", memory: "64Mi" } } }],
      containers: [{ name: "ray-head", resources }],
    },
  };
}

test("requests of every container are lowered and nothing else is touched", () => {
  const pod = podWith({ requests: { cpu: "2", memory: "8Gi", "nvidia.com/gpu": "1" }, limits: { cpu: "2" } });

  const changes = scaleRequests(pod, SCALE);

  expect(changes.slice(0, -1)).toEqual([
    { op: "replace", path: "/spec/initContainers/0/resources/requests/cpu", value: "4m" },
    { op: "replace", path: "/spec/initContainers/0/resources/requests/memory", value: "4Mi" },
    { op: "replace", path: "/spec/containers/0/resources/requests/cpu", value: "125m" },
    { op: "replace", path: "/spec/containers/0/resources/requests/memory", value: "512Mi" },
  ]);
});

test("the requests as they were asked for are recorded on the pod", () => {
  const pod = podWith({ requests: { memory: "1.5G" } }, { mine: "stays" });

  const record = scaleRequests(pod, SCALE).at(-1);

  expect(record?.path).toBe("/metadata/annotations/rehearsal.cdktf-gke-ray~1original-requests");
  expect(JSON.parse(record?.value as string)).toEqual({
    proxy: { cpu: "50m", memory: "64Mi" },
    "ray-head": { memory: "1.5G" },
  });
});

test("a pod without annotations gets the whole map, since a patch cannot add below nothing", () => {
  const record = scaleRequests(podWith({}), SCALE).at(-1);

  expect(record?.path).toBe("/metadata/annotations");
  expect(Object.keys(record?.value as object)).toEqual([ORIGINAL_REQUESTS_ANNOTATION]);
});

test("a pod that requests nothing stays as it is", () => {
  const pod = { metadata: {}, spec: { initContainers: undefined, containers: [{ name: "main" }] } };

  expect(scaleRequests(pod, SCALE)).toEqual([]);
});
