import { approveRemovals } from "./approval.ts";
import { CachedBucket } from "./cachedBucket.ts";
import { LeaseLostError, PermanentError, UnsettledDeletionError } from "./errors.ts";
import { type Inventory, oldGarbage, readInventory, type Rules, sum } from "./inventory.ts";
import { tagId } from "./layout.ts";
import { Lease, renewSeconds } from "./lease.ts";
import type { CollectionSettings, Environment } from "./ports.ts";
import { pollInterval, RegistryPods } from "./registryPods.ts";
import { type PushTimes, pushTimes, type Retention } from "./removals.ts";
import { assertIntact, count, formatBytes, remarks, removalReport, totals, versionsNote } from "./report.ts";
import { seemCopied } from "./retention.ts";
import { repeat, retry } from "./retry.ts";
import { SecondOpinion } from "./secondOpinion.ts";
import { stepsOf, sweep } from "./sweep.ts";

export interface CollectionResult {
    freedBytes: number;
    /** What the bucket holds afterwards. */
    leftBytes: number;
    seconds: number;
    /** How long pushes were refused. */
    readOnlySeconds: number;
    /** The manifests without a tag, and the bytes that only they need. */
    untagged: Inventory["untagged"];
    /** The odd objects that were named, and stay; and the bytes that stay because of them. */
    odd: { objects: number; bytes: number };
    /** How many tags retention has removed. */
    removedTags: number;
}

/** What was found before the registry is read-only. */
interface Plan extends Pick<CollectionResult, "untagged" | "odd"> {
    /** The blobs that are garbage so far. */
    candidates: string[];
    /** When each blob was written: a manifest that is pushed later stays, and so does what it needs. */
    written: ReadonlyMap<string, number>;
    /** The tags that may go, and when each was pushed; undefined if none may. */
    removals?: PushTimes;
    /** The tags that are broken already, as `repository:tag`. */
    brokenTags: string[];
    /** Whether the registry has to be read-only for anything. */
    hasWork: boolean;
    /** What the bucket holds. */
    bytes: number;
}

/** How long pushes are refused for each of the two rollouts, and how fast objects are deleted: as measured. */
const rolloutSeconds = 10;
const deletionsPerSecond = 200;
/** How often the release of the lease is tried. */
const releaseAttempts = 10;

/** Collects garbage while the registry is read-only. */
export class GarbageCollection {
    private readonly environment: Environment;
    private readonly settings: CollectionSettings;
    private readonly stop: AbortSignal;
    private readonly lease: Lease;
    private readonly pods: RegistryPods;
    private readonly bucket: CachedBucket;
    private readonly secondOpinion: SecondOpinion;

    /** @param stop ends the collection: the lease is released, and nothing is waited for */
    constructor(environment: Environment, settings: CollectionSettings, stop: AbortSignal) {
        this.environment = environment;
        this.settings = settings;
        this.stop = stop;
        this.lease = new Lease(environment, settings);
        this.pods = new RegistryPods(environment, settings);
        this.bucket = new CachedBucket(environment.bucket, environment.clock);
        this.secondOpinion = new SecondOpinion(this.bucket, environment.askDistribution);
    }

    /**
     * Finds the garbage. If there is any, makes the registry read-only, looks at what has changed since, deletes the
     * garbage, makes the registry writable, and checks that every image is whole.
     *
     * @throws PermanentError if an image is broken, or another collection runs
     */
    async run(): Promise<CollectionResult> {
        const { clock, log } = this.environment;
        const began = clock.now();
        const plan = await this.plan();
        const { hasWork, bytes, untagged, odd } = plan;
        this.stop.throwIfAborted();
        const readOnlySince = clock.now();
        let readOnlySeconds = 0;
        const { blobs, freedBytes, leftBytes, removedTags } = hasWork
            ? await this.collectUnderLease(plan)
            : { blobs: 0, freedBytes: 0, leftBytes: bytes, removedTags: 0 };
        const seconds = Math.round((clock.now() - began) / 1000);
        if (removedTags > 0) {
            log(`Removed ${count(removedTags, "tag")}.`);
        }
        const freed = `${formatBytes(freedBytes)} of ${formatBytes(freedBytes + leftBytes)}`;
        log(`Freed ${freed}, ${count(blobs, "blob")}; it took ${seconds} s.`);
        if (hasWork) {
            const isReleased = await this.makeWritable();
            this.stop.throwIfAborted();
            readOnlySeconds = Math.round((clock.now() - readOnlySince) / 1000);
            if (isReleased) {
                log("The registry accepts pushes again.");
            }
            const after = await this.readInventory({ knownBrokenTags: plan.brokenTags });
            assertIntact(after, "After the collection an image is broken.");
        }
        return { freedBytes, leftBytes, seconds, readOnlySeconds, untagged, odd, removedTags };
    }

