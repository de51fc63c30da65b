import * as assert from "node:assert/strict";
import * as fs from "node:fs";

import * as pulumi from "@pulumi/pulumi";
import { parse } from "yaml";

import { fillDefaults } from "../../components/defaults";
import { readSite } from "../../config";

const project = parse(fs.readFileSync("Pulumi.yaml", "utf8")) as {
    name: string;
    config: Record<string, { type: string; default: unknown; description: string; secret?: boolean }>;
};
const schema = Object.fromEntries(Object.entries(project.config).filter(([key]) => !key.includes(":")));

const complete = {
    host: "docker.registry.example.com",
    users: [{ name: "ci" }],
    bucketEndpoint: "minio-svc.minio.svc.homelab-k8s:9000",
    minioUser: "admin",
    minioPassword: "correct horse",
};

/** Reads a site as the engine hands it over: each value as text, the defaults of Pulumi.yaml filled in. */
async function read(values: Record<string, unknown>, { encrypted }: { encrypted?: string[] } = {}) {
    process.env.PULUMI_CONFIG_SECRET_KEYS = encrypted
        ? JSON.stringify(encrypted.map((key) => `${project.name}:${key}`))
        : "";
    const defaults = Object.entries(schema)
        .map(([key, { default: value }]) => [key, value] as const)
        .filter(([, value]) => value !== undefined);
    const all = Object.fromEntries(
        Object.entries({ ...Object.fromEntries(defaults), ...values }).filter(([, value]) => value !== undefined),
    );
    const text = (value: unknown) => (typeof value === "string" ? value : JSON.stringify(value));
    await pulumi.runtime.setMocks(
        { newResource: () => ({ id: "", state: {} }), call: () => ({}) },
        project.name,
        "test",
    );
    pulumi.runtime.setAllConfig(
        Object.fromEntries(Object.entries(all).map(([key, value]) => [`${project.name}:${key}`, text(value)])),
    );
    return readSite("registry");
}

/** Without what was not given. */
const given = (value: object) => JSON.parse(JSON.stringify(value)) as unknown;

const ca = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

async function problemsOf(values: Record<string, unknown>, options?: { encrypted: string[] }): Promise<string[]> {
    try {
        await read(values, options);
        return [];
    } catch (error) {
        assert.ok(pulumi.RunError.isInstance(error), String(error));
        assert.equal(error.stack, undefined);
        const [first, ...problems] = error.message.split("\n  - ");
        assert.equal(first, "The configuration of this stack needs a change:");
        return problems;
    }
}

