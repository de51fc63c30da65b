import * as assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as http from "node:http";
import * as https from "node:https";
import * as net from "node:net";
import * as os from "node:os";
import * as path from "node:path";

import * as pulumi from "@pulumi/pulumi";

import { PlainArgs, StackConfiguration } from "../../config";
import { runPreflight } from "../../preflight";
import { checkBucketServer } from "../../preflight/bucketServer";
import { checkChanges, createdNamespace, readLastUpdate } from "../../preflight/changes";
import { checkCluster } from "../../preflight/cluster";
import { checkHosts } from "../../preflight/hosts";
import { checkRemotes, mayTrust } from "../../preflight/remotes";

/** Lets a server listen on this machine. Returns its address. */
async function listen(server: net.Server): Promise<string> {
    server.listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    return `127.0.0.1:${(server.address() as net.AddressInfo).port}`;
}

/** Sets variables of the environment. Returns what sets them back. */
function setEnvironment(values: Record<string, string>): () => void {
    const before = Object.keys(values).map((name) => [name, process.env[name]] as const);
    Object.assign(process.env, values);
    return () => {
        for (const [name, value] of before) {
            if (value === undefined) {
                delete process.env[name];
            } else {
                process.env[name] = value;
            }
        }
    };
}

const registry = {
    host: "localhost",
    namespace: "images",
    createNamespace: false,
    bucket: { name: "layers", endpoint: "minio:9000" },
    users: [{ name: "me" }],
} as PlainArgs;

const namespace = (name: string, annotations = {}) => ({ kind: "Namespace", metadata: { name, annotations } });
const namespaceNotFound = (name: string) => `Error from server (NotFound): namespaces "${name}" not found\n`;

