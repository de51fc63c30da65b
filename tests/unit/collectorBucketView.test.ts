import * as assert from "node:assert/strict";

import { serveView, type ViewServer } from "../../components/collector/bucketView";
import { S3Client } from "../../components/collector/s3Client";
import { FakeClock } from "./support/fakeClock";

describe("serveView", () => {
    const keys = Array.from({ length: 2500 }, (_, index) => `root/${String(index).padStart(4, "0")}`);
    // Beside the prefix, in the order of a list.
    const listed = new Map(["root/x/y", "roots/1", "before/1", ...keys].map((key) => [key, key.length]));
    const get = (key: string) =>
        Promise.resolve(key.startsWith("root/") ? Buffer.from(`content of ${key}`) : undefined);
    let server: ViewServer;
    before(async () => (server = await serveView({ listed, get })));
    after(() => server.close());

    const url = () => `http://${server.endpoint}/bucket`;
    const client = () => {
        const login = { accesskey: "any", secretkey: "any", region: "us-east-1" };
        const parameters = { ...login, bucket: "bucket", regionendpoint: server.endpoint, secure: false };
        return new S3Client(parameters, new FakeClock(), new AbortController().signal);
    };

    it("lists all pages of a prefix, with the length of each object", async () => {
        const objects = await client().list("root/");
        assert.deepEqual([...objects.keys()], [...keys.map((key) => key.slice("root/".length)), "x/y"]);
        assert.equal(objects.get("x/y")!.bytes, "root/x/y".length);
        assert.equal((await client().list("none/")).size, 0);
    });

    it("lists as many objects as distribution wants, from where it wants", async () => {
        const query = "?list-type=2&prefix=root/&max-keys=2&start-after=root/0041";
        const xml = await (await fetch(url() + query)).text();
        assert.deepEqual(
            [...xml.matchAll(/<Key>(.*?)<\/Key>/g)].map(([, key]) => key),
            ["root/0042", "root/0043"],
        );
        assert.match(xml, /<IsTruncated>true</);
    });

    it("responds with an object's content and length, listed or not", async () => {
        assert.equal((await client().get("root/not listed"))?.toString(), "content of root/not listed");
        assert.equal(await client().size("root/0001"), "content of root/0001".length);
        assert.equal(await client().get("other/1"), undefined);
        assert.equal(await client().size("other/1"), undefined);
    });

    it("accepts nothing but reading", async () => {
        for (const method of ["PUT", "POST", "DELETE"]) {
            assert.equal((await fetch(`${url()}/root/0001`, { method })).status, 405);
        }
    });
});
