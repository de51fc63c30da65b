import * as fs from "node:fs";
import type { IncomingMessage } from "node:http";
import * as https from "node:https";
import { text } from "node:stream/consumers";

import { formatLabels } from "./flags.ts";
import { askPod } from "./podClient.ts";
import type { Cluster, ConfigMap, Deployment, Labels, Pod } from "./ports.ts";

/** Where Kubernetes mounts the pod's credentials for the API server. */
const account = "/var/run/secrets/kubernetes.io/serviceaccount";
/** Milliseconds until a request is given up. */
const timeout = 10_000;

/** The API server, as this pod's service account sees it, in this pod's namespace. */
export class KubernetesClient implements Cluster {
    private readonly namespace = fs.readFileSync(`${account}/namespace`, "utf8");

    configMap(name: string): Promise<ConfigMap> {
        return this.request("GET", "/api/v1", `configmaps/${name}`);
    }

    async patchConfigMap({ metadata }: ConfigMap, data: Record<string, string>): Promise<void> {
        const { name, resourceVersion } = metadata;
        await this.request("PATCH", "/api/v1", `configmaps/${name}`, { metadata: { resourceVersion }, data });
    }

    async pods(labels: Labels): Promise<Pod[]> {
        const selector = formatLabels(labels).join(",");
        const pods = await this.list<Pod>("/api/v1", `pods?labelSelector=${encodeURIComponent(selector)}`);
        return pods.filter(({ status }) => !["Succeeded", "Failed"].includes(status.phase));
    }

    readonly askPod = askPod;

    async deployments(labels: Labels): Promise<Deployment[]> {
        const deployments = await this.list<Deployment>("/apis/apps/v1", "deployments");
        return deployments.filter(({ spec }) =>
            Object.entries(labels).every(([name, value]) => spec.selector.matchLabels?.[name] === value),
        );
    }

    async annotatePods({ metadata }: Deployment, annotations: Record<string, string>): Promise<void> {
        const patch = { spec: { template: { metadata: { annotations } } } };
        await this.request("PATCH", "/apis/apps/v1", `deployments/${metadata.name}`, patch);
    }

    private async list<T>(api: string, resource: string): Promise<T[]> {
        return (await this.request<{ items: T[] }>("GET", api, resource)).items;
    }

    private request<T>(method: "GET" | "PATCH", api: string, resource: string, patch?: object): Promise<T> {
        const path = `${api}/namespaces/${this.namespace}/${resource}`;
        const name = `${method} ${path}`;
        return new Promise((resolve, reject) => {
            const request = https.request({
                host: process.env.KUBERNETES_SERVICE_HOST,
                port: process.env.KUBERNETES_SERVICE_PORT,
                ca: fs.readFileSync(`${account}/ca.crt`),
                method,
                path: patch ? `${path}?fieldManager=homelab-registry-collector` : path,
                headers: {
                    // Read for each request: Kubernetes replaces it every hour.
                    Authorization: `Bearer ${fs.readFileSync(`${account}/token`, "utf8")}`,
                    ...(patch && { "Content-Type": "application/merge-patch+json" }),
                },
                timeout,
            });
            request.on("response", (response) => {
                readJson<T>(response, name).then(resolve, reject);
            });
            request.on("timeout", () => request.destroy(new Error(`Kubernetes does not respond to ${name}.`)));
            request.on("error", reject);
            request.end(patch && JSON.stringify(patch));
        });
    }
}

/** @throws if the response is not a success */
async function readJson<T>(response: IncomingMessage, request: string): Promise<T> {
    const body = await text(response);
    if (response.statusCode !== 200) {
        throw new Error(`Kubernetes responds ${response.statusCode} to ${request}: ${body.slice(0, 500)}`);
    }
    return JSON.parse(body) as T;
}
