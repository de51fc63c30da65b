import { isBlobKey, isTagKey, root } from "./layout.ts";
import type { BucketReader, Clock, ListedObject } from "./ports.ts";

interface CachedContent {
    content: Buffer;
    /** Of a tag's link, which can change: its version when the bucket was listed before it was read. */
    version?: string;
}

/**
 * A bucket that is read several times. Manifests are immutable by their digest, and are read once. The link of a tag
 * is read again if a list shows that it was written since.
 */
export class CachedBucket implements BucketReader {
    /** How long the last list took. */
    listMilliseconds = 0;
    private readonly bucket: BucketReader;
    private readonly clock: Clock;
    private readonly contents = new Map<string, CachedContent>();
    /** The versions of tags' links in the last list. */
    private versions = new Map<string, string>();

    constructor(bucket: BucketReader, clock: Clock) {
        this.bucket = bucket;
        this.clock = clock;
    }

    get hasVersions(): boolean {
        return this.bucket.hasVersions;
    }

    async list(prefix: string): Promise<Map<string, ListedObject>> {
        const began = this.clock.now();
        const objects = await this.bucket.list(prefix);
        this.listMilliseconds = this.clock.now() - began;
        const versions = new Map<string, string>();
        for (const [key, { written, etag }] of objects) {
            if (isTagKey(key)) {
                // Both, as a tag may be moved and moved back between two lists.
                versions.set(prefix + key, `${written.getTime()} ${etag}`);
            }
        }
        this.versions = versions;
        for (const [key, { version }] of this.contents) {
            const isCurrent =
                version === undefined ? objects.has(key.slice(prefix.length)) : versions.get(key) === version;
            if (!isCurrent) {
                this.contents.delete(key);
            }
        }
        return objects;
    }

    async get(key: string): Promise<Buffer | undefined> {
        const cached = this.contents.get(key);
        if (cached) {
            return cached.content;
        }
        const version = this.versions.get(key);
        const content = await this.bucket.get(key);
        if (content && (version !== undefined || isBlobKey(key.slice(root.length)))) {
            this.contents.set(key, { content, version });
        }
        return content;
    }

    size(key: string): Promise<number | undefined> {
        return this.bucket.size(key);
    }
}
