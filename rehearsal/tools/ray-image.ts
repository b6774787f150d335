import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { type Image, logFileOf } from "./artifact";
import { keyOf, type ToolCache } from "./cache";
import { runCommand } from "./command";
import { type ImageConfig, writeDockerArchive } from "./docker-archive";
import { installCommand, isRoot, missingPackages } from "./requirements";
import { GOOGLE_CLOUD_STORAGE_VERSION, RAY_VERSION } from "./versions";

const IMAGE_NAME = `rayproject/ray:${RAY_VERSION}`;

const DEBIAN_SUITE = "bookworm";

/** wget serves the operator's probes, procps Ray itself, python-is-python3 what people type. */
const DEBIAN_PACKAGES = ["ca-certificates", "procps", "python3", "python3-pip", "python-is-python3", "wget"];

const PYTHON_PACKAGES = [
  `ray[default,serve]==${RAY_VERSION}`,
  `google-cloud-storage==${GOOGLE_CLOUD_STORAGE_VERSION}`,
];

/** The user and group of the real image, as numbers, so that `runAsNonRoot` can be checked. */
const USER = "1000:100";

const CONFIG: ImageConfig = {
  User: USER,
  Env: [
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME=/home/ray",
    "LANG=C.UTF-8",
    "LC_ALL=C.UTF-8",
  ],
  Cmd: ["/bin/bash"],
  WorkingDir: "/home/ray",
};

/**
 * Fills the root folder. Arguments: root folder, the machine's certificates, the rehearsal's authority, then
 * whatever debootstrap is called with. The machine's own certificates only serve pip, behind a company proxy.
 */
const SCRIPT = `
root=$1 machine_certificates=$2 authority=$3
shift 3
debootstrap "$@"
cp /etc/resolv.conf /etc/hosts "$root/etc/"
cp "$machine_certificates" "$root/tmp/certificates.pem"
chroot "$root" pip install \
  --break-system-packages --no-cache-dir --root-user-action=ignore ${PYTHON_PACKAGES.map((p) => `'${p}'`).join(" ")}
cp "$authority" "$root/usr/local/share/ca-certificates/rehearsal.crt"
chroot "$root" update-ca-certificates
certifi=$(chroot "$root" python3 -c 'import certifi; print(certifi.where())')
cat "$authority" >> "$root$certifi"
echo 'ray:x:1000:100::/home/ray:/bin/bash' >> "$root/etc/passwd"
mkdir -p "$root/home/ray"
chown ${USER} "$root/home/ray"
rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/usr/share/doc/* "$root"/usr/share/locale/*
rm -f "$root/tmp/certificates.pem" "$root/etc/resolv.conf" "$root/etc/hosts"
`;

/** Ray as its pods expect it, made from Debian and PyPI under the name of the real image. */
export function rayImage(cache: ToolCache): Image {
  const archive = cache.path("images", "ray.tar");
  const missing = missingPackages();
  return {
    name: "ray-image",
    imageName: IMAGE_NAME,
    archive,
    key: keyOf(SCRIPT, JSON.stringify(CONFIG), DEBIAN_SUITE, DEBIAN_PACKAGES.join(), authorityOf(cache)),
    outputs: [archive],
    blockedBy: isRoot() ? blockedByPackages(missing) : "making the Ray image needs root (debootstrap)",
    build: () => build(cache, archive),
  };
}

async function build(cache: ToolCache, archive: string): Promise<void> {
  const root = cache.path("images", "ray.root");
  rmSync(root, { recursive: true, force: true });
  mkdirSync(root, { recursive: true });
  // A mirror is debootstrap's last argument; without one it takes Debian's own.
  const mirror = process.env.REHEARSAL_DEBIAN_MIRROR ? [process.env.REHEARSAL_DEBIAN_MIRROR] : [];
  const bootstrap = [
    "--variant=minbase",
    `--include=${DEBIAN_PACKAGES.join(",")}`,
    DEBIAN_SUITE,
    root,
    ...mirror,
  ];
  // In a mount namespace of its own an interrupted debootstrap leaves no mounted /proc behind.
  await runCommand(
    "unshare",
    [
      ...["--mount", "--pid", "--fork", "--kill-child", "sh", "-euc", SCRIPT, "ray-image"],
      ...[root, "/etc/ssl/certs/ca-certificates.crt", cache.authorityCertificate],
      ...bootstrap,
    ],
    { env: chrootEnvironment(), logFile: logFileOf(cache, "ray-image") },
  );
  await writeDockerArchive(archive, IMAGE_NAME, root, CONFIG, "keep");
  rmSync(root, { recursive: true });
}

/** Proxies and indexes pass; settings that name folders of this machine mean nothing inside the new root. */
function chrootEnvironment(): NodeJS.ProcessEnv {
  const passes =
    /^(https?_proxy|no_proxy|PIP_(INDEX_URL|EXTRA_INDEX_URL|TRUSTED_HOST|PROXY|DEFAULT_TIMEOUT))$/i;
  const passed = Object.entries(process.env).filter(([name]) => passes.test(name));
  return {
    ...Object.fromEntries(passed),
    LANG: "C.UTF-8",
    PATH: `${process.env.PATH}:/usr/sbin:/sbin`,
    PIP_CERT: "/tmp/certificates.pem",
  };
}

function blockedByPackages(missing: readonly string[]): string | undefined {
  return missing.length === 0 ? undefined : `missing Debian packages: ${installCommand(missing)}`;
}

function authorityOf(cache: ToolCache): string {
  return existsSync(cache.authorityCertificate) ? readFileSync(cache.authorityCertificate, "utf8") : "";
}
