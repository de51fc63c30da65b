import * as assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { pipeline } from "node:stream/promises";

import { memory, registryProcess } from "../tests/e2e/support/processes";
import { attempt, run } from "../tests/e2e/support/run";
import { minio, minioRoot } from "../tests/e2e/support/sandbox";
import { Client, makeImageOf } from "../tests/e2e/support/traffic";
import { emptied, s3Client, Side } from "./sides";

/** What is sent and fetched is in memory, so that the disk is Minio's alone; but for what has no room there. */
const inMemory = fs.existsSync("/dev/shm") ? "/dev/shm" : os.tmpdir();
const mostInMemory = 4 * 1024 ** 3;
/** Made when it is needed: to empty it takes away what another run has there. */
const folders: Record<string, string> = {};
const folder = (place = inMemory) => (folders[place] ??= emptied(path.join(place, "homelab-registry-bench-load")));

/** Takes away the images that were made and pulled. */
export function forgetImages(): void {
    for (const image of fs.readdirSync(folder()).filter((name) => name.startsWith("image-"))) {
        fs.rmSync(path.join(folder(), image), { recursive: true });
    }
}

/** How many seconds something takes. */
export async function seconds(work: () => Promise<unknown>): Promise<number> {
    const began = performance.now();
    await work();
    return (performance.now() - began) / 1000;
}

/** A file of random bytes, and its digest. */
export interface Layer {
    file: string;
    digest: string;
    bytes: number;
}

/** Makes a layer that no registry has: the one before it is overwritten. */
export async function makeLayer(bytes: number, name = "layer"): Promise<Layer> {
    const file = path.join(folder(bytes > mostInMemory ? os.tmpdir() : inMemory), name);
    if (!fs.existsSync(file) || fs.statSync(file).size !== bytes) {
        await run("sh", ["-c", 'head -c "$1" /dev/urandom > "$2"', "sh", String(bytes), file]);
    }
    const handle = fs.openSync(file, "r+");
    fs.writeSync(handle, randomBytes(32), 0, 32, 0);
    fs.closeSync(handle);
    const hash = createHash("sha256");
    await pipeline(fs.createReadStream(file, { highWaterMark: 1 << 20 }), hash);
    return { file, digest: `sha256:${hash.digest("hex")}`, bytes };
}

/** Makes so many of them, each beside the others. */
export async function makeLayers(count: number, bytes: number): Promise<Layer[]> {
    const layers: Layer[] = [];
    for (let number = 1; number <= count; number++) {
        layers.push(await makeLayer(bytes, `layer-${number}`));
    }
    return layers;
}

/** curl, logged in, by HTTP/1.1 unless told. */
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

/** Pushes a layer as docker does, in one PATCH and a PUT; gives back the seconds of each. */
export async function pushLayer(
    { client }: Side,
    { file, digest }: Layer,
): Promise<{ upload: number; commit: number }> {
    const location = (headers: string) => /^location: (.*?)\r?$/im.exec(headers)![1]!;
    const withDigest = (url: string) => `${url}${url.includes("?") ? "&" : "?"}digest=${digest}`;
    let url = "";
    const upload = await seconds(async () => {
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
    const commit = await seconds(() => curl(client, "--request", "PUT", withDigest(url)));
    return { upload, commit };
}

/** Fetches a layer, to nowhere; `--http2`, say, is how. */
export async function pullLayer({ client }: Side, { digest, bytes }: Layer, ...options: string[]): Promise<void> {
    const size = await curl(
        client,
        ...options,
        "--location",
        "--output",
        "/dev/null",
        "--write-out",
        "%{size_download}",
        `https://${client.host}/v2/layer/blobs/${digest}`,
    );
    assert.equal(Number(size), bytes);
}

/** Puts the same bytes into Minio by an S3 client, by settings that are fast for a large file. */
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

/** Fetches them from there, to nowhere. */
export const getLayer = (bucket: string) => s3Client("cat", `minio:${bucket}/layer`);

/** One bare request to Minio, for a layer, with nothing hashed. */
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
    assert.ok(size.split(" ").includes(String(bytes)), `${size} are not ${bytes} bytes`);
}
type Key = Awaited<ReturnType<typeof minioRoot>>;

/** Empties a bucket. */
export const empty = (bucket: string) => s3Client("delete", `minio:${bucket}`);

/** Makes an image of so many layers of so many bytes each. */
export function makeImage(layers: number, bytes: number): string {
    const image = fs.mkdtempSync(path.join(folder(), "image-"));
    fs.rmdirSync(image);
    makeImageOf(image, Array<number>(layers).fill(bytes));
    return image;
}

const skopeo = ({ client }: Side, direction: "src" | "dest", from: string, to: string) =>
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
export const pushImage = (side: Side, image: string, name: string) =>
    skopeo(side, "dest", `dir:${image}`, `docker://${side.client.host}/${name}`);

/** Pulls an image. */
export async function pullImage(side: Side, name: string): Promise<void> {
    await skopeo(
        side,
        "src",
        `docker://${side.client.host}/${name}`,
        `dir:${fs.mkdtempSync(path.join(folder(), "image-"))}`,
    );
}

/** Sends requests one after another on 8 connections that stay open; gives back how many a second, and the 99th percentile in ms. */
export async function requests(
    { client }: Side,
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
        throw new Error(`wrk at ${path} of ${client.host}: ${stdout}${stderr}`);
    }
    return { rate: Number(rate), p99: Number(p99[1]) * { us: 0.001, ms: 1, s: 1000 }[p99[2] as "us" | "ms" | "s"] };
}

/** The most memory, in MiB, that a registry has resident while work is done. */
export async function peakMemory({ namespace }: Side, work: () => Promise<unknown>): Promise<number> {
    const pid = await registryProcess(namespace);
    // The peak begins anew.
    fs.writeFileSync(`/proc/${pid}/clear_refs`, "5");
    await work();
    return memory(pid).peak;
}
