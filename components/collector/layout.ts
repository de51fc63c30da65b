import type { ListedObject } from "./ports.ts";

/** Distribution keeps everything below this prefix (registry/storage/paths.go). */
export const root = "docker/registry/v2/";

/** The keys of all objects that link a blob or manifest into a repository. */
export interface Links {
    manifests: string[];
    /** Of layers, and from the history of tags. */
    others: string[];
    /** Of all of them. */
    bytes: number;
}

export const noLinks: Links = { manifests: [], others: [], bytes: 0 };

/** Where a repository keeps its links to layers, and to manifests. */
export type LinkFolder = "_layers" | "_manifests/revisions";

export interface TagLink {
    repository: string;
    name: string;
    /** When its link was last written. */
    pushed: Date;
    /** The digests of all that it referred to since it was created. */
    history: string[];
}

export type TagName = Pick<TagLink, "repository" | "name">;

/** What the list of a bucket says about a registry. */
export interface Layout {
    /** The bytes of each blob, by its digest. */
    blobs: Map<string, number>;
    /** When each blob, or the newest link to it, was written: milliseconds since 1970, by digest. */
    written: Map<string, number>;
    /** By digest. */
    links: Map<string, Links>;
    /** The links that count, as `repository@digest`: an empty one is as good as none. */
    linked: Record<LinkFolder, Set<string>>;
    tags: TagLink[];
    /** What is left of tags without a link: their removal, or their first push, was interrupted. */
    unlinkedTags: Omit<TagLink, "pushed">[];
    /** The links to layers and manifests that contain no digest. */
    oddLinks: OddLink[];
    /** The repositories that distribution does not see, or fails at. Nobody can push to them; a copy can make them. */
    oddRepositories: Set<string>;
    /** Of all objects, links and uploads under way included. */
    bytes: number;
}

/** A link to a layer or manifest that contains no digest: distribution's dry run would fail because of it. */
export interface OddLink {
    repository: string;
    folder: LinkFolder;
    digest: string;
    key: string;
    isEmpty: boolean;
}

const blobPattern = /^blobs\/(\w+)\/..\/(\w+)\/data$/;
const linkPattern = /^repositories\/(.+?)\/(_layers|_manifests\/revisions|_manifests\/tags)\/(.+)\/link$/;

const nameComponent = "[a-z0-9]+(?:(?:[.]|_|__|-+)[a-z0-9]+)*";
const hostComponent = "[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?";
const repositoryPattern = new RegExp(
    `^(?:${hostComponent}(?:[.]${hostComponent})*(?::[0-9]+)?/)?${nameComponent}(?:/${nameComponent})*$`,
);

/** The bytes of a digest: sha256, sha384 and sha512 in hexadecimal digits. */
const digestLengths = [256, 384, 512].map((bits) => "sha256:".length + bits / 4);

/** Whether a link of this length counts. Distribution's dry run fails at a manifest's link that contains no digest. */
export const isLink = (folder: LinkFolder, bytes = 0) =>
    folder === "_layers" ? bytes > 0 : digestLengths.includes(bytes);

/** A layout without any object. */
const makeLayout = (): Layout => ({
    blobs: new Map(),
    written: new Map(),
    links: new Map(),
    linked: { _layers: new Set(), "_manifests/revisions": new Set() },
    tags: [],
    unlinkedTags: [],
    oddLinks: [],
    oddRepositories: new Set(),
    bytes: 0,
});

