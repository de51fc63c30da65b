import { randomBytes } from "node:crypto";
import * as path from "node:path";

import { run } from "../tests/e2e/support/run";
import { makeBucket, minioRoot } from "../tests/e2e/support/sandbox";
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
    /** The goal: at least this ratio to another subject's value, or at most this value. */
    goal?: { relativeTo: string; atLeast: number } | { atMost: number };
}
/** Whether a higher value is better. */
export const isHigherBetter = ({ unit }: Metric) => unit === "1/s";

/** Metrics that are measured together. */
export interface Scenario {
    metrics: Metric[];
    /** Measurements of other subjects than registries, for comparison. */
    references?: Record<string, (size: Size) => Promise<number[]>>;
    /** Measures a registry, whose bucket is empty; returns a value for each metric, NaN if it does not apply. */
    measure(subject: Subject, size: Size): Promise<number[]>;
}

const MiB = 1024 * 1024;

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
        await measureMedianSeconds(() => get(bucket, layer)),
    ];
    await removeBucket(bucket);
    return [putting, NaN, getting, getting];
}

export const scenarios: Record<string, Scenario> = {
    layer: {
        metrics: [
            { name: "push a large layer", unit: "s", goal: { relativeTo: "limit", atLeast: 0.5 } },
            { name: "of which the commit", unit: "s" },
            { name: "pull a large layer, HTTP/1.1", unit: "s", goal: { relativeTo: "limit", atLeast: 0.5 } },
            { name: "pull a large layer, HTTP/2", unit: "s", goal: { relativeTo: "limit", atLeast: 0.5 } },
        ],
        async measure(subject, { layerBytes }) {
            const layer = await makeLayer(layerBytes);
            const { upload, commit } = await pushLayer(subject, layer);
            return [
                upload + commit,
                commit,
                await measureMedianSeconds(() => pullLayer(subject, layer)),
                await measureMedianSeconds(() => pullLayer(subject, layer, "--http2")),
            ];
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
            { name: "push an image of 40 layers of 1 MiB", unit: "s", goal: { relativeTo: "baseline", atLeast: 2 } },
            {
                name: "push that image again, under another name",
                unit: "s",
                goal: { relativeTo: "baseline", atLeast: 2 },
            },
            { name: "pull that image", unit: "s", goal: { relativeTo: "baseline", atLeast: 2 } },
        ],
        async measure(subject) {
            const image = makeImage(40, MiB);
            return [
                await measureSeconds(() => pushImage(subject, image, "image:one")),
                await measureSeconds(() => pushImage(subject, image, "image:two")),
                await measureMedianSeconds(() => pullImage(subject, "image:one")),
            ];
        },
    },
    five: {
        metrics: [
            {
                name: "five parallel pushes, each of 4 layers of 16 MiB",
                unit: "s",
                goal: { relativeTo: "baseline", atLeast: 2 },
            },
        ],
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
            { name: "GET /v2/, logged in", unit: "1/s", goal: { relativeTo: "baseline", atLeast: 4 } },
            { name: "GET a manifest by its tag", unit: "1/s", goal: { relativeTo: "baseline", atLeast: 4 } },
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
            {
                name: "99th percentile of GET /v2/ during a large push",
                unit: "ms",
                goal: { relativeTo: "baseline", atLeast: 1 },
            },
            {
                name: "99th percentile of GET a manifest during one",
                unit: "ms",
                goal: { relativeTo: "baseline", atLeast: 1 },
            },
        ],
        async measure(subject, { layerBytes, duration }) {
            await pushImage(subject, makeImage(1, MiB), "small:one");
            const whilePushing = async (path: string) => {
                // Each push needs a new layer, because a registry skips existing blobs.
                // One layer per 5 s is enough: a push of 1 GiB takes longer.
                const layers = await makeLayers(Math.ceil(duration / 5), layerBytes);
                let isOver = false;
                const pushing = (async () => {
                    for (const layer of layers) {
                        if (!isOver) {
                            await pushLayer(subject, layer);
                        }
                    }
                })();
                const [measured] = await Promise.allSettled([
                    measureRequests(subject, path, duration).finally(() => (isOver = true)),
                    pushing,
                ]);
                await pushing;
                if (measured.status === "rejected") {
                    throw measured.reason;
                }
                return measured.value.p99;
            };
            return [await whilePushing(""), await whilePushing("small/manifests/one")];
        },
    },
    memory: {
        metrics: [{ name: "peak memory during five large uploads", unit: "MiB", goal: { atMost: 256 } }],
        async measure(subject, { layerBytes }) {
            const layers = await makeLayers(5, layerBytes);
            return [
                await measurePeakMemory(subject, () => Promise.all(layers.map((layer) => pushLayer(subject, layer)))),
            ];
        },
    },
    preview: {
        metrics: [
            {
                name: "pulumi preview without changes",
                unit: "s",
                goal: { relativeTo: "empty program", atLeast: 1 / 1.4 },
            },
        ],
        async measure(subject) {
            return [subject.name === "candidate" ? await measureMedianSeconds(() => preview("candidate")) : NaN];
        },
        references: {
            async "empty program"() {
                const cwd = path.join(__dirname, "empty");
                const pulumi = (...args: string[]) =>
                    run("pulumi", [...args, "--stack", "bench-empty", "--non-interactive"], { cwd });
                await pulumi("stack", "select", "--create");
                // An interrupted run leaves a lock.
                await pulumi("cancel", "--yes");
                try {
                    await pulumi("up", "--yes", "--skip-preview");
                    return [await measureMedianSeconds(() => pulumi("preview", "--expect-no-changes"))];
                } finally {
                    await pulumi("destroy", "--yes", "--skip-preview", "--remove");
                }
            },
        },
    },
    up: {
        metrics: [
            { name: "deploy, until a login works", unit: "s", goal: { relativeTo: "baseline", atLeast: 1 / 1.5 } },
        ],
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
            if (subject.name === "candidate") {
                await configureCandidate(name);
                return measureThenRemove(
                    () => deployCandidate(name),
                    () => removeCandidate(name),
                );
            }
            return [NaN];
        },
    },
};

/** Measures the seconds of a deployment, and removes it. */
async function measureThenRemove(deploy: () => Promise<unknown>, remove: () => Promise<void>): Promise<number[]> {
    const elapsed = await measureSeconds(deploy);
    await remove();
    return [elapsed];
}
