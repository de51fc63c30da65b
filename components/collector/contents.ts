import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

import type { Bucket } from "./bucket.ts";
import { forEach } from "./forEach.ts";

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
    /** Of these, the ones that other tags refer to as well. */
    sharedBytes: number;
    /** When it last came to refer to something else, or to the same again. */
    pushed: Date;
}

/** What is in a registry's bucket. */
export interface Contents {
    tags: Tag[];
    /** Why a tag cannot be pulled though it is there, a sentence for each reason. */
    problems: string[];
    /** The same of manifests that no tag leads to, which is no reason to do nothing. */
    notes: string[];
    /** The bytes of each blob. */
    blobs: Map<string, number>;
    /** The blobs that a manifest needs which is to stay. */
    needed: Set<string>;
    /** The keys of all objects by which a repository knows a blob or manifest, by its digest: the links of manifests, then those of layers. */
    links: Map<string, { manifests: string[]; layers: string[] }>;
    /** Bytes of all objects, also of what is no blob: uploads under way and links. */
    bytes: number;
}

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
    const links: Contents["links"] = new Map();
    const layers = new Set<string>();
    const revisions = new Set<string>();
    const tagged: { repository: string; tag: string; pushed: Date }[] = [];
    for (const [key, { bytes, written }] of objects) {
        const [, algorithm, hash] = /^blobs\/(\w+)\/..\/(\w+)\/data$/.exec(key) ?? [];
        const [, repository, kind, rest] =
            /^repositories\/(.+?)\/(_layers|_manifests\/revisions|_manifests\/tags)\/(.+)\/link$/.exec(key) ?? [];
        if (hash) {
            blobs.set(`${algorithm}:${hash}`, bytes);
        } else if (kind) {
            const [, tag] = /^([^/]+)\/current$/.exec(rest!) ?? [];
            if (kind === "_manifests/tags" && tag) {
                tagged.push({ repository: repository!, tag, pushed: written });
                continue;
            }
            const digest = rest!.split("/").slice(-2).join(":");
            const known = links.get(digest) ?? { manifests: [], layers: [] };
            links.set(digest, known);
            (kind === "_layers" ? known.layers : known.manifests).push(root + key);
            // An empty one leads nowhere.
            if (kind !== "_manifests/tags" && bytes > 0) {
                (kind === "_layers" ? layers : revisions).add(`${repository}@${digest}`);
            }
        }
    }

    /** What is not in the list may have come since it was made. */
    const sizeOf = async (digest: string) => {
        const known = blobs.get(digest) ?? (await bucket.size(blobKey(digest)));
        if (known !== undefined) {
            blobs.set(digest, known);
        }
        return known;
    };
    const isKnown = async (known: Set<string>, folder: string, repository: string, digest: string) =>
        known.has(`${repository}@${digest}`) ||
        ((await bucket.size(`${root}repositories/${repository}/${folder}/${digest.replace(":", "/")}/link`)) ?? 0) > 0;

    const needed = new Set<string>();
    const visited = new Set<string>();
    const manifests = new Map<string, Promise<Manifest>>();
    const manifest = (digest: string) => {
        const read =
            manifests.get(digest) ?? bucket.get(blobKey(digest)).then((content) => readManifest(digest, content));
        manifests.set(digest, read);
        return read;
    };
    /** Looks at a manifest and all that it refers to; gives back how many manifests that are. */
    const visit = async (
        repository: string,
        digest: string,
        isNeeded: boolean,
        seen: Map<string, number>,
        problems: string[],
    ): Promise<number> => {
        const need = (digest: string, bytes: number) => {
            seen.set(digest, bytes);
            if (isNeeded) {
                needed.add(digest);
            }
        };
        need(digest, blobs.get(digest) ?? 0);
        visited.add(`${repository}@${digest}`);
        const { problem, children, parts } = await manifest(digest);
        if (problem) {
            problems.push(problem);
        }
        if (!(await isKnown(revisions, "_manifests/revisions", repository, digest))) {
            problems.push(`the manifest ${digest} is not known in this repository`);
        }
        // What an index leads to may be a layer: BuildKit kept its cache so.
        const isLayer = ({ digest }: Descriptor) =>
            layers.has(`${repository}@${digest}`) && !revisions.has(`${repository}@${digest}`);
        for (const { digest, size } of [...parts, ...children.filter(isLayer)].filter(
            (part) => !seen.has(part.digest),
        )) {
            need(digest, size);
            const found = await sizeOf(digest);
            if (found !== size) {
                problems.push(
                    `the layer ${digest} ${found === undefined ? "is not there" : `has ${found} bytes, not ${size}`}`,
                );
            } else if (!(await isKnown(layers, "_layers", repository, digest))) {
                problems.push(`the layer ${digest} is not known in this repository`);
            }
        }
        let count = 1;
        for (const child of children) {
            if (!seen.has(child.digest)) {
                count += await visit(repository, child.digest, isNeeded, seen, problems);
            }
        }
        return count;
    };

    const problems: string[] = [];
    const timesNeeded = new Map<string, number>();
    const tags = await forEach(
        tagged,
        async ({
            repository,
            tag: name,
            pushed,
        }): Promise<(Omit<Tag, "sharedBytes"> & { sizes: Map<string, number> }) | undefined> => {
            const link = await bucket.get(`${root}repositories/${repository}/_manifests/tags/${name}/current/link`);
            // Deleted since the list was made.
            if (!link) {
                return undefined;
            }
            const seen = new Map<string, number>();
            const own: string[] = [];
            let count = 0;
            if (/^\w+:\w+$/.test(link.toString())) {
                count = await visit(repository, link.toString(), true, seen, own);
            } else {
                own.push("its link is empty");
            }
            problems.push(...own.map((problem) => `${repository}:${name}: ${problem}`));
            for (const digest of seen.keys()) {
                timesNeeded.set(digest, (timesNeeded.get(digest) ?? 0) + 1);
            }
            return {
                repository,
                name,
                manifests: count,
                blobs: seen.size - count,
                bytes: sum(seen.values()),
                pushed,
                sizes: seen,
            };
        },
    );
    const notes: string[] = [];
    await forEach(
        [...revisions].filter((revision) => !visited.has(revision)),
        async (revision) => {
            const [repository, digest] = revision.split("@") as [string, string];
            const own: string[] = [];
            await visit(repository, digest, !deleteUntagged, new Map(), own);
            notes.push(...own.map((problem) => `${revision}, which has no tag: ${problem}`));
        },
    );
    return {
        tags: tags
            .filter((tag) => tag !== undefined)
            .map(({ sizes, ...tag }) => ({
                ...tag,
                sharedBytes: sum(
                    [...sizes].filter(([digest]) => timesNeeded.get(digest)! > 1).map(([, bytes]) => bytes),
                ),
            })),
        problems,
        notes,
        blobs,
        needed,
        links,
        bytes: sum([...objects.values()].map(({ bytes }) => bytes)),
    };
}

