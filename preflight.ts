import * as fs from "node:fs";
import * as net from "node:net";
import * as os from "node:os";
import * as path from "node:path";

import * as pulumi from "@pulumi/pulumi";
import { parse } from "yaml";

import { parseHostPort } from "./components/hostPort";
import { userError } from "./components/userError";
import { StackConfiguration } from "./config";

/** Milliseconds that the cluster and Minio are given to accept a connection. */
const patience = 5000;

/**
 * Checks that the cluster and Minio answer, so that an update changes nothing at all if one of them is away. A preview,
 * which needs the state only, goes on with a warning.
 *
 * @throws pulumi.RunError naming each that is away, and where it was looked for
 */
export async function checkReach(configuration: StackConfiguration): Promise<void> {
    const cluster = findCluster(configuration.kubeContext);
    // Through a proxy, which the providers use, an address cannot be asked from here.
    const ask = process.env.HTTPS_PROXY || process.env.https_proxy ? () => undefined : problemOf;
    const away = (
        await Promise.all([
            cluster.problem ??
                (cluster.address &&
                    ask(
                        "The cluster",
                        cluster.address,
                        configuration.kubeContext ? "kubeContext" : "your kubeconfig's current context",
                    )),
            configuration.minio &&
                ask("Minio", configuration.minio.server, "minioServer, or bucketEndpoint where that is empty"),
        ])
    ).filter((problem) => problem !== undefined);
    if (away.length === 0) {
        return;
    }
    if (!pulumi.runtime.isDryRun()) {
        throw userError([...away, "Nothing was changed."].join("\n"));
    }
    await pulumi.log.warn(
        [...away, "This preview is made from the state alone; an update would stop here."].join("\n"),
    );
}

/**
 * Compares with what the last update deployed: refuses a change that would leave the images behind or take the registry away, and
 * warns of one that clients have to follow.
 *
 * @throws pulumi.RunError with what to do instead
 */
export async function checkChange(configuration: StackConfiguration): Promise<void> {
    const last = await lastUpdate<{ bucket?: string; host?: string }>("readStackOutputs", "name");
    const [keepsNamespace, isTraefik] = [
        configuration.registry.createNamespace === false,
        configuration.registry.ingress?.className === "traefik",
    ];
    // All that is deployed: read only where it is asked for.
    const resources =
        keepsNamespace || isTraefik
            ? await lastUpdate<Record<string, { outputs: { spec?: { ingressClassName?: string } } }>>(
                  "readStackResourceOutputs",
                  "stackName",
              )
            : {};
    if (keepsNamespace && Object.keys(resources).some((urn) => urn.includes("$kubernetes:core/v1:Namespace::"))) {
        throw userError(
            [
                "createNamespace: false, but this stack created the namespace: it would be deleted, with the registry in it.",
                "Set createNamespace back to true; a namespace of your own is for a new stack.",
                "Nothing was changed.",
            ].join("\n"),
        );
    }
    if (isTraefik) {
        const wasSo = Object.entries(resources).some(
            ([urn, resource]) =>
                urn.endsWith("networking.k8s.io/v1:Ingress::registry") &&
                resource?.outputs.spec?.ingressClassName === "traefik",
        );
        if (!wasSo) {
            await pulumi.log.warn(
                "ingressClassName: Traefik cuts off a push that is still sending after 60 s, unless its entry point is told otherwise, and http is " +
                    "for its entry points to lead to https. docs/exposure.md has the lines.",
            );
        }
    }
    const {
        host,
        bucket: { name: bucket },
    } = configuration.registry as { host: string; bucket: { name: string } };
    if (last.bucket && last.bucket !== bucket) {
        const left = `bucketName: "${bucket}" is another bucket than "${last.bucket}", which holds the images`;
        if (configuration.minio) {
            throw userError(
                [
                    `${left}. They would stay there, and the registry be empty.`,
                    `Set bucketName back to ${last.bucket}; docs/operations.md says how to take the images to another bucket.`,
                    "Nothing was changed.",
                ].join("\n"),
            );
        }
        await pulumi.log.warn(`${left} until now: the registry has only those that are in the new one.`);
    }
    if (last.host && last.host !== host) {
        await pulumi.log.warn(
            `host: it was "${last.host}", which will not answer any more. Clients log in to "${host}" from now on, and ` +
                "the names of images begin with it: in pods, in compose files, in CI.",
        );
    }
}

/** What the stack's last update gave out, by a function of the engine and the argument that names the stack; nothing before the first. */
async function lastUpdate<T>(read: string, argument: string): Promise<Partial<T>> {
    const name = [pulumi.getOrganization(), pulumi.getProject(), pulumi.getStack()].join("/");
    const { outputs } = (await pulumi.runtime.invoke(`pulumi:pulumi:${read}`, { [argument]: name })) as { outputs?: T };
    return outputs ?? {};
}

/**
 * Host and port of the API server by the kubeconfig that the provider uses, or why there are none; neither for a program
 * that runs in the cluster itself, and for a cluster behind a proxy.
 */
function findCluster(context: string | undefined): { address?: string; problem?: string } {
    const files = (process.env.KUBECONFIG || path.join(os.homedir(), ".kube", "config")).split(path.delimiter);
    const configs: KubeConfig[] = [];
    for (const file of files.filter((file) => file && fs.existsSync(file))) {
        try {
            configs.push((parse(fs.readFileSync(file, "utf8")) as KubeConfig | null) ?? {});
        } catch {
            // What YAML says of it would show a line of it, with a token perhaps.
            return { problem: `The kubeconfig ${file} is not YAML.` };
        }
    }
    const contexts = configs.flatMap((config) => config.contexts ?? []);
    const contextName = context ?? configs.find((config) => config["current-context"])?.["current-context"];
    if (!contextName) {
        return process.env.KUBERNETES_SERVICE_HOST
            ? {}
            : {
                  problem: `There is no current context in a kubeconfig (${files.join(", ")}): set one, or the key kubeContext.`,
              };
    }
    const found = contexts.find(({ name }) => name === contextName);
    if (!found) {
        const known = contexts.map(({ name }) => name).join(", ") || "none";
        return {
            problem: `The context "${contextName}" is not in the kubeconfig (${files.join(", ")}); there are: ${known}.`,
        };
    }
    const cluster = configs
        .flatMap((config) => config.clusters ?? [])
        .find(({ name }) => name === found.context.cluster)?.cluster;
    if (!cluster || cluster["proxy-url"]) {
        return {};
    }
    const { hostname, port, protocol } = new URL(cluster.server);
    return { address: `${hostname}:${port || (protocol === "https:" ? 443 : 80)}` };
}

/** The part of a kubeconfig that says where the API server is. */
interface KubeConfig {
    "current-context"?: string;
    contexts?: { name: string; context: { cluster: string } }[];
    clusters?: { name: string; cluster: { server: string; "proxy-url"?: string } }[];
}

function problemOf(what: string, address: string, source: string): Promise<string | undefined> {
    return new Promise((resolve) => {
        const socket = net.connect(parseHostPort(address));
        const end = (reason?: string) => {
            socket.destroy();
            resolve(reason && `${what} does not answer at ${address} (${reason}). The address is that of ${source}.`);
        };
        socket.setTimeout(patience, () => end(`nothing within ${patience / 1000} s`));
        socket.once("connect", () => end());
        socket.once("error", (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
    });
}
