import * as assert from "node:assert/strict";

import { CachedBucket } from "../../components/collector/cachedBucket";
import { root } from "../../components/collector/layout";
import { digestOf, FakeBucket, revisionLink } from "./support/fakeBucket";
import { FakeClock } from "./support/fakeClock";

describe("CachedBucket", () => {
    const tag = "repositories/web/_manifests/tags/1/current/link";
    let bucket: FakeBucket;
    let cached: CachedBucket;
    let digest: string;
    beforeEach(async () => {
        bucket = new FakeBucket();
        cached = new CachedBucket(bucket, new FakeClock());
        ({ digest } = bucket.image("web", "1", "layer"));
        await cached.list(root);
    });
    const read = async (key: string) => (await cached.get(key))?.toString();

    it("reads a manifest once, as long as it exists", async () => {
        const content = await read(bucket.key(digest));
        bucket.objects.set(bucket.key(digest), "changed");
        await cached.list(root);
        assert.equal(await read(bucket.key(digest)), content);
        bucket.objects.delete(bucket.key(digest));
        await cached.list(root);
        assert.equal(await read(bucket.key(digest)), undefined);
    });

    it("reads the link of a tag again if the tag was moved", async () => {
        assert.equal(await read(root + tag), digest);
        bucket.tag("web", "1", digestOf("other"));
        assert.equal(await read(root + tag), digest);
        await cached.list(root);
        assert.equal(await read(root + tag), digestOf("other"));
    });

    it("reads the link of a tag again if the tag was moved and moved back, and was read in between", async () => {
        bucket.tag("web", "1", digestOf("other"));
        assert.equal(await read(root + tag), digestOf("other"));
        bucket.tag("web", "1", digest);
        bucket.written.set(tag, new Date("2026-11-25T18:15:31Z"));
        await cached.list(root);
        assert.equal(await read(root + tag), digest);
    });

    it("reads every other link each time", async () => {
        const link = `${root}${revisionLink("web", digest)}`;
        assert.equal(await read(link), digest);
        bucket.objects.set(link, "changed");
        assert.equal(await read(link), "changed");
    });
});
