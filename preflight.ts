import * as fs from "node:fs";
import * as net from "node:net";
import * as os from "node:os";
import * as path from "node:path";

import * as pulumi from "@pulumi/pulumi";
import { parse } from "yaml";

import { parseHostPort } from "./components/hostPort";
import { userError } from "./components/userError";
import { StackConfiguration } from "./config";

/** Milliseconds in which the cluster and MinIO must accept a connection. */
const connectTimeout = 5000;

function rejectUpdate(...lines: string[]): never {
    throw userError([...lines, "Nothing was changed."].join("\n"));
}

/**
 * Checks that the cluster and MinIO respond, so that an update changes nothing if one of them is unreachable. A preview
 * needs only the state, and continues with a warning.
 *
 * @throws pulumi.RunError that names what is unreachable, its address, and where the address comes from
 */
export async function checkConnections({ kubeContext, minio }: StackConfiguration): Promise<void> {
    const cluster = findCluster(kubeContext);
    const contextSource = kubeContext ? "kubeContext" : "the current context of your kubeconfig";
    // The providers use a proxy if there is one, and then this machine may not reach the addresses itself.
    const hasProxy = Boolean(process.env.HTTPS_PROXY || process.env.https_proxy);
    const connect = hasProxy ? () => Promise.resolve(undefined) : tryToConnect;
    const errors = await Promise.all([
        Promise.resolve(cluster.error),
        connect("The cluster", cluster.address, contextSource),
        connect("MinIO", minio?.server, "minioServer, or bucketEndpoint if that is not set"),
    ]);
    const unreachable = errors.filter((error) => error !== undefined);
    if (unreachable.length > 0 && !pulumi.runtime.isDryRun()) {
        rejectUpdate(...unreachable);
    }
    if (unreachable.length > 0) {
        const consequence = "This preview uses only the state; an update would stop here.";
        await pulumi.log.warn([...unreachable, consequence].join("\n"));
    }
}

/**
 * Compares the configuration with the stack's last update. Rejects a change that would leave the images behind or
 * delete the registry, and warns of one that clients must follow.
 *
 * @throws pulumi.RunError that says what to do instead
 */
export async function checkChanges({ registry, minio }: StackConfiguration): Promise<void> {
    const last = await readLastUpdate<{ bucket: string; host: string }>("readStackOutputs", "name");
    const keepsNamespace = registry.createNamespace === false;
    const isTraefik = registry.ingress?.className === "traefik";
    // All resources of the stack: read them only if they are needed.
    const readResources = () => readLastUpdate<Record<string, Deployed>>("readStackResourceOutputs", "stackName");
    const resources = keepsNamespace || isTraefik ? await readResources() : {};
    if (keepsNamespace) {
        checkNamespace(resources);
    }
    if (isTraefik && !hadTraefik(resources)) {
        await pulumi.log.warn(
            "ingressClassName: Traefik cuts off a push that is still sending after 60 s, and does not redirect http " +
                "to https, unless its entry points are configured so. docs/exposure.md has the settings.",
        );
    }
    const { host, bucket } = registry as { host: string; bucket: { name: string } };
    if (last.bucket && last.bucket !== bucket.name) {
        await checkBucket(last.bucket, bucket.name, minio !== undefined);
    }
    if (last.host && last.host !== host) {
        await pulumi.log.warn(
            `host: was "${last.host}", which stops responding. Clients must log in to "${host}", and the names of ` +
                "images begin with it: change them in pods, in compose files and in CI.",
        );
    }
}

/** What this program reads of a deployed resource. */
interface Deployed {
    outputs: { spec?: { ingressClassName?: string } };
}

/** Rejects `createNamespace: false` in a stack that created its namespace. */
function checkNamespace(resources: Partial<Record<string, Deployed>>): void {
    if (Object.keys(resources).some((urn) => urn.includes("$kubernetes:core/v1:Namespace::"))) {
        rejectUpdate(
            "createNamespace: false would delete the namespace, which this stack created, and the registry in it.",
            "Set createNamespace to true. Only a new stack can use an existing namespace.",
        );
    }
}

