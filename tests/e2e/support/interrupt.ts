import { execFileSync, spawn } from "node:child_process";

/** A process, and all that it started and that is still under it. */
function tree(pid: number): number[] {
    let children = "";
    try {
        children = execFileSync("pgrep", ["--parent", String(pid)], { encoding: "utf8" });
    } catch {
        // There are none.
    }
    return [
        pid,
        ...children
            .split("\n")
            .filter(Boolean)
            .flatMap((child) => tree(Number(child))),
    ];
}

function kill(pid: number): void {
    try {
        process.kill(pid, "SIGKILL");
    } catch {
        // It ended by itself.
    }
}

/**
 * Runs `pulumi up`, and sends it a signal as soon as it prints a line. With SIGKILL go its plugins as well, which would stay for ever.
 *
 * @returns the line, or undefined if it never came: then the update is done
 */
export function interruptUp(
    at: (line: string) => boolean,
    signal: "SIGINT" | "SIGKILL",
    stack = "sandbox",
): Promise<string | undefined> {
    return new Promise((resolve, reject) => {
        const child = spawn("pulumi", [
            "up",
            "--yes",
            "--skip-preview",
            "--stack",
            stack,
            "--non-interactive",
            "--color",
            "never",
        ]);
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
                    // Nothing goes on while they are looked for.
                    process.kill(child.pid!, "SIGSTOP");
                    tree(child.pid!).slice(1).forEach(kill);
                }
                child.kill(signal);
            });
        }
        child.on("error", reject);
        child.on("close", (code) =>
            found !== undefined || code === 0 ? resolve(found) : reject(new Error(`it failed before:\n${output}`)),
        );
    });
}
