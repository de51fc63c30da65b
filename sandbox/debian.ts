import * as fs from "node:fs";
import * as path from "node:path";

import { run } from "./command";
import { printAndLog } from "./progress";

/** What the sandbox runs of Debian's, and the package (the first that is known) that has it. */
const requirements: { command: string; packages: string[]; static?: boolean }[] = [
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
    { command: "promtool", packages: ["prometheus"] },
    { command: "prometheus-pushgateway", packages: ["prometheus-pushgateway"] },
    // What Node's build is linked with, beyond what every machine with Node has.
    {
        command: `/usr/lib/${process.arch === "arm64" ? "aarch64" : "x86_64"}-linux-gnu/libatomic.so.1`,
        packages: ["libatomic1"],
    },
];

/** Installs the Debian packages of the commands that the machine lacks. */
export async function ensureDebianPackages(log: string): Promise<void> {
    const missing = () => requirements.filter((need) => !isInstalled(need.command, need.static));
    const lacking = missing();
    if (lacking.length === 0) return;
    const commands = lacking.map(({ command }) => command).join(", ");
    const packages = [...new Set(lacking.map((need) => need.packages.join(" ")))];
    if (!isInstalled("apt-get")) {
        throw new Error(
            `These commands are missing, and there is no apt-get to install them with: ${commands}. ` +
                `Install them (Debian's packages are ${packages.map((names) => names.split(" ")[0]).join(", ")}), and try again.`,
        );
    }
    printAndLog(log, `installing Debian packages for ${commands}`);
    const what = `Installing Debian packages for ${commands}`;
    await run(["sh", path.join(__dirname, "debian.sh"), ...packages], { what, log });
    const still = missing().map(({ command }) => command);
    if (still.length > 0) {
        throw new Error(
            `Still missing after installing Debian packages: ${still.join(", ")}. What apt-get said: ${log}`,
        );
    }
}

/** Whether a command is there, if only where root's PATH leads; and static, if asked for. */
function isInstalled(command: string, isStatic = false): boolean {
    const folders = [...(process.env.PATH ?? "").split(":"), "/usr/local/sbin", "/usr/sbin", "/sbin"];
    const candidates = path.isAbsolute(command) ? [command] : folders.map((folder) => path.join(folder, command));
    return candidates.some((file) => fs.existsSync(file) && !(isStatic && isDynamic(file)));
}

/** A dynamic executable names its loader near its beginning. */
function isDynamic(file: string): boolean {
    return fs.readFileSync(file).subarray(0, 4096).includes("/ld-");
}
