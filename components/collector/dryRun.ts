import { type ChildProcess, spawn } from "node:child_process";
import * as readline from "node:readline";

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
    const child = spawn(registry, ["garbage-collect", "--dry-run", ...flags, config], {
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
    const errors: string[] = [];
    readline.createInterface({ input: child.stderr }).on("line", (line) => {
        errors.push(line);
        errors.splice(0, errors.length - errorLines);
    });
    const code = await exitOf(child, errors);
    signal.throwIfAborted();
    if (code !== 0) {
        throw new Error(`registry garbage-collect --dry-run ended with ${code}:\n${errors.join("\n")}`);
    }
    return garbage;
}

/** The exit status, once all output is read; null if a signal ended it. */
const exitOf = (child: ChildProcess, errors: string[]) =>
    new Promise<number | null>((resolve) => {
        child.on("error", (error) => errors.push(String(error)));
        child.on("close", resolve);
    });
