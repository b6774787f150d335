import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "node:tls";
import { RayAuthMode } from "../../lib/contracts/ray-auth-options";
import { RayAuthProxyPlacement } from "../../lib/contracts/ray-auth-proxy";
import { RayPods } from "../../lib/contracts/ray-pods";
import { RbacSubject } from "../../lib/contracts/rbac-subject";
import { RuntimeEnvNetrc } from "../../lib/runtime-env-netrc";
import { proxyNamespace } from "../stage/proxy-pods";
import { RunningRay } from "../stage/running-ray";
import { Site } from "../stage/site";
import { expect, Scenario, Stage } from "../stage/stage";
import { Terraform } from "../terraform/terraform";
import { RAY_VERSION } from "../tools/versions";
import { Forward, ServiceAccount, UserShell } from "../stage/user-shell";
import { expectPorts, startNeighbour } from "./support/auth-ports";
import { AUTH_SITE, AuthStack, MINI, NAMESPACE } from "./support/auth-stack";

/** A RayCluster that is deployed by a manifest, with the proxy's parts in it. */
const THEIRS = "raycluster-theirs";

/** Ray authenticates callers by itself: by one token, and by Kubernetes' tokens. */
const TOKEN = "raycluster-token";
const KUBERNETES_TOKEN = "raycluster-k8s-token";

const USER: ServiceAccount = { namespace: NAMESPACE, name: "ray-user" };
const STRANGER: ServiceAccount = { namespace: NAMESPACE, name: "stranger" };
/** Lose what they had while the proxy still knows them. */
const DISMISSED: ServiceAccount = { namespace: NAMESPACE, name: "dismissed" };
const DELETED: ServiceAccount = { namespace: NAMESPACE, name: "deleted" };

/** Ray's, and the proxy's. */
const NAMESPACES = [NAMESPACE, proxyNamespace(NAMESPACE)];

const NETRC_SECRET = "netrc-secret";
const TLS_SECRET = "ray-tls";

/** How long the proxy remembers who may, and whose a token is; with a little more for the asking. */
const ALLOWED_FOR_MS = 5 * 60_000 + 10_000;
const KNOWN_FOR_MS = 2 * 60_000 + 10_000;

/** How long the kubelet and the proxy take to see another certificate. */
const RENEWED_FOR_MS = 3 * 60_000;

const SMALL_JOB = 'python -c "import ray; ray.init(); print(ray.cluster_resources())"';

/** The Service of the proxy of our Ray cluster, by its placement. */
const SERVICES = {
  [RayAuthProxyPlacement.DEPLOYMENT]: {
    namespace: proxyNamespace(NAMESPACE),
    host: `${MINI}-proxy.${proxyNamespace(NAMESPACE)}.svc.cluster.local`,
  },
  [RayAuthProxyPlacement.HEAD_SIDECAR]: {
    namespace: NAMESPACE,
    host: `${MINI}-head-svc.${NAMESPACE}.svc.cluster.local`,
  },
};

/** Calls the proxy by the name of its Service, as a pod would, and prints the status. */
const CALL_BY_SERVICE_NAME = `
import requests, sys
print(requests.get(f"https://{sys.argv[1]}:8265/api/version").status_code)
`;

/**
 * How callers authenticate at the Ray cluster of ours beside the one of the manifest, by Ray itself or by a proxy with TLS: one
 * at a time, for the sake of the machine.
 */
type Mode = typeof TOKEN | typeof KUBERNETES_TOKEN | RayAuthProxyPlacement;

function rayClusterNameOf(mode: Mode): string {
  return mode === TOKEN || mode === KUBERNETES_TOKEN ? mode : MINI;
}

