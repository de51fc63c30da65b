import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

import type { Bucket } from "./bucket.ts";

/** Below this distribution keeps everything (registry/storage/paths.go). */
const root = "docker/registry/v2/";

/** A tag of a repository, and whether a client can pull it. */
export interface Tag {
    repository: string;
    name: string;
    /** With what it refers to: the manifests of an index, for one. */
    manifests: number;
    blobs: number;
    bytes: number;
}

/** What is in a registry's bucket. */
export interface Contents {
    tags: Tag[];
    /** What cannot be pulled though it is there, a sentence for each. */
    problems: string[];
    /** The bytes of each blob. */
    blobs: Map<string, number>;
    /** The blobs that a manifest needs which is to stay. */
    needed: Set<string>;
    /** The manifests that are to stay, and the layers that they need, as `repository@digest`. */
    neededIn: Set<string>;
    /** Bytes of all objects, also of what is no blob: uploads under way and links. */
    bytes: number;
}

/** How many objects are read at once. */
const atOnce = 16;

interface Descriptor {
    mediaType?: string;
    digest: string;
    size: number;
    urls?: string[];
}

/**
 * Reads a registry's bucket, twice if there is a problem the first time.
 *
 * @param deleteUntagged whether a manifest is to stay only if a tag leads to it
 * @param lookAgainAfter milliseconds after which a problem is looked for again: it may have been half of somebody's deletion
 */
export async function readContents(bucket: Bucket, deleteUntagged: boolean, lookAgainAfter = 5000): Promise<Contents> {
    const contents = await readOnce(bucket, deleteUntagged);
    if (contents.problems.length === 0) {
        return contents;
    }
    await sleep(lookAgainAfter);
    return readOnce(bucket, deleteUntagged);
}

/**
 * Reads a registry's bucket as the registry would: each tag, its manifest, the manifests of an index, and whether each layer is there,
 * whole in length, and known in that repository. The content of manifests is compared with their digests, that of layers is not read.
 */
