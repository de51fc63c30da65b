import * as fs from "node:fs";
import * as path from "node:path";

import { registryProcess } from "../tests/e2e/support/processes";
import { attempt, run } from "../tests/e2e/support/run";
import { get, minio, minioRoot } from "../tests/e2e/support/sandbox";
import { Size } from "./figures";
import { makeImage, makeLayer, pullImage, pullLayer, pushImage, pushLayer, requests, seconds } from "./load";
import { debugPort, Side } from "./sides";

/** CPU seconds that a part took, in its own code and in the kernel's. */
interface Cpu {
    user: number;
    system: number;
}

/** Of `/proc`, a second. */
const ticks = 100;

/** What a process took since it began. */
function cpuOf(pid: string): Cpu {
    const fields = fs
        .readFileSync(`/proc/${pid}/stat`, "utf8")
        .replace(/^.*\) /, "")
        .split(" ");
    return { user: Number(fields[11]) / ticks, system: Number(fields[12]) / ticks };
}

/** The processes of the parts that a request goes through. */
async function parts(side: Side): Promise<Record<string, string[]>> {
    const called = async (name: string) => (await run("pgrep", ["--exact", name])).trim().split("\n");
    return {
        ingress: await called("traefik"),
        registry: [String(await registryProcess(side.namespace))],
        Minio: await called("minio"),
    };
}

/** The machine's own time of all processors: what is idle shows how much was waited for. */
function machine(): Record<string, number> {
    const [, user, nice, system, idle, iowait, irq, softirq] = fs
        .readFileSync("/proc/stat", "utf8")
        .split("\n")[0]!
        .split(/ +/)
        .map(Number);
    return { "all, clients too": (user! + nice! + system! + irq! + softirq!) / ticks, idle: (idle! + iowait!) / ticks };
}

/** Does some work, and prints which part took how much of the processors meanwhile. */
async function account(what: string, side: Side, work: () => Promise<unknown>): Promise<void> {
    const all = await parts(side);
    const look = () =>
        Object.fromEntries(
            Object.entries(all).map(([part, pids]) => [
                part,
                pids
                    .map(cpuOf)
                    .reduce((a, b) => ({ user: a.user + b.user, system: a.system + b.system }), { user: 0, system: 0 }),
            ]),
        );
    const [before, machineBefore] = [look(), machine()];
    const wall = await seconds(work);
    const [after, machineAfter] = [look(), machine()];
    const took = (part: string) => [after[part]!.user - before[part]!.user, after[part]!.system - before[part]!.system];
    const rest = Object.keys(machineAfter).map((name) => machineAfter[name]! - machineBefore[name]!);
    console.log(
        `| ${[
            what,
            wall,
            ...Object.keys(all).map((part) =>
                took(part)
                    .map((value) => value.toFixed(2))
                    .join(" + "),
            ),
            ...rest,
        ]
            .map((cell) => (typeof cell === "number" ? cell.toFixed(2) : cell))
            .join(" | ")} |`,
    );
}

/** Does some work, and prints which functions of each part took the processors meanwhile, as far as Go is there to read their profiles. */
async function sample(
    what: string,
    side: Side,
    folder: string,
    work: () => Promise<unknown>,
    duration: number,
): Promise<void> {
    const {
        items: [pod],
    } = await get<{ items: [{ status: { podIP: string } }] }>("pods", "--namespace", side.namespace);
    const root = await minioRoot();
    const file = (part: string) => path.join(folder, `${what}-${part}.pprof`);
    const fetch = async (part: string, ...args: string[]) => {
        fs.rmSync(file(part), { force: true });
        await run("curl", ["--silent", "--show-error", "--fail", "--output", file(part), ...args]);
    };
    await Promise.all([
        fetch("registry", `http://${pod.status.podIP}:${debugPort}/debug/pprof/profile?seconds=${duration}`),
        fetch("ingress", `http://127.0.0.1:8088/debug/pprof/profile?seconds=${duration}`),
        fetch(
            "Minio",
            "--request",
            "POST",
            "--aws-sigv4",
            "aws:amz:us-east-1:s3",
            "--user",
            `${root.user}:${root.password}`,
            `http://${minio}/minio/admin/v3/profile?profilerType=cpu&duration=${duration}s`,
        ),
        work(),
    ]);
    // Minio's comes in an archive, of one for each server.
    await run("sh", ["-c", 'unzip -p "$1" > "$1.new" && mv "$1.new" "$1"', "sh", file("Minio")]);
    for (const part of ["registry", "ingress", "Minio"]) {
        const { code, stdout } = await attempt("go", ["tool", "pprof", "-top", "-nodecount=12", file(part)]);
        console.log(`\n${what}, ${part}: ${code === 0 ? `\n${stdout}` : file(part)}`);
    }
}

/** Prints, as a table, where the time goes in a push, a pull and in small requests; with a folder, by function as well. */
export async function profileSide(side: Side, { layerBytes, duration }: Size, folder: string): Promise<void> {
    console.log(`\nCPU seconds of each part for ${side.name}, its own + the kernel's:\n`);
    console.log(
        `| | seconds | ${Object.keys(await parts(side)).join(" | ")} | ${Object.keys(machine()).join(" | ")} |\n|---|---|---|---|---|---|---|`,
    );
    const layer = await makeLayer(layerBytes);
    await account("push of a layer", side, () => pushLayer(side, layer));
    await account("pull of it, HTTP/1.1", side, () => pullLayer(side, layer));
    await account("pull of it, HTTP/2", side, () => pullLayer(side, layer, "--http2"));
    const image = makeImage(40, 1024 * 1024);
    await account("push of 40 layers of 1 MiB", side, () => pushImage(side, image, "image:one"));
    await account("pull of them", side, () => pullImage(side, "image:one"));
    await account(`GET /v2/ for ${duration} s`, side, () => requests(side, "", duration));
    await account(`GET a manifest for ${duration} s`, side, () => requests(side, "image/manifests/one", duration));
    console.log();
    if (side.name === "debug") {
        await sample("push", side, folder, () => makeLayer(layerBytes).then((layer) => pushLayer(side, layer)), 10);
        await sample("pull", side, folder, () => pullLayer(side, layer), 3);
        await sample("manifest", side, folder, () => requests(side, "image/manifests/one", duration), duration);
    }
}
