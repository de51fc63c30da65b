import * as assert from "node:assert/strict";

import { run } from "../tests/e2e/support/run";
import { Size } from "./figures";
import { makeImage, makeLayer, pullLayer, pushImage, pushLayer, requests, seconds } from "./load";
import { configure, makeOurs, preview, Side } from "./sides";

/** What grows: how it is made so large, and what is measured then. */
export interface Growth {
    /** Of what there are more and more. */
    name: string;
    counts: (size: Size) => number[];
    figures: string[];
    measure: (ours: Side, count: number, size: Size) => Promise<number[]>;
}

const MiB = 1024 * 1024;

/** Those that change the registry itself last. */
export const growths: Record<string, Growth> = {
    tags: {
        name: "tags",
        counts: () => [10, 100, 1000],
        figures: ["put so many, 4 at a time, 1/s", "list them, ms", "GET a manifest by tag, 1/s"],
        async measure(side, count, { duration }) {
            const {
                client: { host, user, password },
            } = side;
            await pushImage(side, makeImage(1, 1024), "tags:one");
            const curl = (...args: string[]) =>
                run("curl", ["--silent", "--show-error", "--fail", "--user", `${user}:${password}`, ...args]);
            const type = "application/vnd.oci.image.manifest.v1+json";
            const manifest = await curl("--header", `Accept: ${type}`, `https://${host}/v2/tags/manifests/one`);
            const put = await seconds(() =>
                curl(
                    "--fail-early",
                    "--parallel",
                    "--parallel-max",
                    "4",
                    "--request",
                    "PUT",
                    "--header",
                    `Content-Type: ${type}`,
                    "--data-binary",
                    manifest,
                    `https://${host}/v2/tags/manifests/t[1-${count}]`,
                ),
            );
            let tags = "";
            const list = await seconds(async () => (tags = await curl(`https://${host}/v2/tags/tags/list`)));
            assert.equal((JSON.parse(tags) as { tags: string[] }).tags.length, count + 1);
            return [count / put, list * 1000, (await requests(side, `tags/manifests/t${count}`, duration)).rate];
        },
    },
    layer: {
        name: "GiB of a layer",
        counts: ({ layerBytes }) => [1, 4, 16].filter((count) => count === 1 || count * 1024 * MiB <= layerBytes),
        figures: ["push, s per GiB", "pull, s per GiB"],
        async measure(side, count) {
            const layer = await makeLayer(count * 1024 * MiB, "large");
            const { upload, commit } = await pushLayer(side, layer);
            return [(upload + commit) / count, (await seconds(() => pullLayer(side, layer))) / count];
        },
    },
    users: {
        name: "users",
        counts: () => [1, 10, 100],
        figures: ["update that adds them, until the last may log in, s", "preview, s", "GET /v2/ of the last, 1/s"],
        async measure(ours, count, { duration }) {
            const names = Array.from({ length: count }, (_, index) => (index === 0 ? "me" : `user-${index}`));
            await configure("ours", ...names.map((name, index) => `users[${index}].name=${name}`));
            let side = ours;
            return [
                await seconds(async () => (side = await makeOurs("ours", names.at(-1)))),
                await seconds(() => preview("ours")),
                (await requests(side, "", duration)).rate,
            ];
        },
    },
    replicas: {
        name: "replicas",
        counts: () => [1, 2],
        figures: ["GET /v2/, 1/s", "GET a manifest, 1/s", "five pushes at once, s"],
        async measure(ours, count, { duration }) {
            await configure("ours", `replicas=${count}`);
            const side = await makeOurs("ours");
            await pushImage(side, makeImage(1, MiB), "small:one");
            const images = [1, 2, 3, 4, 5].map(() => makeImage(4, 16 * MiB));
            return [
                (await requests(side, "", duration)).rate,
                (await requests(side, "small/manifests/one", duration)).rate,
                await seconds(() =>
                    Promise.all(images.map((image, number) => pushImage(side, image, `five:${number}`))),
                ),
            ];
        },
    },
};
