import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as net from "node:net";
import * as os from "node:os";
import * as path from "node:path";

import * as pulumi from "@pulumi/pulumi";

import { StackConfiguration } from "../../config";
import { checkChanges, checkConnections } from "../../preflight";

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

describe("The check of connections", () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "preflight-"));
    const files = ["one", "two", "missing"].map((name) => path.join(folder, name));
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
        process.env.KUBECONFIG = files.join(path.delimiter);
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
        await checkConnections({ kubeContext, minio: { server } } as StackConfiguration);
    }
    it("passes if the cluster and MinIO respond", () => reach("here", here.address));

    it("names what is unreachable, its address, and where the address comes from", async () => {
        await assert.rejects(
            reach(undefined, away.address),
            isRunError(
                [
                    `The cluster does not respond at ${away.address} (ECONNREFUSED). ` +
                        "The address comes from the current context of your kubeconfig.",
                    `MinIO does not respond at ${away.address} (ECONNREFUSED). ` +
                        "The address comes from minioServer, or bucketEndpoint if that is not set.",
                    "Nothing was changed.",
                ].join("\n"),
            ),
        );
        await assert.rejects(
            reach("away", here.address),
            isRunError(
                [
                    `The cluster does not respond at ${away.address} (ECONNREFUSED). ` +
                        "The address comes from kubeContext.",
                    "Nothing was changed.",
                ].join("\n"),
            ),
        );
    });

    it("lets a preview continue", () => reach("away", away.address, true));

    it("skips a cluster that its kubeconfig reaches through a proxy", () => reach("proxied", here.address));

    it("skips everything if the environment has a proxy", async () => {
        process.env.HTTPS_PROXY = "http://127.0.0.1:1";
        try {
            await reach("away", away.address);
        } finally {
            delete process.env.HTTPS_PROXY;
        }
    });

    it("names the contexts that exist if the configured one does not", async () => {
        await assert.rejects(
            reach("unheard-of", here.address),
            isRunError(
                [
                    `The kubeconfig (${files.join(", ")}) has no context "unheard-of". ` +
                        "It has: away, proxied, here.",
                    "Nothing was changed.",
                ].join("\n"),
            ),
        );
    });

    describe("with another kubeconfig", () => {
        afterEach(() => void (process.env.KUBECONFIG = files.join(path.delimiter)));
        const use = (content: string) => {
            process.env.KUBECONFIG = path.join(folder, "other");
            fs.writeFileSync(process.env.KUBECONFIG, content);
            return process.env.KUBECONFIG;
        };

        it("rejects an empty kubeconfig", async () => {
            const file = use("");
            await assert.rejects(
                reach(undefined, here.address),
                isRunError(
                    `No kubeconfig (${file}) has a current context. Set one, or set kubeContext.\nNothing was changed.`,
                ),
            );
        });

        it("rejects a malformed kubeconfig, and shows nothing of it", async () => {
            const file = use("users:\n  - user: { token: abc: def }");
            await assert.rejects(
                reach(undefined, here.address),
                isRunError(`The kubeconfig ${file} is not valid YAML.\nNothing was changed.`),
            );
        });
    });
});

