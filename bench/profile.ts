import * as fs from "node:fs";

import { Size } from "./figures";
import { makeImage, makeLayer, processes, pullImage, pullLayer, pushImage, pushLayer, requests, seconds } from "./load";
import { Side } from "./sides";

/** CPU seconds that a part took, in its own code and in the kernel's. */
interface Cpu { user: number; system: number }

const ticks = 100;

/** What a process took since it began. */
function cpuOf(pid: string): Cpu {
    const fields = fs.readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) /, "").split(" ");
    return { user: Number(fields[11]) / ticks, system: Number(fields[12]) / ticks };
}

/** The processes of the parts that a request goes through. */
async function parts(side: Side): Promise<Record<string, string[]>> {
    const called = (name: string) => fs.readdirSync("/proc").filter((pid) => /^\d+$/.test(pid) && commandOf(pid) === name);
    return { ingress: called("traefik"), registry: await processes(side), Minio: called("minio") };
}

function commandOf(pid: string): string | undefined {
    try {
        return fs.readFileSync(`/proc/${pid}/comm`, "utf8").trim();
    } catch {
        return undefined;
    }
}

/** The machine's own time of all processors: what is idle shows how much was waited for. */
function machine(): Record<string, number> {
    const [, user, nice, system, idle, iowait, irq, softirq] = fs.readFileSync("/proc/stat", "utf8").split("\n")[0]!.split(/ +/).map(Number);
    return { busy: (user! + nice! + system! + irq! + softirq!) / ticks, "soft interrupts": softirq! / ticks, idle: (idle! + iowait!) / ticks };
}

/** Does some work, and prints which part took how much of the processors meanwhile. */
async function profile(what: string, side: Side, work: () => Promise<unknown>): Promise<void> {
    const all = await parts(side);
    const look = () => Object.fromEntries(Object.entries(all).map(([part, pids]) =>
        [part, pids.map(cpuOf).reduce((a, b) => ({ user: a.user + b.user, system: a.system + b.system }), { user: 0, system: 0 })]));
    const [before, machineBefore] = [look(), machine()];
    const wall = await seconds(work);
    const [after, machineAfter] = [look(), machine()];
    const took = (part: string) => [after[part]!.user - before[part]!.user, after[part]!.system - before[part]!.system] as const;
    const rest = Object.keys(machineAfter).map((name) => machineAfter[name]! - machineBefore[name]!);
    console.log(`| ${[what, wall, ...Object.keys(all).map((part) => took(part).map((value) => value.toFixed(2)).join(" + ")), ...rest]
        .map((cell) => (typeof cell === "number" ? cell.toFixed(2) : cell)).join(" | ")} |`);
}

/** Prints, as a table, where the time goes in a push, a pull and in small requests. */
export async function profileSide(side: Side, { layerBytes, duration }: Size): Promise<void> {
    console.log(`\nCPU seconds of each part for ${side.name}, its own and in the kernel:\n`);
    console.log(`| | seconds | ${Object.keys(await parts(side)).join(" | ")} | ${Object.keys(machine()).join(" | ")} |\n|---|---|---|---|---|---|---|---|`);
    const layer = await makeLayer(layerBytes);
    await profile("push of a layer", side, () => pushLayer(side, layer));
    await profile("pull of it, HTTP/1.1", side, () => pullLayer(side, layer));
    await profile("pull of it, HTTP/2", side, () => pullLayer(side, layer, "--http2"));
    const image = makeImage(40, 1024 * 1024);
    await profile("push of 40 layers of 1 MiB", side, () => pushImage(side, image, "image:one"));
    await profile("pull of them", side, () => pullImage(side, "image:one"));
    await profile(`GET /v2/ for ${duration} s`, side, () => requests(side, "", duration));
    await profile(`GET a manifest for ${duration} s`, side, () => requests(side, "image/manifests/one", duration));
    console.log();
}
