import { LeaseLostError, PermanentError, UnsettledDeletionError } from "./errors.ts";
import { type Inventory, readInventory } from "./inventory.ts";
import { Lease } from "./lease.ts";
import type { CollectionSettings, Environment } from "./ports.ts";
import { pollInterval, RegistryPods } from "./registryPods.ts";
import { assertIntact, bullets, count, formatBytes, remarks, totals } from "./report.ts";
import { repeat, retry } from "./retry.ts";
import { keysOf, sweep } from "./sweep.ts";

export interface CollectionResult {
    freedBytes: number;
    /** What the bucket holds afterwards. */
    leftBytes: number;
    seconds: number;
}

/** Milliseconds between two renewals of the lease. */
const renewInterval = 30_000;
/** How often the release of the lease is tried. */
const releaseAttempts = 10;

/** Collects garbage while the registry is read-only. */
export class GarbageCollection {
    private readonly environment: Environment;
    private readonly settings: CollectionSettings;
    private readonly stop: AbortSignal;
    private readonly lease: Lease;
    private readonly pods: RegistryPods;

    /** @param stop ends the collection: the lease is released, and nothing is waited for */
    constructor(environment: Environment, settings: CollectionSettings, stop: AbortSignal) {
        this.environment = environment;
        this.settings = settings;
        this.stop = stop;
        this.lease = new Lease(environment, settings);
        this.pods = new RegistryPods(environment, settings);
    }

    /**
     * Checks that every image is complete, makes the registry read-only, deletes the garbage, checks again, and makes
     * the registry writable.
     *
     * @throws PermanentError if an image is broken, or another collection runs
     */
    async run(): Promise<CollectionResult> {
        const { cluster, clock, log } = this.environment;
        const began = clock.now();
        await this.checkBefore();
        this.stop.throwIfAborted();

        await this.lease.acquire(await cluster.pods(this.settings.collectorLabels));
        const { blobs, freedBytes, leftBytes } = await this.collectReadOnly().catch(async (error: unknown) => {
            await this.recover(error);
            throw error;
        });
        const seconds = Math.round((clock.now() - began) / 1000);
        const freed = `${formatBytes(freedBytes)} of ${formatBytes(freedBytes + leftBytes)}`;
        log(`Freed ${freed}, ${count(blobs, "blob")}; it took ${seconds} s.`);
        await this.makeWritable();
        this.stop.throwIfAborted();
        log("The registry accepts pushes again.");
        return { freedBytes, leftBytes, seconds };
    }

    /** Finds what would make the collection fail, while a failure does not interrupt any push. */
    private async checkBefore(): Promise<void> {
        const { dryRun, log } = this.environment;
        const inventory = await this.readInventory();
        log(`In the bucket: ${totals(inventory)}.`);
        assertIntact(inventory, "Nothing was collected, because an image is already broken.");
        remarks(inventory).forEach(log);
        // Its result is not used, as clients still push. Empty links make it fail until they are deleted.
        if (inventory.emptyLinks.length === 0) {
            await dryRun(this.stop);
        }
        const { pods, problem } = await this.pods.inspectDeployments();
        if (problem) {
            throw new Error(`Nothing was collected: ${problem}`);
        }
        await this.pods.assertClocksAgree(pods);
    }

    /** Makes the registry read-only and collects, as long as the lease is held and the pods respect it. */
    private async collectReadOnly() {
        const { log } = this.environment;
        const failed = new AbortController();
        const signal = AbortSignal.any([this.stop, failed.signal]);
        const done = new AbortController();
        const inBackground = (task: Promise<void>) => task.catch((error: unknown) => failed.abort(error));
        const tasks = [inBackground(this.renewLease(done.signal))];
        try {
            log("Making the registry read-only: replacing its pods, and waiting for uploads to end ...");
            await this.pods.rollOut(this.lease.expiresAt, signal);
            await this.proveReadOnly(signal);
            tasks.push(inBackground(this.guard(done.signal)));
            log("It is read-only. Collecting garbage ...");
            return await this.collect(signal);
        } finally {
            done.abort();
            await Promise.all(tasks);
        }
    }

