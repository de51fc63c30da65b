import { setTimeout as sleep } from "node:timers/promises";

import type { Bucket } from "./bucket.ts";
import type { Cluster, Deployment, Pod } from "./cluster.ts";
import { type Contents, readContents } from "./contents.ts";
import { type Collection, collectGarbage, neededAmong } from "./garbage.ts";
import { type Lock, LostLock } from "./lock.ts";
import { Refusal } from "./refusal.ts";
import { amount, count, totals } from "./report.ts";

/** What a collection is of. */
export interface Site extends Omit<Collection, "signal"> {
    bucket: Bucket;
    cluster: Cluster;
    lock: Lock;
    lockName: string;
    /** Labels of the registry's Deployments and pods, and of the pods that collect. */
    selector: string;
    collectors: string;
    /** Seconds that a pod may take to end its uploads. */
    drainSeconds: number;
    /** Whether it has been told to stop: the lock is given back, and nothing is waited for. */
    stop: AbortSignal;
}

/** Replaces the pods by such as read it: a new pod may hear of the lock's ConfigMap too late. */
const readOnlyUntil = "homelab-registry/read-only-until";

/** Milliseconds between two looks at the pods. */
const lookEvery = 1000;
/** Milliseconds between two renewals of the lock. */
const renewEvery = 30_000;
/** Milliseconds that a pod may be unready: far fewer than those that pass until it forgets the lock, since it last heard of it. */
const heardWithin = 60_000;
/** A collection ends so many seconds before its lock does, by the clock of its node; those of other nodes may be wrong by less. */
const guardSeconds = 60;
/** Seconds that new pods are given to start, besides the time that the old ones may take to end. */
const startSeconds = 300;

const say = (line: string) => console.log(line);

/** @throws Refusal with what is broken */
export function assertWhole({ problems }: Contents, what: string): void {
    if (problems.length > 0) {
        throw new Refusal([`${what} ${count(problems.length, "problem")}:`, ...problems.map((problem) => `  - ${problem}`),
            "Push such an image again, or delete its tag. Then run: scripts/collect --check"].join("\n"));
    }
}

/**
 * Collects garbage while nobody can write: checks that every image is whole, makes the registry read-only, has distribution's
 * `garbage-collect` delete what no manifest needs, checks again, and lets the registry write.
 *
 * @throws Refusal if an image is broken, or another collection runs
 */
export async function collect(site: Site): Promise<void> {
    const { bucket, cluster, lock, deleteUntagged, stop } = site;
    const began = Date.now();

    const before = await readContents(bucket, deleteUntagged);
    say(`There are ${totals(before)}.`);
    assertWhole(before, "Nothing was collected, as there is a broken image already.");

    await lock.take(await cluster.pods(site.collectors));
    try {
        const freed = await whileLocked(site);
        const seconds = Math.round((Date.now() - began) / 1000);
        say(`Freed ${freed}; it took ${seconds} s.`);
    } finally {
        await unlock(site);
    }
    stop.throwIfAborted();
    say("The registry takes pushes again.");
}

