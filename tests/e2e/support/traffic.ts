import * as assert from "node:assert/strict";
import { createHash, Hash, randomBytes } from "node:crypto";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";

import { attempt, run } from "./run";

/** A registry, and a login that the tested change does not affect. */
export interface Client {
    host: string;
    user: string;
    password: string;
    /** Host for pulls. Default: `host`. */
    pullsAt?: string;
}

/** What clients did while something changed. */
interface Traffic {
    pushed: number;
    pulled: number;
    /** Number of failed attempts that were retried, as far as that was allowed. */
    retried: number;
    /** Attempts that failed and were not retried. */
    failures: string[];
}

const pullers = 2;
/** Milliseconds before a retry. Docker waits 5 s before its first retry, and 10 s before its second. */
const retryDelay = 10_000;
/** Larger than the registry's chunk, so that a push is a multipart upload. */
const layerBytes = 12 * 1024 * 1024;
/** Layers of images that are pushed during a change. Also larger than a chunk, but small enough to leave processor time. */
const trafficLayers = [64 * 1024, 6 * 1024 * 1024];
/** Milliseconds that a client waits between two attempts. */
const pause = 5000;
/** Milliseconds before a change, in which all clients begin. */
const leadTime = 2000;

/** What clients may do, and how many there are. */
interface Options {
    /** How often a failed attempt may be retried. */
    retries?: number;
    /** How often a failed push may be retried, if pushes may be refused. */
    pushRetries?: number;
    /** The errors after which an attempt may be retried. Default: any. */
    retryAfter?: RegExp;
    pushers?: number;
    /** Whether every pushed image is pulled again at the end. */
    checkAll?: boolean;
}

/**
 * What a push may get behind the class nginx, if it uses a connection that a stopping pod is just closing.
 * docs/design/reliability.md has this limitation.
 */
export const statusesWhilePodsStop = [500, 502];

/** For a change that stops pods behind the class nginx: one more attempt of a push, as docker makes by itself. */
export const whilePodsStop: Options = {
    pushRetries: 1,
    retryAfter: new RegExp(`\\b(${statusesWhilePodsStop.join("|")})\\b`),
};

/**
 * Makes a change while clients push new images and pull existing ones, from before the change until after it. Each attempt
 * is a run of skopeo, and the digest of each pulled image is verified.
 *
 * @throws the error of the change
 */
