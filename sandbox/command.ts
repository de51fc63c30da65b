import { spawn } from "node:child_process";
import * as fs from "node:fs";

export interface CommandOptions {
    /** What the command does, as an error begins: "Building minio". */
    what: string;
    /** The file its output is appended to. */
    log: string;
    cwd?: string;
    /** Variables set besides those of this process. */
    env?: Record<string, string>;
}

/**
 * Runs a command and returns its standard output. Its output goes to the log; if it fails, the
 * error says what failed, the command as one would type it, its last lines and where the log is.
 */
export function run(command: string[], options: CommandOptions): Promise<string> {
    const [file, ...args] = command as [string, ...string[]];
    let stdout = "";
    let output = "";
    return new Promise((resolve, reject) => {
        const fail = (why: string) => reject(new Error(formatFailure(command, options, why, output)));
        const child = spawn(file, args, {
            cwd: options.cwd,
            env: { ...process.env, ...options.env },
            stdio: ["ignore", "pipe", "pipe"],
        });
        const keep = (text: string) => {
            output += text;
            fs.appendFileSync(options.log, text);
        };
        child.stdout
            .setEncoding("utf8")
            .on("data", (text: string) => (stdout += text))
            .on("data", keep);
        child.stderr.setEncoding("utf8").on("data", keep);
        child.on("error", (error) => fail(error.message));
        child.on("close", (code, signal) => (code === 0 ? resolve(stdout) : fail(signal ?? `exit code ${code}`)));
    });
}

/** The text of the error of a failed command. */
export function formatFailure(command: string[], options: CommandOptions, why: string, output: string): string {
    const quoted = [...Object.entries(options.env ?? {}).map(([name, value]) => `${name}=${value}`), ...command].map(
        (word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`),
    );
    const lines = output.trimEnd().split("\n").slice(-20);
    return [
        `${options.what} failed (${why}). The command:`,
        `  ${options.cwd ? `cd ${options.cwd} && ` : ""}${quoted.join(" ")}`,
        "Its last lines:",
        ...lines.map((line) => `  ${line}`),
        `All of its output: ${options.log}`,
    ].join("\n");
}
