import { RefusedDeletionError, UnsettledDeletionError } from "./errors.ts";
import type { Inventory } from "./inventory.ts";
import { blobKey, linkId, type Links, noLinks, revisionKey } from "./layout.ts";
import { mapConcurrently } from "./mapConcurrently.ts";
import type { BucketClient, Clock } from "./ports.ts";
import { leftoverKeys, tagKeys } from "./removals.ts";
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
 * The keys to delete in steps, one after the other:
 *
 * 1. tags, and the links of their own manifests: nobody sees an index that is about to lose its manifests;
 * 2. the other manifests, then those of the tags, and what is left of the tags: from these, the next collection knows
 *    what the tags needed;
 * 3. layers: no manifest is ever left without one, as a client could push an index for it.
 *
 * @param garbage the blobs that may be deleted now
 */
export function stepsOf(garbage: string[], { removals, unneededLinks, emptyLinks, links }: Inventory): string[][][] {
    const removed = [...removals.tags, ...removals.interrupted];
    const tagManifests = new Set(removed.map(({ digest }) => digest));
    const deleted = new Set(garbage);
    const stays = (digest: string) => links.has(digest) && !deleted.has(digest);
    const manifestLinks = (digest: string) => (links.get(digest) ?? noLinks).manifests;
    const isManifest = (digest: string) => tagManifests.has(digest) || manifestLinks(digest).length > 0;
    const deletedLinks = new Set([...unneededLinks, ...garbage.flatMap(manifestLinks)]);
    const linksOfTagManifests = removed.map(({ repository, digest }) => revisionKey(linkId(repository, digest)));
    const first = new Set(linksOfTagManifests.filter((link) => deletedLinks.has(link)));
    const withoutFirst = (keys: string[]) => keys.filter((key) => !first.has(key));
    const keysIf = (condition: (digest: string) => boolean) =>
        keysOf(garbage.filter(condition), links).map(withoutFirst);
    const oneByOne = (keys: string[]) => keys.map((key) => [key]);
    return [
        tagKeys(removals),
        oneByOne([...first]),
        [
            ...oneByOne(withoutFirst(unneededLinks)),
            ...keysIf((digest) => isManifest(digest) && !tagManifests.has(digest)),
        ],
        keysIf((digest) => tagManifests.has(digest)),
        oneByOne(leftoverKeys(removals, stays)),
        [...oneByOne(emptyLinks), ...keysIf((digest) => !isManifest(digest))],
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
