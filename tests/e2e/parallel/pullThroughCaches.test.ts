import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { acmeRoot } from "../../../sandbox/clusterAddons";
import { containerdSocket } from "../../../sandbox/daemons";
import { clusterDomain, nodeAddress, nodes } from "../../../sandbox/paths";
import { documentedFile, runDocumented } from "../support/docs";
import { OtherRegistry } from "../support/otherRegistry";
import { attempt, eventually, run } from "../support/run";
import {
    accessKey,
    deleteBucket,
    emptyBucket,
    keysOf,
    kubectl,
    loginStatus,
    makeBucket,
    previewed,
    request,
    s3,
} from "../support/sandbox";
import { TokenRegistry } from "../support/tokenRegistry";
import { Client, makeImage, tryPush } from "../support/traffic";

/** The registry is also the upstream of its own caches. */
const registry = new OtherRegistry("mirrored");
const password = "a password for both";
const [own, open, foreign] = ["own", "open", "foreign"].map((name) => `${name}.${registry.host}`) as [
    string,
    string,
    string,
];
const hosts = { own, open, foreign };
const bucket = "mirrored-cache";
const inCluster = `http://registry.${registry.name}.svc.${clusterDomain}`;
const upstream = new TokenRegistry(`auth.${registry.host}`, inCluster, `me:${password}`);

