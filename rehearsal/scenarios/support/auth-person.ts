import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, Stage } from "../../stage/stage";
import { proxyNamespace } from "../../stage/proxy-pods";
import type { UserShell } from "../../stage/user-shell";
import { MINI, NAMESPACE } from "./auth-stack";

/** The token that the kubeconfig holds, for the Ray client; a person whom Google knows has gcloud for it. */
const HEADERS = `export RAY_JOB_HEADERS="{\\"Authorization\\": \\"Bearer $(kubectl config view --raw -o jsonpath='{.users[0].user.token}')\\"}"`;

const SUBMIT = "cd job; ray job submit --address http://localhost:8265 --working-dir ./ -- python job.py";
const JOB = 'import ray\nray.init(log_to_driver=False)\nprint("tailed", ray.cluster_resources()["CPU"])\n';

/**
 * Somebody has a kubeconfig with the token of an account that was granted `grantSubmit`, and nothing else: they forward the
 * proxy's Service, submit a job and follow its log.
 *
 * @throws unless that works, and every other way to Ray's pods is refused
 */
export async function expectSubmitterAlone(
  stage: Stage,
  token: string,
  forwardCommand: string,
): Promise<void> {
  const shell = stage.userShell(token);
  mkdirSync(join(shell.folder, "job"));
  writeFileSync(join(shell.folder, "job", "job.py"), JOB);
  const forward = await shell.forward(forwardCommand);
  const printed = await shell.run(`${HEADERS}; ${SUBMIT}`);
  expect(/tailed 2\.0/.test(printed), "the job's log was not followed", printed);
  expect(/Job 'raysubmit_\w+' succeeded/.test(printed), "the job did not succeed", printed);
  await forward.stop();
  const [head] = await stage.ray(NAMESPACE, MINI).list("head");
  const [proxy] = await stage.proxy(proxyNamespace(NAMESPACE), MINI).list();
  for (const command of waysRound(head.metadata.name, proxy.metadata.name)) {
    await expectForbidden(shell, command);
  }
}

/** Commands that would go round the proxy, or further. */
function waysRound(head: string, proxy: string): string[] {
  const auth = proxyNamespace(NAMESPACE);
  const raw = (path: string) => `/api/v1/namespaces/${path}`;
  return [
    `kubectl port-forward -n ${NAMESPACE} service/${MINI}-head-svc 8265:8265`,
    `kubectl port-forward -n ${NAMESPACE} pod/${head} 8265:8265`,
    `kubectl get --raw ${raw(`${NAMESPACE}/pods/${head}/portforward`)}`,
    `kubectl get --raw ${raw(`${NAMESPACE}/pods/${head}:8265/proxy/api/version`)}`,
    `kubectl get --raw ${raw(`${NAMESPACE}/services/${MINI}-head-svc:8265/proxy/api/version`)}`,
    `kubectl exec -n ${NAMESPACE} ${head} -- true`,
    `kubectl get --raw '${raw(`${NAMESPACE}/pods/${head}/exec?command=true&stdout=true`)}'`,
    `kubectl get --raw '${raw(`${NAMESPACE}/pods/${head}/attach?stdout=true`)}'`,
    `kubectl logs -n ${NAMESPACE} ${head}`,
    `kubectl get pods -n ${NAMESPACE}`,
    `kubectl get services -n ${NAMESPACE}`,
    `kubectl get secrets -n ${NAMESPACE}`,
    `kubectl get rayclusters -n ${NAMESPACE}`,
    `kubectl get rayclusters ${MINI} -n ${NAMESPACE}`,
    `kubectl create serviceaccount another -n ${NAMESPACE}`,
    `kubectl exec -n ${auth} ${proxy} -- kube-rbac-proxy --version`,
    `kubectl get --raw ${raw(`${auth}/services/${MINI}-proxy:8265/proxy/api/version`)}`,
    `kubectl create token ${MINI}-proxy -n ${auth}`,
    `kubectl get secrets -n ${auth}`,
    `kubectl delete pod ${proxy} -n ${auth}`,
    `kubectl get pods -A`,
  ];
}

async function expectForbidden(shell: UserShell, command: string): Promise<void> {
  const { succeeded, output } = await shell.tryRun(`timeout 20 ${command}`);
  expect(!succeeded && /forbidden/i.test(output), `'${command}' was not refused`, output);
}
