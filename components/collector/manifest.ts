import { createHash } from "node:crypto";

import { isDigest } from "./layout.ts";

export interface Descriptor {
    digest: string;
    size: number;
    urls?: string[];
}

/** What a manifest refers to. */
export interface Manifest {
    /** Why it cannot be read. */
    problem?: string;
    /** Whether it has the right digest, but a format that distribution 3 cannot read. */
    isUnreadable?: boolean;
    isMissing?: boolean;
    /** The manifests of an index. */
    children: Descriptor[];
    /** Layers and configuration. */
    parts: Descriptor[];
}

interface ManifestJson {
    schemaVersion?: number;
    mediaType?: string;
    config?: Descriptor | null;
    layers?: Descriptor[] | null;
    manifests?: Descriptor[] | null;
}

/** The media types of manifests that distribution reads. Without one, it reads the manifest, too. */
const mediaTypes = [
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
];

/** Reads a manifest, if its content has the digest. */
export function parseManifest(digest: string, content: Buffer | undefined): Manifest {
    const json = content && parseJson(content);
    const [algorithm = "", hash] = digest.split(":");
    const broken = (what: string, isUnreadable = false): Manifest => ({
        problem: `the manifest ${digest} ${what}`,
        isUnreadable,
        isMissing: !content,
        children: [],
        parts: [],
    });
    if (!content) {
        return broken("is missing");
    }
    if (createHash(algorithm).update(content).digest("hex") !== hash) {
        return broken("does not match its digest");
    }
    if (!json) {
        return broken("is not JSON", true);
    }
    if (json.schemaVersion !== 2) {
        return broken(`has schema version ${json.schemaVersion}, which distribution 3 does not support`, true);
    }
    if (json.mediaType && !mediaTypes.includes(json.mediaType)) {
        return broken(`has the media type "${json.mediaType}", which distribution 3 does not support`, true);
    }
    const children = json.manifests ?? [];
    const parts = [...(json.config ? [json.config] : []), ...(json.layers ?? [])];
    if (![...children, ...parts].every(isDescriptor)) {
        return broken("refers to something without a digest");
    }
    // Layers with URLs, as in old images of Windows, are downloaded from there, and need not be here.
    return { children: children.map(shorten), parts: parts.filter(({ urls }) => !urls?.length).map(shorten) };
}

/** Without annotations and the like, as tens of thousands are kept. */
const shorten = ({ digest, size }: Descriptor) => ({ digest, size });

function parseJson(content: Buffer): ManifestJson | undefined {
    try {
        const json = JSON.parse(content.toString()) as unknown;
        return typeof json === "object" && json !== null ? json : undefined;
    } catch {
        return undefined;
    }
}

const isDescriptor = (value: unknown) =>
    typeof value === "object" && value !== null && isDigest(String((value as Partial<Descriptor>).digest));
