import { setTimeout as sleep } from "node:timers/promises";

import { AwsClient } from "aws4fetch";

/** How the registry's configuration has its bucket. */
export interface S3Parameters {
    accesskey: string;
    secretkey: string;
    region: string;
    bucket: string;
    regionendpoint: string;
    secure: boolean;
}

/** What a list of a bucket tells of an object. */
export interface Listed {
    bytes: number;
    written: Date;
}

/** A bucket, to read and to delete from. */
export interface Bucket {
    /** The objects whose key begins so, by what comes after that. */
    list(prefix: string): Promise<Map<string, Listed>>;
    /** An object's content; undefined if it is not there. */
    get(key: string): Promise<Buffer | undefined>;
    /** An object's bytes; undefined if it is not there. */
    size(key: string): Promise<number | undefined>;
    /**
     * Tries once, for half a minute at the most, and is ended by nothing else: a request that nobody waits for may still be carried out.
     *
     * @param assertMay is asked last before the request is sent, and throws if it may not be
     */
    delete(key: string, assertMay: () => void): Promise<void>;
}

/** The bucket cannot be reached, or answers with an error. */
export class BucketError extends Error {}

/** Milliseconds until a request that failed is made again, as Minio may be busy or start anew. */
const retryDelays = [500, 1000, 2000, 4000, 8000];
/** Milliseconds until a deletion is given up. */
const deletePatience = 30_000;

/**
 * The bucket that a registry's configuration names.
 *
 * @param stop ends all requests
 */
export function openBucket(
    { accesskey, secretkey, region, bucket, regionendpoint, secure }: S3Parameters,
    stop?: AbortSignal,
): Bucket {
    const client = new AwsClient({
        accessKeyId: accesskey,
        secretAccessKey: secretkey,
        region,
        service: "s3",
        retries: 0,
    });
    const base = `${secure ? "https" : "http"}://${regionendpoint}/${bucket}`;

    /** @throws BucketError on any answer but success, and 404 */
    const attempt = async (
        method: string,
        query: string,
        signal = stop,
        assertMay = () => {},
    ): Promise<Response | undefined> => {
        const signed = await client.sign(`${base}${query}`, { method });
        assertMay();
        const response = await fetch(signed, { signal }).catch(
            (error: Error & { cause?: { code?: string; message?: string } }) => {
                stop?.throwIfAborted();
                throw new BucketError(
                    `The bucket does not answer at ${base}: ${error.cause?.code ?? error.cause?.message ?? error.message}`,
                );
            },
        );
        if (response.ok || response.status === 404) {
            return response.ok ? response : undefined;
        }
        const [, code = ""] = /<Code>(.*?)<\/Code>/.exec(await response.text()) ?? [];
        throw new BucketError(`The bucket answers ${response.status} ${code} to ${method} ${base}${query}.`);
    };
    const request = async (method: string, query: string): Promise<Response | undefined> => {
        for (const delay of retryDelays) {
            try {
                return await attempt(method, query);
            } catch {
                stop?.throwIfAborted();
                await sleep(delay);
            }
        }
        return attempt(method, query);
    };
    const object = (key: string) => `/${key.split("/").map(encodeURIComponent).join("/")}`;

    return {
        async list(prefix) {
            const objects = new Map<string, Listed>();
            for (let after: string | undefined = ""; after !== undefined;) {
                const page = await request(
                    "GET",
                    `?${new URLSearchParams({ "list-type": "2", prefix, ...(after && { "continuation-token": after }) }).toString()}`,
                );
                if (!page) {
                    throw new BucketError(`There is no bucket "${bucket}" at ${regionendpoint}.`);
                }
                const xml = await page.text();
                // What distribution names its objects needs no escape in XML.
                for (const [object] of xml.matchAll(/<Contents>.*?<\/Contents>/gs)) {
                    const [key, size, written] = ["Key", "Size", "LastModified"].map(
                        (name) => new RegExp(`<${name}>(.*?)</`).exec(object)![1]!,
                    );
                    objects.set(key!.slice(prefix.length), { bytes: Number(size), written: new Date(written!) });
                }
                after = /<IsTruncated>true</.test(xml) ? /<NextContinuationToken>(.*?)</.exec(xml)![1]! : undefined;
            }
            return objects;
        },
        async get(key) {
            const response = await request("GET", object(key));
            return response && Buffer.from(await response.arrayBuffer());
        },
        async size(key) {
            const response = await request("HEAD", object(key));
            return response && Number(response.headers.get("content-length"));
        },
        async delete(key, assertMay) {
            await attempt("DELETE", object(key), AbortSignal.timeout(deletePatience), assertMay);
        },
    };
}
