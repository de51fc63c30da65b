import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import * as fc from "fast-check";

import { memory, registryProcess, restarts } from "../../e2e/support/processes";
import { eventually, run } from "../../e2e/support/run";
import { client, keysOf } from "../../e2e/support/sandbox";
import { Client, makeImage, pull } from "../../e2e/support/traffic";
import { RawAnswer, RawRequest, send, Target } from "../support/rawHttp";
import { fullOrShort } from "../support/shortMode";

/** Seed of the generated requests, which are the same in every run. */
const seed = Number(process.env.FAULTS_SEED ?? 20261124);

describe("Invalid requests", () => {
    const bucket = "container-repo";
    let me: Client, authorization: string, targets: Target[];
    let sent = 0;
    const atStart = { keys: [] as string[], process: 0, memory: 0, restarts: 0 };
    const isUpload = (key: string) => key.includes("/_uploads/");

    before(async () => {
        me = await client();
        authorization = `Basic ${Buffer.from(`${me.user}:${me.password}`).toString("base64")}`;
        targets = [
            { host: me.host, port: 443, isSecure: true },
            { host: "registry.registry.svc.homelab-k8s", port: 80, isSecure: false },
        ];
        // Excludes the memory that a process needs for its first requests.
        await roundTrip("before");
        atStart.keys = (await keysOf(bucket)).filter((key) => !key.includes("/roundtrip/"));
        atStart.process = await registryProcess();
        atStart.memory = memory(atStart.process).now;
        atStart.restarts = await restarts();
    });

    /** Pushes an image and pulls it. Skopeo verifies the digest. */
    async function roundTrip(tag: string): Promise<void> {
        const folder = fs.mkdtempSync(path.join(os.tmpdir(), "roundtrip-"));
        try {
            makeImage(path.join(folder, "pushed"));
            await run("skopeo", [
                "copy",
                "--quiet",
                "--dest-creds",
                `${me.user}:${me.password}`,
                `dir:${folder}/pushed`,
                `docker://${me.host}/roundtrip:${tag}`,
            ]);
            await pull(`roundtrip:${tag}`, me, `${folder}/pulled`);
        } finally {
            fs.rmSync(folder, { recursive: true });
        }
    }

    const ask = (target: number, request: RawRequest): Promise<RawAnswer> => {
        sent++;
        return send(targets[target]!, { ...request, headers: { Authorization: authorization, ...request.headers } });
    };
    const assertRefused = ({ status }: RawAnswer) =>
        assert.ok(status >= 400 && status < 500, `it was answered ${status}`);
    /** Fails unless each generated request is rejected. The error contains the smallest one that is not. */
    const check = <T>(runs: number, requests: fc.Arbitrary<T>, property: (request: T) => Promise<void>) =>
        fc.assert(fc.asyncProperty(requests, property), { seed, numRuns: fullOrShort(runs, Math.ceil(runs / 20)) });

    const target = fc.nat(1);
    const name = fc.stringMatching(/^[a-z0-9]{1,12}$/).map((end) => `faults/${end}`);
    const printable = fc.stringMatching(/^[\x21-\x7e]{1,200}$/);
    const paths = fc.oneof(
        fc.constantFrom("/v2/", "/v2/_catalog"),
        name.map((name) => `/v2/${name}/tags/list`),
        name.map((name) => `/v2/${name}/manifests/1`),
        name.map((name) => `/v2/${name}/blobs/uploads/`),
    );
    const methods = fc.constantFrom("GET", "PUT", "POST", "PATCH", "DELETE", "OPTIONS");

    it("with a wrong or truncated Authorization header are rejected", () =>
        check(
            2000,
            fc.record({
                target,
                method: methods,
                path: paths,
                header: fc.oneof(
                    fc.nat(1000).map((length) => authorization.slice(0, length % authorization.length)),
                    fc
                        .nat(1000)
                        .map((at) => authorization.slice(0, 6 + (at % 20)) + "%" + authorization.slice(7 + (at % 20))),
                    fc
                        .tuple(printable, printable)
                        .map(([user, password]) => `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`),
                    printable.map((password) => `Basic ${Buffer.from(`${me.user}:${password}`).toString("base64")}`),
                    printable,
                    printable.map((token) => `Bearer ${token}`),
                ),
            }),
            async ({ target, method, path, header }) =>
                assertRefused(await ask(target, { method, path, headers: { Authorization: header } })),
        ));

    it("with huge headers are rejected", () =>
        check(
            100,
            fc.record({
                target,
                kilobytes: fc.integer({ min: 1100, max: 4096 }),
                count: fc.integer({ min: 1, max: 64 }),
            }),
            async ({ target, kilobytes, count }) => {
                const value = "x".repeat(Math.ceil((kilobytes * 1024) / count));
                const headers = Object.fromEntries(
                    Array.from({ length: count }, (_, number) => [`X-Huge-${number}`, value]),
                );
                assertRefused(await ask(target, { method: "GET", path: "/v2/", headers }));
            },
        ));

    const [manifest, index] = [
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.oci.image.index.v1+json",
    ] as const;
    const otherTypes = fc.constantFrom(
        "application/vnd.docker.distribution.manifest.v1+prettyjws",
        "application/json",
        "text/plain",
        "nonsense",
    );
    const descriptor = fc.record({
        mediaType: fc.string(),
        size: fc.maxSafeInteger(),
        digest: fc.stringMatching(/^sha256:[0-9a-f]{64}$/),
    });
    const descriptors = fc.array(descriptor, { minLength: 1, maxLength: 5 });
    const wellFormed = fc.oneof(
        fc.record({
            mediaType: fc.constant(manifest),
            schemaVersion: fc.constant(2),
            config: descriptor,
            layers: descriptors,
        }),
        fc.record({ mediaType: fc.constant(index), schemaVersion: fc.constant(2), manifests: descriptors }),
    );
    it("with an invalid manifest, or one whose blobs do not exist, are rejected", () =>
        check(
            1000,
            fc.record({
                target,
                name,
                content: fc.oneof(
                    wellFormed.map((content) => ({ type: content.mediaType, body: JSON.stringify(content) })),
                    fc.tuple(wellFormed, fc.nat()).map(([content, cut]) => ({
                        type: content.mediaType,
                        body: JSON.stringify(content).slice(0, -1 - (cut % 100)),
                    })),
                    fc.record({ type: otherTypes, body: fc.oneof(fc.json(), fc.string()) }),
                ),
            }),
            async ({ target, name, content: { type, body } }) =>
                assertRefused(
                    await ask(target, {
                        method: "PUT",
                        path: `/v2/${name}/manifests/1`,
                        headers: { "Content-Type": type },
                        body,
                    }),
                ),
        ));

    // Sent to the pod: the ingress controller answers differently, see below.
    it("with a huge manifest are rejected", () =>
        check(
            40,
            fc.record({
                name,
                type: otherTypes,
                megabytes: fc.integer({ min: 5, max: 64 }),
            }),
            async ({ name, type, megabytes }) =>
                assertRefused(
                    await ask(1, {
                        method: "PUT",
                        path: `/v2/${name}/manifests/1`,
                        headers: { "Content-Type": type },
                        body: Buffer.alloc(megabytes << 20, "x"),
                    }),
                ),
        ));

    it("with a path traversal in the name are rejected, or redirected to the name without it", () =>
        check(
            2000,
            fc.record({
                target,
                method: fc.constantFrom("GET", "PUT", "DELETE", "PATCH"),
                end: fc.constantFrom("manifests/1", `blobs/sha256:${"0".repeat(64)}`),
                parts: fc
                    .array(
                        fc.constantFrom(
                            "..",
                            ".",
                            "%2e%2e",
                            "..%2f",
                            "%2e%2e%2f",
                            "%00",
                            "%c0%ae%c0%ae",
                            "..%5c",
                            "a",
                            "_uploads",
                            "",
                            "docker",
                            "etc%2fpasswd",
                            "A",
                            "~",
                            "a..b",
                        ),
                        { minLength: 1, maxLength: 8 },
                    )
                    .filter((parts) => parts.some((part) => part !== "a" && part !== "docker")),
            }),
            async ({ target, method, end, parts }) => {
                const answer = await ask(target, { method, path: `/v2/${parts.join("/")}/${end}` });
                if ([301, 307, 308].includes(answer.status)) {
                    const { pathname } = new URL(answer.location!, "https://x");
                    assert.ok(!pathname.split("/").includes(".."), pathname);
                    assertRefused(await ask(target, { method, path: pathname }));
                } else {
                    assertRefused(answer);
                }
            },
        ));

    /** Begins an upload. Returns its location. */
    async function begin(target: number, name: string): Promise<string> {
        const { status, location } = await ask(target, { method: "POST", path: `/v2/${name}/blobs/uploads/` });
        assert.equal(status, 202);
        const { pathname, search } = new URL(location!);
        return pathname + search;
    }
    const octets = { "Content-Type": "application/octet-stream" };
    const body = fc.uint8Array({ minLength: 1, maxLength: 4096 }).map((bytes) => Buffer.from(bytes));

    it("with a wrong or malformed digest are rejected", () =>
        check(
            300,
            fc.record({
                target,
                name,
                body,
                digest: fc.oneof(
                    fc.stringMatching(/^sha256:[0-9a-f]{64}$/),
                    fc.stringMatching(/^sha512:[0-9a-f]{128}$/),
                    fc.stringMatching(/^sha256:[0-9a-f]{0,63}$/),
                    fc.stringMatching(/^md5:[0-9a-f]{32}$/),
                    printable.map(encodeURIComponent),
                    fc.constant(""),
                ),
            }),
            async ({ target, name, body, digest }) => {
                const upload = await begin(target, name);
                assertRefused(
                    await ask(target, { method: "PUT", path: `${upload}&digest=${digest}`, headers: octets, body }),
                );
            },
        ));

    it("with ranges out of order are rejected", () =>
        check(
            300,
            fc.record({
                target,
                name,
                body,
                start: fc.integer({ min: 1, max: 1 << 30 }),
                length: fc.option(fc.nat(1 << 20)),
            }),
            async ({ target, name, body, start, length }) => {
                const upload = await begin(target, name);
                const range = `${start}-${start + (length ?? body.length - 1)}`;
                assertRefused(
                    await ask(target, {
                        method: "PATCH",
                        path: upload,
                        headers: { ...octets, "Content-Range": range },
                        body,
                    }),
                );
            },
        ));

    it("that end in the middle of a chunk leave an upload that can be cancelled", () =>
        check(
            200,
            fc.record({
                target,
                name,
                body: fc.uint8Array({ minLength: 2, maxLength: 65536 }).map((bytes) => Buffer.from(bytes)),
                part: fc.double({ min: 0, max: 0.99, noNaN: true }),
                isGivenUp: fc.boolean(),
            }),
            async ({ target, name, body, part, isGivenUp }) => {
                const upload = await begin(target, name);
                await ask(target, {
                    method: "PATCH",
                    path: upload,
                    headers: octets,
                    body,
                    abandonAt: Math.floor(body.length * part),
                });
                if (isGivenUp) {
                    assert.equal((await ask(target, { method: "DELETE", path: upload })).status, 204);
                }
            },
        ));

    it("leave only uploads in the bucket, which are purged when they are old", async () => {
        const after = (await keysOf(bucket)).filter((key) => !key.includes("/roundtrip/"));
        const left = after.filter((key) => !atStart.keys.includes(key));
        console.log(`      ${sent} requests left ${left.length} objects of uploads`);
        assert.deepEqual(
            left.filter((key) => !isUpload(key)),
            [],
        );
        assert.deepEqual(
            atStart.keys.filter((key) => !isUpload(key) && !after.includes(key)),
            [],
        );
    });

    it("neither stop the registry nor increase its memory permanently", async () => {
        assert.equal(await restarts(), atStart.restarts);
        assert.equal(await registryProcess(), atStart.process);
        await roundTrip("after");
        const { peak } = memory(atStart.process);
        // As much as the largest request: the heap of a new process grows with its first requests, and stays.
        const most = atStart.memory + 64;
        const now = await eventually(
            () => {
                const { now } = memory(atStart.process);
                return Promise.resolve(now <= most && now);
            },
            { seconds: fullOrShort(300, 60) },
        ).catch(() => memory(atStart.process).now);
        console.log(`      ${atStart.memory} MiB before, ${peak} at the most, ${now} after`);
        assert.ok(now <= most, `${now} MiB`);
    });
});

