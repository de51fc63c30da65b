import { setTimeout as sleep } from "node:timers/promises";

import type { Bucket } from "./bucket.ts";
import type { Cluster, Deployment, Labels, Pod } from "./cluster.ts";
import { type Contents, readContents } from "./contents.ts";
import { deleteGarbage, findGarbage, type Search, UnsettledDeletion } from "./garbage.ts";
import { type Lock, LostLock } from "./lock.ts";
import { Refusal } from "./refusal.ts";
import { amount, count, totals } from "./report.ts";

/** What a collection is of. */
export interface Site extends Search {
    bucket: Bucket;
    cluster: Cluster;
    lock: Lock;
    /** The annotation of the registry's pods that says until when they read only, as they may hear of the lock too late. */
    annotation: string;
    /** Of the registry's pods, and of those that collect. */
    labels: Labels;
    collectors: Labels;
    /** Seconds that a pod may take to end its uploads. */
    drainSeconds: number;
    /** Whether it has been told to stop: the lock is given back, and nothing is waited for. */
    stop: AbortSignal;
}

/** What a collection came to. */
export interface Result {
    /** What was freed, and what was left. */
    freedBytes: number;
    leftBytes: number;
    seconds: number;
}

/** Milliseconds between two looks at the pods. */
const lookEvery = 1000;
/** Milliseconds between two renewals of the lock. */
const renewEvery = 30_000;
/**
 * No deletion begins any more so many seconds before the lock runs out. It may take half a minute; and a pod goes by what its node last
 * heard: of the renewal before (30 s), a kubelet's period ago (90 s), by a clock that may be wrong by the last half minute.
 */
const guardSeconds = 30 + 30 + 90 + 30;
/** Milliseconds that a pod may be unready: its node may be cut off, and the lock run out for it alone. */
const heardWithin = 60_000;
/** Seconds that new pods are given to start, besides the time that the old ones may take to end. */
const startSeconds = 300;

const say = (line: string) => console.log(line);

/** @throws Refusal with what is broken */
export function assertWhole({ problems }: Contents, what: string): void {
    if (problems.length > 0) {
        throw new Refusal(
            [
                `${what} ${count(problems.length, "problem")}:`,
                ...problems.map((problem) => `  - ${problem}`),
                "Push such an image again, or delete its tag. Then run: scripts/collect --check",
            ].join("\n"),
        );
    }
}

/**
 * Collects garbage while nobody can write: checks that every image is whole, makes the registry read-only, deletes what distribution
 * and that check agree that nobody needs, checks again, and lets the registry write.
 *
 * @throws Refusal if an image is broken, or another collection runs
 */
export async function collect(site: Site): Promise<Result> {
    const { bucket, cluster, lock, deleteUntagged, stop } = site;
    const began = Date.now();

    const before = await readContents(bucket, deleteUntagged);
    say(`In the bucket: ${totals(before)}.`);
    assertWhole(before, "Nothing was collected, as there is a broken image already.");
    // What fails here costs nobody a push. What it finds is not compared, as clients write meanwhile.
    await findGarbage(site, stop);
    const { problem } = await look(site);
    if (problem) {
        throw new Error(`Nothing was collected: ${problem}`);
    }
    stop.throwIfAborted();

    await lock.take(await cluster.pods(site.collectors));
    let result: Result;
    try {
        const { blobs, ...bytes } = await whileLocked(site);
        result = { ...bytes, seconds: Math.round((Date.now() - began) / 1000) };
        const { freedBytes, leftBytes, seconds } = result;
        say(
            `Freed ${amount(freedBytes)} of ${amount(freedBytes + leftBytes)}, ${count(blobs, "blob")}; it took ${seconds} s.`,
        );
    } catch (error) {
        if (error instanceof UnsettledDeletion) {
            // Whoever writes before it is settled may be told of something that is deleted then.
            say("The registry stays read-only until its lock runs out, in five minutes at the most.");
            throw error;
        }
        await unlock(site).catch((error: unknown) =>
            say(`The registry stays read-only until its lock runs out: ${String(error)}`),
        );
        throw error;
    }
    await unlock(site);
    stop.throwIfAborted();
    say("The registry takes pushes again.");
    return result;
}

