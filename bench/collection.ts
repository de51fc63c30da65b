import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import * as fs from "node:fs";
import * as path from "node:path";
import * as readline from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

import { systemClock } from "../components/collector/clock";
import { blobKey, LinkFolder, linkKey, tagKey } from "../components/collector/layout";
import { S3Client } from "../components/collector/s3Client";
import { memory, processesOf } from "../tests/e2e/support/processes";
import { run } from "../tests/e2e/support/run";
import { get, kubectl, minio, minioRoot, s3 } from "../tests/e2e/support/sandbox";
import { measureSeconds, scratchFolder } from "./load";
import { deployCandidate, setConfig, Subject } from "./subjects";

/** The columns of the table, beside the number of tags and whether untagged manifests are deleted. */
export const collectionColumns = [
    "objects",
    "a bare listing, s",
    "pushes refused, s",
    "of which until all pods are read-only, s",
    "and until all pods are writable, s",
    "in all, s",
    "peak memory, MiB",
];

/** Minutes after which a collection is stopped. */
const maxMinutes = 30;
const garbageBlobs = 100;
const repository = "many";

/** Makes a registry with so many tags, collects garbage, and returns the figures of the table's row. */
export async function measureCollection(subject: Subject, tags: number, deleteUntagged: boolean): Promise<number[]> {
    await fill(subject.bucket, tags);
    await setConfig(
        "candidate",
        "collectionSchedule=0 4 * * 0",
        "collectionMinAgeMinutes=0",
        "collectionMaxReadOnlyMinutes=300",
        `collectionDeleteUntagged=${deleteUntagged}`,
    );
    await deployCandidate("candidate");
    let objects = 0;
    const listing = await measureSeconds(async () => (objects = (await list(subject.bucket)).length));
    const { at, peak } = await collect(subject.namespace);
    const between = (from: string, to: string) => (at[to] ?? NaN) - (at[from] ?? NaN);
    return [
        objects,
        listing,
        between("Making the registry", "The registry accepts"),
        between("Making the registry", "It is read-only"),
        between("Freed", "The registry accepts"),
        at.end ?? NaN,
        peak,
    ];
}

/** Collects garbage. Returns when it printed what, in seconds, and the peak memory. */
async function collect(namespace: string) {
    const began = performance.now();
    const seconds = () => (performance.now() - began) / 1000;
    const env = { ...process.env, PULUMI_STACK: namespace };
    const collection = spawn("scripts/collect", { env, stdio: ["ignore", "pipe", "inherit"] });
    const closed = once(collection, "close") as Promise<[number | null]>;
    const at: Record<string, number> = {};
    const ended = (async () => {
        for await (const line of readline.createInterface({ input: collection.stdout })) {
            console.log(`${seconds().toFixed(1).padStart(8)} ${line}`);
            at[/^(Making the registry|It is read-only|Freed|The registry accepts)/.exec(line)?.[0] ?? ""] = seconds();
        }
        at.end = seconds();
    })();
    const peaks: Record<string, number> = {};
    while (at.end === undefined) {
        if (seconds() > maxMinutes * 60) {
            console.log(`stopped after ${maxMinutes} minutes`);
            await kubectl("delete", "jobs", "--all", "--namespace", namespace);
            collection.kill();
        }
        await notePeaks(namespace, peaks);
        // Seldom, as it takes the CPU's time.
        await sleep(3000);
    }
    await ended;
    const [code] = await closed;
    // Without a code, it was stopped.
    if (code) {
        throw new Error(`scripts/collect failed with exit code ${code}`);
    }
    return { at, peak: Object.values(peaks).reduce((sum, peak) => sum + peak, 0) };
}

/** Notes the peak memory of the collector and of distribution's program in its pod. */
async function notePeaks(namespace: string, peaks: Record<string, number>): Promise<void> {
    const pods = [
        "pods",
        "--namespace",
        namespace,
        "--selector",
        "app.kubernetes.io/name=container-registry-collection",
    ];
    const { items } = await get<{ items: { metadata: { uid: string } }[] }>(...pods);
    for (const program of ["node", "registry"]) {
        for (const pid of processesOf(
            items.map(({ metadata }) => metadata.uid),
            program,
        )) {
            try {
                peaks[program] = Math.max(peaks[program] ?? 0, memory(pid).peak);
            } catch {
                // It has ended.
            }
        }
    }
}

