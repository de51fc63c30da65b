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

/** A bucket, to read and to delete from. */
export interface Bucket {
    /** The bytes of each object whose key begins so, by what comes after that. */
    list(prefix: string): Promise<Map<string, number>>;
    /** An object's content; undefined if it is not there. */
    get(key: string): Promise<Buffer | undefined>;
    /** An object's bytes; undefined if it is not there. */
    size(key: string): Promise<number | undefined>;
    delete(key: string): Promise<void>;
}

/** Milliseconds until a request that failed is made again, as Minio may be busy or start anew. */
const retryDelays = [500, 1000, 2000, 4000, 8000];

/**
 * The bucket that a registry's configuration names.
 *
 * @param stop ends all requests
 */
export function openBucket({ accesskey, secretkey, region, bucket, regionendpoint, secure }: S3Parameters, stop?: AbortSignal): Bucket {
    const client = new AwsClient({ accessKeyId: accesskey, secretAccessKey: secretkey, region, service: "s3", retries: 0 });
    const base = `${secure ? "https" : "http"}://${regionendpoint}/${bucket}`;

    /** @throws on any answer but success, and 404 */
    const attempt = async (method: string, query: string): Promise<Response | undefined> => {
        const response = await client.fetch(`${base}${query}`, { method, signal: stop });
        if (response.ok || response.status === 404) {
            return response.ok ? response : undefined;
        }
        const [, code = ""] = /<Code>(.*?)<\/Code>/.exec(await response.text()) ?? [];
        throw new Error(`The bucket answers ${response.status} ${code} to ${method} ${query}.`);
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
            const sizes = new Map<string, number>();
            for (let after: string | undefined = ""; after !== undefined;) {
                const page = await request("GET", `?${new URLSearchParams({ "list-type": "2", prefix, ...(after && { "continuation-token": after }) }).toString()}`);
                if (!page) {
                    throw new Error(`There is no bucket "${bucket}".`);
                }
                const xml = await page.text();
                // What distribution names its objects needs no escape in XML.
                for (const [, key, size] of xml.matchAll(/<Contents>.*?<Key>(.*?)<\/Key>.*?<Size>(\d+)<\/Size>.*?<\/Contents>/gs)) {
                    sizes.set(key!.slice(prefix.length), Number(size));
                }
                after = /<IsTruncated>true</.test(xml) ? /<NextContinuationToken>(.*?)</.exec(xml)![1]! : undefined;
            }
            return sizes;
        },
        async get(key) {
            const response = await request("GET", object(key));
            return response && Buffer.from(await response.arrayBuffer());
        },
        async size(key) {
            const response = await request("HEAD", object(key));
            return response && Number(response.headers.get("content-length"));
        },
        async delete(key) {
            await request("DELETE", object(key));
        },
    };
}