/** The stack, and what of it belongs into somebody else's manifest. One of the grants is there at first only. */
function synthesizeModes(mode?: Mode): { readonly folder: string; readonly theirs: RayPods } {
  const stack = new AuthStack();
  const user = RbacSubject.serviceAccount(USER.name, NAMESPACE);
  const theirs = stack.foreignRayCluster(THEIRS);
  const guard = stack.proxy(theirs, { placement: RayAuthProxyPlacement.HEAD_SIDECAR });
  for (const { name } of mode === undefined ? [USER, DELETED, DISMISSED] : [USER, DELETED]) {
    guard.grantSubmit(RbacSubject.serviceAccount(name, NAMESPACE));
  }
  stack.output("theirs_forward", guard.portForwardCommand);
  if (mode === TOKEN || mode === KUBERNETES_TOKEN) {
    const authOptions = { mode: RayAuthMode.TOKEN, enableK8sTokenAuth: mode === KUBERNETES_TOKEN };
    const ray = stack.rayCluster(mode, { createNamespace: false, authOptions });
    if (mode === KUBERNETES_TOKEN) ray.grantRayWrite(user);
    stack.output("forward", ray.portForwardCommand);
  } else if (mode !== undefined) {
    const ray = stack.rayCluster(MINI, { createNamespace: false });
    const isOwn = mode === RayAuthProxyPlacement.DEPLOYMENT;
    const proxy = stack.proxy(ray, {
      placement: mode,
      tlsSecretName: TLS_SECRET,
      // The Secret is there before the proxy.
      ...(isOwn ? { createNamespace: false } : {}),
    });
    proxy.grantSubmit(user);
    new RuntimeEnvNetrc(stack.stack, "netrc", { rayCluster: ray, existingSecretName: NETRC_SECRET });
    stack.output("job_headers_command", proxy.jobHeadersCommand(user));
    stack.output("job_submit_command", proxy.jobSubmitCommand);
    stack.output("forward", proxy.portForwardCommand);
  }
  return { folder: stack.synthesize(), theirs: theirs.head };
}

export const authModes: Scenario = {
  name: "auth-modes",
  title:
    "TLS in both placements, a RayCluster of a manifest with the proxy in its head, Ray's own tokens, and how long an end takes",
  needs: ["pods", "terraform", "ray-client"],
  long: true,
  async run(stage) {
    const site = await stage.site(AUTH_SITE);
    await site.startOperator(0).ready;
    await stage.begin();
    const first = site.google.snapshot();
    for (const name of NAMESPACES) await stage.node.kubectl(["create", "namespace", name]);
    stage.step("apply");
    const { folder, theirs } = synthesizeModes();
    const terraform = await site.terraform(folder);
    await terraform.apply();
    const modes = new Modes(stage, site, terraform);
    await modes.prepare();

    const tokens = await modes.expectManifest(theirs);
    await modes.expectToken();
    const since = Date.now();
    await modes.expectKubernetesToken();
    await modes.expectTls(RayAuthProxyPlacement.DEPLOYMENT);
    await stage.expectNothingToDo(terraform);
    await modes.expectEnd(tokens, since);
    await modes.expectRenewal();
    await modes.expectTls(RayAuthProxyPlacement.HEAD_SIDECAR);
    await stage.expectNothingToDo(terraform);
    await modes.expectSidecarPorts();

    stage.step("destroy");
    await modes.removeManifest();
    await terraform.destroy();
    await stage.node.kubectl(["delete", "namespace", ...NAMESPACES]);
    await stage.expectNothingLeft(site, first);
  },
};

/** Tokens that the proxy knows and that should not work any more. */
interface EndedTokens {
  readonly dismissed: string;
  readonly deleted: string;
}

class Modes {
  private readonly shell: UserShell;
  /** Those with a certificate. */
  private readonly pods;

  constructor(
    private readonly stage: Stage,
    private readonly site: Site,
    private readonly terraform: Terraform,
  ) {
    this.shell = stage.userShell();
    this.pods = stage.ray(NAMESPACE, MINI);
  }

  /** Accounts and Secrets. */
  public async prepare(): Promise<void> {
    for (const { name } of [USER, STRANGER, DISMISSED, DELETED]) {
      await this.kubectl("create", "serviceaccount", name);
    }
    await this.kubectl("create", "secret", "generic", NETRC_SECRET, "--from-literal=.netrc=");
    for (const name of NAMESPACES) await this.createCertificate(name);
    copyFileSync(this.stage.cache.authorityCertificate, join(this.shell.folder, "ca.crt"));
  }

  /** 401, 403 and an answer, as at a Ray cluster of ours; then an account ends, and with the next apply a grant. */
  public async expectManifest(head: RayPods): Promise<EndedTokens> {
    this.stage.step("a RayCluster of a manifest");
    const args = ["apply", "--server-side", "-f", "-"];
    await this.stage.node.kubectl(args, { input: JSON.stringify(rayClusterOf(head)) });
    await this.stage.ray(NAMESPACE, THEIRS).waitForHead();
    const forward = await this.forward("theirs_forward");
    await this.expectStatus(undefined, 401);
    await this.expectStatus(await this.shell.tokenOf(STRANGER), 403);
    const [dismissed, deleted] = [await this.shell.tokenOf(DISMISSED), await this.shell.tokenOf(DELETED)];
    for (const token of [await this.shell.tokenOf(USER), dismissed, deleted])
      await this.expectStatus(token, 200);
    await forward.stop();
    await this.kubectl("delete", "serviceaccount", DELETED.name);
    return { dismissed, deleted };
  }