// Known bugs of distribution and Traefik. These tests fail when a newer version fixes them.
describe("A client error that is answered with a server error:", () => {
    let target: Target, headers: Record<string, string>;
    before(async () => {
        const { host, user, password } = await client();
        target = { host, port: 443, isSecure: true };
        headers = {
            Authorization: `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`,
            "Content-Type": "application/octet-stream",
        };
    });
    const put = async (content: object | Buffer) =>
        (
            await send(target, {
                method: "PUT",
                path: "/v2/faults/mistake/manifests/1",
                headers: { ...headers, "Content-Type": "application/vnd.oci.image.manifest.v1+json" },
                body: Buffer.isBuffer(content) ? content : JSON.stringify(content),
            })
        ).status;

    it("500 of distribution 3.1.2 for a malformed Content-Range", async () => {
        const { location } = await send(target, { method: "POST", path: "/v2/faults/mistake/blobs/uploads/", headers });
        const { pathname, search } = new URL(location!);
        const { status } = await send(target, {
            method: "PATCH",
            path: pathname + search,
            headers: { ...headers, "Content-Range": "bytes 0-1/2" },
            body: "ab",
        });
        assert.equal(status, 500);
    });

    it("500 of distribution 3.1.2 for a manifest with another schema version than 2", async () => {
        assert.equal(await put({ schemaVersion: 3 }), 500);
    });

    it("500 of distribution 3.1.2 for a manifest with a digest that is too short", async () => {
        const blob = { mediaType: "application/octet-stream", size: 1, digest: "sha256:0" };
        assert.equal(
            await put({
                schemaVersion: 2,
                mediaType: "application/vnd.oci.image.manifest.v1+json",
                config: blob,
                layers: [blob],
            }),
            500,
        );
    });

    it("502 of Traefik for a manifest over 4 MiB, if the registry closes the connection early, else 400", async () => {
        assert.ok([400, 502].includes(await put(Buffer.alloc(64 << 20, "x"))));
    });
});
