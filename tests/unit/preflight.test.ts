import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as net from "node:net";
import * as os from "node:os";
import * as path from "node:path";

import * as pulumi from "@pulumi/pulumi";

import { StackConfiguration } from "../../config";
import { checkChange, checkReach } from "../../preflight";

/** A port on this machine where nothing listens, or something does. */
async function port(listening: boolean): Promise<{ address: string; close: () => void }> {
    const server = net.createServer((socket) => socket.destroy()).listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const address = `127.0.0.1:${(server.address() as net.AddressInfo).port}`;
    if (!listening) {
        await new Promise((resolve) => server.close(resolve));
    }
    return { address, close: () => server.close() };
}

/** Whether an error is Pulumi's for users, with exactly this message. */
const isRunError = (message: string) => (error: Error) => {
    assert.ok(pulumi.RunError.isInstance(error), String(error));
    assert.equal(error.message, message);
    return true;
};

describe("Before an update", () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "preflight-"));
    const kubeconfig = process.env.KUBECONFIG;
    let here: Awaited<ReturnType<typeof port>>;
    let away: Awaited<ReturnType<typeof port>>;

    before(async () => {
        here = await port(true);
        away = await port(false);
        const file = (name: string, content: object) =>
            fs.writeFileSync(path.join(folder, name), JSON.stringify(content));
        file("one", {
            "current-context": "away",
            contexts: [
                { name: "away", context: { cluster: "away" } },
                { name: "proxied", context: { cluster: "proxied" } },
            ],
            clusters: [
                { name: "away", cluster: { server: `https://${away.address}` } },
                {
                    name: "proxied",
                    cluster: { server: `https://${away.address}`, "proxy-url": "socks5://127.0.0.1:1" },
                },
            ],
        });
        file("two", {
            "current-context": "here",
            contexts: [{ name: "here", context: { cluster: "here" } }],
            clusters: [{ name: "here", cluster: { server: `https://${here.address}` } }],
        });
        process.env.KUBECONFIG = ["one", "two", "not-there"]
            .map((name) => path.join(folder, name))
            .join(path.delimiter);
    });
    after(() => {
        here.close();
        fs.rmSync(folder, { recursive: true });
        if (kubeconfig === undefined) {
            delete process.env.KUBECONFIG;
        } else {
            process.env.KUBECONFIG = kubeconfig;
        }
    });

    async function reach(kubeContext: string | undefined, server: string, preview = false) {
        await pulumi.runtime.setMocks(
            { newResource: () => ({ id: "", state: {} }), call: () => ({}) },
            "homelab-registry",
            "test",
            preview,
        );
        await checkReach({ kubeContext, minio: { server } } as StackConfiguration);
    }
    it("the cluster and Minio are asked whether they are there", () => reach("here", here.address));

    it("an error says which of them is away, and where it was looked for", async () => {
        await assert.rejects(
            reach(undefined, away.address),
            isRunError(
                [
                    `The cluster does not answer at ${away.address} (ECONNREFUSED). The address is that of your kubeconfig's current context.`,
                    `Minio does not answer at ${away.address} (ECONNREFUSED). The address is that of minioServer, or bucketEndpoint where that is empty.`,
                    "Nothing was changed.",
                ].join("\n"),
            ),
        );
        await assert.rejects(
            reach("away", here.address),
            isRunError(
                [
                    `The cluster does not answer at ${away.address} (ECONNREFUSED). The address is that of kubeContext.`,
                    "Nothing was changed.",
                ].join("\n"),
            ),
        );
    });

    it("a preview goes on without them", () => reach("away", away.address, true));

    it("a cluster behind a proxy is left to the provider", () => reach("proxied", here.address));

    it("everything is, where a proxy leads to it", async () => {
        process.env.HTTPS_PROXY = "http://127.0.0.1:1";
        try {
            await reach("away", away.address);
        } finally {
            delete process.env.HTTPS_PROXY;
        }
    });

    it("a context that no kubeconfig has is an error that names those there are", async () => {
        await assert.rejects(
            reach("unheard-of", here.address),
            isRunError(
                [
                    `The context "unheard-of" is not in the kubeconfig (${process.env.KUBECONFIG!.split(path.delimiter).join(", ")}); there are: away, proxied, here.`,
                    "Nothing was changed.",
                ].join("\n"),
            ),
        );
    });

    describe("with another kubeconfig", () => {
        const usual = () => ["one", "two", "not-there"].map((name) => path.join(folder, name)).join(path.delimiter);
        afterEach(() => void (process.env.KUBECONFIG = usual()));
        const use = (content: string) => {
            process.env.KUBECONFIG = path.join(folder, "other");
            fs.writeFileSync(process.env.KUBECONFIG, content);
            return process.env.KUBECONFIG;
        };

        it("an empty one is an error", async () => {
            const file = use("");
            await assert.rejects(
                reach(undefined, here.address),
                isRunError(
                    `There is no current context in a kubeconfig (${file}): set one, or the key kubeContext.\nNothing was changed.`,
                ),
            );
        });

        it("a malformed one is an error that shows nothing of it", async () => {
            const file = use("users:\n  - user: { token: abc: def }");
            await assert.rejects(
                reach(undefined, here.address),
                isRunError(`The kubeconfig ${file} is not YAML.\nNothing was changed.`),
            );
        });
    });
});

