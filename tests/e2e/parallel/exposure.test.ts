import * as assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { nodeAddress } from "../../../sandbox/paths";
import { documented } from "../support/docs";
import { makeGateway } from "../support/gateway";
import { OtherRegistry } from "../support/otherRegistry";
import { OwnProxy } from "../support/ownProxy";
import { attempt, eventually, run } from "../support/run";
import { kubectl, loginStatus, previewed, request, restart } from "../support/sandbox";
import { assertUnnoticed, Client, makeLargeImage, pull, tryPush, whilePodsStop } from "../support/traffic";

const registry = new OtherRegistry("exposed");
const apps = "exposed-apps";
const gateways = "exposed-gateways";
const GiB = 1024 ** 3;

/** Every difference between the commands of docs/exposure.md and those that run here. */
const here: Record<string, string> = {
    "--namespace registry": `--namespace ${registry.name}`,
    "run hello": `run hello --namespace ${apps}`,
    "wait pod/hello": `wait pod/hello --namespace ${apps}`,
    "logs hello": `logs hello --namespace ${apps}`,
    "pod hello": `pod hello --namespace ${apps}`,
    "gatewayNamespace gateways": `gatewayNamespace ${gateways}`,
    // The tests look at previews themselves.
    "pulumi up": "pulumi up --skip-preview",
    // The sandbox has no internet access, and has this image.
    "docker pull alpine": "docker image inspect alpine",
};

