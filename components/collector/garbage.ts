import { spawn } from "node:child_process";
import * as readline from "node:readline";

import type { Bucket } from "./bucket.ts";
import { blobKey, type Contents } from "./contents.ts";
import { forEach } from "./forEach.ts";

/** How distribution finds garbage. */
export interface Search {
    /** The program. */
    registry: string;
    /** The file with its configuration. */
    config: string;
    deleteUntagged: boolean;
}

/**
 * The blobs that `registry garbage-collect` would delete.
 *
 * @throws with its last words if it fails, and the reason of the signal if that killed it
 */
export async function findGarbage({ registry, config, deleteUntagged }: Search, signal: AbortSignal): Promise<string[]> {
    signal.throwIfAborted();
    const child = spawn(registry, ["garbage-collect", "--dry-run", ...(deleteUntagged ? ["--delete-untagged"] : []), config], {
        env: { ...process.env, OTEL_TRACES_EXPORTER: "none" },
        stdio: ["ignore", "pipe", "pipe"],
        signal,
        killSignal: "SIGKILL",
    });
    const garbage: string[] = [];
    readline.createInterface({ input: child.stdout }).on("line", (line) => {
        const [, digest] = /^blob eligible for deletion: (\S+)$/.exec(line) ?? [];
        if (digest) {
            garbage.push(digest);
        }
    });
    const lastWords: string[] = [];
    readline.createInterface({ input: child.stderr }).on("line", (line) => {
        lastWords.push(line);
        lastWords.splice(0, lastWords.length - 5);
    });
    const code = await new Promise<number | null>((resolve) => {
        // Its end is told by "close", after all that it wrote.
        child.on("error", (error) => lastWords.push(String(error)));
        child.on("close", resolve);
    });
    signal.throwIfAborted();
    if (code !== 0) {
        throw new Error(`registry garbage-collect --dry-run ended with ${code}:\n${lastWords.join("\n")}`);
    }
    return garbage;
}

/**
 * Deletes blobs, and all by which a repository knows them: first as manifests, so that none is left that leads nowhere; last as layers,
 * which may well do so.
 *
 * @param assertMay is asked before each object, and throws if no more may be deleted
 */
export async function deleteGarbage(bucket: Bucket, garbage: string[], { links }: Contents, assertMay: () => void): Promise<void> {
    await forEach(garbage, async (digest) => {
        const { manifests, layers } = links.get(digest) ?? { manifests: [], layers: [] };
        for (const key of [...manifests, blobKey(digest), ...layers]) {
            assertMay();
            await bucket.delete(key);
        }
    });
}
