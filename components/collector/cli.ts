import * as fs from "node:fs";
import * as os from "node:os";

import { systemClock } from "./clock.ts";
import { GarbageCollection } from "./collection.ts";
import { askDistribution } from "./distribution.ts";
import { exitStatus, ExpectedError, InterruptedError, LeaseHeldError, PermanentError } from "./errors.ts";
import { type Flags, missingFlags, parseCommandLine, parseLabels } from "./flags.ts";
import { oldGarbage, readInventory, sum } from "./inventory.ts";
import { KubernetesClient } from "./kubernetesClient.ts";
import { tagId } from "./layout.ts";
import type { BucketClient, BucketReader, Environment } from "./ports.ts";
import { pushMetrics } from "./pushgateway.ts";
import {
    assertIntact,
    bullets,
    count,
    formatBytes,
    remarks,
    removalReport,
    tagTable,
    totals,
    versionsNote,
} from "./report.ts";
import type { RetentionPolicy } from "./retention.ts";
import { S3Client, type S3Parameters } from "./s3Client.ts";

/** Runs the command that the first argument names; README.md describes them. */
async function main(): Promise<void> {
    const { values: flags, positionals } = parseCommandLine();
    // JSON, which distribution reads as YAML.
    const { storage } = JSON.parse(fs.readFileSync(flags.config, "utf8")) as { storage: { s3: S3Parameters } };
    const stop = new AbortController();
    process.on("SIGTERM", () => stop.abort(new InterruptedError("Interrupted by SIGTERM.")));
    const bucket = new S3Client(storage.s3, systemClock, stop.signal);
    switch (positionals[0]) {
        case "check":
            return check(bucket, flags);
        case "dry-run":
            return dryRun(bucket, flags);
        case "collect":
            return collect(bucket, flags, stop.signal);
        default:
            throw new PermanentError(
                `The command is "${positionals[0]}", and must be "collect", "check" or "dry-run".`,
            );
    }
}

/** Shows all tags, and whether every image is whole. */
async function check(bucket: BucketReader, flags: Flags): Promise<void> {
    const inventory = await readInventory(bucket, systemClock, { deleteUntagged: flags["delete-untagged"] });
    console.log(tagTable(inventory).join("\n"));
    console.log(`\nIn the bucket: ${totals(inventory)}.`);
    remarks(inventory).forEach((line) => console.log(line));
    assertIntact(inventory, "An image is broken.");
    const { brokenTags } = inventory;
    if (brokenTags.length > 0) {
        throw new PermanentError(`${count(brokenTags.length, "tag")} cannot be pulled:${bullets(brokenTags)}`);
    }
    const exception = inventory.notes.length > 0 ? ", apart from what is named above" : "";
    console.log(`Every image is whole${exception}.`);
}

/** Shows what a collection would delete now: its tags, and how much disk space comes back. */
async function dryRun(bucket: BucketReader, flags: Flags): Promise<void> {
    const now = systemClock.now();
    const latest = now - Number(flags["min-age-minutes"]) * 60_000;
    const policies = parsePolicies(flags);
    const trustCopies = flags["apply-retention"];
    const retention = policies.length > 0 ? { policies, now, trustCopies } : undefined;
    const rules = { deleteUntagged: flags["delete-untagged"], latest, retention };
    const inventory = await readInventory(bucket, systemClock, rules);
    const { blobs, removals } = inventory;
    console.log(`In the bucket: ${totals(inventory)}.`);
    remarks(inventory).forEach((line) => console.log(line));
    if (bucket.hasVersions) {
        console.log(versionsNote);
    }
    if (policies.length > 0) {
        removalReport(inventory, policies, trustCopies).forEach((line) => console.log(line));
        const running = removals.tags.filter((tag) =>
            flags.running.some((image) => image === tagId(tag) || tag.revisions.has(image)),
        );
        for (const tag of running) {
            console.log(`A Pod of this cluster runs ${tagId(tag)}, which would be removed.`);
        }
    }
    assertIntact(inventory, "A collection would delete nothing, because an image is broken.");
    const bytes = sum(oldGarbage(inventory, latest).map((digest) => blobs.get(digest) ?? 0));
    // A collection only reports these tags, if none has yet.
    const which = removals.tags.length > 0 ? "A collection that removes these tags" : "A collection now";
    console.log(`${which} would free ${formatBytes(bytes)}. Nothing was deleted.`);
}

const parsePolicies = ({ retention }: Flags) => JSON.parse(retention) as RetentionPolicy[];

function makeCollection(bucket: BucketClient, flags: Flags, stop: AbortSignal): GarbageCollection {
    const { registry, config, "delete-untagged": deleteUntagged } = flags;
    const log = (line: string) => console.log(line);
    const environment: Environment = {
        bucket,
        cluster: new KubernetesClient(),
        clock: systemClock,
        askDistribution: (view, signal) => askDistribution({ registry, config }, view, signal),
        log,
    };
    const settings = {
        leaseName: flags.lock,
        // A host name is cut after 63 characters.
        holder: process.env.POD_NAME ?? os.hostname(),
        annotation: flags.annotation,
        labels: parseLabels(flags.label),
        collectorLabels: parseLabels(flags["collector-label"]),
        drainSeconds: Number(flags["drain-seconds"]),
        deleteUntagged,
        maxReadOnlyMinutes: Number(flags["max-read-only-minutes"]),
        minAgeMinutes: Number(flags["min-age-minutes"]),
        retention: parsePolicies(flags),
        applyRetention: flags["apply-retention"],
    };
    return new GarbageCollection(environment, settings, stop);
}

/** Collects garbage, and reports the result to the Pushgateway. */
async function collect(bucket: BucketClient, flags: Flags, stop: AbortSignal): Promise<void> {
    const missing = missingFlags(flags);
    if (missing.length > 0) {
        throw new PermanentError(`A collection needs ${missing.join(", ")}.`);
    }
    const collection = makeCollection(bucket, flags, stop);
    const now = () => systemClock.now() / 1000;
    const pushResult = async (metrics: Record<string, number>) => {
        if (flags.pushgateway) {
            // A Pushgateway that is unreachable does not make the collection fail.
            await pushMetrics(flags.pushgateway, metrics).catch((error: unknown) =>
                console.error(`Cannot push metrics to the Pushgateway: ${String(error)}`),
            );
        }
    };
    const result = await collection.run().catch(async (error: unknown) => {
        // The collection that holds the lease reports its own result.
        if (!(error instanceof LeaseHeldError)) {
            await pushResult({ last_failure_timestamp_seconds: now() });
        }
        throw error;
    });
    await pushResult({
        last_success_timestamp_seconds: now(),
        freed_bytes: result.freedBytes,
        bucket_bytes: result.leftBytes,
        duration_seconds: result.seconds,
        read_only_seconds: result.readOnlySeconds,
        untagged_manifests: result.untagged.manifests,
        untagged_bytes: result.untagged.bytes,
        odd_objects: result.odd.objects,
        odd_bytes: result.odd.bytes,
        removed_tags: result.removedTags,
    });
}

/** Ends the process as soon as all output is written: a pipe may be slow. */
function exit(status: number): void {
    // Its reader may have gone.
    process.stdout.on("error", () => process.exit(status));
    process.stdout.write("", () => process.stderr.write("", () => process.exit(status)));
}

main().then(
    () => exit(exitStatus.done),
    (error: unknown) => {
        console.error(error instanceof ExpectedError ? error.message : error);
        exit(error instanceof PermanentError ? exitStatus.permanentFailure : exitStatus.temporaryFailure);
    },
);
