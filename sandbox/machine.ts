import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";

import { othersGuest } from "./guest";
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
    const { bavail, bsize } = fs.statfsSync(__dirname);
    return {
        platform: process.platform,
        uid: process.getuid?.() ?? 0,
        nodeVersion: process.versions.node,
        memory: os.totalmem() / 2 ** 30,
        disk: (bavail * bsize) / 2 ** 30,
        namespaces: spawnSync("unshare", ["--mount", "--net", "--pid", "--fork", "true"]).status === 0,
        state,
        other: othersGuest()?.state,
    };
}

/**
 * Everything for which the sandbox cannot be on a machine, and what to do instead.
 *
 * @param diskNeeded GiB
 */
export function findObstacles(machine: Machine, diskNeeded: number): string[] {
    if (machine.platform !== "linux") {
        return [`This is ${machine.platform}; the sandbox runs on Linux: use a virtual machine with Debian 12, or deploy to a real cluster (see README).`];
    }
    const obstacles: string[] = [];
    if (machine.uid !== 0) {
        obstacles.push("Only root may make namespaces and mounts: sudo make up");
    } else if (!machine.namespaces) {
        obstacles.push("No namespaces can be made here, as in a container without privileges: use a virtual machine, or a container with --privileged.");
    }
    const [major, minor] = machine.nodeVersion.split(".").map(Number) as [number, number];
    if (major < 20 || (major === 20 && minor < 19)) {
        obstacles.push(`Node is ${machine.nodeVersion}; it has to be 20.19 or later.`);
    }
    if (machine.memory < memoryNeeded) {
        obstacles.push(`There are ${machine.memory.toFixed(1)} GiB of memory; it takes ${memoryNeeded}.`);
    }
    if (machine.disk < diskNeeded) {
        obstacles.push(`There are ${machine.disk.toFixed(1)} GiB of disk free; it takes ${diskNeeded}: make room, or move this clone to a larger disk.`);
    }
    if (/^\/(run|etc|var\/lib|var\/log)\//.test(machine.state)) {
        obstacles.push(`This clone is at ${machine.state.replace(/\/sandbox\/\.state$/, "")}, in a folder that the sandbox has one of its own of: move it, such as to /srv.`);
    }
    if (machine.other) {
        const clone = machine.other.replace(/\/sandbox\/\.state$/, "");
        obstacles.push(`Another clone's sandbox is up, and there is room for one: make -C ${clone} down`);
    }
    return obstacles;
}