describe("The check of changes", () => {
    const name = "organization/homelab-registry/test";

    /** Mocks what the engine's functions return about the last update. Returns their calls, in order. */
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

    /** The warnings if a configuration follows an update with the outputs `last`. */
    async function warnings(
        last: object,
        { host, bucket, minio }: { host: string; bucket: string; minio: boolean },
    ): Promise<string[]> {
        const asked = await mockLastUpdate({ readStackOutputs: last });
        const usual = console.warn;
        const said: string[] = [];
        console.warn = (...words: unknown[]) => void said.push(words.join(" "));
        try {
            await checkChanges({
                registry: { host, bucket: { name: bucket } },
                minio: minio ? {} : undefined,
            } as StackConfiguration);
        } finally {
            console.warn = usual;
        }
        assert.deepEqual(asked, ["pulumi:pulumi:readStackOutputs", { name }]);
        return said;
    }
    const last = { host: "docker.example.com", bucket: "container-repo" };

    describe("of createNamespace to false", () => {
        async function change(resources: string[]): Promise<void> {
            const asked = await mockLastUpdate({
                readStackOutputs: last,
                readStackResourceOutputs: Object.fromEntries(resources.map((urn) => [urn, {}])),
            });
            await checkChanges({
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

        it("rejects it in a stack that created its namespace", async () => {
            await assert.rejects(
                change([`${component}kubernetes:core/v1:Namespace::registry`]),
                isRunError(
                    [
                        "createNamespace: false would delete the namespace, which this stack created, " +
                            "and the registry in it.",
                        "Set createNamespace to true. Only a new stack can use an existing namespace.",
                        "Nothing was changed.",
                    ].join("\n"),
                ),
            );
        });

        it("accepts it in a stack that did not, and in a new stack", async () => {
            await change([`${component}kubernetes:apps/v1:Deployment::registry`]);
            await change([]);
        });
    });

    describe("of ingressClassName to traefik", () => {
        const ingress =
            "urn:pulumi:test::homelab-registry::homelab-registry:index:ContainerRegistry$" +
            "homelab-registry:index:Exposure$kubernetes:networking.k8s.io/v1:Ingress::registry";
        async function warned(className: string, resources: object): Promise<boolean> {
            await mockLastUpdate({ readStackOutputs: last, readStackResourceOutputs: resources });
            const usual = console.warn;
            const said: string[] = [];
            console.warn = (...words: unknown[]) => void said.push(words.join(" "));
            try {
                await checkChanges({
                    registry: { host: last.host, bucket: { name: last.bucket }, ingress: { className } },
                    minio: {},
                } as StackConfiguration);
            } finally {
                console.warn = usual;
            }
            return said.some((line) => line.includes("Traefik cuts off a push that is still sending after 60 s"));
        }

        it("warns of what no annotation can configure", async () => {
            assert.ok(await warned("traefik", {}));
            assert.ok(await warned("traefik", { [ingress]: { outputs: { spec: { ingressClassName: "nginx" } } } }));
        });

        it("warns once", async () => {
            assert.ok(
                !(await warned("traefik", { [ingress]: { outputs: { spec: { ingressClassName: "traefik" } } } })),
            );
            assert.ok(!(await warned("nginx", {})));
        });
    });

    it("accepts a new stack, and an unchanged host and bucket", async () => {
        const configuration = { host: "docker.example.com", bucket: "container-repo", minio: true };
        assert.deepEqual(await warnings({}, configuration), []);
        assert.deepEqual(await warnings(last, configuration), []);
    });

    it("rejects another bucket that would be created empty", async () => {
        await assert.rejects(
            warnings(last, { ...last, bucket: "layers", minio: true }),
            isRunError(
                [
                    'bucketName: "layers" is not the bucket "container-repo", which stores the images. ' +
                        "The registry would be empty.",
                    "Set bucketName to container-repo. To move the images to another bucket, see docs/operations.md.",
                    "Nothing was changed.",
                ].join("\n"),
            ),
        );
    });

    it("warns of another existing bucket", async () => {
        assert.deepEqual(await warnings(last, { ...last, bucket: "layers", minio: false }), [
            'warning: [runtime] bucketName: "layers" is not the bucket "container-repo", ' +
                "which stores the images until now. " +
                "The registry will have only the images of the new bucket.",
        ]);
    });

    it("warns of another host, and says what clients must do", async () => {
        assert.deepEqual(await warnings(last, { ...last, host: "images.example.com", minio: true }), [
            'warning: [runtime] host: was "docker.example.com", which stops responding. ' +
                'Clients must log in to "images.example.com", ' +
                "and the names of images begin with it: change them in pods, in compose files and in CI.",
        ]);
    });
});
