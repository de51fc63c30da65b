import { randomBytes } from "node:crypto";

import { makeBucket, minioRoot } from "../tests/e2e/support/sandbox";
import { withEmptyProgram } from "./emptyProgram";
import {
    bareRequest,
    getLayer,
    Layer,
    makeImage,
    makeLayer,
    makeLayers,
    measureMedianSeconds,
    measurePeakMemory,
    measureRequests,
    measureSeconds,
    pullImage,
    pullLayer,
    pushImage,
    pushLayer,
    putLayer,
} from "./load";
import { median } from "./quantile";
import { sides } from "./sides";
import {
    configureCandidate,
    deployCandidate,
    deploySide,
    preview,
    removeBucket,
    removeCandidate,
    removeSide,
    Subject,
} from "./subjects";

/** The size of a run. */
export interface Size {
    /** Bytes of a large layer. */
    layerBytes: number;
    /** Seconds for which a rate is measured. */
    duration: number;
}

/** A quantity that is measured for each subject, with its unit. */
export interface Metric {
    name: string;
    unit: "s" | "1/s" | "ms" | "MiB";
    /** The goal: at most this value, or so many times that of another subject. */
    goal?: { atMost: number; timesThatOf?: string };
}
/** Whether a higher value is better. */
export const isHigherBetter = ({ unit }: Metric) => unit === "1/s";

/** Metrics that are measured together. */
export interface Scenario {
    metrics: Metric[];
    /** In which rounds it is measured: 2 is every second one, from the first. Default: 1. */
    every?: number;
    /** Whether it is measured only if it is asked for. Default: no. */
    isOptional?: boolean;
    /** Measurements of other subjects than registries, for comparison. */
    references?: Record<string, (size: Size) => Promise<number[]>>;
    /** Whether it can be measured with a registry. Default: with each one. */
    appliesTo?(subject: Subject): boolean;
    /** Measures a registry, whose bucket is empty; returns a value for each metric, NaN if it does not apply. */
    measure(subject: Subject, size: Size): Promise<number[]>;
}

const MiB = 1024 * 1024;

/** How often a large layer is pulled in a round. From MinIO itself, a pull takes half a second, and varies most. */
const layerPulls = 2;
const layerPullsFromMinio = 5;

/** Measures an upload of a large layer to MinIO and its download; returns the values of the scenario `layer`. */
async function measureMinio(
    { layerBytes }: Size,
    put: (bucket: string, layer: Layer) => Promise<void>,
    get: typeof put,
): Promise<number[]> {
    const bucket = "bench-limit";
    const layer = await makeLayer(layerBytes);
    await makeBucket(bucket);
    const [putting, getting] = [
        await measureSeconds(() => put(bucket, layer)),
        await measureMedianSeconds(() => get(bucket, layer), layerPullsFromMinio),
    ];
    await removeBucket(bucket);
    // MinIO has no HTTP/2 without TLS.
    return [putting, NaN, getting, NaN];
}

/** Measures pulls of a layer over HTTP/1.1 and HTTP/2 by turns. NaN: it was not pulled over this version. */
async function measurePulls(subject: Subject, layer: Layer): Promise<[number, number]> {
    const seconds = { "1.1": [] as number[], "2": [] as number[] };
    for (let pull = 1; pull <= layerPulls; pull++) {
        for (const version of ["1.1", "2"] as const) {
            let used = "";
            const elapsed = await measureSeconds(async () => (used = await pullLayer(subject, layer, version)));
            // A redirect points to MinIO, which has no HTTP/2 without TLS.
            seconds[version].push(used === version ? elapsed : NaN);
        }
    }
    return [median(seconds["1.1"]), median(seconds["2"])];
}

/** MiB of the layers of an image. From some size on, a redirect to MinIO is worth its additional request. */
const layerSizes = [1, 2, 4, 8, 16, 32];

/** Requests during pushes are measured over several pushes, because an upload and its commit are different loads. */
const duringPushes = { partOfLargeLayer: 1 / 8, durations: 2 };

const isCandidate = ({ name }: Subject) => name === "candidate";

