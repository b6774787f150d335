/**
 * Errors as Google's APIs write them: an HTTP status, a canonical status name, a legacy reason and a message.
 *
 * The legacy `errors` list is what Terraform's google provider and the Python clients print ("..., badRequest"),
 * and what their retry rules look at.
 */
export interface ErrorDetail {
  readonly "@type": string;
  readonly [field: string]: unknown;
}

/** Which of Google's two error bodies an API writes: Cloud Storage leaves out the canonical status. */
export type ErrorStyle = "cloud" | "storage";

const CANONICAL: Record<number, { status: string; reason: string }> = {
  400: { status: "INVALID_ARGUMENT", reason: "badRequest" },
  401: { status: "UNAUTHENTICATED", reason: "authError" },
  403: { status: "PERMISSION_DENIED", reason: "forbidden" },
  404: { status: "NOT_FOUND", reason: "notFound" },
  409: { status: "ALREADY_EXISTS", reason: "alreadyExists" },
  412: { status: "FAILED_PRECONDITION", reason: "conditionNotMet" },
  429: { status: "RESOURCE_EXHAUSTED", reason: "rateLimitExceeded" },
  500: { status: "INTERNAL", reason: "backendError" },
  501: { status: "UNIMPLEMENTED", reason: "notImplemented" },
  503: { status: "UNAVAILABLE", reason: "backendError" },
};

export interface ErrorOptions {
  readonly status?: string;
  readonly reason?: string;
  readonly domain?: string;
  readonly details?: ErrorDetail[];
}

export class GoogleError extends Error {
  constructor(
    public readonly code: number,
    message: string,
    private readonly options: ErrorOptions = {},
  ) {
    super(message);
  }

  public body(style: ErrorStyle): object {
    const canonical = CANONICAL[this.code] ?? CANONICAL[500];
    const legacy = {
      message: this.message,
      domain: this.options.domain ?? "global",
      reason: this.options.reason ?? canonical.reason,
    };
    const error: Record<string, unknown> = { code: this.code, message: this.message, errors: [legacy] };
    if (style === "cloud") {
      error.status = this.options.status ?? canonical.status;
      if (this.options.details) error.details = this.options.details;
    }
    return { error };
  }
}

export function invalidArgument(message: string): GoogleError {
  return new GoogleError(400, message);
}

/** A request body that does not fit its message: the field is named as the API names it, in snake case. */
export function invalidPayload(description: string, field: string): GoogleError {
  return new GoogleError(400, `Invalid JSON payload received. ${description}`, {
    details: [
      { "@type": "type.googleapis.com/google.rpc.BadRequest", fieldViolations: [{ field, description }] },
    ],
  });
}

export function failedPrecondition(message: string): GoogleError {
  return new GoogleError(400, message, { status: "FAILED_PRECONDITION", reason: "failedPrecondition" });
}

export function permissionDenied(message: string): GoogleError {
  return new GoogleError(403, message);
}

export function notFound(message: string): GoogleError {
  return new GoogleError(404, message);
}

export function alreadyExists(message: string): GoogleError {
  return new GoogleError(409, message);
}

/** What a policy write gets whose etag is no longer the policy's. */
export function concurrentPolicyChange(): GoogleError {
  return new GoogleError(
    409,
    "There were concurrent policy changes. Please retry the whole read-modify-write with exponential backoff.",
    { status: "ABORTED", reason: "aborted" },
  );
}

export function preconditionFailed(message: string): GoogleError {
  return new GoogleError(412, message);
}

const SIGN_IN = "See https://developers.google.com/identity/sign-in/web/devconsole-project.";

export function missingCredentials(): GoogleError {
  return new GoogleError(
    401,
    "Request is missing required authentication credential. Expected OAuth 2 access token, login cookie " +
      `or other valid authentication credential. ${SIGN_IN}`,
    { reason: "required" },
  );
}

export function invalidCredentials(style: ErrorStyle): GoogleError {
  if (style === "storage") return new GoogleError(401, "Invalid Credentials");
  return new GoogleError(
    401,
    "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie " +
      `or other valid authentication credential. ${SIGN_IN}`,
  );
}

const API_TITLES: Record<string, string> = {
  "cloudbilling.googleapis.com": "Cloud Billing API",
  "cloudresourcemanager.googleapis.com": "Cloud Resource Manager API",
  "compute.googleapis.com": "Compute Engine API",
  "container.googleapis.com": "Kubernetes Engine API",
  "iam.googleapis.com": "Identity and Access Management (IAM) API",
  "serviceusage.googleapis.com": "Service Usage API",
  "storage.googleapis.com": "Cloud Storage API",
};

/** The answer of an API that is not enabled in the project. */
export function serviceDisabled(service: string, projectNumber: string): GoogleError {
  const title = API_TITLES[service] ?? service;
  const url = `https://console.developers.google.com/apis/api/${service}/overview?project=${projectNumber}`;
  return new GoogleError(
    403,
    `${title} has not been used in project ${projectNumber} before or it is disabled. Enable it by visiting ` +
      `${url} then retry. If you enabled this API recently, wait a few minutes for the action to propagate ` +
      "to our systems and retry.",
    {
      domain: "usageLimits",
      reason: "accessNotConfigured",
      details: [
        {
          "@type": "type.googleapis.com/google.rpc.Help",
          links: [{ description: "Google developers console API activation", url }],
        },
        {
          "@type": "type.googleapis.com/google.rpc.ErrorInfo",
          reason: "SERVICE_DISABLED",
          domain: "googleapis.com",
          metadata: { service, consumer: `projects/${projectNumber}` },
        },
      ],
    },
  );
}
