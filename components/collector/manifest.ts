import { createHash } from "node:crypto";

export interface Descriptor {
    digest: string;
    size: number;
    urls?: string[];
}

/** What a manifest refers to. */
export interface Manifest {
    /** Why it cannot be read. */
    problem?: string;
    /** The manifests of an index. */
    children: Descriptor[];
    /** Layers and configuration. */
    parts: Descriptor[];
}

interface ManifestJson {
    schemaVersion?: number;
    config?: Descriptor | null;
    layers?: Descriptor[] | null;
    manifests?: Descriptor[] | null;
}

/** Reads a manifest, if its content has the digest. */
export function parseManifest(digest: string, content: Buffer | undefined): Manifest {
    const broken = (what: string): Manifest => ({ problem: `the manifest ${digest} ${what}`, children: [], parts: [] });
    if (!content) {
        return broken("is missing");
    }
    const [algorithm = "", hash] = digest.split(":");
    if (createHash(algorithm).update(content).digest("hex") !== hash) {
        return broken("does not match its digest");
    }
    let json: ManifestJson;
    try {
        json = JSON.parse(content.toString()) as ManifestJson;
    } catch {
        return broken("is not JSON");
    }
    const { schemaVersion, config, layers, manifests } = json;
    if (schemaVersion !== 2) {
        return broken(`has schema version ${schemaVersion}, which distribution 3 does not support`);
    }
    // Layers with URLs, as in old images of Windows, are downloaded from there, and need not be here.
    return {
        children: manifests ?? [],
        parts: [...(config ? [config] : []), ...(layers ?? []).filter(({ urls }) => !urls?.length)],
    };
}
