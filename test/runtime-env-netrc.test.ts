import { TerraformStack, TerraformVariable } from "cdktf";
import { KubeRayOperator, NetrcMachine, RayCluster, RayClusterProps, RuntimeEnvNetrc } from "../lib";
import { Graph } from "./support/graph";
import { emptyStack, existingCluster, rayCluster, standardCluster } from "./support/stacks";
import { Template } from "./support/template";

const workerGroups = ["cpu", "gpu"].map((groupName) => ({ groupName, cpu: 2, memoryGiB: 8, maxReplicas: 3 }));

function withMachines(
  machines: (password: TerraformVariable) => NetrcMachine[],
  revision?: number,
): TerraformStack {
  const { stack, ray } = rayCluster({ workerGroups }, "1.6.2");
  const password = new TerraformVariable(stack, "github_token", { type: "string" });
  new RuntimeEnvNetrc(stack, "netrc", { rayCluster: ray, machines: machines(password), revision });
  return stack;
}

function withSecret(props: Partial<RayClusterProps> = {}) {
  const { stack, ray } = rayCluster({ workerGroups, ...props }, "1.6.2");
  const netrc = new RuntimeEnvNetrc(stack, "netrc", { rayCluster: ray, existingSecretName: "netrc-secret" });
  return { stack, ray, netrc };
}

const github = (password: TerraformVariable) => [{ machine: "github.com", login: "ada", password }];

test("an existing Secret is mounted into the head and every worker group, for Ray's user and nobody else", () => {
  const { spec } = Template.of(withSecret().stack).rayCluster();
  const groups = [spec.headGroupSpec, ...spec.workerGroupSpecs];

  expect(groups).toHaveLength(3);
  for (const { template } of groups) {
    const pod = template.spec;
    expect(pod.volumes).toContainEqual({
      name: "netrc-kuberay",
      secret: { secretName: "netrc-secret", defaultMode: 0o440 },
    });
    expect(pod.containers[0].volumeMounts).toEqual([
      { name: "netrc-kuberay", mountPath: "/home/ray/netrcvolume", readOnly: true },
    ]);
    expect(pod.containers[0].env).toContainEqual({ name: "NETRC", value: "/home/ray/netrcvolume/.netrc" });
    expect(pod.securityContext).toMatchObject({ fsGroup: 100, runAsNonRoot: true });
    expect(Object.keys(template.metadata?.annotations ?? {}).join()).not.toMatch(/netrc/);
  }
});

test("with an existing Secret nothing secret is in Terraform", () => {
  const template = Template.of(withSecret().stack);

  expect(template.resources("kubernetes_secret_v1")).toEqual([]);
  expect(template.json).not.toHaveProperty("variable");
});

test("machine entries become a Secret that Terraform writes and does not remember", () => {
  const stack = withMachines((password) => [
    { machine: "github.com", login: "ada", password },
    { machine: "codeload.github.com", login: "ada", password },
  ]);
  const { json } = Template.of(stack);

  expect(Template.of(stack).resource("kubernetes_secret_v1")).toMatchObject({
    metadata: { name: "raycluster-mini-netrc", namespace: "ray" },
    type: "Opaque",
    data_wo: {
      ".netrc":
        "machine github.com login ada password ${var.github_token}\nmachine codeload.github.com login ada password ${var.github_token}\n",
    },
    data_wo_revision: 1,
  });
  expect(json.variable.github_token).toMatchObject({ sensitive: true, ephemeral: true });
});

test("a password that a netrc file cannot hold is refused when Terraform plans", () => {
  const { validation } = Template.of(withMachines(github)).json.variable.github_token;

  expect(validation).toEqual([
    {
      condition: '${can(regex("^[]-~!$-&(-[]+$", var.github_token))}',
      error_message: "The password must be printable ASCII without blanks, quotes, backslashes and #.",
    },
  ]);
});

test("another revision is another pod, so that it reaches running ones", () => {
  const { spec } = Template.of(withMachines(github, 7)).rayCluster();

  expect(Template.of(withMachines(github, 7)).resource("kubernetes_secret_v1").data_wo_revision).toBe(7);
  for (const { template } of [spec.headGroupSpec, ...spec.workerGroupSpecs]) {
    expect(template.metadata.annotations).toMatchObject({ "cdktf-gke-ray/netrc-revision": "7" });
  }
});

test("the pods wait for the Secret, and the Secret for its namespace", () => {
  const stack = emptyStack();
  const ray = new RayCluster(stack, "ray", {
    operator: KubeRayOperator.gkeAddon(stack, "operator", { cluster: standardCluster(stack) }),
    rayClusterName: "raycluster-mini",
    namespace: "ray",
    head: { cpu: 2, memoryGiB: 8 },
  });
  const password = new TerraformVariable(stack, "token", { type: "string" });
  new RuntimeEnvNetrc(stack, "netrc", { rayCluster: ray, machines: github(password) });
  const graph = Graph.of(stack);
  const secret = graph.addressesOfType("kubernetes_secret_v1");
  const namespace = graph.addresses().filter((address) => /kubernetes_namespace_v1.*-ray_/.test(address));

  expect(graph.dependsOn(graph.addressesOfType("helm_release"), secret)).toBe(true);
  expect(graph.dependsOn(secret, namespace)).toBe(true);
});