/** @param objects by their key without the root */
export function parseLayout(objects: Map<string, ListedObject>): Layout {
    const layout = makeLayout();
    const repositories = new Set<string>();
    const tags = new Map<string, Partial<TagLink> & Layout["unlinkedTags"][number]>();
    const noteTag = (repository: string, name: string) => {
        const id = tagId({ repository, name });
        const tag = tags.get(id) ?? { repository, name, history: [] };
        tags.set(id, tag);
        return tag;
    };
    const note = (digest: string, written: Date) =>
        layout.written.set(digest, Math.max(layout.written.get(digest) ?? 0, written.getTime()));
    for (const [key, { bytes, written }] of objects) {
        layout.bytes += bytes;
        const [, algorithm = "", hash = ""] = blobPattern.exec(key) ?? [];
        const [, repository = "", folder = "", name = ""] = linkPattern.exec(key) ?? [];
        const [, tag] = /^([^/]+)\/current$/.exec(name) ?? [];
        if (hash) {
            layout.blobs.set(`${algorithm}:${hash}`, bytes);
            note(`${algorithm}:${hash}`, written);
        } else if (folder === "_manifests/tags" && tag) {
            noteTag(repository, tag).pushed = written;
        } else if (folder) {
            const digest = name.split("/").slice(-2).join(":");
            const links = layout.links.get(digest) ?? { manifests: [], others: [], bytes: 0 };
            layout.links.set(digest, links);
            links.bytes += bytes;
            note(digest, written);
            (folder === "_manifests/revisions" ? links.manifests : links.others).push(root + key);
            if (folder === "_manifests/tags") {
                noteTag(repository, name.split("/")[0] ?? "").history.push(digest);
            } else if (folder === "_layers" || folder === "_manifests/revisions") {
                if (bytes > 0) {
                    repositories.add(repository);
                }
                if (isLink(folder, bytes)) {
                    layout.linked[folder].add(linkId(repository, digest));
                }
                if (!digestLengths.includes(bytes)) {
                    layout.oddLinks.push({ repository, folder, digest, key: root + key, isEmpty: bytes === 0 });
                }
            }
        }
    }
    layout.oddRepositories = new Set([...repositories].filter((name) => !isRepositoryName(name)));
    for (const tag of tags.values()) {
        if (tag.pushed) {
            layout.tags.push(tag as TagLink);
        } else {
            layout.unlinkedTags.push(tag);
        }
    }
    return layout;
}

/** Whether a key without the root is that of a blob, or of the link from a tag to its manifest. */
export const isBlobKey = (key: string) => blobPattern.test(key);
export const isTagKey = (key: string) => key.endsWith("/current/link");

/** Whether distribution accepts a repository's name: it may begin with a host (distribution/reference, regexp.go). */
const isRepositoryName = (name: string) => repositoryPattern.test(name);

export const isDigest = (text: string) => /^[\w.+-]+:\w+$/.test(text);

/** The `repository:tag` of a tag. */
export const tagId = ({ repository, name }: TagName) => `${repository}:${name}`;

export const linkId = (repository: string, digest: string) => `${repository}@${digest}`;

/** The repository and the digest of a `linkId`. */
export function parseLinkId(id: string): [repository: string, digest: string] {
    const [repository = "", digest = ""] = id.split("@");
    return [repository, digest];
}

export function linkKey(repository: string, folder: LinkFolder, digest: string): string {
    return `${root}repositories/${repository}/${folder}/${digest.replace(":", "/")}/link`;
}

/** Whether a blob and all links to it were written by then: milliseconds since 1970. */
export const isOlder = ({ written }: Pick<Layout, "written">, digest: string, latest: number) =>
    (written.get(digest) ?? Infinity) <= latest;

/**
 * Whether a manifest may go if it has no tag: it was not written later than `latest`, and not again since `before` was
 * read. A client may be about to push an index for one that it has just pushed.
 *
 * @param before when each blob, or the newest link to it, was written, as an earlier read found
 */
export function isSettled(
    { written }: Pick<Layout, "written">,
    digest: string,
    { latest = Infinity, before }: { latest?: number; before?: ReadonlyMap<string, number> },
): boolean {
    const isChanged = before !== undefined && before.get(digest) !== written.get(digest);
    return !isChanged && isOlder({ written }, digest, latest);
}

/** The key of a manifest's link, by its `linkId`. */
export function revisionKey(id: string): string {
    const [repository, digest] = parseLinkId(id);
    return linkKey(repository, "_manifests/revisions", digest);
}

/** The digest of a `linkId`. */
export const digestOf = (id: string) => parseLinkId(id)[1];

const tagFolder = ({ repository, name }: TagName) => `${root}repositories/${repository}/_manifests/tags/${name}`;

export const tagKey = (tag: TagName) => `${tagFolder(tag)}/current/link`;

/** The key of a digest in the history of a tag. */
export const historyKey = (tag: TagName, digest: string) => `${tagFolder(tag)}/index/${digest.replace(":", "/")}/link`;

export function blobKey(digest: string): string {
    const [algorithm, hash = ""] = digest.split(":");
    return `${root}blobs/${algorithm}/${hash.slice(0, 2)}/${hash}/data`;
}
