import { deleteCommand } from "./findings.ts";
import { blobKey, isDigest, isLink, type Layout, type LinkFolder, linkId, linkKey } from "./layout.ts";
import { type Descriptor, type Manifest, parseManifest } from "./manifest.ts";
import type { BucketReader } from "./ports.ts";

/** A manifest with all that it refers to: the manifests of an index, layers and configurations. */
export interface Image {
    repository: string;
    purpose: Purpose;
    /** The bytes of each of its manifests and blobs, by digest. */
    sizes: Map<string, number>;
    /** The number of its manifests. */
    manifests: number;
    /** Why a client cannot pull it, a sentence for each reason. */
    problems: string[];
    /** What is odd, and stops only its own repository: manifests that distribution cannot read, or that are missing. */
    notes: string[];
    /** Whether its own manifest is missing. */
    isMissing: boolean;
    /** Whether one of its manifests is broken, so that nobody knows what that needs. */
    isUnknown: boolean;
}

/** Why a manifest is followed: its image is retained, only described, or spared whatever its problems are. */
type Purpose = "retain" | "describe" | "spare";

/** Follows manifests as the registry would, and notes what they need. */
export class ManifestWalker {
    /** The digests of all that retained manifests refer to, and of these. */
    readonly needed = new Set<string>();
    /** The digests of blobs that are retained although distribution does not see that a manifest needs them. */
    readonly spared = new Set<string>();
    /** The repositories of which all blobs are retained, as nobody knows what is needed there. */
    readonly sparedRepositories = new Set<string>();
    /** The links of all manifests that were followed, as `repository@digest`. */
    readonly visited = new Set<string>();
    /** Of these, the links of manifests that are retained, and that distribution can read. */
    readonly readable = new Set<string>();
    private readonly bucket: BucketReader;
    private readonly layout: Layout;
    private readonly manifests = new Map<string, Promise<Manifest>>();

    /** @param layout gets the sizes of blobs that are newer than it */
    constructor(bucket: BucketReader, layout: Layout) {
        this.bucket = bucket;
        this.layout = layout;
    }

    /** @param digest of a manifest; one to retain must be linked in the repository */
    async walk(repository: string, digest: string, purpose: Purpose): Promise<Image> {
        const image = makeImage(repository, purpose);
        await this.visit(image, digest);
        return image;
    }

    /** Whether a repository has a layer or manifest. */
    async isLinked({ repository }: Pick<Image, "repository">, folder: LinkFolder, digest: string): Promise<boolean> {
        return (
            this.layout.linked[folder].has(linkId(repository, digest)) ||
            isLink(folder, await this.bucket.size(linkKey(repository, folder, digest)))
        );
    }

    private async visit(image: Image, digest: string): Promise<void> {
        const stored = await this.resolve(image, "_manifests/revisions", digest);
        if (image.sizes.has(stored)) {
            return;
        }
        const manifest = await this.read(stored);
        this.add(image, stored, this.layout.blobs.get(stored) ?? 0, stored === digest && !manifest.problem);
        image.manifests++;
        if (image.purpose !== "spare") {
            this.visited.add(linkId(image.repository, digest));
        }
        this.describeProblem(image, digest, manifest);
        if (image.purpose === "retain" && !manifest.problem && this.isSeen(image)) {
            this.readable.add(linkId(image.repository, digest));
        }
        const { children, parts } = manifest;
        // An index may refer to layers: BuildKit kept its cache so.
        const layers = [...parts, ...children.filter((child) => this.isLayer(image, child))];
        for (const layer of layers) {
            await this.checkLayer(image, layer);
        }
        for (const child of children.filter(({ digest }) => !image.sizes.has(digest))) {
            await this.visitChild(image, digest, child.digest);
        }
    }

    private async visitChild(image: Image, index: string, digest: string): Promise<void> {
        const { repository, purpose } = image;
        if (purpose === "spare" || (await this.isLinked(image, "_manifests/revisions", digest))) {
            return this.visit(image, digest);
        }
        if (purpose === "describe") {
            return;
        }
        image.notes.push(
            `the manifest ${digest} of an index is not in this repository: it was deleted, or never copied. ` +
                `Until you push it or delete the index, no blob of ${repository} is deleted. ` +
                `To delete the index: ${deleteCommand(repository, index)}`,
        );
        this.sparedRepositories.add(repository);
        // Its blob may still exist, if its link was lost.
        await this.walk(repository, digest, "spare");
    }

    private describeProblem(image: Image, digest: string, { problem, isUnreadable, isMissing }: Manifest): void {
        const { repository, purpose } = image;
        // What is spared may be left of a deletion.
        if (!problem || (purpose === "spare" && isMissing)) {
            return;
        }
        if (isUnreadable) {
            const until = purpose === "retain" ? ` Until you delete it, no blob of ${repository} is deleted.` : "";
            image.notes.push(`${problem}.${until} To delete it: ${deleteCommand(repository, digest)}`);
        } else {
            image.problems.push(problem);
            image.isUnknown = true;
        }
        image.isMissing ||= image.manifests === 1 && isMissing === true;
        // Nobody knows what it needs.
        if (purpose === "retain") {
            this.sparedRepositories.add(repository);
        }
    }

    private async checkLayer(image: Image, { digest, size }: Descriptor): Promise<void> {
        const stored = await this.resolve(image, "_layers", digest);
        if (image.sizes.has(stored)) {
            return;
        }
        this.add(image, stored, size, stored === digest);
        const found = await this.sizeOf(stored);
        if (found === undefined) {
            image.problems.push(`the layer ${digest} is missing`);
        } else if (found !== size) {
            image.problems.push(`the layer ${digest} has ${found} bytes, not ${size}`);
        } else if (image.purpose !== "spare" && !(await this.isLinked(image, "_layers", digest))) {
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

    /** @param isVisible whether distribution sees that it is needed: its dry run follows no links of other digests */
    private add(image: Image, stored: string, bytes: number, isVisible: boolean): void {
        image.sizes.set(stored, bytes);
        if (image.purpose === "retain" && isVisible && this.isSeen(image)) {
            this.needed.add(stored);
        } else if (image.purpose !== "describe") {
            this.spared.add(stored);
        }
    }

    /** Whether distribution sees the image's repository. */
    private isSeen({ repository }: Image): boolean {
        return !this.layout.oddRepositories.has(repository);
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
}

/** An image whose manifest was not read yet. */
export const makeImage = (repository: string, purpose: Purpose): Image => ({
    repository,
    purpose,
    sizes: new Map(),
    manifests: 0,
    problems: [],
    notes: [],
    isMissing: false,
    isUnknown: false,
});
