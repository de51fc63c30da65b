import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";

import { pki } from "./certificates";
import { runInGuest } from "./guest";
import { clusterDomain, dnsServiceAddress, host, hostDomain, inState, nodeAddress, nodes } from "./paths";

/** The root user of MinIO. Each sandbox has a new random password for it. */
export const minioUser = "homelab";
const minioPasswordFile = inState("secrets", "minio-password");
export const minioPassword = () => fs.readFileSync(minioPasswordFile, "utf8");

/** The file with the passphrase of the stack's secrets. */
export const passphraseFile = inState("secrets", "passphrase");

/** The CA certificates that clients in the guest trust, instead of the public ones. */
export const acmeRoot = inState("pki", "acme-root.crt");

/** The Deployments that the registry needs. */
export const addons = [
    { name: "coredns", namespace: "kube-system" },
    { name: "minio", namespace: "minio" },
    { name: "traefik", namespace: "traefik" },
    { name: "pebble", namespace: "pebble" },
    { name: "cert-manager", namespace: "cert-manager" },
];

const kubectl = (...args: string[]) => runInGuest(["kubectl", ...args]);

/** Creates the secrets of the sandbox. Existing ones stay. */
export function createSecrets(): void {
    fs.mkdirSync(inState("secrets"), { recursive: true, mode: 0o700 });
    for (const file of [minioPasswordFile, passphraseFile]) {
        if (!fs.existsSync(file)) {
            fs.writeFileSync(file, randomBytes(24).toString("hex"), { mode: 0o600 });
        }
    }
}

/** Masks the sandbox's own secrets, and further ones, in a text. */
export function maskSecrets(text: string, further: string[] = []): string {
    const own = [minioPasswordFile, passphraseFile]
        .filter((file) => fs.existsSync(file))
        .map((file) => fs.readFileSync(file, "utf8"));
    return [...own, ...further].reduce((masked, secret) => masked.replaceAll(secret, "[secret]"), text);
}

/** Seconds in which each part of the homelab has to be ready, also on a slow machine. */
const readySeconds = 300;

/** Waits until the API server responds and every node is ready. */
export async function waitForNodes(): Promise<void> {
    await retryUntil("the API server to respond", () => kubectl("get", "--raw", "/readyz"));
    await retryUntil("the nodes to be ready", () =>
        kubectl("wait", ...nodes.map(({ name }) => `node/${name}`), "--for=condition=Ready", "--timeout=1s"),
    );
}

/** Applies the manifests of all add-ons and the CRDs in the given folders. Unchanged objects stay as they are. */
export async function applyAddons(crds: string[]): Promise<void> {
    const values: Record<string, string> = {
        HOST_DOMAIN: hostDomain,
        NODE_ADDRESS: nodeAddress,
        DNS_ADDRESS: dnsServiceAddress,
        CLUSTER_DOMAIN: clusterDomain,
        CA_BUNDLE: fs.readFileSync(pki("ca.crt")).toString("base64"),
    };
    const namespaces = addons.map(({ namespace }) => namespace).filter((namespace) => namespace !== "kube-system");
    const secret = (namespace: string, name: string, stringData: Record<string, string>, type = "Opaque") => ({
        apiVersion: "v1",
        kind: "Secret",
        metadata: { namespace, name },
        type,
        stringData,
    });
    const file = (name: string) => fs.readFileSync(name, "utf8");
    const objects = [
        ...namespaces.map((name) => ({ apiVersion: "v1", kind: "Namespace", metadata: { name } })),
        secret("minio", "minio-root", { user: minioUser, password: minioPassword() }),
        secret(
            "pebble",
            "pebble-tls",
            { "tls.crt": file(pki("pebble.crt")), "tls.key": file(pki("pebble.key")) },
            "kubernetes.io/tls",
        ),
    ];
    // Lines with braces are Helm templates.
    const definitions = crds.flatMap((folder) =>
        fs
            .readdirSync(folder)
            .filter((name) => name.endsWith(".yaml"))
            .map((name) =>
                file(path.join(folder, name))
                    .split("\n")
                    .filter((line) => !line.includes("{{"))
                    .join("\n"),
            ),
    );
    const folder = path.join(__dirname, "manifests");
    const manifests = fs
        .readdirSync(folder)
        .map((name) => file(path.join(folder, name)).replace(/\$\{(\w+)\}/g, (_, key: string) => values[key]!));
    const apply = (documents: string[]) =>
        runInGuest(["kubectl", "apply", "--server-side", "--force-conflicts", "--filename", "-"], {
            input: documents.join("\n---\n"),
        });
    await apply([...objects.map((object) => JSON.stringify(object)), ...definitions]);
    await kubectl("wait", "--for=condition=Established", "crd", "--all", `--timeout=${readySeconds}s`);
    await apply(manifests);
}