  /** One token, in a Secret that the operator made. */
  public async expectToken(): Promise<void> {
    this.stage.step("Ray's own token");
    const forward = await this.change(TOKEN);
    await this.expectStatus(undefined, 401);
    await this.expectStatus("not-the-token", 403);
    const secret = `kubectl get secret ${TOKEN} --namespace ${NAMESPACE} -o jsonpath='{.data.auth_token}' | base64 -d`;
    await this.expectJob(`export RAY_AUTH_MODE=token RAY_AUTH_TOKEN=$(${secret})`);
    await forward.stop();
  }

  /** Tokens of Kubernetes, which Ray itself asks about. */
  public async expectKubernetesToken(): Promise<void> {
    this.stage.step("Ray asks Kubernetes");
    const forward = await this.change(KUBERNETES_TOKEN);
    await this.expectStatus(undefined, 401);
    await this.expectStatus(await this.shell.tokenOf(STRANGER), 403);
    const token = `kubectl create token ${USER.name} --namespace ${NAMESPACE}`;
    await this.expectJob(`export RAY_AUTH_MODE=token RAY_AUTH_TOKEN=$(${token})`);
    await forward.stop();
  }

  /** With a certificate nothing but HTTPS is answered; also where another feature gives the volumes to a group. */
  public async expectTls(placement: RayAuthProxyPlacement): Promise<void> {
    this.stage.step(`TLS, ${placement}`);
    const forward = await this.change(placement);
    const headers = await this.terraform.output("job_headers_command");
    const submit = await this.terraform.output("job_submit_command");
    const stranger = await this.shell.tryRun(submit);
    expect(!stranger.succeeded && stranger.output.includes("Unauthorized"), "no 401 by HTTPS", stranger);
    const distrustful = await this.shell.tryRun(`${headers}; ${submit.replace("--verify ca.crt", "")}`);
    expect(
      /certificate verify failed/i.test(distrustful.output),
      "the authority is not asked for",
      distrustful,
    );
    const printed = await this.shell.run(`${headers}; ${submit}`);
    expect(/Job 'raysubmit_\w+' succeeded/.test(printed), "the job did not succeed", printed);
    // The last, because kubectl gives up forwarding when a connection ends like this.
    await this.expectStatus(await this.shell.tokenOf(USER), 400);
    await forward.stop();
    const status = await this.pods.python(CALL_BY_SERVICE_NAME, SERVICES[placement].host);
    expect(status.trim() === "401", "a pod does not reach the proxy by its Service", status);
  }

  /** Both are refused in the time that the documentation says. */
  public async expectEnd({ dismissed, deleted }: EndedTokens, since: number): Promise<void> {
    this.stage.step("the end of an account and of a grant");
    const forward = await this.forward("theirs_forward");
    await this.waitForStatus(deleted, 401, since + KNOWN_FOR_MS);
    await this.waitForStatus(dismissed, 403, since + ALLOWED_FOR_MS);
    await forward.stop();
  }

  /** The proxy in its own pods takes up another certificate of the Secret while it runs. */
  public async expectRenewal(): Promise<void> {
    this.stage.step("another certificate");
    const forward = await this.forward("forward");
    const before = await servedCertificate();
    const { namespace } = SERVICES[RayAuthProxyPlacement.DEPLOYMENT];
    await this.stage.node.kubectl(["delete", "secret", TLS_SECRET, "-n", namespace]);
    await this.createCertificate(namespace);
    const served = async () => (await servedCertificate()) !== before;
    await this.stage.node.waitFor("the other certificate", RENEWED_FOR_MS, served);
    await this.expectNoRestart();
    await forward.stop();
    const pods = await this.stage.proxy(namespace, MINI).list();
    for (const { metadata } of pods) {
      const log = await this.stage.node.kubectl(["logs", "-n", namespace, metadata.name]);
      // Those of a forwarded port come from 127.0.0.1.
      const ofProbes = /TLS handshake error from (?!127\.0\.0\.1:)/.test(log);
      expect(!ofProbes, "the probes fill the proxy's log", log);
    }
  }

  /** Ray's own dashboard is behind the proxy in the head pod, even where nobody enforces the network policy. */
  public async expectSidecarPorts(): Promise<void> {
    this.stage.step("ports of a head with the proxy in it");
    await startNeighbour(this.stage, NAMESPACE, `rayproject/ray:${RAY_VERSION}`);
    await expectPorts(this.stage, NAMESPACE, this.pods, true);
  }