describe("A registry", () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "exposed-"));
    const proxy = new OwnProxy(registry.host, folder);
    let me = { host: registry.host } as Client;

    /** Returns the commands under a heading of docs/exposure.md: those that change the configuration, and those after. */
    function stepsOf(heading: string): { configure: string; update: string } {
        const names = { ...here, "registry.example.com": me.host };
        const commands = Object.entries(names).reduce(
            (text, [there, value]) => text.replaceAll(there, value),
            documented("docs/exposure.md", heading, {}),
        );
        const [, configure = commands, update = ""] = /^(.*?)(^pulumi up.*)$/ms.exec(commands) ?? [];
        return { configure, update };
    }

    const sh = (commands: string) =>
        run("sh", ["-ec", commands], {
            env: { ...registry.env, PULUMI_SKIP_CONFIRMATIONS: "true", DOCKER_CONFIG: path.join(folder, "docker") },
        });

    /** Runs the commands under a heading. Returns what a preview shows before the update. */
    async function follow(heading: string): Promise<string[]> {
        const { configure, update } = stepsOf(heading);
        await sh(configure);
        const preview = update === "" ? [] : await previewed(registry.pulumi);
        await sh(update);
        return preview;
    }

    /** Waits until the registry answers by the new entrance, and Traefik no longer routes to the old one. */
    async function waitForRoutes(provider: string): Promise<void> {
        interface Router {
            provider: string;
            rule: string;
        }
        const read = async (kind: string) => {
            const { body } = await request(`http://127.0.0.1:8088/api/${kind}/routers?per_page=1000`);
            return JSON.parse(body) as Router[];
        };
        await eventually(async () => {
            const routers = [...(await read("http")), ...(await read("tcp"))];
            const providers = routers
                .filter(({ rule }) => rule.includes(registry.host) && !rule.includes("acme-challenge"))
                .map(({ provider }) => provider);
            return providers.length > 0 && providers.every((found) => found === provider);
        });
        await eventually(async () => (await loginStatus(me)) === 200);
    }

    before(async () => {
        await kubectl("delete", "namespace", apps, "--ignore-not-found");
        await kubectl("create", "namespace", apps);
        await registry.configure({
            "users[0].name": "ci",
            "pullSecrets[0].namespace": apps,
            "pullSecrets[0].user": "ci",
        });
    });
    after(async () => {
        proxy.stop();
        await registry.remove();
        await kubectl("delete", "namespace", gateways, apps, "--ignore-not-found");
        const images = [`${registry.host}/alpine`, `${registry.host}:${proxy.port}/alpine`];
        await attempt("docker", ["image", "rm", ...images]);
        fs.rmSync(folder, { recursive: true });
    });

    async function pushAndPullLarge(): Promise<void> {
        const [pushed, pulled] = [path.join(folder, "pushed"), path.join(folder, "pulled")];
        try {
            await makeLargeImage(pushed, 2 * GiB);
            const { code, stderr } = await tryPush(pushed, me, "large:1");
            assert.equal(code, 0, stderr);
            await pull("large:1", me, pulled);
            const manifest = (image: string) => fs.readFileSync(path.join(image, "manifest.json"), "utf8");
            assert.equal(manifest(pulled), manifest(pushed));
        } finally {
            for (const image of [pushed, pulled]) {
                fs.rmSync(image, { recursive: true, force: true });
            }
        }
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

    /** Tests the commands of the page for the first image. */
    const testFirstImage = () =>
        it("accepts a push by docker, and a Pod in another namespace runs the image, by the commands of the page", async () => {
            const { configure } = stepsOf("Push and pull");
            assert.match(await sh(configure), /^Hello from my registry$/m);
        });

    /** Tests of every kind of exposure. */
    function testExposure(): void {
        let slowPush: Promise<void>;
        before(() => {
            slowPush = pushSlowly();
            // Its own test reports an error.
            slowPush.catch(() => undefined);
        });

        testFirstImage();

        it("accepts and serves a layer of 2 GiB", pushAndPullLarge);

        it("accepts a layer from a client that needs over two minutes", () => slowPush);

        it("replaces its pods without a failed pull, and a push needs at most one retry", () =>
            assertUnnoticed(me, () => restart(registry.name), whilePodsStop));
    }
    const answers = (what: string) =>
        request(`${what}://${me.host}/v2/`, "--user", `${me.user}:${me.password}`, "--include");

    describe("behind an Ingress of class nginx", () => {
        before(async () => {
            await follow("Class nginx");
            me = await registry.client("ci");
        });

        testExposure();
    });

    describe("behind an Ingress of class traefik", () => {
        const afterChangeOfClass = "The certificate after a change of class";
        const serial = () =>
            run("sh", [
                "-c",
                "openssl s_client -connect $0:443 -servername $0 </dev/null 2>/dev/null | openssl x509 -noout -serial",
                me.host,
            ]);

        before(async () => {
            await follow("Change the entrance");
            const { configure, update } = stepsOf("Traefik");
            await sh(configure);
            const warned = await registry.pulumi("preview");
            assert.match(warned, /ingressClassName: Traefik cuts off a push that is still sending after 60 s/);
            const { configure: annotate } = stepsOf(afterChangeOfClass);
            const repeat = documented("docs/troubleshooting.md", "Repeat the challenge", {})
                .trim()
                .replace("\n", " && ");
            const commands = repeat.replaceAll("--namespace registry", `--namespace ${registry.name}`);
            assert.ok(commands.startsWith(annotate.trim()), annotate);
            assert.ok(warned.includes(`After this update, run: ${commands}\n`), warned);
            const preview = await previewed(registry.pulumi);
            assert.deepEqual(
                preview.map((line) => line.replace(/ (metadata|spec).*/, "")),
                ["update kubernetes:networking.k8s.io/v1:Ingress::registry"],
            );
            await sh(update);
            await waitForRoutes("kubernetes");
            await follow(afterChangeOfClass);
            assert.doesNotMatch(await registry.pulumi("preview"), /warning/);
        });

        testExposure();

        it("gets a new certificate for a deleted one, after the command of the warning", async () => {
            const before = await serial();
            await kubectl("delete", "secret", "registry-tls-ingress", "--namespace", registry.name);
            // Until then Traefik serves its default certificate, which no client trusts.
            await eventually(async () => (await serial()) !== before && (await loginStatus(me)) === 200);
        });

        it("does not answer http, because a redirect is a setting of Traefik's entry points", async () => {
            assert.equal((await answers("http")).status, 404);
        });

        it("uses an existing certificate, for which no client has to retry", async () => {
            for (const [file, key] of Object.entries({ "registry.crt": "tls\\.crt", "registry.key": "tls\\.key" })) {
                const encoded = await kubectl(
                    ...["get", "secret/registry-tls-ingress", "--namespace", registry.name],
                    ...["--output", `jsonpath={.data.${key}}`],
                );
                fs.writeFileSync(path.join(folder, file), Buffer.from(encoded, "base64"));
            }
            const { configure, update } = stepsOf("Certificate and DNS");
            await sh(configure.replace(/registry\.(?=crt|key)/g, `${folder}/registry.`));
            assert.deepEqual(await previewed(registry.pulumi), [
                'update kubernetes:networking.k8s.io/v1:Ingress::registry metadata.annotations["cert-manager.io/cluster-issuer"] spec.tls[0].secretName',
            ]);
            await assertUnnoticed(me, () => sh(update));
        });
    });

    describe("on a Gateway", () => {
        before(async () => {
            await makeGateway(gateways, registry);
            await follow("Change the entrance");
            assert.deepEqual(await follow("Gateway"), [
                "create kubernetes:gateway.networking.k8s.io/v1:HTTPRoute::registry",
                "create kubernetes:gateway.networking.k8s.io/v1:HTTPRoute::registry-http",
                "delete kubernetes:networking.k8s.io/v1:Ingress::registry",
            ]);
            await waitForRoutes("kubernetesgateway");
        });

        testExposure();

        it("shows no difference in a second preview", () => registry.pulumi("preview", "--expect-no-changes"));

        it("redirects http to https", async () => {
            const { status, body } = await answers("http");
            assert.equal(status, 301);
            assert.match(body, new RegExp(`^location: https://${me.host}(:443)?/v2/\r$`, "im"));
        });
    });

    describe("behind a proxy of an owner, at another port than 443", () => {
        const url = `http://${nodeAddress}:30500/v2/`;
        before(async () => {
            await follow("Change the entrance");
            await registry.pulumi("config", "set", "host", `${registry.host}:${proxy.port}`);
            await follow("A proxy of your own");
            proxy.start();
            me = await registry.client("ci");
        });

        testFirstImage();

        it("is reached by http only after a login", async () => {
            assert.equal((await request(url)).status, 401);
            assert.equal((await request(url, "--user", `${me.user}:${me.password}`)).status, 200);
        });

        it("sends clients to its https host for uploads, where the proxy has to answer", async () => {
            const { body } = await request(
                `${url}hello/blobs/uploads/`,
                "--request",
                "POST",
                "--user",
                `${me.user}:${me.password}`,
                "--include",
            );
            assert.match(body, new RegExp(`^location: https://${me.host}/v2/hello/blobs/uploads/`, "im"));
        });

        it("separates a pull-only user's pulls from pushes, with the lines of docs/users.md", async () => {
            await sh(documented("docs/users.md", "Pull-only users", {}));
            await registry.up();
            const nodePort = "jsonpath={.spec.ports[0].nodePort}";
            proxy.configure(
                Number(
                    await kubectl(
                        ...["get", "service/registry-reader", "--namespace", registry.name],
                        ...["--output", nodePort],
                    ),
                ),
            );
            const cluster = await registry.client("cluster");
            const pulled = path.join(folder, "by-cluster");
            await pull("alpine", cluster, pulled);
            const { code, stderr } = await tryPush(pulled, cluster, "again:1");
            assert.notEqual(code, 0);
            assert.match(stderr, /unauthorized: authentication required/);
            assert.equal((await tryPush(pulled, me, "again:1")).code, 0);
            await sh(documented("docs/users.md", "Remove access control", {}));
        });

        it("can return to an Ingress, with every image", async () => {
            proxy.stop();
            await registry.pulumi("config", "set", "host", registry.host);
            me = { ...me, host: registry.host };
            await follow("Change the entrance");
            await follow("Class nginx");
            await waitForRoutes("kubernetesingressnginx");
            await run("skopeo", ["inspect", "--creds", `${me.user}:${me.password}`, `docker://${me.host}/alpine`]);
            await registry.pulumi("preview", "--expect-no-changes");
        });
    });
});
