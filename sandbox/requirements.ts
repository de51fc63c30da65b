import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";

import { findOtherGuest } from "./guest";
import { state } from "./paths";

/** What the sandbox needs to know of the machine that it is to be a guest of. */
export interface Machine {
    platform: string;
    /** The user's id. */
    uid: number;
    nodeVersion: string;
    /** GiB. */
    memory: number;
    /** GiB that are free where the sandbox keeps its state. */
    disk: number;
    /** GiB that are free in the user's home, where tools are built and cached; undefined if that is the same disk. */
    homeDisk?: number;
    /** Whether namespaces can be made. */
    namespaces: boolean;
    /** Where this clone keeps the sandbox's state. */
    state: string;
    /** The state folder of another clone's sandbox that is up. */
    other?: string;
}

/** Pods and daemons take less than 3 GiB; building the largest tool takes as much for itself. */
const memoryNeeded = 3.5;

/** This machine. */
export function thisMachine(): Machine {
    const free = (folder: string) => {
        const { bavail, bsize } = fs.statfsSync(folder);
        return (bavail * bsize) / 2 ** 30;
    };
    const isOneDisk = fs.statSync(__dirname).dev === fs.statSync(os.homedir()).dev;
    return {
        platform: process.platform,
        uid: process.getuid?.() ?? 0,
        nodeVersion: process.versions.node,
        memory: os.totalmem() / 2 ** 30,
        disk: free(__dirname),
        homeDisk: isOneDisk ? undefined : free(os.homedir()),
        namespaces: spawnSync("unshare", ["--mount", "--net", "--pid", "--fork", "true"]).status === 0,
        state,
        other: findOtherGuest()?.state,
    };
}

/**
 * Everything for which the sandbox cannot be on a machine, and what to do instead.
 *
 * @param needed GiB for the sandbox's state, and for building tools in the user's home
 */
export function findUnmetRequirements(machine: Machine, needed: { state: number; build: number }): string[] {
    if (machine.platform !== "linux") {
        return [
            `This is ${machine.platform}; the sandbox runs on Linux: use a virtual machine with Debian 12, or deploy to a real cluster (see README).`,
        ];
    }
    const obstacles: string[] = [];
    if (machine.uid !== 0) {
        obstacles.push('Only root may make namespaces and mounts: sudo env "PATH=$PATH" make up');
    } else if (!machine.namespaces) {
        obstacles.push(
            "No namespaces can be made here, as in a container without privileges: use a virtual machine, or a container with --privileged.",
        );
    }
    const [major, minor] = machine.nodeVersion.split(".").map(Number) as [number, number];
    if (major < 20 || (major === 20 && minor < 19)) {
        obstacles.push(`Node is ${machine.nodeVersion}; it has to be 20.19 or later.`);
    }
    if (machine.memory < memoryNeeded) {
        obstacles.push(`There are ${machine.memory.toFixed(1)} GiB of memory; it takes ${memoryNeeded}.`);
    }
    const disks: [string, number, number][] =
        machine.homeDisk === undefined
            ? [["this clone's disk", machine.disk, needed.state + needed.build]]
            : [
                  ["this clone's disk", machine.disk, needed.state],
                  ["the disk of your home", machine.homeDisk, needed.build],
              ];
    for (const [disk, free, takes] of disks.filter(([, free, takes]) => free < takes)) {
        obstacles.push(`There are ${free.toFixed(1)} GiB free on ${disk}; it takes ${takes}: make room.`);
    }
    if (/^\/(run|etc|var\/lib|var\/log)\//.test(machine.state)) {
        obstacles.push(
            `This clone is at ${machine.state.replace(/\/sandbox\/\.state$/, "")}, in a folder that the sandbox has one of its own of: move it, such as to /srv.`,
        );
    }
    if (/[^\w./-]/.test(machine.state)) {
        obstacles.push(
            `The path of this clone has more than letters, digits and . _ - in it: ${machine.state}. Move it.`,
        );
    }
    if (machine.other) {
        const clone = machine.other.replace(/\/sandbox\/\.state$/, "");
        obstacles.push(`Another clone's sandbox is up, and there is room for one: make -C ${clone} down`);
    }
    return obstacles;
}
