import * as assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { parse } from "yaml";

import { documentedFile, runDocumented } from "../support/docs";
import { makeGateway } from "../support/gateway";
import { forget, forgetLogins, ImageClient, imageClients, Manifest, useImageClients } from "../support/imageClients";
import { MinioRequest, MinioTrace } from "../support/minioTrace";
import { OtherRegistry } from "../support/otherRegistry";
import { eventually, run } from "../support/run";
import { accessKey, apply, applyPod, kubectl, loginStatus, minio, outputs, request } from "../support/sandbox";
import { assertUnnoticed, Client, makeImage, tryPush, whilePodsStop } from "../support/traffic";

const page = "docs/storage.md";
const heading = "Let clients fetch layers from MinIO";

const registry = new OtherRegistry("redirected");
const pullHost = `pull.${registry.host}`;
const publicHost = `public.${registry.host}`;
const apps = "redirected-apps";
const gateways = "redirected-gateways";
/** Names of MinIO for clients: beside the registry's host, not below it. */
const minioAt = (entrance: string) => `s3-${entrance}.registry.homelab.test`;

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "redirected-"));
const file = (name: string) => path.join(folder, name);

/** Creates the Ingress of docs/storage.md for the sandbox's MinIO. */
const exposeByIngress = (className: string) =>
    apply(
        parse(
            documentedFile(page, "yaml", "kind: Ingress", {
                "ingressClassName: traefik": `ingressClassName: ${className}`,
                "minio.example.com": minioAt(className),
                "minio-layers": `minio-layers-${className}`,
                "container-repo": registry.name,
                "name: minio,": "name: minio-svc,",
            }),
        ) as object,
    );

async function exposeByGateway(): Promise<void> {
    const host = minioAt("gateway");
    await makeGateway(gateways, { name: "minio", host });
    await apply({
        apiVersion: "gateway.networking.k8s.io/v1",
        kind: "HTTPRoute",
        metadata: { name: "minio-layers", namespace: "minio" },
        spec: {
            parentRefs: [{ name: "home", namespace: gateways, sectionName: "https" }],
            hostnames: [host],
            rules: [
                {
                    matches: [{ path: { type: "PathPrefix", value: `/${registry.name}` } }],
                    backendRefs: [{ name: "minio-svc", port: 9000 }],
                },
            ],
        },
    });
}