describe("The preflight", () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "preflight-"));
    const file = (name: string) => path.join(folder, name);
    const files = ["one", "two", "missing"].map(file);
    const server = net.createServer((socket) => socket.destroy());
    /** An address where nothing listens. */
    let away: string;
    let restore: () => void;

    before(async () => {
        const closed = net.createServer();
        away = await listen(closed);
        await new Promise((resolve) => closed.close(resolve));
        const here = await listen(server);
        const context = (name: string) => ({ name, context: { cluster: name } });
        const cluster = (name: string, address: string, others = {}) => ({
            name,
            cluster: { server: `https://${address}`, ...others },
        });
        const one = {
            "current-context": "away",
            contexts: [context("away"), context("proxied")],
            clusters: [cluster("away", away), cluster("proxied", away, { "proxy-url": "socks5://127.0.0.1:1" })],
        };
        const two = { "current-context": "here", contexts: [context("here")], clusters: [cluster("here", here)] };
        fs.writeFileSync(file("one"), JSON.stringify(one));
        fs.writeFileSync(file("two"), JSON.stringify(two));
        // Keeps what it is asked, and answers with files.
        fs.writeFileSync(
            file("kubectl"),
            `#!/bin/sh
printf '%s\\n' "$*" >>"${file("calls")}"
case $* in *--filename*) cat >"${file("asked")}" && set -- objects ;; *) set -- list ;; esac
cat "${folder}/$1.json"
! [ -s "${folder}/$1.errors" ] || { cat "${folder}/$1.errors" >&2 && exit 1; }
`,
            { mode: 0o755 },
        );
        restore = setEnvironment({
            KUBECONFIG: files.join(path.delimiter),
            PATH: `${folder}${path.delimiter}${process.env.PATH}`,
        });
    });
    beforeEach(() => answer({}));
    after(() => {
        restore();
        server.close();
        fs.rmSync(folder, { recursive: true });
    });

    /** Sets what kubectl answers about the objects and namespaces, and if it lists others. */
    function answer({
        objects = [] as object[],
        namespaces = [namespace("images")],
        list = [] as object[],
        errors = "",
    }): void {
        fs.rmSync(file("calls"), { force: true });
        fs.writeFileSync(file("objects.json"), JSON.stringify({ kind: "List", items: [...namespaces, ...objects] }));
        fs.writeFileSync(file("list.json"), JSON.stringify({ kind: "List", items: list }));
        fs.writeFileSync(file("objects.errors"), errors);
    }
    const calls = () => (fs.existsSync(file("calls")) ? fs.readFileSync(file("calls"), "utf8") : "");
    /** What the check of the cluster finds with these arguments. */
    const inCluster = async (
        args: Partial<PlainArgs>,
        { kubeContext = "here", ownNamespace }: { kubeContext?: string | null; ownNamespace?: string } = {},
    ) => {
        const configuration = {
            kubeContext: kubeContext ?? undefined,
            registry: { ...registry, ...args },
        } as StackConfiguration;
        const findings = await checkCluster(configuration, ownNamespace);
        return findings.map(({ severity, text }) => `${severity}: ${text}`);
    };

    describe("of all checks", () => {
        /** Runs the preflight. Returns what it prints. */
        async function run(configuration: Partial<StackConfiguration>, preview: boolean): Promise<string[]> {
            await pulumi.runtime.setMocks(
                { newResource: () => ({ id: "", state: {} }), call: () => ({}) },
                "homelab-registry",
                "test",
                preview,
                "organization",
            );
            const printed: string[] = [];
            const { warn, log } = console;
            console.warn = console.log = (line: string) => void printed.push(line);
            try {
                await runPreflight({ registry, ...configuration } as StackConfiguration);
            } finally {
                Object.assign(console, { warn, log });
            }
            return printed;
        }
        const minio = () => ({ server: away, source: "minioServer" }) as StackConfiguration["minio"];
        const unreachable = () => [
            `The cluster does not respond at ${away} (ECONNREFUSED). The address comes from kubeContext.`,
            `MinIO does not respond at ${away} (ECONNREFUSED). The address comes from minioServer.`,
        ];

        it("rejects an update with all errors at once", async () => {
            await assert.rejects(run({ kubeContext: "away", minio: minio() }, false), (error: Error) => {
                assert.ok(pulumi.RunError.isInstance(error), String(error));
                assert.equal(error.message, [...unreachable(), "Nothing was changed."].join("\n"));
                return true;
            });
        });

        it("lets a preview continue without a server, and warns", async () => {
            assert.deepEqual(await run({ kubeContext: "away", minio: minio() }, true), [
                `warning: [runtime] ${unreachable().join("\n")}\n` +
                    "This preview uses only the state; an update would stop here.",
            ]);
        });

        it("rejects a preview as well if an error is certain", async () => {
            const metrics = { serviceMonitor: true };
            answer({ errors: 'no matches for kind "ServiceMonitor" in version "monitoring.coreos.com/v1"\n' });
            await assert.rejects(
                run({ kubeContext: "here", minio: minio(), registry: { ...registry, metrics } }, true),
                /^Error: metricsServiceMonitor: the cluster does not know ServiceMonitor .*\nNothing was changed\.$/,
            );
        });

        it("connects to no server if the environment has a proxy", async () => {
            const restore = setEnvironment({ HTTPS_PROXY: "http://127.0.0.1:1" });
            try {
                const host = "missing.invalid";
                const configuration = { kubeContext: "away", minio: minio(), registry: { ...registry, host } };
                assert.deepEqual(await run(configuration, false), []);
            } finally {
                restore();
            }
        });
    });

    describe("of the kubeconfig", () => {
        /** What the check finds with another file, or other files. */
        const inKubeconfig = async (paths: string) => {
            const restore = setEnvironment({ KUBECONFIG: paths });
            try {
                return await inCluster({}, { kubeContext: null });
            } finally {
                restore();
            }
        };

        it("says where the address comes from", async () => {
            const source = "The address comes from the current context of your kubeconfig.";
            assert.deepEqual(await inCluster({}, { kubeContext: null }), [
                `unreachable: The cluster does not respond at ${away} (ECONNREFUSED). ${source}`,
            ]);
        });

        it("skips the connection if the kubeconfig has a proxy", async () => {
            assert.deepEqual(await inCluster({}, { kubeContext: "proxied" }), []);
        });

        it("names the contexts that exist if the configured one does not", async () => {
            assert.deepEqual(await inCluster({}, { kubeContext: "unheard-of" }), [
                `unreachable: The kubeconfig (${files.join(", ")}) has no context "unheard-of". ` +
                    "It has: away, proxied, here.",
            ]);
        });

        for (const [content, expected] of [
            [
                "",
                "No kubeconfig (FILE) has a current context. Set one, or set kubeContext. " +
                    "On a k3s server, run as root: export KUBECONFIG=/etc/rancher/k3s/k3s.yaml",
            ],
            ["users:\n  - user: { token: abc: def }", "The kubeconfig FILE is not valid YAML."],
        ] as const) {
            it(`rejects ${content ? "a malformed kubeconfig, and shows nothing of it" : "an empty kubeconfig"}`, async () => {
                fs.writeFileSync(file("other"), content);
                assert.deepEqual(await inKubeconfig(file("other")), [
                    `unreachable: ${expected.replace("FILE", file("other"))}`,
                ]);
            });
        }

        it("says that a file cannot be read, as k3s' by another user than root", async () => {
            assert.deepEqual(await inKubeconfig(folder), [
                `unreachable: The kubeconfig ${folder} cannot be read (EISDIR).`,
            ]);
        });

        it("accepts the address of a server without a scheme, as Kubernetes' clients do", async () => {
            const { clusters, ...rest } = JSON.parse(fs.readFileSync(file("one"), "utf8")) as {
                clusters: { name: string }[];
            };
            const bare = clusters.map(({ name }) => ({ name, cluster: { server: away } }));
            fs.writeFileSync(file("bare"), JSON.stringify({ ...rest, clusters: bare }));
            const [finding = ""] = await inKubeconfig(file("bare"));
            assert.ok(
                finding.startsWith(`unreachable: The cluster does not respond at ${away} (ECONNREFUSED)`),
                finding,
            );
        });
    });

    describe("of the cluster", () => {
        const ingressClass = { kind: "IngressClass", metadata: { name: "nginx" } };
        const issuer = { kind: "ClusterIssuer", metadata: { name: "letsencrypt-prod" } };
        const ingress = { className: "nginx", clusterIssuer: "letsencrypt-prod" };
        const home = { name: "home", namespace: "gateways" };
        const gateway = (...names: string[]) => ({
            kind: "Gateway",
            metadata: home,
            spec: { listeners: names.map((name) => ({ name })) },
        });

        it("asks kubectl once for what the configuration names", async () => {
            answer({ objects: [ingressClass, issuer] });
            assert.deepEqual(await inCluster({ ingress }), []);
            assert.equal(calls(), "get --output=json --request-timeout=5s --context=here --filename -\n");
            assert.deepEqual(
                fs
                    .readFileSync(file("asked"), "utf8")
                    .split("\n")
                    .map((line) => JSON.parse(line) as object),
                [
                    { apiVersion: "v1", kind: "Namespace", metadata: { name: "images" } },
                    { apiVersion: "networking.k8s.io/v1", ...ingressClass },
                    { apiVersion: "cert-manager.io/v1", ...issuer },
                ],
            );
        });

        const notFound = `Error from server (NotFound): ingressclasses.networking.k8s.io "nginx" not found
Error from server (NotFound): clusterissuers.cert-manager.io "letsencrypt-prod" not found
`;
        it("names the classes and issuers that exist, with the command that chooses one", async () => {
            const list = ["a", "b"].map((name) => ({ ...issuer, metadata: { name } }));
            answer({ errors: notFound, list: [{ ...ingressClass, metadata: { name: "traefik" } }, ...list] });
            assert.deepEqual(await inCluster({ ingress }), [
                'error: ingressClassName: the cluster has no IngressClass "nginx"; it has traefik. ' +
                    "Run: pulumi config set ingressClassName traefik",
                'error: ingressClusterIssuer: the cluster has no ClusterIssuer "letsencrypt-prod"; it has a, b. ' +
                    "Run: pulumi config set ingressClusterIssuer NAME",
            ]);
            const types = "IngressClass.v1.networking.k8s.io,ClusterIssuer.v1.cert-manager.io";
            const options = "get --output=json --request-timeout=5s --context=here";
            assert.equal(calls(), `${options} --filename -\n${options} ${types} --all-namespaces\n`);
        });

        it("rejects a class and an issuer in a cluster without any", async () => {
            answer({ errors: notFound });
            assert.deepEqual(await inCluster({ ingress }), [
                'error: ingressClassName: the cluster has no IngressClass "nginx", and shows no other. Create it.',
                'error: ingressClusterIssuer: the cluster has no ClusterIssuer "letsencrypt-prod", ' +
                    "and shows no other. Create it.",
            ]);
        });

        it("accepts an Ingress without an issuer, or with one of its annotations", async () => {
            answer({ objects: [ingressClass] });
            assert.deepEqual(await inCluster({ ingress: { className: "nginx", tlsSecret: "own" } }), []);
            answer({ objects: [ingressClass, { kind: "ClusterIssuer", metadata: { name: "other" } }] });
            const annotations = { "cert-manager.io/cluster-issuer": "other" };
            assert.deepEqual(await inCluster({ ingress: { ...ingress, annotations } }), []);
        });

        it("rejects each option whose CRD is missing", async () => {
            const unknown = (kind: string, version: string) =>
                `resource mapping not found for name: "x" from "STDIN": no matches for kind "${kind}" in version ` +
                `"${version}"\nensure CRDs are installed first\n`;
            answer({
                objects: [ingressClass],
                errors:
                    unknown("ClusterIssuer", "cert-manager.io/v1") +
                    unknown("IngressRoute", "traefik.io/v1alpha1") +
                    unknown("ServiceMonitor", "monitoring.coreos.com/v1") +
                    unknown("Gateway", "gateway.networking.k8s.io/v1"),
            });
            const users = [{ name: "me" }, { name: "cluster", access: "pull" as const }];
            assert.deepEqual(await inCluster({ ingress, users, metrics: { serviceMonitor: true } }), [
                "error: ingressClusterIssuer: the cluster does not know ClusterIssuer (cert-manager.io/v1). " +
                    "Install cert-manager, or use your own certificate: pulumi config set ingressTlsSecret NAME",
                "error: users: the cluster does not know IngressRoute (traefik.io/v1alpha1). " +
                    "Install the CRDs of Traefik, or run: pulumi config set pullHost HOST",
                "error: metricsServiceMonitor: the cluster does not know ServiceMonitor (monitoring.coreos.com/v1). " +
                    "Install the Prometheus operator, or run: pulumi config set metricsServiceMonitor false",
            ]);
            assert.deepEqual(await inCluster({ gateway: home }), [
                "error: gatewayName: the cluster does not know Gateway (gateway.networking.k8s.io/v1). " +
                    "Install the CRDs of the Gateway API, or run: pulumi config set exposure ingress",
            ]);
        });

        it("accepts an option whose CRD exists, without an object yet", async () => {
            answer({
                errors:
                    "Error from server (NotFound): servicemonitors.monitoring.coreos.com " +
                    '"registry-metrics" not found\n',
            });
            assert.deepEqual(await inCluster({ service: {}, metrics: { serviceMonitor: true } }), []);
            answer({ namespaces: [], errors: namespaceNotFound("images") });
            const created = { createNamespace: true, service: {} };
            assert.deepEqual(await inCluster({ ...created, metrics: { serviceMonitor: true } }), []);
        });

        it("names the Gateways, and the listeners, that exist", async () => {
            const lan = { kind: "Gateway", metadata: { name: "lan", namespace: "kube-system" } };
            answer({
                errors: 'Error from server (NotFound): gateways.gateway.networking.k8s.io "home" not found\n',
                list: [lan],
            });
            assert.deepEqual(await inCluster({ gateway: home }), [
                'error: gatewayName: the cluster has no Gateway "gateways/home"; it has kube-system/lan. Run: ' +
                    "pulumi config set-all --plaintext gatewayNamespace=kube-system --plaintext gatewayName=lan",
            ]);
            answer({ objects: [gateway("websecure")] });
            assert.deepEqual(await inCluster({ gateway: { ...home, httpSectionName: "http" } }), [
                'error: gatewaySectionName: the Gateway gateways/home has no listener "https"; it has websecure. ' +
                    "Run: pulumi config set gatewaySectionName websecure",
                'error: gatewayHttpSectionName: the Gateway gateways/home has no listener "http"; it has websecure. ' +
                    "Run: pulumi config set gatewayHttpSectionName websecure",
            ]);
            const monitor = { kind: "ServiceMonitor", metadata: { name: "registry-metrics", namespace: "images" } };
            answer({ objects: [gateway("https", "http"), monitor] });
            const metrics = { serviceMonitor: true };
            assert.deepEqual(await inCluster({ gateway: { ...home, httpSectionName: "http" }, metrics }), []);
        });

        it("warns of a Certificate from another class than traefik", async () => {
            const annotation = "acme.cert-manager.io/http01-override-ingress-name";
            const certificate = (annotations: object) => ({
                kind: "Certificate",
                metadata: { name: "registry-tls-ingress", namespace: "images", annotations },
            });
            const traefik = { kind: "IngressClass", metadata: { name: "traefik" } };
            answer({ objects: [traefik, issuer, certificate({ [annotation]: "registry" })] });
            assert.deepEqual(await inCluster({ ingress: { ...ingress, className: "traefik" } }), [
                "warning: ingressClassName: the Certificate registry-tls-ingress is from another class, " +
                    "so HTTP-01 cannot renew it. After this update, run: " +
                    `kubectl --context here annotate certificate registry-tls-ingress --namespace images ${annotation}- && ` +
                    "kubectl --context here delete certificaterequest --all --namespace images",
            ]);
            answer({ objects: [traefik, issuer, certificate({})] });
            assert.deepEqual(await inCluster({ ingress: { ...ingress, className: "traefik" } }), []);
        });

        describe("its namespaces", () => {
            const images = namespace("images", { "pulumi.com/patchFieldManager": "homelab-registry" });
            const created = { createNamespace: true, service: {} };

            it("rejects one that exists, and that the update would adopt", async () => {
                assert.deepEqual(await inCluster(created), [
                    'error: namespace: "images" already exists. This stack would adopt it, and pulumi destroy would ' +
                        "delete everything in it. " +
                        "Set namespace to a new name, or run: pulumi config set createNamespace false",
                ]);
            });

            it("accepts one that does not exist, or that the stack has created, whatever its annotations are", async () => {
                answer({ namespaces: [], errors: namespaceNotFound("images") });
                assert.deepEqual(await inCluster(created), []);
                for (const existing of [images, namespace("images")]) {
                    answer({ namespaces: [existing] });
                    assert.deepEqual(await inCluster(created, { ownNamespace: "images" }), []);
                }
                answer({ namespaces: [], errors: 'namespaces "images" is forbidden: User "ci" cannot get it' });
                assert.deepEqual(await inCluster(created, { ownNamespace: "images" }), []);
            });

            it("warns if the one that the stack has created is gone, as the update would not create it again", async () => {
                answer({ namespaces: [], errors: namespaceNotFound("images") });
                assert.deepEqual(await inCluster(created, { ownNamespace: "images" }), [
                    'warning: namespace: the cluster has no Namespace "images", which this stack created. Only ' +
                        "scripts/refresh creates it again. If this is another cluster, set kubeContext.",
                ]);
            });

            it("rejects one that does not exist and is not to be created, with the command that creates it", async () => {
                answer({ namespaces: [], errors: namespaceNotFound("images") });
                assert.deepEqual(await inCluster({ createNamespace: false, service: {} }), [
                    'error: namespace: the cluster has no Namespace "images". ' +
                        "Run: kubectl --context here create namespace images",
                ]);
            });

            it("warns of one that may be of another stack, in the first update and after a change", async () => {
                answer({ namespaces: [images] });
                for (const ownNamespace of [undefined, "before"]) {
                    assert.deepEqual(await inCluster(created, { ownNamespace }), [
                        'warning: namespace: "images" already has a registry of this program, which this update ' +
                            "would change. If another stack manages that registry, stop, and run: " +
                            "pulumi config set namespace NAME",
                    ]);
                }
            });

            it("rejects a pull secret in one that does not exist, with the command that creates it", async () => {
                const pullSecrets = ["apps", "images", "jobs"].map((namespace) => ({ namespace, user: "me" }));
                answer({
                    namespaces: [namespace("jobs")],
                    errors: namespaceNotFound("images") + namespaceNotFound("apps"),
                });
                assert.deepEqual(await inCluster({ ...created, pullSecrets }), [
                    'error: pullSecrets[0].namespace: the cluster has no Namespace "apps". ' +
                        "Run: kubectl --context here create namespace apps",
                ]);
                assert.equal(calls().split("\n").length, 2, "it listed namespaces");
            });
        });

        it("notes what it may not read", async () => {
            const forbidden = 'clusterissuers.cert-manager.io "letsencrypt-prod" is forbidden: User "ci" cannot get it';
            answer({ objects: [ingressClass], errors: `Error from server (Forbidden): ${forbidden}\n` });
            assert.deepEqual(await inCluster({ ingress }), [
                "note: Not checked in the cluster, because the user of your kubeconfig may not read them: " +
                    "ClusterIssuer letsencrypt-prod.",
            ]);
        });

        it("notes what it did not check if kubectl fails, and shows nothing of its output", async () => {
            answer({ namespaces: [], errors: "error: token abc was not accepted\n" });
            const unchecked = "Namespace images, IngressClass nginx, ClusterIssuer letsencrypt-prod";
            assert.deepEqual(await inCluster({ ingress }), [
                `note: Not checked in the cluster, because kubectl failed: ${unchecked}.`,
            ]);
            const restore = setEnvironment({ PATH: "" });
            try {
                assert.deepEqual(await inCluster({ ingress }), [
                    `note: Not checked in the cluster, because kubectl is not installed: ${unchecked}.`,
                ]);
            } finally {
                restore();
            }
        });
    });

    describe("of MinIO", () => {
        /** What it answers to a signed request, and how many it got. */
        let response: { status: number; body: string };
        let paths: string[];
        const respond: http.RequestListener = ({ url, headers }, outgoing) => {
            const isSigned = headers.authorization?.startsWith("AWS4-HMAC-SHA256 Credential=admin/");
            if (isSigned) {
                paths.push(url!);
            }
            outgoing.writeHead(isSigned ? response.status : 403).end(response.body);
        };
        const plain = http.createServer(respond);
        let encrypted: https.Server;
        let addresses: { plain: string; encrypted: string };

        before(async () => {
            const request = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2".split(" ");
            execFileSync(
                "openssl",
                [...request, "-subj", "/CN=minio", "-addext", "subjectAltName=IP:127.0.0.1"].concat([
                    "-keyout",
                    file("key"),
                    "-out",
                    file("certificate"),
                ]),
                { stdio: "ignore" },
            );
            const pair = { key: fs.readFileSync(file("key")), cert: fs.readFileSync(file("certificate")) };
            encrypted = https.createServer(pair, respond);
            addresses = { plain: await listen(plain), encrypted: await listen(encrypted) };
        });
        beforeEach(() => {
            response = { status: 200, body: "<ListBucketResult></ListBucketResult>" };
            paths = [];
        });
        after(() => {
            plain.close();
            encrypted.close();
        });

        const check = async (minio: object, lastBucket?: string) => {
            const login = { user: "admin", password: pulumi.secret("the password"), region: "us-east-1" };
            const settings = { server: addresses.plain, secure: false, source: "minioServer", ...login, ...minio };
            const mirrors = [{ name: "hub" }, { name: "quay", bucketName: "cache" }];
            const configuration = { registry: { ...registry, mirrors }, minio: settings };
            const findings = await checkBucketServer(configuration as unknown as StackConfiguration, lastBucket);
            return findings.map(({ severity, text }) => `${severity}: ${text}`);
        };
        const fails = (status: number, code: string) => {
            response = { status, body: `<Error><Code>${code}</Code></Error>` };
        };

        const missingCache = () =>
            `error: mirrors[1].bucketName: MinIO at ${addresses.plain} has no bucket "cache". ` +
            "Create it: mc mb homelab/cache";

        it("accepts it with one signed request for each bucket, with or without TLS", async () => {
            assert.deepEqual(await check({}), []);
            const secure = { server: addresses.encrypted, secure: true, caFile: file("certificate") };
            assert.deepEqual(await check(secure), []);
            const [own, cache] = ["/layers?list-type=2&max-keys=1", "/cache?list-type=2&max-keys=1"];
            assert.deepEqual(paths, [own, cache, own, cache]);
        });

        it("accepts a bucket that does not exist yet, but not the missing bucket of a cache", async () => {
            fails(404, "NoSuchBucket");
            for (const lastBucket of [undefined, "before"]) {
                assert.deepEqual(await check({}, lastBucket), [missingCache()]);
            }
        });

        it("warns if the bucket with the images is gone, as the update would not create it again", async () => {
            assert.deepEqual(await check({}, "layers"), []);
            fails(404, "NoSuchBucket");
            assert.deepEqual(await check({}, "layers"), [
                `warning: bucketName: MinIO at ${addresses.plain} has no bucket "layers", which stored the images. ` +
                    "To restore it, or to begin with an empty one, see docs/recovery.md#minios-disk-is-gone.",
                missingCache(),
            ]);
        });

        it("accepts permissions that do not include the buckets", async () => {
            fails(403, "AccessDenied");
            assert.deepEqual(await check({}), []);
        });

        it("accepts anything for a stack with an access key of its own", async () => {
            assert.deepEqual(await checkBucketServer({ registry } as StackConfiguration, "layers"), []);
        });

        it("rejects a wrong user, and a wrong password", async () => {
            fails(403, "InvalidAccessKeyId");
            assert.deepEqual(await check({}), [
                `error: minioUser: MinIO at ${addresses.plain} has no user "admin" (InvalidAccessKeyId). ` +
                    "Run: pulumi config set minioUser NAME",
            ]);
            fails(403, "SignatureDoesNotMatch");
            assert.deepEqual(await check({}), [
                `error: minioPassword: MinIO at ${addresses.plain} rejects it for "admin" (SignatureDoesNotMatch). ` +
                    "Run: pulumi config set --secret minioPassword",
            ]);
        });

        it("rejects TLS to a server without, and no TLS to a server with it", async () => {
            assert.deepEqual(await check({ secure: true }), [
                `error: minioServerSecure: is true, but ${addresses.plain} responds in plain http. ` +
                    "Run: pulumi config set minioServerSecure false",
            ]);
            assert.deepEqual(await check({ secure: true, source: "bucketEndpoint" }), [
                `error: bucketSecure: is true, but ${addresses.plain} responds in plain http. ` +
                    "Run: pulumi config set bucketSecure false",
            ]);
            assert.deepEqual(await check({ server: addresses.encrypted }), [
                `error: minioServerSecure: is false, but ${addresses.encrypted} responds only to https. ` +
                    "Run: pulumi config set minioServerSecure true",
            ]);
            assert.deepEqual(paths, []);
        });

        it("notes a certificate that Node does not trust", async () => {
            assert.deepEqual(await check({ server: addresses.encrypted, secure: true }), [
                `note: minioServer: ${addresses.encrypted} has a certificate that Node does not trust ` +
                    "(DEPTH_ZERO_SELF_SIGNED_CERT), so minioUser and minioPassword were not checked. " +
                    "If the update fails with x509, set minioServerCaFile to its CA.",
            ]);
        });

        it("finds a certificate of another name, which the provider refuses, too", async () => {
            const server = addresses.encrypted.replace("127.0.0.1", "localhost");
            assert.deepEqual(await check({ server, secure: true, caFile: file("certificate") }), [
                `unreachable: minioServer: ${server} does not respond like MinIO (ERR_TLS_CERT_ALTNAME_INVALID). ` +
                    "Renew its certificate, or set minioServer to a name in it.",
            ]);
        });

        it("finds a server that is not ready, or is not MinIO's API", async () => {
            fails(503, "XMinioServerNotInitialized");
            assert.deepEqual(await check({}), [
                `unreachable: MinIO at ${addresses.plain} is not ready (503 XMinioServerNotInitialized).`,
            ]);
            response = { status: 200, body: "<!doctype html>" };
            assert.deepEqual(await check({}), [
                `unreachable: minioServer: ${addresses.plain} does not respond like MinIO (status 200). ` +
                    "Set minioServer to the address of MinIO's API. Its console has another port.",
            ]);
        });

        it("explains a name that this machine cannot resolve, and how to reach one inside the cluster", async () => {
            assert.deepEqual(await check({ server: "minio..invalid:9000" }), [
                'unreachable: minioServer: this machine cannot resolve "minio..invalid" (ENOTFOUND). ' +
                    "Set minioServer to an address of MinIO that this machine reaches.",
            ]);
            const server = "minio.storage.svc..local:80";
            assert.deepEqual(await check({ server, source: "bucketEndpoint" }), [
                'unreachable: bucketEndpoint: this machine cannot resolve "minio.storage.svc..local" (ENOTFOUND), ' +
                    "a name inside the cluster.\n" +
                    "Set minioServer to an address of MinIO that this machine reaches, " +
                    "or forward a port in another terminal:\n" +
                    "    kubectl port-forward --namespace storage service/minio 9000:80\n" +
                    "    pulumi config set-all --plaintext minioServer=127.0.0.1:9000 " +
                    "--plaintext minioServerSecure=false",
            ]);
        });
    });

    it("warns of each host that this machine cannot resolve", async () => {
        const mirrors = [{ name: "hub", host: "hub..invalid:8443", remote: "https://registry-1.docker.io" }];
        const fix = "Add a DNS record for it, which clients and the cluster's nodes need.";
        const bucket = { ...registry.bucket, redirectEndpoint: "https://minio..invalid:9000" };
        assert.deepEqual(await checkHosts({ ...registry, pullHost: "pull..invalid", bucket, mirrors }), [
            { severity: "warning", text: `pullHost: this machine cannot resolve "pull..invalid" (ENOTFOUND). ${fix}` },
            {
                severity: "warning",
                text: `bucketRedirectEndpoint: this machine cannot resolve "minio..invalid" (ENOTFOUND). ${fix}`,
            },
            {
                severity: "warning",
                text: `mirrors[0].host: this machine cannot resolve "hub..invalid:8443" (ENOTFOUND). ${fix}`,
            },
        ]);
    });

    it("warns of a cached registry whose logins are in another domain", async () => {
        let realm = "";
        const upstream = http.createServer((_, response) =>
            response.writeHead(401, { "www-authenticate": `Bearer realm="${realm}",service="x"` }).end(),
        );
        const remote = `http://${await listen(upstream)}`;
        const check = (remote: string, at: string) => {
            realm = at;
            return checkRemotes({ ...registry, mirrors: [{ name: "hub", host: "localhost", remote }] });
        };
        try {
            assert.deepEqual(await check(remote, `${remote}/token`), []);
            assert.deepEqual(await check(`http://${away}`, ""), []);
            const problem = `"${remote}" has its logins at https://ghcr.io/token, which is another domain`;
            const consequence = "distribution refuses that (distribution#4947), and probably nothing can be pulled.";
            assert.deepEqual(await check(remote, "https://ghcr.io/token"), [
                { severity: "warning", text: `mirrors[0].remote: ${problem}. ${consequence}` },
            ]);
        } finally {
            upstream.close();
        }
    });

    for (const [remote, realm, isTrusted] of [
        ["https://registry-1.docker.io", "https://auth.docker.io/token", true],
        ["http://git.lan:3000", "http://git.lan:3000/v2/token", true],
        ["http://10.0.0.5:3000", "http://10.0.0.5:3000/v2/token", true],
        ["http://10.0.0.5:3000", "http://10.0.0.5/v2/token", false],
        ["http://localhost:3000", "http://localhost:3001/v2/token", false],
        ["http://[fd00::1]:3000", "http://[fd00::1]/v2/token", false],
        ["http://gitea-http.gitea.svc:3000", "https://git.example.com/v2/token", false],
    ] as const) {
        it(`knows whether distribution sends logins of ${remote} to ${realm}`, () =>
            assert.equal(mayTrust(new URL(remote), new URL(realm)), isTrusted));
    }
});

