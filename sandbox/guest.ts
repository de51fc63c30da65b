import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { cgroup, nodeCgroup, serviceFolder } from "./daemons";
import { clusterDomain, dnsServiceAddress, host, inState, nodes, project, state } from "./paths";

/** The folders of a clone's state that hold what is large, or outlives the guest; where the guest has them. */
const persistentFolders = {
    etcd: "/var/lib/etcd",
    ...Object.fromEntries(
        nodes
            .flatMap(({ suffix }) => [`containerd${suffix}`, `kubelet${suffix}`])
            .map((name) => [name, `/var/lib/${name}`]),
    ),
    docker: "/var/lib/docker",
    minio: "/var/lib/minio",
    logs: "/var/log",
};

/** What the first process of the guest does before it looks after the daemons. */
const init = `#!/bin/sh
set -e
# A root of its own where daemons write: /run is empty, /etc and /var/lib are laid over the machine's.
mount -t tmpfs tmpfs /run
for folder in /etc /var/lib; do
    mkdir -p /run/over$folder/upper /run/over$folder/work
    mount -t overlay overlay -o lowerdir=$folder,upperdir=/run/over$folder/upper,workdir=/run/over$folder/work $folder
done
${Object.entries(persistentFolders)
    .map(([name, folder]) => `mkdir -p ${inState(name)} ${folder}; mount --bind ${inState(name)} ${folder}`)
    .join("\n")}
# Of the machine's own engines, if it has any, nothing shows through.
rm -rf /etc/docker /etc/containerd /etc/cni /var/lib/cni /etc/resolv.conf /etc/hosts
cp -r ${inState("root", "etc")}/. /etc
printf '%s\\n' '127.0.0.1 localhost' '::1 localhost' '127.0.0.1 ${host}' > /etc/hosts
printf '%s\\n' 'nameserver ${dnsServiceAddress}' 'search ${clusterDomain}' > /etc/resolv.conf
# A network of its own: each node has an address and a way out, but the other end of the wire is in here as well.
ip link set lo up
ip link add node0 type veth peer name wire0
${nodes.map(({ address }) => `ip address add ${address}/24 dev node0`).join("\n")}
ip link set node0 up
ip link set wire0 up
ip route add default dev node0
echo 1 > /proc/sys/net/ipv4/ip_forward
# The kubelet and dockerd would set these for the whole machine; they leave what is so already, as it looks in here.
for setting in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1 \\
    kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000; do
    file=/run/sysctl/\${setting%=*}
    mkdir -p "$(dirname $file)"
    echo \${setting#*=} > $file
    mount --bind $file /proc/sys/\${setting%=*}
done
exec s6-svscan ${inState("services")}
`;

/** The first process of a guest, as the machine sees it, and the state folder of the clone that it belongs to. */
interface Guest {
    pid: number;
    state: string;
}

/**
 * The guests on this machine, by the command of their first process: there is no file that could be out of date.
 *
 * @param file what the first process works on: "services", or "init" while it starts
 */
function findGuests(file: "init" | "services"): Guest[] {
    const work = new RegExp(`^(.*/sandbox/\\.state)/${file}$`);
    return fs
        .readdirSync("/proc")
        .filter((name) => /^\d+$/.test(name))
        .flatMap((name) => {
            let command: string[];
            try {
                command = fs.readFileSync(`/proc/${name}/cmdline`, "utf8").split("\0");
            } catch {
                return [];
            }
            const runsIt = ["unshare", "/bin/sh", "s6-svscan"].includes(command[0]!);
            const [, state] = command.map((word) => work.exec(word)).find(Boolean) ?? [];
            return runsIt && state ? [{ pid: Number(name), state }] : [];
        });
}

/** The guest of another clone that runs on this machine. */
export const findOtherGuest = () => findGuests("services").find((guest) => guest.state !== state);

/** This clone's guest, if it runs. */
export const findOwnGuest = () => findGuests("services").find((guest) => guest.state === state);

