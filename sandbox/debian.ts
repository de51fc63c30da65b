import * as fs from "node:fs";
import * as path from "node:path";

import { run } from "./command";
import { printAndLog } from "./progress";

/** The commands that come from Debian. The first package that the machine's Debian release knows is installed. */
const requiredCommands: { command: string; packages: string[]; static?: boolean }[] = [
    { command: "etcd", packages: ["etcd-server"] },
    { command: "containerd", packages: ["containerd"] },
    { command: "ctr", packages: ["containerd"] },
    { command: "runc", packages: ["runc"] },
    ...["bridge", "host-local", "loopback", "portmap"].map((plugin) => ({
        command: `/usr/lib/cni/${plugin}`,
        packages: ["containernetworking-plugins"],
    })),
    { command: "conntrack", packages: ["conntrack"] },
    { command: "nft", packages: ["nftables"] },
    { command: "iptables", packages: ["iptables"] },
    { command: "ipset", packages: ["ipset"] },
    { command: "skopeo", packages: ["skopeo"] },
    { command: "podman", packages: ["podman"] },
    { command: "buildah", packages: ["buildah"] },
    { command: "rclone", packages: ["rclone"] },
    { command: "jq", packages: ["jq"] },
    { command: "wrk", packages: ["wrk"] },
    { command: "unzip", packages: ["unzip"] },
    { command: "dockerd", packages: ["docker.io"] },
    { command: "docker", packages: ["docker-cli", "docker.io"] },
    { command: "s6-svscan", packages: ["s6"] },
    { command: "/bin/busybox", packages: ["busybox-static"], static: true },
    { command: "ip", packages: ["iproute2"] },
    { command: "openssl", packages: ["openssl"] },
    { command: "unshare", packages: ["util-linux"] },
    { command: "nsenter", packages: ["util-linux"] },
    { command: "curl", packages: ["curl"] },
    { command: "pgrep", packages: ["procps"] },
    { command: "faketime", packages: ["faketime"] },
    { command: "nginx", packages: ["nginx"] },
    { command: "promtool", packages: ["prometheus"] },
    { command: "prometheus-pushgateway", packages: ["prometheus-pushgateway"] },
    // Node's official build needs this library, which not every machine with Node has.
    {
        command: `/usr/lib/${process.arch === "arm64" ? "aarch64" : "x86_64"}-linux-gnu/libatomic.so.1`,
        packages: ["libatomic1"],
    },
];

/** Installs the Debian packages of the commands that the machine lacks. Needs `apt-get`. */
export async function ensureDebianPackages(log: string): Promise<void> {
    const missing = () => requiredCommands.filter((need) => !isInstalled(need.command, need.static));
    const lacking = missing();
    if (lacking.length === 0) return;
    const commands = lacking.map(({ command }) => command).join(", ");
    const packages = [...new Set(lacking.map((need) => need.packages.join(" ")))];
    if (!isInstalled("apt-get")) {
        throw new Error(
            `These commands are missing: ${commands}. This machine has no apt-get to install them with. ` +
                `Install them yourself, then run make up again. Their Debian packages: ` +
                `${packages.map((names) => names.split(" ")[0]).join(", ")}.`,
        );
    }
    printAndLog(log, `installing Debian packages for ${commands}`);
    const what = `Installing Debian packages for ${commands}`;
    await run(["sh", path.join(__dirname, "debian.sh"), ...packages], { what, log });
    const still = missing().map(({ command }) => command);
    if (still.length > 0) {
        throw new Error(
            `These commands are still missing after installing Debian packages: ${still.join(", ")}. ` +
                `Read the output of apt-get in ${log}, install them yourself, then run make up again.`,
        );
    }
}

/** Whether a command is installed, in a folder of this PATH or of root's; and static, if `isStatic` is true. */
function isInstalled(command: string, isStatic = false): boolean {
    const folders = [...(process.env.PATH ?? "").split(":"), "/usr/local/sbin", "/usr/sbin", "/sbin"];
    const candidates = path.isAbsolute(command) ? [command] : folders.map((folder) => path.join(folder, command));
    return candidates.some((file) => fs.existsSync(file) && !(isStatic && isDynamic(file)));
}

/** Whether an executable is dynamic: such a file has the path of its loader near its beginning. */
function isDynamic(file: string): boolean {
    return fs.readFileSync(file).subarray(0, 4096).includes("/ld-");
}
