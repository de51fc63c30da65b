import { execFileSync } from "node:child_process";
import * as fs from "node:fs";

import { apiServiceAddress, clusterDomain, inState, nodeAddress, nodes } from "./paths";

/** The subject of a certificate. */
interface Subject {
    file: string;
    commonName: string;
    organization?: string;
    /** The alternative names of a server. */
    names?: string[];
}

const subjects: Subject[] = [
    {
        file: "kube-apiserver",
        commonName: "kube-apiserver",
        names: [
            "DNS:kubernetes",
            "DNS:kubernetes.default",
            "DNS:kubernetes.default.svc",
            `DNS:kubernetes.default.svc.${clusterDomain}`,
            `IP:${apiServiceAddress}`,
            `IP:${nodeAddress}`,
            "IP:127.0.0.1",
        ],
    },
    { file: "kubelet-client", commonName: "kube-apiserver", organization: "system:masters" },
    { file: "admin", commonName: "admin", organization: "system:masters" },
    { file: "kube-controller-manager", commonName: "system:kube-controller-manager" },
    { file: "kube-scheduler", commonName: "system:kube-scheduler" },
    { file: "kube-proxy", commonName: "system:kube-proxy" },
    ...nodes.map(({ name, suffix, address }) => ({
        file: `kubelet${suffix}`,
        commonName: `system:node:${name}`,
        organization: "system:nodes",
        names: [`DNS:${name}`, `IP:${address}`],
    })),
    { file: "pebble", commonName: "pebble", names: [`DNS:pebble.pebble.svc.${clusterDomain}`] },
];

/** The path of a certificate or key. */
export const pki = (file: string) => inState("pki", file);

/** A CA that only the registry's image trusts, as the official image trusts public CAs. */
export const publicCa = "public-ca";

/** Creates the cluster's CA, its certificates, and a kubeconfig for each client. Existing files stay. */
export function createCertificates(): void {
    fs.mkdirSync(pki(""), { recursive: true, mode: 0o700 });
    const openssl = (...args: string[]) => execFileSync("openssl", args, { stdio: ["ignore", "ignore", "pipe"] });
    const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

    const createCa = (name: string, commonName: string) => {
        const files = ["-keyout", pki(`${name}.key`), "-out", pki(`${name}.crt`)];
        openssl("req", "-x509", ...newKey, "-days", "3650", "-subj", `/CN=${commonName}`, ...files);
    };

    if (!fs.existsSync(pki("service-accounts.key"))) {
        createCa("ca", "homelab sandbox");
        openssl("ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", pki("service-accounts.key"));
    }
    if (!fs.existsSync(pki(`${publicCa}.crt`))) {
        createCa(publicCa, "public CA of the sandbox");
    }
    for (const { file, commonName, organization, names } of subjects) {
        if (fs.existsSync(pki(`${file}.kubeconfig`))) {
            continue;
        }
        openssl(
            "req",
            "-x509",
            ...newKey,
            "-days",
            "3650",
            "-CA",
            pki("ca.crt"),
            "-CAkey",
            pki("ca.key"),
            "-subj",
            `${organization ? `/O=${organization}` : ""}/CN=${commonName}`,
            "-addext",
            "basicConstraints=critical,CA:FALSE",
            "-addext",
            "extendedKeyUsage=clientAuth,serverAuth",
            ...(names ? ["-addext", `subjectAltName=${names.join(",")}`] : []),
            "-keyout",
            pki(`${file}.key`),
            "-out",
            pki(`${file}.crt`),
        );
        fs.writeFileSync(pki(`${file}.kubeconfig`), kubeconfig(file), { mode: 0o600 });
    }
}

function kubeconfig(file: string): string {
    return JSON.stringify(
        {
            apiVersion: "v1",
            kind: "Config",
            "current-context": "sandbox",
            contexts: [{ name: "sandbox", context: { cluster: "sandbox", user: file } }],
            clusters: [
                {
                    name: "sandbox",
                    cluster: { server: "https://127.0.0.1:6443", "certificate-authority": pki("ca.crt") },
                },
            ],
            users: [
                { name: file, user: { "client-certificate": pki(`${file}.crt`), "client-key": pki(`${file}.key`) } },
            ],
        },
        null,
        2,
    );
}
