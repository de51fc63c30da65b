import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { cgroup, serviceFolder } from "./daemons";
import { clusterDomain, dnsServiceAddress, host, inState, nodeAddress, project, state } from "./paths";

/** There is one sandbox per machine; this file says whose it is. It goes with a reboot, as the sandbox does. */
const lockFile = "/run/homelab-registry-sandbox";

/** The folders of a clone's state that hold what is large, or outlives the guest; where the guest has them. */
const kept = { etcd: "/var/lib/etcd", containerd: "/var/lib/containerd", kubelet: "/var/lib/kubelet", docker: "/var/lib/docker", minio: "/var/lib/minio", logs: "/var/log" };

/** What the first process of the guest does before it looks after the daemons. */
const init = `#!/bin/sh
set -e
# A root of its own where daemons write: /run is empty, /etc and /var/lib are laid over the machine's.
mount -t tmpfs tmpfs /run
for folder in /etc /var/lib; do
    mkdir -p /run/over$folder/upper /run/over$folder/work
    mount -t overlay overlay -o lowerdir=$folder,upperdir=/run/over$folder/upper,workdir=/run/over$folder/work $folder
done
${Object.entries(kept).map(([name, folder]) => `mkdir -p ${inState(name)} ${folder}; mount --bind ${inState(name)} ${folder}`).join("\n")}
cp -r ${inState("root", "etc")}/. /etc
printf '%s\\n' '127.0.0.1 localhost' '::1 localhost' '127.0.0.1 ${host}' > /etc/hosts
printf '%s\\n' 'nameserver ${dnsServiceAddress}' 'search ${clusterDomain}' > /etc/resolv.conf
# A network of its own: the node has an address and a way out, but the other end of the wire is in here as well.
ip link set lo up
ip link add node0 type veth peer name wire0
ip address add ${nodeAddress}/24 dev node0
ip link set node0 up
ip link set wire0 up
ip route add default dev node0
echo 1 > /proc/sys/net/ipv4/ip_forward
exec s6-svscan ${inState("services")}
`;

/** The first process of a guest, as the machine sees it, and the state that it runs on. */
interface Guest {
    pid: number;
    state: string;
}

/** The guest that runs on this machine, this clone's or another's. */
export function runningGuest(): Guest | undefined {
    try {
        const guest = JSON.parse(fs.readFileSync(lockFile, "utf8")) as Guest;
        const command = fs.readFileSync(`/proc/${guest.pid}/cmdline`, "utf8");
        return command.startsWith(`s6-svscan\0${guest.state}/`) ? guest : undefined;
    } catch {
        return undefined;
    }
}

/** This clone's guest, if it runs. */
export function ownGuest(): Guest | undefined {
    const guest = runningGuest();
    return guest?.state === state ? guest : undefined;
}

/** Starts the guest: namespaces of its own for processes, mounts and network, and all daemons in them. */
export async function startGuest(): Promise<void> {
    makeCgroups();
    fs.writeFileSync(inState("init"), init, { mode: 0o755 });
    const log = fs.openSync(inState("guest.log"), "w");
    const unshare = spawn("unshare",
        ["--mount", "--net", "--pid", "--fork", "--mount-proc", "--propagation", "private", "--kill-child", inState("init")],
        { detached: true, stdio: ["ignore", log, log], env: { ...process.env, PATH: `${inState("bin")}:/usr/sbin:/sbin:${process.env.PATH}` } });
    unshare.unref();
    for (let tries = 0; tries < 100 && unshare.exitCode === null; tries++) {
        await sleep(50);
        const [pid] = fs.readFileSync(`/proc/${unshare.pid}/task/${unshare.pid}/children`, "utf8").split(" ").filter(Boolean).map(Number);
        if (pid && fs.readFileSync(`/proc/${pid}/cmdline`, "utf8").startsWith("s6-svscan\0")) {
            fs.writeFileSync(lockFile, JSON.stringify({ pid, state }));
            fs.writeFileSync(inState("guest.pid"), String(pid));
            return;
        }
    }
    throw new Error(`The guest did not start:\n${fs.readFileSync(inState("guest.log"), "utf8")}`);
}

