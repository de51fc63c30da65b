import * as assert from "node:assert/strict";
import { Hash, randomBytes } from "node:crypto";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { minioFolder } from "../sandbox/paths";
import { memory, registryProcess } from "../tests/e2e/support/processes";
import { attempt, run } from "../tests/e2e/support/run";
import { minio, minioRoot } from "../tests/e2e/support/sandbox";
import { Client, hashFile, makeImageOf } from "../tests/e2e/support/traffic";
import { median } from "./quantile";
import { createEmptyFolder, s3Client, Subject } from "./subjects";

/** Files that are sent and received stay in memory, so that only MinIO uses the disk. Larger files are on disk. */
const inMemory = fs.existsSync("/dev/shm") ? "/dev/shm" : os.tmpdir();
const maxBytesInMemory = 4 * 1024 ** 3;
/** Scratch folders. Each one is created at its first use, because that deletes the files of another run. */
const folders: Record<string, string> = {};
export const scratchFolder = (place = inMemory) =>
    (folders[place] ??= createEmptyFolder(path.join(place, "homelab-registry-bench-load")));

/** Removes the images that were made and pulled. */
export function removeImages(): void {
    for (const image of fs.readdirSync(scratchFolder()).filter((name) => name.startsWith("image-"))) {
        fs.rmSync(path.join(scratchFolder(), image), { recursive: true });
    }
}

/** Measures the seconds that some work takes. */
export async function measureSeconds(work: () => Promise<unknown>): Promise<number> {
    const began = performance.now();
    await work();
    return (performance.now() - began) / 1000;
}

/** Measures several times in a row how many seconds some work lasts. Returns the median. The work gets 1, 2 and so on. */
export async function measureMedianSeconds(work: (number: number) => Promise<unknown>, times = 3): Promise<number> {
    const seconds: number[] = [];
    for (let number = 1; number <= times; number++) {
        seconds.push(await measureSeconds(() => work(number)));
    }
    return median(seconds);
}

/** A layer: a file of random bytes, and its digest. */
export interface Layer {
    file: string;
    digest: string;
    bytes: number;
}

/** Layers of the same file differ only in their last bytes, so many. */
const endBytes = 32;
/** The hash of each layer's file without its end. So a new layer needs no hash of a whole file. */
const hashesWithoutEnd = new Map<string, Hash>();

/** Makes a layer that no registry has. It overwrites the previous layer of the same name. */
export async function makeLayer(bytes: number, name = "layer"): Promise<Layer> {
    const file = path.join(scratchFolder(bytes > maxBytesInMemory ? os.tmpdir() : inMemory), name);
    if (!fs.existsSync(file) || fs.statSync(file).size !== bytes) {
        await run("sh", ["-c", 'head -c "$1" /dev/urandom > "$2"', "sh", String(bytes), file]);
        hashesWithoutEnd.set(file, await hashFile(file, bytes - endBytes));
    }
    const end = randomBytes(endBytes);
    const handle = fs.openSync(file, "r+");
    fs.writeSync(handle, end, 0, endBytes, bytes - endBytes);
    fs.closeSync(handle);
    return { file, digest: `sha256:${hashesWithoutEnd.get(file)!.copy().update(end).digest("hex")}`, bytes };
}

/** Makes several layers, each in its own file. */
export async function makeLayers(count: number, bytes: number): Promise<Layer[]> {
    const layers: Layer[] = [];
    for (let number = 1; number <= count; number++) {
        layers.push(await makeLayer(bytes, `layer-${number}`));
    }
    return layers;
}

/** Runs curl with the client's login, over HTTP/1.1 by default. */
const curl = ({ user, password }: Client, ...args: string[]) =>
    run("curl", [
        "--silent",
        "--show-error",
        "--fail-with-body",
        "--max-time",
        "900",
        "--http1.1",
        "--header",
        "Expect:",
        "--user",
        `${user}:${password}`,
        ...args,
    ]);

/** Pushes a layer as Docker does, with a POST, a PATCH and a PUT. Returns the seconds of the upload and the commit. */
export async function pushLayer(
    { client }: Subject,
    { file, digest }: Layer,
): Promise<{ upload: number; commit: number }> {
    const location = (headers: string) => /^location: (.*?)\r?$/im.exec(headers)![1]!;
    const withDigest = (url: string) => `${url}${url.includes("?") ? "&" : "?"}digest=${digest}`;
    let url = "";
    const upload = await measureSeconds(async () => {
        url = location(
            await curl(
                client,
                "--request",
                "POST",
                "--dump-header",
                "-",
                `https://${client.host}/v2/layer/blobs/uploads/`,
            ),
        );
        url = location(
            await curl(
                client,
                "--request",
                "PATCH",
                "--upload-file",
                file,
                "--header",
                "Content-Type: application/octet-stream",
                "--dump-header",
                "-",
                url,
            ),
        );
    });
    const commit = await measureSeconds(() => curl(client, "--request", "PUT", withDigest(url)));
    return { upload, commit };
}

