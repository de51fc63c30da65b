import type { Rules } from "./inventory.ts";
import {
    digestOf,
    historyKey,
    isDigest,
    isSettled,
    type Layout,
    linkId,
    revisionKey,
    tagId,
    tagKey,
    type TagLink,
} from "./layout.ts";
import { type Image, ManifestWalker } from "./manifestWalker.ts";
import { mapConcurrently } from "./mapConcurrently.ts";
import type { Bucket } from "./ports.ts";
import { byRepository, mayRemove, type RetentionPolicy, selectTags, subjectOf } from "./retention.ts";

/** What retention may remove. */
export interface Retention {
    policies: RetentionPolicy[];
    /** Milliseconds since 1970. */
    now: number;
    /** The tags that may go at most, and when each was pushed: one that is pushed again stays. */
    only?: PushTimes;
}

/** A tag that goes. */
export interface Removal extends TagLink {
    /** Undefined if it goes with the manifest that it is about. */
    policy?: RetentionPolicy;
    digest: string;
    image: Image;
    /** The links of its manifests, as `repository@digest`. */
    revisions: Set<string>;
}

export interface Removals {
    tags: Removal[];
    /** What an interrupted collection has left of tags: they have no link any more. */
    interrupted: Pick<Removal, "repository" | "name" | "digest" | "revisions">[];
}

/** When tags were pushed, in milliseconds since 1970, by their `tagId`. */
export type PushTimes = ReadonlyMap<string, number>;

export const pushTimes = (tags: TagLink[]): PushTimes => new Map(tags.map((tag) => [tagId(tag), tag.pushed.getTime()]));

/** Decides which tags go. Reads only repositories with such tags. Nothing goes of the repositories in `except`. */
export async function planRemovals(
    bucket: Bucket,
    layout: Layout,
    { retention, ...rules }: Rules & { retention: Retention },
    except: Set<string>,
): Promise<Removals> {
    const { policies, now, only } = retention;
    const { deleteUntagged, latest = Infinity } = rules;
    const areSettled = ({ revisions }: Pick<Read, "revisions">) =>
        [...revisions].every((link) => isSettled(layout, digestOf(link), rules));
    const mayGo = (tag: TagLink) =>
        tag.pushed.getTime() <= latest && (!only || only.get(tagId(tag)) === tag.pushed.getTime());
    const selected = selectTags(layout.tags, policies, now);
    const readRevisions = (repository: string, digest: string) => read(bucket, layout, repository, digest);
    const removals: Removals = { tags: [], interrupted: [] };
    // A push of a tag, and its deletion by a client, can be interrupted, too: such a manifest has no tag, but stays.
    const left = layout.unlinkedTags
        .filter(({ repository, name }) => mayRemove(policies, repository, name))
        .flatMap(({ history, ...tag }) => history.map((digest) => ({ ...tag, digest })));
    const interrupted = await mapConcurrently(
        left.filter(({ repository }) => !except.has(repository)),
        async (tag) => ({ ...tag, revisions: (await readRevisions(tag.repository, tag.digest)).revisions }),
    );
    removals.interrupted = interrupted.filter(areSettled);
    const interruptedIn = byRepository(removals.interrupted);
    for (const [repository, tags] of byRepository(layout.tags)) {
        if (except.has(repository) || !(interruptedIn.has(repository) || tags.some((tag) => selected.has(tag)))) {
            continue;
        }
        const images = (await mapConcurrently(tags, (tag) => readTag(bucket, layout, tag))).flat();
        const going = images.filter((image) => selected.has(image.tag) && mayGo(image.tag) && areSettled(image));
        const lost = new Set((interruptedIn.get(repository) ?? []).flatMap(({ revisions }) => [...revisions]));
        const signatures = images.filter((image) => subjectOf(image.tag.name) && mayGo(image.tag) && areSettled(image));
        going.forEach(({ revisions }) => revisions.forEach((link) => lost.add(link)));
        if (signatures.length > 0 && lost.size > 0) {
            const untagged = untaggedOf(repository, layout, [...images, { revisions: lost }]).filter(
                (digest) => !deleteUntagged || !isSettled(layout, digest, rules),
            );
            const kept = await mapConcurrently(untagged, (digest) => readRevisions(repository, digest));
            addWithSubjects(going, lost, signatures, [...images, ...kept]);
        }
        removals.tags.push(...going.map(({ tag, ...image }) => ({ ...tag, ...image, policy: selected.get(tag) })));
    }
    return removals;
}