describe("A pull-through cache", () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "mirrored-"));
    let me: Client;

    const push = async (name: string, reference: string) => {
        makeImage(path.join(folder, name));
        assert.equal((await tryPush(path.join(folder, name), me, reference)).code, 0);
    };
    /** Pulls from a cache. Returns whether it succeeded with the image that was pushed. */
    const pull = async (host: string, reference: string, name: string, login = ["--src-creds", `me:${password}`]) => {
        const into = fs.mkdtempSync(path.join(folder, "pulled-"));
        const { code } = await attempt("skopeo", [
            "copy",
            "--quiet",
            ...login,
            `docker://${host}/${reference}`,
            `dir:${into}`,
        ]);
        return (
            code === 0 &&
            fs
                .readFileSync(path.join(into, "manifest.json"))
                .equals(fs.readFileSync(path.join(folder, name, "manifest.json")))
        );
    };
    /** Runs the commands under a heading of docs/pull-through-caches.md. `input` answers what they ask for. */
    const follow = (heading: string, here: Record<string, string>, input?: string) =>
        runDocumented("docs/pull-through-caches.md", heading, here, registry.name, input);
    /** Number of requests for a layer to the upstream registry. */
    const fetched = async () =>
        (await kubectl("logs", "deployment/registry", "--namespace", registry.name)).match(
            /"GET \/v2\/hello\/blobs\/[^"]*" 200/g,
        )?.length ?? 0;

    before(async () => {
        await registry.configure();
        await run("pulumi", ["config", "set", "--secret", "--path", "users[0].password", "--stack", registry.name], {
            input: password,
        });
        await registry.up();
        me = await registry.client();
        await push("image", "hello:1");
        await upstream.start();
        await makeBucket(bucket);
    });
    after(async () => {
        upstream.stop();
        await registry.remove();
        await deleteBucket(bucket);
        fs.rmSync(folder, { recursive: true });
    });

    it("is added without a change of other resources", async () => {
        await follow("Add a cache", {
            "name' hub": "name' own",
            "hub.registry.example.com": hosts.own,
            "https://registry-1.docker.io": upstream.url(`upstream.${registry.host}`),
        });
        await registry.configure({
            "mirrors[1].name": "open",
            "mirrors[1].host": hosts.open,
            "mirrors[1].remote": `https://${registry.host}`,
            "mirrors[1].ca": fs.readFileSync(acmeRoot, "utf8"),
            "mirrors[1].bucketName": bucket,
            "mirrors[1].login": "false",
            "mirrors[2].name": "foreign",
            "mirrors[2].host": hosts.foreign,
            "mirrors[2].remote": upstream.url(nodeAddress),
        });
        for (const mirror of ["mirrors[0]", "mirrors[1]", "mirrors[2]"]) {
            const here = { "username' USER": "username' me", "mirrors[0]": mirror };
            await follow("Log in to the other registry", here, password);
        }
        const preview = await previewed(registry.pulumi);
        assert.deepEqual(
            preview.filter((line) => !/^create [^ ]*::registry-mirror-(own|open|foreign)(-config)?$/.test(line)),
            [],
        );
        await registry.up();
        await eventually(async () => (await loginStatus({ ...me, host: hosts.own })) === 200);
        await eventually(async () => (await loginStatus({ ...me, host: hosts.foreign })) === 200);
        await eventually(async () => (await request(`https://${hosts.open}/v2/`)).status === 200);
        const { code, stdout, stderr } = await registry.tryPulumi("preview", "--expect-no-changes");
        assert.equal(code, 0, stdout + stderr);
        const warnings = (stdout + stderr).match(/mirrors\[\d\]\.remote: .* is another domain/g) ?? [];
        assert.deepEqual(
            [...new Set(warnings)].map((warning) => warning.slice(0, 10)),
            ["mirrors[2]"],
        );
    });

    it("cannot log in to a registry whose login server is in another domain", async () => {
        assert.ok(!(await pull(hosts.foreign, "hello:1", "image")));
    });

    it("fetches an image from upstream on the first pull only", async () => {
        const before = await fetched();
        assert.ok(await pull(hosts.own, "hello:1", "image"));
        const after = await fetched();
        assert.ok(after > before);
        // The cache stores a layer while it sends it.
        await eventually(async () => {
            assert.ok(await pull(hosts.own, "hello:1", "image"));
            const now = await fetched();
            assert.ok(await pull(hosts.own, "hello:1", "image"));
            return (await fetched()) === now;
        });
        const keys = await keysOf(registry.name);
        assert.ok(keys.some((key) => /^mirrors\/own\/docker\/registry\/v2\/blobs\/.*\/data$/.test(key)));
    });

    it("requires a login of the registry, unless login is false", async () => {
        assert.equal((await request(`https://${hosts.own}/v2/hello/manifests/1`)).status, 401);
        assert.ok(!(await pull(hosts.own, "hello:1", "image", ["--src-no-creds"])));
        assert.ok(await pull(hosts.open, "hello:1", "image", ["--src-no-creds"]));
    });

    it("uses another bucket with a key for it alone, where anything may be deleted at any time", async () => {
        const cached = () => keysOf(bucket).then((keys) => keys.filter((key) => /\/blobs\/.*\/data$/.test(key)));
        // The manifest, its configuration and two layers. The cache stores a layer while it sends it.
        await eventually(async () => (await cached()).length === 4);
        assert.ok(!(await keysOf(registry.name)).some((key) => key.startsWith("mirrors/open/")));
        const key = await accessKey(registry.name, "registry-mirror-open");
        assert.equal((await s3(key, "GET", `${bucket}?list-type=2`)).status, 200);
        assert.equal((await s3(key, "GET", `${registry.name}?list-type=2`)).status, 403);
        await emptyBucket(bucket);
        assert.ok(await pull(hosts.open, "hello:1", "image", ["--src-no-creds"]));
        assert.ok((await cached()).length > 0);
    });

    it("serves the new image of a tag that changed upstream", async () => {
        await push("newer", "hello:1");
        assert.ok(await pull(hosts.own, "hello:1", "newer"));
    });

    it("rejects pushes and deletions of every user", async () => {
        const { code, stderr } = await tryPush(path.join(folder, "image"), { ...me, host: hosts.own }, "hello:2");
        assert.notEqual(code, 0);
        assert.match(stderr, /unsupported|405/i);
        const digest = (await run("sha256sum", [path.join(folder, "newer", "manifest.json")])).slice(0, 64);
        for (const [host, login] of [
            [hosts.own, ["--user", `me:${password}`]],
            [hosts.open, []],
        ] as const) {
            for (const [method, what] of [
                ["DELETE", `manifests/sha256:${digest}`],
                ["DELETE", "manifests/1"],
                ["PUT", "manifests/3"],
                ["POST", "blobs/uploads/"],
            ] as const) {
                const { status } = await request(`https://${host}/v2/hello/${what}`, "--request", method, ...login);
                assert.ok(status >= 400 && status < 500, `${method} ${host} ${what}: ${status}`);
            }
        }
        assert.ok(await pull(hosts.own, "hello:1", "newer"));
    });

    it("is used by containerd with the settings of docs/pull-through-caches.md", async () => {
        const hostsFolder = path.join(folder, "certs.d", "upstream.example.com");
        fs.mkdirSync(hostsFolder, { recursive: true });
        const login = Buffer.from(`me:${password}`).toString("base64");
        fs.writeFileSync(
            path.join(hostsFolder, "hosts.toml"),
            documentedFile("docs/pull-through-caches.md", "toml", "capabilities", {
                "registry-1.docker.io": "upstream.example.com",
                "hub.registry.example.com": hosts.own,
                [Buffer.from("cluster:PASSWORD").toString("base64")]: login,
            }),
        );
        await run("ctr", [
            "--address",
            containerdSocket(nodes[0]),
            "--namespace",
            registry.name,
            "content",
            "fetch",
            "--hosts-dir",
            path.join(folder, "certs.d"),
            "upstream.example.com/hello:1",
        ]);
    });

    describe("whose upstream is unreachable", () => {
        before(() => kubectl("scale", "deployment/registry", "--replicas=0", "--namespace", registry.name));
        after(() => kubectl("scale", "deployment/registry", "--replicas=1", "--namespace", registry.name));

        it("serves a cached image by its tag", async () => {
            await eventually(async () => (await request(`https://${me.host}/v2/`)).status >= 500);
            assert.ok(await pull(hosts.own, "hello:1", "newer"));
        });
    });

    describe("that is removed from the configuration", () =>
        it("is deleted without a change of other resources", async () => {
            await run("pulumi", ["config", "rm", "mirrors", "--stack", registry.name]);
            const preview = await previewed(registry.pulumi);
            assert.deepEqual(
                preview.filter((line) => !/^delete [^ ]*::registry-mirror-(own|open|foreign)(-config)?$/.test(line)),
                [],
            );
            await registry.up();
            await registry.pulumi("preview", "--expect-no-changes");
        }));
});
