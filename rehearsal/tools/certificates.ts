import { generateKeyPairSync, randomBytes } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { isIP } from "node:net";
import { dirname } from "node:path";
import { runCommand } from "./command";

/** A certificate and its private key, both PEM files. */
export interface CertificateFiles {
  readonly certificate: string;
  readonly key: string;
}

export interface Subject {
  /** User name when Kubernetes reads a client certificate. */
  readonly commonName: string;
  /** Group when Kubernetes reads a client certificate. */
  readonly organization?: string;
  /** DNS names and IP addresses that a server's certificate is valid for. */
  readonly names?: readonly string[];
}

const AUTHORITY_EXTENSIONS = `
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign, digitalSignature
subjectKeyIdentifier = hash
`;

const LEAF_EXTENSIONS = `
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth, clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
`;

/** Makes a certificate authority that signs its own certificate. */
export async function createAuthority(files: CertificateFiles, commonName: string): Promise<void> {
  const config = writeConfig(files, { commonName }, AUTHORITY_EXTENSIONS);
  writePrivateKey(files.key);
  await openssl([
    ...["req", "-x509", "-new", "-key", files.key, "-out", files.certificate],
    ...["-days", "3650", "-config", config, "-extensions", "extensions"],
  ]);
}

/** Makes a certificate for a server or a client, signed by an authority. */
export async function issueCertificate(
  authority: CertificateFiles,
  files: CertificateFiles,
  subject: Subject,
): Promise<void> {
  const names = (subject.names ?? []).map((name) => `${isIP(name) ? "IP" : "DNS"}:${name}`);
  const alternatives = names.length === 0 ? "" : `subjectAltName = ${names.join(", ")}\n`;
  const config = writeConfig(files, subject, LEAF_EXTENSIONS + alternatives);
  const request = `${files.certificate}.csr`;
  writePrivateKey(files.key);
  await openssl(["req", "-new", "-key", files.key, "-out", request, "-config", config]);
  await openssl([
    ...["x509", "-req", "-in", request, "-out", files.certificate, "-days", "3650"],
    ...["-CA", authority.certificate, "-CAkey", authority.key, "-set_serial", serialNumber()],
    ...["-extfile", config, "-extensions", "extensions"],
  ]);
}

/** An elliptic-curve key in PEM form, readable by its owner only. */
export function writePrivateKey(file: string): { publicKey: string } {
  const { privateKey, publicKey } = generateKeyPairSync("ec", {
    namedCurve: "P-256",
    publicKeyEncoding: { type: "spki", format: "pem" },
    // kube-apiserver and openssl both read the older SEC1 form.
    privateKeyEncoding: { type: "sec1", format: "pem" },
  });
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, privateKey, { mode: 0o600 });
  return { publicKey };
}

function writeConfig(files: CertificateFiles, subject: Subject, extensions: string): string {
  const config = `${files.certificate}.cnf`;
  const organization = subject.organization === undefined ? "" : `O = ${subject.organization}\n`;
  mkdirSync(dirname(config), { recursive: true });
  writeFileSync(
    config,
    `[req]\ndistinguished_name = subject\nprompt = no\n\n` +
      `[subject]\n${organization}CN = ${subject.commonName}\n\n[extensions]${extensions}`,
  );
  return config;
}

function serialNumber(): string {
  return `0x${randomBytes(15).toString("hex")}`;
}

async function openssl(args: readonly string[]): Promise<void> {
  await runCommand("openssl", args);
}
