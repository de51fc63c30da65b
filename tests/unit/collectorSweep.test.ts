import * as assert from "node:assert/strict";

import { RefusedDeletionError, UnsettledDeletionError } from "../../components/collector/errors";
import { readInventory } from "../../components/collector/inventory";
import { keysOf, sweep } from "../../components/collector/sweep";
import { FakeBucket, type FakeImage, keyOf, layerLink, revisionLink } from "./support/fakeBucket";
import { FakeClock } from "./support/fakeClock";

describe("sweep", () => {
    let registry: FakeBucket;
    let clock: FakeClock;
    let image: FakeImage;
    beforeEach(() => {
        registry = new FakeBucket();
        clock = new FakeClock();
        image = registry.image("web", "1", "old");
        registry.image("web", "1", "new");
        registry.manifest("copy", { config: { digest: image.config }, layers: [{ digest: image.layer }] });
    });
    const garbage = () => [image.digest, image.layer, image.config];
    const rest = () =>
        [...registry.objects.keys()].filter((key) => garbage().some((digest) => key.includes(digest.slice(7))));

    it("deletes blobs with their links: those of manifests first, so that none dangles", async () => {
        const deleted: string[] = [];
        const { delete: original } = registry;
        registry.delete = (key, assertMayDelete) => {
            deleted.push(key.replace("docker/registry/v2/", ""));
            return original(key, assertMayDelete);
        };
        const { links } = await readInventory(registry, clock, { deleteUntagged: true });
        await sweep(registry, clock, keysOf(garbage(), links), () => undefined);
        assert.deepEqual(rest(), []);
        const revision = revisionLink("web", image.digest);
        assert.ok(deleted.indexOf(revision) < deleted.indexOf(keyOf(image.digest)));
        assert.ok(deleted.indexOf(keyOf(image.layer)) < deleted.indexOf(layerLink("copy", image.layer)));
        const { problems, notes, tags } = await readInventory(registry, clock, { deleteUntagged: true });
        assert.deepEqual([problems, notes.length, tags.length], [[], 2, 1]);
    });

    it("deletes nothing more once it must not", async () => {
        const { links } = await readInventory(registry, clock, { deleteUntagged: true });
        const before = registry.objects.size;
        let left = 3;
        const ended = sweep(registry, clock, keysOf(garbage(), links), () => {
            if (left-- <= 0) {
                throw new Error("The lease was not renewed in time.");
            }
        });
        await assert.rejects(
            ended,
            (error: Error) =>
                !(error instanceof UnsettledDeletionError) && error.message === "The lease was not renewed in time.",
        );
        assert.equal(registry.objects.size, before - 3);
    });

    it("tries no deletion again that is refused, and knows that it is not carried out", async () => {
        const refusal = new RefusedDeletionError("The bucket responds 403 AccessDenied.");
        let requests = 0;
        registry.delete = (_, assertMayDelete) => {
            assertMayDelete();
            requests++;
            return Promise.reject(refusal);
        };
        await assert.rejects(
            sweep(registry, clock, [[image.digest], [image.layer]], () => undefined),
            refusal,
        );
        assert.equal(requests, 2);
        const before = [new Error("The bucket does not respond."), refusal];
        registry.delete = (_, assertMayDelete) => {
            assertMayDelete();
            return Promise.reject(before.shift()!);
        };
        await assert.rejects(
            clock.run(sweep(registry, clock, [[image.digest]], () => undefined)),
            UnsettledDeletionError,
        );
    });

    describe("if a deletion is not answered", () => {
        let many: string[];
        let failures: number;
        beforeEach(() => {
            many = Array.from({ length: 100 }, (_, i) => registry.blob(`garbage ${i}`).digest);
            const { delete: original } = registry;
            registry.delete = async (key, assertMayDelete) => {
                await clock.sleep(10);
                if (key.endsWith(keyOf(many[20]!)) && failures-- > 0) {
                    assertMayDelete();
                    throw new Error("The bucket responds 503.");
                }
                return original(key, assertMayDelete);
            };
        });
        const sweepMany = (digests: string[], assertMayDelete = () => {}) =>
            clock.run(sweep(registry, clock, keysOf(digests, new Map()), assertMayDelete));

        it("deletes everything if a later attempt is", async () => {
            failures = 19;
            await sweepMany(many);
            assert.ok(many.every((digest) => !registry.has(digest)));
        });

        it("throws UnsettledDeletionError if no attempt is, after 20", async () => {
            failures = 20;
            const began = clock.now();
            await assert.rejects(sweepMany(many.slice(20, 21)), UnsettledDeletionError);
            assert.equal(failures, 0);
            assert.equal(clock.now() - began, 20 * 10 + 19 * 1000);
        });

        it("throws UnsettledDeletionError if nothing more may be deleted meanwhile", async () => {
            failures = Infinity;
            let may = true;
            clock.after(1.5, () => (may = false));
            await assert.rejects(
                sweepMany(many, () => assert.ok(may, "Interrupted.")),
                UnsettledDeletionError,
            );
        });
    });
});