async function underTraffic(
    client: Client,
    change: () => Promise<unknown>,
    { retries = 0, pushRetries = retries, retryAfter = /^/, pushers = 2, checkAll = false }: Options = {},
): Promise<Traffic> {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "traffic-"));
    const authfile = path.join(folder, "auth.json");
    fs.writeFileSync(
        authfile,
        JSON.stringify({
            auths: Object.fromEntries(
                [client.host, client.pullsAt ?? client.host].map((host) => [
                    host,
                    { auth: Buffer.from(`${client.user}:${client.password}`).toString("base64") },
                ]),
            ),
        }),
    );
    const traffic: Traffic = { pushed: 0, pulled: 0, retried: 0, failures: [] };
    const images: { reference: string; digest: string }[] = [];
    const over = new AbortController();
    let tag = 0;

    const skopeo = async (what: string, retries: number, ...args: string[]): Promise<boolean> => {
        for (let tries = 0; ; tries++) {
            const { code, stderr } = await attempt("skopeo", [
                "copy",
                "--quiet",
                "--authfile",
                authfile,
                "--preserve-digests",
                ...args,
            ]);
            if (code === 0) {
                return true;
            }
            if (tries === retries || !retryAfter.test(stderr)) {
                traffic.failures.push(`${new Date().toISOString()} ${what}: ${stderr.trim()}`);
                return false;
            }
            traffic.retried++;
            await sleep(retryDelay);
        }
    };
    const push = async () => {
        const image = path.join(folder, `push-${tag++}`);
        const reference = `docker://${client.host}/traffic:${path.basename(folder)}-${tag}`;
        const digest = makeImageOf(image, trafficLayers);
        if (await skopeo(`push ${reference}`, pushRetries, `dir:${image}`, reference)) {
            traffic.pushed++;
            images.push({ reference, digest });
        }
        fs.rmSync(image, { recursive: true });
    };
    const pull = async ({ reference, digest } = images[Math.floor(Math.random() * images.length)]!) => {
        const image = fs.mkdtempSync(path.join(folder, "pull-"));
        if (
            await skopeo(
                `pull ${reference}`,
                retries,
                reference.replace(client.host, client.pullsAt ?? client.host),
                `dir:${image}`,
            )
        ) {
            traffic.pulled++;
            if (digestOf(fs.readFileSync(path.join(image, "manifest.json"))) !== digest) {
                traffic.failures.push(`${reference} is another image`);
            }
        }
        fs.rmSync(image, { recursive: true });
    };
    const wait = (milliseconds: number) =>
        sleep(milliseconds, undefined, { signal: over.signal }).catch(() => undefined);
    // The first pauses differ. Otherwise all clients would pause at once, for most of the time.
    const repeat = async (work: () => Promise<void>, i: number, { length }: unknown[]) => {
        await wait((i * leadTime) / length);
        for (let next = (pause * (i + 1)) / length; !over.signal.aborted; next = pause) {
            await work();
            await wait(next);
        }
    };

    try {
        await push();
        const clients = [
            ...Array<typeof push>(pushers).fill(push),
            ...Array<() => Promise<void>>(pullers).fill(() => pull()),
        ].map(repeat);
        try {
            await sleep(leadTime);
            await change();
            await sleep(pause);
        } finally {
            over.abort();
            await Promise.all(clients);
        }
        if (checkAll) {
            const left = [...images];
            const check = async () => {
                for (let image = left.pop(); image; image = left.pop()) {
                    await pull(image);
                }
            };
            await Promise.all([check(), check()]);
        }
        return traffic;
    } finally {
        // Other tests read all images of the registry.
        const urls = images.map(({ digest }) => `https://${client.host}/v2/traffic/manifests/${digest}`);
        const login = ["--user", `${client.user}:${client.password}`];
        await attempt("curl", [
            "--silent",
            "--parallel",
            "--parallel-max",
            "4",
            "--request",
            "DELETE",
            ...login,
            ...urls,
        ]);
        fs.rmSync(folder, { recursive: true });
    }
}

/**
 * Fails unless every attempt of every client succeeds while a change is made, at once or within the allowed retries. Prints
 * the number of attempts.
 */
export async function assertUnnoticed(
    client: Client,
    change: () => Promise<unknown>,
    options?: Options,
): Promise<void> {
    const { pushed, pulled, retried, failures } = await underTraffic(client, change, options);
    console.log(`      pushed ${pushed}, pulled ${pulled}, retried ${retried}`);
    assert.equal(failures.length, 0, `clients noticed the change:\n${failures.join("\n")}`);
    assert.ok(pushed > 1 && pulled > 1, "there was no traffic");
}

/** Pushes an image or index that was made here, and also returns if that fails. */
export const tryPush = (image: string, { host, user, password }: Client, name: string) =>
    attempt("skopeo", [
        "copy",
        "--quiet",
        "--all",
        "--preserve-digests",
        "--dest-creds",
        `${user}:${password}`,
        `dir:${image}`,
        `docker://${host}/${name}`,
    ]);

/** Pulls an image or index to a folder, in the format of skopeo's `dir:`. Skopeo verifies the digest of every layer. */
export const pull = (name: string, { host, user, password }: Client, folder: string) =>
    run("skopeo", [
        "copy",
        "--quiet",
        "--all",
        "--src-creds",
        `${user}:${password}`,
        `docker://${host}/${name}`,
        `dir:${folder}`,
    ]);

/** Makes an image with two layers of random bytes, in the format of skopeo's `dir:`. Returns its digest. */
export const makeImage = (folder: string): string => makeImageOf(folder, [64 * 1024, layerBytes]);

