import { RefusedDeletionError, UnsettledDeletionError } from "./errors.ts";
import type { Inventory } from "./inventory.ts";
import { blobKey, type Links, noLinks } from "./layout.ts";
import { mapConcurrently } from "./mapConcurrently.ts";
import type { BucketClient, Clock } from "./ports.ts";
import { leftKeys, tagKeys } from "./removals.ts";
import { retry } from "./retry.ts";

/** How often a deletion is tried, and the milliseconds in between. */
const attempts = 20;
const retryDelay = 1000;

/**
 * The keys to delete for each blob: manifest links first, so that no manifest link dangles, then the blob, then other
 * links, which may dangle.
 */
export function keysOf(garbage: string[], links: Map<string, Links>): string[][] {
    return garbage.map((digest) => {
        const { manifests, others } = links.get(digest) ?? noLinks;
        return [...manifests, blobKey(digest), ...others];
    });
}

/**
 * The keys to delete in steps, one after the other: tags; manifests, those of the tags themselves last; layers. So no
 * manifest is ever left without a layer: after an interruption, a client could push an index for it. What is left of a
 * tag goes after its manifest, so that the next collection finds what the tag needed.
 *
 * @param garbage the blobs that may be deleted now
 */
export function stepsOf(garbage: string[], { removals, lostLinks, emptyLinks, links }: Inventory): string[][][] {
    const own = new Set([...removals.tags, ...removals.interrupted].map(({ digest }) => digest));
    const deleted = new Set(garbage);
    const stays = (digest: string) => links.has(digest) && !deleted.has(digest);
    const isManifest = (digest: string) => own.has(digest) || (links.get(digest) ?? noLinks).manifests.length > 0;
    const keysIf = (condition: (digest: string) => boolean) => keysOf(garbage.filter(condition), links);
    const alone = (keys: string[]) => keys.map((key) => [key]);
    return [
        tagKeys(removals),
        [...alone(lostLinks), ...keysIf((digest) => isManifest(digest) && !own.has(digest))],
        keysIf((digest) => own.has(digest)),
        alone(leftKeys(removals, stays)),
        [...alone(emptyLinks), ...keysIf((digest) => !isManifest(digest))],
    ].filter((groups) => groups.length > 0);
}

/**
 * Deletes objects. Those of a group are deleted in their order.
 *
 * @param assertMayDelete is called before each request, and throws if nothing more may be deleted
 * @throws UnsettledDeletionError if the result of a deletion is unknown to the last
 */
export async function sweep(
    bucket: BucketClient,
    clock: Clock,
    groups: string[][],
    assertMayDelete: () => void,
): Promise<void> {
    const unsettled = new Set<string>();
    const remove = async (key: string) => {
        let isSent = false;
        let wasUnsettled = false;
        const attempt = () => {
            isSent = false;
            return bucket.delete(key, () => {
                assertMayDelete();
                isSent = true;
                wasUnsettled = unsettled.has(key);
                unsettled.add(key);
            });
        };
        const assertRetryable = (error: unknown) => {
            const isRefused = error instanceof RefusedDeletionError;
            if (isRefused && !wasUnsettled) {
                unsettled.delete(key);
            }
            // A request that was refused or not sent failed for a reason that stays.
            if (isRefused || !isSent) {
                throw error;
            }
        };
        await retry(clock, { attempts, delay: () => retryDelay, assertRetryable }, attempt);
        unsettled.delete(key);
    };
    try {
        await mapConcurrently(groups, async (keys) => {
            for (const key of keys) {
                await remove(key);
            }
        });
    } catch (error) {
        throw unsettled.size > 0
            ? new UnsettledDeletionError(`The result of a deletion is unknown. ${String(error)}`, { cause: error })
            : error;
    }
}