/** Pulls a layer, and discards it. Returns the version of HTTP that the last server used, which may be a lower one. */
export async function pullLayer({ client }: Subject, { digest, bytes }: Layer, version = "1.1"): Promise<string> {
    const written = await curl(
        client,
        `--http${version}`,
        "--location",
        "--output",
        "/dev/null",
        "--write-out",
        "%{size_download} %{http_version}",
        `https://${client.host}/v2/layer/blobs/${digest}`,
    );
    const [size, used = ""] = written.split(" ");
    assert.equal(Number(size), bytes);
    return used;
}

/** Uploads a layer to MinIO with an S3 client, with settings that are fast for large files. */
export const putLayer = (bucket: string, { file }: Layer) =>
    s3Client(
        "copyto",
        "--ignore-times",
        "--s3-disable-checksum",
        "--s3-chunk-size",
        "64M",
        file,
        `minio:${bucket}/layer`,
    );

/** Downloads a layer from MinIO, and discards it. */
export const getLayer = (bucket: string) => s3Client("cat", `minio:${bucket}/layer`);

/** Sends one plain HTTP request for a layer to MinIO, without hashing the body. */
export async function bareRequest(key: Key, bucket: string, { bytes }: Layer, ...options: string[]): Promise<void> {
    const size = await run("curl", [
        "--silent",
        "--show-error",
        "--fail",
        "--max-time",
        "300",
        "--output",
        "/dev/null",
        "--write-out",
        "%{size_upload} %{size_download}",
        "--aws-sigv4",
        "aws:amz:us-east-1:s3",
        "--user",
        `${key.user}:${key.password}`,
        "--header",
        "x-amz-content-sha256: UNSIGNED-PAYLOAD",
        ...options,
        `http://${minio}/${bucket}/layer`,
    ]);
    assert.ok(size.split(" ").includes(String(bytes)), `${bytes} bytes were expected, but curl transferred ${size}`);
}
type Key = Awaited<ReturnType<typeof minioRoot>>;

/** Empties a bucket. */
export const emptyBucket = (bucket: string) => s3Client("delete", `minio:${bucket}`);

/** Deletes what MinIO would delete later, file by file, while another registry is measured. */
export function emptyTrash(): void {
    const trash = path.join(minioFolder, ".minio.sys/tmp/.trash");
    for (const name of fs.readdirSync(trash)) {
        fs.rmSync(path.join(trash, name), { recursive: true, force: true });
    }
}

/** Makes an image; `bytes` is the size of each layer. */
export function makeImage(layers: number, bytes: number): string {
    const image = fs.mkdtempSync(path.join(scratchFolder(), "image-"));
    fs.rmdirSync(image);
    makeImageOf(image, Array<number>(layers).fill(bytes));
    return image;
}

const skopeo = ({ client }: Subject, direction: "src" | "dest", from: string, to: string) =>
    run("skopeo", [
        "copy",
        "--quiet",
        "--preserve-digests",
        `--${direction}-creds`,
        `${client.user}:${client.password}`,
        from,
        to,
    ]);

/** Pushes an image. */
export const pushImage = (subject: Subject, image: string, name: string) =>
    skopeo(subject, "dest", `dir:${image}`, `docker://${subject.client.host}/${name}`);

/** Pulls an image. */
export async function pullImage(subject: Subject, name: string): Promise<void> {
    await skopeo(
        subject,
        "src",
        `docker://${subject.client.host}/${name}`,
        `dir:${fs.mkdtempSync(path.join(scratchFolder(), "image-"))}`,
    );
}

/** Sends requests over 8 keep-alive connections. Returns the rate per second, and the 99th percentile in ms. */
export async function measureRequests(
    { client }: Subject,
    path: string,
    duration: number,
): Promise<{ rate: number; p99: number }> {
    const login = Buffer.from(`${client.user}:${client.password}`).toString("base64");
    const { code, stdout, stderr } = await attempt("wrk", [
        "--threads",
        "2",
        "--connections",
        "8",
        "--duration",
        `${duration}s`,
        "--latency",
        "--header",
        `Authorization: Basic ${login}`,
        "--header",
        "Accept: application/vnd.oci.image.manifest.v1+json",
        `https://${client.host}/v2/${path}`,
    ]);
    const rate = /Requests\/sec: +([\d.]+)/.exec(stdout)?.[1];
    const p99 = /99% +([\d.]+)(us|ms|s)/.exec(stdout);
    if (code !== 0 || !rate || !p99 || /Non-2xx|Socket errors/.test(stdout)) {
        throw new Error(`wrk failed for https://${client.host}/v2/${path}:\n${stdout}${stderr}`);
    }
    return { rate: Number(rate), p99: Number(p99[1]) * { us: 0.001, ms: 1, s: 1000 }[p99[2] as "us" | "ms" | "s"] };
}

/** Measures the peak resident memory of a registry in MiB, while some work is done. */
export async function measurePeakMemory({ namespace }: Subject, work: () => Promise<unknown>): Promise<number> {
    const pid = await registryProcess(namespace);
    // Reset the peak of the process.
    fs.writeFileSync(`/proc/${pid}/clear_refs`, "5");
    await work();
    return memory(pid).peak;
}
