import { GoogleError } from "./errors";
import { StorageResource } from "./permissions";

/** What a request to the JSON API, or a read through the XML API, does, and the permissions it takes. */
export interface StorageOperation {
  readonly bucket: string;
  readonly needs: readonly { readonly permission: string; readonly resource: StorageResource }[];
  /** The bucket is described from the double's own record, not by the object store. */
  readonly answeredHere?: boolean;
  readonly testsPermissions?: boolean;
}

const BUCKET = /^\/storage\/v1\/b\/([^/]+)(\/iam\/testPermissions)?$/;
const OBJECTS = /^(?:\/upload|\/resumable\/upload)?\/storage\/v1\/b\/([^/]+)\/o$/;
const OBJECT = /^(?:\/download)?\/storage\/v1\/b\/([^/]+)\/o\/([^/]+)$/;
const COPY = /^\/storage\/v1\/b\/([^/]+)\/o\/([^/]+)\/(?:copyTo|rewriteTo)\/b\/([^/]+)\/o\/([^/]+)$/;
/** https://cloud.google.com/storage/docs/xml-api/get-object-download, as Google's Go client reads. */
const XML_OBJECT = /^\/(?!storage\/|upload\/|download\/|resumable\/)([^/]+)\/(.+)$/;
const COMPOSE = /^\/storage\/v1\/b\/([^/]+)\/o\/([^/]+)\/compose$/;

const OBJECT_PERMISSIONS: Readonly<Record<string, string>> = {
  GET: "storage.objects.get",
  DELETE: "storage.objects.delete",
  PATCH: "storage.objects.update",
  PUT: "storage.objects.update",
};

/** @throws GoogleError 501 for what the JSON API has but the rehearsal does not */
export function storageOperation(
  method: string,
  url: URL,
  contentType: string | undefined,
  body: Buffer,
): StorageOperation {
  const match = (path: RegExp) => path.exec(url.pathname)?.map((part) => part && decodeURIComponent(part));
  const need = (permission: string, bucket: string, object?: string) => ({
    permission,
    resource: { bucket, object },
  });

  const ofBucket = match(BUCKET);
  if (ofBucket && method === "GET") {
    const [, bucket, tests] = ofBucket;
    if (tests) return { bucket, needs: [], answeredHere: true, testsPermissions: true };
    return { bucket, needs: [need("storage.buckets.get", bucket)], answeredHere: true };
  }
  const ofObjects = match(OBJECTS);
  if (ofObjects && method === "GET") {
    return { bucket: ofObjects[1], needs: [need("storage.objects.list", ofObjects[1])] };
  }
  if (ofObjects && method === "POST") {
    const [, bucket] = ofObjects;
    const object = url.searchParams.get("name") ?? uploadedName(contentType, body);
    return { bucket, needs: [need("storage.objects.create", bucket, object)] };
  }
  const ofObject = match(OBJECT);
  if (ofObject && OBJECT_PERMISSIONS[method]) {
    const [, bucket, object] = ofObject;
    return { bucket, needs: [need(OBJECT_PERMISSIONS[method], bucket, object)] };
  }
  const copy = match(COPY);
  if (copy && method === "POST") {
    const [, source, sourceObject, bucket, object] = copy;
    return {
      bucket,
      needs: [
        need("storage.objects.get", source, sourceObject),
        need("storage.objects.create", bucket, object),
      ],
    };
  }
  const compose = match(COMPOSE);
  if (compose && method === "POST") {
    const [, bucket, object] = compose;
    const sources: { name: string }[] = JSON.parse(body.toString("utf8")).sourceObjects ?? [];
    const reads = sources.map(({ name }) => need("storage.objects.get", bucket, name));
    return { bucket, needs: [...reads, need("storage.objects.create", bucket, object)] };
  }
  const read = match(XML_OBJECT);
  if (read && method === "GET") {
    const [, bucket, object] = read;
    return { bucket, needs: [need("storage.objects.get", bucket, object)] };
  }
  throw new GoogleError(501, `${method} ${url.pathname} is not rehearsed.`);
}

/** The object's name in the metadata of an upload: the whole body, or the first part of a multipart one. */
function uploadedName(contentType = "", body: Buffer): string {
  const text = body.toString("latin1");
  const boundary = /boundary="?([^";]+)"?/i.exec(contentType)?.[1];
  const part = boundary ? (text.split(`--${boundary}`)[1] ?? "") : text;
  const start = part.indexOf("{");
  const end = part.lastIndexOf("}");
  const metadata = Buffer.from(part.slice(start, end + 1), "latin1").toString("utf8");
  const name = start === -1 ? undefined : JSON.parse(metadata).name;
  if (!name) throw new GoogleError(400, "Required parameter: name", { reason: "required" });
  return name;
}
