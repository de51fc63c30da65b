import { execFile } from "node:child_process";

/** What a command printed, and how it ended. */
export interface Result {
    code: number;
    stdout: string;
    stderr: string;
}

/** Where and how a command runs: in the folder and with the environment of the tests if not given. */
export interface Options {
    input?: string;
    cwd?: string;
    env?: Record<string, string>;
}

/** Runs a command to its end, whatever that is. */
export function attempt(command: string, args: string[], { input, cwd, env }: Options = {}): Promise<Result> {
    return new Promise((resolve, reject) => {
        const child = execFile(command, args, { cwd, env, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
            if (error && typeof error.code !== "number") {
                reject(new Error(`${command} did not run`, { cause: error }));
            } else {
                resolve({ code: Number(error?.code ?? 0), stdout, stderr });
            }
        });
        // A command may end without reading what it is given.
        child.stdin?.on("error", () => undefined).end(input ?? "");
    });
}

/** Runs a command that has to succeed; gives back what it printed. */
export async function run(command: string, args: string[], options?: Options): Promise<string> {
    const { code, stdout, stderr } = await attempt(command, args, options);
    if (code !== 0) {
        // Further arguments may hold a password.
        throw new Error(`${[command, ...args.slice(0, 2)].join(" ")} … ended with ${code}:\n${stdout}\n${stderr}`);
    }
    return stdout;
}

/** Tries until what it looks for is so, for `seconds` at the most. */
export async function eventually<T>(seconds: number, look: () => Promise<T | undefined | false>): Promise<T> {
    const end = Date.now() + seconds * 1000;
    let last: unknown;
    while (Date.now() < end) {
        try {
            const found = await look();
            if (found) {
                return found;
            }
        } catch (error) {
            last = error;
        }
        await new Promise((resolve) => setTimeout(resolve, 500));
    }
    throw new Error(`not so within ${seconds} s`, { cause: last });
}
