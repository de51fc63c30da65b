import * as fs from "node:fs";
import * as path from "node:path";

/** The disk with a file, as `MAJOR:MINOR`. A partition has no limits of its own. */
function diskOf(file: string): string {
    const { dev } = fs.statSync(file);
    const [major, minor] = [(dev >> 8) & 0xfff, (dev & 0xff) | ((dev >> 12) & 0xfff00)];
    const device = fs.realpathSync(`/sys/dev/block/${major}:${minor}`);
    const disk = fs.existsSync(path.join(device, "partition")) ? path.dirname(device) : device;
    return fs.readFileSync(path.join(disk, "dev"), "utf8").trim();
}

/** The control group of a process that limits its disk. */
function ioGroup(pid: number): string {
    const groups = fs.readFileSync(`/proc/${pid}/cgroup`, "utf8");
    const version1 = /^\d+:blkio:(.*)$/m.exec(groups)?.[1];
    return version1 ? `/sys/fs/cgroup/blkio${version1}` : `/sys/fs/cgroup${/^0::(.*)$/m.exec(groups)![1]!}`;
}

/** Does something while a process can read and write only this many bytes per second on the disk with a file. */
export async function withSlowDisk(
    pid: number,
    file: string,
    bytesPerSecond: number,
    work: () => Promise<unknown>,
): Promise<void> {
    const group = ioGroup(pid);
    const limit = (bytes: number) => {
        if (fs.existsSync(path.join(group, "io.max"))) {
            const value = bytes || "max";
            fs.writeFileSync(path.join(group, "io.max"), `${diskOf(file)} rbps=${value} wbps=${value}`);
            return;
        }
        for (const direction of ["read", "write"]) {
            fs.writeFileSync(path.join(group, `blkio.throttle.${direction}_bps_device`), `${diskOf(file)} ${bytes}`);
        }
    };
    try {
        limit(bytesPerSecond);
        await work();
    } finally {
        limit(0);
    }
}
