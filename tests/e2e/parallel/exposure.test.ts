import * as assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { nodeAddress } from "../../../sandbox/paths";
import { makeGateway } from "../support/gateway";
import { OtherRegistry } from "../support/otherRegistry";
import { eventually, run } from "../support/run";
import { kubectl, loginStatus, previewed, request } from "../support/sandbox";
import { assertUnnoticed, Client, makeImage, tryPush } from "../support/traffic";

const registry = new OtherRegistry("exposed");
const GiB = 1024 ** 3;

describe("A registry", function () {
    this.timeout("20m");

    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "exposed-"));
    const large = path.join(folder, "large");
    let me: Client;

    before(async () => {
        await registry.configure();
        await registry.up();
        me = await registry.client();
        fs.mkdirSync(large);
        await run("sh", ["-c", `head -c ${2 * GiB} /dev/urandom > "$0"`, path.join(large, "layer")]);
    });
    after(async () => {
        await registry.remove();
        await kubectl("delete", "namespace", "gateways", "--ignore-not-found");
        fs.rmSync(folder, { recursive: true });
    });

    /** Makes an image with a new layer of 2 GiB, in the format of skopeo's `dir:`. Returns the manifest's digest. */
    async function makeLargeImage(): Promise<string> {
        const layer = fs
            .readdirSync(large)
            .find(
                (name) => /^(layer|[0-9a-f]{64})$/.test(name) && fs.statSync(path.join(large, name)).size >= 2 * GiB,
            )!;
        fs.appendFileSync(path.join(large, layer), "\0");
        const [digest] = (await run("sha256sum", [path.join(large, layer)])).split(" ") as [string];
        fs.renameSync(path.join(large, layer), path.join(large, digest));
        const config = '{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}';
        const configDigest = createHash("sha256").update(config).digest("hex");
        fs.writeFileSync(path.join(large, configDigest), config);
        fs.writeFileSync(path.join(large, "version"), "Directory Transport Version: 1.1\n");
        const manifest = JSON.stringify({
            schemaVersion: 2,
            mediaType: "application/vnd.oci.image.manifest.v1+json",
            config: {
                mediaType: "application/vnd.oci.image.config.v1+json",
                digest: `sha256:${configDigest}`,
                size: config.length,
            },
            layers: [
                {
                    mediaType: "application/vnd.oci.image.layer.v1.tar",
                    digest: `sha256:${digest}`,
                    size: fs.statSync(path.join(large, digest)).size,
                },
            ],
        });
        fs.writeFileSync(path.join(large, "manifest.json"), manifest);
        return createHash("sha256").update(manifest).digest("hex");
    }

    async function pushAndPullLarge(): Promise<void> {
        const digest = await makeLargeImage();
        const { code, stderr } = await tryPush(large, me, "large:1");
        assert.equal(code, 0, stderr);
        const pulled = path.join(folder, "pulled");
        // Skopeo verifies the digest of every layer.
        await run("skopeo", [
            "copy",
            "--quiet",
            "--src-creds",
            `${me.user}:${me.password}`,
            `docker://${me.host}/large:1`,
            `dir:${pulled}`,
        ]);
        assert.equal((await run("sha256sum", [path.join(pulled, "manifest.json")])).slice(0, 64), digest);
        fs.rmSync(pulled, { recursive: true });
        await run("skopeo", ["delete", "--creds", `${me.user}:${me.password}`, `docker://${me.host}/large:1`]);
    }

    /** Uploads a layer in one request that takes more than two minutes. */
    async function pushSlowly(): Promise<void> {
        const layer = randomBytes(13 * 1024 * 1024);
        const file = path.join(folder, "slow");
        fs.writeFileSync(file, layer);
        const headers = path.join(folder, "headers");
        const send = (url: string, ...options: string[]) =>
            request(
                url,
                "--user",
                `${me.user}:${me.password}`,
                "--header",
                "Content-Type: application/octet-stream",
                "--max-time",
                "600",
                "--dump-header",
                headers,
                ...options,
            );
        const location = () => /^location: (.*)\r$/im.exec(fs.readFileSync(headers, "utf8"))![1]!;
        assert.equal((await send(`https://${me.host}/v2/slow/blobs/uploads/`, "--request", "POST")).status, 202);
        const began = Date.now();
        assert.equal(
            (await send(location(), "--request", "PATCH", "--limit-rate", "100K", "--data-binary", `@${file}`)).status,
            202,
        );
        assert.ok(Date.now() - began > 120_000, "it was not slow");
        const digest = createHash("sha256").update(layer).digest("hex");
        assert.equal((await send(`${location()}&digest=sha256:${digest}`, "--request", "PUT")).status, 201);
    }

    /** Tests of every kind of exposure. */
    function testExposure(): void {
        it("accepts and serves a layer of 2 GiB, and accepts another from a client that needs over two minutes", () =>
            Promise.all([pushAndPullLarge(), pushSlowly()]));

        it("replaces its pods without a failed push or pull", () =>
            assertUnnoticed(me, async () => {
                await kubectl("rollout", "restart", "deployment/registry", "--namespace", registry.name);
                await kubectl("rollout", "status", "deployment/registry", "--namespace", registry.name);
            }));
    }
    const answers = (what: string) =>
        request(`${what}://${me.host}/v2/`, "--user", `${me.user}:${me.password}`, "--include");

    describe("behind an Ingress of class nginx", testExposure);

    describe("behind an Ingress of class traefik", () => {
        before(async () => {
            await registry.configure({ ingressClassName: "traefik" });
            const warned = await registry.pulumi("preview");
            assert.match(warned, /ingressClassName: Traefik cuts off a push that is still sending after 60 s/);
            const [, command] =
                /ingressClassName: the Certificate .* After this update, run: (kubectl annotate .*)/.exec(warned) ?? [];
            const preview = await previewed(registry.pulumi);
            assert.deepEqual(
                preview.map((line) => line.replace(/ (metadata|spec).*/, "")),
                ["update kubernetes:networking.k8s.io/v1:Ingress::registry"],
            );
            await registry.up();
            await eventually(300, async () => (await loginStatus(me)) === 200);
            const [documented] = /^kubectl annotate certificate .*$/m.exec(
                fs.readFileSync("docs/exposure.md", "utf8"),
            )!;
            assert.equal(command, documented.replace("--namespace registry", `--namespace ${registry.name}`));
            await run("sh", ["-c", command]);
            assert.doesNotMatch(await registry.pulumi("preview"), /warning/);
        });

        testExposure();

        it("gets a new certificate for a deleted one, after the command of the warning", async () => {
            const serial = () =>
                run("sh", [
                    "-c",
                    "openssl s_client -connect $0:443 -servername $0 </dev/null 2>/dev/null | openssl x509 -noout -serial",
                    me.host,
                ]);
            const before = await serial();
            await kubectl("delete", "secret", "registry-tls-ingress", "--namespace", registry.name);
            // Until then Traefik serves its default certificate, which no client trusts.
            await eventually(300, async () => (await serial()) !== before && (await loginStatus(me)) === 200);
        });

        it("does not answer http, because a redirect is a setting of Traefik's entry points", async () => {
            assert.equal((await answers("http")).status, 404);
        });
    });

    describe("on a Gateway", () => {
        before(async () => {
            await makeGateway("gateways", me.host);
            await registry.configure({
                exposure: "gateway",
                gatewayName: "home",
                gatewayNamespace: "gateways",
                gatewayHttpSectionName: "http",
            });
            assert.deepEqual(await previewed(registry.pulumi), [
                "create kubernetes:gateway.networking.k8s.io/v1:HTTPRoute::registry",
                "create kubernetes:gateway.networking.k8s.io/v1:HTTPRoute::registry-http",
                "delete kubernetes:networking.k8s.io/v1:Ingress::registry",
            ]);
            await registry.up();
            await eventually(300, async () => (await loginStatus(me)) === 200);
        });

        testExposure();

        it("shows no difference in a second preview", () => registry.pulumi("preview", "--expect-no-changes"));

        it("redirects http to https", async () => {
            const { status, body } = await answers("http");
            assert.equal(status, 301);
            assert.match(body, new RegExp(`^location: https://${me.host}(:443)?/v2/\r$`, "im"));
        });
    });

    describe("with only a Service of type NodePort", () => {
        const port = 30500;
        before(async () => {
            makeImage(path.join(folder, "image"));
            assert.equal((await tryPush(path.join(folder, "image"), me, "hello:1")).code, 0);
            await registry.configure({
                ...{ gatewayName: "", gatewayNamespace: "", gatewayHttpSectionName: "" },
                exposure: "service",
                serviceType: "NodePort",
                serviceNodePort: String(port),
            });
            await registry.up();
        });

        it("serves an image by http after a login", async () => {
            const url = `http://${nodeAddress}:${port}/v2/`;
            assert.equal((await request(url)).status, 401);
            assert.equal((await request(url, "--user", `${me.user}:${me.password}`)).status, 200);
            const pulled = path.join(folder, "by-http");
            await run("skopeo", [
                "copy",
                "--quiet",
                "--src-tls-verify=false",
                "--src-creds",
                `${me.user}:${me.password}`,
                `docker://${nodeAddress}:${port}/hello:1`,
                `dir:${pulled}`,
            ]);
            assert.deepEqual(
                fs.readFileSync(path.join(pulled, "manifest.json")),
                fs.readFileSync(path.join(folder, "image", "manifest.json")),
            );
        });

        it("sends clients to its https host for uploads, where something else has to answer", async () => {
            const { body } = await request(
                `http://${nodeAddress}:${port}/v2/hello/blobs/uploads/`,
                "--request",
                "POST",
                "--user",
                `${me.user}:${me.password}`,
                "--include",
            );
            assert.match(body, new RegExp(`^location: https://${me.host}/v2/hello/blobs/uploads/`, "im"));
        });

        it("can return to an Ingress, with every image", async () => {
            await registry.configure({
                exposure: "ingress",
                serviceType: "ClusterIP",
                serviceNodePort: "0",
                ingressClassName: "nginx",
            });
            await registry.up();
            await eventually(300, async () => (await loginStatus(me)) === 200);
            await run("skopeo", ["inspect", "--creds", `${me.user}:${me.password}`, `docker://${me.host}/hello:1`]);
            await registry.pulumi("preview", "--expect-no-changes");
        });
    });
});