/** The keys of all objects in a bucket, as the collector lists them. */
async function list(bucket: string): Promise<string[]> {
    const { user, password } = await minioRoot();
    const login = { accesskey: user, secretkey: password, region: "us-east-1" };
    const parameters = { ...login, bucket, regionendpoint: minio, secure: false };
    return [...(await new S3Client(parameters, systemClock, new AbortController().signal).list("")).keys()];
}

/** Puts tags of images for two platforms into a bucket, and some blobs that nothing needs. MinIO extracts the archive. */
async function fill(bucket: string, tags: number): Promise<void> {
    const folder = path.join(scratchFolder(), "bucket");
    const put = (key: string, content: string) => {
        const file = path.join(folder, key);
        fs.mkdirSync(path.dirname(file), { recursive: true });
        fs.writeFileSync(file, content);
    };
    const first = (await list(bucket)).filter((key) => key.endsWith("/current/link")).length;
    for (let next = first; next < tags; next += 1000) {
        for (let tag = next; tag < Math.min(next + 1000, tags); tag++) {
            putIndex(put, tag);
        }
        await extract(bucket, folder);
    }
    for (let blob = 0; blob < garbageBlobs; blob++) {
        putBlob(put, `garbage ${blob}`);
    }
    await extract(bucket, folder);
}

type Put = (key: string, content: string) => void;

function putBlob(put: Put, content: string) {
    const digest = `sha256:${createHash("sha256").update(content).digest("hex")}`;
    put(blobKey(digest), content);
    return { digest, size: content.length };
}

/** Puts the objects that distribution writes when a tag with images for two platforms is pushed. */
function putIndex(put: Put, tag: number): void {
    const link = (folder: LinkFolder, { digest }: { digest: string }) =>
        put(linkKey(repository, folder, digest), digest);
    const type = "application/vnd.oci.image";
    const blob = (content: string, mediaType: string) => ({ mediaType, ...putBlob(put, content) });
    const manifests = ["amd64", "arm64"].map((architecture) => {
        const config = blob(JSON.stringify({ architecture, os: "linux", tag }), `${type}.config.v1+json`);
        const layer = blob(`layer of ${tag} for ${architecture}`, `${type}.layer.v1.tar+gzip`);
        [config, layer].forEach((part) => link("_layers", part));
        const manifest = { schemaVersion: 2, mediaType: `${type}.manifest.v1+json` };
        const parts = { config, layers: [layer] };
        const pushed = blob(JSON.stringify({ ...manifest, ...parts }), manifest.mediaType);
        link("_manifests/revisions", pushed);
        return { ...pushed, platform: { architecture, os: "linux" } };
    });
    const mediaType = `${type}.index.v1+json`;
    const index = blob(JSON.stringify({ schemaVersion: 2, mediaType, manifests }), mediaType);
    link("_manifests/revisions", index);
    const current = tagKey({ repository, name: String(tag) });
    put(current, index.digest);
    put(current.replace("/current/", `/index/${index.digest.replace(":", "/")}/`), index.digest);
}

/** Uploads a folder as one archive, which MinIO extracts into the bucket; deletes the folder. */
async function extract(bucket: string, folder: string): Promise<void> {
    const archive = `${folder}.tar`;
    // Without folders, which MinIO would store as objects.
    const tar = 'cd "$1" && find docker -type f | tar --create --file "$2" --files-from -';
    await run("sh", ["-c", tar, "sh", folder, archive]);
    fs.rmSync(folder, { recursive: true });
    const options = ["--header", "x-amz-meta-snowball-auto-extract: true", "--max-time", "1800"];
    const upload = ["--upload-file", archive, ...options];
    const { status, body } = await s3(await minioRoot(), "PUT", `${bucket}/archive.tar`, ...upload);
    fs.rmSync(archive);
    if (status !== 200) {
        throw new Error(`MinIO did not extract the images: ${status} ${body}`);
    }
}
