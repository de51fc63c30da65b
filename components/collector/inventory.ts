import { PermanentError } from "./errors.ts";
import {
    deleteCommand,
    describeOddLink,
    describeOddName,
    type Finding,
    isEmptyLayerLink,
    makeFinding,
    removeCommand,
} from "./findings.ts";
import {
    digestOf,
    isDigest,
    isOlder,
    isSettled,
    type Layout,
    linkKey,
    type Links,
    noLinks,
    parseLayout,
    parseLinkId,
    root,
    tagId,
    tagKey,
    type TagLink,
} from "./layout.ts";
import { type Image, makeImage, ManifestWalker } from "./manifestWalker.ts";
import { mapConcurrently } from "./mapConcurrently.ts";
import type { BucketReader, Clock } from "./ports.ts";
import { RemovalPlanner, type Removals, type Retention, revisionsOf, unneededLinkKeys } from "./removals.ts";

/** A tag of a repository, with what it refers to: the manifests of an index, for example. */
interface Tag extends TagLink {
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
    /** What else is missing or odd, which does not stop a collection. */
    notes: string[];
    /** The tags whose link contains no digest, or whose manifest is not in their repository, as `repository:tag`. */
    brokenTags: string[];
    /** How many tags, manifests, links and repositories are odd, and stay. */
    oddObjects: number;
    /** The retained manifests without a tag, and the bytes that nothing else needs. */
    untagged: { manifests: number; bytes: number };
    /** The bytes that no manifest is known to need, and that stay because of odd objects. */
    heldBackBytes: number;
    /** The keys of empty links to layers. Nothing can be read through them. */
    emptyLinks: string[];
    /** The bytes of each blob, by its digest. */
    blobs: Map<string, number>;
    /** Blobs referenced by a retained manifest. */
    needed: Set<string>;
    /** Blobs that are retained whatever distribution calls them: nobody knows what needs them. */
    spared: Set<string>;
    /** Blobs that are neither. */
    garbage: string[];
    /** The latest of when a blob and its links were written, by digest: milliseconds since 1970. */
    written: Map<string, number>;
    /** The links of the retained manifests that distribution can read, as `repository@digest`. */
    revisions: Set<string>;
    /** By the digest of garbage. */
    links: Map<string, Links>;
    /** What retention removes. */
    removals: Removals;
    /** The keys of links that go with these tags, of manifests that are no garbage. */
    unneededLinks: string[];
    /** Of all objects, links and uploads under way included. */
    bytes: number;
}

/** Which manifests are not retained. */
export interface Rules {
    /** Whether only tagged manifests are retained. */
    deleteUntagged: boolean;
    /** What was written later is retained, tagged or not: milliseconds since 1970. Default: nothing is. */
    latest?: number;
    /** When each blob was written, by an earlier read. Manifests written since are retained. Default: none are. */
    before?: ReadonlyMap<string, number>;
    /** Which tags are not retained. Default: none. */
    retention?: Retention;
    /** The tags that an earlier read found broken. Another one is a problem. Default: none is. */
    knownBrokenTags?: string[];
}

/** What no manifest needs, and was not written later than that. */
export const oldGarbage = (inventory: Inventory, latest: number): string[] =>
    inventory.garbage.filter((digest) => isOlder(inventory, digest, latest));

/** Milliseconds until a bucket with a problem is read again: the problem may have been half of a client's deletion. */
const rereadDelay = 5000;

/**
 * Reads a registry's bucket as the registry would, and again if there is a problem. Each tag, its manifest, and the
 * manifests of an index are read; each layer must exist, have the right length, and be linked in that repository. The
 * digests of manifests are verified; the content of layers is not read.
 */
export async function readInventory(bucket: BucketReader, clock: Clock, rules: Rules): Promise<Inventory> {
    const inventory = await buildInventory(bucket, rules, await readLayout(bucket));
    const isKnown = (tag: string) => rules.knownBrokenTags?.includes(tag);
    if (inventory.problems.length === 0 && inventory.brokenTags.every(isKnown)) {
        return inventory;
    }
    await clock.sleep(rereadDelay);
    return buildInventory(bucket, rules, await readLayout(bucket));
}

/** @throws PermanentError if no blob has a link. Keys of blobs sort before those of links: the list was cut off */
async function readLayout(bucket: BucketReader): Promise<Layout> {
    const layout = parseLayout(await bucket.list(root));
    if (layout.blobs.size > 0 && layout.links.size === 0) {
        throw new PermanentError(
            `The bucket has blobs (${layout.blobs.size}), but no repository has a link to any: the list of its ` +
                "objects is not complete, or the links were lost. Restore the bucket from a copy. " +
                "If it should have no image, push one.",
        );
    }
    return layout;
}