/** What happens between lock and unlock; gives back what was freed, in words. */
async function whileLocked(site: Site): Promise<string> {
    const { bucket, deleteUntagged, stop } = site;
    const failed = new AbortController();
    const signal = AbortSignal.any([stop, failed.signal]);
    const over = new AbortController();
    const renewing = renew(site, over.signal).catch((error: unknown) => failed.abort(error));
    let guarding: Promise<void> | undefined;
    try {
        say("Making the registry read-only: new pods, and the end of all uploads under way ...");
        await roll(site, signal);
        guarding = guard(site, over.signal).catch((error: unknown) => failed.abort(error));
        say("It is read-only. Collecting garbage ...");

        const before = await readContents(bucket, deleteUntagged);
        assertWhole(before, "Nothing was collected, as there is a broken image.");
        const planned = await collectGarbage({ ...site, signal }, true);
        const wrong = neededAmong(planned, before);
        if (wrong.length > 0) {
            throw new Refusal([`Nothing was collected: garbage-collect would delete ${count(wrong.length, "part")} that images need:`,
                ...wrong.map((part) => `  - ${part}`)].join("\n"));
        }
        const collected = await collectGarbage({ ...site, signal }, false);
        const after = await readContents(bucket, deleteUntagged);
        assertWhole(after, "After the collection there is a broken image.");
        return `${amount(before.bytes - after.bytes)} of ${amount(before.bytes)}, ${count(collected.blobs.length, "blob")}`;
    } finally {
        over.abort();
        await Promise.all([renewing, guarding]);
    }
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
async function guard({ cluster, lock, selector, lockName }: Site, over: AbortSignal): Promise<void> {
    const unreadySince = new Map<string, number>();
    while (await later(lookEvery, over)) {
        // Before anything else: this process may have stood still for minutes.
        assertHeld(lock);
        const pods = await retried(() => cluster.pods(selector), lock, over) ?? [];
        assertHeeded(pods, lockName);
        for (const { metadata: { name }, status } of pods) {
            const since = isReady({ status }) ? undefined : unreadySince.get(name) ?? Date.now();
            if (since === undefined) {
                unreadySince.delete(name);
            } else if (Date.now() - since > heardWithin) {
                throw new Error(`${name} is not ready: its node may be cut off, and not hear that the lock is renewed.`);
            } else {
                unreadySince.set(name, since);
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

/** @throws when there is a minute left of the lock */
function assertHeld(lock: Lock, cause?: unknown): void {
    if (lock.left < guardSeconds) {
        throw new Error("The lock was not renewed in time.", { cause });
    }
}

/** Waits, and says whether it is not over. */
async function later(milliseconds: number, over: AbortSignal): Promise<boolean> {
    await sleep(milliseconds, undefined, { signal: over }).catch(() => undefined);
    return !over.aborted;
}

/** @throws if there is a pod that writes whatever the lock says: of a Deployment that somebody changed just now */
function assertHeeded(pods: Pod[], lockName: string): void {
    const other = pods.find(({ spec }) => !spec.volumes.some(({ configMap }) => configMap?.name === lockName));
    if (other) {
        throw new Error(`${other.metadata.name} does not heed the lock.`);
    }
}

const isReady = ({ status }: Pick<Pod, "status">) => Boolean(status.conditions?.some(({ type, status }) => type === "Ready" && status === "True"));

/** Replaces all pods of the registry by such as have heard when the lock ends, and waits until the old ones are gone. */
async function roll(site: Site, signal: AbortSignal): Promise<void> {
    const { cluster, lock, selector, lockName } = site;
    const stamp = String(lock.ends);
    const isDone = ({ metadata, spec, status }: Deployment) => status.observedGeneration === metadata.generation
        && status.updatedReplicas === spec.replicas && status.availableReplicas === spec.replicas && status.replicas === spec.replicas;
    const end = Date.now() + (site.drainSeconds + startSeconds) * 1000;
    do {
        const deployments = await cluster.deployments(selector);
        // Those that came meanwhile as well.
        const others = deployments.filter(({ spec }) => spec.template.metadata.annotations?.[readOnlyUntil] !== stamp);
        for (const deployment of others) {
            await cluster.annotatePods(deployment, { [readOnlyUntil]: stamp });
        }
        if (deployments.length === 0) {
            throw new Error(`There is no Deployment of pods with ${selector}.`);
        }
        if (others.length === 0 && deployments.every(isDone)) {
            const pods = await cluster.pods(selector);
            if (pods.every((pod) => pod.metadata.annotations?.[readOnlyUntil] === stamp && isReady(pod))) {
                assertHeeded(pods, lockName);
                return;
            }
        }
        if (Date.now() > end) {
            throw new Error("The registry's pods were not replaced in time; see them with: kubectl get pods");
        }
    } while (await later(lookEvery, signal));
    signal.throwIfAborted();
}

/** Gives the lock back, and replaces the pods by such as write. Does not wait for them once it was told to stop. */
async function unlock(site: Site): Promise<void> {
    const { lock, stop } = site;
    if (lock.lostFor > 0) {
        say(`An earlier collection was lost, and may go on unseen for ${lock.lostFor} s; the registry stays read-only until then ...`);
        await later(lock.lostFor * 1000, stop);
    }
    if (await lock.giveBack()) {
        await roll(site, stop).catch((error: unknown) => {
            if (!stop.aborted) {
                throw error;
            }
        });
    }
}
