import * as fs from "node:fs";

import { get, pods } from "../../e2e/support/sandbox";

/** The processes of a pod whose command begins with a program. */
export const processesOf = (podUid: string, program: string): number[] => fs.readdirSync("/proc").filter((name) => /^\d+$/.test(name)).filter((name) => {
    try {
        return fs.readFileSync(`/proc/${name}/cgroup`, "utf8").includes(podUid)
            && fs.readFileSync(`/proc/${name}/cmdline`, "utf8").startsWith(`${program}\0`);
    } catch {
        return false;
    }
}).map(Number);

/** The process of the registry's only pod, or of one of its pods. */
export async function registryProcess(): Promise<number> {
    const [pod] = await pods();
    const [found] = processesOf(pod!.metadata.uid, "/bin/registry");
    if (!found) {
        throw new Error(`the pod ${pod!.metadata.name} has no process of the registry`);
    }
    return found;
}

/** MiB of memory that a process has now, and that it had at the most. */
export function memory(pid: number): { now: number; peak: number } {
    const status = fs.readFileSync(`/proc/${pid}/status`, "utf8");
    const mebibytes = (field: string) => Math.round(Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(status)![1]) / 1024);
    return { now: mebibytes("VmRSS"), peak: mebibytes("VmHWM") };
}

/** How often containers of the registry's pods were started anew. */
export async function restarts(namespace = "registry"): Promise<number> {
    interface Pod { status: { containerStatuses?: { restartCount: number }[] } }
    const { items } = await get<{ items: Pod[] }>("pods", "--namespace", namespace);
    return items.flatMap(({ status }) => status.containerStatuses ?? []).reduce((sum, { restartCount }) => sum + restartCount, 0);
}
