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
import type { BucketReader } from "./ports.ts";
import { byRepository, mayRemove, type RetentionPolicy, selectTags, subjectOf } from "./retention.ts";

/** What retention may remove. */
export interface Retention {
    policies: RetentionPolicy[];
    /** Milliseconds since 1970. */
    now: number;
    /** No other tags may go. When each was pushed: one that is pushed again stays. */
    only?: PushTimes;
    /** Whether the order in which a copy wrote tags counts as the order of their pushes. Default: false. */
    trustCopies?: boolean;
}

/** A tag that goes. */
interface Removal extends TagLink {
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

type RetentionRules = Rules & { retention: Retention };

/** An image that was read, with the links of its manifests. */
type ReadImage = Pick<Removal, "image" | "revisions">;
type ReadTag = ReadImage & { tag: TagLink; digest: string };

/** Decides which tags go. Reads only repositories with such tags. */
export class RemovalPlanner {
    private readonly bucket: BucketReader;
    private readonly layout: Layout;
    private readonly rules: RetentionRules;
    private readonly selected: ReadonlyMap<TagLink, RetentionPolicy>;

    constructor(bucket: BucketReader, layout: Layout, rules: RetentionRules) {
        const { policies, now, trustCopies = false } = rules.retention;
        this.bucket = bucket;
        this.layout = layout;
        this.rules = rules;
        this.selected = selectTags(layout.tags, policies, now, trustCopies);
    }

    /** @param except repositories of which nothing goes */
    async plan(except: Set<string>): Promise<Removals> {
        const interrupted = await this.readInterrupted(except);
        const interruptedIn = byRepository(interrupted);
        const removals: Removals = { tags: [], interrupted };
        for (const [repository, tags] of byRepository(this.layout.tags)) {
            const isConcerned = interruptedIn.has(repository) || tags.some((tag) => this.selected.has(tag));
            if (isConcerned && !except.has(repository)) {
                removals.tags.push(...(await this.planRepository(repository, tags, interruptedIn.get(repository))));
            }
        }
        return removals;
    }

    /**
     * What interrupted collections have left: the history of a tag with one manifest. A client's push or deletion can
     * be interrupted, too. If its tag had several images, all stay. If it had one, nobody can tell the difference.
     */
    private async readInterrupted(except: Set<string>): Promise<Removals["interrupted"]> {
        const { policies } = this.rules.retention;
        const left = this.layout.unlinkedTags
            .filter(({ repository, name }) => mayRemove(policies, repository, name) && !except.has(repository))
            .filter(({ history }) => history.length === 1)
            .flatMap(({ history, ...tag }) => history.map((digest) => ({ ...tag, digest })));
        const read = await mapConcurrently(left, async (tag) => ({
            ...tag,
            revisions: (await this.readImage(tag.repository, tag.digest)).revisions,
        }));
        return read.filter((tag) => this.areSettled(tag));
    }

    private async planRepository(
        repository: string,
        tags: TagLink[],
        interrupted: Removals["interrupted"] = [],
    ): Promise<Removal[]> {
        const images = (await mapConcurrently(tags, (tag) => this.readTag(tag))).flat();
        // A tag that lost its manifest stays.
        const { "_manifests/revisions": linked } = this.layout.linked;
        const removable = images.filter(
            (image) => linked.has(linkId(repository, image.digest)) && this.mayGo(image.tag) && this.areSettled(image),
        );
        const going = removable.filter(({ tag }) => this.selected.has(tag));
        const signatures = removable.filter(({ tag }) => subjectOf(tag.name));
        const lost = allRevisions([...interrupted, ...going]);
        if (signatures.length > 0 && lost.size > 0) {
            const untagged = await this.readUntagged(repository, [...images, { revisions: lost }]);
            addWithSubjects(going, lost, signatures, [...images, ...untagged]);
        }
        return going.map(({ tag, ...image }) => ({ ...tag, ...image, policy: this.selected.get(tag) }));
    }

    private mayGo(tag: TagLink): boolean {
        const { latest = Infinity, retention } = this.rules;
        const pushed = tag.pushed.getTime();
        return pushed <= latest && (!retention.only || retention.only.get(tagId(tag)) === pushed);
    }

    private areSettled({ revisions }: Pick<ReadImage, "revisions">): boolean {
        return [...revisions].every((link) => isSettled(this.layout, digestOf(link), this.rules));
    }

    private async readImage(repository: string, digest: string): Promise<ReadImage> {
        const walker = new ManifestWalker(this.bucket, this.layout);
        const image = await walker.walk(repository, digest, "describe");
        return { image, revisions: walker.visited };
    }

    /** A tag's image; nothing if its link is no digest, or was deleted since the bucket was listed. */
    private async readTag(tag: TagLink): Promise<ReadTag[]> {
        const digest = (await this.bucket.get(tagKey(tag)))?.toString() ?? "";
        return isDigest(digest) ? [{ tag, digest, ...(await this.readImage(tag.repository, digest)) }] : [];
    }

    /** The manifests of a repository that none of the images has, and that stay. */
    private readUntagged(repository: string, images: Pick<ReadImage, "revisions">[]): Promise<ReadImage[]> {
        const { deleteUntagged } = this.rules;
        const untagged = untaggedOf(repository, this.layout, images);
        const staying = untagged.filter((digest) => !deleteUntagged || !isSettled(this.layout, digest, this.rules));
        return mapConcurrently(staying, (digest) => this.readImage(repository, digest));
    }
}

/** Adds the tags of signatures and the like whose subject goes: nothing that stays has it. */
function addWithSubjects(going: ReadTag[], lost: Set<string>, tags: ReadTag[], all: ReadImage[]): void {
    for (let found: ReadTag[] = tags; found.length > 0;) {
        const gone = new Set<ReadImage>(going);
        const needed = allRevisions(all.filter((image) => !gone.has(image)));
        found = tags.filter((image) => {
            const subject = linkId(image.tag.repository, subjectOf(image.tag.name) ?? "");
            return !gone.has(image) && lost.has(subject) && !needed.has(subject);
        });
        going.push(...found);
        found.forEach(({ revisions }) => revisions.forEach((link) => lost.add(link)));
    }
}

/** The digests of a repository's manifests that none of the images has. */
function untaggedOf(repository: string, layout: Layout, images: Pick<ReadImage, "revisions">[]): string[] {
    const tagged = allRevisions(images);
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
export const leftoverKeys = ({ tags, interrupted }: Removals, stays: (digest: string) => boolean): string[] =>
    [...tags, ...interrupted].filter(({ digest }) => !stays(digest)).map((tag) => historyKey(tag, tag.digest));

/** The keys of manifest links that no tag needs any more, where something else needs the manifest. */
export const unneededLinkKeys = (removals: Removals, { linked }: Layout, stays: (link: string) => boolean): string[] =>
    [...revisionsOf(removals)]
        .filter((link) => linked["_manifests/revisions"].has(link) && !stays(link))
        .map(revisionKey);

/** The links of all manifests of tags that go, as `repository@digest`. */
export const revisionsOf = ({ tags, interrupted }: Removals): Set<string> => allRevisions([...tags, ...interrupted]);

/** The links of the manifests of all these images. */
const allRevisions = (images: Pick<ReadImage, "revisions">[]): Set<string> =>
    new Set(images.flatMap(({ revisions }) => [...revisions]));
