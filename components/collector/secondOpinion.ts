import { PermanentError } from "./errors.ts";
import type { Inventory } from "./inventory.ts";
import { blobKey, digestOf, revisionKey } from "./layout.ts";
import type { BucketReader, Environment } from "./ports.ts";
import { bullets, count } from "./report.ts";

/** Distribution's opinion on what is garbage, by its dry run. */
export class SecondOpinion {
    private readonly bucket: BucketReader;
    private readonly askDistribution: Environment["askDistribution"];
    /** The links of the manifests that distribution has read, as `repository@digest`. */
    private readonly read = new Set<string>();

    constructor(bucket: BucketReader, askDistribution: Environment["askDistribution"]) {
        this.bucket = bucket;
        this.askDistribution = askDistribution;
    }

    /**
     * Which of the blobs distribution calls garbage. It reads only the manifests that are new since the last call, so a
     * later call can only ask about blobs that were garbage then.
     *
     * @throws PermanentError if an image needs any of these
     */
    async findGarbage(inventory: Inventory, blobs: Iterable<string>, signal: AbortSignal): Promise<Set<string>> {
        const revisions = [...inventory.revisions].filter((link) => !this.read.has(link));
        // A new index may refer to an old manifest.
        const links = new Map([...inventory.revisions].map((link) => [revisionKey(link), digestOf(link)]));
        const listed = new Map([
            ...revisions.map((link) => [revisionKey(link), digestOf(link).length] as const),
            ...[...blobs].map((digest) => [blobKey(digest), inventory.blobs.get(digest) ?? 0] as const),
        ]);
        const get = async (key: string) => {
            const digest = links.get(key);
            const isHidden = digest === undefined && key.endsWith("/link");
            // A client may have deleted a link since it was listed.
            return isHidden ? undefined : ((await this.bucket.get(key)) ?? (digest ? Buffer.from(digest) : undefined));
        };
        const found = await this.askDistribution({ listed, get }, signal);
        const wrong = found.filter((digest) => inventory.needed.has(digest));
        if (wrong.length > 0) {
            const message = `distribution would delete ${count(wrong.length, "blob")} that images need.`;
            throw new PermanentError(`Nothing was collected: ${message}${bullets(wrong)}`);
        }
        revisions.forEach((link) => this.read.add(link));
        return new Set(found);
    }
}