describe("A change of what is deployed", () => {
    const name = "organization/homelab-registry/test";

    /** Has the engine's functions tell this of the last update; gives back what they are asked, in order. */
    async function mockLastUpdate(told: Record<string, object>): Promise<unknown[]> {
        const asked: unknown[] = [];
        await pulumi.runtime.setMocks(
            {
                newResource: () => ({ id: "", state: {} }),
                call: ({ token, inputs }) => {
                    asked.push(token, inputs);
                    return { outputs: told[token.replace("pulumi:pulumi:", "")] };
                },
            },
            "homelab-registry",
            "test",
            false,
            "organization",
        );
        return asked;
    }

    /** What is warned of when a configuration is deployed after an update that gave out this. */
    async function warnings(
        last: object,
        { host, bucket, minio }: { host: string; bucket: string; minio: boolean },
    ): Promise<string[]> {
        const asked = await mockLastUpdate({ readStackOutputs: last });
        const usual = console.warn;
        const said: string[] = [];
        console.warn = (...words: unknown[]) => void said.push(words.join(" "));
        try {
            await checkChange({ registry: { host, bucket: { name: bucket } }, minio: minio ? {} : undefined } as StackConfiguration);
        } finally {
            console.warn = usual;
        }
        assert.deepEqual(asked, ["pulumi:pulumi:readStackOutputs", { name }]);
        return said;
    }
    const last = { host: "docker.example.com", bucket: "container-repo" };

    describe("to a namespace that is not created here", () => {
        async function change(resources: string[]): Promise<void> {
            const asked = await mockLastUpdate({
                readStackOutputs: last,
                readStackResourceOutputs: Object.fromEntries(resources.map((urn) => [urn, {}])),
            });
            await checkChange({
                registry: { host: last.host, createNamespace: false, bucket: { name: last.bucket } },
                minio: {},
            } as StackConfiguration);
            assert.deepEqual(asked, [
                "pulumi:pulumi:readStackOutputs",
                { name },
                "pulumi:pulumi:readStackResourceOutputs",
                { stackName: name },
            ]);
        }
        const component = "urn:pulumi:test::homelab-registry::homelab-registry:index:ContainerRegistry$";

        it("is refused in a stack that created it, which would delete it and the registry", async () => {
            await assert.rejects(
                change([`${component}kubernetes:core/v1:Namespace::registry`]),
                isRunError(
                    [
                        "createNamespace: false, but this stack created the namespace: it would be deleted, with the registry in it.",
                        "Set createNamespace back to true; a namespace of your own is for a new stack.",
                        "Nothing was changed.",
                    ].join("\n"),
                ),
            );
        });

        it("is none where it was so before, nor in a new stack", async () => {
            await change([`${component}kubernetes:apps/v1:Deployment::registry`]);
            await change([]);
        });
    });

    describe("to Traefik's own class", () => {
        const ingress =
            "urn:pulumi:test::homelab-registry::homelab-registry:index:ContainerRegistry$homelab-registry:index:Exposure$kubernetes:networking.k8s.io/v1:Ingress::registry";
        async function warned(className: string, resources: object): Promise<boolean> {
            await mockLastUpdate({ readStackOutputs: last, readStackResourceOutputs: resources });
            const usual = console.warn;
            const said: string[] = [];
            console.warn = (...words: unknown[]) => void said.push(words.join(" "));
            try {
                await checkChange({
                    registry: { host: last.host, bucket: { name: last.bucket }, ingress: { className } },
                    minio: {},
                } as StackConfiguration);
            } finally {
                console.warn = usual;
            }
            return said.some((line) => line.includes("Traefik cuts off a push that is still sending after 60 s"));
        }

        it("warns of what no annotation of it can do", async () => {
            assert.ok(await warned("traefik", {}));
            assert.ok(await warned("traefik", { [ingress]: { outputs: { spec: { ingressClassName: "nginx" } } } }));
        });

        it("does so once", async () => {
            assert.ok(
                !(await warned("traefik", { [ingress]: { outputs: { spec: { ingressClassName: "traefik" } } } })),
            );
            assert.ok(!(await warned("nginx", {})));
        });
    });

    it("is none the first time, and where host and bucket are as they were", async () => {
        const configuration = { host: "docker.example.com", bucket: "container-repo", minio: true };
        assert.deepEqual(await warnings({}, configuration), []);
        assert.deepEqual(await warnings(last, configuration), []);
    });

    it("to another bucket is refused, as the images would stay behind", async () => {
        await assert.rejects(
            warnings(last, { ...last, bucket: "layers", minio: true }),
            isRunError(
                [
                    'bucketName: "layers" is another bucket than "container-repo", which holds the images. They would stay there, and the registry be empty.',
                    "Set bucketName back to container-repo; docs/operations.md says how to take the images to another bucket.",
                    "Nothing was changed.",
                ].join("\n"),
            ),
        );
    });

    it("to another bucket of one's own is a warning", async () => {
        assert.deepEqual(await warnings(last, { ...last, bucket: "layers", minio: false }), [
            'warning: [runtime] bucketName: "layers" is another bucket than "container-repo", which holds the images until now: ' +
                "the registry has only those that are in the new one.",
        ]);
    });

    it("to another host is a warning that says what clients have to do", async () => {
        assert.deepEqual(await warnings(last, { ...last, host: "images.example.com", minio: true }), [
            'warning: [runtime] host: it was "docker.example.com", which will not answer any more. Clients log in to "images.example.com" from now on, ' +
                "and the names of images begin with it: in pods, in compose files, in CI.",
        ]);
    });
});