export const scenarios: Record<string, Scenario> = {
    // The first one: a process that has worked keeps memory that it does not need any more.
    memory: {
        metrics: [{ name: "peak memory during five parallel uploads", unit: "MiB", goal: { atMost: 256 } }],
        async measure(subject, { layerBytes }) {
            // The peak varies by a quarter from pod to pod. Many short measurements say more than a few long ones.
            const layers = await makeLayers(5, layerBytes / 16);
            return [
                await measurePeakMemory(subject, () => Promise.all(layers.map((layer) => pushLayer(subject, layer)))),
            ];
        },
    },
    layer: {
        metrics: [
            { name: "push a large layer", unit: "s", goal: { atMost: 2, timesThatOf: "limit" } },
            { name: "of which the commit", unit: "s" },
            { name: "pull a large layer, HTTP/1.1", unit: "s", goal: { atMost: 2, timesThatOf: "limit" } },
            { name: "pull a large layer, HTTP/2", unit: "s" },
        ],
        every: 2,
        async measure(subject, { layerBytes }) {
            const layer = await makeLayer(layerBytes);
            const { upload, commit } = await pushLayer(subject, layer);
            return [upload + commit, commit, ...(await measurePulls(subject, layer))];
        },
        references: {
            limit: (size) => measureMinio(size, putLayer, getLayer),
            "bare requests": async (size) => {
                const key = await minioRoot();
                return measureMinio(
                    size,
                    (bucket, layer) => bareRequest(key, bucket, layer, "--upload-file", layer.file),
                    (bucket, layer) => bareRequest(key, bucket, layer),
                );
            },
        },
    },
    image: {
        metrics: [
            { name: "push an image of 40 layers of 1 MiB", unit: "s" },
            { name: "push that image again, under another tag", unit: "s" },
            { name: "pull that image", unit: "s" },
        ],
        async measure(subject) {
            const image = makeImage(40, MiB);
            return [
                await measureSeconds(() => pushImage(subject, image, "image:one")),
                await measureMedianSeconds((number) => pushImage(subject, image, `image:again-${number}`)),
                await measureMedianSeconds(() => pullImage(subject, "image:one")),
            ];
        },
    },
    sizes: {
        metrics: layerSizes.map((size) => ({ name: `pull an image of 64 MiB, in layers of ${size} MiB`, unit: "s" })),
        isOptional: true,
        async measure(subject) {
            const values: number[] = [];
            for (const size of layerSizes) {
                const name = `sizes:${size}`;
                await pushImage(subject, makeImage(64 / size, size * MiB), name);
                values.push(await measureMedianSeconds(() => pullImage(subject, name)));
            }
            return values;
        },
    },
    five: {
        metrics: [{ name: "five parallel pushes, each of 4 layers of 16 MiB", unit: "s" }],
        async measure(subject) {
            const images = [1, 2, 3, 4, 5].map(() => makeImage(4, 16 * MiB));
            return [
                await measureSeconds(() =>
                    Promise.all(images.map((image, number) => pushImage(subject, image, `five:${number}`))),
                ),
            ];
        },
    },
    requests: {
        metrics: [
            { name: "GET /v2/, logged in", unit: "1/s" },
            { name: "GET a manifest by its tag", unit: "1/s" },
            { name: "99th percentile of GET /v2/", unit: "ms" },
            { name: "99th percentile of GET a manifest", unit: "ms" },
        ],
        async measure(subject, { duration }) {
            await pushImage(subject, makeImage(1, MiB), "small:one");
            const v2 = await measureRequests(subject, "", duration);
            const manifest = await measureRequests(subject, "small/manifests/one", duration);
            return [v2.rate, manifest.rate, v2.p99, manifest.p99];
        },
    },
    busy: {
        metrics: [
            { name: "99th percentile of GET /v2/ during pushes", unit: "ms" },
            { name: "99th percentile of GET a manifest during pushes", unit: "ms" },
        ],
        async measure(subject, { layerBytes, duration }) {
            const { partOfLargeLayer, durations } = duringPushes;
            await pushImage(subject, makeImage(1, MiB), "small:one");
            let isOver = false;
            const pushing = (async () => {
                while (!isOver) {
                    // Each push needs a new layer, because a registry skips existing blobs.
                    await pushLayer(subject, await makeLayer(layerBytes * partOfLargeLayer));
                }
            })();
            const p99Of = async (path: string) => (await measureRequests(subject, path, durations * duration)).p99;
            const measuring = (async () => [await p99Of(""), await p99Of("small/manifests/one")])().finally(
                () => (isOver = true),
            );
            // Both are over before a failure of one is reported.
            await Promise.allSettled([measuring, pushing]);
            await pushing;
            return measuring;
        },
    },
    preview: {
        metrics: [
            {
                name: "pulumi preview without changes",
                unit: "s",
                goal: { atMost: 1.4, timesThatOf: "empty program" },
            },
        ],
        every: 4,
        appliesTo: isCandidate,
        async measure({ name }) {
            return [await measureMedianSeconds(() => preview(name))];
        },
        references: {
            "empty program": () => withEmptyProgram(async (preview) => [await measureMedianSeconds(preview)]),
        },
    },
    up: {
        metrics: [{ name: "deploy, until a login works", unit: "s" }],
        every: 8,
        appliesTo: (subject) => isCandidate(subject) || subject.name in sides,
        async measure(subject) {
            // A new host each time: Pebble, the sandbox's ACME server, often skips the challenge for a known one.
            const name = `up-${randomBytes(3).toString("hex")}`;
            const side = sides[subject.name];
            if (side) {
                await makeBucket(`bench-${name}`);
                return measureThenRemove(
                    () => deploySide(name, side),
                    () => removeSide(name),
                );
            }
            await configureCandidate(name);
            return measureThenRemove(
                () => deployCandidate(name),
                () => removeCandidate(name),
            );
        },
    },
};

/** The names of the scenarios that are not optional. */
export const defaultScenarios = Object.keys(scenarios).filter((name) => !scenarios[name]!.isOptional);

/** Measures the seconds of a deployment, and removes it. */
async function measureThenRemove(deploy: () => Promise<unknown>, remove: () => Promise<void>): Promise<number[]> {
    const elapsed = await measureSeconds(deploy);
    await remove();
    return [elapsed];
}