describe("The configuration", () => {
    it("is read into the arguments of the registry", async () => {
        const { registry } = await read({
            ...complete,
            users: [
                { name: "ci", rotation: 2 },
                { name: "me", password: "hunter22" },
            ],
            pullSecrets: [{ namespace: "apps", user: "ci" }],
            namespace: "images",
            createNamespace: false,
            bucketName: "layers",
            bucketImport: true,
            bucketSecure: true,
            bucketCa: ca,
            bucketKeyRotation: 3,
            bucketRegion: "eu-1",
            bucketChunkSize: 33554432,
            bucketQuota: "100Gi",
            bucketRedirect: true,
            ingressClassName: "traefik",
            ingressClusterIssuer: "own-ca",
            ingressImport: true,
            ingressAnnotations: { "example.com/x": "y" },
            image: "registry.example.com/distribution:3.1.3",
            replicas: 2,
            resources: { limits: { memory: "1Gi" } },
            drainSeconds: 20,
            httpSecretRotation: 4,
            logLevel: "debug",
            deleteEnabled: false,
            readOnly: true,
            collectionSchedule: "0 4 * * 0",
            collectionDeleteUntagged: true,
            collectionImage: "node.example.com/node:26",
            collectionPushgateway: "http://pushgateway:9091",
            metrics: true,
            networkPolicy: true,
            networkPolicyMetricsFrom: "monitoring",
            metricsServiceMonitor: true,
            metricsServiceMonitorLabels: { release: "prometheus" },
        });
        assert.deepEqual(given(registry), {
            host: "docker.registry.example.com",
            users: [
                { name: "ci", rotation: 2 },
                { name: "me", password: "hunter22" },
            ],
            pullSecrets: [{ namespace: "apps", user: "ci" }],
            namespace: "images",
            createNamespace: false,
            bucket: {
                name: "layers",
                endpoint: "minio-svc.minio.svc.homelab-k8s:9000",
                import: true,
                secure: true,
                ca,
                keyRotation: 3,
                region: "eu-1",
                chunkSize: 33554432,
                quota: "100Gi",
                redirect: true,
            },
            ingress: {
                className: "traefik",
                clusterIssuer: "own-ca",
                import: true,
                annotations: { "example.com/x": "y" },
            },
            image: "registry.example.com/distribution:3.1.3",
            replicas: 2,
            resources: { limits: { memory: "1Gi" } },
            drainSeconds: 20,
            httpSecretRotation: 4,
            logLevel: "debug",
            deleteEnabled: false,
            readOnly: true,
            collection: {
                schedule: "0 4 * * 0",
                deleteUntagged: true,
                image: "node.example.com/node:26",
                pushgateway: "http://pushgateway:9091",
            },
            networkPolicy: { metricsFrom: "monitoring" },
            mirrors: [],
            metrics: { serviceMonitor: true, serviceMonitorLabels: { release: "prometheus" } },
        });
    });

    it("has one way to the registry, and says what was given for another", async () => {
        const waysOf = async (values: Record<string, unknown>) => {
            const {
                registry: { ingress, gateway, service },
            } = await read({ ...complete, ...values });
            return given({ ingress, gateway, service });
        };
        assert.deepEqual(
            await waysOf({
                exposure: "gateway",
                gatewayName: "home",
                gatewayNamespace: "gateways",
                gatewaySectionName: "tls",
                gatewayHttpSectionName: "http",
            }),
            { gateway: { name: "home", namespace: "gateways", sectionName: "tls", httpSectionName: "http" } },
        );
        assert.deepEqual(
            await waysOf({
                exposure: "service",
                serviceType: "NodePort",
                serviceNodePort: 30500,
                serviceAnnotations: { "example.com/x": "y" },
            }),
            { service: { type: "NodePort", nodePort: 30500, annotations: { "example.com/x": "y" } } },
        );
        assert.deepEqual(await waysOf({ exposure: "service" }), { service: { type: "ClusterIP", annotations: {} } });

        assert.deepEqual(await problemsOf({ ...complete, exposure: "tunnel" }), [
            'exposure: "tunnel" is not a way to reach the registry; allowed are ingress, gateway, service',
        ]);
        assert.deepEqual(await problemsOf({ ...complete, gatewayName: "home", serviceNodePort: 30500 }), [
            "gatewayName: given, but exposure is ingress; set exposure to gateway, or leave it out",
            "serviceNodePort: given, but exposure is ingress; set exposure to service, or leave it out",
        ]);
        assert.deepEqual(
            await problemsOf({ ...complete, exposure: "service", ingressAnnotations: { "example.com/x": "y" } }),
            ["ingressAnnotations: given, but exposure is service; set exposure to ingress, or leave it out"],
        );
    });

    it("takes the password of a mirror only if it is encrypted", async () => {
        const mirrors = [
            {
                name: "hub",
                host: "hub.example.com",
                remote: "https://registry-1.docker.io",
                username: "me",
                password: "hunter22",
            },
        ];
        assert.deepEqual(
            given(
                (await read({ ...complete, mirrors }, { encrypted: ["mirrors", "minioPassword"] })).registry.mirrors!,
            ),
            mirrors,
        );
        assert.deepEqual(await problemsOf({ ...complete, mirrors }, { encrypted: ["minioPassword"] }), [
            "mirrors[0].password: is in plain text; encrypt it with: pulumi config set --secret --path 'mirrors[0].password'",
        ]);
        assert.deepEqual(
            await problemsOf({
                ...complete,
                mirrors: [
                    {
                        name: "hub",
                        host: "hub.example.com",
                        remote: "https://registry-1.docker.io",
                        login: "no",
                        tll: "1h",
                    },
                ],
            }),
            [
                "mirrors[0].login: is not true or false; put it without quotes",
                "mirrors[0]: tll: there is no such key; the nearest is ttl",
            ],
        );
    });

    it("says what belongs together", async () => {
        assert.deepEqual(await problemsOf({ ...complete, collectionDeleteUntagged: true }), [
            "collectionDeleteUntagged: true, but there is no collection; give a collectionSchedule as well",
        ]);
        assert.deepEqual(await problemsOf({ ...complete, collectionPushgateway: "http://pushgateway:9091" }), [
            "collectionPushgateway: http://pushgateway:9091, but there is no collection; give a collectionSchedule as well",
        ]);
        assert.deepEqual(await problemsOf({ ...complete, networkPolicyMetricsFrom: "monitoring" }), [
            'networkPolicyMetricsFrom: "monitoring", but there is no NetworkPolicy; set networkPolicy to true as well',
        ]);
        assert.deepEqual(await problemsOf({ ...complete, metricsServiceMonitor: true }), [
            "metricsServiceMonitor: true, but there are no metrics; set metrics to true as well",
        ]);
        assert.deepEqual(
            await problemsOf({ ...complete, metrics: true, metricsServiceMonitorLabels: { release: "prometheus" } }),
            ["metricsServiceMonitorLabels: given, but there is no ServiceMonitor; have one made, or leave them out"],
        );
    });

    it("may bring a bucket, a login and a certificate along, and then needs no Minio", async () => {
        const site = await read({
            ...complete,
            minioUser: "",
            minioPassword: undefined,
            users: [],
            htpasswdSecret: "registry-auth-secret",
            bucketAccessKey: "OWN",
            bucketSecretKey: "own-secret",
            ingressTlsSecret: "wildcard-tls",
        });
        assert.equal(site.minio, undefined);
        const { htpasswdSecret, bucket, ingress } = site.registry;
        assert.deepEqual(
            [htpasswdSecret, bucket.accessKey, bucket.secretKey, bucket.keyRotation],
            ["registry-auth-secret", "OWN", "own-secret", undefined],
        );
        assert.deepEqual([ingress!.tlsSecret, ingress!.clusterIssuer], ["wildcard-tls", undefined]);
    });

    it("may have users who only pull, everybody who pulls, and a key of one's own for that", async () => {
        const { registry } = await read({
            ...complete,
            users: [{ name: "ci" }, { name: "cluster", access: "pull" }],
            pullHost: "pull.example.com",
            anonymousPullHost: "public.example.com",
            bucketAccessKey: "OWN",
            bucketSecretKey: "own-secret",
            bucketReadAccessKey: "READ",
            bucketReadSecretKey: "read-secret",
        });
        const { users, pullHost, anonymousPullHost, bucket } = registry;
        assert.deepEqual(
            [users![1]!.access, pullHost, anonymousPullHost],
            ["pull", "pull.example.com", "public.example.com"],
        );
        assert.deepEqual([bucket.readAccessKey, bucket.readSecretKey], ["READ", "read-secret"]);
        assert.deepEqual(
            await problemsOf({
                ...complete,
                anonymousPullHost: "public.example.com",
                bucketAccessKey: "OWN",
                bucketSecretKey: "own-secret",
            }),
            ["bucketReadAccessKey", "bucketReadSecretKey"].map(
                (key) =>
                    `${key}: none given; beside a key of your own, pods that only read need one that can only read: give both halves of it`,
            ),
        );
    });

    it("may have its secrets only encrypted", async () => {
        const values = {
            ...complete,
            users: [
                { name: "ci" },
                { name: "me", password: "hunter22" },
                { name: "old", hash: `$2y$05$${"a".repeat(53)}` },
            ],
        };
        assert.deepEqual(await problemsOf(values, { encrypted: [] }), [
            "users[1].password: is in plain text; encrypt it with: pulumi config set --secret --path 'users[1].password'",
            "users[2].hash: is in plain text; encrypt it with: pulumi config set --secret --path 'users[2].hash'",
            "minioPassword: is in plain text; encrypt it with: pulumi config set --secret minioPassword",
        ]);
        assert.deepEqual(await problemsOf(values, { encrypted: ["users", "minioPassword"] }), []);
        const keys = {
            bucketAccessKey: "OWN",
            bucketSecretKey: "own-secret",
            bucketReadAccessKey: "READ",
            bucketReadSecretKey: "read-secret",
        };
        assert.deepEqual(
            await problemsOf(
                { ...complete, ...keys, anonymousPullHost: "public.example.com" },
                { encrypted: ["minioPassword"] },
            ),
            ["bucketSecretKey", "bucketReadSecretKey"].map(
                (key) => `${key}: is in plain text; encrypt it with: pulumi config set --secret ${key}`,
            ),
        );
    });

    it("has the defaults that the component has", async () => {
        const { registry } = await read(complete);
        const { host, users, bucket, ingress } = registry;
        assert.deepEqual(
            fillDefaults("registry", registry),
            fillDefaults("registry", {
                host,
                users,
                bucket: { name: bucket.name, endpoint: bucket.endpoint },
                ingress: { className: ingress!.className, clusterIssuer: ingress!.clusterIssuer },
            }),
        );
    });

    it("finds Minio where the pods find it, unless told otherwise", async () => {
        const { minio } = await read({ ...complete, bucketSecure: true });
        assert.deepEqual(
            { ...minio, password: undefined },
            {
                server: "minio-svc.minio.svc.homelab-k8s:9000",
                secure: true,
                caFile: undefined,
                region: "us-east-1",
                user: "admin",
                password: undefined,
            },
        );
        const { minio: told } = await read({ ...complete, minioServer: "minio.api.example.com:443" });
        assert.deepEqual([told!.server, told!.secure], ["minio.api.example.com:443", true]);
        const { minio: plain } = await read({
            ...complete,
            minioServer: "nas.example.com:9000",
            minioServerSecure: false,
        });
        assert.deepEqual([plain!.server, plain!.secure], ["nas.example.com:9000", false]);
    });

    it("keeps Minio's password secret", async () => {
        assert.equal(await pulumi.isSecret((await read(complete)).minio!.password), true);
    });

    it("uses the kubeconfig's current context, unless told otherwise", async () => {
        assert.equal((await read(complete)).kubeContext, undefined);
        assert.equal((await read({ ...complete, kubeContext: "homelab" })).kubeContext, "homelab");
    });

    it("is refused with all that is wrong at once, in the words of the configuration", async () => {
        assert.deepEqual(
            await problemsOf({
                bucketChunkSize: "5MiB",
                replicas: 0,
                bucketName: "X",
                logLevel: "trace",
                minioServer: "https://minio",
            }),
            [
                "host: none given; give the DNS name that clients use, such as docker.registry.example.com",
                'users: none given; nobody could log in. Name at least one, such as { name: "ci" }, or give an htpasswdSecret',
                'bucketName: "X" is not a name that S3 takes: 3 to 63 lower-case letters, digits, single dots and hyphens, ' +
                    "a letter or digit first and last, not an IP address",
                "bucketEndpoint: none given; give host:port, such as minio-svc.minio.svc.homelab-k8s:9000",
                "bucketChunkSize: 5MiB is not a number of bytes that S3 takes for a part; allowed are 5242880 (5 MiB) to 5368709120 (5 GiB)",
                "replicas: 0 is not a number of pods; allowed are 1 and more",
                'logLevel: "trace" is not a log level; allowed are error, warn, info, debug',
                'minioServer: "https://minio" has a scheme; give host:port, such as minio-svc.minio.svc.homelab-k8s:9000',
                "minioUser: none given; give a Minio user that may create buckets, users, policies and access keys",
                "minioPassword: none given; set it with: pulumi config set --secret minioPassword",
            ],
        );
    });

    it("may have no unknown key: a typing mistake names the nearest one", async () => {
        assert.deepEqual(await problemsOf({ ...complete, hots: "x", bucketname: "y" }), [
            "hots: there is no such key; the nearest is host",
            "bucketname: there is no such key; the nearest is bucketName",
        ]);
        assert.deepEqual(await problemsOf({ ...complete, users: [{ name: "ci", pasword: "hunter22" }] }), [
            "users[0]: pasword: there is no such key; the nearest is password",
        ]);
    });

    it("may have users only as objects", async () => {
        assert.deepEqual(await problemsOf({ ...complete, users: ["ci"] }), [
            "users[0]: is not an object; its fields are name, password, hash, rotation, access",
        ]);
    });

    it("may have names, passwords, annotations and resources only of their types, and shows none of the values", async () => {
        assert.deepEqual(
            await problemsOf({
                ...complete,
                host: "",
                users: [
                    { name: "me", password: null },
                    { name: 7, password: 12345678, rotation: "2" },
                ],
                ingressAnnotations: { "example.com/x": true },
                resources: { limit: {}, limits: "1Gi" },
            }),
            [
                "users[0].password: is not text; put it in quotes",
                "users[1].name: is not text; put it in quotes",
                "users[1].password: is not text; put it in quotes",
                "users[1].rotation: is not a number; put it without quotes",
                "resources: limit: there is no such key; the nearest is limits",
                "resources.limits: is not an object",
                "ingressAnnotations.example.com/x: is not text; put it in quotes",
            ],
        );
    });

    it("never shows a password in an error", async () => {
        const password = "x".repeat(73);
        const problems = await problemsOf({ ...complete, users: [{ name: "me", password }], host: "" });
        assert.equal(problems.length, 2);
        assert.ok(!problems.join().includes(password));
    });

    it("has a type, a default and a description for each key", () => {
        for (const [key, { type, default: value, description }] of Object.entries(schema)) {
            assert.ok(type && description.endsWith(".") && value !== undefined, key);
        }
    });

    it("of the homelab stack is complete but for the password", async () => {
        const stack = parse(fs.readFileSync("Pulumi.homelab.yaml", "utf8")) as { config: Record<string, unknown> };
        const values = Object.fromEntries(
            Object.entries(stack.config).map(([key, value]) => [key.replace(`${project.name}:`, ""), value]),
        );
        assert.deepEqual(await problemsOf(values), [
            "minioPassword: none given; set it with: pulumi config set --secret minioPassword",
        ]);
    });
});