    /**
     * Finds the garbage, while clients still push. Does not return the inventory, which may have a million objects.
     *
     * @throws PermanentError if an image is broken, or pushes would be refused for too long
     */
    private async plan(): Promise<Plan> {
        const { log } = this.environment;
        const { inventory, isApproved } = await this.readToPlan();
        log(`In the bucket: ${totals(inventory)}.`);
        assertIntact(inventory, "Nothing was collected, because an image is already broken.");
        remarks(inventory).forEach(log);
        if (this.bucket.hasVersions) {
            log(versionsNote);
        }
        const garbage = await this.secondOpinion.findGarbage(inventory, inventory.blobs.keys(), this.stop);
        const old = oldGarbage(inventory, this.latest());
        const young = inventory.garbage.length - old.length;
        if (young > 0) {
            const { minAgeMinutes } = this.settings;
            log(`${count(young, "unneeded blob")} of the last ${minAgeMinutes} minutes will not be deleted now.`);
        }
        const candidates = old.filter((digest) => garbage.has(digest));
        const isWritable = await this.pods.areWritable();
        // An earlier collection may have left the registry read-only.
        const deletions = stepsOf(candidates, inventory).flat(2).length;
        const hasWork = deletions > 0 || !isWritable;
        if (hasWork) {
            this.assertShort(deletions);
        }
        const { bytes, untagged, brokenTags, oddObjects, heldBackBytes, written } = inventory;
        const odd = { objects: oddObjects, bytes: heldBackBytes };
        const removals = isApproved ? pushTimes(inventory.removals.tags) : undefined;
        return { candidates, written, removals, brokenTags, hasWork, bytes, untagged, odd };
    }

    /** Reads the bucket, and reports the tags that policies select. They go if an earlier collection reported them. */
    private async readToPlan(): Promise<{ inventory: Inventory; isApproved: boolean }> {
        const { cluster, log } = this.environment;
        const { retention, applyRetention } = this.settings;
        const inventory = await this.readInventory({ retention: this.retention() });
        const areCopied = seemCopied([...inventory.tags, ...inventory.removals.tags]);
        if (retention.length > 0) {
            removalReport(inventory, retention, applyRetention).forEach(log);
        }
        const isApproved = await approveRemovals(cluster, this.settings, areCopied);
        if (!isApproved) {
            const changed = areCopied ? "Most tags were written within the same hour, or retention" : "Retention";
            log(
                `${changed} is new or has changed, so no tag goes yet. ` +
                    "The next collection removes what the policies select then. " +
                    "To remove tags now: scripts/collect --apply-retention (with --dry-run, it only lists them)",
            );
        }
        return { inventory: isApproved ? inventory : await this.readInventory(), isApproved };
    }

    /** @param only no other tags may go */
    private retention(only?: PushTimes): Retention {
        const { retention: policies, applyRetention: trustCopies } = this.settings;
        return { policies, now: this.environment.clock.now(), only, trustCopies };
    }

    /** Nothing goes that was written later: an upload under way may need it. */
    private latest(): number {
        return this.environment.clock.now() - this.settings.minAgeMinutes * 60_000;
    }

    /** @throws PermanentError if pushes would be refused for too long */
    private assertShort(deletions: number): void {
        const seconds = this.bucket.listMilliseconds / 1000 + deletions / deletionsPerSecond + 2 * rolloutSeconds;
        const { maxReadOnlyMinutes } = this.settings;
        if (seconds > maxReadOnlyMinutes * 60) {
            const minutes = Math.ceil(seconds / 60);
            throw new PermanentError(
                `Nothing was collected: pushes would be refused for about ${minutes} minutes, for ` +
                    `${count(deletions, "deletion")}, and maxReadOnlyMinutes is ${maxReadOnlyMinutes}. ` +
                    `Set it to ${minutes} or more, and collect when nobody pushes.`,
            );
        }
        const expected = `Pushes will be refused for about ${Math.round(seconds)} s`;
        this.environment.log(`${expected}, and for longer if an upload is under way.`);
    }

    private async collectUnderLease(plan: Plan) {
        const { cluster } = this.environment;
        await this.lease.acquire(await cluster.pods(this.settings.collectorLabels));
        return this.collectReadOnly(plan).catch(async (error: unknown) => {
            await this.recover(error);
            throw error;
        });
    }

