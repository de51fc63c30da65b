import * as assert from "node:assert/strict";
import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as http from "node:http";
import type { AddressInfo } from "node:net";
import * as os from "node:os";
import * as path from "node:path";
import { text } from "node:stream/consumers";

import { FakeBucket, keyOf, revisionLink } from "./support/fakeBucket";

describe("The collector's commands", function () {
    this.timeout("2m");

    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "collector-"));
    let bucket: FakeBucket;
    const time = (key: string) =>
        (bucket.written.get(key.slice("docker/registry/v2/".length)) ?? new Date("2026-11-25T20:15:30Z")).toISOString();
    const list = () =>
        `<ListBucketResult><IsTruncated>false</IsTruncated>${[...bucket.objects]
            .map(([key, { length }]) => {
                const fields = `<Key>${key}</Key><LastModified>${time(key)}</LastModified><ETag>1</ETag><Size>${length}</Size>`;
                return `<Contents>${fields}</Contents>`;
            })
            .join("")}</ListBucketResult>`;
    const server = http.createServer(({ url = "" }, response) => {
        const content = url.includes("?list-type") ? list() : bucket.objects.get(decodeURIComponent(url).slice(3));
        response.writeHead(content === undefined ? 404 : 200).end(content);
    });
    before((done) => void server.listen(0, "127.0.0.1", done));
    beforeEach(() => (bucket = new FakeBucket()));
    after(() => {
        server.close();
        fs.rmSync(folder, { recursive: true });
    });

    /** Runs it in a pipe whose reader does something else first. */
    const check = (reader = "sleep 1; cat") => execute("check", reader);
    async function execute(
        arguments_: string,
        reader = "cat",
    ): Promise<{ status: string; output: string; errors: string }> {
        const parameters = { accesskey: "key", secretkey: "secret", region: "us-east-1", bucket: "b", secure: false };
        const regionendpoint = `127.0.0.1:${(server.address() as AddressInfo).port}`;
        const config = path.join(folder, "config.json");
        fs.writeFileSync(config, JSON.stringify({ storage: { s3: { ...parameters, regionendpoint } } }));
        const command = `node --require ts-node/register components/collector/cli.ts ${arguments_} --config ${config}`;
        const { stdout, stderr } = spawn("sh", ["-c", `{ ${command}; echo $? >&2; } | { ${reader}; }`], {
            env: { ...process.env, TS_NODE_TRANSPILE_ONLY: "true" },
        });
        const [output, errors] = await Promise.all([text(stdout), text(stderr)]);
        const [, message = "", status = ""] = /^([^]*?)(\d+)\n$/.exec(errors) ?? [];
        return { status, output, errors: message };
    }

    it("prints every tag and the result, however slow the reader is", async () => {
        for (let number = 1; number <= 1500; number++) {
            bucket.image("web", String(number), `layer ${number}`);
        }
        const { status, output, errors } = await check();
        assert.deepEqual([status, errors], ["0", ""]);
        const lines = output.trimEnd().split("\n");
        assert.equal(lines.length, 1 + 1500 + 3);
        assert.match(lines[1500]!, /^web +1500 /);
        assert.equal(lines.at(-1), "Every image is whole.");
    });

    it("ends with its status if nobody reads the output", async () => {
        bucket.image("web", "1", "layer");
        assert.deepEqual(await check("exec <&-"), { status: "0", output: "", errors: "" });
    });

    it("collect nothing without the flags that make a collection careful", async () => {
        const flags = "--registry r --lock l --annotation a --label a=1 --collector-label b=2 --drain-seconds 1";
        const { status, errors } = await execute(`collect ${flags} --max-read-only-minutes 1`);
        assert.deepEqual([status, errors], ["65", "A collection needs --min-age-minutes.\n"]);
    });

    it("does not call every image whole if an index lacks a manifest", async () => {
        const { digest } = bucket.image("web", "1", "layer");
        bucket.tag("web", "all", bucket.manifest("web", { manifests: [{ digest: "sha256:0" }, { digest }] }).digest);
        const { status, output } = await check();
        assert.equal(status, "0");
        assert.match(output, /^web:all: the manifest sha256:0 of an index is not in this repository: .*\.$/m);
        assert.match(output, /\nEvery image is whole, apart from what is named above\.\n$/);
    });

    it("fails if an image is broken", async () => {
        const { layer } = bucket.image("broken", "1", "lost layer");
        bucket.remove(keyOf(layer));
        const { status, output, errors } = await check();
        assert.equal(status, "65");
        assert.doesNotMatch(output, /whole/);
        assert.match(errors, /^An image is broken\. 1 problem:\n {2}- broken:1: the layer sha256:\w+ is missing/);
    });

    it("fails if a tag cannot be pulled, as after an interrupted deletion", async () => {
        const { digest } = bucket.image("web", "1", "layer");
        bucket.remove(revisionLink("web", digest));
        const { status, output, errors } = await check();
        assert.deepEqual([status, errors], ["65", "1 tag cannot be pulled:\n  - web:1\n"]);
        assert.match(output, /^web:1: its manifest sha256:\w+ is not in this repository\. /m);
        assert.doesNotMatch(output, /whole/);
    });

    it("shows which tags would go, which of these Pods run, and how much disk space comes back", async () => {
        bucket.image("web", "1", "layer");
        const { digest } = bucket.image("web", "2", "another layer");
        bucket.image("web", "3", "a third layer");
        bucket.written.set("repositories/web/_manifests/tags/3/current/link", new Date("2026-11-26T00:00:00Z"));
        bucket.blob("garbage");
        const before = bucket.objects.size;
        const policy = { repositories: ["**"], tags: ["*"], keepPatterns: [], mostRecentlyPushedCount: 1 };
        const running = ["web:3", `web@${digest}`, "other:1"].map((image) => `--running ${image}`).join(" ");
        const flags = `--min-age-minutes 60 --retention '${JSON.stringify([policy])}' ${running}`;
        const { status, output, errors } = await execute(`dry-run ${flags}`);
        assert.deepEqual([status, errors], ["0", ""]);
        const [, ...lines] = output.replace(/ +/g, " ").replace(/\d+ B/g, "N B").trimEnd().split("\n");
        assert.deepEqual(lines, [
            "retention[0]: Of all tags in each repository, a garbage collection keeps the 1 newest, and removes the others.",
            "REPOSITORY TAG PUSHED SIZE POLICY",
            "web 1 2026-11-25T20:15Z N B [0]",
            "web 2 2026-11-25T20:15Z N B [0]",
            "The policies select 2 tags. Nothing else needs N B of what they refer to.",
            "A Pod of this cluster runs web:2, which would be removed.",
            "A collection that removes these tags would free N B. Nothing was deleted.",
        ]);
        assert.equal(bucket.objects.size, before);
    });

    it("shows what --apply-retention removes of a bucket that was copied, by the time of the copy", async () => {
        for (let number = 0; number < 10; number++) {
            bucket.image("web", String(number), `layer ${number}`);
            const link = `repositories/web/_manifests/tags/${number}/current/link`;
            bucket.written.set(link, new Date(Date.parse("2026-11-25T20:00:00Z") + number));
        }
        const policy = { repositories: ["**"], tags: ["*"], keepPatterns: [], mostRecentlyPushedCount: 1 };
        const retention = `--retention '${JSON.stringify([policy])}'`;
        const { output } = await execute(`dry-run ${retention}`);
        assert.match(output, /^Most tags were written within the same hour, .*: they count as equally old\.$/m);
        assert.match(output, /^The policies select 0 tags\. /m);
        const { output: applied } = await execute(`dry-run --apply-retention ${retention}`);
        assert.doesNotMatch(applied, /equally old/);
        assert.match(applied, /^The policies select 9 tags\. /m);
    });
});
