import { spawn } from "node:child_process";

import { descendants } from "./processes";

function kill(pid: number): void {
    try {
        process.kill(pid, "SIGKILL");
    } catch {
        // It has already exited.
    }
}

/**
 * Runs `pulumi up`, and sends it a signal as soon as it prints a certain line. SIGKILL also kills its plugins, which would
 * otherwise keep running.
 *
 * @returns the line, or undefined if the update succeeded: it never printed the line, or ended before the signal
 */
export const interruptUp = (at: (line: string) => boolean, signal: "SIGINT" | "SIGKILL", stack = "sandbox") =>
    interrupt(
        ["pulumi", "up", "--yes", "--skip-preview", "--stack", stack, "--non-interactive", "--color", "never"],
        at,
        signal,
    );

/** Runs a command like `interruptUp`. SIGKILL also kills the commands that it started. */
export function interrupt(
    [command = "", ...args]: string[],
    at: (line: string) => boolean,
    signal: "SIGINT" | "SIGKILL",
    env = process.env,
): Promise<string | undefined> {
    return new Promise((resolve, reject) => {
        const child = spawn(command, args, { env });
        let output = "",
            found: string | undefined;
        for (const stream of [child.stdout, child.stderr]) {
            stream.on("data", (chunk: Buffer) => {
                output += chunk.toString();
                found ??= output.split("\n").slice(0, -1).find(at);
                if (found === undefined || child.killed) {
                    return;
                }
                if (signal === "SIGKILL") {
                    // Stops the command, so that it does not go on while its children are found.
                    process.kill(child.pid!, "SIGSTOP");
                    descendants(String(child.pid)).map(Number).forEach(kill);
                }
                child.kill(signal);
            });
        }
        child.on("error", reject);
        child.on("close", (code) => {
            if (code === 0) {
                resolve(undefined);
            } else if (found !== undefined) {
                resolve(found);
            } else {
                reject(new Error(`the command failed before it could be interrupted:\n${output}`));
            }
        });
    });
}
