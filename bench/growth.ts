import * as assert from "node:assert/strict";

import { run } from "../tests/e2e/support/run";
import { makeImage, makeLayer, measureRequests, measureSeconds, pullLayer, pushImage, pushLayer } from "./load";
import { Size } from "./scenarios";
import { deployCandidate, preview, setConfig, Subject } from "./subjects";

/** A series of measurements while one count grows. */
export interface Growth {
    /** What grows. */
    name: string;
    counts: (size: Size) => number[];
    columns: string[];
    measure: (candidate: Subject, count: number, size: Size) => Promise<number[]>;
}

const MiB = 1024 * 1024;

/** All series. The ones that change the registry itself come last. */
export const growths: Record<string, Growth> = {
    tags: {
        name: "tags",
        counts: () => [10, 100, 1000],
        columns: ["put them, 4 in parallel, 1/s", "list them, ms", "GET a manifest by tag, 1/s"],
        async measure(subject, count, { duration }) {
            const {
                client: { host, user, password },
            } = subject;
            await pushImage(subject, makeImage(1, 1024), "tags:one");
            const curl = (...args: string[]) =>
                run("curl", ["--silent", "--show-error", "--fail", "--user", `${user}:${password}`, ...args]);
            const type = "application/vnd.oci.image.manifest.v1+json";
            const manifest = await curl("--header", `Accept: ${type}`, `https://${host}/v2/tags/manifests/one`);
            const put = await measureSeconds(() =>
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
            const list = await measureSeconds(async () => (tags = await curl(`https://${host}/v2/tags/tags/list`)));
            assert.equal((JSON.parse(tags) as { tags: string[] }).tags.length, count + 1);
            return [
                count / put,
                list * 1000,
                (await measureRequests(subject, `tags/manifests/t${count}`, duration)).rate,
            ];
        },
    },
    layer: {
        name: "GiB of a layer",
        counts: ({ layerBytes }) => [1, 4, 16].filter((count) => count === 1 || count * 1024 * MiB <= layerBytes),
        columns: ["push, s per GiB", "pull, s per GiB"],
        async measure(subject, count) {
            const layer = await makeLayer(count * 1024 * MiB, "large");
            const { upload, commit } = await pushLayer(subject, layer);
            return [(upload + commit) / count, (await measureSeconds(() => pullLayer(subject, layer))) / count];
        },
    },
    users: {
        name: "users",
        counts: () => [1, 10, 100],
        columns: [
            "update that adds them, until the last one can log in, s",
            "preview, s",
            "GET /v2/ by the last one, 1/s",
        ],
        async measure(candidate, count, { duration }) {
            const names = Array.from({ length: count }, (_, index) => (index === 0 ? "me" : `user-${index}`));
            await setConfig("candidate", ...names.map((name, index) => `users[${index}].name=${name}`));
            let subject = candidate;
            return [
                await measureSeconds(async () => (subject = await deployCandidate("candidate", names.at(-1)))),
                await measureSeconds(() => preview("candidate")),
                (await measureRequests(subject, "", duration)).rate,
            ];
        },
    },
    replicas: {
        name: "replicas",
        counts: () => [1, 2],
        columns: ["GET /v2/, 1/s", "GET a manifest, 1/s", "five parallel pushes, s"],
        async measure(candidate, count, { duration }) {
            await setConfig("candidate", `replicas=${count}`);
            const subject = await deployCandidate("candidate");
            await pushImage(subject, makeImage(1, MiB), "small:one");
            const images = [1, 2, 3, 4, 5].map(() => makeImage(4, 16 * MiB));
            return [
                (await measureRequests(subject, "", duration)).rate,
                (await measureRequests(subject, "small/manifests/one", duration)).rate,
                await measureSeconds(() =>
                    Promise.all(images.map((image, number) => pushImage(subject, image, `five:${number}`))),
                ),
            ];
        },
    },
};
