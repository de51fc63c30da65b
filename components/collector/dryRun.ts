import { execFile } from "node:child_process";
import { promisify } from "node:util";

/** How many lines of an error are shown. */
const errorLines = 5;

/**
 * Runs `registry garbage-collect --dry-run`. Returns the digests of the blobs that distribution would delete.
 *
 * @param registry the path of distribution's program
 * @param config the path of its configuration
 * @throws with the end of its output if it fails; with the signal's reason if that killed it
 */
export async function runDryRun(
    { registry, config, deleteUntagged }: { registry: string; config: string; deleteUntagged: boolean },
    signal: AbortSignal,
): Promise<string[]> {
    signal.throwIfAborted();
    const flags = deleteUntagged ? ["--delete-untagged"] : [];
    const env = { ...process.env, OTEL_TRACES_EXPORTER: "none" };
    const options = { env, signal, killSignal: "SIGKILL", maxBuffer: Infinity } as const;
    const run = promisify(execFile)(registry, ["garbage-collect", "--dry-run", ...flags, config], options);
    const { stdout } = await run.catch(
        ({ code, stdout = "", stderr = "" }: { code?: number | string; stdout?: string; stderr?: string }) => {
            signal.throwIfAborted();
            const end = stderr.trimEnd().split("\n").slice(-errorLines).join("\n");
            // Its error names no repository, and often no object. It was reading what it named last, or the next one.
            const last = stdout.trimEnd().split("\n").at(-1);
            const place = last ? `\nThe last line before that: ${last.trimEnd()}` : "";
            throw new Error(`registry garbage-collect --dry-run ended with ${code}:\n${end}${place}`);
        },
    );
    return [...stdout.matchAll(/^blob eligible for deletion: (\S+)$/gm)].map(([, digest = ""]) => digest);
}