type Read = Pick<Removal, "image" | "revisions">;
type ReadTag = Read & { tag: TagLink; digest: string };

async function read(bucket: Bucket, layout: Layout, repository: string, digest: string): Promise<Read> {
    const walker = new ManifestWalker(bucket, layout);
    const image = await walker.walk(repository, digest, "describe");
    return { image, revisions: walker.visited };
}

/** A tag's image; nothing if its link is no digest, or was deleted since the bucket was listed. */
async function readTag(bucket: Bucket, layout: Layout, tag: TagLink): Promise<ReadTag[]> {
    const digest = (await bucket.get(tagKey(tag)))?.toString() ?? "";
    return isDigest(digest) ? [{ tag, digest, ...(await read(bucket, layout, tag.repository, digest)) }] : [];
}

/** Adds the tags of signatures and the like whose subject goes: nothing that stays has it. */
function addWithSubjects(going: ReadTag[], lost: Set<string>, tags: ReadTag[], all: Read[]): void {
    for (let found: ReadTag[] = tags; found.length > 0;) {
        const gone = new Set<Read>(going);
        const needed = new Set(all.filter((image) => !gone.has(image)).flatMap(({ revisions }) => [...revisions]));
        found = tags.filter((image) => {
            const subject = linkId(image.tag.repository, subjectOf(image.tag.name) ?? "");
            return !gone.has(image) && lost.has(subject) && !needed.has(subject);
        });
        going.push(...found);
        found.forEach(({ revisions }) => revisions.forEach((link) => lost.add(link)));
    }
}

/** The digests of a repository's manifests that none of the images has. */
function untaggedOf(repository: string, layout: Layout, images: Pick<Read, "revisions">[]): string[] {
    const tagged = new Set(images.flatMap(({ revisions }) => [...revisions]));
    return [...layout.linked["_manifests/revisions"]]
        .filter((link) => link.startsWith(`${repository}@`) && !tagged.has(link))
        .map(digestOf);
}

/** The keys to delete first: then these tags do not exist, and what is left of them names their manifests. */
export const tagKeys = ({ tags }: Removals): string[][] =>
    tags.map((tag) => [
        ...tag.history.filter((digest) => digest !== tag.digest).map((digest) => historyKey(tag, digest)),
        tagKey(tag),
    ]);

/**
 * The keys of what is left of removed tags, to delete last.
 *
 * @param stays whether a manifest is garbage that is not deleted yet: what is left of its tag stays as well
 */
export const leftKeys = ({ tags, interrupted }: Removals, stays: (digest: string) => boolean): string[] =>
    [...tags, ...interrupted].filter(({ digest }) => !stays(digest)).map((tag) => historyKey(tag, tag.digest));

/** The keys of the links that lose their last tag, of manifests that something else still needs. */
export const lostKeys = (removals: Removals, { linked }: Layout, stays: (link: string) => boolean): string[] =>
    [...revisionsOf(removals)]
        .filter((link) => linked["_manifests/revisions"].has(link) && !stays(link))
        .map(revisionKey);

/** The links of all manifests of tags that go, as `repository@digest`. */
export const revisionsOf = ({ tags, interrupted }: Removals): Set<string> =>
    new Set([...tags, ...interrupted].flatMap(({ revisions }) => [...revisions]));
