import { TerraformVariable, Testing } from "cdktf";
import {
  KubeRayOperator,
  RayAutoscalerVersion,
  RayCluster,
  RayClusterProps,
  RayGcsFaultToleranceOptions,
  RayUpscalingMode,
} from "../lib";
import { emptyStack, rayCluster, standardCluster } from "./support/stacks";
import { Template } from "./support/template";

/** How an error of fit ends. */
const WAYS_OUT =
  "; nodes from elsewhere are stated by 'otherNodePools' of the cluster or a nodeSelector cloud.google.com/compute-class";

const head = { cpu: 2, memoryGiB: 8 };
const workerGroups = [{ groupName: "cpu", cpu: 2, memoryGiB: 8, maxReplicas: 3 }];
const SECURITY = { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } };

function specOf(props: Partial<RayClusterProps>, kuberayVersion?: string): any {
  return Template.of(rayCluster(props, kuberayVersion).stack).rayCluster().spec;
}

describe("the autoscaler", () => {
  test("has its version, its pace and its own resources", () => {
    const autoscalerOptions = {
      version: RayAutoscalerVersion.V2,
      idleTimeoutSeconds: 300,
      upscalingMode: RayUpscalingMode.CONSERVATIVE,
      cpu: 1,
      memoryGiB: 1.5,
    };
    const resources = { cpu: "1", memory: "1536Mi" };

    expect(specOf({ workerGroups, autoscalerOptions }, "1.6.2").autoscalerOptions).toEqual({
      env: [{ name: "RAY_AUTH_MODE", value: "disabled" }],
      volumeMounts: [expect.objectContaining({ name: "autoscaler-token" })],
      version: "v2",
      idleTimeoutSeconds: 300,
      upscalingMode: "Conservative",
      resources: { requests: resources, limits: resources },
      securityContext: { ...SECURITY, readOnlyRootFilesystem: true },
    });
  });

  test("is the first one by the head's environment, which KubeRay has no field for", () => {
    const spec = specOf({ workerGroups, autoscalerOptions: { version: RayAutoscalerVersion.V1 } });
    const [head] = spec.headGroupSpec.template.spec.containers;
    const [worker] = spec.workerGroupSpecs[0].template.spec.containers;

    expect(spec.autoscalerOptions).not.toHaveProperty("version");
    expect(head.env).toContainEqual({ name: "RAY_enable_autoscaler_v2", value: "0" });
    expect(worker.env.map(({ name }: { name: string }) => name)).not.toContain("RAY_enable_autoscaler_v2");
  });

  test.each([RayAutoscalerVersion.V1, RayAutoscalerVersion.V2])("has %s chosen in one place", (version) => {
    const { stack, ray } = rayCluster({ workerGroups, autoscalerOptions: { version } }, "1.6.2");
    ray.head.addEnv("RAY_enable_autoscaler_v2", "1");

    expect(() => Testing.synth(stack, true)).toThrow(
      `[stack/ray] 'head.env.RAY_enable_autoscaler_v2' must be left to 'autoscalerOptions.version' (${version}), got "1"`,
    );
  });

  test("keeps the operator's resources unless told otherwise, and both where one is", () => {
    const resourcesOf = (autoscalerOptions = {}) =>
      specOf({ workerGroups, autoscalerOptions }).autoscalerOptions.resources?.limits;

    expect(resourcesOf()).toBeUndefined();
    expect(resourcesOf({ cpu: 2 })).toEqual({ cpu: "2", memory: "512Mi" });
    expect(resourcesOf({ memoryGiB: 2 })).toEqual({ cpu: "500m", memory: "2Gi" });
  });

  test("counts with what it has where the head must fit on a node", () => {
    const stack = emptyStack();
    const cluster = standardCluster(stack);
    new RayCluster(stack, "ray", {
      operator: KubeRayOperator.gkeAddon(stack, "operator", { cluster }),
      rayClusterName: "ray",
      namespace: "ray",
      head: { cpu: 7, memoryGiB: 8 },
      workerGroups,
      autoscalerOptions: { cpu: 2 },
    });

    expect(() => Testing.synth(stack, true)).toThrow(
      `[stack/ray] 'head' must fit on a node pool of stack/cluster: the nearest, "ray" (e2-standard-8), has 7.91 CPUs for pods, not 9${WAYS_OUT}`,
    );
  });

  test.each<[string, Partial<RayClusterProps>, string | undefined, string]>([
    [
      "a version, with an operator of unknown version",
      { workerGroups, autoscalerOptions: { version: RayAutoscalerVersion.V2 } },
      undefined,
      "'autoscalerOptions.version' must not be given with an operator whose KubeRay version is not known: it needs 1.4.0 (state 'kuberayVersion' at stack/operator if it has that)",
    ],
    [
      "a version, with an operator that has no field for it",
      { workerGroups, autoscalerOptions: { version: RayAutoscalerVersion.V2 } },
      "1.3.2",
      "'autoscalerOptions.version' must not be given with an operator whose KubeRay version is 1.3.2: it needs 1.4.0 (state 'kuberayVersion' at stack/operator if it has that)",
    ],
    [
      "options where nothing can grow",
      { autoscalerOptions: { idleTimeoutSeconds: 5 } },
      undefined,
      `'autoscalerOptions' must not be given where no worker group can grow, got {"idleTimeoutSeconds":5}`,
    ],
    [
      "less than no time",
      { workerGroups, autoscalerOptions: { idleTimeoutSeconds: -1 } },
      undefined,
      "'autoscalerOptions.idleTimeoutSeconds' must be a whole number of at least 0, got -1",
    ],
    [
      "no CPU",
      { workerGroups, autoscalerOptions: { cpu: 0 } },
      undefined,
      "'autoscalerOptions.cpu' must be more than 0, got 0",
    ],
    [
      "no memory",
      { workerGroups, autoscalerOptions: { memoryGiB: -1 } },
      undefined,
      "'autoscalerOptions.memoryGiB' must be more than 0, got -1",
    ],
  ])("is refused %s", (_what, props, kuberayVersion, message) => {
    expect(() => rayCluster(props, kuberayVersion)).toThrow(new Error(`${message} (at stack/ray)`));
  });
});

