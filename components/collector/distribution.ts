import { execFile } from "node:child_process";
import { promisify } from "node:util";

import { type BucketView, serveView } from "./bucketView.ts";

/** How many lines of an error are shown. */
const errorLines = 5;

/**
 * Runs `registry garbage-collect --dry-run` against a view of the bucket. Returns the digests of the blobs that
 * distribution would delete.
 *
 * @param registry the path of distribution's program
 * @param config the path of its configuration
 * @throws with the end of its output if it fails; with the signal's reason if that killed it
 */
export async function askDistribution(
    { registry, config }: { registry: string; config: string },
    view: BucketView,
    signal: AbortSignal,
): Promise<string[]> {
    signal.throwIfAborted();
    const server = await serveView(view);
    const env = {
        ...process.env,
        OTEL_TRACES_EXPORTER: "none",
        REGISTRY_STORAGE_S3_REGIONENDPOINT: server.endpoint,
        REGISTRY_STORAGE_S3_SECURE: "false",
    };
    const options = { env, signal, killSignal: "SIGKILL", maxBuffer: Infinity } as const;
    try {
        const args = ["garbage-collect", "--dry-run", config];
        const { stdout } = await promisify(execFile)(registry, args, options);
        return [...stdout.matchAll(/^blob eligible for deletion: (\S+)$/gm)].map(([, digest = ""]) => digest);
    } catch (error) {
        signal.throwIfAborted();
        throw describeFailure(error as Failure);
    } finally {
        server.close();
    }
}

interface Failure {
    code?: number | string;
    stdout?: string;
    stderr?: string;
}

function describeFailure({ code, stdout = "", stderr = "" }: Failure): Error {
    const end = stderr.trimEnd().split("\n").slice(-errorLines).join("\n");
    // Its error names no repository, and often no object. It was reading what it named last, or the next one.
    const last = stdout.trimEnd().split("\n").at(-1);
    const place = last ? `\nThe last line before that: ${last.trimEnd()}` : "";
    return new Error(`registry garbage-collect --dry-run ended with ${code}:\n${end}${place}`);
}
