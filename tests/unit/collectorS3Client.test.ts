import * as assert from "node:assert/strict";
import * as http from "node:http";
import { AddressInfo } from "node:net";
import * as v8 from "node:v8";
import * as vm from "node:vm";

import { BucketError, InterruptedError, RefusedDeletionError } from "../../components/collector/errors";
import { S3Client } from "../../components/collector/s3Client";

describe("S3Client", () => {
    const requests: string[] = [];
    let answers: ((response: http.ServerResponse) => void)[];
    const server = http.createServer((request, response) => {
        requests.push(`${request.method} ${request.url}`);
        assert.match(request.headers.authorization ?? "", /^AWS4-HMAC-SHA256 Credential=key\//);
        (answers.shift() ?? respond(500))(response);
    });
    const respond =
        (status: number, body = "") =>
        (response: http.ServerResponse) =>
            response.writeHead(status).end(body);
    let address: string;
    let slept: number[];
    let stop: AbortController;
    let client: S3Client;
    before((done) => {
        server.listen(0, "127.0.0.1", () => {
            address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
            done();
        });
    });
    after(() => server.close());
    beforeEach(() => {
        requests.length = 0;
        slept = [];
        stop = new AbortController();
        // A clock that does not wait.
        const sleep = (milliseconds: number) => Promise.resolve(void slept.push(milliseconds));
        const parameters = { accesskey: "key", secretkey: "secret", region: "us-east-1", bucket: "images" };
        client = new S3Client(
            { ...parameters, regionendpoint: address, secure: false },
            { now: () => 0, sleep },
            stop.signal,
        );
    });
    const page = (keys: string[], token?: string) =>
        `<ListBucketResult>${token ? `<NextContinuationToken>${token}</NextContinuationToken>` : ""}` +
        `<IsTruncated>${token !== undefined}</IsTruncated>${keys
            .map((key) => {
                const date = "<LastModified>2026-11-25T20:15:30.000Z</LastModified>";
                return `<Contents><Key>${key}</Key>${date}<ETag>&quot;1&quot;</ETag><Size>5</Size></Contents>`;
            })
            .join("")}</ListBucketResult>`;
    const end = respond(200, page([]));

    it("notices that a bucket has versions by what it reads, and none if versioning was never on", async () => {
        const version = (id: string) => (response: http.ServerResponse) =>
            response.writeHead(200, { "x-amz-version-id": id }).end("content");
        answers = [respond(200, "content"), version("null"), version("a1b2")];
        const noticed: boolean[] = [];
        for (const key of ["a", "b", "c"]) {
            await client.get(key);
            noticed.push(client.hasVersions);
        }
        assert.deepEqual(noticed, [false, false, true]);
    });

    it("lists all pages, and asks once more what follows the last one", async () => {
        answers = [respond(200, page(["root/a", "root/b"], "next+1")), respond(200, page(["root/c"])), end];
        const object = { bytes: 5, written: new Date("2026-11-25T20:15:30Z"), etag: "&quot;1&quot;" };
        assert.deepEqual(
            await client.list("root/"),
            new Map([
                ["a", object],
                ["b", object],
                ["c", object],
            ]),
        );
        assert.deepEqual(requests, [
            "GET /images?list-type=2&prefix=root%2F",
            "GET /images?list-type=2&prefix=root%2F&continuation-token=next%2B1",
            "GET /images?list-type=2&prefix=root%2F&start-after=root%2Fc",
        ]);
    });

    it("goes on if the server stopped early, and said that the list was complete", async () => {
        answers = [respond(200, page(["root/a", "root/b"])), respond(200, page(["root/c"])), end];
        assert.deepEqual([...(await client.list("root/")).keys()], ["a", "b", "c"]);
    });

    it("ends at a server that ignores where to start", async () => {
        answers = [respond(200, page(["root/a"])), respond(200, page(["root/a"]))];
        assert.deepEqual([...(await client.list("root/")).keys()], ["a"]);
    });

    it("keeps no page of a list in memory", async () => {
        const megabyte = 1024 ** 2;
        // Node keeps longer strings than a megabyte outside the heap.
        answers = Array.from({ length: 40 }, (_, number) => {
            const next = number < 39 ? "next" : undefined;
            return respond(200, `<!--${"-".repeat(megabyte / 2)}-->${page([`root/key-of-page-${number}`], next)}`);
        });
        answers.push(end);
        v8.setFlagsFromString("--expose-gc");
        const collectGarbage = vm.runInNewContext("gc") as () => void;
        const usedMegabytes = () => {
            collectGarbage();
            return process.memoryUsage().heapUsed / megabyte;
        };
        const before = usedMegabytes();
        const objects = await client.list("root/");
        const kept = usedMegabytes() - before;
        assert.equal(objects.size, 40);
        assert.ok(kept < 10, `40 pages of half a MiB leave ${kept} MiB`);
    });

    it("reads again if the connection ends in the middle of a response", async () => {
        const cut = (response: http.ServerResponse) => {
            response.writeHead(200, { "content-length": 7 }).write("con", () => response.destroy());
        };
        answers = [cut, respond(200, "content"), cut, respond(200, page(["root/a"])), end];
        assert.equal((await client.get("key"))?.toString(), "content");
        assert.deepEqual([...(await client.list("root/")).keys()], ["a"]);
        answers = Array<typeof cut>(6).fill(cut);
        await assert.rejects(
            client.get("key"),
            new BucketError(
                `The connection to the bucket at http://${address}/images ended in the middle of a response.`,
            ),
        );
    });

    it("names the bucket if it does not exist", async () => {
        answers = [respond(404)];
        await assert.rejects(
            client.list("root/"),
            new BucketError(`The bucket http://${address}/images does not exist.`),
        );
    });

    it("goes on while there is a token, also if the server does not say that the list is truncated", async () => {
        const silent = (body: string) => respond(200, body.replace(/<IsTruncated>.*?<.IsTruncated>/, ""));
        answers = [silent(page(["root/a"], "next")), silent(page(["root/b"])), end];
        assert.deepEqual([...(await client.list("root/")).keys()], ["a", "b"]);
    });

    describe("fails, so that no missing link makes garbage of a blob, if a page of the list", () => {
        const noList = "The bucket responds with something else than a list of its objects.";
        const whole = page(["root/b"]);
        for (const [what, body, message] of [
            ["is a page for people", "<html>The server is busy.</html>", noList],
            ["is empty", "", noList],
            ["is cut", whole.slice(0, -5), noList],
            ["lacks a field", whole.replace(/<Size>.*?<.Size>/, ""), "The list of the bucket has no <Size>."],
            [
                "has no token for the next one",
                whole.replace("<IsTruncated>false", "<IsTruncated>true"),
                "The list of the bucket has no <NextContinuationToken>.",
            ],
        ] as const) {
            it(what, async () => {
                answers = [respond(200, page(["root/a"], "next")), respond(200, body)];
                await assert.rejects(client.list("root/"), new BucketError(message));
            });
        }
    });

    it("reads content and size, and undefined if the object does not exist", async () => {
        answers = [respond(200, "content"), respond(404), respond(200, ""), respond(404)];
        assert.equal(String(await client.get("a/b c")), "content");
        assert.equal(await client.get("a"), undefined);
        assert.equal(await client.size("a"), 0);
        assert.equal(await client.size("a"), undefined);
        assert.equal(requests[0], "GET /images/a/b%20c");
    });

    it("tries six times, with longer and longer pauses, and reports the code of the last error", async () => {
        answers = Array<(typeof answers)[0]>(6).fill(respond(503, "<Error><Code>SlowDown</Code></Error>"));
        await assert.rejects(
            client.get("a"),
            new BucketError(`The bucket responds 503 SlowDown to GET http://${address}/images/a.`),
        );
        assert.deepEqual(slept, [500, 1000, 2000, 4000, 8000]);
    });

    it("succeeds if a later attempt does", async () => {
        answers = [respond(503), (response) => response.destroy(), respond(200, "content")];
        assert.equal(String(await client.get("a")), "content");
    });

    it("throws the reason of a signal to stop, and tries no more", async () => {
        answers = [() => stop.abort(new InterruptedError("Interrupted by SIGTERM."))];
        await assert.rejects(client.get("a"), InterruptedError);
        assert.equal(requests.length, 1);
        server.closeAllConnections();
    });

    it("deletes at the first attempt or not at all", async () => {
        answers = [respond(204), respond(503)];
        await client.delete("a", () => undefined);
        await assert.rejects(
            client.delete("a", () => undefined),
            BucketError,
        );
        assert.deepEqual(requests, ["DELETE /images/a", "DELETE /images/a"]);
    });

    it("says that a deletion is refused, and what the key needs", async () => {
        answers = [respond(403, "<Error><Code>AccessDenied</Code></Error>")];
        await assert.rejects(
            client.delete("a", () => undefined),
            new RefusedDeletionError(
                `The bucket responds 403 AccessDenied to DELETE http://${address}/images/a. ` +
                    "The registry's access key must be allowed to delete objects.",
            ),
        );
    });

    it("sends no deletion that must not be sent", async () => {
        const refuse = () => {
            throw new Error("The lease was not renewed in time.");
        };
        await assert.rejects(client.delete("a", refuse), new Error("The lease was not renewed in time."));
        assert.deepEqual(requests, []);
    });

    it("finishes a deletion after a signal to stop", async () => {
        answers = [
            (response) => {
                stop.abort(new InterruptedError("Interrupted by SIGTERM."));
                response.writeHead(204).end();
            },
        ];
        await client.delete("a", () => undefined);
    });
});