async function readOnce(bucket: Bucket, deleteUntagged: boolean): Promise<Contents> {
    const objects = await bucket.list(root);
    const blobs = new Map<string, number>();
    const layers = new Set<string>();
    const revisions = new Set<string>();
    const links: { repository: string; tag: string }[] = [];
    for (const [key, size] of objects) {
        const [, algorithm, hash] = /^blobs\/(\w+)\/..\/(\w+)\/data$/.exec(key) ?? [];
        const [, repository, kind, rest] = /^repositories\/(.+?)\/(_layers|_manifests\/revisions|_manifests\/tags)\/(.+)\/link$/.exec(key) ?? [];
        if (hash) {
            blobs.set(`${algorithm}:${hash}`, size);
        } else if (kind === "_manifests/tags") {
            const [, tag, which] = /^([^/]+)\/(current$|index\/)/.exec(rest!) ?? [];
            if (which === "current") {
                links.push({ repository: repository!, tag: tag! });
            }
        } else if (kind) {
            (kind === "_layers" ? layers : revisions).add(`${repository}@${rest!.replace("/", ":")}`);
        }
    }

    const blobKey = (digest: string) => `${root}blobs/${digest.replace(":", "/").replace("/", `/${digest.split(":")[1]!.slice(0, 2)}/`)}/data`;
    /** What is not in the list may have come since it was made. */
    const sizeOf = async (digest: string) => {
        const known = blobs.get(digest) ?? await bucket.size(blobKey(digest));
        if (known !== undefined) {
            blobs.set(digest, known);
        }
        return known;
    };
    const isLinked = async (known: Set<string>, folder: string, repository: string, digest: string) =>
        known.has(`${repository}@${digest}`)
        || await bucket.size(`${root}repositories/${repository}/${folder}/${digest.replace(":", "/")}/link`) !== undefined;

    const problems = new Set<string>();
    const needed = new Set<string>();
    const neededIn = new Set<string>();
    const manifests = new Map<string, Promise<{ problem?: string; children: Descriptor[]; blobs: Descriptor[] }>>();
    const manifest = (digest: string) => {
        let read = manifests.get(digest);
        if (!read) {
            read = bucket.get(blobKey(digest)).then((content) => readManifest(digest, content));
            manifests.set(digest, read);
        }
        return read;
    };
    /** Looks at a manifest and all that it refers to. */
    const visit = async (repository: string, digest: string, name: string, seen: Map<string, number>, isNeeded: boolean): Promise<number> => {
        const need = (digest: string, bytes = 0) => {
            seen.set(digest, bytes);
            if (isNeeded) {
                needed.add(digest);
                neededIn.add(`${repository}@${digest}`);
            }
        };
        need(digest, blobs.get(digest));
        const { problem, children, blobs: parts } = await manifest(digest);
        if (problem) {
            problems.add(`${name}: ${problem}`);
        }
        if (!await isLinked(revisions, "_manifests/revisions", repository, digest)) {
            problems.add(`${name}: the manifest ${digest} is not known in this repository`);
        }
        for (const { digest, size } of parts) {
            need(digest, size);
            const found = await sizeOf(digest);
            if (found !== size) {
                problems.add(`${name}: the layer ${digest} ${found === undefined ? "is not there" : `has ${found} bytes, not ${size}`}`);
            } else if (!await isLinked(layers, "_layers", repository, digest)) {
                problems.add(`${name}: the layer ${digest} is not known in this repository`);
            }
        }
        let count = 1;
        for (const child of children.filter((child) => !seen.has(child.digest))) {
            count += await visit(repository, child.digest, name, seen, isNeeded);
        }
        return count;
    };

    const tags = await forEach(links, async ({ repository, tag: name }): Promise<Tag | undefined> => {
        const link = await bucket.get(`${root}repositories/${repository}/_manifests/tags/${name}/current/link`);
        // Deleted since the list was made.
        if (!link) {
            return undefined;
        }
        const seen = new Map<string, number>();
        const count = await visit(repository, link.toString(), `${repository}:${name}`, seen, true);
        return { repository, name, manifests: count, blobs: seen.size - count, bytes: [...seen.values()].reduce((sum, bytes) => sum + bytes, 0) };
    });
    // Of what no tag leads to, a collection can also be led astray.
    await forEach([...revisions].filter((revision) => !neededIn.has(revision)), async (revision) => {
        const [repository, digest] = revision.split("@") as [string, string];
        await visit(repository, digest, `${repository}@${digest}, which has no tag`, new Map(), !deleteUntagged);
    });
    return {
        tags: tags.filter((tag) => tag !== undefined),
        problems: [...problems],
        blobs,
        needed,
        neededIn,
        bytes: [...objects.values()].reduce((sum, bytes) => sum + bytes, 0),
    };
}

/** What a manifest refers to, if it is what its digest says. */
function readManifest(digest: string, content: Buffer | undefined): { problem?: string; children: Descriptor[]; blobs: Descriptor[] } {
    const nothing = { children: [], blobs: [] };
    if (!content) {
        return { problem: `the manifest ${digest} is not there`, ...nothing };
    }
    const [algorithm, hash] = digest.split(":") as [string, string];
    if (createHash(algorithm).update(content).digest("hex") !== hash) {
        return { problem: `the manifest ${digest} has another content`, ...nothing };
    }
    const { config, layers = [], manifests = [] } = JSON.parse(content.toString()) as
        { config?: Descriptor; layers?: Descriptor[]; manifests?: Descriptor[] };
    // Layers that are got elsewhere, as in old images of Windows, need not be here.
    return { children: manifests, blobs: [...(config ? [config] : []), ...layers.filter(({ urls }) => !urls?.length)] };
}

/** Does something with each item, some at once; what comes of them, in their order. */
async function forEach<T, R>(items: T[], work: (item: T) => Promise<R>): Promise<R[]> {
    const results: R[] = [];
    let next = 0;
    await Promise.all(Array.from({ length: atOnce }, async () => {
        while (next < items.length) {
            const index = next++;
            results[index] = await work(items[index]!);
        }
    }));
    return results;
}
