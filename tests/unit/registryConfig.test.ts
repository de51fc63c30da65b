import * as assert from "node:assert/strict";

import { parse } from "yaml";

import { RegistryConfig, renderRegistryConfig } from "../../components/server/registryConfig";

const config: RegistryConfig = {
    host: "docker.registry.example.com",
    httpSecret: "hhh",
    drainSeconds: 60,
    htpasswdPath: "/auth/.htpasswd",
    logLevel: "info",
    deleteEnabled: true,
    readOnly: false,
    sparseIndexes: false,
    metrics: false,
    bucket: {
        name: "container-repo",
        endpoint: "minio-svc.minio.svc.homelab-k8s:9000",
        secure: false,
        region: "us-east-1",
        chunkSize: 5242880,
        accessKey: "AK",
        secretKey: "SK",
    },
};

const redirectEndpoint = "https://minio.example.com";

describe("renderRegistryConfig", () => {
    it("renders the configuration that distribution 3.1 needs, and no more", () => {
        assert.deepEqual(parse(renderRegistryConfig(config)), {
            version: 0.1,
            log: { level: "info", formatter: "json", fields: { service: "registry" }, accesslog: { disabled: false } },
            storage: {
                s3: {
                    accesskey: "AK",
                    secretkey: "SK",
                    region: "us-east-1",
                    bucket: "container-repo",
                    regionendpoint: "minio-svc.minio.svc.homelab-k8s:9000",
                    forcepathstyle: true,
                    secure: false,
                    v4auth: true,
                    chunksize: 5242880,
                    multipartcopymaxconcurrency: 16,
                    rootdirectory: "/",
                },
                delete: { enabled: true },
                maintenance: { readonly: { enabled: false } },
                redirect: { disable: true },
            },
            validation: { manifests: { urls: { allow: ["^https://"] } } },
            auth: { htpasswd: { realm: "Registry Realm", path: "/auth/.htpasswd" } },
            http: {
                addr: ":5000",
                host: "https://docker.registry.example.com",
                secret: "hhh",
                draintimeout: "60s",
                headers: { "X-Content-Type-Options": ["nosniff"] },
            },
            health: { storagedriver: { enabled: true, interval: "3s", threshold: 1 } },
        });
    });

    it("configures no cache of blob descriptors, which would outlive deleted blobs", () => {
        assert.equal("cache" in (parse(renderRegistryConfig(config)) as { storage: object }).storage, false);
    });

    for (const [option, change, yaml] of [
        ["logLevel", { logLevel: "debug" }, 'level: "debug"'],
        ["deleteEnabled", { deleteEnabled: false }, "delete:\n    enabled: false"],
        ["readOnly", { readOnly: true }, "readonly:\n      enabled: true"],
        ["sparseIndexes", { sparseIndexes: true }, 'indexes:\n      platforms: "none"'],
        [
            "metrics",
            { metrics: true },
            'debug:\n    addr: ":5001"\n    prometheus:\n      enabled: true\n      path: "/metrics"',
        ],
        ["bucket.redirect", { bucket: { ...config.bucket, redirect: true } }, "redirect:\n    disable: false"],
        [
            "bucket.redirect that is off",
            { bucket: { ...config.bucket, redirect: false } },
            "redirect:\n    disable: true",
        ],
        [
            "bucket.redirectEndpoint",
            { bucket: { ...config.bucket, redirectEndpoint } },
            `regionendpoint: "minio-svc.minio.svc.homelab-k8s:9000"\n    redirectendpoint: "${redirectEndpoint}"\n`,
        ],
        [
            "bucket.redirectEndpoint, which turns redirects on",
            { bucket: { ...config.bucket, redirectEndpoint } },
            "redirect:\n    disable: false",
        ],
    ] as const) {
        it(`renders the option ${option}`, () => {
            assert.ok(renderRegistryConfig({ ...config, ...change }).includes(yaml));
        });
    }

    // The registry reads YAML 1.1, in which each of these is not a string unless it is quoted.
    for (const secret of [
        "1234567890",
        "0x1F",
        "1e10",
        "yes",
        "off",
        "~",
        "1_000",
        "0o17",
        "017",
        "1:30",
        "null",
        "# no",
        "'\"\\",
    ]) {
        it(`quotes the secret ${secret}, so that YAML reads a string`, () => {
            const yaml = renderRegistryConfig({ ...config, httpSecret: secret });
            assert.ok(yaml.includes(`secret: ${JSON.stringify(secret)}\n`), yaml);
        });
    }

    it("renders a long value on one line", () => {
        const host = `${"very-long-label.".repeat(12)}example.com`;
        assert.ok(renderRegistryConfig({ ...config, host }).includes(`host: "https://${host}"\n`));
    });
});
