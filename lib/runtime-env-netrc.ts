import { Fn, TerraformElement, TerraformVariable, Token } from "cdktf";
import { Construct } from "constructs";
import type { IRayCluster } from "./contracts/ray-cluster";
import type { NetrcMachine, RuntimeEnvNetrcProps } from "./contracts/runtime-env-netrc";
import { headServiceName, proxyServiceName } from "./private/ray/commands";
import { PlainResource } from "./private/terraform/plain-elements";
import { DNS_SUBDOMAIN, HOST_NAME, invalid, requireInteger, requireName } from "./private/validation";

export type * from "./contracts/runtime-env-netrc";

/** As in Ray's own guide. https://docs.ray.io/en/latest/ray-core/runtime_env_auth.html */
const SECRET_KEY = ".netrc";
const VOLUME_NAME = "netrc-kuberay";
const MOUNT_PATH = "/home/ray/netrcvolume";
const ENVIRONMENT_VARIABLE = "NETRC";

/** Read by the owner and the group, and nobody else. */
const FILE_MODE = 0o440;

/** The group of the user that the Ray images run as; the kubelet gives the file to it. */
const RAY_GROUP = 100;

const REVISION_ANNOTATION = "cdktf-gke-ray/netrc-revision";

/** What a field of a netrc file may hold without quotes: printable ASCII, but no quotes, # and backslashes. */
const NETRC_WORD = /^[!$-&(-[\]-~]+$/;

/** The same for Terraform, without a backslash, which its strings read as an escape. */
const NETRC_WORD_RE2 = "^[]-~!$-&(-[]+$";

/**
 * Credentials for private `runtime_env` sources, such as a `working_dir` on GitHub, as a netrc file in every Ray pod, because a
 * credential in the URI itself ends up in Ray's logs and folder names. Everybody who may run code on the Ray cluster can read it.
 *
 * https://docs.ray.io/en/latest/ray-core/runtime_env_auth.html
 */
export class RuntimeEnvNetrc extends Construct {
  /** The Ray cluster whose pods have the file. */
  public readonly rayCluster: IRayCluster;
  /** Name of the Secret that holds the file. */
  public readonly secretName: string;

  /**
   * @throws if both or neither of `existingSecretName` and `machines` are given, if an entry could not be read back or would
   * send the credential to other hosts, or if the pods have `NETRC` or something at the file's place already
   */
  constructor(scope: Construct, id: string, props: RuntimeEnvNetrcProps) {
    super(scope, id);
    this.rayCluster = props.rayCluster;
    this.requireProps(props);
    this.secretName = props.existingSecretName ?? `${this.rayCluster.rayClusterName}-netrc`;
    if (props.machines !== undefined) this.createSecret(props.machines, props.revision ?? 1);
    this.addToPods();
  }

  private createSecret(machines: NetrcMachine[], revision: number): void {
    const { cluster, namespace, namespaceDependencies, head, workers } = this.rayCluster;
    machines.forEach(({ password }) => keepOutOfPlanAndState(password));
    const secret = new PlainResource(this, "secret", "kubernetes_secret_v1", {
      metadata: { name: this.secretName, namespace },
      type: "Opaque",
      dataWo: { [SECRET_KEY]: machines.map(netrcEntry).join("") },
      dataWoRevision: revision,
      dependsOn: namespaceDependencies,
      provider: cluster.kubernetesProvider,
    });
    for (const pods of [head, workers]) {
      pods.addDependency(secret);
      pods.addAnnotation(REVISION_ANNOTATION, `${revision}`);
    }
  }

  /** The agent that fetches sources runs on every Ray node, with the environment of the Ray container. */
  private addToPods(): void {
    for (const pods of [this.rayCluster.head, this.rayCluster.workers]) {
      pods.addVolume({
        name: VOLUME_NAME,
        secret: { secretName: this.secretName, defaultMode: FILE_MODE },
      });
      pods.addVolumeMount({ name: VOLUME_NAME, mountPath: MOUNT_PATH, readOnly: true });
      pods.addEnv(ENVIRONMENT_VARIABLE, `${MOUNT_PATH}/${SECRET_KEY}`);
      pods.useFsGroup(RAY_GROUP);
    }
  }

  private requireProps(props: RuntimeEnvNetrcProps): void {
    requireName(this, "existingSecretName", props.existingSecretName, DNS_SUBDOMAIN);
    requireInteger(this, "revision", props.revision, 1);
    if (props.existingSecretName === undefined && props.machines === undefined) {
      throw invalid(this, "existingSecretName", "be given unless 'machines' is");
    }
    for (const property of ["machines", "revision"] as const) {
      if (props.existingSecretName !== undefined && props[property] !== undefined) {
        throw invalid(
          this,
          property,
          "not be given with 'existingSecretName': that Secret is written by others",
        );
      }
    }
    if (props.machines !== undefined) this.requireMachines(props.machines);
  }

  private requireMachines(machines: NetrcMachine[]): void {
    if (machines.length === 0) throw invalid(this, "machines", "name at least one machine", machines);
    const known = new Set<string>();
    machines.forEach(({ machine, login, password }, index) => {
      const path = `machines[${index}]`;
      this.requireHost(`${path}.machine`, machine);
      if (known.has(machine)) throw invalid(this, `${path}.machine`, "be unique", machine);
      known.add(machine);
      if (!Token.isUnresolved(login) && !NETRC_WORD.test(login)) {
        throw invalid(
          this,
          `${path}.login`,
          "be printable ASCII without blanks, quotes, backslashes and #",
          login,
        );
      }
      this.requireVariable(`${path}.password`, password);
    });
  }

  /** A netrc entry beats the headers that a caller sets, so one for Ray itself would replace the caller's token. */
  private requireHost(property: string, machine: string): void {
    if (machine === "default") {
      throw invalid(
        this,
        property,
        "be a host: an entry 'default' would send the credential to every host",
        machine,
      );
    }
    requireName(this, property, machine, HOST_NAME);
    const own = [headServiceName(this.rayCluster), proxyServiceName(this.rayCluster)];
    if (machine === "localhost" || own.some((host) => `${machine}.`.startsWith(`${host}.`))) {
      const requirement =
        "not be the Ray cluster itself: the entry would replace the token of who calls its job API";
      throw invalid(this, property, requirement, machine);
    }
  }

  /** Never says what was given, which may be a password. */
  private requireVariable(property: string, password: TerraformVariable): void {
    if (!TerraformElement.isTerraformElement(password)) {
      throw invalid(this, property, "be a TerraformVariable, so that the password is in no code and no plan");
    }
    if (password.default !== undefined) {
      throw invalid(this, property, `be a variable without a default (${password.node.path} has one)`);
    }
  }
}

/** cdktf 0.21 has no property for the second. https://developer.hashicorp.com/terraform/language/manage-sensitive-data/ephemeral */
function keepOutOfPlanAndState(variable: TerraformVariable): void {
  variable.addOverride("sensitive", true);
  variable.addOverride("ephemeral", true);
  variable.addValidation({
    condition: Fn.can(Fn.regex(NETRC_WORD_RE2, variable.stringValue)),
    errorMessage: "The password must be printable ASCII without blanks, quotes, backslashes and #.",
  });
}

function netrcEntry({ machine, login, password }: NetrcMachine): string {
  return `machine ${machine} login ${login} password ${password.stringValue}\n`;
}
