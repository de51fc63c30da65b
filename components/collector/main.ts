import * as fs from "node:fs";
import * as os from "node:os";
import { parseArgs } from "node:util";

import { BucketError, openBucket, type S3Parameters } from "./bucket.ts";
import { Cluster } from "./cluster.ts";
import { assertWhole, collect } from "./collect.ts";
import { readContents } from "./contents.ts";
import { Lock } from "./lock.ts";
import { type Numbers, push } from "./pushgateway.ts";
import { Busy, Refusal, refusedStatus } from "./refusal.ts";
import { tagTable, totals } from "./report.ts";

/** Exit statuses. The Job tries again after any but the first two. */
const status = { done: 0, refused: refusedStatus, tryAgain: 75 };

/** Checks that all images are whole, or collects garbage; the first argument says which. */
async function main(): Promise<void> {
    const {
        values,
        positionals: [command],
    } = parseArgs({
        allowPositionals: true,
        options: {
            config: { type: "string", default: "" },
            registry: { type: "string", default: "" },
            lock: { type: "string", default: "" },
            annotation: { type: "string", default: "" },
            label: { type: "string", multiple: true, default: [] },
            "collector-label": { type: "string", multiple: true, default: [] },
            "drain-seconds": { type: "string", default: "" },
            "delete-untagged": { type: "boolean", default: false },
            pushgateway: { type: "string", default: "" },
        },
    });
    // Distribution reads it as YAML.
    const { storage } = JSON.parse(fs.readFileSync(values.config, "utf8")) as { storage: { s3: S3Parameters } };
    const stop = new AbortController();
    process.on("SIGTERM", () => stop.abort("It was told to stop."));
    const bucket = openBucket(storage.s3, stop.signal);

    if (command === "check") {
        const contents = await readContents(bucket, values["delete-untagged"]);
        console.log(tagTable(contents).join("\n"));
        console.log(`\nIn the bucket: ${totals(contents)}.`);
        contents.notes.forEach((note) => console.log(`${note}.`));
        assertWhole(contents, "There is a broken image.");
        console.log("Every image is whole.");
        return;
    }
    const cluster = new Cluster();
    const tell = async (numbers: Numbers) => {
        if (values.pushgateway) {
            // The collection is over, whoever hears of it.
            await push(values.pushgateway, numbers).catch((error: unknown) =>
                console.error(`The Pushgateway was not told: ${String(error)}`),
            );
        }
    };
    const now = () => Date.now() / 1000;
    const { freedBytes, leftBytes, seconds } = await collect({
        bucket,
        cluster,
        lock: new Lock(cluster, values.lock, os.hostname()),
        annotation: values.annotation,
        labels: parseLabels(values.label),
        collectors: parseLabels(values["collector-label"]),
        drainSeconds: Number(values["drain-seconds"]),
        registry: values.registry,
        config: values.config,
        deleteUntagged: values["delete-untagged"],
        stop: stop.signal,
    }).catch(async (error: unknown) => {
        // How the other one goes, it tells itself.
        if (!(error instanceof Busy)) {
            await tell({ last_failure_timestamp_seconds: now() });
        }
        throw error;
    });
    await tell({
        last_success_timestamp_seconds: now(),
        freed_bytes: freedBytes,
        bucket_bytes: leftBytes,
        duration_seconds: seconds,
    });
}

/** Labels that were given as `name=value`. */
const parseLabels = (labels: string[]) =>
    Object.fromEntries(labels.map((label) => label.split("=") as [string, string]));

main().then(
    () => process.exit(status.done),
    (error: unknown) => {
        console.error(error instanceof Refusal || error instanceof BucketError ? error.message : error);
        process.exit(error instanceof Refusal ? status.refused : status.tryAgain);
    },
);