/** Makes an image with layers of these sizes in bytes, in the format of skopeo's `dir:`. Returns its digest. */
export function makeImageOf(folder: string, layers: number[]): string {
    fs.mkdirSync(folder);
    return makeManifest(folder, "manifest.json", "amd64", layers).digest;
}

/** Makes an image with one large layer, almost all zeros, that needs no space on the disk. Returns the layer's digest. */
export async function makeLargeImage(folder: string, bytes: number): Promise<string> {
    fs.mkdirSync(folder);
    const layer = path.join(folder, "layer");
    fs.writeFileSync(layer, randomBytes(32));
    fs.truncateSync(layer, bytes);
    const digest = `sha256:${(await hashFile(layer)).digest("hex")}`;
    fs.renameSync(layer, path.join(folder, hashOf(digest)));
    writeManifest(folder, "manifest.json", "amd64", [
        { mediaType: "application/vnd.oci.image.layer.v1.tar", digest, size: bytes },
    ]);
    return digest;
}

/** The hash of a file's first bytes, by default of all. The file may be too large for the memory. */
export async function hashFile(file: string, bytes = Infinity): Promise<Hash> {
    const hash = createHash("sha256");
    for await (const chunk of fs.createReadStream(file, { end: bytes - 1, highWaterMark: 1024 * 1024 })) {
        hash.update(chunk as Buffer);
    }
    return hash;
}

/** Makes an image for each architecture, and an index of them. */
export function makeImages(folder: string, architectures: string[]): void {
    fs.mkdirSync(folder);
    const manifests = architectures.map((architecture) => {
        const manifest = makeManifest(folder, "manifest", architecture, [64 * 1024, layerBytes]);
        fs.renameSync(path.join(folder, "manifest"), path.join(folder, `${hashOf(manifest.digest)}.manifest.json`));
        return { mediaType: manifestType, ...manifest, platform: { architecture, os: "linux" } };
    });
    const mediaType = "application/vnd.oci.image.index.v1+json";
    fs.writeFileSync(path.join(folder, "manifest.json"), JSON.stringify({ schemaVersion: 2, mediaType, manifests }));
}

const manifestType = "application/vnd.oci.image.manifest.v1+json";

interface Blob {
    digest: string;
    size: number;
}

function writeBlob(folder: string, name: (digest: string) => string, content: Buffer): Blob {
    const digest = digestOf(content);
    fs.writeFileSync(path.join(folder, name(digest)), content);
    return { digest, size: content.length };
}

const hashOf = (digest: string) => digest.replace("sha256:", "");

/** Writes a manifest, and layers of these sizes in bytes. */
const makeManifest = (folder: string, file: string, architecture: string, layers: number[]): Blob =>
    writeManifest(
        folder,
        file,
        architecture,
        layers.map((bytes) => ({
            mediaType: "application/vnd.oci.image.layer.v1.tar+gzip",
            ...writeBlob(folder, hashOf, gzipSync(randomBytes(bytes), { level: 0, chunkSize: 1024 * 1024 })),
        })),
    );

/** Writes a manifest and its configuration, for layers that exist. */
function writeManifest(folder: string, file: string, architecture: string, layers: object[]): Blob {
    fs.writeFileSync(path.join(folder, "version"), "Directory Transport Version: 1.1\n");
    const config = JSON.stringify({ architecture, os: "linux", rootfs: { type: "layers", diff_ids: [] } });
    const manifest = {
        schemaVersion: 2,
        mediaType: manifestType,
        config: {
            mediaType: "application/vnd.oci.image.config.v1+json",
            ...writeBlob(folder, hashOf, Buffer.from(config)),
        },
        layers,
    };
    return writeBlob(folder, () => file, Buffer.from(JSON.stringify(manifest)));
}

const digestOf = (content: Buffer) => `sha256:${createHash("sha256").update(content).digest("hex")}`;
