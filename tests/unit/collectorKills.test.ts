import * as assert from "node:assert/strict";

import * as fc from "fast-check";

import { readInventory } from "../../components/collector/inventory";
import { PushedTag, selectTags } from "../../components/collector/retention";
import { CollectionWorld, markAndSweep } from "./support/collectionWorld";
import { digestOf, keyOf, layerLink, revisionLink } from "./support/fakeBucket";

/** How many collections are killed; make it 2000 for a longer run. */
const kills = Number(process.env.KILLS ?? 200);

const repositories = ["web", "team/app"];
const policies = [{ repositories: ["**"], tags: ["*"], keepPatterns: ["latest"], mostRecentlyPushedCount: 2 }];

/** A push as a client makes it: layers that exist are not uploaded again, and the manifest follows later. */
interface Push {
    repository: string;
    tag: string;
    layers: string[];
    /** Whether the tag is of an index, whose only image is pushed first and has no tag. */
    isIndex: boolean;
    /** Seconds since the beginning, and between layers and manifest, and between that and its index. */
    at: number;
    pause: number;
}

const idOf = ({ repository, name }: PushedTag) => `${repository}:${name}`;
const tagOf = (repository: string, tag: string) => `repositories/${repository}/_manifests/tags/${tag}/current/link`;

/** The same for the same layers, as a client makes it that builds an image again. */
const manifestOf = (layers: string[]) =>
    JSON.stringify({
        schemaVersion: 2,
        layers: layers.map((layer) => ({ digest: digestOf(layer), size: layer.length })),
    });

/** A registry under traffic, whose collections are killed one after the other. */
class Traffic {
    readonly world = new CollectionWorld();
    /** The manifests that the registry has accepted, by `repository:tag`. */
    readonly accepted = new Map<string, PushedTag & { digest: string }>();

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
                world.bucket.written.set(
                    tagOf(repository, tag),
                    new Date(world.clock.now() - (age + 5 + i) * 3_600_000),
                );
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

    private hasLayer(repository: string, digest: string): boolean {
        const { bucket } = this.world;
        return bucket.has(digest) && bucket.objects.has(`docker/registry/v2/${layerLink(repository, digest)}`);
    }

    private upload(push: Push): void {
        const { repository, layers, pause } = push;
        const image = digestOf(manifestOf(layers));
        if (push.isIndex && this.hasManifest(repository, image)) {
            return this.pushIndex(push, image);
        }
        const missing = layers.filter((layer) => !this.hasLayer(repository, digestOf(layer)));
        if (missing.length > 0 && !this.acceptsPushes) {
            return;
        }
        for (const layer of missing) {
            if (!this.world.bucket.has(digestOf(layer))) {
                this.put(keyOf(digestOf(layer)), layer);
            }
            this.put(layerLink(repository, digestOf(layer)), digestOf(layer));
        }
        this.world.clock.after(pause, () => this.pushManifest(push));
    }

    private pushManifest(push: Push): void {
        const { repository, layers } = push;
        if (!this.acceptsPushes || !layers.every((layer) => this.hasLayer(repository, digestOf(layer)))) {
            return;
        }
        const digest = this.putManifest(repository, manifestOf(layers));
        if (push.isIndex) {
            this.world.clock.after(push.pause, () => this.pushIndex(push, digest));
        } else {
            this.tag(push, digest);
        }
    }

    /** The registry accepts an index only if it has the image. */
    private pushIndex(push: Push, image: string): void {
        if (this.acceptsPushes && this.hasManifest(push.repository, image)) {
            const index = JSON.stringify({ schemaVersion: 2, manifests: [{ digest: image, size: 1 }] });
            this.tag(push, this.putManifest(push.repository, index));
        }
    }

    private hasManifest(repository: string, digest: string): boolean {
        const { bucket } = this.world;
        return bucket.has(digest) && bucket.objects.has(`docker/registry/v2/${revisionLink(repository, digest)}`);
    }

    private putManifest(repository: string, manifest: string): string {
        const digest = digestOf(manifest);
        if (!this.world.bucket.has(digest)) {
            this.put(keyOf(digest), manifest);
        }
        this.put(revisionLink(repository, digest), digest);
        return digest;
    }

    private tag({ repository, tag }: Push, digest: string): void {
        this.put(tagOf(repository, tag).replace("current", `index/${digest.replace(":", "/")}`), digest);
        this.put(tagOf(repository, tag), digest);
        const pushed = new Date(this.world.clock.now());
        this.accepted.set(`${repository}:${tag}`, { repository, name: tag, pushed, digest });
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
            isIndex: fc.boolean(),
            at: fc.integer({ min: 0, max: 400 }),
            pause: fc.integer({ min: 0, max: 60 }),
        }),
        { maxLength: 12 },
    );
    const settings = fc.record({ deleteUntagged: fc.boolean(), minAgeMinutes: fc.constantFrom(0, 60) });
    const seconds = fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 4, maxLength: 4 });

    it(`lose no image but those that retention selects, in ${kills} kills`, async () => {
        await fc.assert(
            fc.asyncProperty(pushes, seconds, settings, async (pushes, seconds, settings) => {
                const traffic = new Traffic(pushes);
                const { world, accepted } = traffic;
                Object.assign(world, settings);
                const before = await world.clock.run(
                    readInventory(world.bucket, world.clock, { deleteUntagged: false }),
                );
                await traffic.kill(seconds);
                await traffic.finish();
                assert.equal(world.cluster.writers.length, 2, "a pod is still read-only");
                const after = await world.clock.run(
                    readInventory(world.bucket, world.clock, { deleteUntagged: false }),
                );
                assert.deepEqual([after.problems, after.notes], [[], []]);
                const left = new Set(after.tags.map(idOf));
                // A push replaces a tag of the same name.
                const tags = [...before.tags.filter((tag) => !accepted.has(idOf(tag))), ...accepted.values()];
                const ever = [...tags.filter((tag) => !left.has(idOf(tag))), ...after.tags];
                const selected = selectTags<PushedTag>(ever, policies, world.clock.now());
                for (const tag of tags) {
                    assert.ok(left.has(idOf(tag)) || selected.has(tag), `${idOf(tag)} is gone, no policy selects it`);
                }
                for (const { repository, name, digest } of accepted.values()) {
                    if (left.has(`${repository}:${name}`)) {
                        assert.ok(after.revisions.has(`${repository}@${digest}`), `${name} has lost its manifest`);
                        assert.equal(world.bucket.objects.get(`docker/registry/v2/${tagOf(repository, name)}`), digest);
                    }
                }
            }),
            { numRuns: kills / 4 },
        );
    }).timeout("10m");
});