describe("a head that may be lost", () => {
  const gcsFaultToleranceOptions: RayGcsFaultToleranceOptions = {
    redisAddress: "redis:6379",
    redisUsername: { secretName: "redis", key: "username" },
    redisPassword: { secretName: "redis", key: "password" },
    externalStorageNamespace: "team-a",
  };

  test("keeps what it knows in a Redis, whose credentials stay in their Secret", () => {
    expect(specOf({ gcsFaultToleranceOptions }).gcsFaultToleranceOptions).toEqual({
      redisAddress: "redis:6379",
      redisUsername: { valueFrom: { secretKeyRef: { name: "redis", key: "username" } } },
      redisPassword: { valueFrom: { secretKeyRef: { name: "redis", key: "password" } } },
      externalStorageNamespace: "team-a",
    });
  });

  test("needs nothing but an address", () => {
    const redisAddress = "rediss://redis.example.com:6379";

    expect(specOf({ gcsFaultToleranceOptions: { redisAddress } }).gcsFaultToleranceOptions).toEqual({
      redisAddress,
    });
  });

  test("is not judged by values that are known only later", () => {
    const { stack } = rayCluster({ rayClusterName: "other" });
    const text = new TerraformVariable(stack, "text", { type: "string" }).stringValue;
    const props = {
      gcsFaultToleranceOptions: {
        redisAddress: text,
        redisUsername: { secretName: text, key: text },
        externalStorageNamespace: text,
      },
      rayVersion: text,
    };

    expect(() => rayCluster(props)).not.toThrow();
  });

  test.each<[string, Partial<RayClusterProps>, string]>([
    [
      "an address without a port",
      { gcsFaultToleranceOptions: { redisAddress: "redis" } },
      `'gcsFaultToleranceOptions.redisAddress' must be a host and a port such as "redis:6379" or "rediss://redis.example.com:6379", got "redis"`,
    ],
    [
      "a password in the address, without repeating it",
      { gcsFaultToleranceOptions: { redisAddress: "redis://user:secret@redis:6379" } },
      "'gcsFaultToleranceOptions.redisAddress' must hold no credentials: 'redisUsername' and 'redisPassword' are for those",
    ],
    [
      "a password in the environment, without repeating it",
      { head: { ...head, env: { REDIS_PASSWORD: "secret" } } },
      "'head.env.REDIS_PASSWORD' must be left to 'gcsFaultToleranceOptions'",
    ],
    [
      "a password as a parameter, without repeating it",
      { head: { ...head, rayStartParams: { "redis-password": "secret" } } },
      "'head.rayStartParams.redis-password' must be left to 'gcsFaultToleranceOptions'",
    ],
    [
      "a Secret of no possible name",
      {
        gcsFaultToleranceOptions: {
          redisAddress: "redis:6379",
          redisPassword: { secretName: "Redis", key: "p" },
        },
      },
      `'gcsFaultToleranceOptions.redisPassword.secretName' must be a DNS subdomain: 1 to 253 lower-case letters, digits, hyphens or dots, starting and ending with a letter or digit, got "Redis"`,
    ],
    [
      "no key of the Secret",
      {
        gcsFaultToleranceOptions: {
          redisAddress: "redis:6379",
          redisPassword: { secretName: "redis", key: "" },
        },
      },
      `'gcsFaultToleranceOptions.redisPassword.key' must be a key of the Secret, got ""`,
    ],
    [
      "a user, with a Ray that knows none",
      { rayVersion: "2.40.0", gcsFaultToleranceOptions },
      "'gcsFaultToleranceOptions.redisUsername' must be used with Ray 2.41.0 or newer, not with 2.40.0",
    ],
  ])("is refused with %s", (_what, props, message) => {
    expect(() => rayCluster(props)).toThrow(new Error(`${message} (at stack/ray)`));
  });

  test("is refused with an operator that cannot", () => {
    expect(() => rayCluster({ gcsFaultToleranceOptions }, "1.2.2")).toThrow(
      new Error(
        "'gcsFaultToleranceOptions' must not be given with an operator whose KubeRay version is 1.2.2: it needs 1.3.0 (state 'kuberayVersion' at stack/operator if it has that) (at stack/ray)",
      ),
    );
  });
});

test.each(["ray-head", "ray-worker", "autoscaler", "wait-gcs-ready"])(
  "a container cannot be called %s, as one of the operator's is",
  (name) => {
    const { ray } = rayCluster();

    expect(() => ray.workers.addContainer({ name })).toThrow(
      new Error(`'workers.container.name' must be unique, got "${name}" (at stack/ray)`),
    );
  },
);
