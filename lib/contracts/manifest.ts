/* eslint-disable @typescript-eslint/no-explicit-any -- Kubernetes decides what a field may hold, by the kind and its version. */

/** A value in a Kubernetes manifest: text, a number, a truth value, a list, fields, or a token of any of them. */
export type ManifestValue = any;

/** A piece of a Kubernetes manifest: its fields by name. */
export type ManifestPart = { [field: string]: any };
