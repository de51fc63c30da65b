import * as assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { containerdSocket } from "../../../sandbox/daemons";
import { nodes } from "../../../sandbox/paths";
import { runDocumented } from "../support/docs";
import { makeGateway } from "../support/gateway";
import { OtherRegistry } from "../support/otherRegistry";
import { attempt, eventually, Options, run } from "../support/run";
import {
    accessKey,
    kubectl,
    loginStatus,
    minioRoot,
    ofRegistry,
    previewed,
    request,
    restart,
    s3,
} from "../support/sandbox";
import { assertUnnoticed, Client, makeImage, tryPush, whilePodsStop } from "../support/traffic";

const registry = new OtherRegistry("rights");
const pullHost = `pull.${registry.host}`;
const publicHost = `public.${registry.host}`;
const gateways = "rights-gateways";

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "rights-"));
const file = (name: string) => path.join(folder, name);
const image = file("image");

const login = (as?: Client) => (as ? ["--user", `${as.user}:${as.password}`] : []);

/** The commands of a client for a host, with a login or without one. */
interface ImageClient {
    pull(host: string, repository: string, login?: Client): Promise<unknown>;
    /** Tries to push, which has to fail. Returns the error. */
    push(host: string, login?: Client): Promise<string>;
}

async function failure(command: string, args: string[], options?: Options): Promise<string> {
    const { code, stdout, stderr } = await attempt(command, args, options);
    assert.notEqual(code, 0, stdout);
    console.log(`        ${stderr.trim().split("\n").at(-1)!.slice(-300)}`);
    return stderr;
}

const creds = (what: "src" | "dest", login?: Client) =>
    login ? [`--${what}-creds`, `${login.user}:${login.password}`] : [`--${what}-no-creds`];
const skopeo: ImageClient = {
    pull: (host, repository, login) =>
        run("skopeo", [
            "copy",
            "--quiet",
            ...creds("src", login),
            `docker://${host}/${repository}`,
            `dir:${fs.mkdtempSync(file("skopeo-"))}`,
        ]),
    push: (host, login) =>
        failure("skopeo", ["copy", "--quiet", ...creds("dest", login), `dir:${image}`, `docker://${host}/hello:mine`]),
};

/** Docker with its own logins. */
const ofDocker = { env: { ...(process.env as Record<string, string>), DOCKER_CONFIG: file("docker") } };
async function dockerLogin(host: string, login?: Client): Promise<void> {
    await attempt("docker", ["logout", host], ofDocker);
    if (login) {
        await run("docker", ["login", "--username", login.user, "--password-stdin", host], {
            input: login.password,
            ...ofDocker,
        });
    }
}
const docker: ImageClient = {
    pull: async (host, repository, login) => {
        await dockerLogin(host, login);
        await attempt("docker", ["image", "rm", "--force", `${host}/${repository}`]);
        await run("docker", ["pull", "--quiet", `${host}/${repository}`], ofDocker);
    },
    push: async (host, login) => {
        await dockerLogin(host, login);
        fs.writeFileSync(file("context/file"), randomBytes(1024));
        await run("docker", ["build", "--quiet", "--tag", `${host}/docker:mine`, file("context")]);
        return failure("docker", ["push", "--quiet", `${host}/docker:mine`], ofDocker);
    },
};

const ctr = ["--address", containerdSocket(nodes[0]), "--namespace", registry.name];
const containerd: ImageClient = {
    pull: async (host, repository, as) => {
        await attempt("ctr", [...ctr, "images", "rm", "--sync", `${host}/${repository}`]);
        await run("ctr", [...ctr, "content", "fetch", ...login(as), `${host}/${repository}`]);
    },
    push: (host, as) =>
        failure("ctr", [...ctr, "images", "push", ...login(as), `${host}/hello:mine`, `${host}/hello:1`]),
};
const clients = { skopeo, docker, containerd };
/** Errors of the clients if the writable registry does not know the user, and from a read-only replica. `ctr` gives no details. */
const unknown = /unauthorized: authentication required|\(401 Unauthorized\)|^.*failed to copy after 5 retries/;
const unsupported =
    /StatusCode: 405, Method not allowed|HTTP 405 response body.*"Method not allowed|405 Method Not Allowed|^.*failed to copy after 5 retries/;

