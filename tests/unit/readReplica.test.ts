import * as assert from "node:assert/strict";
import * as fs from "node:fs";

import { fieldManagerAnnotation } from "../../components/kubernetes/fieldManager";
import { User } from "../../components/users/args";
import { Registered } from "./support/deploy";
import {
    added,
    args,
    configOf,
    Deployed,
    deployRegistry,
    deployRequired,
    find,
    gateway,
    inputsOf,
    namesOfKind,
    namesWith,
    podOf,
    secretOf,
} from "./support/registry";

describe("ReadReplica", () => {
    let required: Registered[];
    before(async () => ({ resources: required } = await deployRequired()));

    describe("for pull-only users", () => {
        const users: User[] = [
            { name: "cluster", access: "pull" },
            { name: "ci", access: "push" },
            { name: "me", password: "correct horse" },
        ];
        const onGateway = { users, ingress: undefined, gateway };
        const onTraefik = { users, ingress: { className: "traefik", clusterIssuer: "letsencrypt-prod" } };
        let resources: Registered[];
        let outputs: Deployed["outputs"];
        before(async () => ({ resources, outputs } = await deployRegistry(onGateway)));
        const usersOf = (of: Registered[], name: string) =>
            (secretOf(of, name)[".htpasswd"] ?? "")
                .trim()
                .split("\n")
                .map((line) => line.split(":")[0]);
        const hostsOf = (of: Registered[]) =>
            namesOfKind(of, ":Ingress").map((name) => [
                name,
                inputsOf(of, "Ingress", name)
                    .spec.rules.map(({ host }) => host)
                    .join(),
            ]);

        it("adds exactly these resources for a pull-only user on a Gateway", () => {
            assert.deepEqual(added(resources, required), [
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

        it("gives the read-only replica the logins of all users, and the registry only those who may push", () => {
            assert.deepEqual(usersOf(resources, "registry-auth"), ["ci", "me"]);
            assert.deepEqual(usersOf(resources, "registry-reader-auth"), ["cluster", "ci", "me"]);
        });

        it("configures the read-only replica like the registry, except for the logins, key and read-only mode", () => {
            const [replica, registry] = ["registry-reader", "registry"].map((name) =>
                JSON.stringify(inputsOf(resources, "Deployment", name).spec),
            );
            assert.equal(
                replica!
                    .replaceAll("registry-reader-", "registry-")
                    .replaceAll('instance":"registry-reader"', 'instance":"registry"'),
                registry,
            );
            const lines = (name: string) => configOf(resources, name).split("\n");
            assert.deepEqual(
                lines("registry-reader").filter((line) => !lines("registry").includes(line)),
                [
                    '    accesskey: "ACCESSKEY-reader"',
                    "      enabled: true",
                    "    uploadpurging:",
                    `  secret: "${"registryreaderhttpsecret".padEnd(64, "x")}"`,
                ],
            );
        });

        it("gives the read-only replica an access key that can only read", () => {
            assert.equal(inputsOf(resources, "IamUser", "registry-reader").name, "registry-container-repo_reader");
            const { Statement } = JSON.parse(inputsOf(resources, "IamPolicy", "registry-reader").policy) as {
                Statement: object;
            };
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

        it("routes pulls to the read-only replica, and everything else to the registry, on a Gateway", () => {
            assert.deepEqual(inputsOf(resources, "HTTPRoute").spec.rules, [
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

        it("routes pulls once the read-only replica exists, and removes a pull-only user's login later", async () => {
            const waitsFor = (of: Registered[], type: string, name?: string) =>
                (find(of, type, name).opts.dependsOn as unknown as { __pulumiType: string }[]).map(
                    ({ __pulumiType }) => __pulumiType,
                );
            const [deployment, service] = ["kubernetes:apps/v1:Deployment", "kubernetes:core/v1:Service"];
            assert.deepEqual(waitsFor(resources, ":HTTPRoute"), [deployment, service]);
            assert.deepEqual(waitsFor(resources, ":Secret", "registry-auth"), [
                "kubernetes:gateway.networking.k8s.io/v1:HTTPRoute",
            ]);
            const { resources: behindTraefik } = await deployRegistry(onTraefik);
            assert.deepEqual(waitsFor(behindTraefik, ":IngressRoute", "registry-reader"), [deployment, service]);
            assert.deepEqual(waitsFor(behindTraefik, ":Secret", "registry-auth"), [
                "kubernetes:traefik.io/v1alpha1:IngressRoute",
            ]);
            for (const args of [{ users }, onGateway]) {
                const { resources: withPullHost } = await deployRegistry({ ...args, pullHost: "pull.example.com" });
                assert.deepEqual(waitsFor(withPullHost, ":Secret", "registry-auth"), [deployment]);
            }
        });

        it("matches the requests of a pull, and none of an upload, with the expression of the route", () => {
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

        it("routes pulls by an IngressRoute beside the Ingress with the certificate, behind Traefik", async () => {
            const { resources } = await deployRegistry(onTraefik);
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
            assert.deepEqual(hostsOf(resources), [["registry", "docker.registry.example.com"]]);
        });

        it("documents the expression of the route in docs/users.md, for a proxy that matches the decoded path", () => {
            assert.ok(
                fs
                    .readFileSync("docs/users.md", "utf8")
                    .includes(`"~^(GET|HEAD) ${path.value.slice(1).replace("(:|%3[Aa])", ":")}"`),
            );
        });

        it("exposes the read-only replica under pullHost, with a certificate of its own", async () => {
            const pullHost = "pull.registry.example.com";
            const { resources } = await deployRegistry({ users, pullHost });
            assert.deepEqual(hostsOf(resources), [
                ["registry", "docker.registry.example.com"],
                ["registry-reader", pullHost],
            ]);
            assert.deepEqual(inputsOf(resources, "Ingress", "registry-reader").spec.tls, [
                { hosts: [pullHost], secretName: "registry-reader-tls-ingress" },
            ]);
            assert.match(configOf(resources, "registry-reader"), /host: "https:\/\/pull.registry.example.com"/);
            const { resources: routed } = await deployRegistry({ ...onGateway, pullHost });
            assert.deepEqual(
                namesOfKind(routed, ":HTTPRoute").map((name) => {
                    const { hostnames, rules } = inputsOf(routed, "HTTPRoute", name).spec;
                    return [name, hostnames, rules.length];
                }),
                [
                    ["registry", ["docker.registry.example.com"], 1],
                    ["registry-reader", [pullHost], 1],
                ],
            );
        });

        it("gives the replica's Service an automatic node port and no annotations, with a service", async () => {
            const { resources } = await deployRegistry({
                users,
                ingress: undefined,
                service: { type: "LoadBalancer", nodePort: 30500, annotations: { "metallb.io/address-pool": "home" } },
            });
            const { metadata, spec } = inputsOf(resources, "Service", "registry-reader");
            assert.deepEqual(metadata.annotations, fieldManagerAnnotation);
            assert.equal(spec.type, "NodePort");
            assert.deepEqual(spec.ports, [{ name: "http-port", port: 80, targetPort: "http", protocol: "TCP" }]);
        });

        it("creates pull secrets for each host from which their user may pull", async () => {
            const pullSecrets = [
                { namespace: "apps", user: "cluster" },
                { namespace: "apps", user: "ci", name: "ci" },
            ];
            const hosts = async (pullHost?: string) => {
                const { resources } = await deployRegistry({
                    users,
                    pullSecrets,
                    pullHost,
                    ...(!pullHost && onGateway),
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

        it("outputs the passwords of all users, and the login command of the first who may push", () => {
            assert.deepEqual(Object.keys(outputs.passwords), ["cluster", "ci", "me"]);
            assert.equal(outputs.loginCommand, "docker login docker.registry.example.com --username ci");
        });

        it("gives the read-only replica metrics and a network policy like those of the registry", async () => {
            const { resources } = await deployRegistry({
                ...onGateway,
                metrics: {},
                networkPolicy: {},
                collection: { schedule: "@weekly" },
            });
            assert.deepEqual(namesOfKind(resources, ":Metrics"), ["registry", "registry-reader"]);
            assert.deepEqual(namesOfKind(resources, ":NetworkPolicy"), [
                "registry",
                "registry-collection",
                "registry-reader",
            ]);
            const policy = (name: string) => inputsOf(resources, "NetworkPolicy", name).spec;
            const { podSelector, ...rest } = policy("registry-reader");
            assert.equal(podSelector.matchLabels["app.kubernetes.io/instance"], "registry-reader");
            assert.deepEqual({ podSelector: policy("registry").podSelector, ...rest }, policy("registry"));
        });

        it("gives a pull-through cache the logins of all users, pull-only ones included", async () => {
            const { resources } = await deployRegistry({
                ...onGateway,
                mirrors: [{ name: "hub", host: "hub.example.com", remote: "https://registry-1.docker.io" }],
            });
            assert.equal(
                podOf(resources, "registry-mirror-hub").volumes[1]!.secret.secretName,
                "registry-reader-auth-1a2b3c",
            );
        });

        it("writes readAccessKey to the configuration of the read-only replica, and nowhere else", async () => {
            const bucket = {
                ...args.bucket,
                accessKey: "OWN",
                secretKey: "own-secret",
                readAccessKey: "READ",
                readSecretKey: "read-secret",
            };
            const { resources } = await deployRegistry({ ...onGateway, bucket });
            assert.match(configOf(resources, "registry-reader"), /accesskey: "READ"\n {4}secretkey: "read-secret"\n/);
            assert.deepEqual(namesWith(resources, "own-secret"), ["registry-config"]);
            assert.deepEqual(namesWith(resources, "read-secret"), ["registry-reader-config"]);
        });
    });

    describe("for anonymous pulls", () => {
        let resources: Registered[];
        before(async () => ({ resources } = await deployRegistry({ anonymousPullHost: "public.example.com" })));

        it("exposes a read-only replica without logins under anonymousPullHost", () => {
            const yaml = configOf(resources, "registry-anonymous");
            assert.doesNotMatch(yaml, /^auth:/m);
            assert.match(yaml, /readonly:\n {6}enabled: true/);
            assert.match(yaml, /host: "https:\/\/public.example.com"/);
            const { spec } = inputsOf(resources, "Ingress", "registry-anonymous");
            assert.equal(spec.rules[0]!.host, "public.example.com");
            assert.deepEqual(spec.tls, [
                { hosts: ["public.example.com"], secretName: "registry-anonymous-tls-ingress" },
            ]);
        });

        it("adds exactly these resources, and changes no other, with anonymousPullHost", () => {
            for (const { type, name, inputs } of required.filter(({ type }) => !type.startsWith("homelab-registry:"))) {
                assert.deepEqual(find(resources, type, name).inputs, inputs);
            }
            assert.deepEqual(added(resources, required), [
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
});