describe("Redirects to MinIO:", () => {
    useImageClients();
    const trace = new MinioTrace();
    let me: Client, cluster: Client, nobody: Client;
    /** The image that no client pushes, and its digests. */
    let config: string, layer: string;

    before(async () => {
        await kubectl("delete", "namespace", apps, "--ignore-not-found");
        await kubectl("create", "namespace", apps);
        await Promise.all([exposeByIngress("nginx"), exposeByIngress("traefik"), exposeByGateway()]);
        for (const entrance of ["nginx", "traefik", "gateway"]) {
            await eventually(async () => {
                const { status } = await request(`https://${minioAt(entrance)}/${registry.name}/`);
                return status === 403;
            });
        }
        await registry.configure({
            "users[1].name": "cluster",
            "users[1].access": "pull",
            pullHost,
            anonymousPullHost: publicHost,
            "pullSecrets[0].namespace": apps,
            "pullSecrets[0].user": "cluster",
            collectionSchedule: "0 4 * * 0",
            collectionMinAgeMinutes: "0",
        });
    });
    after(async () => {
        trace.stop();
        await registry.remove();
        await kubectl("delete", "namespace", apps, gateways, "--ignore-not-found");
        const names = ["nginx", "traefik"].map((className) => `minio-layers-${className}`);
        await kubectl(
            ...["delete", "--namespace", "minio", "--ignore-not-found", "httproute/minio-layers"],
            ...names.flatMap((name) => [`ingress/${name}`, `certificate/${name}-tls`, `secret/${name}-tls`]),
        );
        fs.rmSync(folder, { recursive: true });
    });

    const login = ({ user, password }: Client) => (user ? ["--user", `${user}:${password}`] : []);

    /** The link that the registry answers with, for a blob of the first image. */
    async function linkTo(digest: string, client: Client): Promise<URL> {
        const url = `https://${client.host}/v2/first/blobs/${digest}`;
        const { status, body } = await request(url, ...login(client), "--include");
        assert.equal(status, 307, body);
        return new URL(/^location: (\S+)/im.exec(body)![1]!);
    }

    /** Fails unless the answer to a link, without a login, is exactly the blob. */
    async function assertGives(link: URL, digest: string): Promise<void> {
        assert.equal((await request(link.href, "--output", file("blob"))).status, 200);
        assert.equal(
            `sha256:${createHash("sha256")
                .update(fs.readFileSync(file("blob")))
                .digest("hex")}`,
            digest,
        );
    }

    it("are accepted by the commands of docs/storage.md, with what clients need in the preview", async () => {
        const here = { "minio.example.com": minioAt("nginx"), "container-repo": registry.name };
        assert.equal(await runDocumented(page, heading, here, registry.name), "403\n");
        const said = `clients fetch layers from https://${minioAt("nginx")}, through links that are valid for 20 minutes`;
        assert.ok((await registry.pulumi("preview")).includes(said));
        await registry.up();
        me = await registry.client();
        const { passwords } = await outputs(registry.name);
        cluster = { host: pullHost, user: "cluster", password: passwords.cluster! };
        nobody = { host: publicHost, user: "", password: "" };
        await eventually(async () => (await loginStatus(cluster)) === 200);
        await eventually(async () => (await request(`https://${publicHost}/v2/`)).status === 200);
        await trace.start();
    });

    it("are an error of the preview beside an explicit bucketRedirect of false", async () => {
        await registry.pulumi("config", "set", "bucketRedirect", "false");
        const { code, stdout, stderr } = await registry.tryPulumi("preview");
        assert.notEqual(code, 0);
        const error = "bucketRedirect: is false, but bucketRedirectEndpoint needs it; leave one of them out";
        assert.ok((stdout + stderr).includes(error), stdout + stderr);
        await registry.pulumi("config", "rm", "bucketRedirect");
    });

    it("point to exactly the blob, without a login, for each kind of user", async () => {
        makeImage(file("first"));
        assert.equal((await tryPush(file("first"), me, "first:1")).code, 0);
        const manifest = JSON.parse(fs.readFileSync(file("first/manifest.json"), "utf8")) as Manifest & {
            layers: { digest: string }[];
        };
        config = manifest.config.digest;
        layer = manifest.layers.at(-1)!.digest;
        const keys = [await accessKey(registry.name), await accessKey(registry.name, "registry-reader")];
        keys.push(await accessKey(registry.name, "registry-anonymous"));
        assert.equal(keys[1]!.user, keys[2]!.user);
        for (const [i, client] of [me, cluster, nobody].entries()) {
            for (const digest of [config, layer]) {
                const link = await linkTo(digest, client);
                assert.equal(link.origin, `https://${minioAt("nginx")}`);
                assert.equal(link.searchParams.get("X-Amz-Expires"), "1200");
                assert.ok(link.searchParams.get("X-Amz-Credential")!.startsWith(`${keys[i]!.user}/`));
                await assertGives(link, digest);
            }
        }
        // So MinIO reports the header, which it must not get from the clients below.
        const isSigned = ({ host, authorization = "" }: MinioRequest) => host === minio && /^AWS4/.test(authorization);
        await eventually(() => Promise.resolve(trace.requests.some(isSigned)));
    });

    it("give one blob, nothing else of the bucket, and nothing else of MinIO", async () => {
        const link = await linkTo(layer, me);
        const other = (await linkTo(config, me)).pathname;
        for (const [url, ...options] of [
            [link.origin + link.pathname],
            [link.href.replace(link.pathname, other)],
            [link.href.replace(link.pathname, `/${registry.name}/`)],
            [link.href, "--request", "PUT", "--data-binary", "x"],
            [link.href, "--request", "DELETE"],
        ] as const) {
            assert.equal((await request(url, ...options)).status, 403, url);
        }
        for (const at of ["/", "/minio/health/live", "/minio/admin/v3/info"]) {
            assert.equal((await request(link.origin + at)).status, 404, at);
        }
        await assertGives(link, layer);
    });

    it("are in the registry's log with the user", async () => {
        await linkTo(config, cluster);
        await eventually(async () => {
            const selector = ["--selector", "app.kubernetes.io/name=container-registry"];
            const log = await kubectl("logs", ...selector, "--tail=-1", "--namespace", registry.name);
            const lines = log
                .split("\n")
                .filter((line) => line.startsWith("{"))
                .map((line) => JSON.parse(line) as Record<string, unknown>);
            return lines.some(
                (line) =>
                    line["http.response.status"] === 307 &&
                    line["vars.digest"] === config &&
                    line["auth.user.name"] === "cluster",
            );
        });
    });

    /** Fails unless clients fetch blobs at an entrance of MinIO, all with success, and none with a login. */
    async function assertFetched(entrance: string, work: () => Promise<unknown>): Promise<void> {
        const first = trace.requests.length;
        await work();
        const requests = () => trace.requests.slice(first).filter(({ host }) => host === minioAt(entrance));
        const isFetched = () => requests().some(({ method }) => method === "GET");
        await eventually(() => Promise.resolve(isFetched()), { seconds: 60 }).catch(() => {
            const hosts = new Set(trace.requests.slice(first).map(({ host }) => host));
            assert.fail(`MinIO was asked at ${[...hosts].join(", ") || "no host"}, not at ${minioAt(entrance)}`);
        });
        assert.deepEqual(
            requests().filter(({ authorization, status }) => authorization !== undefined || status >= 300),
            [],
        );
    }

    /** The digest of an image's configuration, by its digest, or by an index and a platform. */
    async function configurationOf(image: string, architecture: string): Promise<string> {
        const creds = ["--creds", `${me.user}:${me.password}`];
        const manifest = await run("skopeo", ["inspect", "--raw", ...creds, `docker://${image}`]);
        const { config, manifests = [] } = JSON.parse(manifest) as Partial<Manifest>;
        const found = manifests.find(({ platform }) => platform.architecture === architecture);
        return config?.digest ?? configurationOf(image.replace(/@.*/, `@${found!.digest}`), architecture);
    }

    /** Tests of a client that fetches layers at an entrance of MinIO. */
    const testClient = (entrance: string, name: string, client: ImageClient) =>
        it(`are followed by ${name}: push and pull, an index, by a pull-only user and without a login`, async () => {
            const repository = `${entrance}/${name}`;
            /** Pulls from a host, with the login of its user. */
            const pull = async ({ host, user, password }: Client, digest: string, architecture: string) => {
                forgetLogins();
                if (user) {
                    await client.login({ host, user, password });
                }
                const expected = await configurationOf(`${me.host}/${repository}@${digest}`, architecture);
                await assertFetched(entrance, async () =>
                    assert.equal(await client.pull(`${host}/${repository}@${digest}`, architecture), expected),
                );
                // Docker would use its layers in the next pull.
                await forget(`${host}/${repository}`);
            };
            forgetLogins();
            await client.login(me);
            const image = await client.push(`${me.host}/${repository}:a`);
            const index = await client.pushIndex(`${me.host}/${repository}:index`);
            await forget(`${me.host}/${repository}`);
            await pull(me, image, "amd64");
            await pull(cluster, index, "arm64");
            await pull(nobody, index, "amd64");
        });

    /** A test of a node that fetches layers at an entrance of MinIO. */
    const testPod = (entrance: string) =>
        it("are followed by containerd, for a Pod with a pull secret", async () => {
            const image = `${entrance}/pod:1`;
            const pod = `pulls-through-${entrance}`;
            fs.mkdirSync(file(pod));
            // Each Pod needs a layer of its own: containerd does not fetch one that it has.
            fs.writeFileSync(file(`${pod}/content`), randomBytes(1024));
            fs.writeFileSync(file(`${pod}/Dockerfile`), "FROM alpine\nCOPY content /\n");
            forgetLogins();
            await imageClients.docker!.login(me);
            await run("docker", ["build", "--quiet", "--tag", `${me.host}/${image}`, file(pod)]);
            await run("docker", ["push", "--quiet", `${me.host}/${image}`]);
            await assertFetched(entrance, async () => {
                await applyPod(pod, `${pullHost}/${image}`, [{ name: "registry-pull" }], apps);
                const succeeded = ["--for", "jsonpath={.status.phase}=Succeeded", "--timeout", "300s"];
                await kubectl("wait", `pod/${pod}`, "--namespace", apps, ...succeeded);
            });
            await forget(`${me.host}/${entrance}/pod`);
        });

    const testClients = (entrance: string) => {
        for (const [name, client] of Object.entries(imageClients)) {
            testClient(entrance, name, client);
        }
        testPod(entrance);
    };

    testClients("nginx");

    it("make no pull fail during a garbage collection", () =>
        assertUnnoticed(
            me,
            async () => {
                const { code, stdout, stderr } = await registry.script("collect");
                assert.equal(code, 0, stdout + stderr);
            },
            { pushRetries: 30 },
        ));

    it("make no pull fail during rollouts, and while the registry is read-only", () =>
        assertUnnoticed(
            me,
            async () => {
                await registry.configure({ readOnly: "true" });
                await registry.up();
                await assertGives(await linkTo(layer, me), layer);
                await registry.configure({ readOnly: "false" });
                await registry.up();
            },
            { pushRetries: 30 },
        ));

    it("make no pull fail while the access key is rotated, and end links of the old key", async () => {
        const links = [await linkTo(layer, me), await linkTo(layer, cluster)];
        await registry.configure({ bucketKeyRotation: "2" });
        await assertUnnoticed(me, registry.up, whilePodsStop);
        for (const link of links) {
            assert.equal((await request(link.href, "--output", file("blob"))).status, 403);
        }
        await assertGives(await linkTo(layer, me), layer);
        await assertGives(await linkTo(layer, cluster), layer);
    });

    for (const entrance of ["traefik", "gateway"]) {
        describe(`through ${entrance === "traefik" ? "an Ingress of class traefik" : "a Gateway"}`, () => {
            before(async () => {
                await registry.configure({ bucketRedirectEndpoint: `https://${minioAt(entrance)}` });
                await registry.up();
                // A pod that is ending may still answer.
                const ending = "jsonpath={.items[*].metadata.deletionTimestamp}";
                const areGone = async () =>
                    !(await kubectl("get", "pods", "--namespace", registry.name, "--output", ending));
                await eventually(areGone);
                for (const client of [me, cluster, nobody]) {
                    await eventually(async () => (await linkTo(layer, client)).host === minioAt(entrance));
                }
            });

            testClients(entrance);
        });
    }
});
