import * as assert from "node:assert/strict";

import { PermanentError } from "../../components/collector/errors";
import { readInventory } from "../../components/collector/inventory";
import { assertIntact, formatBytes, remarks, tagTable, totals } from "../../components/collector/report";
import { FakeBucket, keyOf } from "./support/fakeBucket";
import { FakeClock } from "./support/fakeClock";

describe("The report", () => {
    it("formats bytes with the most readable suffix", () => {
        assert.deepEqual([0, 1, 1023, 1024, 1536, 150 * 1024, 5 * 1024 ** 3].map(formatBytes), [
            "0 B",
            "1 B",
            "1023 B",
            "1.0 KiB",
            "1.5 KiB",
            "150 KiB",
            "5.0 GiB",
        ]);
    });

    it("shows a table of tags in the order of their numbers, and totals", async () => {
        const registry = new FakeBucket();
        registry.image("web", "10", "ten");
        registry.image("web", "9", "nine");
        registry.blob("garbage");
        const inventory = await readInventory(registry, new FakeClock(), { deleteUntagged: false });
        assert.deepEqual(
            tagTable(inventory).map((line) => line.replace(/ +/g, " ").replace(/\d+ B (?=0 B$)/, "N B ")),
            [
                "REPOSITORY TAG PUSHED MANIFESTS BLOBS SIZE SHARED",
                "web 9 2026-11-25T18:15Z 1 2 N B 0 B",
                "web 10 2026-11-25T18:15Z 1 2 N B 0 B",
            ],
        );
        assert.match(
            totals(inventory),
            /^2 tags in 1 repository, 7 blobs, \d(\.\d)? KiB in all; no manifest needs 1 blob of 7 B$/,
        );
    });

    it("shows a table of 150,000 tags", async () => {
        const registry = new FakeBucket();
        registry.image("web", "1", "layer");
        const inventory = await readInventory(registry, new FakeClock(), { deleteUntagged: false });
        const [tag] = inventory.tags;
        const table = tagTable({ ...inventory, tags: Array.from({ length: 150_000 }, () => tag!) });
        assert.equal(table.length, 150_001);
    });

    it("tells what manifests without a tag hold, unless they are deleted", async () => {
        const registry = new FakeBucket();
        const [base, old] = [registry.blob("base"), registry.blob("old layer")];
        const { digest, size } = registry.manifest("web", { layers: [base, old] });
        registry.tag("web", "1", registry.manifest("web", { layers: [base] }).digest);
        const read = (deleteUntagged: boolean) => readInventory(registry, new FakeClock(), { deleteUntagged });
        assert.deepEqual(remarks(await read(false)), [
            `1 manifest without a tag holds ${old.size + size} B, which a collection with deleteUntagged reclaims.`,
        ]);
        assert.deepEqual(remarks(await read(true)), []);
        registry.tag("web", "old", digest);
        assert.deepEqual(remarks(await read(false)), []);
    });

    it("names every problem, and what to do, if an image is broken", async () => {
        const clock = new FakeClock();
        const bucket = new FakeBucket();
        const { layer } = bucket.image("web", "1", "layer");
        bucket.remove(keyOf(layer));
        const inventory = await clock.run(readInventory(bucket, clock, { deleteUntagged: false }));
        assert.throws(
            () => assertIntact(inventory, "An image is broken."),
            new PermanentError(
                "An image is broken. 1 problem:\n" +
                    `  - web:1: the layer ${layer} is missing\n` +
                    "The bucket lost something, and may have lost more, so no collection deletes anything. " +
                    "Push these images again, or delete their tags, with: " +
                    "curl --user NAME --request DELETE https://HOST/v2/REPOSITORY/manifests/TAG\n" +
                    "Then run: scripts/collect --check",
            ),
        );
    });
});
