import * as fs from "node:fs";
import * as path from "node:path";

import { run } from "./command";

/** A program of a Go module in `tools/`. */
export interface Program {
    name: string;
    /** The folder of the module, below `tools/`. */
    module: string;
    package: string;
    /** Go variables that the linker sets. */
    variables?: Record<string, string>;
    /** A folder whose JSON files the package embeds, as if they were in its own folder. */
    embeds?: Folder;
    /** Files that are copied to the folder of the program. */
    ships?: Shipped | Shipped[];
}

/** Files that are copied to the folder of a program. */
interface Shipped extends Folder {
    /** Copies only files with this prefix. Default: all files. */
    prefix?: string;
    /** The target, relative to the program's folder. */
    as: string;
}

/** A folder of a Go module that a module in `tools/` depends on. */
export interface Folder {
    dependency: string;
    folder: string;
}

/** The folder of this project's Go modules. */
export const modules = path.join(__dirname, "tools");

/** The flags of `go build`. Leaving out debug information (dwarf, -s, -w) makes a build an eighth faster. */
export function flags(program: Program): string[] {
    const variables = Object.entries(program.variables ?? {}).map(([name, value]) => ` -X ${name}=${value}`);
    const linker = `-ldflags=-s -w${variables.join("")}`;
    return ["-trimpath", "-buildvcs=false", "-mod=readonly", "-gcflags=all=-dwarf=false", linker];
}

/** Options to run Go in a module, independent of any Go workspace around the clone. */
const inModule = (what: string, module: string, log: string) => ({
    what,
    log,
    cwd: path.join(modules, module),
    env: { CGO_ENABLED: "0", GOWORK: "off" },
});

/** Builds a program in a scratch folder, and copies the files that it ships. Returns the folder of both. */
export async function build(program: Program, scratch: string, log: string): Promise<string> {
    const options = inModule(`Building ${program.name}`, program.module, log);
    const locate = async ({ dependency, folder }: Folder): Promise<string> => {
        const answer = await run(["go", "mod", "download", "-json", dependency], options);
        return path.join((JSON.parse(answer) as { Dir: string }).Dir, folder);
    };
    const command = ["go", "build", ...flags(program)];
    if (program.embeds) {
        const from = await locate(program.embeds);
        const to = path.join(options.cwd, program.package);
        const files = fs.readdirSync(from).filter((name) => name.endsWith(".json"));
        const replace = Object.fromEntries(files.map((name) => [path.join(to, name), path.join(from, name)]));
        const overlay = path.join(scratch, "overlay.json");
        fs.writeFileSync(overlay, JSON.stringify({ Replace: replace }));
        command.push("-overlay", overlay);
    }
    const result = path.join(scratch, "result");
    await run([...command, "-o", path.join(result, program.name), program.package], options);
    for (const shipped of [program.ships ?? []].flat())
        copyFiles(await locate(shipped), path.join(result, shipped.as), shipped.prefix);
    return result;
}

/** Copies the files of a folder, except those for Windows, and makes them writable and executable. */
export function copyFiles(from: string, to: string, prefix = ""): void {
    fs.mkdirSync(to, { recursive: true });
    for (const name of fs.readdirSync(from).filter((name) => name.startsWith(prefix) && !name.endsWith(".cmd"))) {
        fs.writeFileSync(path.join(to, name), fs.readFileSync(path.join(from, name)), { mode: 0o755 });
    }
}

/** Downloads the modules that programs need. Errors are ignored, because the build then fails with a better message. */
export async function download(module: string, programs: Program[], log: string): Promise<void> {
    const packages = programs.map((program) => program.package);
    const command = ["go", "list", "-e", "-deps", "-mod=readonly", "-f", "{{/* nothing */}}", ...packages];
    await run(command, inModule(`Downloading the modules of ${module}`, module, log)).catch(() => {});
}

/** The version of a dependency in the go.mod of a module. */
export function pinned(module: string, dependency: string): string {
    return new RegExp(`^\\s*${dependency} (\\S+)`, "m").exec(goMod(module))![1]!;
}

const goMod = (module: string) => fs.readFileSync(path.join(modules, module, "go.mod"), "utf8");

/**
 * Checks that the version of Go is new enough for a module.
 *
 * @throws an error with the required and the installed version
 */
export async function checkGo(module: string, log: string): Promise<void> {
    const wanted = /^go (\S+)$/m.exec(goMod(module))![1]!;
    const version = (cwd: string, env: Record<string, string> = {}) =>
        run(["go", "version"], { what: "Asking Go for its version", log, cwd, env }).then(
            (line) => /go(\d[\d.]*)/.exec(line)?.[1],
            () => undefined,
        );
    // In a module's folder, Go switches to the required version itself, unless GOTOOLCHAIN forbids it.
    const used = await version(path.join(modules, module));
    if (used && atLeast(used, wanted)) return;
    const installed = await version("/", { GOTOOLCHAIN: "local" });
    throw new Error(
        `Building the sandbox's tools needs Go ${wanted} or newer; ` +
            `${installed ? `this machine has Go ${installed}` : "the PATH has no go"}. ` +
            "Install it (https://go.dev/doc/install), then run make up again.",
    );
}

/** Whether a version such as 1.26.1 is `wanted` or newer. */
export function atLeast(version: string, wanted: string): boolean {
    const [have, want] = [version, wanted].map((text) => text.split(".").map(Number)) as [number[], number[]];
    const differs = [0, 1, 2].find((i) => (have[i] ?? 0) !== (want[i] ?? 0));
    return differs === undefined || (have[differs] ?? 0) > (want[differs] ?? 0);
}