/** Stops the guest with everything in it, and takes away what the machine still has of it. */
export async function removeGuest(): Promise<void> {
    const guest = ownGuest();
    if (guest) {
        process.kill(guest.pid, "SIGKILL");
        while (fs.existsSync(`/proc/${guest.pid}`)) {
            await sleep(50);
        }
    }
    if (!runningGuest()) {
        fs.rmSync(lockFile, { force: true });
        await removeCgroups();
    }
    fs.rmSync(state, { recursive: true, force: true, maxRetries: 10 });
}

/** Runs a command in the guest, as `sandbox/env` does; gives back what it printed, or shows it meanwhile. */
export function guest(command: string[], { input, show }: { input?: string; show?: boolean } = {}): Promise<string> {
    return new Promise((resolve, reject) => {
        const child = spawn(path.join(__dirname, "env"), command, { cwd: project, stdio: ["pipe", show ? "inherit" : "pipe", show ? "inherit" : "pipe"] });
        let stdout = "", output = "";
        child.stdout?.on("data", (chunk: Buffer) => (stdout += chunk.toString(), output += chunk.toString()));
        child.stderr?.on("data", (chunk: Buffer) => (output += chunk.toString()));
        child.on("error", reject);
        child.on("close", (code) => (code === 0 ? resolve(stdout) : reject(new Error(`${command.slice(0, 3).join(" ")} … ended with ${code}:\n${output}`))));
        child.stdin!.end(input ?? "");
    });
}

/** Whether a daemon runs, by its supervisor. */
export async function isDaemonUp(name: string): Promise<boolean> {
    return (await guest(["s6-svstat", "-o", "up", serviceFolder(name)])).trim() === "true";
}

/** The hierarchies of control groups: one for each controller (version 1), or one for all (version 2). */
function hierarchies(): string[] {
    const root = "/sys/fs/cgroup";
    return fs.existsSync(`${root}/cgroup.controllers`)
        ? [root]
        : fs.readdirSync(root, { withFileTypes: true }).filter((entry) => entry.isDirectory()).map((entry) => path.join(root, entry.name));
}

function makeCgroups(): void {
    for (const hierarchy of hierarchies()) {
        const folder = path.join(hierarchy, cgroup);
        fs.mkdirSync(folder, { recursive: true });
        const enable = path.join(hierarchy, "cgroup.subtree_control");
        if (hierarchy === "/sys/fs/cgroup" && fs.existsSync(enable)) {
            const controllers = fs.readFileSync(path.join(hierarchy, "cgroup.controllers"), "utf8").trim().split(" ");
            fs.writeFileSync(enable, controllers.map((controller) => `+${controller}`).join(" "));
        }
        // A new group of this controller may use no processor until it is told which.
        for (const file of ["cpuset.cpus", "cpuset.mems"]) {
            if (fs.existsSync(path.join(hierarchy, file)) && !fs.readFileSync(path.join(folder, file), "utf8").trim()) {
                fs.writeFileSync(path.join(folder, file), fs.readFileSync(path.join(hierarchy, file)));
            }
        }
    }
}

async function removeCgroups(): Promise<void> {
    const remove = (folder: string): void => {
        for (const entry of fs.readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory())) {
            remove(path.join(folder, entry.name));
        }
        fs.rmdirSync(folder);
    };
    for (const folder of hierarchies().map((hierarchy) => path.join(hierarchy, cgroup)).filter((folder) => fs.existsSync(folder))) {
        for (let tries = 0; fs.existsSync(folder); tries++) {
            try {
                remove(folder);
            } catch (error) {
                if (tries === 100) {
                    throw error;
                }
                await sleep(50);
            }
        }
    }
}