/** Whether the stack's Ingress already had the class `traefik`, so that the owner has seen the warning. */
function hadTraefik(resources: Partial<Record<string, Deployed>>): boolean {
    const ingress = Object.entries(resources).find(([urn]) => urn.endsWith("networking.k8s.io/v1:Ingress::registry"));
    return ingress?.[1]?.outputs.spec?.ingressClassName === "traefik";
}

/** Rejects another bucket, which would be empty; warns if it is an existing one. */
async function checkBucket(last: string, name: string, isCreated: boolean): Promise<void> {
    const change = `bucketName: "${name}" is not the bucket "${last}", which stores the images`;
    if (isCreated) {
        rejectUpdate(
            `${change}. The registry would be empty.`,
            `Set bucketName to ${last}. To move the images to another bucket, see docs/operations.md.`,
        );
    }
    await pulumi.log.warn(`${change} until now. The registry will have only the images of the new bucket.`);
}

/**
 * Reads the outputs of the stack's last update; empty before the first one. A StackReference would be a resource of the
 * stack, so this calls the engine's functions behind it.
 *
 * @param argument that names the stack
 */
async function readLastUpdate<T>(read: string, argument: string): Promise<Partial<T>> {
    const name = [pulumi.getOrganization(), pulumi.getProject(), pulumi.getStack()].join("/");
    const { outputs } = (await pulumi.runtime.invoke(`pulumi:pulumi:${read}`, { [argument]: name })) as { outputs?: T };
    return outputs ?? {};
}

/** The part of a kubeconfig that contains the address of the API server. */
interface KubeConfig {
    "current-context"?: string;
    contexts?: { name: string; context: { cluster: string } }[];
    clusters?: { name: string; cluster: { server: string; "proxy-url"?: string } }[];
}

/**
 * Finds host and port of the API server in the kubeconfig that the provider uses. There is neither an address nor an
 * error if the program runs in the cluster, or if the kubeconfig has a proxy for it.
 */
function findCluster(context: string | undefined): { address?: string; error?: string } {
    const files = (process.env.KUBECONFIG || path.join(os.homedir(), ".kube", "config")).split(path.delimiter);
    const configs: KubeConfig[] = [];
    for (const file of files.filter((file) => file && fs.existsSync(file))) {
        try {
            configs.push((parse(fs.readFileSync(file, "utf8")) as KubeConfig | null) ?? {});
        } catch {
            // The parser's message would show a line of the file, which may contain a token.
            return { error: `The kubeconfig ${file} is not valid YAML.` };
        }
    }
    const name = context ?? configs.find((config) => config["current-context"])?.["current-context"];
    if (!name) {
        const error = `No kubeconfig (${files.join(", ")}) has a current context. Set one, or set kubeContext.`;
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
    if (!cluster || cluster["proxy-url"]) {
        return {};
    }
    const { hostname, port, protocol } = new URL(cluster.server);
    return { address: `${hostname}:${port || (protocol === "https:" ? 443 : 80)}` };
}

/** Connects to an address if there is one. Resolves to why that failed, or to undefined. */
function tryToConnect(what: string, address: string | undefined, source: string): Promise<string | undefined> {
    if (address === undefined) {
        return Promise.resolve(undefined);
    }
    return new Promise((resolve) => {
        const socket = net.connect(parseHostPort(address));
        const end = (reason?: string) => {
            socket.destroy();
            resolve(reason && `${what} does not respond at ${address} (${reason}). The address comes from ${source}.`);
        };
        socket.setTimeout(connectTimeout, () => end(`no connection within ${connectTimeout / 1000} s`));
        socket.once("connect", () => end());
        socket.once("error", (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
    });
}
