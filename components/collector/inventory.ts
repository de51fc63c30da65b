import { isDigest, type Links, parseLayout, root, tagKey, type TagLink } from "./layout.ts";
import { type Image, ManifestWalker } from "./manifestWalker.ts";
import { mapConcurrently } from "./mapConcurrently.ts";
import type { Bucket, Clock } from "./ports.ts";

/** A tag of a repository, with what it refers to: the manifests of an index, for example. */
export interface Tag extends TagLink {
    manifests: number;
    blobs: number;
    bytes: number;
    /** Of these, the bytes that other tags refer to as well. */
    sharedBytes: number;
}

/** What a registry's bucket holds. */
export interface Inventory {
    tags: Tag[];
    /** Why a tag cannot be pulled, a sentence for each reason. */
    problems: string[];
    /** The same for untagged manifests, which does not stop a collection. */
    notes: string[];
    /** The bytes of each blob, by its digest. */
    blobs: Map<string, number>;
    /** Blobs referenced by a retained manifest. */
    needed: Set<string>;
    /** Blobs that are retained although distribution calls them garbage. */
    spared: Set<string>;
    /** By the digest of a blob. */
    links: Map<string, Links>;
    /** Of all objects, links and uploads under way included. */
    bytes: number;
}

/** Milliseconds until a bucket with a problem is read again: the problem may have been half of a client's deletion. */
const rereadDelay = 5000;

/**
 * Reads a registry's bucket as the registry would, and again if there is a problem. Each tag, its manifest, and the
 * manifests of an index are read; each layer must exist, have the right length, and be linked in that repository. The
 * digests of manifests are verified; the content of layers is not read.
 *
 * @param deleteUntagged whether only tagged manifests are retained
 */
export async function readInventory(bucket: Bucket, clock: Clock, deleteUntagged: boolean): Promise<Inventory> {
    const inventory = await readOnce(bucket, deleteUntagged);
    if (inventory.problems.length === 0) {
        return inventory;
    }
    await clock.sleep(rereadDelay);
    return readOnce(bucket, deleteUntagged);
}

async function readOnce(bucket: Bucket, deleteUntagged: boolean): Promise<Inventory> {
    const objects = await bucket.list(root);
    const layout = parseLayout(objects);
    const walker = new ManifestWalker(bucket, layout);
    const tagged = (await mapConcurrently(layout.tags, (tag) => readTag(bucket, walker, tag))).flat();
    const untagged = [...layout.linked["_manifests/revisions"]].filter((link) => !walker.visited.has(link));
    const notes = await mapConcurrently(untagged, async (link) => {
        const [repository = "", digest = ""] = link.split("@");
        const { problems } = await walker.walk(repository, digest, !deleteUntagged);
        return problems.map((problem) => `${link}, which has no tag: ${problem}`);
    });
    return {
        tags: describeTags(tagged),
        problems: tagged.flatMap(([{ repository, name }, { problems }]) =>
            problems.map((problem) => `${repository}:${name}: ${problem}`),
        ),
        notes: notes.flat(),
        blobs: layout.blobs,
        needed: walker.needed,
        spared: walker.spared,
        links: layout.links,
        bytes: sum([...objects.values()].map(({ bytes }) => bytes)),
    };
}

/** The tag's image; nothing if the tag was deleted since the bucket was listed. */
async function readTag(bucket: Bucket, walker: ManifestWalker, tag: TagLink): Promise<[TagLink, Image][]> {
    const link = await bucket.get(tagKey(tag));
    if (!link) {
        return [];
    }
    const { repository } = tag;
    const image = isDigest(link.toString())
        ? await walker.walk(repository, link.toString(), true)
        : { repository, isNeeded: true, sizes: new Map(), manifests: 0, problems: ["its link is empty"] };
    return [[tag, image]];
}

function describeTags(images: [TagLink, Image][]): Tag[] {
    const references = new Map<string, number>();
    for (const digest of images.flatMap(([, { sizes }]) => [...sizes.keys()])) {
        references.set(digest, (references.get(digest) ?? 0) + 1);
    }
    return images.map(([tag, { sizes, manifests }]) => ({
        ...tag,
        manifests,
        blobs: sizes.size - manifests,
        bytes: sum(sizes.values()),
        sharedBytes: sum([...sizes].map(([digest, bytes]) => ((references.get(digest) ?? 0) > 1 ? bytes : 0))),
    }));
}

export const sum = (numbers: Iterable<number>) => [...numbers].reduce((sum, number) => sum + number, 0);
