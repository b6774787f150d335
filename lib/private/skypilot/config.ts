import { ITerraformDependable, TerraformOutput } from "cdktf";
import { SkyPilotRemoteIdentity } from "../../contracts/skypilot-options";
import type { SkyPilotAccounts } from "./accounts";
import { PlainResource } from "../terraform/plain-elements";

/** Name that SkyPilot gives the cluster in which it runs itself. */
const IN_CLUSTER = "in-cluster";

export interface SkyPilotConfigInput {
  readonly context: string;
  readonly namespace: string;
  readonly workloadServiceAccountName: string;
  readonly remoteIdentity: SkyPilotRemoteIdentity;
  /** Whether SkyPilot also runs in pods of the cluster, where it knows no context. */
  readonly inPods: boolean;
}

/**
 * What to put under `kubernetes` in SkyPilot's configuration. No `allowed_contexts`: with it SkyPilot copies the kubeconfig
 * into the pods of its controllers.
 *
 * https://docs.skypilot.co/en/latest/reference/config.html
 */
export function skyPilotConfig(input: SkyPilotConfigInput): string {
  const { context, namespace, workloadServiceAccountName: account } = input;
  const custom = input.remoteIdentity === SkyPilotRemoteIdentity.CUSTOM_SERVICE_ACCOUNT;
  return [
    "kubernetes:",
    "  context_configs:",
    `    "${context}":`,
    `      namespace: "${namespace}"`,
    `      remote_identity: "${custom ? account : input.remoteIdentity}"`,
    ...(custom
      ? []
      : // Without this SkyPilot makes an account and roles of its own, which takes an administrator.
        ["      pod_config:", "        spec:", `          serviceAccountName: "${account}"`]),
    ...(input.inPods ? [`    ${IN_CLUSTER}:`, `      remote_identity: "${account}"`] : []),
    "",
  ].join("\n");
}

/**
 * A kubeconfig with a token that lasts as long as its Secret. SkyPilot knows its clusters' owner by the names of cluster, user and
 * namespace in it: they must not change.
 */
export function kubeconfigOutput(
  sky: SkyPilotAccounts,
  dependencies: ITerraformDependable[],
): TerraformOutput {
  const { cluster, contextName, launcherNamespace, serviceAccountName } = sky;
  const secret = new PlainResource(sky, "launcher-token", "kubernetes_secret_v1", {
    metadata: {
      name: `${serviceAccountName}-token`,
      namespace: launcherNamespace,
      annotations: { "kubernetes.io/service-account.name": serviceAccountName },
      labels: { parent: "skypilot" },
    },
    type: "kubernetes.io/service-account-token",
    waitForServiceAccountToken: true,
    dependsOn: dependencies,
    provider: cluster.kubernetesProvider,
  });
  const user = `${contextName}-${serviceAccountName}`;
  const lines = [
    "apiVersion: v1",
    "kind: Config",
    `current-context: "${contextName}"`,
    "clusters:",
    `  - name: "${contextName}"`,
    "    cluster:",
    `      server: "https://${cluster.endpoint}"`,
    // The DNS endpoint has a certificate that everybody trusts.
    ...(cluster.dnsEndpoint
      ? []
      : [`      certificate-authority-data: "\${base64encode(${secret.fqn}.data["ca.crt"])}"`]),
    "users:",
    `  - name: "${user}"`,
    "    user:",
    `      token: "\${${secret.fqn}.data["token"]}"`,
    "contexts:",
    `  - name: "${contextName}"`,
    "    context:",
    `      cluster: "${contextName}"`,
    `      user: "${user}"`,
    `      namespace: "${sky.namespaces[0]}"`,
    "",
  ];
  return new TerraformOutput(sky, "kubeconfig", {
    description:
      "Kubeconfig of SkyPilot's launcher, with a token that does not end. Keep it from others' eyes.",
    value: lines.join("\n"),
    sensitive: true,
  });
}