export const sum = (numbers: Iterable<number>) => [...numbers].reduce((sum, number) => sum + number, 0);

/** Where a blob is. */
export function blobKey(digest: string): string {
    const [algorithm, hash] = digest.split(":") as [string, string];
    return `${root}blobs/${algorithm}/${hash.slice(0, 2)}/${hash}/data`;
}

/** What a manifest refers to. */
interface Manifest {
    problem?: string;
    /** The manifests of an index. */
    children: Descriptor[];
    /** Layers and configuration. */
    parts: Descriptor[];
}

/** Reads a manifest, if it is what its digest says. */
function readManifest(digest: string, content: Buffer | undefined): Manifest {
    const broken = (what: string): Manifest => ({ problem: `the manifest ${digest} ${what}`, children: [], parts: [] });
    if (!content) {
        return broken("is not there");
    }
    const [algorithm, hash] = digest.split(":") as [string, string];
    if (createHash(algorithm).update(content).digest("hex") !== hash) {
        return broken("has another content");
    }
    let manifest: {
        schemaVersion?: number;
        config?: Descriptor | null;
        layers?: Descriptor[] | null;
        manifests?: Descriptor[] | null;
    };
    try {
        manifest = JSON.parse(content.toString()) as typeof manifest;
    } catch {
        return broken("is none");
    }
    const { schemaVersion, config, layers, manifests } = manifest;
    if (schemaVersion !== 2) {
        return broken(`is of schema version ${schemaVersion}, which distribution 3 does not read`);
    }
    // Layers that are got elsewhere, as in old images of Windows, need not be here.
    return {
        children: manifests ?? [],
        parts: [...(config ? [config] : []), ...(layers ?? []).filter(({ urls }) => !urls?.length)],
    };
}
