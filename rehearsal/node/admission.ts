import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:https";
import { listen, readBody } from "../tools/servers";
import type { CertificateFiles } from "../tools/certificates";
import type { KubeClient } from "./kube-client";

/** Annotation on a pod that holds the requests as they were asked for, by container. */
export const ORIGINAL_REQUESTS_ANNOTATION = "rehearsal.cdktf-gke-ray/original-requests";

/** What a pod's requests are multiplied with before they are scheduled. */
export interface RequestScale {
  readonly cpu: number;
  readonly memory: number;
}

type Requests = Record<string, string>;

interface Pod {
  readonly metadata?: { readonly annotations?: Record<string, string> };
  readonly spec: Record<"containers" | "initContainers", Container[] | undefined>;
}

interface Container {
  readonly name: string;
  readonly resources?: { readonly requests?: Requests };
}

interface PatchOperation {
  readonly op: "add" | "replace";
  readonly path: string;
  readonly value: unknown;
}

const SUFFIXES: Readonly<Record<string, number>> = {
  m: 1e-3,
  "": 1,
  ...{ k: 1e3, M: 1e6, G: 1e9, T: 1e12 },
  ...{ Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40 },
};

/**
 * The node is smaller than the machines it stands for. This admission makes pods fit by lowering what they
 * reserve; what they may use (their limits), and everything else, stays as the stack says.
 */
export class RequestScaling {
  private constructor(
    private readonly server: Server,
    public readonly url: string,
  ) {}

  public static async start(
    address: string,
    certificate: CertificateFiles,
    scale: RequestScale,
  ): Promise<RequestScaling> {
    const options = { cert: readFileSync(certificate.certificate), key: readFileSync(certificate.key) };
    const server = createServer(options, (request, response) => {
      void readBody(request).then((body) => {
        response.setHeader("content-type", "application/json");
        response.end(JSON.stringify(review(JSON.parse(body.toString()), scale)));
      });
    });
    const port = await listen(server, 0, address);
    return new RequestScaling(server, `https://${address}:${port}/pods`);
  }

  public async register(client: KubeClient, caPem: string): Promise<void> {
    await client.create("/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations", {
      apiVersion: "admissionregistration.k8s.io/v1",
      kind: "MutatingWebhookConfiguration",
      metadata: { name: "rehearsal-request-scaling" },
      webhooks: [
        {
          name: "request-scaling.rehearsal.local",
          clientConfig: { url: this.url, caBundle: Buffer.from(caPem).toString("base64") },
          rules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["pods"] }],
          admissionReviewVersions: ["v1"],
          sideEffects: "None",
          failurePolicy: "Fail",
          timeoutSeconds: 20,
        },
      ],
    });
  }

  public stop(): void {
    this.server.close();
    this.server.closeAllConnections();
  }
}

/** The changes that lower a pod's requests, and the record of what they were. */
export function scaleRequests(pod: Pod, scale: RequestScale): PatchOperation[] {
  const operations: PatchOperation[] = [];
  const originals: Record<string, Requests> = {};
  for (const kind of ["initContainers", "containers"] as const) {
    (pod.spec[kind] ?? []).forEach((container, index) => {
      const requests = container.resources?.requests ?? {};
      for (const resource of ["cpu", "memory"] as const) {
        if (requests[resource] !== undefined) {
          const value = scaleQuantity(requests[resource], resource, scale[resource]);
          const path = `/spec/${kind}/${index}/resources/requests/${resource}`;
          operations.push({ op: "replace", path, value });
          (originals[container.name] ??= {})[resource] = requests[resource];
        }
      }
    });
  }
  if (operations.length > 0) {
    operations.push(...annotate(pod, ORIGINAL_REQUESTS_ANNOTATION, JSON.stringify(originals)));
  }
  return operations;
}

function review(body: { request: { uid: string; object: Pod } }, scale: RequestScale): object {
  const { uid, object } = body.request;
  const operations = scaleRequests(object, scale);
  const patch = Buffer.from(JSON.stringify(operations)).toString("base64");
  const change = operations.length === 0 ? {} : { patchType: "JSONPatch", patch };
  return {
    apiVersion: "admission.k8s.io/v1",
    kind: "AdmissionReview",
    response: { uid, allowed: true, ...change },
  };
}

function annotate(pod: Pod, name: string, value: string): PatchOperation[] {
  if (pod.metadata?.annotations === undefined) {
    return [{ op: "add", path: "/metadata/annotations", value: { [name]: value } }];
  }
  const escaped = name.replaceAll("~", "~0").replaceAll("/", "~1");
  return [{ op: "add", path: `/metadata/annotations/${escaped}`, value }];
}

/** CPU in whole millicores and memory in whole mebibytes, at least one of them. */
function scaleQuantity(quantity: string, resource: "cpu" | "memory", factor: number): string {
  const [, digits, suffix] = /^([0-9.]+(?:e[+-]?\d+)?)([A-Za-z]*)$/.exec(quantity) ?? [];
  const multiplier = SUFFIXES[suffix];
  if (digits === undefined || multiplier === undefined) {
    return quantity;
  }
  const scaled = Number(digits) * multiplier * factor;
  return resource === "cpu"
    ? `${Math.max(1, Math.ceil(scaled * 1000))}m`
    : `${Math.max(1, Math.ceil(scaled / SUFFIXES.Mi))}Mi`;
}