test("for a Ray cluster that is deployed by other means everything is plain data", () => {
  const stack = emptyStack();
  const ray = RayCluster.fromRayClusterAttributes(stack, "ray", {
    cluster: existingCluster(stack),
    namespace: "team",
    rayClusterName: "theirs",
    headServiceAccountName: "theirs",
  });
  new RuntimeEnvNetrc(stack, "netrc", { rayCluster: ray, existingSecretName: "netrc-secret" });

  for (const pods of [ray.head, ray.workers]) {
    expect(pods.volumes).toHaveLength(1);
    expect(pods.volumeMounts).toHaveLength(1);
    expect(pods.env).toEqual({ NETRC: "/home/ray/netrcvolume/.netrc" });
    expect(pods.fsGroup).toBe(100);
  }
});

describe("refuses", () => {
  test.each([
    [
      "an entry for every host",
      { machine: "default" },
      `'machines[0].machine' must be a host: an entry 'default' would send the credential to every host, got "default" (at stack/netrc)`,
    ],
    [
      "a URL for a host",
      { machine: "https://github.com" },
      `'machines[0].machine' must be a host name in lower case, without scheme, port or path, such as "github.com", got "https://github.com" (at stack/netrc)`,
    ],
    [
      "the proxy in front of the Ray cluster",
      { machine: "raycluster-mini-proxy.ray-auth" },
      `'machines[0].machine' must not be the Ray cluster itself: the entry would replace the token of who calls its job API, got "raycluster-mini-proxy.ray-auth" (at stack/netrc)`,
    ],
    [
      "the Ray cluster itself",
      { machine: "raycluster-mini-head-svc.ray.svc" },
      `'machines[0].machine' must not be the Ray cluster itself: the entry would replace the token of who calls its job API, got "raycluster-mini-head-svc.ray.svc" (at stack/netrc)`,
    ],
    [
      "a login of two lines",
      { login: "ada\nmachine evil.example.com" },
      `'machines[0].login' must be printable ASCII without blanks, quotes, backslashes and #, got "ada\\nmachine evil.example.com" (at stack/netrc)`,
    ],
  ])("%s", (_what, change, message) => {
    expect(() => withMachines((password) => [{ ...github(password)[0], ...change }])).toThrow(
      new Error(message),
    );
  });

  test("a machine twice", () => {
    expect(() => withMachines((password) => [...github(password), ...github(password)])).toThrow(
      new Error(`'machines[1].machine' must be unique, got "github.com" (at stack/netrc)`),
    );
  });

  test("a password in code, without repeating it", () => {
    const literal = "a-literal-password" as unknown as TerraformVariable;

    expect(() => withMachines(() => github(literal))).toThrow(
      new Error(
        "'machines[0].password' must be a TerraformVariable, so that the password is in no code and no plan (at stack/netrc)",
      ),
    );
  });

  test("a password as a variable's default, without repeating it", () => {
    const { stack, ray } = rayCluster();
    const password = new TerraformVariable(stack, "token", { default: "a-literal-password" });

    expect(
      () => new RuntimeEnvNetrc(stack, "netrc", { rayCluster: ray, machines: github(password) }),
    ).toThrow(
      new Error(
        "'machines[0].password' must be a variable without a default (stack/token has one) (at stack/netrc)",
      ),
    );
  });

  test.each([
    [{}, "'existingSecretName' must be given unless 'machines' is (at stack/netrc)"],
    [{ machines: [] }, "'machines' must name at least one machine, got [] (at stack/netrc)"],
    [
      { existingSecretName: "netrc-secret", machines: [] },
      "'machines' must not be given with 'existingSecretName': that Secret is written by others (at stack/netrc)",
    ],
    [
      { existingSecretName: "netrc-secret", revision: 2 },
      "'revision' must not be given with 'existingSecretName': that Secret is written by others (at stack/netrc)",
    ],
    [
      { existingSecretName: "netrc_secret" },
      `'existingSecretName' must be a DNS subdomain: 1 to 253 lower-case letters, digits, hyphens or dots, starting and ending with a letter or digit, got "netrc_secret" (at stack/netrc)`,
    ],
  ])("the properties %j", (props, message) => {
    const { stack, ray } = rayCluster();

    expect(() => new RuntimeEnvNetrc(stack, "netrc", { rayCluster: ray, ...props })).toThrow(
      new Error(message),
    );
  });

  test("something else at the file's place", () => {
    const { stack, ray } = rayCluster();
    ray.head.addVolumeMount({ name: "mine", mountPath: "/home/ray/netrcvolume/" });

    expect(
      () => new RuntimeEnvNetrc(stack, "netrc", { rayCluster: ray, existingSecretName: "mine" }),
    ).toThrow(
      new Error(`'head.volume mount.mountPath' must be unique, got "/home/ray/netrcvolume" (at stack/ray)`),
    );
  });

  test("NETRC set by hand as well", () => {
    const { stack } = withSecret({ head: { cpu: 2, memoryGiB: 8, env: { NETRC: "/home/ray/.netrc" } } });

    expect(() => Template.of(stack)).toThrow(
      `[stack/ray] 'head.env.NETRC' must be left to the construct that sets "/home/ray/netrcvolume/.netrc", got "/home/ray/.netrc"`,
    );
  });
});
