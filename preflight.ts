import * as fs from "node:fs";
import * as net from "node:net";
import * as os from "node:os";
import * as path from "node:path";

import * as pulumi from "@pulumi/pulumi";
import { parse } from "yaml";

import { Site } from "./config";

/** Milliseconds that the cluster and Minio are given to accept a connection. */
const patience = 5000;

/**
 * Checks that the cluster and Minio answer, so that an update changes nothing at all if one of them is away. A preview,
 * which needs the state only, goes on with a warning.
 *
 * @throws pulumi.RunError naming each that is away, and where it was looked for
 */
export async function checkReach(site: Site): Promise<void> {
    const cluster = findCluster(site.kubeContext);
    const away = (await Promise.all([
        cluster && problemOf("The cluster", cluster, site.kubeContext ? "kubeContext" : "your kubeconfig's current context"),
        problemOf("Minio", site.minio.server, "minioServer, or bucketEndpoint where that is empty"),
    ])).filter((problem) => problem !== undefined);
    if (away.length === 0) {
        return;
    }
    if (!pulumi.runtime.isDryRun()) {
        throw new pulumi.RunError([...away, "Nothing was changed."].join("\n"));
    }
    await pulumi.log.warn([...away, "This preview is made from the state alone; an update would stop here."].join("\n"));
}

/** Host and port of the API server by the kubeconfig that the provider uses, if there is one and it needs no proxy. */
function findCluster(context: string | undefined): string | undefined {
    const files = (process.env.KUBECONFIG ?? path.join(os.homedir(), ".kube", "config")).split(path.delimiter);
    const configs = files.filter((file) => fs.existsSync(file)).map((file) => parse(fs.readFileSync(file, "utf8")) as KubeConfig);
    const contextName = context ?? configs.find((config) => config["current-context"])?.["current-context"];
    const clusterName = configs.flatMap((config) => config.contexts ?? []).find(({ name }) => name === contextName)?.context.cluster;
    const cluster = configs.flatMap((config) => config.clusters ?? []).find(({ name }) => name === clusterName)?.cluster;
    if (!cluster || cluster["proxy-url"]) {
        return undefined;
    }
    const { hostname, port, protocol } = new URL(cluster.server);
    return `${hostname}:${port || (protocol === "https:" ? 443 : 80)}`;
}

/** The part of a kubeconfig that says where the API server is. */
interface KubeConfig {
    "current-context"?: string;
    contexts?: { name: string; context: { cluster: string } }[];
    clusters?: { name: string; cluster: { server: string; "proxy-url"?: string } }[];
}

function problemOf(what: string, address: string, source: string): Promise<string | undefined> {
    const [, host, port] = /^\[?(.*?)\]?:(\d+)$/.exec(address) ?? [];
    return new Promise((resolve) => {
        const socket = net.connect({ host, port: Number(port) });
        const end = (reason?: string) => {
            socket.destroy();
            resolve(reason && `${what} does not answer at ${address} (${reason}). The address is that of ${source}.`);
        };
        socket.setTimeout(patience, () => end(`nothing within ${patience / 1000} s`));
        socket.once("connect", () => end());
        socket.once("error", (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
    });
}
