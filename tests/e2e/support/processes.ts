import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";

import { get } from "./sandbox";

/** Ids of the processes that run a program in certain pods. */
export const processesOf = (podUids: string[], program: string): number[] =>
    fs
        .readdirSync("/proc")
        .filter((name) => /^\d+$/.test(name))
        .filter((name) => {
            try {
                const group = fs.readFileSync(`/proc/${name}/cgroup`, "utf8");
                const [command] = fs.readFileSync(`/proc/${name}/cmdline`, "utf8").split("\0");
                return path.basename(command!) === program && podUids.some((uid) => group.includes(uid));
            } catch {
                return false;
            }
        })
        .map(Number);

/** The only process of a program in the pods of a namespace. Pods that are terminating do not count. */
export async function processIn(namespace: string, program: string): Promise<number> {
    const { items } = await get<{ items: { metadata: { uid: string; deletionTimestamp?: string } }[] }>(
        "pods",
        "--namespace",
        namespace,
    );
    const [found, ...more] = processesOf(
        items.filter(({ metadata }) => !metadata.deletionTimestamp).map(({ metadata }) => metadata.uid),
        program,
    );
    assert.ok(
        found && more.length === 0,
        `there are ${found ? more.length + 1 : "no"} processes of ${program} in ${namespace}`,
    );
    return found;
}

/** The process of a registry with one pod, whatever its labels are. */
export const registryProcess = (namespace = "registry") => processIn(namespace, "registry");

/** Current and peak memory of a process, in MiB. */
export function memory(pid: number): { now: number; peak: number } {
    const status = fs.readFileSync(`/proc/${pid}/status`, "utf8");
    const mebibytes = (field: string) =>
        Math.round(Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(status)![1]) / 1024);
    return { now: mebibytes("VmRSS"), peak: mebibytes("VmHWM") };
}

/** Number of container restarts in a namespace. Pods that are terminating do not count. */
export async function restarts(namespace = "registry"): Promise<number> {
    interface Pod {
        metadata: { deletionTimestamp?: string };
        status: { containerStatuses?: { restartCount: number }[] };
    }
    const { items } = await get<{ items: Pod[] }>("pods", "--namespace", namespace);
    return items
        .filter(({ metadata }) => !metadata.deletionTimestamp)
        .flatMap(({ status }) => status.containerStatuses ?? [])
        .reduce((sum, { restartCount }) => sum + restartCount, 0);
}

/** The ids of the processes that a process started, and of those that they started. */
export function descendants(pid: string): string[] {
    try {
        const threads = fs.readdirSync(`/proc/${pid}/task`);
        const children = threads.flatMap((thread) =>
            fs.readFileSync(`/proc/${pid}/task/${thread}/children`, "utf8").split(" ").filter(Boolean),
        );
        return children.flatMap((child) => [child, ...descendants(child)]);
    } catch {
        // It has ended meanwhile.
        return [];
    }
}
