import * as assert from "node:assert/strict";

import type { BucketView } from "../../../components/collector/bucketView";
import { type CollectionResult, GarbageCollection } from "../../../components/collector/collection";
import { InterruptedError } from "../../../components/collector/errors";
import type { BucketClient, Cluster } from "../../../components/collector/ports";
import type { RetentionPolicy } from "../../../components/collector/retention";
import { FakeBucket, type FakeImage, keyOf, revisionLink } from "./fakeBucket";
import { FakeClock } from "./fakeClock";
import { annotation, collectorLabels, FakeCluster, makePod, registryLabels } from "./fakeCluster";

/**
 * A registry with garbage in its bucket, and all that a collection works with. A deletion fails if any pod of the
 * registry accepts pushes.
 */
export class CollectionWorld {
    readonly clock = new FakeClock();
    readonly bucket = new FakeBucket();
    readonly cluster = new FakeCluster(this.clock);
    readonly log: string[] = [];
    /** The keys that were deleted. */
    readonly deleted: string[] = [];
    /** An image with a tag, and one whose tag was deleted. */
    readonly kept: FakeImage;
    readonly garbage: FakeImage;
    /** What distribution calls garbage. */
    dryRunFinds: string[];
    /** What it was shown. */
    readonly views: BucketView[] = [];
    /** How long its dry run, and a deletion take. */
    dryRunSeconds = 10;
    deletionSeconds = 1;
    maxReadOnlyMinutes = 15;
    minAgeMinutes = 60;
    deleteUntagged = false;
    retention: RetentionPolicy[] = [];
    applyRetention = false;
    /** Distribution's opinion. */
    findGarbage = (view: BucketView): Promise<string[]> =>
        Promise.resolve(this.dryRunFinds.filter((digest) => view.listed.has(this.bucket.key(digest))));
    private readonly hooks: { event: RegExp; left: number; action: () => unknown }[] = [];

    constructor() {
        this.garbage = this.bucket.image("web", "1", "old");
        this.kept = this.bucket.image("web", "1", "new");
        // Without its tag and link, nothing needs the old image.
        this.bucket.remove(revisionLink("web", this.garbage.digest));
        this.dryRunFinds = [this.garbage.digest, this.garbage.layer, this.garbage.config];
        const { delete: original } = this.bucket;
        this.bucket.delete = (key, assertMayDelete) => this.delete(key, assertMayDelete, original);
        this.cluster.onRequest = (method) => this.tell(method);
    }

    /** Does something at the n-th such event: a line of the log, a request to Kubernetes, "dry run" or "delete". */
    on(event: RegExp, action: () => unknown, occurrence = 1): void {
        this.hooks.push({ event, left: occurrence, action });
    }

    /** Fails if a test waited for an event that never came: it would pass without its fault. */
    assertAllCame(): void {
        assert.deepEqual(
            this.hooks.filter(({ left }) => left > 0).map(({ event }) => String(event)),
            [],
            "these events never came",
        );
    }

    /** Runs a whole collection. */
    collect(holder = "collector-1", stop = new AbortController()): Promise<CollectionResult> {
        return this.clock.run(this.begin(holder, stop));
    }

    /** The bytes of all objects in the bucket. */
    get bytes(): number {
        return [...this.bucket.objects.values()].reduce((sum, { length }) => sum + length, 0);
    }

    /** Runs a collection that gets SIGTERM at the n-th such event. */
    async collectInterruptedAt(event: RegExp, occurrence = 1): Promise<unknown> {
        const stop = new AbortController();
        this.on(event, () => stop.abort(new InterruptedError("Interrupted by SIGTERM.")), occurrence);
        const error: unknown = await this.collect("collector-1", stop).catch((error: unknown) => error);
        assert.ok(stop.signal.aborted, "that event never came");
        return error;
    }

