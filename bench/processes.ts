import * as fs from "node:fs";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { descendants } from "../tests/e2e/support/processes";

/** Milliseconds between two samples: a process may need that much CPU time more than is seen. */
const pause = 20;

/** The clock ticks per second in `/proc`. */
const ticksPerSecond = 100;

/** CPU seconds of a process, in its own code and in the kernel. */
export interface Cpu {
    user: number;
    system: number;
}

/** The CPU seconds of a process since its start. */
export function readCpu(pid: string): Cpu {
    const fields = fs
        .readFileSync(`/proc/${pid}/stat`, "utf8")
        .replace(/^.*\) /, "")
        .split(" ");
    return { user: Number(fields[11]) / ticksPerSecond, system: Number(fields[12]) / ticksPerSecond };
}

/** The CPU seconds of the whole machine. Idle time shows how long the work waited. */
export function readMachineCpu(): Record<string, number> {
    const [, user, nice, system, idle, iowait, irq, softirq] = fs
        .readFileSync("/proc/stat", "utf8")
        .split("\n")[0]!
        .split(/ +/)
        .map(Number);
    return {
        "all, including clients": (user! + nice! + system! + irq! + softirq!) / ticksPerSecond,
        idle: (idle! + iowait!) / ticksPerSecond,
    };
}

/** A process that some work started: its program, when it was first and last seen, in seconds, and its CPU time. */
export interface SampledProcess {
    program: string;
    began: number;
    ended: number;
    cpu: Cpu;
}

/** Does some work, and returns the processes that it started and that were seen. */
export async function sampleProcesses(work: () => Promise<unknown>): Promise<SampledProcess[]> {
    const found = new Map<string, SampledProcess>();
    const started = performance.now();
    let isOver = false;
    const sample = async () => {
        for (; !isOver; await sleep(pause)) {
            const now = (performance.now() - started) / 1000;
            for (const pid of descendants(String(process.pid))) {
                try {
                    const { began, program } = found.get(pid) ?? { began: now, program: "" };
                    // A process that has ended has no command line any more, but still its CPU time.
                    found.set(pid, { program: programOf(pid) || program, began, ended: now, cpu: readCpu(pid) });
                } catch {
                    // It has ended meanwhile.
                }
            }
        }
    };
    const sampling = sample();
    try {
        await work();
    } finally {
        isOver = true;
        await sampling;
    }
    return [...found.values()];
}

/** The name of a process's program. For a script, the interpreter's and the script's. */
function programOf(pid: string): string {
    const words = fs.readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
    const names = words.map((word) => path.basename(word));
    return names[0] === "node" ? names.slice(0, 2).join(" ") : names[0]!;
}
