import * as assert from "node:assert/strict";
import * as fs from "node:fs";

import * as pulumi from "@pulumi/pulumi";

import { ContainerRegistryArgs } from "../../components/args";
import { ContainerRegistry } from "../../components/containerRegistry";
import { fieldManagerAnnotation } from "../../components/kubernetes/fieldManager";
import { User } from "../../components/users/args";
import { deploy, Registered, Secret } from "./support/deploy";

const args: ContainerRegistryArgs = {
    host: "docker.registry.example.com",
    users: [{ name: "ci" }, { name: "me", password: "correct horse" }],
    bucket: { name: "container-repo", endpoint: "minio-svc.minio.svc.homelab-k8s:9000" },
    ingress: { className: "nginx", clusterIssuer: "letsencrypt-prod" },
};

const hash = `$2y$05$${"a".repeat(53)}`;

function deployRegistry(change: Partial<ContainerRegistryArgs> = {}, options?: { preview: boolean }) {
    return deploy(() => {
        const registry = new ContainerRegistry("registry", { ...args, ...change });
        const { url, host, namespaceName, bucketName, userNames, passwords, loginCommand } = registry;
        return { url, host, namespaceName, bucketName, userNames, passwords, loginCommand };
    }, options);
}

function find(resources: Registered[], type: string, name = "registry"): Registered {
    const found = resources.find((resource) => resource.type.endsWith(type) && resource.name === name);
    assert.ok(
        found,
        `${type} ${name} is not among ${resources.map((resource) => `${resource.type} ${resource.name}`).join(", ")}`,
    );
    return found;
}

const namesOf = (resources: Registered[]) => resources.map(({ type, name }) => `${type} ${name}`);

/** The resources, by type and name, that are not among others. */
const added = (resources: Registered[], others: Registered[]) =>
    namesOf(resources).filter((name) => !namesOf(others).includes(name));

/** The content of a Secret, which the engine keeps secret. */
const secretOf = (resources: Registered[], name: string) =>
    (find(resources, ":Secret", name).inputs as { stringData: Secret }).stringData.value as Record<string, string>;

/** Fails unless the program is refused with exactly this message, without a stack. */
async function assertRefused(program: Promise<unknown>, message: string) {
    await assert.rejects(program, (error: Error) => {
        assert.ok(pulumi.ResourceError.isInstance(error), String(error));
        assert.equal(error.message, message);
        assert.equal(error.hideStack, true);
        assert.equal(error.stack, undefined);
        return true;
    });
}

