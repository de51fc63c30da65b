import * as assert from "node:assert/strict";

import * as pulumi from "@pulumi/pulumi";

import { ContainerRegistry } from "../../components/containerRegistry";
import { deploy, Registered } from "./support/deploy";
import {
    args,
    configOf,
    containerOf,
    deployRegistry,
    deployRequired,
    find,
    inputsOf,
    namesWith,
    saidOf,
    secretOf,
} from "./support/registry";

describe("Storage", () => {
    let resources: Registered[];
    before(async () => ({ resources } = await deployRequired()));

    it("creates a private bucket that no destroy deletes", () => {
        const bucket = find(resources, ":S3Bucket");
        assert.deepEqual(bucket.inputs, { bucket: "container-repo", acl: "private" });
        assert.equal(bucket.opts.protect, true);
        assert.equal(bucket.opts.retainOnDelete, true);
    });

    it("sets the quota of the bucket in bytes", async () => {
        for (const [quota, bytes] of [
            ["100Gi", 107374182400],
            ["2T", 2e12],
            ["500", 500],
        ] as const) {
            const { resources } = await deployRegistry({ bucket: { ...args.bucket, quota } });
            const bucket = find(resources, ":S3Bucket");
            assert.deepEqual(bucket.inputs, { bucket: "container-repo", acl: "private", quota: bytes });
        }
    });

    it("imports an existing bucket, and ignores its acl, if bucket.import is true", async () => {
        const imported = await deployRegistry({ bucket: { ...args.bucket, import: true } });
        const { import: id, ignoreChanges } = find(imported.resources, ":S3Bucket").opts;
        assert.deepEqual({ id, ignoreChanges }, { id: "container-repo", ignoreChanges: ["acl"] });
        const { opts } = find(resources, ":S3Bucket");
        assert.deepEqual([opts.import, opts.ignoreChanges], [undefined, undefined]);
    });

    it("touches no MinIO user if the bucket cannot be created: another stack may have both", async () => {
        const registered: Registered[] = [];
        const fails = "minio:index/s3Bucket:S3Bucket";
        await assert.rejects(deploy(() => new ContainerRegistry("registry", args), { registered, fails }));
        assert.deepEqual(
            registered.map(({ type }) => type).filter((type) => type.startsWith("minio:")),
            [fails],
        );
    });

    it("creates a MinIO user named after the bucket", () => {
        assert.deepEqual(inputsOf(resources, "IamUser"), { name: "registry-container-repo" });
        assert.deepEqual(find(resources, ":IamUserPolicyAttachment").inputs, {
            userName: "registry-container-repo",
            policyName: "registry-container-repo",
        });
    });

    for (const type of ["IamUser", "IamUserPolicyAttachment"]) {
        it(`deletes the old ${type} first when it is replaced, because both have the same name`, () => {
            assert.equal(find(resources, `:${type}`).opts.deleteBeforeReplace, true);
        });
    }

    it("limits the MinIO user to this bucket, and to the actions that the registry needs", () => {
        assert.deepEqual(JSON.parse(inputsOf(resources, "IamPolicy").policy), {
            Version: "2012-10-17",
            Statement: [
                {
                    Effect: "Allow",
                    Action: ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"],
                    Resource: ["arn:aws:s3:::container-repo"],
                },
                {
                    Effect: "Allow",
                    Action: [
                        "s3:AbortMultipartUpload",
                        "s3:DeleteObject",
                        "s3:GetObject",
                        "s3:ListMultipartUploadParts",
                        "s3:PutObject",
                    ],
                    Resource: ["arn:aws:s3:::container-repo/*"],
                },
                { Effect: "Deny", Action: ["admin:*"] },
            ],
        });
    });

    it("creates an access key without a policy of its own, and ignores the policy that MinIO returns", () => {
        const accessKey = find(resources, ":IamServiceAccount");
        assert.deepEqual(accessKey.inputs, { targetUser: "registry-container-repo" });
        assert.deepEqual(accessKey.opts.ignoreChanges, ["policy"]);
    });

    it("replaces the access key if bucket.keyRotation increases", async () => {
        const triggerOf = (resources: Registered[]) =>
            find(resources, ":IamServiceAccount").opts.replacementTrigger as unknown;
        const rotated = await deployRegistry({ bucket: { ...args.bucket, keyRotation: 2 } });
        assert.equal(triggerOf(resources), 1);
        assert.equal(triggerOf(rotated.resources), 2);
    });

    it("replaces the secrets of the MinIO users with the access keys, and never that of a key not rotated", async () => {
        const usersOf = async (keyRotation?: number) => {
            const { resources } = await deployRegistry({
                bucket: { ...args.bucket, keyRotation },
                anonymousPullHost: "public.example.com",
            });
            return resources.filter(({ type }) => type.endsWith(":IamUser")).map(({ inputs }): unknown => inputs);
        };
        const users = [{ name: "registry-container-repo" }, { name: "registry-container-repo_reader" }];
        assert.deepEqual(await usersOf(), users);
        for (const rotation of [2, 3]) {
            const newSecret = { updateSecret: true, tags: { keyRotation: String(rotation) } };
            assert.deepEqual(
                await usersOf(rotation),
                users.map((user) => ({ ...user, ...newSecret })),
            );
        }
    });

    describe("with an endpoint for redirects", () => {
        const redirectEndpoint = "https://minio.example.com";
        const bucket = { ...args.bucket, redirectEndpoint };

        it("says in a preview, and not in an update, what clients need", async () => {
            assert.deepEqual(await saidOf({ bucket }, true), [
                "bucket.redirectEndpoint: clients fetch layers from https://minio.example.com, through links that are " +
                    "valid for 20 minutes. Each client, and each node that pulls, must reach that URL, and trust its " +
                    "certificate.",
            ]);
            assert.deepEqual(await saidOf({ bucket }, false), []);
        });

        it("redirects clients of every instance, and changes no other line", async () => {
            const others = {
                users: [...args.users, { name: "cluster", access: "pull" as const }],
                pullHost: "pull.example.com",
                anonymousPullHost: "public.example.com",
                mirrors: [{ name: "hub", host: "hub.example.com", remote: "https://registry-1.docker.io" }],
            };
            const before = (await deployRegistry(others)).resources;
            const after = (await deployRegistry({ ...others, bucket })).resources;
            for (const instance of ["registry", "registry-reader", "registry-anonymous", "registry-mirror-hub"]) {
                const { "config.yml": config = "" } = secretOf(before, `${instance}-config`);
                const redirected = config
                    .replace(/^ {4}regionendpoint: .*\n/m, `$&    redirectendpoint: "${redirectEndpoint}"\n`)
                    .replace("redirect:\n    disable: true", "redirect:\n    disable: false");
                assert.notEqual(redirected, config);
                assert.equal(secretOf(after, `${instance}-config`)["config.yml"], redirected, instance);
            }
        });
    });

    describe("with an access key of your own", () => {
        const own = { ...args.bucket, accessKey: "OWN", secretKey: "own-secret" };

        it("creates nothing in MinIO, and so needs no provider for it, with an access key of your own", async () => {
            const { resources, outputs } = await deployRegistry({ bucket: own });
            assert.deepEqual(
                resources.filter(({ type }) => /^minio:|:Storage$/.test(type)),
                [],
            );
            assert.equal(outputs.bucketName, "container-repo");
        });

        it("writes an access key of your own to the registry's configuration, and nowhere else", async () => {
            const { resources } = await deployRegistry({ bucket: own });
            assert.match(configOf(resources), /accesskey: "OWN"\n {4}secretkey: "own-secret"\n/);
            assert.deepEqual(namesWith(resources, "own-secret"), ["registry-config"]);
        });

        it("trusts the CA in bucket.ca in addition to the public ones", async () => {
            const ca = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
            // A secret, so that the test fails if any object but the configuration depends on it.
            const { resources } = await deployRegistry({ bucket: { ...own, secure: true, ca: pulumi.secret(ca) } });
            assert.deepEqual(
                inputsOf(resources, "Service"),
                inputsOf((await deployRegistry({ bucket: own })).resources, "Service"),
            );
            assert.equal(secretOf(resources, "registry-config")["ca.crt"], ca);
            assert.deepEqual(containerOf(resources).env, [
                { name: "OTEL_TRACES_EXPORTER", value: "none" },
                { name: "SSL_CERT_DIR", value: "/etc/distribution" },
            ]);
        });
    });
});