  public async removeManifest(): Promise<void> {
    await this.kubectl("delete", "raycluster", THEIRS);
    await this.stage.ray(NAMESPACE, THEIRS).waitForNone();
  }

  /** Applies the next mode and forwards its port. */
  private async change(mode: Mode): Promise<Forward> {
    await this.terraform.update(synthesizeModes(mode).folder);
    await this.terraform.apply();
    const ray = this.stage.ray(NAMESPACE, rayClusterNameOf(mode));
    this.stage.step(`head of ${mode}`);
    await this.waitForSettledHead(ray);
    return this.forward("forward");
  }

  private async forward(output: string): Promise<Forward> {
    return this.shell.forward(await this.terraform.output(output));
  }

  private async expectStatus(token: string | undefined, expected: number): Promise<void> {
    const status = await this.shell.askJobApi(token);
    expect(status === expected, `the answer was ${status} and not ${expected}`);
  }

  private async waitForStatus(token: string, expected: number, deadline: number): Promise<void> {
    while ((await this.shell.askJobApi(token)) !== expected) {
      expect(Date.now() < deadline, `a token that should have ended is not answered with ${expected}`);
      await sleep(1000);
    }
  }

  private async expectJob(credentials: string): Promise<void> {
    const submit = `ray job submit --address http://localhost:8265 -- ${SMALL_JOB}`;
    const printed = await this.shell.run(`${credentials}; ${submit}`);
    expect(/Job 'raysubmit_\w+' succeeded/.test(printed), "the job did not succeed", printed);
  }

  /** Valid for whom forwards the port, and for pods. */
  private async createCertificate(namespace: string): Promise<void> {
    const hosts = ["localhost", ...Object.values(SERVICES).map(({ host }) => host)];
    const { certificate, key } = await this.site.certificateFiles("ray", hosts);
    const create = ["create", "secret", "tls", TLS_SECRET, "-n", namespace];
    await this.stage.node.kubectl([...create, `--cert=${certificate}`, `--key=${key}`]);
  }

  /** The head is the one that the RayCluster describes: after a change the operator takes a moment to replace it. */
  private async waitForSettledHead(ray: RunningRay): Promise<void> {
    await this.stage.node.waitFor("the head that the RayCluster describes", 60_000, async () => {
      const { initContainers } = (await ray.object()).spec.headGroupSpec.template.spec;
      const heads = await ray.list("head");
      const proxies = (containers: unknown[] | undefined) => (containers ?? []).length;
      return heads.length === 1 && proxies(heads[0].spec.initContainers) === proxies(initContainers);
    });
    await ray.waitForHead();
  }

  private async expectNoRestart(): Promise<void> {
    const pods = await this.stage.proxy(SERVICES[RayAuthProxyPlacement.DEPLOYMENT].namespace, MINI).list();
    const restarts = pods.map(({ status }) => status.containerStatuses[0].restartCount);
    expect(restarts.join() === "0,0", "a proxy was restarted", restarts);
  }

  private kubectl(...args: string[]): Promise<string> {
    return this.stage.node.kubectl([...args, "-n", NAMESPACE]);
  }
}

/** The serial number of the certificate at the forwarded port. */
function servedCertificate(): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port: 8265, rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate().serialNumber);
      socket.destroy();
    });
    socket.once("error", reject);
  });
}

/** A RayCluster as somebody writes it who has never heard of us, and the parts that the proxy needs. */
function rayClusterOf(head: RayPods): object {
  const resources = { cpu: "1", memory: "4Gi" };
  return {
    apiVersion: "ray.io/v1",
    kind: "RayCluster",
    metadata: { name: THEIRS, namespace: NAMESPACE },
    spec: {
      rayVersion: RAY_VERSION,
      headGroupSpec: {
        rayStartParams: head.rayStartParams,
        template: {
          spec: {
            automountServiceAccountToken: head.automountServiceAccountToken,
            initContainers: head.initContainers,
            containers: [
              {
                name: "ray-head",
                image: `rayproject/ray:${RAY_VERSION}`,
                ports: [
                  { name: "gcs-server", containerPort: 6379 },
                  { name: "dashboard", containerPort: 8265 },
                  { name: "client", containerPort: 10001 },
                ],
                env: Object.entries(head.env).map(([name, value]) => ({ name, value })),
                resources: { requests: resources, limits: resources },
                readinessProbe: head.readinessProbe,
                livenessProbe: head.livenessProbe,
              },
            ],
            volumes: head.volumes,
            terminationGracePeriodSeconds: 1,
          },
        },
      },
    },
  };
}