    /** Makes the registry read-only and collects, as long as the lease is held and the pods respect it. */
    private async collectReadOnly(plan: Plan) {
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
            tasks.push(inBackground(this.guard(done.signal)), inBackground(this.limitDuration(done.signal)));
            log("It is read-only. Collecting garbage ...");
            return await this.collect(plan, signal);
        } finally {
            done.abort();
            await Promise.all(tasks);
        }
    }

    /** Deletes what was garbage before, and still is. */
    private async collect({ candidates, written, removals, brokenTags }: Plan, signal: AbortSignal) {
        const { bucket, clock } = this.environment;
        const assertMayContinue = () => {
            signal.throwIfAborted();
            this.lease.assertHeld();
        };
        const inventory = await this.readInventory({
            before: written,
            retention: removals && this.retention(removals),
            knownBrokenTags: brokenTags,
        });
        assertMayContinue();
        assertIntact(inventory, "Nothing was collected, because an image is broken.");
        this.reportStayingTags(removals, inventory);
        const old = new Set(oldGarbage(inventory, this.latest()));
        const still = candidates.filter((digest) => old.has(digest));
        const confirmed = await this.secondOpinion.findGarbage(inventory, still, signal);
        const garbage = still.filter((digest) => confirmed.has(digest));
        for (const groups of stepsOf(garbage, inventory)) {
            await sweep(bucket, clock, groups, assertMayContinue);
        }
        const { blobs, links } = inventory;
        const freedBytes = sum(garbage.map((digest) => (blobs.get(digest) ?? 0) + (links.get(digest)?.bytes ?? 0)));
        const removedTags = inventory.removals.tags.length;
        return { freedBytes, leftBytes: inventory.bytes - freedBytes, blobs: garbage.length, removedTags };
    }

    /** Names the tags that were selected, and stay because of a change since. */
    private reportStayingTags(selected: PushTimes | undefined, { tags }: Inventory): void {
        tags.map(tagId)
            .filter((tag) => selected?.has(tag))
            .forEach((tag) => this.environment.log(`${tag} stays, because of a change since it was selected.`));
    }

    /** Renews the lease until the signal. @throws if it is about to expire, or another collection has it */
    private renewLease(done: AbortSignal): Promise<void> {
        return repeat(this.environment.clock, renewSeconds * 1000, done, async () => {
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

    /** Waits until the signal. @throws PermanentError after `maxReadOnlyMinutes`: an interruption loses nothing */
    private async limitDuration(done: AbortSignal): Promise<void> {
        const { maxReadOnlyMinutes } = this.settings;
        await this.environment.clock.sleep(maxReadOnlyMinutes * 60_000, done);
        if (!done.aborted) {
            throw new PermanentError(
                `The collection was not done after ${count(maxReadOnlyMinutes, "minute")}, as maxReadOnlyMinutes ` +
                    "says. The next one continues. If that repeats, increase maxReadOnlyMinutes.",
            );
        }
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
            const end = "until the lease expires, and two minutes more";
            log(`The registry stays read-only for at most seven minutes: ${end}.`);
            return;
        }
        await this.makeWritable().catch((error: unknown) =>
            log(`Pushes may be refused for up to seven minutes more: ${String(error)}`),
        );
    }

    /**
     * Releases the lease, and replaces the pods by writable ones. After a signal to stop it does not wait for them.
     * Returns whether it was this collection's lease.
     */
    private async makeWritable(): Promise<boolean> {
        const { clock, log } = this.environment;
        const seconds = this.lease.predecessorSecondsLeft;
        if (seconds > 0) {
            log(
                "An earlier collection was lost, and may still be deleting. " +
                    `The registry stays read-only until that one's lease has expired, for ${seconds} s ...`,
            );
            await clock.sleep(seconds * 1000, this.stop);
        }
        const policy = { attempts: releaseAttempts, delay: () => pollInterval };
        const isReleased = await retry(clock, policy, () => this.lease.release());
        if (isReleased) {
            await this.pods.rollOut(this.lease.expiresAt, this.stop).catch((error: unknown) => {
                if (!this.stop.aborted) {
                    throw error;
                }
            });
        }
        return isReleased;
    }

    private readInventory(rules: Omit<Rules, "deleteUntagged" | "latest"> = {}): Promise<Inventory> {
        const { deleteUntagged } = this.settings;
        return readInventory(this.bucket, this.environment.clock, { deleteUntagged, latest: this.latest(), ...rules });
    }
}