/** What happens between lock and unlock. */
async function whileLocked(site: Site): Promise<Omit<Result, "seconds"> & { blobs: number }> {
    const { bucket, lock, deleteUntagged, stop } = site;
    const failed = new AbortController();
    const signal = AbortSignal.any([stop, failed.signal]);
    const over = new AbortController();
    const during = (work: Promise<void>) => work.catch((error: unknown) => failed.abort(error));
    const watching = [during(renew(site, over.signal))];
    try {
        say("Making the registry read-only: new pods, and the end of all uploads under way ...");
        await roll(site, signal);
        watching.push(during(guard(site, over.signal)));
        say("It is read-only. Collecting garbage ...");

        const before = await readContents(bucket, deleteUntagged);
        assertWhole(before, "Nothing was collected, as there is a broken image.");
        const garbage = await agree(site, before, signal);
        await deleteGarbage(bucket, garbage, before, () => {
            signal.throwIfAborted();
            assertHeld(lock);
        });
        const after = await readContents(bucket, deleteUntagged);
        assertWhole(after, "After the collection there is a broken image.");
        return { freedBytes: before.bytes - after.bytes, leftBytes: after.bytes, blobs: garbage.length };
    } finally {
        over.abort();
        await Promise.all(watching);
    }
}

/** What is garbage by distribution's word, and by what was read. @throws Refusal where the two do not agree */
async function agree(site: Site, { needed }: Contents, signal: AbortSignal): Promise<string[]> {
    const garbage = await findGarbage(site, signal);
    const wrong = garbage.filter((digest) => needed.has(digest));
    if (wrong.length > 0) {
        throw new Refusal(
            [
                `Nothing was collected: distribution would delete ${count(wrong.length, "blob")} that images need.`,
                ...wrong.map((digest) => `  - ${digest}`),
            ].join("\n"),
        );
    }
    return garbage;
}

/**
 * Renews the lock until it is over.
 *
 * @throws if it is about to run out, or somebody else's
 */
async function renew({ lock }: Site, over: AbortSignal): Promise<void> {
    while (await later(renewEvery, over)) {
        assertHeld(lock);
        await retried(() => lock.renew(), lock, over);
    }
}

/**
 * Sees that the lock holds and every pod heeds it, until it is over.
 *
 * @throws if one may not
 */
async function guard({ cluster, lock, labels }: Site, over: AbortSignal): Promise<void> {
    const unreadySince = new Map<string, number>();
    while (await later(lookEvery, over)) {
        // Before anything else: this process may have stood still for minutes.
        assertHeld(lock);
        const pods = (await retried(() => cluster.pods(labels), lock, over)) ?? [];
        assertHeeded(pods, lock);
        for (const {
            metadata: { name, deletionTimestamp },
            status,
        } of pods) {
            if (isReady(status) || deletionTimestamp) {
                unreadySince.delete(name);
                continue;
            }
            const since = unreadySince.get(name) ?? Date.now();
            unreadySince.set(name, since);
            if (Date.now() - since > heardWithin) {
                throw new Error(
                    `${name} is not ready: its node may be cut off, and not hear that the lock is renewed.`,
                );
            }
        }
    }
}

/** Tries until it succeeds, as long as the lock holds. */
async function retried<T>(work: () => Promise<T>, lock: Lock, over: AbortSignal): Promise<T | undefined> {
    do {
        try {
            return await work();
        } catch (error) {
            if (error instanceof LostLock) {
                throw error;
            }
            assertHeld(lock, error);
        }
    } while (await later(lookEvery, over));
    return undefined;
}

/** @throws when the lock is about to run out */
function assertHeld(lock: Lock, cause?: unknown): void {
    if (lock.left < guardSeconds) {
        throw new Error("The lock was not renewed in time.", { cause });
    }
}