/** Waits until all add-ons are ready. */
export async function waitForAddons(): Promise<void> {
    await Promise.all(
        addons.map(({ name, namespace }) =>
            kubectl("rollout", "status", `deployment/${name}`, "--namespace", namespace, `--timeout=${readySeconds}s`),
        ),
    );
    await waitForIssuer();
}

const waitForIssuer = () =>
    retryUntil("the ClusterIssuer to be registered", () =>
        kubectl("wait", "clusterissuer/letsencrypt-prod", "--for=condition=Ready", "--timeout=1s"),
    );

/** Makes the guest trust the CA of the ACME server, which creates a new one at each start. */
export async function trustAcmeServer(): Promise<void> {
    // Right after a restart of the node, its Deployment still reports the state before it, so a retry is needed.
    const root = await retryUntil("the ACME server to respond", () =>
        runInGuest([
            "curl",
            "--silent",
            "--show-error",
            "--fail",
            "--max-time",
            "5",
            "--cacert",
            pki("ca.crt"),
            `https://pebble.pebble.svc.${clusterDomain}:15000/roots/0`,
        ]),
    );
    const known = fs.existsSync(acmeRoot) ? fs.readFileSync(acmeRoot, "utf8") : "";
    if (!known.includes(root)) {
        fs.appendFileSync(acmeRoot, root);
        if (known) {
            // The server has lost its accounts too. cert-manager registers again after its own record is removed.
            await kubectl(
                "patch",
                "clusterissuer/letsencrypt-prod",
                "--subresource=status",
                "--type=merge",
                "--patch",
                JSON.stringify({ status: { acme: { uri: "" }, conditions: [] } }),
            );
            await waitForIssuer();
        }
    }
    await runInGuest([
        "sh",
        "-ec",
        `
        # The guest has no access to servers with certificates of other CAs.
        mkdir -p /etc/ssl/certs
        cp "$0" /etc/ssl/certs/ca-certificates.crt
        for folder in /etc/docker/certs.d/${host} /etc/containerd/certs.d/${host}; do
            mkdir -p $folder
            cp "$0" $folder/ca.crt
        done
        printf 'server = "https://${host}"\\n[host."https://${host}"]\\nca = "ca.crt"\\n' \\
            > /etc/containerd/certs.d/${host}/hosts.toml
    `,
        acmeRoot,
    ]);
}

/**
 * Repeats an attempt every quarter of a second until it succeeds.
 *
 * @throws after `readySeconds`, with the error of the last attempt as its cause
 */
export async function retryUntil<T>(what: string, attempt: () => Promise<T>): Promise<T> {
    const end = Date.now() + readySeconds * 1000;
    for (;;) {
        try {
            return await attempt();
        } catch (error) {
            if (Date.now() > end) {
                throw new Error(`Waited ${readySeconds} s for ${what}, without success. The last error:`, {
                    cause: error,
                });
            }
            await new Promise((resolve) => setTimeout(resolve, 250));
        }
    }
}