/** @param except repositories of which retention removes nothing */
async function buildInventory(
    bucket: BucketReader,
    rules: Rules,
    layout: Layout,
    except = new Set<string>(),
): Promise<Inventory> {
    const { retention } = rules;
    const removals = retention
        ? await new RemovalPlanner(bucket, layout, { ...rules, retention }).plan(except)
        : { tags: [], interrupted: [] };
    const walker = new ManifestWalker(bucket, layout);
    const read = await readManifests(bucket, walker, layout, rules, removals);
    await spareOdd(bucket, walker, layout);
    spareRepositories(walker, layout);
    // Nobody knows what these repositories need, so retention removes nothing there: read again without them.
    const isOfSpared = ({ repository }: { repository: string }) => walker.sparedRepositories.has(repository);
    return [...removals.tags, ...removals.interrupted].some(isOfSpared)
        ? buildInventory(bucket, rules, layout, new Set([...except, ...walker.sparedRepositories]))
        : makeInventory(layout, walker, read, removals);
}

/** What was found by reading the manifests of a registry. */
interface ReadManifests {
    tagged: [TagLink, Image][];
    brokenTags: string[];
    findings: Finding[];
    /** How many manifests without a tag are retained. */
    untagged: number;
    /** What the tags that stay need. */
    neededByTags: Set<string>;
    /** What all manifests that stay need. */
    retained: Set<string>;
}

const lostMeanwhile: Finding = {
    problems: ["its link or its manifest was lost since the collection began"],
    notes: [],
};

async function readManifests(
    bucket: BucketReader,
    walker: ManifestWalker,
    layout: Layout,
    rules: Rules,
    removals: Removals,
): Promise<ReadManifests> {
    const needed = () => new Set([...walker.needed, ...walker.spared]);
    const removed = new Set(removals.tags.map(tagKey));
    const lost = revisionsOf(removals);
    const kept = layout.tags.filter((tag) => !removed.has(tagKey(tag)));
    const tagged = (await mapConcurrently(kept, (tag) => readTag(bucket, walker, tag))).flat();
    const neededByTags = needed();
    const untagged = [...layout.linked["_manifests/revisions"]].filter(
        (link) => !walker.visited.has(link) && !lost.has(link),
    );
    const mayGo = (link: string) => rules.deleteUntagged && isSettled(layout, digestOf(link), rules);
    const brokenTags = tagged.filter(([, { purpose }]) => purpose === "spare").map(([tag]) => tagId(tag));
    const { knownBrokenTags = brokenTags } = rules;
    const lostTags = brokenTags.filter((tag) => !knownBrokenTags.includes(tag));
    const findings = [
        ...removals.tags.map((tag) => ({ ...makeFinding(tagId(tag), tag.image), goes: true })),
        ...tagged.map(([tag, image]) => makeFinding(tagId(tag), image)),
        ...lostTags.map((tag) => makeFinding(tag, lostMeanwhile)),
        ...(await mapConcurrently(untagged, (link) => readUntagged(walker, link, mayGo(link)))),
        ...layout.oddLinks.map(describeOddLink),
        ...[...layout.oddRepositories].map(describeOddName),
    ];
    return {
        tagged,
        brokenTags,
        findings,
        untagged: rules.deleteUntagged ? 0 : untagged.length,
        neededByTags,
        retained: needed(),
    };
}

function makeInventory(layout: Layout, walker: ManifestWalker, read: ReadManifests, removals: Removals): Inventory {
    const { tagged, brokenTags, findings, untagged, neededByTags, retained } = read;
    const bytesOf = (digests: Iterable<string>, except: Set<string>) =>
        sum([...digests].map((digest) => (except.has(digest) ? 0 : (layout.blobs.get(digest) ?? 0))));
    const isGarbage = (digest: string) => !walker.needed.has(digest) && !walker.spared.has(digest);
    const garbage = [...layout.blobs.keys()].filter(isGarbage);
    const isKept = (link: string) =>
        walker.visited.has(link) || (layout.blobs.has(digestOf(link)) && isGarbage(digestOf(link)));
    const emptyLinks = layout.oddLinks.filter(isEmptyLayerLink).map(({ key }) => key);
    return {
        tags: describeTags(tagged),
        problems: findings.flatMap(({ problems }) => problems),
        notes: findings.flatMap(({ notes }) => notes),
        brokenTags,
        oddObjects: findings.filter(({ notes, goes }) => notes.length > 0 && !goes).length - emptyLinks.length,
        untagged: { manifests: untagged, bytes: bytesOf(retained, neededByTags) },
        heldBackBytes: bytesOf(walker.spared, retained),
        emptyLinks,
        blobs: layout.blobs,
        needed: walker.needed,
        spared: walker.spared,
        garbage,
        written: layout.written,
        revisions: walker.readable,
        links: new Map(garbage.map((digest) => [digest, layout.links.get(digest) ?? noLinks])),
        removals,
        unneededLinks: unneededLinkKeys(removals, layout, isKept),
        bytes: layout.bytes,
    };
}

