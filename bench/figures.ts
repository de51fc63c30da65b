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
    peakMemory,
    pullImage,
    pullLayer,
    pushImage,
    pushLayer,
    putLayer,
    requests,
    seconds,
} from "./load";
import { configureOurs, makeOurs, makeSeed, preview, removeBucket, removeOurs, removeSeed, Side } from "./sides";

/** How much work a run does. */
export interface Size {
    /** Of the large layer. */
    layerBytes: number;
    /** Seconds that a rate is taken over. */
    duration: number;
}

/** Something that is measured, always in the same unit, of each side. */
export interface Figure {
    name: string;
    unit: "s" | "1/s" | "ms" | "MiB";
    /** How it is to be: so many times as good as another side, or no more than so much. */
    goal?: { timesAsGoodAs: string; ratio: number } | { atMost: number };
}
/** Whether the larger of two is the better. */
export const isRate = ({ unit }: Figure) => unit === "1/s";

/** Some figures that are measured together. */
export interface Scenario {
    figures: Figure[];
    /** The sides beside the registries. */
    besides?: Record<string, (size: Size) => Promise<number[]>>;
    /** Measures a registry; its bucket is empty before. */
    measure(side: Side, size: Size): Promise<number[]>;
}

const MiB = 1024 * 1024;

/** The seconds of putting a large layer into Minio and getting it from there, as the figures of the scenario have them. */
async function inMinio(
    { layerBytes }: Size,
    put: (bucket: string, layer: Layer) => Promise<void>,
    get: typeof put,
): Promise<number[]> {
    const bucket = "bench-limit";
    const layer = await makeLayer(layerBytes);
    await makeBucket(bucket);
    const [putting, getting] = [await seconds(() => put(bucket, layer)), await seconds(() => get(bucket, layer))];
    await removeBucket(bucket);
    return [putting, NaN, getting, getting];
}

