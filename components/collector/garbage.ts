import { spawn } from "node:child_process";
import * as readline from "node:readline";

import type { Contents } from "./contents.ts";

/** What a collection deletes, or would delete. */
export interface Garbage {
    /** Digests of blobs, whichever repository had them. */
    blobs: string[];
    /** Manifests and layers of a repository, as `repository@digest`. */
    ofRepositories: string[];
}

/** How distribution's own collection is run. */
export interface Collection {
    /** The program. */
    registry: string;
    config: string;
    deleteUntagged: boolean;
    /** When it is killed at once. */
    signal: AbortSignal;
}

/**
 * Runs `registry garbage-collect` to its end, and reads what it says.
 *
 * @throws with its last words if it fails, and the reason of the signal if that killed it
 */
export async function collectGarbage({ registry, config, deleteUntagged, signal }: Collection, dryRun: boolean): Promise<Garbage> {
    signal.throwIfAborted();
    const flags = [...(dryRun ? ["--dry-run"] : []), ...(deleteUntagged ? ["--delete-untagged"] : [])];
    const child = spawn(registry, ["garbage-collect", ...flags, config], {
        env: { ...process.env, OTEL_TRACES_EXPORTER: "none" },
        stdio: ["ignore", "pipe", "pipe"],
        signal,
        killSignal: "SIGKILL",
    });
    const garbage: Garbage = { blobs: [], ofRepositories: [] };
    readline.createInterface({ input: child.stdout }).on("line", (line) => {
        const [, blob] = /^blob eligible for deletion: (\S+)$/.exec(line) ?? [];
        const [, repository, layer] = /^(\S+): layer link eligible for deletion: (\S+)$/.exec(line) ?? [];
        const [, owner, manifest] = /^manifest eligible for deletion: \{(\S+) (\S+) /.exec(line) ?? [];
        if (blob) {
            garbage.blobs.push(blob);
        } else if (repository) {
            garbage.ofRepositories.push(`${repository}@${layer}`);
        } else if (owner) {
            garbage.ofRepositories.push(`${owner}@${manifest}`);
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
        throw new Error(`registry garbage-collect ended with ${code}:\n${lastWords.join("\n")}`);
    }
    return garbage;
}

/** What a collection would delete that a tag, or another manifest that is to stay, needs. */
export function neededAmong(garbage: Garbage, { needed, neededIn }: Contents): string[] {
    return [...garbage.blobs.filter((blob) => needed.has(blob)), ...garbage.ofRepositories.filter((part) => neededIn.has(part))];
}