describe("ContainerRegistry", () => {
    let resources: Registered[];
    let outputs: Awaited<ReturnType<typeof deployRegistry>>["outputs"];
    before(async () => ({ resources, outputs } = await deployRegistry()));

    it("is made of exactly these resources", () => {
        assert.deepEqual(namesOf(resources), [
            "homelab-registry:index:ContainerRegistry registry",
            "homelab-registry:index:Exposure registry",
            "homelab-registry:index:Logins registry",
            "homelab-registry:index:Storage registry",
            "homelab-registry:index:Workload registry",
            "kubernetes:apps/v1:Deployment registry",
            "kubernetes:core/v1:Namespace registry",
            "kubernetes:core/v1:Secret registry-auth",
            "kubernetes:core/v1:Secret registry-config",
            "kubernetes:core/v1:Service registry",
            "kubernetes:networking.k8s.io/v1:Ingress registry",
            "kubernetes:policy/v1:PodDisruptionBudget registry",
            "minio:index/iamPolicy:IamPolicy registry",
            "minio:index/iamServiceAccount:IamServiceAccount registry",
            "minio:index/iamUser:IamUser registry",
            "minio:index/iamUserPolicyAttachment:IamUserPolicyAttachment registry",
            "minio:index/s3Bucket:S3Bucket registry",
            "random:index/randomPassword:RandomPassword registry-ci-password",
            "random:index/randomPassword:RandomPassword registry-ci-salt",
            "random:index/randomPassword:RandomPassword registry-http-secret",
            "random:index/randomPassword:RandomPassword registry-me-salt",
        ]);
    });

    it("gets the same inputs when it is made again", async () => {
        const again = await deployRegistry();
        assert.deepEqual(
            again.resources.map(({ type, name, inputs }) => ({ type, name, inputs: inputs as unknown })),
            resources.map(({ type, name, inputs }) => ({ type, name, inputs: inputs as unknown })),
        );
    });

    it("is made of the same resources in a preview, where nothing is known yet", async () => {
        const preview = await deployRegistry({}, { preview: true });
        assert.deepEqual(
            preview.resources.map(({ type, name }) => `${type} ${name}`),
            resources.map(({ type, name }) => `${type} ${name}`),
        );
    });

    it("puts none of its arguments into the state as its own inputs", () => {
        for (const component of resources.filter(({ type }) => type.startsWith("homelab-registry:"))) {
            assert.deepEqual(component.inputs, {}, component.type);
        }
    });

    it("gives out where it is, who may log in, and how", () => {
        assert.deepEqual(outputs, {
            url: "https://docker.registry.example.com",
            host: "docker.registry.example.com",
            namespaceName: "registry",
            bucketName: "container-repo",
            userNames: ["ci", "me"],
            passwords: { ci: "registrycipassword".padEnd(40, "x"), me: "correct horse" },
            loginCommand: "docker login docker.registry.example.com --username ci",
        });
    });

    it("keeps the passwords it gives out secret", async () => {
        let secret: boolean | undefined;
        await deploy(async () => {
            secret = await pulumi.isSecret(new ContainerRegistry("registry", args).passwords);
            return {};
        });
        assert.equal(secret, true);
    });

    it("has no object with the label by which Argo CD knows its own, and might prune it", () => {
        const labelsOf = (inputs: { metadata?: { labels?: object } }) => Object.keys(inputs.metadata?.labels ?? {});
        const labelled = resources.filter(({ inputs }) =>
            labelsOf(inputs as object).includes("app.kubernetes.io/instance"),
        );
        assert.deepEqual(labelled, []);
    });

    describe("in Minio", () => {
        it("has a private bucket that no destroy takes along", () => {
            const bucket = find(resources, ":S3Bucket");
            assert.deepEqual(bucket.inputs, { bucket: "container-repo", acl: "private" });
            assert.equal(bucket.opts.protect, true);
            assert.equal(bucket.opts.retainOnDelete, true);
        });

        it("has a bucket that holds no more than its quota, in bytes", async () => {
            for (const [quota, bytes] of [
                ["100Gi", 107374182400],
                ["2T", 2e12],
                ["500", 500],
            ] as const) {
                const bucket = find(
                    (await deployRegistry({ bucket: { ...args.bucket, quota } })).resources,
                    ":S3Bucket",
                );
                assert.deepEqual(bucket.inputs, { bucket: "container-repo", acl: "private", quota: bytes });
            }
        });

        it("takes over a bucket that is there, of which no acl is read, when told to", async () => {
            const {
                opts: { import: id, ignoreChanges },
            } = find((await deployRegistry({ bucket: { ...args.bucket, import: true } })).resources, ":S3Bucket");
            assert.deepEqual({ id, ignoreChanges }, { id: "container-repo", ignoreChanges: ["acl"] });
            const { opts } = find(resources, ":S3Bucket");
            assert.deepEqual([opts.import, opts.ignoreChanges], [undefined, undefined]);
        });

        it("has a user of its own, named after the bucket", () => {
            assert.deepEqual(find(resources, ":IamUser").inputs, { name: "registry-container-repo" });
            assert.deepEqual(find(resources, ":IamUserPolicyAttachment").inputs, {
                userName: "registry-container-repo",
                policyName: "registry-container-repo",
            });
        });

        for (const type of ["IamUser", "IamUserPolicyAttachment"]) {
            it(`never has its ${type} taken away by the end of a replacement`, () => {
                assert.equal(find(resources, `:${type}`).opts.deleteBeforeReplace, true);
            });
        }

        it("reaches this bucket alone, with what the registry needs and no more", () => {
            const policy = find(resources, ":IamPolicy").inputs as { policy: string };
            assert.deepEqual(JSON.parse(policy.policy), {
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

        it("has an access key with its user's rights and no policy of its own, whatever is read back", () => {
            const { inputs, opts } = find(resources, ":IamServiceAccount") as {
                inputs: object;
                opts: { ignoreChanges?: string[] };
            };
            assert.deepEqual(inputs, { targetUser: "registry-container-repo" });
            assert.deepEqual(opts.ignoreChanges, ["policy"]);
        });
    });

    describe("in the cluster", () => {
        it("has one owner of the fields of each object with a given name, however often its creation is begun", async () => {
            const { resources } = await deployRegistry({ pullSecrets: [{ namespace: "apps", user: "ci" }] });
            const named = resources
                .map(({ inputs }) => inputs as { metadata?: { name?: string; annotations?: object } })
                .filter(({ metadata }) => metadata?.name);
            assert.equal(named.length, 6);
            for (const { metadata } of named) {
                assert.deepEqual({ ...metadata!.annotations, ...fieldManagerAnnotation }, metadata!.annotations);
            }
        });

        it("has a namespace that takes no pod with more rights than it needs", () => {
            assert.deepEqual(find(resources, ":Namespace").inputs, {
                apiVersion: "v1",
                kind: "Namespace",
                metadata: {
                    name: "registry",
                    labels: { "pod-security.kubernetes.io/enforce": "restricted" },
                    annotations: fieldManagerAnnotation,
                },
            });
        });

        it("runs pods without root, token, capabilities or a file system to write to", () => {
            assert.deepEqual(find(resources, ":Deployment").inputs, {
                apiVersion: "apps/v1",
                kind: "Deployment",
                metadata: { name: "registry", namespace: "registry", annotations: fieldManagerAnnotation },
                spec: {
                    replicas: 1,
                    selector: {
                        matchLabels: {
                            "app.kubernetes.io/name": "container-registry",
                            "app.kubernetes.io/instance": "registry",
                        },
                    },
                    strategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
                    template: {
                        metadata: {
                            labels: {
                                "app.kubernetes.io/name": "container-registry",
                                "app.kubernetes.io/instance": "registry",
                            },
                        },
                        spec: {
                            topologySpreadConstraints: [
                                {
                                    maxSkew: 1,
                                    topologyKey: "kubernetes.io/hostname",
                                    whenUnsatisfiable: "ScheduleAnyway",
                                    labelSelector: {
                                        matchLabels: {
                                            "app.kubernetes.io/name": "container-registry",
                                            "app.kubernetes.io/instance": "registry",
                                        },
                                    },
                                    matchLabelKeys: ["pod-template-hash"],
                                },
                            ],
                            automountServiceAccountToken: false,
                            enableServiceLinks: false,
                            securityContext: {
                                runAsNonRoot: true,
                                runAsUser: 1000,
                                runAsGroup: 1000,
                                fsGroup: 1000,
                                seccompProfile: { type: "RuntimeDefault" },
                            },
                            terminationGracePeriodSeconds: 315,
                            containers: [
                                {
                                    name: "registry",
                                    image: "docker.io/library/registry:3.1.2",
                                    command: ["/bin/registry", "serve", "/etc/distribution/config.yml"],
                                    env: [{ name: "OTEL_TRACES_EXPORTER", value: "none" }],
                                    ports: [{ name: "http", containerPort: 5000 }],
                                    resources: {
                                        requests: { cpu: "50m", memory: "128Mi" },
                                        limits: { memory: "512Mi" },
                                    },
                                    readinessProbe: { httpGet: { path: "/", port: "http" }, periodSeconds: 5 },
                                    livenessProbe: { tcpSocket: { port: "http" }, periodSeconds: 10 },
                                    lifecycle: { preStop: { sleep: { seconds: 5 } } },
                                    securityContext: {
                                        allowPrivilegeEscalation: false,
                                        readOnlyRootFilesystem: true,
                                        capabilities: { drop: ["ALL"] },
                                    },
                                    volumeMounts: [
                                        { name: "config", mountPath: "/etc/distribution", readOnly: true },
                                        { name: "auth", mountPath: "/auth", readOnly: true },
                                    ],
                                },
                            ],
                            volumes: [
                                {
                                    name: "config",
                                    secret: { secretName: "registry-config-1a2b3c", defaultMode: 0o440 },
                                },
                                {
                                    name: "auth",
                                    secret: {
                                        secretName: "registry-auth-1a2b3c",
                                        defaultMode: 0o440,
                                        items: [{ key: ".htpasswd", path: ".htpasswd" }],
                                    },
                                },
                            ],
                        },
                    },
                },
            });
        });

        it("lets one pod at a time be evicted, and a broken one always", () => {
            assert.deepEqual((find(resources, ":PodDisruptionBudget").inputs as { spec: object }).spec, {
                selector: {
                    matchLabels: {
                        "app.kubernetes.io/name": "container-registry",
                        "app.kubernetes.io/instance": "registry",
                    },
                },
                maxUnavailable: 1,
                unhealthyPodEvictionPolicy: "AlwaysAllow",
            });
        });

        it("has a Service from port 80 to the pods' port", () => {
            assert.deepEqual((find(resources, ":Service").inputs as { spec: object }).spec, {
                selector: { "app.kubernetes.io/name": "container-registry", "app.kubernetes.io/instance": "registry" },
                ports: [{ name: "http-port", port: 80, targetPort: "http", protocol: "TCP" }],
            });
        });

        it("has an Ingress with a certificate, for layers of any size", () => {
            assert.deepEqual(find(resources, ":Ingress").inputs, {
                apiVersion: "networking.k8s.io/v1",
                kind: "Ingress",
                metadata: {
                    name: "registry",
                    namespace: "registry",
                    annotations: {
                        "cert-manager.io/cluster-issuer": "letsencrypt-prod",
                        "acme.cert-manager.io/http01-edit-in-place": "true",
                        "nginx.ingress.kubernetes.io/ssl-redirect": "true",
                        "nginx.ingress.kubernetes.io/proxy-body-size": "0",
                        "nginx.ingress.kubernetes.io/proxy-request-buffering": "off",
                        "nginx.ingress.kubernetes.io/proxy-read-timeout": "900",
                        "nginx.ingress.kubernetes.io/proxy-send-timeout": "900",
                        "nginx.ingress.kubernetes.io/service-upstream": "true",
                        "pulumi.com/skipAwait": "true",
                        "pulumi.com/patchForce": "true",
                        ...fieldManagerAnnotation,
                        "pulumi.com/deletionPropagationPolicy": "background",
                    },
                },
                spec: {
                    ingressClassName: "nginx",
                    tls: [{ hosts: ["docker.registry.example.com"], secretName: "registry-tls-ingress" }],
                    rules: [
                        {
                            host: "docker.registry.example.com",
                            http: {
                                paths: [
                                    {
                                        path: "/",
                                        pathType: "Prefix",
                                        backend: { service: { name: "registry", port: { name: "http-port" } } },
                                    },
                                ],
                            },
                        },
                    ],
                },
            });
        });

        it("leaves an Ingress that is there as it is while it is taken over", async () => {
            const { resources } = await deployRegistry({
                namespace: "images",
                ingress: { ...args.ingress!, import: true },
            });
            const {
                opts: { import: id, ignoreChanges },
            } = find(resources, ":Ingress");
            assert.deepEqual({ id, ignoreChanges }, { id: "images/registry", ignoreChanges: ["metadata", "spec"] });
        });

        it("passes further annotations of the Ingress through", async () => {
            const further = { "example.com/x": "y", "nginx.ingress.kubernetes.io/proxy-read-timeout": "60" };
            const { resources } = await deployRegistry({ ingress: { ...args.ingress!, annotations: further } });
            const { annotations } = (
                find(resources, ":Ingress").inputs as { metadata: { annotations: Record<string, string> } }
            ).metadata;
            assert.equal(annotations["example.com/x"], "y");
            assert.equal(annotations["nginx.ingress.kubernetes.io/proxy-read-timeout"], "60");
            assert.equal(annotations["nginx.ingress.kubernetes.io/proxy-send-timeout"], "900");
        });

        it("has its configuration in an immutable Secret, so that a change of it rolls the pods", () => {
            const { immutable, stringData, metadata } = find(resources, ":Secret", "registry-config").inputs as {
                immutable: boolean;
                stringData: Secret;
                metadata: object;
            };
            assert.equal(immutable, true);
            assert.deepEqual(metadata, { namespace: "registry" });
            assert.ok(stringData instanceof Secret);
            const { "config.yml": yaml } = stringData.value as Record<string, string>;
            for (const line of [
                'accesskey: "ACCESSKEY"',
                'secretkey: "SECRETKEY"',
                'host: "https://docker.registry.example.com"',
                `secret: "${"registryhttpsecret".padEnd(64, "x")}"`,
                'path: "/auth/.htpasswd"',
            ]) {
                assert.ok(yaml!.includes(line), `${line} is not in:\n${yaml}`);
            }
        });
    });

    describe("when a key or password is rotated", () => {
        /** What tells the engine to replace a resource: it does when this changes. */
        async function trigger(change: Partial<ContainerRegistryArgs>, type: string, name?: string): Promise<unknown> {
            const { resources } = await deployRegistry(change);
            return find(resources, type, name).opts.replacementTrigger;
        }

        it("has a new access key", async () => {
            assert.deepEqual(await trigger({}, ":IamServiceAccount"), 1);
            assert.deepEqual(await trigger({ bucket: { ...args.bucket, keyRotation: 2 } }, ":IamServiceAccount"), 2);
        });

        it("has pods of their own for a new access key, so that the old key outlives the old ones", async () => {
            const { resources } = await deployRegistry({ bucket: { ...args.bucket, keyRotation: 2 } });
            const { metadata, spec } = find(resources, ":Deployment").inputs as {
                metadata: { name: string };
                spec: { selector: { matchLabels: object }; template: { metadata: { labels: object } } };
            };
            const labels = {
                "app.kubernetes.io/name": "container-registry",
                "app.kubernetes.io/instance": "registry",
                "homelab-registry/key-rotation": "2",
            };
            assert.equal(metadata.name, "registry-2");
            assert.deepEqual(spec.selector.matchLabels, labels);
            assert.deepEqual(spec.template.metadata.labels, labels);
            assert.deepEqual((find(resources, ":Service").inputs as { spec: { selector: object } }).spec.selector, {
                "app.kubernetes.io/name": "container-registry",
                "app.kubernetes.io/instance": "registry",
            });
        });

        it("has a new http secret", async () => {
            assert.equal(await trigger({}, ":RandomPassword", "registry-http-secret"), 1);
            assert.equal(await trigger({ httpSecretRotation: 2 }, ":RandomPassword", "registry-http-secret"), 2);
        });

        it("has a new password for that user, with the same salt", async () => {
            const users = [{ name: "ci", rotation: 2 }, { name: "me" }];
            assert.equal(await trigger({ users }, ":RandomPassword", "registry-ci-password"), 2);
            assert.equal(await trigger({ users }, ":RandomPassword", "registry-me-password"), 1);
            assert.equal(await trigger({ users }, ":RandomPassword", "registry-ci-salt"), undefined);
        });
    });

    describe("'s logins", () => {
        it("are a line each in a Secret that can change in place: cost 5 for a generated password, 10 for a given one", () => {
            const { immutable, stringData } = find(resources, ":Secret", "registry-auth").inputs as {
                immutable?: boolean;
                stringData: Secret;
            };
            assert.equal(immutable, undefined);
            assert.ok(stringData instanceof Secret);
            const { ".htpasswd": file } = stringData.value as Record<string, string>;
            assert.match(
                file!,
                /^ci:\$2b\$05\$registrycisaltxxxxxxx\.\S{31}\nme:\$2b\$10\$registrymesaltxxxxxxx\.\S{31}\n$/,
            );
        });

        it("get generated passwords of 40 letters and digits", () => {
            assert.deepEqual(find(resources, ":RandomPassword", "registry-ci-password").inputs, {
                length: 40,
                special: false,
            });
        });

        it("get salts of bcrypt's alphabet that stay", () => {
            assert.deepEqual(find(resources, ":RandomPassword", "registry-me-salt").inputs, {
                length: 21,
                overrideSpecial: "./",
            });
        });

        it("are each a line of their own: another user's change leaves it as it is", async () => {
            const lines = async (users: User[]) => {
                const { stringData } = find((await deployRegistry({ users })).resources, ":Secret", "registry-auth")
                    .inputs as { stringData: Secret };
                return (stringData.value as Record<string, string>)[".htpasswd"]!.trimEnd().split("\n");
            };
            const [ci, me] = await lines([{ name: "ci" }, { name: "me", password: "correct horse" }]);
            assert.deepEqual(
                (await lines([{ name: "me", password: "correct horse" }, { name: "new" }, { name: "ci" }])).filter(
                    (_, i) => i !== 1,
                ),
                [me, ci],
            );
            assert.equal((await lines([{ name: "ci" }, { name: "me", password: "battery staple" }]))[0], ci);
        });

        it("may be hashes that are brought along, which stay as they are, and whose passwords are not given out", async () => {
            const { resources, outputs } = await deployRegistry({ users: [{ name: "ci" }, { name: "old", hash }] });
            const { stringData } = find(resources, ":Secret", "registry-auth").inputs as { stringData: Secret };
            assert.ok(stringData instanceof Secret);
            assert.ok((stringData.value as Record<string, string>)[".htpasswd"]!.endsWith(`\nold:${hash}\n`));
            assert.deepEqual(Object.keys(outputs.passwords), ["ci"]);
            assert.deepEqual(outputs.userNames, ["ci", "old"]);
            assert.deepEqual(
                resources.filter(({ name }) => name.includes("old")),
                [],
            );
        });

        it("may be a Secret that is there, instead of one made here", async () => {
            const { resources, outputs } = await deployRegistry({ users: [], htpasswdSecret: "registry-auth-secret" });
            assert.deepEqual(
                resources.filter(({ name, type }) => name === "registry-auth" || type.endsWith(":Logins")),
                [],
            );
            const { spec } = find(resources, ":Deployment").inputs as {
                spec: { template: { spec: { volumes: { name: string; secret: object }[] } } };
            };
            assert.deepEqual(spec.template.spec.volumes.find(({ name }) => name === "auth")!.secret, {
                secretName: "registry-auth-secret",
                defaultMode: 0o440,
                items: [{ key: ".htpasswd", path: ".htpasswd" }],
            });
            assert.deepEqual(outputs.passwords, {});
            assert.equal(outputs.loginCommand, "docker login docker.registry.example.com");
        });

        it("may have a password that is known only later", async () => {
            const { outputs } = await deployRegistry({ users: [{ name: "me", password: pulumi.secret("later") }] });
            assert.deepEqual(outputs.passwords, { me: "later" });
        });

        it("may not have one over 72 bytes, even when it is known only later", async () => {
            await assertRefused(
                deployRegistry({ users: [{ name: "me", password: pulumi.secret("x".repeat(73)) }] }),
                'The password of user "me" has 73 bytes, but bcrypt reads only 72; shorten it, or leave it out to have one generated.',
            );
        });
    });

    describe("'s pull secrets", () => {
        it("hold the login of their user, where they are needed, under a name that stays", async () => {
            const { resources } = await deployRegistry({
                pullSecrets: [
                    { namespace: "apps", user: "ci" },
                    { namespace: "apps", user: "me", name: "mine" },
                ],
            });
            const secret = (namespace: string, name: string, login: string) => ({
                apiVersion: "v1",
                kind: "Secret",
                metadata: { namespace, name, annotations: fieldManagerAnnotation },
                type: "kubernetes.io/dockerconfigjson",
                stringData: new Secret({
                    ".dockerconfigjson": JSON.stringify({
                        auths: { "docker.registry.example.com": { auth: Buffer.from(login).toString("base64") } },
                    }),
                }),
            });
            assert.deepEqual(
                find(resources, ":Secret", "apps/registry-pull").inputs,
                secret("apps", "registry-pull", `ci:${"registrycipassword".padEnd(40, "x")}`),
            );
            assert.deepEqual(
                find(resources, ":Secret", "apps/mine").inputs,
                secret("apps", "mine", "me:correct horse"),
            );
        });
    });

    describe("with a bucket and key of one's own", () => {
        const own = { ...args.bucket, accessKey: "OWN", secretKey: "own-secret" };

        it("makes nothing in Minio, and so needs no provider for it", async () => {
            const { resources, outputs } = await deployRegistry({ bucket: own });
            assert.deepEqual(
                resources.filter(({ type }) => /^minio:|:Storage$/.test(type)),
                [],
            );
            assert.equal(outputs.bucketName, "container-repo");
        });

        it("has that key in its configuration, and nowhere else", async () => {
            const { resources } = await deployRegistry({ bucket: own });
            const { stringData } = find(resources, ":Secret", "registry-config").inputs as { stringData: Secret };
            assert.ok(stringData instanceof Secret);
            assert.match(
                (stringData.value as Record<string, string>)["config.yml"]!,
                /accesskey: "OWN"\n {4}secretkey: "own-secret"\n/,
            );
            assert.deepEqual(
                resources.filter(({ inputs }) => JSON.stringify(inputs).includes("own-secret")).map(({ name }) => name),
                ["registry-config"],
            );
        });

        it("trusts a CA of one's own besides the world's", async () => {
            const ca = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
            // Secret here, so that it would show if anything but the configuration hung on it.
            const { resources } = await deployRegistry({ bucket: { ...own, secure: true, ca: pulumi.secret(ca) } });
            assert.deepEqual(
                find(resources, ":Service").inputs,
                find((await deployRegistry({ bucket: own })).resources, ":Service").inputs,
            );
            const { stringData } = find(resources, ":Secret", "registry-config").inputs as { stringData: Secret };
            assert.equal((stringData.value as Record<string, string>)["ca.crt"], ca);
            const { spec } = find(resources, ":Deployment").inputs as {
                spec: { template: { spec: { containers: [{ env: object[] }] } } };
            };
            assert.deepEqual(spec.template.spec.containers[0].env, [
                { name: "OTEL_TRACES_EXPORTER", value: "none" },
                { name: "SSL_CERT_DIR", value: "/etc/distribution" },
            ]);
        });
    });

    it("takes a certificate that is there, and then asks no issuer", async () => {
        const { resources } = await deployRegistry({ ingress: { className: "nginx", tlsSecret: "wildcard-tls" } });
        const { metadata, spec } = find(resources, ":Ingress").inputs as {
            metadata: { annotations: object };
            spec: { tls: object[] };
        };
        assert.deepEqual(
            Object.keys(metadata.annotations).filter((key) => key.includes("cert-manager")),
            [],
        );
        assert.deepEqual(spec.tls, [{ hosts: ["docker.registry.example.com"], secretName: "wildcard-tls" }]);
    });

    it("takes a namespace that is there", async () => {
        const { resources, outputs } = await deployRegistry({ namespace: "images", createNamespace: false });
        assert.deepEqual(
            resources.filter(({ type }) => type.endsWith(":Namespace")),
            [],
        );
        assert.equal(outputs.namespaceName, "images");
        assert.equal(
            (find(resources, ":Ingress").inputs as { metadata: { namespace: string } }).metadata.namespace,
            "images",
        );
    });

    it("is refused with all that is wrong with its arguments, before any child is made", async () => {
        const made: string[] = [];
        await assertRefused(
            deploy(() => {
                pulumi.runtime.registerStackTransformation(({ type }) => void made.push(type));
                return new ContainerRegistry("registry", { ...args, host: "https://x.example.com", users: [] });
            }),
            [
                "The arguments of this registry are not valid:",
                '  - host: "https://x.example.com" has a scheme; give only the name: "x.example.com"',
                '  - users: is required, or nobody could log in; give at least one user, such as { name: "ci" }, or set htpasswdSecret',
            ].join("\n"),
        );
        assert.deepEqual(made, ["homelab-registry:index:ContainerRegistry"]);
    });

    it("is refused as well when what is wrong is known only later", async () => {
        await assertRefused(
            deployRegistry({ host: pulumi.output("https://x.example.com") }),
            [
                "The arguments of this registry are not valid:",
                '  - host: "https://x.example.com" has a scheme; give only the name: "x.example.com"',
            ].join("\n"),
        );
    });

    it("is refused for a Secret's name that is known only later as for one that is known now", async () => {
        await assertRefused(
            deployRegistry({
                users: [],
                htpasswdSecret: pulumi.output("A"),
                ingress: { className: "nginx", tlsSecret: pulumi.output("B") },
            }),
            [
                "The arguments of this registry are not valid:",
                '  - htpasswdSecret: "A" is not a valid name of a Secret, such as registry-auth-secret',
                '  - ingress.tlsSecret: "B" is not a valid name of a Secret, such as wildcard-tls',
            ].join("\n"),
        );
    });

    describe("that collects garbage", () => {
        let collecting: Registered[];
        before(
            async () => ({ resources: collecting } = await deployRegistry({ collection: { schedule: "0 4 * * 0" } })),
        );

        it("has these resources more", () => {
            assert.deepEqual(added(collecting, resources), [
                "homelab-registry:index:Collection registry",
                "kubernetes:batch/v1:CronJob registry-collection",
                "kubernetes:core/v1:ConfigMap registry-collection",
                "kubernetes:core/v1:ConfigMap registry-lock",
                "kubernetes:core/v1:Secret registry-collection",
                "kubernetes:core/v1:ServiceAccount registry-collection",
                "kubernetes:rbac.authorization.k8s.io/v1:Role registry-collection",
                "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding registry-collection",
            ]);
        });

        it("has the right to take the lock and replace the pods, and no other", () => {
            assert.deepEqual((find(collecting, ":Role", "registry-collection").inputs as { rules: object[] }).rules, [
                {
                    apiGroups: [""],
                    resources: ["configmaps"],
                    resourceNames: ["registry-lock"],
                    verbs: ["get", "patch"],
                },
                { apiGroups: ["apps"], resources: ["deployments"], verbs: ["list", "patch"] },
                { apiGroups: [""], resources: ["pods"], verbs: ["list"] },
            ]);
            assert.equal(
                (
                    find(collecting, ":ServiceAccount", "registry-collection").inputs as {
                        automountServiceAccountToken: boolean;
                    }
                ).automountServiceAccountToken,
                false,
            );
        });

        it("has a lock without data, which Pulumi never writes", () => {
            assert.deepEqual(find(collecting, ":ConfigMap", "registry-lock").inputs, {
                apiVersion: "v1",
                kind: "ConfigMap",
                metadata: { name: "registry-lock", namespace: "registry", annotations: fieldManagerAnnotation },
            });
        });

        it("has pods that heed the lock, with a configuration to read only", () => {
            const {
                template: { spec },
            } = (
                find(collecting, ":Deployment").inputs as {
                    spec: {
                        template: {
                            spec: {
                                volumes: object[];
                                containers: { command: string[]; volumeMounts: object[]; env: object[] }[];
                            };
                        };
                    };
                }
            ).spec;
            const [container] = spec.containers;
            assert.deepEqual(
                container!.command.filter((_, i) => i !== 2),
                ["/bin/sh", "-c", "serve", "/etc/distribution/config.yml", "/etc/distribution/read-only.yml"],
            );
            assert.deepEqual(container!.env.at(-1), {
                name: "READ_ONLY_UNTIL",
                valueFrom: { fieldRef: { fieldPath: "metadata.annotations['homelab-registry/read-only-until']" } },
            });
            assert.deepEqual(container!.volumeMounts.at(-1), { name: "lock", mountPath: "/lock", readOnly: true });
            assert.deepEqual(spec.volumes.at(-1), { name: "lock", configMap: { name: "registry-lock" } });
            const { "config.yml": normal, "read-only.yml": readOnly } = (
                find(collecting, ":Secret", "registry-config").inputs as { stringData: Secret }
            ).stringData.value as Record<string, string>;
            assert.equal(
                readOnly,
                normal!
                    .replace("readonly:\n      enabled: false", "readonly:\n      enabled: true")
                    .replace(
                        '- "nosniff"\n',
                        '- "nosniff"\n    Warning:\n      - "299 - \\"Garbage is being collected. Pulls go on; push again in some minutes.\\""\n',
                    ),
            );
        });

        it("does so in a Job that is no more than the collector, with the registry's own key", () => {
            const { schedule, concurrencyPolicy, jobTemplate } = (
                find(collecting, ":CronJob", "registry-collection").inputs as {
                    spec: {
                        schedule: string;
                        concurrencyPolicy: string;
                        jobTemplate: {
                            spec: {
                                backoffLimit: number;
                                podFailurePolicy: object;
                                template: { metadata: { labels: object }; spec: Record<string, unknown> };
                            };
                        };
                    };
                }
            ).spec;
            assert.deepEqual([schedule, concurrencyPolicy], ["0 4 * * 0", "Forbid"]);
            const { template, podFailurePolicy } = jobTemplate.spec;
            assert.deepEqual(podFailurePolicy, {
                rules: [
                    { action: "FailJob", onExitCodes: { containerName: "collector", operator: "In", values: [65] } },
                ],
            });
            assert.deepEqual(template.metadata.labels, {
                "app.kubernetes.io/name": "container-registry-collection",
                "app.kubernetes.io/instance": "registry",
            });
            const { containers, initContainers, securityContext } = template.spec as {
                containers: { args: string[]; image: string; securityContext: object }[];
                initContainers: { image: string; securityContext: object }[];
                securityContext: object;
            };
            assert.deepEqual(securityContext, {
                runAsNonRoot: true,
                runAsUser: 1000,
                runAsGroup: 1000,
                fsGroup: 1000,
                seccompProfile: { type: "RuntimeDefault" },
            });
            for (const container of [...containers, ...initContainers]) {
                assert.deepEqual(container.securityContext, {
                    allowPrivilegeEscalation: false,
                    readOnlyRootFilesystem: true,
                    capabilities: { drop: ["ALL"] },
                });
            }
            assert.equal(containers[0]!.image, "docker.io/library/node:26.10.0-slim");
            assert.equal(initContainers[0]!.image, "docker.io/library/registry:3.1.2");
            assert.deepEqual(containers[0]!.args, [
                "--config",
                "/etc/distribution/config.json",
                "--registry",
                "/registry/registry",
                "--lock",
                "registry-lock",
                "--annotation",
                "homelab-registry/read-only-until",
                "--label",
                "app.kubernetes.io/name=container-registry",
                "--label",
                "app.kubernetes.io/instance=registry",
                "--collector-label",
                "app.kubernetes.io/name=container-registry-collection",
                "--collector-label",
                "app.kubernetes.io/instance=registry",
                "--drain-seconds",
                "300",
            ]);
            const secret = find(collecting, ":Secret", "registry-collection");
            const { "config.json": config } = (secret.inputs as { stringData: Secret }).stringData.value as Record<
                string,
                string
            >;
            assert.equal(
                (JSON.parse(config!) as { storage: { s3: { bucket: string } } }).storage.s3.bucket,
                "container-repo",
            );
        });

        it("takes manifests that no tag leads to only if told so", async () => {
            const { resources } = await deployRegistry({ collection: { schedule: "@weekly", deleteUntagged: true } });
            const { jobTemplate } = (
                find(resources, ":CronJob", "registry-collection").inputs as {
                    spec: { jobTemplate: { spec: { template: { spec: { containers: { args: string[] }[] } } } } };
                }
            ).spec;
            assert.equal(jobTemplate.spec.template.spec.containers[0]!.args.at(-1), "--delete-untagged");
        });

        it("tells a Pushgateway how it went if told so, as the registry that it is", async () => {
            const { resources } = await deployRegistry({
                namespace: "images",
                collection: { schedule: "@weekly", pushgateway: "http://pushgateway:9091/" },
            });
            const { jobTemplate } = (
                find(resources, ":CronJob", "registry-collection").inputs as {
                    spec: { jobTemplate: { spec: { template: { spec: { containers: { args: string[] }[] } } } } };
                }
            ).spec;
            assert.deepEqual(jobTemplate.spec.template.spec.containers[0]!.args.slice(-2), [
                "--pushgateway",
                "http://pushgateway:9091/metrics/job/registry-collection/namespace/images/instance/registry",
            ]);
        });
    });

    describe("behind Traefik's own class", () => {
        it("has Traefik's annotations, and none of ingress-nginx", async () => {
            const { resources } = await deployRegistry({
                ingress: { className: "traefik", clusterIssuer: "letsencrypt-prod" },
            });
            const { metadata, spec } = find(resources, ":Ingress").inputs as {
                metadata: { annotations: object };
                spec: { ingressClassName: string };
            };
            assert.equal(spec.ingressClassName, "traefik");
            assert.deepEqual(metadata.annotations, {
                "cert-manager.io/cluster-issuer": "letsencrypt-prod",
                "traefik.ingress.kubernetes.io/router.entrypoints": "websecure",
                "traefik.ingress.kubernetes.io/router.tls": "true",
                "pulumi.com/skipAwait": "true",
                "pulumi.com/patchForce": "true",
                ...fieldManagerAnnotation,
                "pulumi.com/deletionPropagationPolicy": "background",
            });
        });
    });

    describe("on a Gateway", () => {
        let routed: Registered[];
        const parentRef = (sectionName: string) => ({ name: "home", namespace: "gateways", sectionName });
        before(
            async () =>
                ({ resources: routed } = await deployRegistry({
                    ingress: undefined,
                    gateway: { name: "home", namespace: "gateways", httpSectionName: "http" },
                })),
        );

        it("has routes and no Ingress: one for https, and one that leads from http to it", () => {
            const kinds = routed
                .filter(({ type }) => /gateway|Ingress/.test(type))
                .map(({ type, name }) => `${type} ${name}`);
            assert.deepEqual(kinds, [
                "kubernetes:gateway.networking.k8s.io/v1:HTTPRoute registry",
                "kubernetes:gateway.networking.k8s.io/v1:HTTPRoute registry-http",
            ]);
            assert.deepEqual((find(routed, ":HTTPRoute").inputs as { spec: object }).spec, {
                parentRefs: [parentRef("https")],
                hostnames: ["docker.registry.example.com"],
                rules: [{ backendRefs: [{ name: "registry", port: 80 }], timeouts: { request: "0s" } }],
            });
            assert.deepEqual((find(routed, ":HTTPRoute", "registry-http").inputs as { spec: object }).spec, {
                parentRefs: [parentRef("http")],
                hostnames: ["docker.registry.example.com"],
                rules: [
                    { filters: [{ type: "RequestRedirect", requestRedirect: { scheme: "https", statusCode: 301 } }] },
                ],
            });
        });

        it("leaves http alone if no listener for it is named", async () => {
            const { resources } = await deployRegistry({
                ingress: undefined,
                gateway: { name: "home", namespace: "gateways" },
            });
            assert.deepEqual(
                resources.filter(({ type }) => type.endsWith(":HTTPRoute")).map(({ name }) => name),
                ["registry"],
            );
        });
    });

    describe("with no more than a Service", () => {
        const serviceOf = async (service: ContainerRegistryArgs["service"]) => {
            const { resources } = await deployRegistry({ ingress: undefined, service });
            assert.deepEqual(
                resources.filter(({ type }) => /HTTPRoute|Ingress|Exposure/.test(type)),
                [],
            );
            return find(resources, ":Service").inputs as { metadata: { annotations: object }; spec: object };
        };

        it("has the one that it has behind an Ingress", async () => {
            assert.deepEqual(await serviceOf({}), find(resources, ":Service").inputs);
        });

        it("may have a port on each node, or a load balancer's address", async () => {
            const { metadata, spec } = await serviceOf({
                type: "LoadBalancer",
                nodePort: 30500,
                annotations: { "metallb.io/address-pool": "home" },
            });
            assert.deepEqual(metadata.annotations, { ...fieldManagerAnnotation, "metallb.io/address-pool": "home" });
            assert.deepEqual(spec, {
                type: "LoadBalancer",
                selector: { "app.kubernetes.io/name": "container-registry", "app.kubernetes.io/instance": "registry" },
                ports: [{ name: "http-port", port: 80, targetPort: "http", protocol: "TCP", nodePort: 30500 }],
            });
        });
    });

    describe("with a mirror", () => {
        const hub = { name: "hub", host: "hub.example.com", remote: "https://registry-1.docker.io" };
        let mirrored: Registered[];
        before(
            async () =>
                ({ resources: mirrored } = await deployRegistry({
                    mirrors: [{ ...hub, username: "me", password: "hunter22" }],
                })),
        );
        const configOf = (of: Registered[], name = "registry-mirror-hub") =>
            secretOf(of, `${name}-config`)["config.yml"]!;
        const podOf = (of: Registered[], name: string) =>
            (
                find(of, ":Deployment", name).inputs as {
                    spec: {
                        replicas: number;
                        template: {
                            spec: { containers: { volumeMounts: object[]; image: string }[]; volumes: object[] };
                        };
                    };
                }
            ).spec;

        it("has these resources more", () => {
            assert.deepEqual(added(mirrored, resources), [
                "homelab-registry:index:Exposure registry-mirror-hub",
                "homelab-registry:index:Mirror registry-mirror-hub",
                "homelab-registry:index:Workload registry-mirror-hub",
                "kubernetes:apps/v1:Deployment registry-mirror-hub",
                "kubernetes:core/v1:Secret registry-mirror-hub-config",
                "kubernetes:core/v1:Service registry-mirror-hub",
                "kubernetes:networking.k8s.io/v1:Ingress registry-mirror-hub",
                "kubernetes:policy/v1:PodDisruptionBudget registry-mirror-hub",
            ]);
        });

        it("fetches from the other registry, and keeps it a week in a folder of the bucket", () => {
            const lines = (yaml: string) => yaml.split("\n");
            const own = lines(configOf(resources, "registry"));
            assert.deepEqual(
                lines(configOf(mirrored)).filter((line) => !own.includes(line)),
                [
                    '    rootdirectory: "/mirrors/hub"',
                    "proxy:",
                    '  remoteurl: "https://registry-1.docker.io"',
                    '  username: "me"',
                    '  password: "hunter22"',
                    '  ttl: "168h"',
                    '  host: "https://hub.example.com"',
                ],
            );
        });

        it("has one pod like the registry's, with its logins, and a name and a certificate of its own", async () => {
            const { resources } = await deployRegistry({
                replicas: 2,
                readOnly: true,
                deleteEnabled: false,
                mirrors: [hub],
            });
            const [mirror, registry] = [podOf(resources, "registry-mirror-hub"), podOf(resources, "registry")];
            assert.equal(mirror.replicas, 1);
            assert.deepEqual(
                mirror.template.spec.containers[0]!.volumeMounts,
                registry.template.spec.containers[0]!.volumeMounts,
            );
            assert.match(
                configOf(resources),
                /^ {2}delete:\n {4}enabled: true\n {2}maintenance:\n {4}readonly:\n {6}enabled: false$/m,
            );
            assert.deepEqual(
                (find(resources, ":Ingress", "registry-mirror-hub").inputs as { spec: { tls: object } }).spec.tls,
                [{ hosts: ["hub.example.com"], secretName: "registry-mirror-hub-tls-ingress" }],
            );
        });

        it("lets everybody pull if told to", async () => {
            const { resources } = await deployRegistry({ mirrors: [{ ...hub, login: false }] });
            assert.doesNotMatch(configOf(resources), /^auth:/m);
            assert.deepEqual(
                podOf(resources, "registry-mirror-hub").template.spec.volumes.map(
                    (volume) => (volume as { name: string }).name,
                ),
                ["config"],
            );
        });

        it("has the certificate that is there if that is to be good for all", async () => {
            const { resources } = await deployRegistry({
                ingress: { className: "nginx", tlsSecret: "wildcard-tls" },
                mirrors: [hub],
            });
            assert.deepEqual(
                (find(resources, ":Ingress", "registry-mirror-hub").inputs as { spec: { tls: object } }).spec.tls,
                [{ hosts: ["hub.example.com"], secretName: "wildcard-tls" }],
            );
        });
    });

    describe("with a user who may only pull", () => {
        const users: User[] = [
            { name: "cluster", access: "pull" },
            { name: "ci", access: "push" },
            { name: "me", password: "correct horse" },
        ];
        const gateway = { name: "home", namespace: "gateways" };
        let read: Registered[];
        let outputs: Awaited<ReturnType<typeof deployRegistry>>["outputs"];
        before(
            async () => ({ resources: read, outputs } = await deployRegistry({ users, ingress: undefined, gateway })),
        );
        const usersOf = (of: Registered[], name: string) =>
            (secretOf(of, name)[".htpasswd"] ?? "")
                .trim()
                .split("\n")
                .map((line) => line.split(":")[0]);
        const hostsOf = (of: Registered[], kind: string) =>
            of
                .filter(({ type }) => type.endsWith(kind))
                .map(({ name, inputs }) => [
                    name,
                    (inputs as { spec: { rules: { host: string }[] } }).spec.rules.map(({ host }) => host).join(),
                ]);

        it("has these resources more", () => {
            assert.deepEqual(added(read, resources), [
                "homelab-registry:index:Reader registry-reader",
                "homelab-registry:index:Workload registry-reader",
                "kubernetes:apps/v1:Deployment registry-reader",
                "kubernetes:core/v1:Secret registry-reader-auth",
                "kubernetes:core/v1:Secret registry-reader-config",
                "kubernetes:core/v1:Service registry-reader",
                "kubernetes:gateway.networking.k8s.io/v1:HTTPRoute registry",
                "kubernetes:policy/v1:PodDisruptionBudget registry-reader",
                "minio:index/iamPolicy:IamPolicy registry-reader",
                "minio:index/iamServiceAccount:IamServiceAccount registry-reader",
                "minio:index/iamUser:IamUser registry-reader",
                "minio:index/iamUserPolicyAttachment:IamUserPolicyAttachment registry-reader",
                "random:index/randomPassword:RandomPassword registry-cluster-password",
                "random:index/randomPassword:RandomPassword registry-cluster-salt",
                "random:index/randomPassword:RandomPassword registry-reader-http-secret",
            ]);
        });

        it("has pods that read, which know all users, beside those that take pushes, which know who may push", () => {
            assert.deepEqual(usersOf(read, "registry-auth"), ["ci", "me"]);
            assert.deepEqual(usersOf(read, "registry-reader-auth"), ["cluster", "ci", "me"]);
        });

        it("has pods that read like the others, but for what they may do, and their login file", () => {
            const [reader, registry] = ["registry-reader", "registry"].map((name) =>
                JSON.stringify((find(read, ":Deployment", name).inputs as { spec: object }).spec),
            );
            assert.equal(
                reader!
                    .replaceAll("registry-reader-", "registry-")
                    .replaceAll('instance":"registry-reader"', 'instance":"registry"'),
                registry,
            );
            const lines = (name: string) => secretOf(read, name)["config.yml"]!.split("\n");
            assert.deepEqual(
                lines("registry-reader-config").filter((line) => !lines("registry-config").includes(line)),
                [
                    "      enabled: true",
                    "    uploadpurging:",
                    `  secret: "${"registryreaderhttpsecret".padEnd(64, "x")}"`,
                ],
            );
        });

        it("gives them a key to Minio that can only read", () => {
            assert.equal(
                (find(read, ":IamUser", "registry-reader").inputs as { name: string }).name,
                "registry-container-repo_reader",
            );
            const { Statement } = JSON.parse(
                (find(read, ":IamPolicy", "registry-reader").inputs as { policy: string }).policy,
            ) as { Statement: object };
            assert.deepEqual(Statement, [
                {
                    Effect: "Allow",
                    Action: ["s3:GetBucketLocation", "s3:ListBucket"],
                    Resource: ["arn:aws:s3:::container-repo"],
                },
                { Effect: "Allow", Action: ["s3:GetObject"], Resource: ["arn:aws:s3:::container-repo/*"] },
                { Effect: "Deny", Action: ["admin:*"] },
            ]);
        });

        const path = {
            type: "RegularExpression",
            value: "^/v2/(_catalog|.+/(manifests/[^/]+|blobs/[^/]+(:|%3[Aa])[^/]+|tags/list|referrers/[^/]+))?$",
        };

        it("leads pulls to them on a Gateway, and all else to the registry", () => {
            assert.deepEqual((find(read, ":HTTPRoute").inputs as { spec: { rules: object[] } }).spec.rules, [
                {
                    matches: [
                        { method: "GET", path },
                        { method: "HEAD", path },
                    ],
                    backendRefs: [{ name: "registry-reader", port: 80 }],
                    timeouts: { request: "0s" },
                },
                {
                    matches: [{ path: { type: "RegularExpression", value: "^/.*$" } }],
                    backendRefs: [{ name: "registry", port: 80 }],
                    timeouts: { request: "0s" },
                },
            ]);
        });

        it("leads pulls there once they are there, and forgets who may push no more after that", async () => {
            const waitsFor = (of: Registered[], type: string, name?: string) =>
                (find(of, type, name).opts.dependsOn as unknown as { __pulumiType: string }[]).map(
                    ({ __pulumiType }) => __pulumiType,
                );
            const [deployment, service] = ["kubernetes:apps/v1:Deployment", "kubernetes:core/v1:Service"];
            assert.deepEqual(waitsFor(read, ":HTTPRoute"), [deployment, service]);
            assert.deepEqual(waitsFor(read, ":Secret", "registry-auth"), [
                "kubernetes:gateway.networking.k8s.io/v1:HTTPRoute",
            ]);
            const { resources } = await deployRegistry({
                users,
                ingress: { className: "traefik", clusterIssuer: "letsencrypt-prod" },
            });
            assert.deepEqual(waitsFor(resources, ":IngressRoute", "registry-reader"), [deployment, service]);
            assert.deepEqual(waitsFor(resources, ":Secret", "registry-auth"), [
                "kubernetes:traefik.io/v1alpha1:IngressRoute",
            ]);
            const { resources: apart } = await deployRegistry({ users, pullHost: "pull.example.com" });
            assert.deepEqual(waitsFor(apart, ":Secret", "registry-auth"), [deployment]);
        });

        it("counts as a pull what a client asks for when it pulls, and not what it asks for of an upload", () => {
            const isPull = (request: string) => new RegExp(path.value).test(request);
            const digest = `sha256:${"a".repeat(64)}`;
            for (const request of [
                "/v2/",
                "/v2/_catalog",
                "/v2/a/manifests/latest",
                `/v2/a/b/c/manifests/${digest}`,
                `/v2/a/blobs/${digest}`,
                `/v2/a/blobs/${encodeURIComponent(digest)}`,
                "/v2/a/b/tags/list",
                `/v2/a/referrers/${digest}`,
                "/v2/blobs/uploads/manifests/1",
            ]) {
                assert.ok(isPull(request), request);
            }
            for (const request of [
                "/",
                "/v2",
                "/v2/a/blobs/uploads/",
                "/v2/a/blobs/uploads/8c0f22dc-5f5c-4d0e-8c0c-2f9d6d0a0b0c",
                "/v2/a/b/blobs/uploads/x?digest=sha256:a",
            ]) {
                assert.ok(!isPull(request), request);
            }
        });

        it("does so behind Traefik's own class by an IngressRoute beside the Ingress, which has the certificate", async () => {
            const { resources } = await deployRegistry({
                users,
                ingress: { className: "traefik", clusterIssuer: "letsencrypt-prod" },
            });
            assert.deepEqual(find(resources, ":IngressRoute", "registry-reader").inputs, {
                apiVersion: "traefik.io/v1alpha1",
                kind: "IngressRoute",
                metadata: {
                    name: "registry-reader",
                    namespace: "registry",
                    annotations: { "kubernetes.io/ingress.class": "traefik", ...fieldManagerAnnotation },
                },
                spec: {
                    entryPoints: ["websecure"],
                    routes: [
                        {
                            kind: "Rule",
                            match: `Host(\`docker.registry.example.com\`) && (Method(\`GET\`) || Method(\`HEAD\`)) && PathRegexp(\`${path.value}\`)`,
                            services: [{ name: "registry-reader", port: 80 }],
                        },
                    ],
                    tls: {},
                },
            });
            assert.deepEqual(hostsOf(resources, ":Ingress"), [["registry", "docker.registry.example.com"]]);
        });

        it("has that expression in docs/rights.md, for proxies of one's own, which see the path decoded", () => {
            assert.ok(
                fs
                    .readFileSync("docs/rights.md", "utf8")
                    .includes(`"~^(GET|HEAD) ${path.value.slice(1).replace("(:|%3[Aa])", ":")}"`),
            );
        });

        it("has a name and a certificate of its own for pulls where that is given, whatever exposes it", async () => {
            const pullHost = "pull.registry.example.com";
            const { resources } = await deployRegistry({ users, pullHost });
            assert.deepEqual(hostsOf(resources, ":Ingress"), [
                ["registry", "docker.registry.example.com"],
                ["registry-reader", pullHost],
            ]);
            assert.deepEqual(
                (find(resources, ":Ingress", "registry-reader").inputs as { spec: { tls: object } }).spec.tls,
                [{ hosts: [pullHost], secretName: "registry-reader-tls-ingress" }],
            );
            assert.match(
                secretOf(resources, "registry-reader-config")["config.yml"]!,
                /host: "https:\/\/pull.registry.example.com"/,
            );
            const { resources: onGateway } = await deployRegistry({ users, pullHost, ingress: undefined, gateway });
            const routes = onGateway
                .filter(({ type }) => type.endsWith(":HTTPRoute"))
                .map(({ name, inputs }) => [name, (inputs as { spec: { hostnames: string[]; rules: object[] } }).spec]);
            assert.deepEqual(
                routes.map(([name, spec]) => [
                    name,
                    (spec as { hostnames: string[] }).hostnames,
                    (spec as { rules: object[] }).rules.length,
                ]),
                [
                    ["registry", ["docker.registry.example.com"], 1],
                    ["registry-reader", [pullHost], 1],
                ],
            );
        });

        it("has a Service for pulls where nothing more is asked for, with a port on each node, not the one or the address that are given", async () => {
            const { resources } = await deployRegistry({
                users,
                ingress: undefined,
                service: { type: "LoadBalancer", nodePort: 30500, annotations: { "metallb.io/address-pool": "home" } },
            });
            const { metadata, spec } = find(resources, ":Service", "registry-reader").inputs as {
                metadata: { annotations: object };
                spec: { type: string; ports: object[] };
            };
            assert.deepEqual(metadata.annotations, fieldManagerAnnotation);
            assert.equal(spec.type, "NodePort");
            assert.deepEqual(spec.ports, [{ name: "http-port", port: 80, targetPort: "http", protocol: "TCP" }]);
        });

        it("has pull secrets for the names under which their user may pull", async () => {
            const pullSecrets = [
                { namespace: "apps", user: "cluster" },
                { namespace: "apps", user: "ci", name: "ci" },
            ];
            const hosts = async (pullHost?: string) => {
                const { resources } = await deployRegistry({
                    users,
                    pullSecrets,
                    pullHost,
                    ...(!pullHost && { ingress: undefined, gateway }),
                });
                return ["apps/registry-pull", "apps/ci"].map((name) =>
                    Object.keys(
                        (JSON.parse(secretOf(resources, name)[".dockerconfigjson"]!) as { auths: object }).auths,
                    ),
                );
            };
            assert.deepEqual(await hosts(), [["docker.registry.example.com"], ["docker.registry.example.com"]]);
            assert.deepEqual(await hosts("pull.example.com"), [
                ["pull.example.com"],
                ["docker.registry.example.com", "pull.example.com"],
            ]);
        });

        it("gives out the password of each, and the command that logs in who may push", () => {
            assert.deepEqual(Object.keys(outputs.passwords), ["cluster", "ci", "me"]);
            assert.equal(outputs.loginCommand, "docker login docker.registry.example.com --username ci");
        });

        it("has metrics of the pods that read as well, and confines them as well", async () => {
            const { resources } = await deployRegistry({
                users,
                ingress: undefined,
                gateway,
                metrics: {},
                networkPolicy: {},
                collection: { schedule: "@weekly" },
            });
            const namesOf = (type: string) =>
                resources.filter((resource) => resource.type.endsWith(type)).map(({ name }) => name);
            assert.deepEqual(namesOf(":Metrics"), ["registry", "registry-reader"]);
            assert.deepEqual(namesOf(":NetworkPolicy"), ["registry", "registry-collection", "registry-reader"]);
            const policy = (name: string) =>
                (
                    find(resources, ":NetworkPolicy", name).inputs as {
                        spec: { podSelector: { matchLabels: Record<string, string> } };
                    }
                ).spec;
            const { podSelector, ...rest } = policy("registry-reader");
            assert.equal(podSelector.matchLabels["app.kubernetes.io/instance"], "registry-reader");
            assert.deepEqual({ podSelector: policy("registry").podSelector, ...rest }, policy("registry"));
        });

        it("lets users of a mirror log in as for pulls", async () => {
            const { resources } = await deployRegistry({
                users,
                ingress: undefined,
                gateway,
                mirrors: [{ name: "hub", host: "hub.example.com", remote: "https://registry-1.docker.io" }],
            });
            const { volumes } = (
                find(resources, ":Deployment", "registry-mirror-hub").inputs as {
                    spec: { template: { spec: { volumes: object[] } } };
                }
            ).spec.template.spec;
            assert.equal(
                (volumes[1] as { secret: { secretName: string } }).secret.secretName,
                "registry-reader-auth-1a2b3c",
            );
        });

        it("takes a key that can only read beside one of one's own", async () => {
            const bucket = {
                ...args.bucket,
                accessKey: "OWN",
                secretKey: "own-secret",
                readAccessKey: "READ",
                readSecretKey: "read-secret",
            };
            const { resources } = await deployRegistry({ users, bucket, ingress: undefined, gateway });
            const { stringData } = find(resources, ":Secret", "registry-reader-config").inputs as {
                stringData: Secret;
            };
            assert.match(
                (stringData.value as Record<string, string>)["config.yml"]!,
                /accesskey: "READ"\n {4}secretkey: "read-secret"\n/,
            );
            for (const [secret, name] of [
                ["own-secret", "registry-config"],
                ["read-secret", "registry-reader-config"],
            ] as const) {
                assert.deepEqual(
                    resources.filter(({ inputs }) => JSON.stringify(inputs).includes(secret)).map(({ name }) => name),
                    [name],
                );
            }
        });
    });

    describe("from which everybody may pull", () => {
        let open: Registered[];
        before(async () => ({ resources: open } = await deployRegistry({ anonymousPullHost: "public.example.com" })));

        it("has pods that only read, which ask for no login, under a name of their own", () => {
            const yaml = secretOf(open, "registry-anonymous-config")["config.yml"]!;
            assert.doesNotMatch(yaml, /^auth:/m);
            assert.match(yaml, /readonly:\n {6}enabled: true/);
            assert.match(yaml, /host: "https:\/\/public.example.com"/);
            const { spec } = find(open, ":Ingress", "registry-anonymous").inputs as {
                spec: { rules: [{ host: string }]; tls: object[] };
            };
            assert.equal(spec.rules[0].host, "public.example.com");
            assert.deepEqual(spec.tls, [
                { hosts: ["public.example.com"], secretName: "registry-anonymous-tls-ingress" },
            ]);
        });

        it("has no other resources more than with a user who may only pull, and leaves the registry as it is", () => {
            for (const { type, name, inputs } of resources.filter(
                ({ type }) => !type.startsWith("homelab-registry:"),
            )) {
                assert.deepEqual(find(open, type, name).inputs, inputs);
            }
            assert.deepEqual(added(open, resources), [
                "homelab-registry:index:Exposure registry-anonymous",
                "homelab-registry:index:Reader registry-anonymous",
                "homelab-registry:index:Workload registry-anonymous",
                "kubernetes:apps/v1:Deployment registry-anonymous",
                "kubernetes:core/v1:Secret registry-anonymous-config",
                "kubernetes:core/v1:Service registry-anonymous",
                "kubernetes:networking.k8s.io/v1:Ingress registry-anonymous",
                "kubernetes:policy/v1:PodDisruptionBudget registry-anonymous",
                "minio:index/iamPolicy:IamPolicy registry-reader",
                "minio:index/iamServiceAccount:IamServiceAccount registry-reader",
                "minio:index/iamUser:IamUser registry-reader",
                "minio:index/iamUserPolicyAttachment:IamUserPolicyAttachment registry-reader",
                "random:index/randomPassword:RandomPassword registry-anonymous-http-secret",
            ]);
        });
    });

    describe("that is confined", () => {
        const dns = {
            ports: [
                { protocol: "UDP", port: 53 },
                { protocol: "TCP", port: 53 },
            ],
        };
        const labels = { "app.kubernetes.io/name": "container-registry", "app.kubernetes.io/instance": "registry" };
        const policyOf = async (change: Partial<ContainerRegistryArgs>, name = "registry") =>
            (
                find((await deployRegistry({ networkPolicy: {}, ...change })).resources, ":NetworkPolicy", name)
                    .inputs as { spec: { ingress: object[]; egress: object[] } }
            ).spec;

        it("is reached at its port alone, and reaches DNS and Minio's namespace", async () => {
            assert.deepEqual(await policyOf({}), {
                podSelector: { matchLabels: labels },
                policyTypes: ["Ingress", "Egress"],
                ingress: [{ ports: [{ protocol: "TCP", port: 5000 }] }],
                egress: [
                    dns,
                    { to: [{ namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "minio" } } }] },
                ],
            });
        });

        it("is asked for metrics from the namespace that is named", async () => {
            assert.deepEqual((await policyOf({ metrics: {}, networkPolicy: { metricsFrom: "monitoring" } })).ingress, [
                { ports: [{ protocol: "TCP", port: 5000 }] },
                {
                    from: [{ namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "monitoring" } } }],
                    ports: [{ protocol: "TCP", port: 5001 }],
                },
            ]);
            assert.equal((await policyOf({ metrics: {} })).ingress.length, 1);
        });

        for (const [endpoint, rule] of [
            [
                "192.168.1.10:9000",
                { to: [{ ipBlock: { cidr: "192.168.1.10/32" } }], ports: [{ protocol: "TCP", port: 9000 }] },
            ],
            [
                "[fd00::1]:9000",
                { to: [{ ipBlock: { cidr: "fd00::1/128" } }], ports: [{ protocol: "TCP", port: 9000 }] },
            ],
            ["s3.example.com:443", { ports: [{ protocol: "TCP", port: 443 }] }],
            [
                "minio.storage.svc:80",
                { to: [{ namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "storage" } } }] },
            ],
        ] as const) {
            it(`reaches an S3 at ${endpoint}, and no more`, async () => {
                assert.deepEqual((await policyOf({ bucket: { ...args.bucket, endpoint } })).egress, [dns, rule]);
            });
        }

        it("has its collector reached by nobody", async () => {
            assert.deepEqual(await policyOf({ collection: { schedule: "@weekly" } }, "registry-collection"), {
                podSelector: {
                    matchLabels: {
                        "app.kubernetes.io/name": "container-registry-collection",
                        "app.kubernetes.io/instance": "registry",
                    },
                },
                policyTypes: ["Ingress"],
            });
        });
    });

    describe("that has metrics", () => {
        let watched: Registered[];
        before(async () => ({ resources: watched } = await deployRegistry({ metrics: {} })));
        const ports = (of: Registered[]) =>
            (find(of, ":Deployment").inputs as { spec: { template: { spec: { containers: { ports: object[] }[] } } } })
                .spec.template.spec.containers[0]!.ports;

        it("has a Service more, which leads to every pod, ready or not", () => {
            assert.deepEqual(added(watched, resources), [
                "homelab-registry:index:Metrics registry",
                "kubernetes:core/v1:Service registry-metrics",
            ]);
            assert.deepEqual(find(watched, ":Service", "registry-metrics").inputs, {
                apiVersion: "v1",
                kind: "Service",
                metadata: {
                    name: "registry-metrics",
                    namespace: "registry",
                    labels: {
                        "app.kubernetes.io/name": "container-registry-metrics",
                        "app.kubernetes.io/instance": "registry",
                    },
                    annotations: {
                        ...fieldManagerAnnotation,
                        "prometheus.io/scrape": "true",
                        "prometheus.io/port": "5001",
                        "prometheus.io/path": "/metrics",
                    },
                },
                spec: {
                    clusterIP: "None",
                    publishNotReadyAddresses: true,
                    selector: {
                        "app.kubernetes.io/name": "container-registry",
                        "app.kubernetes.io/instance": "registry",
                    },
                    ports: [{ name: "metrics", port: 5001, targetPort: "metrics", protocol: "TCP" }],
                },
            });
        });

        it("has a port for them in its pods, and none without", () => {
            assert.deepEqual(ports(watched), [
                { name: "http", containerPort: 5000 },
                { name: "metrics", containerPort: 5001 },
            ]);
            assert.deepEqual(ports(resources), [{ name: "http", containerPort: 5000 }]);
        });

        it("leads no client there", () => {
            assert.deepEqual(find(watched, ":Ingress").inputs, find(resources, ":Ingress").inputs);
            assert.deepEqual(find(watched, ":Service").inputs, find(resources, ":Service").inputs);
        });

        it("tells the Prometheus operator of them if told to", async () => {
            const { resources: monitored } = await deployRegistry({
                metrics: { serviceMonitor: true, serviceMonitorLabels: { release: "prometheus" } },
            });
            assert.deepEqual(find(monitored, ":ServiceMonitor", "registry-metrics").inputs, {
                apiVersion: "monitoring.coreos.com/v1",
                kind: "ServiceMonitor",
                metadata: {
                    name: "registry-metrics",
                    namespace: "registry",
                    labels: { release: "prometheus" },
                    annotations: fieldManagerAnnotation,
                },
                spec: {
                    selector: {
                        matchLabels: {
                            "app.kubernetes.io/name": "container-registry-metrics",
                            "app.kubernetes.io/instance": "registry",
                        },
                    },
                    endpoints: [{ port: "metrics", path: "/metrics" }],
                },
            });
        });
    });

    it("takes every option to its place", async () => {
        const { resources } = await deployRegistry({
            namespace: "images",
            image: "registry.example.com/distribution:3.1.3",
            replicas: 2,
            resources: { limits: { memory: "1Gi" } },
            logLevel: "debug",
            deleteEnabled: false,
            readOnly: true,
            drainSeconds: 20,
            bucket: {
                name: "layers",
                endpoint: "s3.example.com:443",
                secure: true,
                region: "eu-1",
                chunkSize: 33554432,
                redirect: true,
            },
        });
        assert.equal((find(resources, ":Namespace").inputs as { metadata: { name: string } }).metadata.name, "images");
        const { spec } = find(resources, ":Deployment").inputs as {
            spec: {
                replicas: number;
                template: { spec: { containers: object[]; terminationGracePeriodSeconds: number } };
            };
        };
        assert.equal(spec.replicas, 2);
        assert.equal(spec.template.spec.terminationGracePeriodSeconds, 35);
        const [container] = spec.template.spec.containers as [{ image: string; resources: object }];
        assert.equal(container.image, "registry.example.com/distribution:3.1.3");
        assert.deepEqual(container.resources, { requests: { cpu: "50m", memory: "128Mi" }, limits: { memory: "1Gi" } });
        const { "config.yml": yaml } = (find(resources, ":Secret", "registry-config").inputs as { stringData: Secret })
            .stringData.value as Record<string, string>;
        for (const line of [
            'level: "debug"',
            'bucket: "layers"',
            'regionendpoint: "s3.example.com:443"',
            "secure: true",
            'region: "eu-1"',
            "chunksize: 33554432",
            "delete:\n    enabled: false",
            "readonly:\n      enabled: true",
            "disable: false",
            'draintimeout: "20s"',
        ]) {
            assert.ok(yaml!.includes(line), `${line} is not in:\n${yaml}`);
        }
    });
});
