import * as fs from "node:fs";
import * as path from "node:path";

import { run } from "./command";

/** A program of a Go module of ours. */
export interface Program {
    name: string;
    /** The folder of the module, below `tools/`. */
    module: string;
    package: string;
    /** Variables that the linker sets. */
    variables?: Record<string, string>;
    /** The JSON files of this folder are embedded as if they lay in the package's own. */
    embeds?: Folder;
    /** These go beside the program. */
    ships?: Shipped | Shipped[];
}

/** The files of a folder, all or those whose names begin so, and the folder beside the program that they go into. */
interface Shipped extends Folder {
    prefix?: string;
    as: string;
}

/** A folder of a Go module that ours depends on. */
export interface Folder {
    dependency: string;
    folder: string;
}

/** The folder with our Go modules. */
export const modules = path.join(__dirname, "tools");

/** Flags of `go build`. Without what only debuggers read (dwarf, -s, -w) a build takes an eighth less. */
export function flags(program: Program): string[] {
    const variables = Object.entries(program.variables ?? {}).map(([name, value]) => ` -X ${name}=${value}`);
    const linker = `-ldflags=-s -w${variables.join("")}`;
    return ["-trimpath", "-buildvcs=false", "-mod=readonly", "-gcflags=all=-dwarf=false", linker];
}

/** The module's own files alone decide, whatever workspace the clone lies in. */
const inModule = (what: string, module: string, log: string) => ({
    what,
    log,
    cwd: path.join(modules, module),
    env: { CGO_ENABLED: "0", GOWORK: "off" },
});

/** Builds a program, and what it ships, below a scratch folder; returns their folder. */
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

/** Copies the files of a folder (not those for Windows), writable and executable. */
export function copyFiles(from: string, to: string, prefix = ""): void {
    fs.mkdirSync(to, { recursive: true });
    for (const name of fs.readdirSync(from).filter((name) => name.startsWith(prefix) && !name.endsWith(".cmd"))) {
        fs.writeFileSync(path.join(to, name), fs.readFileSync(path.join(from, name)), { mode: 0o755 });
    }
}

/** Downloads all that the programs are built from. What fails here, their build tells best. */
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

/** Throws unless there is a Go that is as new as a module asks for. */
export async function checkGo(module: string, log: string): Promise<void> {
    const wanted = /^go (\S+)$/m.exec(goMod(module))![1]!;
    const version = (cwd: string, env: Record<string, string> = {}) =>
        run(["go", "version"], { what: "Asking Go for its version", log, cwd, env }).then(
            (line) => /go(\d[\d.]*)/.exec(line)?.[1],
            () => undefined,
        );
    // In a module's folder Go switches to the version asked for by itself, where it may.
    const used = await version(path.join(modules, module));
    if (used && atLeast(used, wanted)) return;
    const installed = await version("/", { GOTOOLCHAIN: "local" });
    throw new Error(
        `The sandbox's tools are built with Go ${wanted} or newer; ` +
            `${installed ? `this machine has Go ${installed}` : "there is no go on the PATH"}. ` +
            "Install it (https://go.dev/doc/install), and try again.",
    );
}

/** Whether a version like 1.26.1 is `wanted` or newer. */
export function atLeast(version: string, wanted: string): boolean {
    const [have, want] = [version, wanted].map((text) => text.split(".").map(Number)) as [number[], number[]];
    const differs = [0, 1, 2].find((i) => (have[i] ?? 0) !== (want[i] ?? 0));
    return differs === undefined || (have[differs] ?? 0) > (want[differs] ?? 0);
}
