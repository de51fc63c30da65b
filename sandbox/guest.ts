import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { cgroup, nodeCgroup, serviceFolder } from "./daemons";
import { clusterDomain, dnsServiceAddress, host, inState, minioFolder, nodes, project, state } from "./paths";

/**
 * The guest is a set of Linux namespaces (mounts, network, processes) in which the whole sandbox runs.
 *
 * These folders of a clone's state are bind-mounted in it. They hold large data, and data that outlives the guest.
 */
const persistentFolders = {
    etcd: "/var/lib/etcd",
    ...Object.fromEntries(
        nodes
            .flatMap(({ suffix }) => [`containerd${suffix}`, `kubelet${suffix}`])
            .map((name) => [name, `/var/lib/${name}`]),
    ),
    docker: "/var/lib/docker",
    minio: minioFolder,
    logs: "/var/log",
};

/** How often something is tried, every 50 ms: for a minute. */
const maxTries = 1200;

/** The script of the guest's first process: it sets up mounts and the network, then it becomes the supervisor s6. */
const init = `#!/bin/sh
set -e
# Daemons write to folders of the guest's own: /run is empty, /etc and /var/lib are overlays on the machine's folders.
mount -t tmpfs tmpfs /run
for folder in /etc /var/lib; do
    mkdir -p /run/over$folder/upper /run/over$folder/work
    mount -t overlay overlay -o lowerdir=$folder,upperdir=/run/over$folder/upper,workdir=/run/over$folder/work $folder
done
${Object.entries(persistentFolders)
    .map(([name, folder]) => `mkdir -p ${inState(name)} ${folder}; mount --bind ${inState(name)} ${folder}`)
    .join("\n")}
# Hide the configuration of the machine's own container engines.
rm -rf /etc/docker /etc/containerd /etc/cni /var/lib/cni /etc/resolv.conf /etc/hosts
cp -r ${inState("root", "etc")}/. /etc
printf '%s\\n' '127.0.0.1 localhost' '::1 localhost' '127.0.0.1 ${host}' > /etc/hosts
printf '%s\\n' 'nameserver ${dnsServiceAddress}' 'search ${clusterDomain}' > /etc/resolv.conf
# The guest's own network. Each node has an address and a default route, but both ends of the wire are in the guest.
ip link set lo up
ip link add node0 type veth peer name wire0
${nodes.map(({ address }) => `ip address add ${address}/24 dev node0`).join("\n")}
ip link set node0 up
ip link set wire0 up
ip route add default dev node0
echo 1 > /proc/sys/net/ipv4/ip_forward
# The kubelet and dockerd would change these settings for the whole machine. They skip a setting with the right value,
# so files with these values are mounted over the settings.
for setting in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1 \\
    kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000; do
    file=/run/sysctl/\${setting%=*}
    mkdir -p "$(dirname $file)"
    echo \${setting#*=} > $file
    mount --bind $file /proc/sys/\${setting%=*}
done
exec s6-svscan ${inState("services")}
`;

/** A running guest: the process ID of its first process on the machine, and the state folder of its clone. */
interface Guest {
    pid: number;
    state: string;
}

/**
 * Finds the guests on this machine by the command of their first process. A PID file could be out of date.
 *
 * @param file the argument of the first process: "init" while it starts, then "services"
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

/** Finds a running guest of another clone. Undefined if there is none. */
export const findOtherGuest = () => findGuests("services").find((guest) => guest.state !== state);

/** Finds this clone's running guest. Undefined if there is none. */
export const findOwnGuest = () => findGuests("services").find((guest) => guest.state === state);

/** Creates the guest's namespaces, and starts all daemons in them. */
export async function startGuest(): Promise<void> {
    // A killed guest leaves control groups, which the new kubelets would mistake for their own pods.
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
        // The daemons get nothing else of the user's environment, for example no proxy.
        env: { HOME: process.env.HOME, PATH: `${inState("bin")}:${process.env.PATH}:/usr/local/sbin:/usr/sbin:/sbin` },
    });
    unshare.unref();
    for (let tries = 0; tries < maxTries && unshare.exitCode === null && !findOwnGuest(); tries++) {
        await sleep(50);
    }
    if (!findOwnGuest()) {
        const output = fs.readFileSync(inState("guest.log"), "utf8");
        throw new Error(`The namespaces of the sandbox did not start. Their log, ${inState("guest.log")}:\n${output}`);
    }
}

/** Kills all processes in the guest. Its state stays. */
export async function stopGuest(): Promise<void> {
    const own = () => [...findGuests("init"), ...findGuests("services")].find((guest) => guest.state === state);
    for (let guest = own(); guest; guest = own()) {
        try {
            process.kill(guest.pid, "SIGKILL");
        } catch {
            // It ended meanwhile. When the first process of a PID namespace ends, all others end with it.
        }
        await sleep(50);
    }
    if (!findOtherGuest()) {
        await removeCgroups();
    }
}

/** Stops the guest, and deletes its state. */
export async function removeGuest(): Promise<void> {
    await stopGuest();
    fs.rmSync(state, { recursive: true, force: true, maxRetries: 10 });
}

/**
 * Runs a command in the guest with `sandbox/env`, and returns its standard output.
 *
 * @param options `input` is its standard input; with `show`, its output is printed instead of returned
 * @throws an error with its output, if it fails
 */
export function runInGuest(
    command: string[],
    { input, show }: { input?: string; show?: boolean } = {},
): Promise<string> {
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
        child.on("close", (code, signal) =>
            code === 0
                ? resolve(stdout)
                : reject(
                      new Error(
                          `${command.slice(0, 3).join(" ")} … failed (${signal ?? `exit code ${code}`}):\n${output}`,
                      ),
                  ),
        );
        // A command may end without reading its input.
        child.stdin!.on("error", () => undefined).end(input ?? "");
    });
}

/** Whether a daemon runs, according to its supervisor. */
export async function isDaemonUp(name: string): Promise<boolean> {
    return (await runInGuest(["s6-svstat", "-o", "up", serviceFolder(name)])).trim() === "true";
}

/** The hierarchies of control groups: one per controller in version 1, and a single one in version 2. */
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
                // Some machines do not delegate every controller. The kubelet reports an error if it needs this one.
            }
        }
        // A new group of this controller has no processors until they are set.
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
                if (tries === maxTries) {
                    throw error;
                }
                await sleep(50);
            }
        }
    }
}
