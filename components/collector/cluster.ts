import * as fs from "node:fs";
import * as https from "node:https";

/** Where Kubernetes puts what a pod shows to the API server. */
const account = "/var/run/secrets/kubernetes.io/serviceaccount";

/** An object of Kubernetes, as far as it is looked at here. */
export interface Meta {
    name: string;
    resourceVersion: string;
    generation: number;
    deletionTimestamp?: string;
    annotations?: Record<string, string>;
}
export interface ConfigMap {
    metadata: Meta;
    data?: Record<string, string>;
}
export interface Pod {
    metadata: Meta;
    spec: { volumes: { configMap?: { name: string } }[] };
    status: { phase: string; conditions?: { type: string; status: string }[] };
}
export interface Deployment {
    metadata: Meta;
    spec: {
        replicas: number;
        selector: { matchLabels?: Record<string, string> };
        template: { metadata: { annotations?: Record<string, string> } };
    };
    status: { observedGeneration?: number; replicas?: number; updatedReplicas?: number; availableReplicas?: number };
}

export type Labels = Record<string, string>;

/** Milliseconds until a request is given up. */
const patience = 10_000;

/** The API server, as a pod sees it, in its own namespace and with the rights of its service account. */
export class Cluster {
    private readonly namespace = fs.readFileSync(`${account}/namespace`, "utf8");

    configMap(name: string): Promise<ConfigMap> {
        return this.request("GET", `/api/v1/namespaces/${this.namespace}/configmaps/${name}`);
    }

    /** Changes the data of a ConfigMap, unless somebody else has since it was read. */
    async patchConfigMap(
        { metadata: { name, resourceVersion } }: ConfigMap,
        data: Record<string, string>,
    ): Promise<ConfigMap> {
        return this.request("PATCH", `/api/v1/namespaces/${this.namespace}/configmaps/${name}`, {
            metadata: { resourceVersion },
            data,
        });
    }

    /** Those that run, or are about to; the ones that ended stay in the list for a while. */
    async pods(labels: Labels): Promise<Pod[]> {
        const selector = Object.entries(labels)
            .map((label) => label.join("="))
            .join(",");
        return (await this.list<Pod>("/api/v1", `pods?labelSelector=${encodeURIComponent(selector)}`)).filter(
            ({ status }) => !["Succeeded", "Failed"].includes(status.phase),
        );
    }

    /** Those whose pods have these labels; they themselves need have none. */
    async deployments(labels: Labels): Promise<Deployment[]> {
        return (await this.list<Deployment>("/apis/apps/v1", "deployments")).filter(({ spec }) =>
            Object.entries(labels).every(([name, value]) => spec.selector.matchLabels?.[name] === value),
        );
    }

    /** Replaces the pods of a Deployment by new ones with these annotations. */
    async annotatePods(deployment: Deployment, annotations: Record<string, string>): Promise<void> {
        await this.request(
            "PATCH",
            `/apis/apps/v1/namespaces/${this.namespace}/deployments/${deployment.metadata.name}`,
            { spec: { template: { metadata: { annotations } } } },
        );
    }

    private async list<T>(api: string, what: string): Promise<T[]> {
        const { items } = await this.request<{ items: T[] }>("GET", `${api}/namespaces/${this.namespace}/${what}`);
        return items;
    }

    private request<T>(method: string, path: string, body?: object): Promise<T> {
        return new Promise((resolve, reject) => {
            const request = https.request(
                {
                    host: process.env.KUBERNETES_SERVICE_HOST,
                    port: process.env.KUBERNETES_SERVICE_PORT,
                    ca: fs.readFileSync(`${account}/ca.crt`),
                    method,
                    path: `${path}${method === "PATCH" ? "?fieldManager=homelab-registry-collector" : ""}`,
                    headers: {
                        // Read each time: it is replaced every hour.
                        Authorization: `Bearer ${fs.readFileSync(`${account}/token`, "utf8")}`,
                        ...(body && { "Content-Type": "application/merge-patch+json" }),
                    },
                    timeout: patience,
                },
                (response) => {
                    const chunks: Buffer[] = [];
                    response.on("error", reject);
                    response.on("data", (chunk: Buffer) => chunks.push(chunk));
                    response.on("end", () => {
                        const text = Buffer.concat(chunks).toString();
                        if (response.statusCode === 200) {
                            resolve(JSON.parse(text) as T);
                        } else {
                            reject(
                                new Error(
                                    `Kubernetes answers ${response.statusCode} to ${method} ${path}: ${text.slice(0, 500)}`,
                                ),
                            );
                        }
                    });
                },
            );
            request.on("timeout", () => request.destroy(new Error(`Kubernetes does not answer to ${method} ${path}.`)));
            request.on("error", reject);
            request.end(body && JSON.stringify(body));
        });
    }
}