export const scenarios: Record<string, Scenario> = {
    layer: {
        figures: [
            { name: "push a large layer", unit: "s", goal: { timesAsGoodAs: "limit", ratio: 0.5 } },
            { name: "of which commit", unit: "s" },
            { name: "pull it, HTTP/1.1", unit: "s", goal: { timesAsGoodAs: "limit", ratio: 0.5 } },
            { name: "pull it, HTTP/2", unit: "s", goal: { timesAsGoodAs: "limit", ratio: 0.5 } },
        ],
        async measure(side, { layerBytes }) {
            const layer = await makeLayer(layerBytes);
            const { upload, commit } = await pushLayer(side, layer);
            return [
                upload + commit,
                commit,
                await seconds(() => pullLayer(side, layer)),
                await seconds(() => pullLayer(side, layer, "--http2")),
            ];
        },
        besides: {
            limit: (size) => inMinio(size, putLayer, getLayer),
            "bare requests": async (size) => {
                const key = await minioRoot();
                return inMinio(
                    size,
                    (bucket, layer) => bareRequest(key, bucket, layer, "--upload-file", layer.file),
                    (bucket, layer) => bareRequest(key, bucket, layer),
                );
            },
        },
    },
    image: {
        figures: [
            { name: "push an image of 40 layers of 1 MiB", unit: "s", goal: { timesAsGoodAs: "seed", ratio: 2 } },
            { name: "push it again, by another name", unit: "s", goal: { timesAsGoodAs: "seed", ratio: 2 } },
            { name: "pull it", unit: "s", goal: { timesAsGoodAs: "seed", ratio: 2 } },
        ],
        async measure(side) {
            const image = makeImage(40, MiB);
            return [
                await seconds(() => pushImage(side, image, "image:one")),
                await seconds(() => pushImage(side, image, "image:two")),
                await seconds(() => pullImage(side, "image:one")),
            ];
        },
    },
    five: {
        figures: [
            {
                name: "five pushes at once, each of 4 layers of 16 MiB",
                unit: "s",
                goal: { timesAsGoodAs: "seed", ratio: 2 },
            },
        ],
        async measure(side) {
            const images = [1, 2, 3, 4, 5].map(() => makeImage(4, 16 * MiB));
            return [
                await seconds(() =>
                    Promise.all(images.map((image, number) => pushImage(side, image, `five:${number}`))),
                ),
            ];
        },
    },
    requests: {
        figures: [
            { name: "GET /v2/, logged in", unit: "1/s", goal: { timesAsGoodAs: "seed", ratio: 4 } },
            { name: "GET a manifest by its tag", unit: "1/s", goal: { timesAsGoodAs: "seed", ratio: 4 } },
            { name: "99th percentile of GET /v2/", unit: "ms" },
            { name: "99th percentile of GET a manifest", unit: "ms" },
        ],
        async measure(side, { duration }) {
            await pushImage(side, makeImage(1, MiB), "small:one");
            const v2 = await requests(side, "", duration);
            const manifest = await requests(side, "small/manifests/one", duration);
            return [v2.rate, manifest.rate, v2.p99, manifest.p99];
        },
    },
    busy: {
        figures: [
            {
                name: "99th percentile of GET /v2/ during a large push",
                unit: "ms",
                goal: { timesAsGoodAs: "seed", ratio: 1 },
            },
            {
                name: "99th percentile of GET a manifest during it",
                unit: "ms",
                goal: { timesAsGoodAs: "seed", ratio: 1 },
            },
        ],
        async measure(side, { layerBytes, duration }) {
            await pushImage(side, makeImage(1, MiB), "small:one");
            const during = async (path: string) => {
                // New ones, for what is there already would not be committed; enough, as a push of a GiB takes more than 5 s.
                const layers = await makeLayers(Math.ceil(duration / 5), layerBytes);
                let isOver = false;
                const pushing = (async () => {
                    for (const layer of layers) {
                        if (!isOver) {
                            await pushLayer(side, layer);
                        }
                    }
                })();
                const [measured] = await Promise.allSettled([
                    requests(side, path, duration).finally(() => (isOver = true)),
                    pushing,
                ]);
                await pushing;
                if (measured.status === "rejected") {
                    throw measured.reason;
                }
                return measured.value.p99;
            };
            return [await during(""), await during("small/manifests/one")];
        },
    },
    memory: {
        figures: [{ name: "peak memory during five large uploads", unit: "MiB", goal: { atMost: 256 } }],
        async measure(side, { layerBytes }) {
            const layers = await makeLayers(5, layerBytes);
            return [await peakMemory(side, () => Promise.all(layers.map((layer) => pushLayer(side, layer))))];
        },
    },
    preview: {
        figures: [
            {
                name: "pulumi preview without a change",
                unit: "s",
                goal: { timesAsGoodAs: "an empty program", ratio: 0.5 },
            },
        ],
        async measure(side) {
            return [side.name === "ours" ? await seconds(() => preview("ours")) : NaN];
        },
        besides: {
            async "an empty program"() {
                const cwd = path.join(__dirname, "empty");
                const pulumi = (...args: string[]) =>
                    run("pulumi", [...args, "--stack", "bench-empty", "--non-interactive"], { cwd });
                await pulumi("stack", "select", "--create");
                // Of a run that was killed.
                await pulumi("cancel", "--yes");
                try {
                    await pulumi("up", "--yes", "--skip-preview");
                    return [await seconds(() => pulumi("preview", "--expect-no-changes"))];
                } finally {
                    await pulumi("destroy", "--yes", "--skip-preview");
                    await pulumi("stack", "rm", "--yes");
                }
            },
        },
    },
    up: {
        figures: [
            { name: "from nothing until a login works", unit: "s", goal: { timesAsGoodAs: "seed", ratio: 1 / 1.5 } },
        ],
        async measure(side) {
            if (side.name === "seed") {
                await makeBucket("bench-up");
                return measuredAndRemoved(
                    () => makeSeed("up"),
                    () => removeSeed("up"),
                );
            }
            if (side.name === "ours") {
                await configureOurs("up");
                return measuredAndRemoved(
                    () => makeOurs("up"),
                    () => removeOurs("up"),
                );
            }
            return [NaN];
        },
    },
};

async function measuredAndRemoved(make: () => Promise<unknown>, remove: () => Promise<void>): Promise<number[]> {
    const taken = await seconds(make);
    await remove();
    return [taken];
}
