import { setMaxListeners } from "node:events";

import { AwsClient } from "aws4fetch";

import { BucketError, RefusedDeletionError } from "./errors.ts";
import { type BucketClient, type Clock, deletionSeconds, type ListedObject } from "./ports.ts";
import { retry } from "./retry.ts";

/** The bucket in the registry's configuration. */
export interface S3Parameters {
    accesskey: string;
    secretkey: string;
    region: string;
    bucket: string;
    regionendpoint: string;
    secure: boolean;
}

/** Requests other than deletions are tried so often, as MinIO may be busy or restart. */
const attempts = 6;
/** Milliseconds before the second attempt; before each further one they double. */
const firstDelay = 500;
/** With these statuses, a server says that it does not carry out a deletion, and will not do so next time. */
const refusals = [401, 403, 405, 501];

/** A bucket in MinIO, or in another server with the S3 API. */
export class S3Client implements BucketClient {
    hasVersions = false;
    private readonly clock: Clock;
    private readonly stop: AbortSignal;
    private readonly client: AwsClient;
    private readonly url: string;

    /** @param stop ends all requests but deletions */
    constructor(parameters: S3Parameters, clock: Clock, stop: AbortSignal) {
        const { accesskey, secretkey, region, bucket, regionendpoint, secure } = parameters;
        // Node 20 removes a request's listener only when it collects that request, and warns of more than 1500.
        setMaxListeners(0, stop);
        this.clock = clock;
        this.stop = stop;
        const credentials = { accessKeyId: accesskey, secretAccessKey: secretkey };
        this.client = new AwsClient({ ...credentials, region, service: "s3" });
        this.url = `${secure ? "https" : "http"}://${regionendpoint}/${bucket}`;
    }

    async list(prefix: string): Promise<Map<string, ListedObject>> {
        const objects = new Map<string, ListedObject>();
        let next: Record<string, string> | undefined = {};
        while (next) {
            const query = { "list-type": "2", prefix, ...next };
            const path = `?${new URLSearchParams(query).toString()}`;
            const xml = await this.request("GET", path, (response) => response.text());
            if (xml === undefined) {
                throw new BucketError(`The bucket ${this.url} does not exist.`);
            }
            const before = objects.size;
            let last = "";
            for (const [object] of xml.matchAll(/<Contents>.*?<\/Contents>/gs)) {
                last = element(object, "Key");
                objects.set(last.slice(prefix.length), {
                    bytes: Number(element(object, "Size")),
                    written: new Date(element(object, "LastModified")),
                    etag: element(object, "ETag"),
                });
            }
            next = nextPage(xml, objects.size > before ? last : undefined);
        }
        return objects;
    }

    get(key: string): Promise<Buffer | undefined> {
        return this.request("GET", pathOf(key), async (response) => Buffer.from(await response.arrayBuffer()));
    }

    size(key: string): Promise<number | undefined> {
        return this.request("HEAD", pathOf(key), ({ headers }) => Number(headers.get("content-length")));
    }

    async delete(key: string, assertMayDelete: () => void): Promise<void> {
        await this.attempt("DELETE", pathOf(key), AbortSignal.timeout(deletionSeconds * 1000), assertMayDelete);
    }

    /** Sends a request and reads the response, if need be several times. Returns undefined for 404. */
    private request<T>(
        method: string,
        path: string,
        read: (response: Response) => T | Promise<T>,
    ): Promise<T | undefined> {
        const delay = (attempt: number) => firstDelay * 2 ** (attempt - 1);
        return retry(this.clock, { attempts, delay, signal: this.stop }, async () => {
            const response = await this.attempt(method, path, this.stop);
            return response && this.read(response, read);
        });
    }

    private async read<T>(response: Response, read: (response: Response) => T | Promise<T>): Promise<T> {
        try {
            return await read(response);
        } catch {
            this.stop.throwIfAborted();
            throw new BucketError(`The connection to the bucket at ${this.url} ended in the middle of a response.`);
        }
    }

    /** Returns undefined for 404. @throws an error for any other response that is not a success */
    private async attempt(
        method: string,
        path: string,
        signal: AbortSignal,
        assertMaySend = () => {},
    ): Promise<Response | undefined> {
        const signed = await this.client.sign(`${this.url}${path}`, { method });
        assertMaySend();
        const response = await fetch(signed, { signal }).catch(
            ({ message, cause }: Error & { cause?: { code?: string; message?: string } }) => {
                this.stop.throwIfAborted();
                const reason = cause?.code ?? cause?.message ?? message;
                throw new BucketError(`The bucket does not respond at ${this.url}: ${reason}`);
            },
        );
        // The versioning of the bucket itself is nothing that the registry's key may read.
        this.hasVersions ||= (response.headers.get("x-amz-version-id") ?? "null") !== "null";
        if (response.ok || response.status === 404) {
            return response.ok ? response : undefined;
        }
        const [, code = ""] = /<Code>(.*?)<\/Code>/.exec(await response.text()) ?? [];
        const message = `The bucket responds ${response.status} ${code} to ${method} ${this.url}${path}.`;
        throw method === "DELETE" && refusals.includes(response.status)
            ? new RefusedDeletionError(`${message} The registry's access key must be allowed to delete objects.`)
            : new BucketError(message);
    }
}

const pathOf = (key: string) => `/${key.split("/").map(encodeURIComponent).join("/")}`;

/**
 * The query for the next page; undefined after the last one. A list that was cut off would lack links, so blobs would
 * look like garbage: after the last page, the server is asked once more what follows.
 *
 * @param last the last key of the page; undefined if the page has no new one
 * @throws BucketError if the page is not whole
 */
function nextPage(xml: string, last: string | undefined): Record<string, string> | undefined {
    if (!xml.includes("<ListBucketResult") || !xml.trimEnd().endsWith("</ListBucketResult>")) {
        throw new BucketError("The bucket responds with something else than a list of its objects.");
    }
    if (xml.includes("<NextContinuationToken>") || xml.includes("<IsTruncated>true<")) {
        return { "continuation-token": element(xml, "NextContinuationToken") };
    }
    return last === undefined ? undefined : { "start-after": last };
}

/** The text of an element. The keys that distribution writes need no escapes in XML. */
function element(xml: string, name: string): string {
    const [, text] = new RegExp(`<${name}>(.*?)</`).exec(xml) ?? [];
    if (text === undefined) {
        throw new BucketError(`The list of the bucket has no <${name}>.`);
    }
    // A copy: a substring would keep the whole page in memory.
    return Buffer.from(text).toString();
}