/** @throws if there is a pod that writes whatever the lock says: of a Deployment that somebody changed just now */
function assertHeeded(pods: Pod[], lock: Lock): void {
    const other = pods.find(({ spec }) => !spec.volumes.some(({ configMap }) => configMap?.name === lock.name));
    if (other) {
        throw new Error(`${other.metadata.name} does not heed the lock.`);
    }
}

/** Waits, and says whether it is not over. */
async function later(milliseconds: number, over: AbortSignal): Promise<boolean> {
    await sleep(milliseconds, undefined, { signal: over }).catch(() => undefined);
    return !over.aborted;
}

const isReady = ({ conditions }: Pod["status"]) =>
    Boolean(conditions?.some(({ type, status }) => type === "Ready" && status === "True"));

/** The registry's Deployments and pods, and what is not as it should be before they can be replaced, or after they were. */
async function look({ cluster, labels }: Site): Promise<{ deployments: Deployment[]; pods: Pod[]; problem?: string }> {
    const [deployments, pods] = [await cluster.deployments(labels), await cluster.pods(labels)];
    const undone = deployments.find(
        ({ metadata, spec, status }) =>
            status.observedGeneration !== metadata.generation ||
            [status.updatedReplicas, status.availableReplicas, status.replicas].some(
                (replicas) => replicas !== spec.replicas,
            ),
    );
    const pod = pods.find(({ metadata, status }) => metadata.deletionTimestamp || !isReady(status));
    const problem =
        deployments.length === 0
            ? "there is no Deployment of the registry's pods"
            : undone
              ? `the Deployment ${undone.metadata.name} is not done`
              : pod &&
                `the pod ${pod.metadata.name} ${pod.metadata.deletionTimestamp ? "has not ended yet" : "is not ready"}`;
    return { deployments, pods, problem };
}

/** Replaces all pods of the registry by such as have heard when the lock ends, and waits until the old ones are gone. */
async function roll(site: Site, signal: AbortSignal): Promise<void> {
    const { cluster, lock, annotation, drainSeconds } = site;
    const stamp = String(lock.ends);
    const end = Date.now() + (drainSeconds + startSeconds) * 1000;
    let last: unknown;
    do {
        const seen = await look(site).catch((error: unknown) => ({ deployments: [], pods: [], problem: error }));
        // Those that came meanwhile as well.
        const others = seen.deployments.filter(
            ({ spec }) => spec.template.metadata.annotations?.[annotation] !== stamp,
        );
        last = seen.problem;
        for (const deployment of others) {
            await cluster.annotatePods(deployment, { [annotation]: stamp }).catch((error: unknown) => (last = error));
        }
        if (
            others.length === 0 &&
            !last &&
            seen.pods.every(({ metadata }) => metadata.annotations?.[annotation] === stamp)
        ) {
            return assertHeeded(seen.pods, lock);
        }
        if (Date.now() > end) {
            throw new Error(`The registry's pods were not replaced in time: ${String(last)}`);
        }
    } while (await later(lookEvery, signal));
    signal.throwIfAborted();
}

/** Tries ten times. */
async function insist<T>(work: () => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries++) {
        try {
            return await work();
        } catch (error) {
            if (tries === 10) {
                throw error;
            }
            await sleep(lookEvery);
        }
    }
}

/** Gives the lock back, and replaces the pods by such as write. Does not wait for them once it was told to stop. */
async function unlock(site: Site): Promise<void> {
    const { lock, stop } = site;
    if (lock.lostFor > 0) {
        say(
            `An earlier collection was lost, and may go on unseen for ${lock.lostFor} s; the registry stays read-only until then ...`,
        );
        await later(lock.lostFor * 1000, stop);
    }
    if (await insist(() => lock.giveBack())) {
        await roll(site, stop).catch((error: unknown) => {
            if (!stop.aborted) {
                throw error;
            }
        });
    }
}
