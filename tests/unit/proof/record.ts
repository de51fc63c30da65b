import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import * as pulumi from "@pulumi/pulumi";

import { ContainerRegistry } from "../../../components/containerRegistry";
import program from "../../../index";
import { deploy, Registered, Secret } from "../support/deploy";

/** Each Job reads these objects itself, so they may change in place. Only their metadata is recorded. */
const mayChange = [
    "core/v1:ConfigMap registry-collection",
    "core/v1:Secret registry-collection",
    "batch/v1:CronJob registry-collection",
];

/** The resources of a stack with this configuration: `index.ts` is deployed to mocks. */
export async function recordProgram(values: Record<string, unknown>): Promise<object[]> {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "proof-"));
    const kubeconfig = path.join(folder, "kubeconfig");
    fs.writeFileSync(
        kubeconfig,
        JSON.stringify({
            "current-context": "homelab",
            contexts: [{ name: "homelab", context: { cluster: "homelab" } }],
        }),
    );
    // With a proxy, the preflight does not connect to the cluster or to MinIO. Without a path, it finds no kubectl.
    const environment = {
        HTTPS_PROXY: "http://127.0.0.1:1",
        KUBECONFIG: kubeconfig,
        PATH: "",
        PULUMI_CONFIG_SECRET_KEYS: "",
    };
    const before = Object.fromEntries(Object.keys(environment).map((name) => [name, process.env[name]]));
    Object.assign(process.env, environment);
    try {
        const { resources } = await deploy(() => {
            pulumi.runtime.setAllConfig(asTheEngineDoes(values));
            return program();
        });
        return resources.map(record);
    } finally {
        fs.rmSync(folder, { recursive: true });
        for (const [name, value] of Object.entries(before)) {
            if (value === undefined) {
                delete process.env[name];
            } else {
                process.env[name] = value;
            }
        }
    }
}

/** The resources of the component alone. Each argument that can be an Output is one. */
export async function recordComponentOfOutputs(): Promise<object[]> {
    const { resources } = await deploy(() => {
        new ContainerRegistry("other", {
            host: pulumi.output("docker.example.com"),
            users: [
                { name: "ci" },
                { name: "me", password: pulumi.output("correct horse battery") },
                { name: "cluster", access: "pull" },
            ],
            pullHost: pulumi.output("pull.example.com"),
            anonymousPullHost: pulumi.output("public.example.com"),
            namespace: pulumi.output("images"),
            bucket: {
                name: pulumi.output("layers"),
                endpoint: pulumi.output("minio.example.com:9000"),
                secure: pulumi.output(true),
                ca: pulumi.output("-----BEGIN CERTIFICATE-----\n"),
                accessKey: pulumi.output("OWN").apply((key) => key),
                secretKey: pulumi.output("own secret"),
                readAccessKey: pulumi.output("READ"),
                readSecretKey: pulumi.output("read secret"),
                region: pulumi.output("eu-1"),
                chunkSize: pulumi.output(10485760),
                redirect: pulumi.output(true),
            },
            ingress: {
                className: pulumi.output("nginx"),
                clusterIssuer: pulumi.output("own-ca"),
                annotations: pulumi.output({ "example.com/x": "y" }),
            },
            image: pulumi.output("docker.io/library/registry:3.1.2"),
            replicas: pulumi.output(2),
            resources: { limits: pulumi.output({ memory: "1Gi" }) },
            drainSeconds: pulumi.output(60),
            logLevel: pulumi.output("warn" as const),
            deleteEnabled: pulumi.output(false),
            readOnly: pulumi.output(true),
            mirrors: [
                {
                    name: "hub",
                    host: pulumi.output("hub.example.com"),
                    remote: pulumi.output("https://registry-1.docker.io"),
                    ttl: pulumi.output("1h"),
                },
            ],
            metrics: { serviceMonitor: true, serviceMonitorLabels: pulumi.output({ release: "prometheus" }) },
            networkPolicy: { metricsFrom: pulumi.output("monitoring") },
        });
        return {};
    });
    return resources.map(record);
}

/** As the engine hands a configuration over: each value as text. */
function asTheEngineDoes(values: Record<string, unknown>): Record<string, string> {
    return Object.fromEntries(
        Object.entries(values).map(([key, value]) => [
            `homelab-registry:${key}`,
            typeof value === "string" ? value : JSON.stringify(value),
        ]),
    );
}

const options = [
    "protect",
    "retainOnDelete",
    "deleteBeforeReplace",
    "ignoreChanges",
    "customTimeouts",
    "import",
    "replacementTrigger",
    "aliases",
] as const;

/** A resource as it is recorded: type, name, parents, options and inputs. */
function record({ type, name, inputs, opts }: Registered): object {
    const parents = [];
    for (
        let parent = opts.parent;
        parent;
        parent = (parent as unknown as { __parentResource?: pulumi.Resource }).__parentResource
    ) {
        parents.unshift((parent as unknown as { __pulumiType: string }).__pulumiType);
    }
    const recorded = mayChange.some((object) => `${type} ${name}`.endsWith(object))
        ? { metadata: (inputs as { metadata: object }).metadata }
        : (inputs as object);
    const given = Object.fromEntries(
        options.filter((option) => opts[option] !== undefined).map((option) => [option, opts[option]]),
    );
    return JSON.parse(
        JSON.stringify({ type, name, parents, options: given, inputs: recorded }, (_, value: unknown) =>
            value instanceof Secret ? { secret: value.value } : value,
        ),
    ) as object;
}
