import { spawn } from "node:child_process";
import * as readline from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

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
export async function findGarbage(
    { registry, config, deleteUntagged }: Search,
    signal: AbortSignal,
): Promise<string[]> {
    signal.throwIfAborted();
    const child = spawn(
        registry,
        ["garbage-collect", "--dry-run", ...(deleteUntagged ? ["--delete-untagged"] : []), config],
        {
            env: { ...process.env, OTEL_TRACES_EXPORTER: "none" },
            stdio: ["ignore", "pipe", "pipe"],
            signal,
            killSignal: "SIGKILL",
        },
    );
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

/** A deletion was sent, and not answered: it may still be carried out. */
export class UnsettledDeletion extends Error {}

/** How often a deletion is tried. */
const tries = 20;

/**
 * Deletes blobs, and all by which a repository knows them: first as manifests, so that none is left that leads nowhere; last as layers,
 * which may well do so.
 *
 * @param assertMay is asked before each request, and throws if no more may be deleted
 * @param retryAfter milliseconds until a deletion that failed is tried again
 * @throws UnsettledDeletion if one was not answered to the last
 */
export async function deleteGarbage(
    bucket: Bucket,
    garbage: string[],
    { links }: Contents,
    assertMay: () => void,
    retryAfter = 1000,
): Promise<void> {
    const unsettled = new Set<string>();
    const remove = async (key: string) => {
        for (let left = tries; ; left--) {
            let isSent = false;
            try {
                await bucket.delete(key, () => {
                    assertMay();
                    isSent = true;
                });
                unsettled.delete(key);
                return;
            } catch (error) {
                if (isSent) {
                    unsettled.add(key);
                }
                if (!isSent || left === 1) {
                    throw error;
                }
            }
            await sleep(retryAfter);
        }
    };
    try {
        await forEach(garbage, async (digest) => {
            const { manifests, layers } = links.get(digest) ?? { manifests: [], layers: [] };
            for (const key of [...manifests, blobKey(digest), ...layers]) {
                await remove(key);
            }
        });
    } catch (error) {
        throw unsettled.size > 0
            ? new UnsettledDeletion(`A deletion was not answered. ${String(error)}`, { cause: error })
            : error;
    }
}
