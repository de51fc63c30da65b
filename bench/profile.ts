import * as fs from "node:fs";
import * as path from "node:path";

import { registryProcess } from "../tests/e2e/support/processes";
import { attempt, run } from "../tests/e2e/support/run";
import { get, minio, minioRoot } from "../tests/e2e/support/sandbox";
import {
    makeImage,
    makeLayer,
    measureRequests,
    measureSeconds,
    pullImage,
    pullLayer,
    pushImage,
    pushLayer,
} from "./load";
import { Cpu, readCpu, readMachineCpu, sampleProcesses } from "./processes";
import { Size } from "./scenarios";
import { debugPort, Subject } from "./subjects";

/** The processes that a request passes through, by component. */
async function findProcesses(subject: Subject): Promise<Record<string, string[]>> {
    const findByName = async (name: string) => (await run("pgrep", ["--exact", name])).trim().split("\n");
    return {
        ingress: await findByName("traefik"),
        registry: [String(await registryProcess(subject.namespace))],
        MinIO: await findByName("minio"),
    };
}

/** Does some work, and prints a table row with the CPU seconds of each component meanwhile. */
async function measureCpu(label: string, subject: Subject, work: () => Promise<unknown>): Promise<void> {
    const processes = Object.values(await findProcesses(subject));
    const readAll = () => processes.map((pids) => pids.map(readCpu).reduce(add, { user: 0, system: 0 }));
    const [before, machineBefore] = [readAll(), readMachineCpu()];
    const elapsed = await measureSeconds(work);
    const [after, machineAfter] = [readAll(), readMachineCpu()];
    const components = after.map(({ user, system }, index) => {
        const start = before[index]!;
        return `${(user - start.user).toFixed(2)} + ${(system - start.system).toFixed(2)}`;
    });
    const machine = Object.keys(machineAfter).map((name) => (machineAfter[name]! - machineBefore[name]!).toFixed(2));
    console.log(`| ${[label, elapsed.toFixed(2), ...components, ...machine].join(" | ")} |`);
}

const add = (a: Cpu, b: Cpu): Cpu => ({ user: a.user + b.user, system: a.system + b.system });

/** Does some work, saves a CPU profile of each component meanwhile, and prints the top functions (needs Go). */
async function saveProfiles(
    label: string,
    subject: Subject,
    folder: string,
    work: () => Promise<unknown>,
    duration: number,
): Promise<void> {
    const {
        items: [pod],
    } = await get<{ items: [{ status: { podIP: string } }] }>("pods", "--namespace", subject.namespace);
    const root = await minioRoot();
    const file = (component: string) => path.join(folder, `${label}-${component}.pprof`);
    const fetch = async (component: string, ...args: string[]) => {
        fs.rmSync(file(component), { force: true });
        await run("curl", ["--silent", "--show-error", "--fail", "--output", file(component), ...args]);
    };
    await Promise.all([
        fetch("registry", `http://${pod.status.podIP}:${debugPort}/debug/pprof/profile?seconds=${duration}`),
        fetch("ingress", `http://127.0.0.1:8088/debug/pprof/profile?seconds=${duration}`),
        fetch(
            "MinIO",
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
    // MinIO returns an archive with a profile for each server.
    await run("sh", ["-c", 'unzip -p "$1" > "$1.new" && mv "$1.new" "$1"', "sh", file("MinIO")]);
    for (const component of ["registry", "ingress", "MinIO"]) {
        const { code, stdout } = await attempt("go", ["tool", "pprof", "-top", "-nodecount=12", file(component)]);
        console.log(`\n${label}, ${component}: ${code === 0 ? `\n${stdout}` : file(component)}`);
    }
}

/**
 * Prints a table of the CPU time of pushes, pulls and small requests. For the variant `debug`, it also saves profiles
 * by function in `folder`.
 */
export async function profileSubject(subject: Subject, { layerBytes, duration }: Size, folder: string): Promise<void> {
    console.log(`\nCPU seconds of each component for ${subject.name}, in its own code + in the kernel:\n`);
    const columns = ["", "seconds", ...Object.keys(await findProcesses(subject)), ...Object.keys(readMachineCpu())];
    console.log(`| ${columns.join(" | ")} |\n|${"---|".repeat(columns.length)}`);
    const layer = await makeLayer(layerBytes);
    await measureCpu("push a layer", subject, () => pushLayer(subject, layer));
    await measureCpu("pull it, HTTP/1.1", subject, () => pullLayer(subject, layer));
    await measureCpu("pull it, HTTP/2", subject, () => pullLayer(subject, layer, "2"));
    const image = makeImage(40, 1024 * 1024);
    await measureCpu("push 40 layers of 1 MiB", subject, () => pushImage(subject, image, "image:one"));
    await measureCpu("pull them", subject, () => pullImage(subject, "image:one"));
    await measureCpu(`GET /v2/ for ${duration} s`, subject, () => measureRequests(subject, "", duration));
    await measureCpu(`GET a manifest for ${duration} s`, subject, () =>
        measureRequests(subject, "image/manifests/one", duration),
    );
    console.log();
    if (subject.name === "debug") {
        await saveProfiles(
            "push",
            subject,
            folder,
            () => makeLayer(layerBytes).then((layer) => pushLayer(subject, layer)),
            10,
        );
        await saveProfiles("pull", subject, folder, () => pullLayer(subject, layer), 3);
        await saveProfiles(
            "manifest",
            subject,
            folder,
            () => measureRequests(subject, "image/manifests/one", duration),
            duration,
        );
    }
}

/** Prints a table of the processes of a preview without changes, in the order of their starts. */
export async function profilePreview(program: string, preview: () => Promise<unknown>): Promise<void> {
    await preview();
    const processes = await sampleProcesses(preview);
    console.log(
        `\nThe processes of a preview of ${program}, and their CPU seconds in their own code + in the kernel:\n`,
    );
    console.log("| process | first seen, s | last seen, s | CPU, s |\n|---|---|---|---|");
    for (const { program, began, ended, cpu } of processes.sort((a, b) => a.began - b.began)) {
        const spent = `${cpu.user.toFixed(2)} + ${cpu.system.toFixed(2)}`;
        console.log(`| ${program} | ${began.toFixed(2)} | ${ended.toFixed(2)} | ${spent} |`);
    }
}
