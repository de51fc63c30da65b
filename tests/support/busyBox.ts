import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";

const folder = path.resolve("node_modules/.cache/busybox");

/** Runs BusyBox's command of the same name. Rejects long options, most of which only GNU's commands have. */
const wrapper = `#!/bin/sh
for argument; do
    case $argument in
        --?*) echo "\${0##*/} $argument: not an option of POSIX" >&2 && exit 64 ;;
        -?*) ;;
        *) break ;;
    esac
done
exec busybox "\${0##*/}" "$@"
`;

/**
 * This PATH, with BusyBox's commands first. Its shell is not among them: it would run its own commands without the
 * wrapper. On a machine without BusyBox it is this PATH alone.
 */
export const pathWithBusyBox = `${linkCommands()}:${process.env.PATH}`;

function linkCommands(): string {
    fs.mkdirSync(folder, { recursive: true });
    // Parallel tests use the same folder.
    const write = (name: string, make: (file: string) => void) => {
        const file = path.join(folder, name);
        make(`${file}.${process.pid}`);
        fs.renameSync(`${file}.${process.pid}`, file);
    };
    write("wrapper", (file) => fs.writeFileSync(file, wrapper, { mode: 0o755 }));
    const { stdout } = spawnSync("busybox", ["--list"], { encoding: "utf8" });
    for (const name of (stdout ?? "").split("\n").filter((name) => !["", "busybox", "sh", "ash"].includes(name))) {
        write(name, (file) => fs.symlinkSync("wrapper", file));
    }
    return folder;
}