describe("The check of changes", () => {
    const name = "organization/homelab-registry/test";
    const last = { host: "docker.example.com", bucket: "container-repo", namespace: "registry" };
    const component = "urn:pulumi:test::homelab-registry::homelab-registry:index:ContainerRegistry$";

    /** What it finds after an update with these outputs and resources, and the engine's functions that it calls. */
    async function check(
        outputs: object,
        args: object,
        { resources = {}, minio = true } = {},
    ): Promise<{ findings: string[]; calls: unknown[] }> {
        const calls: unknown[] = [];
        await pulumi.runtime.setMocks(
            {
                newResource: () => ({ id: "", state: {} }),
                call: ({ token, inputs }) => {
                    calls.push(token, inputs);
                    return { outputs: token.endsWith("readStackOutputs") ? outputs : resources };
                },
            },
            "homelab-registry",
            "test",
            false,
            "organization",
        );
        const registry = { host: last.host, bucket: { name: last.bucket }, ...args };
        const configuration = { registry, minio: minio ? {} : undefined } as StackConfiguration;
        const findings = checkChanges(configuration, await readLastUpdate());
        return { findings: findings.map(({ severity, text }) => `${severity}: ${text}`), calls };
    }
    const ofOutputs = ["pulumi:pulumi:readStackOutputs", { name }];
    const ofResources = ["pulumi:pulumi:readStackResourceOutputs", { stackName: name }];

    it("accepts a new stack, and an unchanged host and bucket", async () => {
        const calls = [...ofOutputs, ...ofResources];
        assert.deepEqual(await check({}, {}), { findings: [], calls });
        assert.deepEqual(await check(last, {}), { findings: [], calls });
    });

    it("rejects createNamespace: false in a stack that created its namespace, and in no other", async () => {
        const resources = (type: string) => ({
            resources: {
                [`${component}kubernetes:${type}::registry`]: { outputs: { metadata: { name: "registry" } } },
            },
        });
        const keeps = { createNamespace: false };
        assert.deepEqual((await check(last, keeps, resources("core/v1:Namespace"))).findings, [
            "error: createNamespace: false would delete the namespace, which this stack created, and the registry in " +
                "it. Only a new stack can use an existing namespace. Run: pulumi config set createNamespace true",
        ]);
        assert.deepEqual((await check(last, keeps, resources("apps/v1:Deployment"))).findings, []);
        assert.deepEqual((await check({}, keeps)).findings, []);
    });

    it("knows the namespace that the stack has created, and that it has created none", () => {
        const outputs = { metadata: { name: "images" } };
        const of = (type: string) => ({ resources: { [`${component}kubernetes:${type}::registry`]: { outputs } } });
        assert.equal(createdNamespace(of("core/v1:Namespace")), "images");
        // With createNamespace: false, the last update had a namespace, too. It must not be adopted later.
        assert.equal(createdNamespace({ ...last, ...of("core/v1:Service") }), undefined);
    });

    it("warns once, after a change to Traefik, of what no annotation can configure", async () => {
        const urn = `${component}homelab-registry:index:Exposure$kubernetes:networking.k8s.io/v1:Ingress::registry`;
        const deployed = (ingressClassName: string) => ({
            resources: { [urn]: { outputs: { spec: { ingressClassName } } } },
        });
        const traefik = { ingress: { className: "traefik" } };
        const warning =
            "warning: ingressClassName: Traefik cuts off a push that is still sending after 60 s, and does not " +
            "redirect http to https, unless its entry points are configured so. docs/exposure.md has the settings. " +
            "This is shown once, whether they are set or not.";
        assert.deepEqual((await check({}, traefik)).findings, [warning]);
        assert.deepEqual((await check(last, traefik, deployed("nginx"))).findings, [warning]);
        assert.deepEqual((await check(last, traefik, deployed("traefik"))).findings, []);
        assert.deepEqual((await check(last, { ingress: { className: "nginx" } })).findings, []);
    });

    it("rejects another bucket that would be created empty", async () => {
        assert.deepEqual((await check(last, { bucket: { name: "layers" } })).findings, [
            'error: bucketName: "layers" is not the bucket "container-repo", which stores the images. ' +
                "The registry would be empty. Run: pulumi config set bucketName container-repo. " +
                "To move the images to another bucket, see docs/recovery.md.",
        ]);
    });

    it("warns of another existing bucket", async () => {
        assert.deepEqual((await check(last, { bucket: { name: "layers" } }, { minio: false })).findings, [
            'warning: bucketName: "layers" is not the bucket "container-repo", which stores the images until now. ' +
                "The registry will have only the images of the new bucket.",
        ]);
    });

    it("warns of another namespace, in which everything is created again", async () => {
        assert.deepEqual((await check(last, { namespace: "lab" })).findings, [
            'warning: namespace: was "registry". This update creates the registry again in "lab", then deletes it in ' +
                '"registry", and that namespace, if this stack created it. With a node port, or an Ingress of ' +
                "ingress-nginx, it fails: both cannot exist at once. Before such an update, run: " +
                "pulumi destroy --exclude-protected. Images stay; passwords change.",
        ]);
    });

    it("warns of another host, and says what clients must do", async () => {
        assert.deepEqual((await check(last, { host: "images.example.com" })).findings, [
            'warning: host: was "docker.example.com", which stops responding. Clients must log in to ' +
                '"images.example.com", and the names of images begin with it: ' +
                "change them in pods, in compose files and in CI.",
        ]);
    });
});