    private async collect(signal: AbortSignal) {
        const { bucket, clock } = this.environment;
        const before = await this.readInventory();
        assertIntact(before, "Nothing was collected, because an image is broken.");
        const assertMayDelete = () => {
            signal.throwIfAborted();
            this.lease.assertHeld();
        };
        const emptyLinks = before.emptyLinks.map((key) => [key]);
        await sweep(bucket, clock, emptyLinks, assertMayDelete);
        const garbage = await this.computeGarbage(before, signal);
        await sweep(bucket, clock, keysOf(garbage, before.links), assertMayDelete);
        const after = await this.readInventory();
        assertIntact(after, "After the collection an image is broken.");
        return { freedBytes: before.bytes - after.bytes, leftBytes: after.bytes, blobs: garbage.length };
    }

    /** What distribution calls garbage, without what is spared. @throws PermanentError if an image needs any of it */
    private async computeGarbage({ needed, spared }: Inventory, signal: AbortSignal): Promise<string[]> {
        const found = await this.environment.dryRun(signal);
        const garbage = found.filter((digest) => !spared.has(digest));
        const wrong = garbage.filter((digest) => needed.has(digest));
        if (wrong.length > 0) {
            const message = `distribution would delete ${count(wrong.length, "blob")} that images need.`;
            throw new PermanentError(`Nothing was collected: ${message}${bullets(wrong)}`);
        }
        return garbage;
    }

    /** Renews the lease until the signal. @throws if it is about to expire, or another collection has it */
    private renewLease(done: AbortSignal): Promise<void> {
        return repeat(this.environment.clock, renewInterval, done, async () => {
            this.lease.assertHeld();
            await this.retryWhileHeld(done, () => this.lease.renew());
        });
    }

    /** Waits until every pod has said that it is read-only. @throws if one may not be */
    private async proveReadOnly(signal: AbortSignal): Promise<void> {
        while (!(await this.checkPods(signal))) {
            await this.environment.clock.sleep(pollInterval, signal);
            signal.throwIfAborted();
        }
    }

    /** Checks until the signal that the lease is held, and that every pod respects it. @throws if one may not */
    private guard(done: AbortSignal): Promise<void> {
        return repeat(this.environment.clock, pollInterval, done, async () => void (await this.checkPods(done)));
    }

    /** Whether every pod says that it is read-only. @throws if one may not be, or the lease is about to expire */
    private async checkPods(signal: AbortSignal): Promise<boolean> {
        // Before anything else: this process may have been suspended for minutes.
        this.lease.assertHeld();
        const pods = await this.retryWhileHeld(signal, () => this.pods.list());
        this.pods.assertMountLease(pods);
        return this.pods.areReadOnly(pods);
    }

    private retryWhileHeld<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
        const assertRetryable = (error: unknown) => {
            if (error instanceof LeaseLostError) {
                throw error;
            }
            this.lease.assertHeld(error);
        };
        return retry(this.environment.clock, { delay: () => pollInterval, signal, assertRetryable }, work);
    }

    /** After a failure: makes the registry writable, unless a deletion may still be carried out. */
    private async recover(error: unknown): Promise<void> {
        const { log } = this.environment;
        if (error instanceof UnsettledDeletionError) {
            // A push meanwhile could rely on a blob that is deleted then.
            log("The registry stays read-only until the lease expires, in at most five minutes.");
            return;
        }
        await this.makeWritable().catch((error: unknown) =>
            log(`The registry stays read-only until the lease expires: ${String(error)}`),
        );
    }

    /** Releases the lease, and replaces the pods by writable ones. After a signal to stop it does not wait for them. */
    private async makeWritable(): Promise<void> {
        const { clock, log } = this.environment;
        const seconds = this.lease.predecessorSecondsLeft;
        if (seconds > 0) {
            log(
                "An earlier collection was lost, and may still be deleting. " +
                    `The registry stays read-only until that one's lease expires, for ${seconds} s ...`,
            );
            await clock.sleep(seconds * 1000, this.stop);
        }
        const policy = { attempts: releaseAttempts, delay: () => pollInterval };
        if (await retry(clock, policy, () => this.lease.release())) {
            await this.pods.rollOut(this.lease.expiresAt, this.stop).catch((error: unknown) => {
                if (!this.stop.aborted) {
                    throw error;
                }
            });
        }
    }

    private readInventory(): Promise<Inventory> {
        const { bucket, clock } = this.environment;
        return readInventory(bucket, clock, this.settings.deleteUntagged);
    }
}
