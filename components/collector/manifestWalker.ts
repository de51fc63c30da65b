import { blobKey, isDigest, type Layout, type LinkFolder, linkId, linkKey } from "./layout.ts";
import { type Descriptor, type Manifest, parseManifest } from "./manifest.ts";
import type { Bucket } from "./ports.ts";

/** A manifest with all that it refers to: the manifests of an index, layers and configurations. */
export interface Image {
    repository: string;
    /** Whether it is retained. */
    isNeeded: boolean;
    /** The bytes of each of its manifests and blobs, by digest. */
    sizes: Map<string, number>;
    /** The number of its manifests. */
    manifests: number;
    /** Why a client cannot pull it, a sentence for each reason. */
    problems: string[];
}

/** Follows manifests as the registry would, and notes what they need. */
export class ManifestWalker {
    /** The digests of all that retained manifests refer to, and of these. */
    readonly needed = new Set<string>();
    /** The digests of blobs that are retained although distribution does not see that a manifest needs them. */
    readonly spared = new Set<string>();
    /** The links of all manifests that were followed, as `repository@digest`. */
    readonly visited = new Set<string>();
    private readonly bucket: Bucket;
    private readonly layout: Layout;
    private readonly manifests = new Map<string, Promise<Manifest>>();

    /** @param layout gets the sizes of blobs that are newer than it */
    constructor(bucket: Bucket, layout: Layout) {
        this.bucket = bucket;
        this.layout = layout;
    }

    /** @param isNeeded whether the manifest is retained */
    async walk(repository: string, digest: string, isNeeded: boolean): Promise<Image> {
        const image: Image = { repository, isNeeded, sizes: new Map(), manifests: 0, problems: [] };
        await this.visit(image, digest);
        return image;
    }

    private async visit(image: Image, digest: string): Promise<void> {
        const stored = await this.resolve(image, "_manifests/revisions", digest);
        if (image.sizes.has(stored)) {
            return;
        }
        this.add(image, digest, stored, this.layout.blobs.get(stored) ?? 0);
        image.manifests++;
        this.visited.add(linkId(image.repository, digest));
        const { problem, children, parts } = await this.read(stored);
        if (problem) {
            image.problems.push(problem);
        }
        if (!(await this.isLinked(image, "_manifests/revisions", digest))) {
            image.problems.push(`the manifest ${digest} is not linked in this repository`);
        }
        // An index may refer to layers: BuildKit kept its cache so.
        const layers = [...parts, ...children.filter((child) => this.isLayer(image, child))];
        for (const layer of layers) {
            await this.checkLayer(image, layer);
        }
        for (const child of children) {
            await this.visit(image, child.digest);
        }
    }

    private async checkLayer(image: Image, { digest, size }: Descriptor): Promise<void> {
        const stored = await this.resolve(image, "_layers", digest);
        if (image.sizes.has(stored)) {
            return;
        }
        this.add(image, digest, stored, size);
        const found = await this.sizeOf(stored);
        if (found === undefined) {
            image.problems.push(`the layer ${digest} is missing`);
        } else if (found !== size) {
            image.problems.push(`the layer ${digest} has ${found} bytes, not ${size}`);
        } else if (!(await this.isLinked(image, "_layers", digest))) {
            image.problems.push(`the layer ${digest} is not linked in this repository`);
        }
    }

    /** Distribution stores everything by its sha256. If a client uses another digest, a link has that. */
    private async resolve({ repository }: Image, folder: LinkFolder, digest: string): Promise<string> {
        if (digest.startsWith("sha256:")) {
            return digest;
        }
        const target = await this.bucket.get(linkKey(repository, folder, digest));
        return target && isDigest(target.toString()) ? target.toString() : digest;
    }

    private add(image: Image, digest: string, stored: string, bytes: number): void {
        image.sizes.set(stored, bytes);
        if (image.isNeeded) {
            // Distribution's dry run does not follow links of other digests.
            (stored === digest ? this.needed : this.spared).add(stored);
        }
    }

    private read(digest: string): Promise<Manifest> {
        const manifest =
            this.manifests.get(digest) ??
            this.bucket.get(blobKey(digest)).then((content) => parseManifest(digest, content));
        this.manifests.set(digest, manifest);
        return manifest;
    }

    private isLayer({ repository }: Image, { digest }: Descriptor): boolean {
        const { linked } = this.layout;
        const id = linkId(repository, digest);
        return linked._layers.has(id) && !linked["_manifests/revisions"].has(id);
    }

    /** What is not in the list of the bucket may be newer than it. */
    private async sizeOf(digest: string): Promise<number | undefined> {
        const size = this.layout.blobs.get(digest) ?? (await this.bucket.size(blobKey(digest)));
        if (size !== undefined) {
            this.layout.blobs.set(digest, size);
        }
        return size;
    }

    private async isLinked({ repository }: Image, folder: LinkFolder, digest: string): Promise<boolean> {
        return (
            this.layout.linked[folder].has(linkId(repository, digest)) ||
            ((await this.bucket.size(linkKey(repository, folder, digest))) ?? 0) > 0
        );
    }
}
