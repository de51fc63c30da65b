import { spawn } from "node:child_process";
import * as fs from "node:fs";

export interface CommandOptions {
    /** What the command does, to begin an error with. Example: `Building minio`. */
    what: string;
    /** The file that its output is appended to. */
    log: string;
    cwd?: string;
    /** Environment variables in addition to those of this process. */
    env?: Record<string, string>;
}

/**
 * Runs a command and returns its standard output. The whole output goes to the log.
 *
 * @throws an error with the command as a user would type it, its last lines and the path of the log
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

/** Formats the error of a failed command. */
export function formatFailure(command: string[], options: CommandOptions, why: string, output: string): string {
    const quoted = [...Object.entries(options.env ?? {}).map(([name, value]) => `${name}=${value}`), ...command].map(
        (word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`),
    );
    const lines = output.trimEnd().split("\n").slice(-20);
    return [
        `${options.what} failed (${why}). The command was:`,
        `  ${options.cwd ? `cd ${options.cwd} && ` : ""}${quoted.join(" ")}`,
        "The last lines of its output:",
        ...lines.map((line) => `  ${line}`),
        `The whole output: ${options.log}`,
    ].join("\n");
}
