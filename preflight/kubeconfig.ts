import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { parse } from "yaml";

/** The part of a kubeconfig that contains the address of the API server. */
interface KubeConfig {
    "current-context"?: string;
    contexts?: { name: string; context: { cluster: string } }[];
    clusters?: { name: string; cluster: { server?: string; "proxy-url"?: string } }[];
}

/**
 * Finds host and port of the API server in the kubeconfig that the provider uses. There is neither an address nor an
 * error if the program runs in the cluster, or if the kubeconfig has no such cluster, or a proxy for it.
 */
export function findCluster(context: string | undefined): { address?: string; error?: string } {
    const files = (process.env.KUBECONFIG || path.join(os.homedir(), ".kube", "config")).split(path.delimiter);
    const configs: KubeConfig[] = [];
    for (const file of files.filter((file) => file && fs.existsSync(file))) {
        try {
            configs.push((parse(fs.readFileSync(file, "utf8")) as KubeConfig | null) ?? {});
        } catch (error) {
            // The parser's message would show a line of the file, which may contain a token.
            const { syscall, code } = error as NodeJS.ErrnoException;
            const problem = syscall ? `cannot be read (${code})` : "is not valid YAML";
            return { error: `The kubeconfig ${file} ${problem}.` };
        }
    }
    const name = context ?? configs.find((config) => config["current-context"])?.["current-context"];
    if (!name) {
        const error =
            `No kubeconfig (${files.join(", ")}) has a current context. Set one, or set kubeContext. ` +
            "On a k3s server, run as root: export KUBECONFIG=/etc/rancher/k3s/k3s.yaml";
        return process.env.KUBERNETES_SERVICE_HOST ? {} : { error };
    }
    const contexts = configs.flatMap((config) => config.contexts ?? []);
    const found = contexts.find((candidate) => candidate.name === name);
    if (!found) {
        const known = contexts.map((candidate) => candidate.name).join(", ") || "none";
        return { error: `The kubeconfig (${files.join(", ")}) has no context "${name}". It has: ${known}.` };
    }
    const cluster = configs
        .flatMap((config) => config.clusters ?? [])
        .find((candidate) => candidate.name === found.context.cluster)?.cluster;
    if (!cluster?.server || cluster["proxy-url"]) {
        return {};
    }
    // Kubernetes' clients also accept host:port.
    const { server } = cluster;
    const { hostname, port, protocol } = new URL(server.includes("://") ? server : `https://${server}`);
    return { address: `${hostname}:${port || (protocol === "https:" ? 443 : 80)}` };
}
