import * as http from "node:http";
import type { AddressInfo } from "node:net";

/** Part of a bucket, as it was when it was listed. */
export interface BucketView {
    /** The bytes of each object that a list shows, by its key. */
    listed: Map<string, number>;
    /** The content of a link or manifest, listed or not; undefined if it does not exist. */
    get(key: string): Promise<Buffer | undefined>;
}

/** A view of a bucket on loopback: a server with the part of the S3 API that distribution's dry run needs. */
export interface ViewServer {
    /** Host and port, for plain http. */
    endpoint: string;
    close(): void;
}

/** When all objects were written: nobody asks, but the list must have it. */
const written = new Date(0);

/** Serves a view under any bucket's name, until it is closed. It accepts every signature, and nothing but reading. */
export async function serveView(view: BucketView): Promise<ViewServer> {
    const keys = [...view.listed.keys()].sort();
    const server = http.createServer((request, response) => {
        const { pathname, searchParams } = new URL(request.url ?? "/", "http://localhost");
        const [, key = ""] = /^\/[^/]+\/(.+)$/.exec(decodeURIComponent(pathname)) ?? [];
        const fail = (error: unknown) => response.writeHead(500).end(String(error));
        if (request.method !== "GET" && request.method !== "HEAD") {
            response.writeHead(405).end();
        } else if (key) {
            view.get(key).then((content) => respond(response, content), fail);
        } else {
            response.setHeader("content-type", "application/xml").end(list(view, keys, searchParams));
        }
    });
    await new Promise<void>((resolve, reject) => server.on("error", reject).listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    return { endpoint: `127.0.0.1:${port}`, close: () => server.close().closeAllConnections() };
}

/** Distribution asks for the content from byte 0 on, which is all of it. */
function respond(response: http.ServerResponse, content: Buffer | undefined): void {
    if (content) {
        const headers = { "content-length": content.length, "last-modified": written.toUTCString() };
        response.writeHead(200, headers).end(content);
    } else {
        response.writeHead(404).end("<Error><Code>NoSuchKey</Code></Error>");
    }
}

/** A page of ListObjectsV2, without a delimiter. The token of the next page is the last key of this one. */
function list({ listed }: BucketView, keys: string[], query: URLSearchParams): string {
    const prefix = query.get("prefix") ?? "";
    const after = query.get("continuation-token") ?? query.get("start-after") ?? "";
    const limit = Math.min(Number(query.get("max-keys") ?? 1000), 1000);
    const first = Math.max(
        firstIndex(keys, (key) => key >= prefix),
        firstIndex(keys, (key) => key > after),
    );
    const last = firstIndex(keys, (key) => key > prefix && !key.startsWith(prefix));
    const page = keys.slice(first, Math.min(first + limit, last));
    const isTruncated = first + page.length < last;
    const contents = page.map(
        (key) =>
            `<Contents><Key>${key}</Key><Size>${listed.get(key)}</Size>` +
            `<LastModified>${written.toISOString()}</LastModified><ETag>none</ETag></Contents>`,
    );
    const token = isTruncated ? `<NextContinuationToken>${page.at(-1)}</NextContinuationToken>` : "";
    return (
        `<ListBucketResult><KeyCount>${page.length}</KeyCount><IsTruncated>${isTruncated}</IsTruncated>` +
        `${token}${contents.join("")}</ListBucketResult>`
    );
}

/** The index of the first sorted key that meets a condition, which all keys after it meet as well. */
function firstIndex(keys: string[], meets: (key: string) => boolean): number {
    let [low, high] = [0, keys.length];
    while (low < high) {
        const middle = (low + high) >> 1;
        if (meets(keys[middle] ?? "")) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}