describe("Access control:", () => {
    let me: Client, cluster: Client;

    before(async () => {
        await registry.configure();
        await registry.up();
        me = await registry.client();
        makeImage(image);
        assert.equal((await tryPush(image, me, "hello:1")).code, 0);
        // Docker unpacks what it pulls.
        fs.mkdirSync(file("context"));
        fs.writeFileSync(file("context/file"), randomBytes(1024));
        fs.writeFileSync(file("context/Dockerfile"), "FROM scratch\nCOPY file /\n");
        const reference = `${me.host}/docker:1`;
        await run("docker", ["build", "--quiet", "--tag", reference, file("context")]);
        await dockerLogin(me.host, me);
        await run("docker", ["push", "--quiet", reference], ofDocker);
    });
    after(async () => {
        await registry.remove();
        await kubectl("delete", "namespace", gateways, "--ignore-not-found");
        fs.rmSync(folder, { recursive: true });
    });

    /** Runs the commands under a heading of docs/users.md. */
    const follow = (heading: string, here?: Record<string, string>) =>
        runDocumented("docs/users.md", heading, here, registry.name);
    const tags = async (host: string, repository: string, as?: Client) =>
        (
            JSON.parse(
                (await request(`https://${host}/v2/${repository.replace(":1", "")}/tags/list`, ...login(as))).body,
            ) as { tags: string[] }
        ).tags;
    const repositoryFor = (client: string) => (client === "docker" ? "docker:1" : "hello:1");
    const scale = (replicas: number) =>
        kubectl("scale", "deployment/registry", `--replicas=${replicas}`, "--namespace", registry.name);

    /** Fails unless every kind of request that could change something is rejected and leaves the bucket unchanged. */
    async function assertUnchanged(host: string, as?: Client): Promise<void> {
        const root = await minioRoot();
        const list = async () => (await s3(root, "GET", `${registry.name}?list-type=2`)).body;
        const before = await list();
        const digest = `sha256:${"a".repeat(64)}`;
        const upload = "hello/blobs/uploads/8c0f22dc-5f5c-4d0e-8c0c-2f9d6d0a0b0c";
        const paths = [
            "",
            "_catalog",
            "hello/tags/list",
            "hello/manifests/1",
            `hello/manifests/${digest}`,
            `hello/blobs/${digest}`,
            "hello/blobs/uploads/",
            `hello/blobs/uploads/?mount=${digest}&from=docker`,
            `hello/blobs/uploads/?digest=${digest}`,
            upload,
            `${upload}?_state=x`,
            `hello/referrers/${digest}`,
            "hello%2Fmanifests%2F1",
            "hello/../hello/manifests/1",
            "hello//manifests/1",
        ];
        const methods = ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"];
        for (const [method, at] of [
            ...methods.flatMap((method) => paths.map((at) => [method, at] as const)),
            ["GET", upload] as const,
            ["GET", `${upload}?_state=x`] as const,
        ]) {
            const { status } = await request(
                `https://${host}/v2/${at}`,
                "--path-as-is",
                "--request",
                method,
                ...(method === "GET" ? [] : ["--data-binary", "x"]),
                ...login(as),
            );
            // No method can change anything at `/v2/`.
            assert.ok(
                (status >= 400 && status < 500) || ((at === "" || method === "OPTIONS") && status < 400),
                `${method} ${at}: ${status}`,
            );
        }
        assert.equal(await list(), before);
    }

    /** Tests of a pull-only user at a host for pulls. */
    function testPullOnlyUser(pullsAt: string): void {
        for (const [name, client] of Object.entries(clients)) {
            it(`can pull by ${name}, and cannot push`, async () => {
                await client.pull(pullsAt, repositoryFor(name), cluster);
                assert.match(await client.push(pullsAt, cluster), pullsAt === registry.host ? unknown : unsupported);
                assert.deepEqual(await tags(pullsAt, repositoryFor(name), cluster), ["1"]);
            });
        }

        it("cannot delete, and gets a clear answer", async () => {
            const { code, stderr } = await attempt("skopeo", [
                "delete",
                "--creds",
                `${cluster.user}:${cluster.password}`,
                `docker://${pullsAt}/hello:1`,
            ]);
            assert.notEqual(code, 0);
            assert.match(stderr, pullsAt === registry.host ? unknown : unsupported);
            await skopeo.pull(pullsAt, "hello:1", cluster);
        });

        it("does not restrict a user who may push, who can also pull at the host for pulls", async () => {
            // A different image, because deleting an image deletes all its tags.
            const other = fs.mkdtempSync(file("other-"));
            makeImage(path.join(other, "image"));
            assert.equal((await tryPush(path.join(other, "image"), me, "hello:2")).code, 0);
            await skopeo.pull(pullsAt, "hello:2", me);
            await run("skopeo", ["delete", "--creds", `${me.user}:${me.password}`, `docker://${me.host}/hello:2`]);
            assert.equal((await request(`https://${pullsAt}/v2/hello/manifests/2`, ...login(me))).status, 404);
        });

        it("does not break requests for an upload in progress, which go to the writable registry", async () => {
            const headers = file("headers");
            const send = (method: string, url: string, ...options: string[]) =>
                request(url, ...login(me), "--request", method, "--dump-header", headers, ...options);
            const header = (name: string) =>
                new RegExp(`^${name}: (.*)\\r$`, "im").exec(fs.readFileSync(headers, "utf8"))![1]!;
            assert.equal((await send("POST", `https://${me.host}/v2/hello/blobs/uploads/`)).status, 202);
            assert.equal(
                (
                    await send(
                        "PATCH",
                        header("location"),
                        "--header",
                        "Content-Type: application/octet-stream",
                        "--data-binary",
                        "0123456789",
                    )
                ).status,
                202,
            );
            assert.equal((await send("GET", header("location"))).status, 204);
            assert.equal(header("range"), "0-9");
            assert.equal((await send("DELETE", header("location"))).status, 204);
        });

        it("cannot change anything, whatever the method and path", () => assertUnchanged(pullsAt, cluster));

        it("can pull while all pods are replaced; a push of another user needs at most one retry", () =>
            assertUnnoticed({ ...me, pullsAt }, () => restart(registry.name, "deployments"), whilePodsStop));

        it("can pull while the writable registry is stopped", async () => {
            await scale(0);
            try {
                await kubectl("wait", "--for=delete", "pods", ...ofRegistry(registry.name), "--timeout=300s");
                await eventually(async () => (await tryPush(image, me, "hello:3")).code !== 0);
                for (const [name, client] of Object.entries(clients)) {
                    await client.pull(pullsAt, repositoryFor(name), cluster);
                }
                await skopeo.pull(pullsAt, "hello:1", me);
            } finally {
                await scale(1);
                await kubectl("rollout", "status", "deployment/registry", "--namespace", registry.name);
            }
            await eventually(async () => (await tryPush(image, me, "hello:1")).code === 0);
        });

        it("shows no difference in a second preview", () => registry.pulumi("preview", "--expect-no-changes"));

        it("cannot pull with a wrong password", async () =>
            assert.equal(await loginStatus({ ...cluster, host: pullsAt, password: "wrong" }), 401));
    }

    describe("a pull-only user, on a Gateway,", () => {
        before(async () => {
            await makeGateway(gateways, registry);
            const onGateway = { exposure: "gateway", gatewayName: "home", gatewayNamespace: gateways };
            await registry.configure(onGateway);
            await registry.up();
            await eventually(async () => (await loginStatus(me)) === 200);
            await registry.configure({ ...onGateway, "users[1].name": "cluster" });
            await registry.up();
            cluster = await registry.client("cluster");
        });

        it("is downgraded without a failed pull, and without a failed push or pull of others", async () => {
            await follow("Pull-only users");
            const preview = await previewed(registry.pulumi);
            assert.deepEqual(
                preview.filter((line) => !/^create [^ ]*::registry-reader(-config|-auth|-http-secret)?$/.test(line)),
                [
                    'update kubernetes:core/v1:Secret::registry-auth data[".htpasswd"]',
                    "update kubernetes:gateway.networking.k8s.io/v1:HTTPRoute::registry spec.rules[0].backendRefs[0].name spec.rules[0].matches spec.rules[1]",
                ],
            );
            let isOver = false;
            const statuses: Record<number, number> = {};
            const pull = async () => {
                const { status } = await request(
                    `https://${me.host}/v2/hello/manifests/1`,
                    ...login(cluster),
                    "--header",
                    "Accept: application/vnd.oci.image.manifest.v1+json",
                );
                return status;
            };
            const pulls = (async () => {
                while (!isOver) {
                    let status = await pull();
                    if (status === 401) {
                        // The sandbox's kubelets bring the new htpasswd file within seconds, and perhaps before Traefik
                        // has the new route.
                        await sleep(5000);
                        status = await pull();
                    }
                    statuses[status] = (statuses[status] ?? 0) + 1;
                }
            })();
            await assertUnnoticed(me, async () => {
                await registry.up();
                // Until the pods have the new htpasswd file.
                await eventually(
                    async () =>
                        (
                            await request(
                                `https://${me.host}/v2/hello/blobs/uploads/`,
                                ...login(cluster),
                                "--request",
                                "POST",
                            )
                        ).status === 401,
                );
            }).finally(() => {
                isOver = true;
            });
            await pulls;
            assert.deepEqual(Object.keys(statuses), ["200"]);
        });

        it("gets status 200 by the command that checks the controller", async () => {
            const commands = await follow("Which name they pull from", {
                "--user cluster": `--user cluster:${cluster.password}`,
                "registry.example.com": registry.host,
                "--namespace registry": `--namespace ${registry.name}`,
            });
            assert.match(commands, /^200\nNAME .*\nregistry-reader /);
        });

        testPullOnlyUser(registry.host);
    });

    describe("a pull-only user, behind an Ingress of class traefik,", () => {
        before(async () => {
            await registry.configure({
                exposure: "ingress",
                gatewayName: "",
                gatewayNamespace: "",
                ingressClassName: "traefik",
            });
            await registry.up();
            await eventually(async () => (await loginStatus(cluster)) === 200);
        });
        testPullOnlyUser(registry.host);
    });

    describe("a pull-only user, behind an Ingress of class nginx,", () => {
        it("is rejected without pullHost, before anything is changed", async () => {
            await registry.configure({ ingressClassName: "nginx" });
            const { code, stdout, stderr } = await registry.tryPulumi("preview");
            assert.notEqual(code, 0);
            assert.match(
                stdout + stderr,
                /pullHost: is required: users with access "pull" exist, and an Ingress of class "nginx" cannot tell a pull from a push/,
            );
        });

        describe("at pullHost,", () => {
            before(async () => {
                await follow("A second name for pulls", { "pull.registry.example.com": pullHost });
                await registry.up();
                await eventually(async () => (await loginStatus({ ...cluster, host: pullHost })) === 200);
                // The host for pushes does not know this user.
                assert.equal(await loginStatus(cluster), 401);
            });
            testPullOnlyUser(pullHost);
        });
    });

    describe("anonymous access", () => {
        before(async () => {
            await follow("Pulls without a login", { "public.registry.example.com": publicHost });
            const preview = await previewed(registry.pulumi);
            assert.deepEqual(
                preview.filter((line) => !/^create [^ ]*::registry-anonymous(-config|-http-secret)?$/.test(line)),
                [],
            );
            await registry.up();
            await eventually(async () => (await request(`https://${publicHost}/v2/`)).status === 200);
        });

        for (const [name, client] of Object.entries(clients)) {
            it(`allows a pull by ${name}, and no push`, async () => {
                await client.pull(publicHost, repositoryFor(name));
                assert.match(await client.push(publicHost), unsupported);
                assert.deepEqual(await tags(publicHost, repositoryFor(name)), ["1"]);
            });
        }

        it("allows no change, whatever the method and path, with a login or without", async () => {
            for (const as of [undefined, cluster, me]) {
                await assertUnchanged(publicHost, as);
            }
        });

        it("does not open the hosts of users, which still require a login", async () => {
            for (const host of [registry.host, pullHost]) {
                assert.equal((await request(`https://${host}/v2/hello/manifests/1`)).status, 401);
            }
        });
    });

    describe("read-only replicas", () => {
        it("have an access key that can read the bucket, and nothing else", async () => {
            const key = await accessKey(registry.name, "registry-reader");
            assert.equal((await s3(key, "GET", `${registry.name}?list-type=2&max-keys=1`)).status, 200);
            const object = `${registry.name}/docker/registry/v2/repositories/hello/_manifests/tags/1/current/link`;
            assert.equal((await s3(key, "GET", object)).status, 200);
            assert.equal((await s3(key, "PUT", object, "--data-binary", "x")).status, 403);
            assert.equal((await s3(key, "DELETE", object)).status, 403);
            assert.equal((await s3(key, "POST", `${object}?uploads=`)).status, 403);
            assert.equal((await s3(key, "GET", "container-repo?list-type=2&max-keys=1")).status, 403);
            assert.equal((await s3(key, "GET", "minio/admin/v3/list-users")).status, 403);
        });

        it("log no error of their own", async () => {
            const lines = (
                await kubectl(
                    "logs",
                    "--selector",
                    "app.kubernetes.io/instance=registry-reader",
                    "--namespace",
                    registry.name,
                    "--tail=-1",
                )
            ).split("\n");
            assert.ok(lines.length > 1, "they have no log");
            // Errors of the clients in these tests are logged as well.
            assert.deepEqual(
                lines.filter(
                    (line) =>
                        /"level":"(warning|error|panic|fatal)"/.test(line) &&
                        !/"err\.code":"(unauthorized|unsupported|manifest unknown|blob unknown|blob upload (unknown|invalid)|name invalid|digest invalid)"|authorizing context|bcrypt/.test(
                            line,
                        ),
                ),
                [],
            );
        });

        it("get a new access key in a rotation without a failed pull, and nothing of the old state opens the bucket", async () => {
            const old = await registry.bucketKeys();
            assert.equal(old.length, 4, "two access keys, and the secrets of their users");
            await registry.configure({ bucketKeyRotation: "2" });
            await assertUnnoticed({ ...me, pullsAt: pullHost }, registry.up, whilePodsStop);
            await registry.pulumi("preview", "--expect-no-changes");
            assert.deepEqual(await registry.tryKeys(old), [403, 403, 403, 403]);
            await skopeo.pull(pullHost, "hello:1", cluster);
        });
    });

    describe("access control", () => {
        it("can be removed, with the replicas and their key, without a failed push or pull of other users", async () => {
            const key = await accessKey(registry.name, "registry-reader");
            await follow("Remove access control");
            await assertUnnoticed(me, registry.up);
            assert.equal((await s3(key, "GET", `${registry.name}?list-type=2&max-keys=1`)).status, 403);
            assert.equal(
                await kubectl("get", "deployments", "--namespace", registry.name, "--output", "name"),
                "deployment.apps/registry-2\n",
            );
            await eventually(async () => (await loginStatus(cluster)) === 200);
        });
    });
});
