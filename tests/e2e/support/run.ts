import { execFile } from "node:child_process";

/** Output and exit code of a command. */
export interface Result {
    code: number;
    stdout: string;
    stderr: string;
}

/** How a command runs. Defaults to the folder and the environment of the tests. */
export interface Options {
    input?: string;
    cwd?: string;
    env?: Record<string, string>;
}

/** Runs a command, and also returns if it fails. */
export function attempt(command: string, args: string[], { input, cwd, env }: Options = {}): Promise<Result> {
    return new Promise((resolve, reject) => {
        const child = execFile(command, args, { cwd, env, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
            if (error && typeof error.code !== "number") {
                reject(new Error(`${command} could not be started`, { cause: error }));
            } else {
                resolve({ code: Number(error?.code ?? 0), stdout, stderr });
            }
        });
        // A command may exit before it has read its input.
        child.stdin?.on("error", () => undefined).end(input ?? "");
    });
}

/** Runs a command that has to succeed. Returns its standard output. */
export async function run(command: string, args: string[], options?: Options): Promise<string> {
    const { code, stdout, stderr } = await attempt(command, args, options);
    if (code !== 0) {
        // Further arguments, such as the commands of a shell, may contain a password.
        throw new Error(`${[command, ...args.slice(0, 1)].join(" ")} … exited with ${code}:\n${stdout}\n${stderr}`);
    }
    return stdout;
}

/** Repeats a check until it returns something, for at most `seconds`. Errors of the check count as nothing. */
export async function eventually<T>(look: () => Promise<T | undefined | false>, { seconds = 300 } = {}): Promise<T> {
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
    throw new Error(`the condition was not met within ${seconds} s`, { cause: last });
}