/** The tag's image; nothing if its link does not exist any more. */
async function readTag(bucket: BucketReader, walker: ManifestWalker, tag: TagLink): Promise<[TagLink, Image][]> {
    const { repository } = tag;
    const link = await bucket.get(tagKey(tag));
    if (!link) {
        // Deleted since the bucket was listed, or lost: nobody knows what it referred to.
        walker.sparedRepositories.add(repository);
        return [];
    }
    const digest = link.toString();
    if (!isDigest(digest)) {
        const reason = `its link is ${digest ? "no digest" : "empty"}`;
        return [[tag, spareTag(walker, tag, makeImage(repository, "spare"), reason)]];
    }
    if (!(await walker.isLinked(tag, "_manifests/revisions", digest))) {
        // A client's deletion was interrupted, or the link was lost.
        const image = await walker.walk(repository, digest, "spare");
        return [[tag, spareTag(walker, tag, image, `its manifest ${digest} is not in this repository`)]];
    }
    return [[tag, await walker.walk(repository, digest, "retain")]];
}

/** Spares the repository of a broken tag. Returns the tag's image with a note. */
function spareTag(walker: ManifestWalker, { repository, name }: TagLink, image: Image, reason: string): Image {
    walker.sparedRepositories.add(repository);
    const note =
        `${reason}. Until you push or delete the tag, no blob of ${repository} is deleted. ` +
        `To delete it: ${deleteCommand(repository, name)}`;
    return { ...image, notes: [note] };
}

async function readUntagged(walker: ManifestWalker, link: string, deleteUntagged: boolean): Promise<Finding> {
    const [repository, digest] = parseLinkId(link);
    const image = await walker.walk(repository, digest, deleteUntagged ? "describe" : "retain");
    const notes = [...image.problems, ...image.notes];
    if (image.isMissing && !deleteUntagged) {
        const command = removeCommand(linkKey(repository, "_manifests/revisions", digest));
        notes.push(`until its link is deleted, no blob of ${repository} is. ${command}`);
    } else if (image.problems.length > 0 && !deleteUntagged) {
        const until = image.isUnknown ? `until it is deleted, no blob of ${repository} is. ` : "";
        notes.push(`${until}To delete it: ${deleteCommand(repository, digest)}`);
    }
    return { ...makeFinding(`${link}, which has no tag`, { problems: [], notes }), goes: deleteUntagged };
}

/** Such a link may be the only trace of an image: its repository is spared, and what its manifest needs. */
async function spareOdd(bucket: BucketReader, walker: ManifestWalker, layout: Layout): Promise<void> {
    const { oddLinks, oddRepositories, unlinkedTags } = layout;
    oddRepositories.forEach((repository) => walker.sparedRepositories.add(repository));
    await mapConcurrently(unlinkedTags, async (tag) => {
        // It was pushed since the bucket was listed, or the list lacks it.
        if ((await bucket.size(tagKey(tag))) !== undefined) {
            walker.sparedRepositories.add(tag.repository);
        }
    });
    for (const link of oddLinks.filter((link) => !isEmptyLayerLink(link))) {
        walker.sparedRepositories.add(link.repository);
        if (link.folder === "_manifests/revisions") {
            await walker.walk(link.repository, link.digest, "spare");
        }
    }
}

/** Spares every blob that a repository links, if nobody knows what is needed there. */
function spareRepositories({ sparedRepositories, spared }: ManifestWalker, { linked, oddLinks }: Layout): void {
    const links = [...linked._layers, ...linked["_manifests/revisions"]].map(parseLinkId);
    for (const [repository, digest] of [
        ...links,
        ...oddLinks.map(({ repository, digest }) => [repository, digest] as const),
    ]) {
        if (sparedRepositories.has(repository)) {
            spared.add(digest);
        }
    }
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
