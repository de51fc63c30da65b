import * as assert from "node:assert/strict";
import { createHash } from "node:crypto";

import type { BucketClient } from "../../../components/collector/ports";

export const digestOf = (content: string) => `sha256:${createHash("sha256").update(content).digest("hex")}`;

/** When all objects were written, unless a test says otherwise: more than an hour before the fake clock begins. */
const written = new Date("2026-11-25T18:15:30Z");

/** The key of a blob, without the root. */
export const keyOf = (digest: string) => `blobs/sha256/${digest.slice(7, 9)}/${digest.slice(7)}/data`;

const linkOf = (repository: string, folder: string, digest: string) =>
    `repositories/${repository}/${folder}/${digest.replace(":", "/")}/link`;

/** The keys of links to a layer and to a manifest, without the root. */
export const layerLink = (repository: string, digest: string) => linkOf(repository, "_layers", digest);
export const revisionLink = (repository: string, digest: string) => linkOf(repository, "_manifests/revisions", digest);

export interface FakeImage {
    digest: string;
    layer: string;
    config: string;
}

/** A registry's bucket, with objects as distribution writes them. */
export class FakeBucket implements BucketClient {
    hasVersions = false;
    readonly objects = new Map<string, string>();
    /** When some of them were written, by their key without the root. */
    readonly written = new Map<string, Date>();

    put(key: string, content: string) {
        this.objects.set(`docker/registry/v2/${key}`, content);
    }
    has(digest: string): boolean {
        return this.objects.has(`docker/registry/v2/${keyOf(digest)}`);
    }
    key = (digest: string) => `docker/registry/v2/${keyOf(digest)}`;
    blob(content: string): { digest: string; size: number } {
        const digest = digestOf(content);
        this.put(keyOf(digest), content);
        return { digest, size: content.length };
    }
    /** Pushes a layer by its sha512, as distribution stores it. */
    layerBySha512(repository: string, content: string): { digest: string; size: number; stored: string } {
        const { digest: stored, size } = this.blob(content);
        const digest = `sha512:${createHash("sha512").update(content).digest("hex")}`;
        for (const link of [stored, digest]) {
            this.put(layerLink(repository, link), stored);
        }
        return { digest, size, stored };
    }
    /** Pushes a manifest, and links it and its layers into the repository. */
    manifest(
        repository: string,
        body: { config?: { digest: string }; layers?: { digest: string }[] | null; manifests?: object[] | null },
    ): { digest: string; size: number } {
        const pushed = this.blob(JSON.stringify({ schemaVersion: 2, ...body }));
        for (const { digest } of [...(body.config ? [body.config] : []), ...(body.layers ?? [])]) {
            const key = layerLink(repository, digest);
            if (!this.objects.has(`docker/registry/v2/${key}`)) {
                this.put(key, digest);
            }
        }
        this.put(revisionLink(repository, pushed.digest), pushed.digest);
        return pushed;
    }
    tag(repository: string, tag: string, digest: string) {
        this.put(`repositories/${repository}/_manifests/tags/${tag}/current/link`, digest);
        this.put(`repositories/${repository}/_manifests/tags/${tag}/index/${digest.replace(":", "/")}/link`, digest);
    }
    /** Pushes an image of one layer. */
    image(repository: string, tag: string, layer: string): FakeImage {
        const [config, pushed] = [this.blob(`config of ${layer}`), this.blob(layer)];
        const { digest } = this.manifest(repository, { config, layers: [pushed] });
        this.tag(repository, tag, digest);
        return { digest, layer: pushed.digest, config: config.digest };
    }
    removeBlobs({ digest, layer, config }: FakeImage) {
        [digest, layer, config].forEach((blob) => this.remove(keyOf(blob)));
    }
    remove(key: string) {
        assert.ok(this.objects.delete(`docker/registry/v2/${key}`), key);
    }

    list = (prefix: string) =>
        Promise.resolve(
            new Map(
                [...this.objects]
                    .filter(([key]) => key.startsWith(prefix))
                    .map(([key, content]) => [
                        key.slice(prefix.length),
                        {
                            bytes: content.length,
                            written: this.written.get(key.slice(prefix.length)) ?? written,
                            etag: digestOf(content),
                        },
                    ]),
            ),
        );
    get = (key: string) => {
        const content = this.objects.get(key);
        return Promise.resolve(content === undefined ? undefined : Buffer.from(content));
    };
    size = (key: string) => Promise.resolve(this.objects.get(key)?.length);
    delete = (key: string, assertMayDelete: () => void): Promise<void> => {
        assertMayDelete();
        this.objects.delete(key);
        return Promise.resolve();
    };
}
