import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { OtherRegistry } from "../support/otherRegistry";
import { eventually, run } from "../support/run";
import { kubectl, previewed, quotaOf } from "../support/sandbox";
import { Client, makeImage, pull, tryPush } from "../support/traffic";
import { assertInTroubleshooting } from "../support/troubleshooting";

describe("bucketQuota", () => {
    const registry = new OtherRegistry("quota");
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "quota-"));
    let me: Client;
    let pushed = 0;

    /** Pushes a new image of 12 MiB. */
    async function push() {
        const image = path.join(folder, String(++pushed));
        makeImage(image);
        return tryPush(image, me, `quota:${pushed}`);
    }

    before(async () => {
        await registry.configure({ bucketQuota: "20Mi" });
        await registry.up();
        me = await registry.client();
    });
    after(async () => {
        await registry.remove();
        fs.rmSync(folder, { recursive: true });
    });

    it("makes MinIO reject pushes to a full bucket, with the reason in the log, while pulls work", async () => {
        assert.equal((await push()).code, 0);
        const printed = await eventually(
            async () => {
                await sleep(5000);
                const { code, stderr } = await push();
                return code !== 0 && /500 Internal Server Error/.test(stderr) && stderr;
            },
            { seconds: 600 },
        );
        assertInTroubleshooting("500 … Internal Server Error", printed);
        const log = await kubectl("logs", "deployment/registry", "--namespace", "quota");
        assertInTroubleshooting("XMinioAdminBucketQuotaExceeded", log);
        await pull("quota:1", me, path.join(folder, "pulled"));
    });

    it("accepts pushes again after an increase, and the preview shows only that", async () => {
        await registry.configure({ bucketQuota: "10Gi" });
        assert.deepEqual(await previewed(registry.pulumi), ["update minio:index/s3Bucket:S3Bucket::registry quota"]);
        await registry.up();
        assert.equal((await push()).code, 0);
    });

    it("no longer limits the bucket after its removal", async () => {
        await run("pulumi", ["config", "rm", "bucketQuota", "--stack", registry.name]);
        await registry.up();
        await registry.pulumi("preview", "--expect-no-changes");
        assert.equal(await quotaOf(registry.name), 0);
        assert.equal((await push()).code, 0);
    });
});