/** Starts the guest: namespaces of its own for processes, mounts and network, and all daemons in them. */
export async function startGuest(): Promise<void> {
    // Those of a guest that was killed, which the new one would take for its own pods'.
    await removeCgroups();
    createCgroups();
    fs.writeFileSync(inState("init"), init, { mode: 0o755 });
    const log = fs.openSync(inState("guest.log"), "w");
    const namespaces = [
        "--mount",
        "--net",
        "--pid",
        "--fork",
        "--mount-proc",
        "--propagation",
        "private",
        "--kill-child",
    ];
    const unshare = spawn("unshare", [...namespaces, inState("init")], {
        detached: true,
        stdio: ["ignore", log, log],
        // Of the user's environment the daemons get nothing else, no proxy for one.
        env: { HOME: process.env.HOME, PATH: `${inState("bin")}:${process.env.PATH}:/usr/local/sbin:/usr/sbin:/sbin` },
    });
    unshare.unref();
    for (let tries = 0; tries < 100 && unshare.exitCode === null && !findOwnGuest(); tries++) {
        await sleep(50);
    }
    if (!findOwnGuest()) {
        throw new Error(`The guest did not start:\n${fs.readFileSync(inState("guest.log"), "utf8")}`);
    }
}

/** Kills everything in the guest at once; its state stays. */
export async function stopGuest(): Promise<void> {
    const own = () => [...findGuests("init"), ...findGuests("services")].find((guest) => guest.state === state);
    for (let runInGuest = own(); runInGuest; runInGuest = own()) {
        try {
            process.kill(runInGuest.pid, "SIGKILL");
        } catch {
            // Gone meanwhile: with the first process of a namespace go all others.
        }
        await sleep(50);
    }
    if (!findOtherGuest()) {
        await removeCgroups();
    }
}

/** Stops the guest, and takes away what the machine still has of it. */
export async function removeGuest(): Promise<void> {
    await stopGuest();
    fs.rmSync(state, { recursive: true, force: true, maxRetries: 10 });
}

/** Runs a command in the guest, as `sandbox/env` does; gives back what it printed, or shows it meanwhile. */
export function guest(command: string[], { input, show }: { input?: string; show?: boolean } = {}): Promise<string> {
    return new Promise((resolve, reject) => {
        const child = spawn(path.join(__dirname, "env"), command, {
            cwd: project,
            stdio: ["pipe", show ? "inherit" : "pipe", show ? "inherit" : "pipe"],
        });
        let stdout = "",
            output = "";
        child.stdout?.on("data", (chunk: Buffer) => ((stdout += chunk.toString()), (output += chunk.toString())));
        child.stderr?.on("data", (chunk: Buffer) => (output += chunk.toString()));
        child.on("error", reject);
        child.on("close", (code) =>
            code === 0
                ? resolve(stdout)
                : reject(new Error(`${command.slice(0, 3).join(" ")} … ended with ${code}:\n${output}`)),
        );
        // A command may end without reading what it is given.
        child.stdin!.on("error", () => undefined).end(input ?? "");
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
        : fs
              .readdirSync(root, { withFileTypes: true })
              .filter((entry) => entry.isDirectory())
              .map((entry) => path.join(root, entry.name));
}

function createCgroups(): void {
    const groups = [cgroup, ...nodes.map(nodeCgroup)];
    for (const folder of hierarchies().flatMap((hierarchy) => groups.map((group) => path.join(hierarchy, group)))) {
        const parent = path.dirname(folder);
        fs.mkdirSync(folder, { recursive: true });
        const controllers = path.join(parent, "cgroup.controllers");
        for (const controller of fs.existsSync(controllers)
            ? fs.readFileSync(controllers, "utf8").trim().split(" ")
            : []) {
            try {
                fs.writeFileSync(path.join(parent, "cgroup.subtree_control"), `+${controller}`);
            } catch {
                // A machine may keep one for itself; the kubelet says if it needs that.
            }
        }
        // A new group of this controller may use no processor until it is told which.
        for (const file of ["cpuset.cpus", "cpuset.mems"]) {
            if (fs.existsSync(path.join(parent, file)) && !fs.readFileSync(path.join(folder, file), "utf8").trim()) {
                fs.writeFileSync(path.join(folder, file), fs.readFileSync(path.join(parent, file)));
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
    for (const folder of hierarchies()
        .map((hierarchy) => path.join(hierarchy, cgroup))
        .filter((folder) => fs.existsSync(folder))) {
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