    begin(holder = "collector-1", stop = new AbortController(), isAlive = () => true): Promise<CollectionResult> {
        this.cluster.collectors.push(makePod(holder));
        const askDistribution = async (view: BucketView, signal: AbortSignal) => {
            this.views.push(view);
            this.tell("dry run");
            await this.clock.sleep(this.dryRunSeconds * 1000, signal);
            signal.throwIfAborted();
            return this.findGarbage(view);
        };
        const log = (line: string) => {
            if (isAlive()) {
                this.log.push(line);
                this.tell(line);
            }
        };
        const { clock } = this;
        const [bucket, cluster] = [mortal<BucketClient>(this.bucket, isAlive), mortal<Cluster>(this.cluster, isAlive)];
        const settings = {
            leaseName: "registry-lock",
            holder,
            annotation,
            labels: registryLabels,
            collectorLabels,
            drainSeconds: 300,
            deleteUntagged: this.deleteUntagged,
            maxReadOnlyMinutes: this.maxReadOnlyMinutes,
            minAgeMinutes: this.minAgeMinutes,
            retention: this.retention,
            applyRetention: this.applyRetention,
        };
        return new GarbageCollection({ bucket, cluster, clock, askDistribution, log }, settings, stop.signal).run();
    }

    /** Runs a Job whose pod is killed after some seconds, and then its next pods until one succeeds. */
    async collectKilledAfter(seconds: number): Promise<void> {
        const { clock } = this;
        let isAlive = true;
        let hasSucceeded = false;
        const succeed = () => void (hasSucceeded = true);
        this.begin("collector-1", undefined, () => isAlive).then(succeed, () => undefined);
        await clock.run(clock.sleep(seconds * 1000));
        isAlive = false;
        this.cluster.collectors = [];
        // The first ones may meet a rollout that is under way.
        for (let pod = 2; !hasSucceeded; pod++) {
            assert.ok(pod < 8, "the Job has failed");
            await this.collect(`collector-${pod}`).then(succeed, () => clock.run(clock.sleep(10_000)));
        }
    }

    /** Fails unless the registry accepts pushes, or will within so many seconds, and no image has lost anything. */
    async assertRecovers(withinSeconds = 30): Promise<void> {
        const now = this.clock.seconds;
        await this.clock.run(this.clock.sleep(withinSeconds * 1000));
        assert.equal(this.cluster.writers.length, this.cluster.registryPods.length, "a pod is still read-only");
        assert.ok(Number(this.cluster.lease.data?.until ?? 0) <= now + withinSeconds, "the lease has not expired");
        this.assertNothingLost();
    }

    assertNothingLost(): void {
        const { digest, layer, config } = this.kept;
        assert.ok([digest, layer, config].every((digest) => this.bucket.has(digest)));
    }

    private async delete(key: string, assertMayDelete: () => void, original: BucketClient["delete"]): Promise<void> {
        this.tell("delete");
        await original(key, () => {
            assertMayDelete();
            assert.deepEqual(this.cluster.writers, [], "a pod accepts pushes while garbage is deleted");
            assert.ok(this.cluster.leaseSecondsLeft >= 180, "a deletion was sent too late");
            this.deleted.push(key);
        });
        await this.clock.sleep(this.deletionSeconds * 1000);
    }

    private tell(event: string): void {
        const due = this.hooks.filter((hook) => hook.event.test(event) && --hook.left === 0);
        due.forEach(({ action }) => action());
    }
}

/** The same, until the process is dead: from then on nothing it does has an effect, and nothing responds to it. */
function mortal<T extends object>(target: T, isAlive: () => boolean): T {
    return new Proxy(target, {
        get: (target, name) => {
            const member: unknown = Reflect.get(target, name);
            return typeof member === "function"
                ? (...args: unknown[]): unknown =>
                      isAlive() ? Reflect.apply(member, target, args) : new Promise(() => undefined)
                : member;
        },
    });
}

/** What no manifest in a view needs, as distribution finds it. */
export async function markAndSweep(view: BucketView): Promise<string[]> {
    const { listed } = view;
    const get = (key: string) => view.get(key);
    const needed = new Set<string>();
    for (const link of [...listed.keys()].filter((key) => key.endsWith("/link"))) {
        const digest = String(await get(link));
        const manifest = JSON.parse(String(await get(`docker/registry/v2/${keyOf(digest)}`))) as Record<
            string,
            unknown
        >;
        const { config, layers = [], manifests = [] } = manifest as Record<string, { digest: string }[]>;
        [{ digest }, config, layers, manifests].flat().forEach((part) => part && needed.add(part.digest));
    }
    const blobs = [...listed.keys()]
        .filter((key) => key.endsWith("/data"))
        .map((key) => `sha256:${key.split("/").at(-2)}`);
    return blobs.filter((digest) => !needed.has(digest));
}
