import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";

import { findOtherGuest } from "./guest";
import { state } from "./paths";

/** The properties of a machine that decide whether the sandbox can run on it. */
export interface Machine {
    platform: string;
    /** The user's ID. */
    uid: number;
    nodeVersion: string;
    /** Total memory in GiB. */
    memory: number;
    /** Free disk space in GiB for the sandbox's state. */
    disk: number;
    /** Free disk space in GiB in the user's home, for building and caching tools. Undefined if it is the same disk. */
    homeDisk?: number;
    /** Whether the user can create namespaces. */
    namespaces: boolean;
    /** This clone's folder for the sandbox's state. */
    state: string;
    /** The state folder of another clone's running sandbox. */
    other?: string;
}

/** GiB of memory. Pods and daemons need less than 3 GiB; so does building the largest tool. */
const memoryNeeded = 3.5;

/** Inspects this machine. */
export function thisMachine(): Machine {
    const free = (folder: string) => {
        const { bavail, bsize } = fs.statfsSync(folder);
        return (bavail * bsize) / 2 ** 30;
    };
    const isSameDisk = fs.statSync(__dirname).dev === fs.statSync(os.homedir()).dev;
    return {
        platform: process.platform,
        uid: process.getuid?.() ?? 0,
        nodeVersion: process.versions.node,
        memory: os.totalmem() / 2 ** 30,
        disk: free(__dirname),
        homeDisk: isSameDisk ? undefined : free(os.homedir()),
        namespaces: spawnSync("unshare", ["--mount", "--net", "--pid", "--fork", "true"]).status === 0,
        state,
        other: findOtherGuest()?.state,
    };
}

/**
 * Returns a message for each requirement that a machine does not meet, with the fix.
 *
 * @param needed GiB of disk for the sandbox's state, and for building tools in the user's home
 */
export function findUnmetRequirements(machine: Machine, needed: { state: number; build: number }): string[] {
    if (machine.platform !== "linux") {
        return [
            `The sandbox needs Linux, and this machine runs ${machine.platform}. ` +
                "Use a virtual machine with Debian 12, or deploy to a real cluster (see README.md).",
        ];
    }
    const unmet: string[] = [];
    if (machine.uid !== 0) {
        unmet.push('The sandbox needs root to create namespaces and mounts. Run: sudo env "PATH=$PATH" make up');
    } else if (!machine.namespaces) {
        unmet.push(
            "This machine does not allow namespaces, as in a container without privileges. " +
                "Use a virtual machine, or a container with --privileged.",
        );
    }
    const [major, minor] = machine.nodeVersion.split(".").map(Number) as [number, number];
    if (major < 20 || (major === 20 && minor < 19)) {
        unmet.push(`The sandbox needs Node 20.19 or later, and this is ${machine.nodeVersion}. Install a newer Node.`);
    }
    if (machine.memory < memoryNeeded) {
        unmet.push(
            `The sandbox needs ${memoryNeeded} GiB of memory, and this machine has ${machine.memory.toFixed(1)}. ` +
                "Add memory.",
        );
    }
    const disks: [string, number, number][] =
        machine.homeDisk === undefined
            ? [["this clone's disk", machine.disk, needed.state + needed.build]]
            : [
                  ["this clone's disk", machine.disk, needed.state],
                  ["the disk of your home", machine.homeDisk, needed.build],
              ];
    for (const [disk, free, needs] of disks.filter(([, free, needs]) => free < needs)) {
        unmet.push(`The sandbox needs ${needs} GiB on ${disk}, and ${free.toFixed(1)} are free. Free some space.`);
    }
    if (/^\/(run|etc|var\/lib|var\/log)\//.test(machine.state)) {
        unmet.push(
            `The sandbox hides the folder of this clone, ${machine.state.replace(/\/sandbox\/\.state$/, "")}. ` +
                "Move the clone out of /run, /etc, /var/lib and /var/log, for example to /srv.",
        );
    }
    if (/[^\w./-]/.test(machine.state)) {
        unmet.push(
            `The path of this clone may only have letters, digits and . _ - in it: ${machine.state}. Move the clone.`,
        );
    }
    if (machine.other) {
        const clone = machine.other.replace(/\/sandbox\/\.state$/, "");
        unmet.push(`The sandbox of another clone is running, and only one can run. Remove it: make -C ${clone} down`);
    }
    return unmet;
}
