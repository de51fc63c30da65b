import * as assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";

import * as pulumi from "@pulumi/pulumi";
import { parse } from "yaml";

import { listKeys, programKeys, secretKeys } from "../../configuration/keys";
import { Key, listArguments, Property, readSchema, resolve } from "../../configuration/schema";
import { readConfiguration as read } from "../support/configuration";

const project = "homelab-registry";
const schema = readSchema();
const keys = listKeys(listArguments(schema));

const complete = {
    host: "docker.registry.example.com",
    users: [{ name: "ci" }],
    bucketEndpoint: "minio.minio.svc.cluster.local:9000",
    minioUser: "admin",
    minioPassword: "correct horse",
};

/** Removes what is undefined. */
const known = (value: object) => JSON.parse(JSON.stringify(value)) as unknown;

const ca = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

async function errorsOf(values: Record<string, unknown>, options?: { encrypted: string[] }): Promise<string[]> {
    try {
        await read(values, options);
        return [];
    } catch (error) {
        assert.ok(pulumi.RunError.isInstance(error), String(error));
        assert.equal(error.stack, undefined);
        const [first, ...errors] = error.message.split("\n  - ");
        assert.equal(first, "The configuration of this stack is not valid:");
        return errors;
    }
}

/** The errors of a complete configuration with these values. */
const errorsWith = (values: Record<string, unknown>) => errorsOf({ ...complete, ...values });

