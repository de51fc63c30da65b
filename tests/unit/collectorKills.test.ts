import * as assert from "node:assert/strict";

import * as fc from "fast-check";

import { readInventory } from "../../components/collector/inventory";
import { selectTags } from "../../components/collector/retention";
import { CollectionWorld, markAndSweep } from "./support/collectionWorld";
import { digestOf, keyOf } from "./support/fakeBucket";

/** How many collections are killed; make it 2000 for a longer run. */
const kills = Number(process.env.KILLS ?? 200);

const repositories = ["web", "team/app"];
const policies = [{ repositories: ["**"], tags: ["*"], keepPatterns: ["latest"], mostRecentlyPushedCount: 2 }];

/** A push as a client makes it: layers that exist are not uploaded again, and the manifest follows later. */
interface Push {
    repository: string;
    tag: string;
    layers: string[];
    /** Seconds since the beginning, and between layers and manifest. */
    at: number;
    pause: number;
}

/** A registry under traffic, whose collections are killed one after the other. */
class Traffic {
    readonly world = new CollectionWorld();
    /** The manifests that the registry has accepted, by `repository:tag`. */
    readonly accepted = new Map<string, string>();

    constructor(pushes: Push[]) {
        const { world } = this;
        world.retention = policies;
        world.findGarbage = markAndSweep;
        for (const [i, repository] of repositories.entries()) {
            for (const [age, layers] of [["one"], ["two", "base"], ["three", "base"], ["four"]].entries()) {
                const tag = `old-${age}`;
                const all = layers.map((layer) => world.bucket.blob(layer));
                const { digest } = world.bucket.manifest(repository, { layers: all });
                world.bucket.tag(repository, tag, digest);
                const key = `repositories/${repository}/_manifests/tags/${tag}/current/link`;
                world.bucket.written.set(key, new Date(world.clock.now() - (age + 5 + i) * 3_600_000));
            }
        }
        pushes.forEach((push) => world.clock.after(push.at, () => this.upload(push)));
    }

    private get acceptsPushes(): boolean {
        return this.world.cluster.writers.length > 0;
    }

    private put(key: string, content: string): void {
        this.world.bucket.put(key, content);
        this.world.bucket.written.set(key, new Date(this.world.clock.now()));
    }

    private linkOf = (repository: string, digest: string) =>
        `repositories/${repository}/_layers/${digest.replace(":", "/")}/link`;

    private hasLayer(repository: string, digest: string): boolean {
        const { bucket } = this.world;
        return bucket.has(digest) && bucket.objects.has(`docker/registry/v2/${this.linkOf(repository, digest)}`);
    }

    private upload(push: Push): void {
        const { repository, layers, pause } = push;
        const missing = layers.filter((layer) => !this.hasLayer(repository, digestOf(layer)));
        if (missing.length > 0 && !this.acceptsPushes) {
            return;
        }
        for (const layer of missing) {
            if (!this.world.bucket.has(digestOf(layer))) {
                this.put(keyOf(digestOf(layer)), layer);
            }
            this.put(this.linkOf(repository, digestOf(layer)), digestOf(layer));
        }
        this.world.clock.after(pause, () => this.pushManifest(push));
    }

    private pushManifest({ repository, tag, layers }: Push): void {
        const descriptors = layers.map((layer) => ({ digest: digestOf(layer), size: layer.length }));
        if (!this.acceptsPushes || !descriptors.every(({ digest }) => this.hasLayer(repository, digest))) {
            return;
        }
        const manifest = JSON.stringify({ schemaVersion: 2, layers: descriptors });
        const digest = digestOf(manifest);
        const hash = digest.slice(7);
        if (!this.world.bucket.has(digest)) {
            this.put(keyOf(digest), manifest);
        }
        for (const link of [`revisions/sha256/${hash}`, `tags/${tag}/index/sha256/${hash}`, `tags/${tag}/current`]) {
            this.put(`repositories/${repository}/_manifests/${link}/link`, digest);
        }
        this.accepted.set(`${repository}:${tag}`, digest);
    }

    /** Starts collections and kills each after so many seconds. The pods of every second Job are the same Job's. */
    async kill(seconds: number[]): Promise<void> {
        const { world } = this;
        for (const [i, second] of seconds.entries()) {
            let isAlive = true;
            world.begin(`job${i >> 1}-${i}`, undefined, () => isAlive).catch(() => undefined);
            await world.clock.run(world.clock.sleep(second * 1000));
            isAlive = false;
            world.cluster.collectors = [];
        }
    }

    /** Runs collections until two have succeeded: the first one may only report. */
    async finish(): Promise<void> {
        const { world } = this;
        let left = 2;
        for (let pod = 0; left > 0; pod++) {
            assert.ok(pod < 12, "no collection succeeds");
            await world.collect(`last${left}-${pod}`).then(
                () => left--,
                () => world.clock.run(world.clock.sleep(10_000)),
            );
        }
    }
}

describe("Collections that are killed at any time, while clients push", () => {
    const layer = fc.constantFrom("one", "two", "three", "four", "base", "new");
    const pushes = fc.array(
        fc.record({
            repository: fc.constantFrom(...repositories),
            tag: fc.constantFrom("latest", "old-0", "old-3", "a", "b"),
            layers: fc.uniqueArray(layer, { minLength: 1, maxLength: 3 }),
            at: fc.integer({ min: 0, max: 400 }),
            pause: fc.integer({ min: 0, max: 60 }),
        }),
        { maxLength: 12 },
    );
    const seconds = fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 4, maxLength: 4 });

    it(`lose no image but those that retention selects, in ${kills} kills`, async () => {
        await fc.assert(
            fc.asyncProperty(pushes, seconds, async (pushes, seconds) => {
                const traffic = new Traffic(pushes);
                const { world, accepted } = traffic;
                const before = await world.clock.run(
                    readInventory(world.bucket, world.clock, { deleteUntagged: false }),
                );
                await traffic.kill(seconds);
                await traffic.finish();
                assert.equal(world.cluster.writers.length, 2, "a pod is still read-only");
                const after = await world.clock.run(
                    readInventory(world.bucket, world.clock, { deleteUntagged: false }),
                );
                assert.deepEqual(after.problems, []);
                const left = new Map(after.tags.map((tag) => [`${tag.repository}:${tag.name}`, tag]));
                for (const [tag, digest] of accepted) {
                    const [repository = "", name = ""] = tag.split(":");
                    assert.ok(left.has(tag), `${tag} was pushed, and is gone`);
                    assert.ok(after.revisions.has(`${repository}@${digest}`), `${tag} has lost its manifest`);
                    const link = `docker/registry/v2/repositories/${repository}/_manifests/tags/${name}/current/link`;
                    assert.equal(world.bucket.objects.get(link), digest);
                }
                const ever = [
                    ...before.tags.filter((tag) => !left.has(`${tag.repository}:${tag.name}`)),
                    ...after.tags,
                ];
                const selected = selectTags(ever, policies, world.clock.now());
                for (const tag of before.tags) {
                    const id = `${tag.repository}:${tag.name}`;
                    assert.ok(left.has(id) || selected.has(tag), `${id} is gone, and no policy selects it`);
                }
            }),
            { numRuns: kills / 4 },
        );
    }).timeout("10m");
});