describe("The configuration", () => {
    it("gives the registry each argument", async () => {
        const values = {
            pullSecrets: [{ namespace: "apps", user: "ci" }],
            namespace: "images",
            createNamespace: false,
            image: "registry.example.com/distribution:3.1.3",
            replicas: 2,
            resources: { limits: { memory: "1Gi" } },
            drainSeconds: 20,
            httpSecretRotation: 4,
            logLevel: "debug",
            deleteEnabled: false,
            sparseIndexes: true,
            readOnly: true,
            users: [
                { name: "ci", rotation: 2 },
                { name: "me", password: "hunter22" },
            ],
        };
        const { registry } = await read({
            ...complete,
            ...values,
            bucketName: "layers",
            bucketImport: true,
            bucketSecure: true,
            bucketCa: ca,
            bucketKeyRotation: 3,
            bucketRegion: "eu-1",
            bucketChunkSize: 33554432,
            bucketQuota: "100Gi",
            bucketRedirect: true,
            bucketRedirectEndpoint: "https://minio.example.com",
            ingressClassName: "traefik",
            ingressClusterIssuer: "own-ca",
            ingressImport: true,
            ingressAnnotations: { "example.com/x": "y" },
            collectionSchedule: "0 4 * * 0",
            collectionTimeZone: "Europe/Berlin",
            collectionDeleteUntagged: true,
            collectionImage: "node.example.com/node:26",
            collectionPushgateway: "http://pushgateway:9091",
            metrics: true,
            networkPolicy: true,
            networkPolicyMetricsFrom: "monitoring",
            metricsServiceMonitor: true,
            metricsServiceMonitorLabels: { release: "prometheus" },
        });
        assert.deepEqual(known(registry), {
            ...values,
            host: "docker.registry.example.com",
            bucket: {
                name: "layers",
                endpoint: "minio.minio.svc.cluster.local:9000",
                import: true,
                secure: true,
                ca,
                keyRotation: 3,
                region: "eu-1",
                chunkSize: 33554432,
                quota: "100Gi",
                redirect: true,
                redirectEndpoint: "https://minio.example.com",
            },
            ingress: {
                className: "traefik",
                clusterIssuer: "own-ca",
                import: true,
                annotations: { "example.com/x": "y" },
            },
            collection: {
                schedule: "0 4 * * 0",
                timeZone: "Europe/Berlin",
                deleteUntagged: true,
                image: "node.example.com/node:26",
                pushgateway: "http://pushgateway:9091",
            },
            networkPolicy: { metricsFrom: "monitoring" },
            metrics: { serviceMonitor: true, serviceMonitorLabels: { release: "prometheus" } },
        });
    });

    it("has few defaults of its own", async () => {
        const { registry, ...others } = await read(complete);
        assert.deepEqual(known(registry), {
            host: complete.host,
            users: complete.users,
            bucket: { name: "container-repo", endpoint: complete.bucketEndpoint },
            ingress: { className: "nginx", clusterIssuer: "letsencrypt-prod" },
        });
        const server = { server: complete.bucketEndpoint, source: "bucketEndpoint", secure: false };
        const bucketServer = { ...server, caFile: undefined, region: "us-east-1" };
        assert.deepEqual(
            { ...others, minio: { ...others.minio, password: undefined } },
            { kubeContext: undefined, bucketServer, minio: { ...bucketServer, user: "admin", password: undefined } },
        );
    });

    it("ignores an empty text, null, and the default of an argument", async () => {
        const { registry } = await read(complete);
        const defaultTexts = ["bucketName", "ingressClassName", "ingressClusterIssuer"];
        const optional = keys.filter(({ key }) => !(key in complete) && !defaultTexts.includes(key));
        const texts = optional.map(({ key }) => [key, ""]);
        assert.deepEqual(
            known((await read({ ...complete, ...(Object.fromEntries(texts) as object) })).registry),
            known(registry),
        );
        const defaults = {
            ...{ pullSecrets: null, namespace: "registry", createNamespace: true, bucketImport: false },
            ...{ bucketSecure: false, bucketKeyRotation: 1, bucketRegion: "us-east-1", bucketChunkSize: 5242880 },
            ...{ minioServerSecure: true, ingressImport: false, ingressAnnotations: {} },
            ...{ gatewaySectionName: "https", serviceType: "ClusterIP", serviceNodePort: 0, serviceAnnotations: {} },
            ...{ image: "docker.io/library/registry:3.1.2", replicas: 1, drainSeconds: 300, httpSecretRotation: 1 },
            ...{ logLevel: "info", deleteEnabled: true, readOnly: false, sparseIndexes: false },
            ...{ collectionDeleteUntagged: false },
            ...{ collectionImage: "docker.io/library/node:26.10.0-slim", mirrors: null, metrics: false },
            ...{ metricsServiceMonitor: false, metricsServiceMonitorLabels: {}, networkPolicy: false },
            resources: { requests: { cpu: "50m", memory: "128Mi" }, limits: { memory: "512Mi" } },
        };
        assert.deepEqual(known((await read({ ...complete, ...defaults })).registry), known(registry));
        assert.deepEqual(
            await errorsWith({
                ...defaults,
                ...{ exposure: "service", metrics: true, bucketAccessKey: "OWN", bucketSecretKey: "own-secret" },
            }),
            [],
        );
        assert.deepEqual(
            await errorsWith({ ...defaults, exposure: "gateway", gatewayName: "home", gatewayNamespace: "gateways" }),
            [],
        );
    });

    it("rejects an empty text for which the program has a default, so that no mistake is hidden", async () => {
        const empty = { bucketName: "", ingressClassName: "", ingressClusterIssuer: "" };
        const errors = await errorsWith(empty);
        assert.deepEqual(
            errors.map((error) => error.split(":")[0]),
            Object.keys(empty),
        );
    });

    it("rejects a list or an object for a text, unless it is a secret", async () => {
        const reason = "is not text; put it in quotes";
        assert.deepEqual(await errorsWith({ bucketRegion: ["eu-1"], image: { tag: "3.1.2" } }), [
            `bucketRegion: ${reason}`,
            `image: ${reason}`,
        ]);
        const texts = ["host", "bucketEndpoint", "collectionSchedule", "minioServer", "minioUser"];
        assert.deepEqual(
            (await errorsWith(Object.fromEntries(texts.map((key) => [key, [`${key}.example.com`]])))).sort(),
            texts.map((key) => `${key}: ${reason}`).sort(),
        );
        const { registry } = await read({ ...complete, bucketAccessKey: "OWN", bucketSecretKey: "[1]" });
        assert.equal(registry.bucket.secretKey, "[1]");
    });

    it("names the key in the errors of an item's fields", async () => {
        const errors = await errorsWith({
            collectionSchedule: "@daily",
            collectionRetention: [{ tags: ["pr/*"], pushedWithin: "30d" }],
        });
        assert.deepEqual(
            errors.map((error) => error.split(": ")[0]),
            ["collectionRetention[0].tags[0]", "collectionRetention[0].pushedWithin"],
        );
    });

    it("reports the other errors beside that of a user with a wrong value", async () => {
        const errors = await errorsWith({ users: [{ name: "ci", access: "write" }], host: "https://x", replicas: 0 });
        assert.deepEqual(
            errors.map((error) => error.split(":")[0]),
            ["users[0].access", "host", "replicas"],
        );
    });

    it("rejects a field that only JavaScript's own objects have", async () => {
        assert.deepEqual(await errorsWith({ users: [{ name: "ci", toString: "x" }] }), [
            "users[0].toString: does not exist; docs/configuration.md lists what does",
        ]);
    });

    it("chooses how clients reach the registry, and rejects keys of another way", async () => {
        const exposure = async (values: Record<string, unknown>) => {
            const { ingress, gateway, service } = (await read({ ...complete, ...values })).registry;
            return known({ ingress, gateway, service });
        };
        const gateway = { name: "home", namespace: "gateways", sectionName: "tls", httpSectionName: "http" };
        assert.deepEqual(
            await exposure({
                exposure: "gateway",
                gatewayName: "home",
                gatewayNamespace: "gateways",
                gatewaySectionName: "tls",
                gatewayHttpSectionName: "http",
                // Every stack of a homelab may have these.
                ingressClassName: "traefik",
                ingressClusterIssuer: "own-ca",
            }),
            { gateway },
        );
        const service = { type: "NodePort", nodePort: 30500, annotations: { "example.com/x": "y" } };
        assert.deepEqual(
            await exposure({
                exposure: "service",
                serviceType: service.type,
                serviceNodePort: service.nodePort,
                serviceAnnotations: service.annotations,
            }),
            { service },
        );
        assert.deepEqual(await exposure({ exposure: "service" }), { service: {} });

        assert.deepEqual(await errorsWith({ exposure: "tunnel", gatewayName: "home" }), [
            'exposure: "tunnel" is not allowed; use one of ingress, gateway, service',
        ]);
        assert.deepEqual(await errorsWith({ exposure: "gateway" }), [
            'gatewayName: is required; set it, for example to "home"',
            'gatewayNamespace: is required; set it, for example to "gateways"',
        ]);
        assert.deepEqual(await errorsWith({ gatewayName: "home", serviceNodePort: 30500 }), [
            "gatewayName: has no effect unless exposure is gateway; set exposure, or remove gatewayName",
            "serviceNodePort: has no effect unless exposure is service; set exposure, or remove serviceNodePort",
        ]);
        assert.deepEqual(await errorsWith({ exposure: "service", ingressTlsSecret: "wildcard-tls" }), [
            "ingressTlsSecret: has no effect unless exposure is ingress; set exposure, or remove ingressTlsSecret",
        ]);
    });

    it("rejects keys of garbage collection, metrics and NetworkPolicies without their switch", async () => {
        for (const [values, errors] of [
            [
                { collectionDeleteUntagged: true, collectionPushgateway: "http://pushgateway:9091" },
                ["collectionDeleteUntagged", "collectionPushgateway"].map(
                    (key) =>
                        `${key}: has no effect unless collectionSchedule is set; ` +
                        `set collectionSchedule, or remove ${key}`,
                ),
            ],
            [
                { networkPolicyMetricsFrom: "monitoring" },
                [
                    "networkPolicyMetricsFrom: has no effect unless networkPolicy is true; " +
                        "set networkPolicy, or remove networkPolicyMetricsFrom",
                ],
            ],
            [
                { metricsServiceMonitor: true, metricsServiceMonitorLabels: { release: "prometheus" } },
                ["metricsServiceMonitor", "metricsServiceMonitorLabels"].map(
                    (key) => `${key}: has no effect unless metrics is true; set metrics, or remove ${key}`,
                ),
            ],
        ] as [Record<string, unknown>, string[]][]) {
            assert.deepEqual(await errorsWith(values), errors);
        }
        assert.deepEqual(await errorsWith({ collectionImage: "node.example.com/node:26" }), []);
        assert.deepEqual(await errorsWith({ metrics: true, metricsServiceMonitorLabels: { a: "b" } }), [
            "metricsServiceMonitorLabels: has no effect without metricsServiceMonitor; set it to true, or leave it out",
        ]);
    });

    it("needs no MinIO with an existing bucket, htpasswd file and certificate", async () => {
        const { minio, registry } = await read({
            ...complete,
            minioUser: "",
            minioPassword: undefined,
            users: [],
            htpasswdSecret: "registry-auth-secret",
            bucketAccessKey: "OWN",
            bucketSecretKey: "own-secret",
            ingressTlsSecret: "wildcard-tls",
        });
        assert.equal(minio, undefined);
        const { htpasswdSecret, bucket, ingress } = registry;
        assert.deepEqual(
            [htpasswdSecret, bucket.accessKey, bucket.secretKey, bucket.keyRotation],
            ["registry-auth-secret", "OWN", "own-secret", undefined],
        );
        assert.deepEqual([ingress?.tlsSecret, ingress?.clusterIssuer], ["wildcard-tls", undefined]);
    });

    it("uses a TLS Secret that has the name of the default", async () => {
        const { ingress } = (await read({ ...complete, ingressTlsSecret: "registry-tls-ingress" })).registry;
        assert.deepEqual([ingress?.tlsSecret, ingress?.clusterIssuer], ["registry-tls-ingress", undefined]);
    });

    it("accepts pull-only users, pulls by everybody, and a key that can only read", async () => {
        const values = {
            ...complete,
            anonymousPullHost: "public.example.com",
            bucketAccessKey: "OWN",
            bucketSecretKey: "own-secret",
        };
        const { users, pullHost, anonymousPullHost, bucket } = (
            await read({
                ...values,
                users: [{ name: "ci" }, { name: "cluster", access: "pull" }],
                pullHost: "pull.example.com",
                bucketReadAccessKey: "READ",
                bucketReadSecretKey: "read-secret",
            })
        ).registry;
        assert.deepEqual(
            [users?.[1]?.access, pullHost, anonymousPullHost],
            ["pull", "pull.example.com", "public.example.com"],
        );
        assert.deepEqual([bucket.readAccessKey, bucket.readSecretKey], ["READ", "read-secret"]);
        assert.deepEqual(
            await errorsOf(values),
            ["bucketReadAccessKey", "bucketReadSecretKey"].map(
                (key) => `${key}: is required: with bucketAccessKey, read-only replicas need a key that can only read`,
            ),
        );
    });

    it("reaches MinIO at minioServer, or where the pods do", async () => {
        const minio = async (values: Record<string, unknown>) => (await read({ ...complete, ...values })).minio;
        const where = async (values: Record<string, unknown>) => {
            const { server, secure } = (await minio(values)) ?? {};
            return [server, secure];
        };
        assert.deepEqual(await where({ bucketSecure: true }), [complete.bucketEndpoint, true]);
        assert.deepEqual(await where({ minioServer: "minio.example.com:443" }), ["minio.example.com:443", true]);
        assert.deepEqual(await where({ minioServer: "nas.example.com:9000", minioServerSecure: false }), [
            "nas.example.com:9000",
            false,
        ]);
        assert.equal((await minio({ bucketRegion: "eu-1" }))?.region, "eu-1");
        assert.equal((await minio({ minioServerCaFile: "package.json" }))?.caFile, "package.json");
        assert.equal((await read({ ...complete, kubeContext: "homelab" })).kubeContext, "homelab");
        assert.deepEqual(await errorsWith({ minioServerCaFile: "no-such-file" }), [
            'minioServerCaFile: "no-such-file" does not exist; set its path as seen from Pulumi.yaml',
        ]);
    });

    it("validates minioServer and minioServerCaFile also beside an access key of your own", async () => {
        const own = { minioUser: "", minioPassword: "", bucketAccessKey: "KEY", bucketSecretKey: "a secret" };
        assert.deepEqual(await errorsWith({ ...own, minioServer: "minio", minioServerCaFile: "no-such-file" }), [
            'minioServer: "minio" is not a host and a port; give host:port, such as minio.minio.svc.cluster.local:9000',
            'minioServerCaFile: "no-such-file" does not exist; set its path as seen from Pulumi.yaml',
        ]);
    });

    it("requires that secrets are encrypted", async () => {
        const hub = { name: "hub", host: "hub.example.com", remote: "https://registry-1.docker.io", username: "me" };
        const values = {
            ...complete,
            users: [
                { name: "ci" },
                { name: "me", password: "hunter22" },
                { name: "old", hash: `$2y$05$${"a".repeat(53)}` },
            ],
            mirrors: [{ ...hub, password: "hunter22" }],
        };
        const inPlainText = "is in plain text; encrypt it with: pulumi config set --secret";
        assert.deepEqual(await errorsOf(values, { encrypted: [] }), [
            ...["users[1].password", "users[2].hash", "mirrors[0].password"].map(
                (path) => `${path}: ${inPlainText} --path '${path}'`,
            ),
            `minioPassword: ${inPlainText} minioPassword`,
        ]);
        const encrypted = ["users", "mirrors", "minioPassword"];
        assert.deepEqual(await errorsOf(values, { encrypted }), []);
        assert.deepEqual(known((await read(values, { encrypted })).registry.mirrors ?? []), values.mirrors);
        const ownKeys = {
            bucketAccessKey: "OWN",
            bucketSecretKey: "own-secret",
            bucketReadAccessKey: "READ",
            bucketReadSecretKey: "read-secret",
        };
        assert.deepEqual(
            await errorsOf({ ...complete, ...ownKeys, anonymousPullHost: "public.example.com" }, { encrypted: [] }),
            ["bucketSecretKey", "bucketReadSecretKey", "minioPassword"].map((key) => `${key}: ${inPlainText} ${key}`),
        );
    });

    it("requires that of each argument whose description says that it is always kept secret", () => {
        const isSecret = ({ description = "" }: Property) => /always kept secret/i.test(description);
        const described = listArguments(schema).flatMap(({ key, property }) => {
            const { properties = {} } = property.items ? resolve(schema, property.items) : {};
            const fields = Object.keys(properties).filter((field) => isSecret(properties[field]!));
            return isSecret(property) || fields.length > 0 ? [[key, fields] as const] : [];
        });
        const listed = Object.entries(secretKeys).map(([key, fields]) => [key, [...fields].sort()]);
        assert.deepEqual(Object.fromEntries([...described, ["minioPassword", []]]), Object.fromEntries(listed));
    });

    it("keeps MinIO's password secret", async () => {
        const { minio } = await read(complete);
        assert.ok(minio && (await pulumi.isSecret(minio.password)));
    });

    it("reports everything that is missing or wrong at once, by its key", async () => {
        const values = {
            bucketChunkSize: "5MiB",
            replicas: 0,
            bucketName: "X",
            logLevel: "trace",
            readOnly: "yes",
            minioServer: "https://minio",
            hots: "x",
        };
        assert.deepEqual(await errorsOf(values), [
            'bucketChunkSize: "5MiB" is not a number; write it without quotes and without a unit',
            'logLevel: "trace" is not allowed; use one of error, warn, info, debug',
            'readOnly: "yes" is not a boolean; write true or false, without quotes',
            "hots: does not exist; did you mean host?",
            'bucketEndpoint: is required; set it, for example to "minio.minio.svc.cluster.local:9000"',
            'host: is required; set it, for example to "registry.example.com"',
            'users: is required; give a user who logs in, such as { name: "ci" }, or an htpasswdSecret',
            'bucketName: "X" is not a valid S3 bucket name; use 3 to 63 lower-case letters, digits, single dots and ' +
                "hyphens, with a letter or digit first and last, and no IP address",
            "replicas: 0 is not a whole number of at least 1",
            'minioServer: "https://minio" has a scheme; give host:port, such as minio.minio.svc.cluster.local:9000, and set minioServerSecure to true',
            "minioUser: is required; give a MinIO user that may create buckets, users, policies and access keys",
            "minioPassword: is required; set it with: pulumi config set --secret minioPassword",
        ]);
    });

    it("rejects an unknown key or field, and names the nearest", async () => {
        assert.deepEqual(await errorsWith({ hots: "x", bucketname: "", maxReadOnlyMinutes: 20 }), [
            "hots: does not exist; did you mean host?",
            "bucketname: does not exist; did you mean bucketName?",
            "maxReadOnlyMinutes: does not exist; did you mean collectionMaxReadOnlyMinutes?",
        ]);
        assert.deepEqual(
            await errorsWith({
                users: [{ name: "ci", pasword: "hunter22" }],
                mirrors: [{ name: "hub", host: "hub.example.com", remote: "https://quay.io", tll: "1h" }],
                resources: { limit: {} },
            }),
            [
                "users[0].pasword: does not exist; did you mean password?",
                "mirrors[0].tll: does not exist; did you mean ttl?",
                "resources.limit: does not exist; did you mean limits?",
            ],
        );
    });

    it("reports what is wrong whoever the users are, if those cannot be read", async () => {
        assert.deepEqual(
            await errorsWith({
                users: "me",
                host: "https://x",
                replicas: 0,
                pullHost: "pull.registry.example.com",
                pullSecrets: [{ user: "me", namespace: "apps" }],
            }),
            [
                'users: is not a list; begin the line of each item with "- "',
                'host: "https://x" has a scheme; give only the name: "x"',
                "replicas: 0 is not a whole number of at least 1",
            ],
        );
    });

    it("rejects a wrong type in a list or an object, without its value", async () => {
        assert.deepEqual(
            await errorsWith({
                users: [{ name: "me", password: null }, { name: 7, password: 12345678, rotation: "2" }, "hunter22"],
                ingressAnnotations: { "example.com/x": true },
                resources: { limits: "hunter22" },
                pullSecrets: "hunter22",
                mirrors: [{ name: "hub", login: "no" }],
                metrics: true,
                metricsServiceMonitorLabels: ["hunter22"],
            }),
            [
                "users[0].password: is not text; put it in quotes",
                "users[1].name: is not text; put it in quotes",
                "users[1].password: is not text; put it in quotes",
                "users[1].rotation: is not a number; write it without quotes and without a unit",
                "users[2]: is not an object; write each of its fields as NAME: VALUE",
                "ingressAnnotations.example.com/x: is not text; put it in quotes",
                "resources.limits: is not an object; write each of its fields as NAME: VALUE",
                'pullSecrets: is not a list; begin the line of each item with "- "',
                'mirrors[0].host: is required; set it, for example to "hub.registry.example.com"',
                'mirrors[0].remote: is required; set it, for example to "https://registry-1.docker.io"',
                "mirrors[0].login: is not a boolean; write true or false, without quotes",
                "metricsServiceMonitorLabels: is not an object; write each of its fields as NAME: VALUE",
            ],
        );
        assert.deepEqual(await errorsWith({ users: [{ name: "me", access: "admin" }] }), [
            'users[0].access: "admin" is not allowed; use one of pull, push',
        ]);
    });

    it("rejects a wrong number, boolean or enumeration of each key", async () => {
        for (const { key, property } of keys) {
            const { type, enum: members } = resolve(schema, property);
            if (members || type === "number" || type === "boolean") {
                const errors = await errorsWith({ [key]: "?" });
                assert.match(errors[0] ?? "", new RegExp(`^${key}: "\\?" is not `), key);
            }
        }
    });

    it("never shows a password in an error", async () => {
        const password = "x".repeat(73);
        const errors = await errorsWith({ users: [{ name: "me", password }], host: "" });
        assert.equal(errors.length, 2);
        assert.ok(!errors.join().includes(password));
    });

    it("has a type and a description for each key of the program", () => {
        const own = keys.filter(({ path }) => path.length === 0);
        for (const { key, property } of own) {
            assert.ok(property.type && property.description?.endsWith("."), key);
        }
        const isRequired = ({ key, path }: Key) => programKeys[key]?.default !== undefined && path.length > 0;
        assert.deepEqual(
            keys
                .filter(isRequired)
                .map(({ key }) => key)
                .sort(),
            ["bucketName", "ingressClassName", "ingressClusterIssuer"],
        );
    });

    it("of the homelab stack lacks only the password", async () => {
        const stack = parse(fs.readFileSync("Pulumi.homelab.yaml", "utf8")) as { config: Record<string, unknown> };
        const values = Object.fromEntries(
            Object.entries(stack.config).map(([key, value]) => [key.replace(`${project}:`, ""), value]),
        );
        assert.deepEqual(await errorsOf(values), [
            "minioPassword: is required; set it with: pulumi config set --secret minioPassword",
        ]);
    });

    it("is read without the SDKs of Kubernetes and MinIO", () => {
        const program = 'require("./config"); console.log(JSON.stringify(Object.keys(require.cache)))';
        const { stdout } = spawnSync("node", ["--require", "ts-node/register", "--eval", program], {
            encoding: "utf8",
        });
        const loaded = JSON.parse(stdout) as string[];
        assert.ok(loaded.some((file) => file.includes("@pulumi/pulumi/")));
        assert.deepEqual(loaded.filter((file) => /@pulumi\/(kubernetes|minio|random)\//.test(file)).slice(0, 3), []);
    });
});
