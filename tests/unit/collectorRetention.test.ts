import * as assert from "node:assert/strict";

import * as fc from "fast-check";

import { PermanentError } from "../../components/collector/errors";
import { type Inventory, readInventory } from "../../components/collector/inventory";
import { pushTimes, type Retention } from "../../components/collector/removals";
import { removalReport } from "../../components/collector/report";
import {
    describePolicy,
    matchesGlob,
    parseGoDuration,
    type PushedTag,
    type RetentionPolicy,
    seemCopied,
    selectTags,
} from "../../components/collector/retention";
import { stepsOf } from "../../components/collector/sweep";
import { CollectionWorld, markAndSweep } from "./support/collectionWorld";
import { FakeBucket, type FakeImage, revisionLink } from "./support/fakeBucket";
import { FakeClock } from "./support/fakeClock";

const hour = 3_600_000;
const policy = (change: Partial<RetentionPolicy>): RetentionPolicy => ({
    repositories: ["**"],
    tags: ["*"],
    keepPatterns: ["latest"],
    ...change,
});

describe("A glob", () => {
    const cases: [string, string[], string[]][] = [
        ["*", ["a", "v1.0", ""], ["a/b"]],
        ["**", ["a", "a/b/c"], []],
        ["team/*", ["team/a"], ["team", "team/a/b", "my/team/a"]],
        ["team/**", ["team/a", "team/a/b"], ["team", "teams/a"]],
        ["**/cache", ["cache", "a/cache", "a/b/cache"], ["acache", "cache/a"]],
        ["v*.0", ["v1.0", "v.0"], ["v1x0", "v1.01"]],
        ["pr-***", ["pr-1", "pr-"], ["apr-1"]],
    ];
    for (const [glob, matching, others] of cases) {
        it(`matches ${glob}`, () => {
            assert.deepEqual(
                [...matching, ...others].filter((text) => matchesGlob(glob, text)),
                matching,
            );
        });
    }
});

it("A Go duration is a sum of hours, minutes and seconds", () => {
    const durations = ["1h30m", "1.5h", "90s", "0s", "", "30d", "1h ", "-1h"].map(parseGoDuration);
    assert.deepEqual(durations, [1.5 * hour, 1.5 * hour, 90_000, 0, undefined, undefined, undefined, undefined]);
});

it("A policy is described in words", () => {
    assert.deepEqual(
        [
            policy({ mostRecentlyPushedCount: 10 }),
            policy({ repositories: ["team/**", "web"], tags: ["pr-*"], keepPatterns: [], pushedWithin: "720h" }),
            policy({ tags: ["a*", "b*"], keepPatterns: ["v*"], mostRecentlyPushedCount: 1, pushedWithin: "1h" }),
        ].map(describePolicy),
        [
            "Of all tags in each repository, a garbage collection keeps the 10 newest and latest, and removes the others.",
            "Of the tags pr-* in each repository team/** or web, a garbage collection keeps those pushed within 720h, and removes the others.",
            "Of the tags a* and b* in each repository, a garbage collection keeps the 1 newest, those pushed within 1h and v*, and removes the others.",
        ],
    );
});

describe("selectTags", () => {
    const now = Date.parse("2026-11-26T00:00:00Z");
    const tagsOf = (ages: Record<string, number>, repository = "web") =>
        Object.entries(ages).map(([name, hours]) => ({ repository, name, pushed: new Date(now - hours * hour) }));
    const select = (ages: Record<string, number>, ...policies: RetentionPolicy[]) =>
        [...selectTags(tagsOf(ages), policies, now).keys()].map(({ name }) => name);

    it("keeps the newest tags, and all that are as old as the last of them", () => {
        const ages = { a: 1, b: 2, c: 3, d: 3, e: 4, latest: 9 };
        assert.deepEqual(select(ages, policy({ mostRecentlyPushedCount: 3 })), ["e"]);
    });

    it("does not count tags that a policy does not select, or always keeps", () => {
        const ages = { latest: 1, v1: 2, "pr-1": 3, "pr-2": 4, "pr-3": 5 };
        assert.deepEqual(select(ages, policy({ tags: ["pr-*", "l*"], mostRecentlyPushedCount: 2 })), ["pr-3"]);
    });

    it("keeps what either the number or the age keeps", () => {
        const ages = { a: 1, b: 2, c: 3, d: 4 };
        const both = policy({ mostRecentlyPushedCount: 1, pushedWithin: "3h" });
        assert.deepEqual(select(ages, both), ["c", "d"]);
    });

    it("keeps what another policy of the repository keeps, and what none selects", () => {
        const ages = { v9: 1, v1: 9, v2: 9, "pr-1": 9, other: 9 };
        const policies = [
            policy({ tags: ["v*", "pr-*"], mostRecentlyPushedCount: 1 }),
            policy({ tags: ["x"], keepPatterns: ["v1"], mostRecentlyPushedCount: 1 }),
            policy({ repositories: ["web/*"], keepPatterns: ["v2"], mostRecentlyPushedCount: 1 }),
        ];
        assert.deepEqual(select(ages, ...policies), ["v2", "pr-1"]);
    });

    it("keeps the newest tag of a repository, also if it matches no pattern to keep", () => {
        assert.deepEqual(select({ a: 100, b: 200 }, policy({ pushedWithin: "1h" })), ["b"]);
    });

    it("neither selects nor counts tags of signatures", () => {
        const signature = `sha256-${"a".repeat(64)}`;
        const ages = { [`${signature}.sig`]: 1, [signature]: 1, "sha256-short": 5, a: 2, b: 3 };
        assert.deepEqual(select(ages, policy({ mostRecentlyPushedCount: 1 })), ["sha256-short", "b"]);
    });

    it("counts each repository apart", () => {
        const tags = [...tagsOf({ a: 1, b: 2 }), ...tagsOf({ c: 3, d: 4 }, "web/other")];
        const selected = selectTags(tags, [policy({ mostRecentlyPushedCount: 1 })], now);
        assert.deepEqual(
            [...selected.keys()].map(({ name }) => name),
            ["b", "d"],
        );
    });

    const numbered = (repository: string, count: number, age: (i: number) => number) =>
        tagsOf(Object.fromEntries(Array.from({ length: count }, (_, i) => [`t${i}`, age(i)])), repository);
    const copied = (repository: string, count: number) => numbered(repository, count, (i) => 1000 + i / 60);
    const daily = (count: number) => numbered("ci", count, (i) => 24 * i);

    it("counts copied tags of a repository as equally old, also when other repositories have newer ones", () => {
        // Older than the copy, so that its hour is not the bucket's first one.
        const older = tagsOf({ first: 2000 }, "app");
        const tags = [...older, ...copied("web", 12), ...daily(13)];
        const newest = policy({ mostRecentlyPushedCount: 1 });
        const selectedOf = (trustCopies: boolean) =>
            [...selectTags(tags, [newest], now, trustCopies).keys()].map(({ repository }) => repository);
        assert.deepEqual(new Set(selectedOf(false)), new Set(["ci"]));
        assert.equal(selectedOf(true).filter((repository) => repository === "web").length, 11);
    });

    it("counts the tags of a copied bucket's first hour as equally old, whatever was pushed later", () => {
        const newest = policy({ mostRecentlyPushedCount: 3 });
        const selectedInWeb = (tags: PushedTag[], trustCopies = false) =>
            [...selectTags(tags, [newest], now, trustCopies).keys()].filter(({ repository }) => repository === "web")
                .length;
        const web = copied("web", 4);
        const tags = [...web, ...copied("app", 6), ...daily(30)];
        assert.equal(selectedInWeb(tags), 0);
        assert.equal(selectedInWeb(tags, true), 1);
        // Three newer ones in this repository replace all of them.
        assert.equal(selectedInWeb([...tags, ...tagsOf({ a: 3, b: 2, c: 1 })]), 4);
        // Fewer than ten may have been pushed in an hour.
        assert.equal(selectedInWeb([...web, ...copied("app", 5), ...daily(30)]), 1);
    });

    it("notices that most tags were written within the same hour, as by a copy of the bucket", () => {
        const ages = (copied: number) =>
            tagsOf(
                Object.fromEntries(
                    Array.from({ length: 20 }, (_, i) => [`t${i}`, i < copied ? 50 + i / 20 : 100 + i * 2]),
                ),
            );
        assert.deepEqual([ages(11), ages(9), ages(11).slice(0, 9)].map(seemCopied), [true, false, false]);
    });
});

/** A bucket, with the time at which each of its tags was pushed. */
class AgedBucket extends FakeBucket {
    now = Date.parse("2026-11-26T00:00:00Z");
    age(repository: string, tag: string, hours: number): void {
        const key = `repositories/${repository}/_manifests/tags/${tag}/current/link`;
        this.written.set(key, new Date(this.now - hours * hour));
    }
    read(policies: RetentionPolicy[], deleteUntagged = false, change: Partial<Retention> = {}): Promise<Inventory> {
        const retention = { policies, now: this.now, ...change };
        const clock = new FakeClock();
        return clock.run(readInventory(this, clock, { deleteUntagged, latest: this.now - hour, retention }));
    }
}

/** Deletes what goes, up to some number of objects, as an interrupted collection does. */
const sweep = (bucket: AgedBucket, inventory: Inventory, limit = Infinity) =>
    stepsOf(inventory.garbage, inventory)
        .flat(2)
        .slice(0, limit)
        .forEach((key) => bucket.objects.delete(key));

describe("readInventory with retention", () => {
    let bucket: AgedBucket;
    let old: FakeImage;
    const policies = [policy({ mostRecentlyPushedCount: 1 })];
    beforeEach(() => {
        bucket = new AgedBucket();
        old = bucket.image("web", "old", "old layer");
        bucket.image("web", "new", "new layer");
        bucket.age("web", "old", 50);
        bucket.age("web", "new", 40);
    });
    const names = ({ removals }: Inventory) => removals.tags.map(({ repository, name }) => `${repository}:${name}`);
    const garbageOf = async (...args: Parameters<AgedBucket["read"]>) => new Set((await bucket.read(...args)).garbage);

    it("finds that manifests without a tag are garbage, whatever deleteUntagged says", async () => {
        const inventory = await bucket.read(policies);
        assert.deepEqual(names(inventory), ["web:old"]);
        assert.deepEqual(new Set(inventory.garbage), new Set([old.digest, old.layer, old.config]));
        assert.deepEqual(inventory.untagged, { manifests: 0, bytes: 0 });
    });

    it("keeps an older manifest without a tag, unless deleteUntagged is set", async () => {
        const { digest } = bucket.manifest("web", { layers: [bucket.blob("untagged")] });
        assert.ok(!(await garbageOf(policies)).has(digest));
        assert.ok((await garbageOf(policies, true)).has(digest));
    });

    it("keeps a manifest that another tag, or an untagged index, still needs", async () => {
        const index = bucket.manifest("web", { manifests: [{ digest: old.digest }] });
        assert.deepEqual(await garbageOf(policies), new Set());
        bucket.tag("web", "newest", index.digest);
        bucket.age("web", "newest", 1.5);
        bucket.age("web", "new", 100);
        const inventory = await bucket.read(policies, true);
        assert.deepEqual(names(inventory).sort(), ["web:new", "web:old"]);
        assert.ok(!inventory.garbage.includes(old.digest));
    });

    it("unlinks a manifest that only another repository needs", async () => {
        const copy = bucket.image("copy", "1", "old layer");
        assert.equal(copy.digest, old.digest);
        const inventory = await bucket.read(policies);
        assert.deepEqual(inventory.garbage, []);
        assert.deepEqual(inventory.unneededLinks, [`docker/registry/v2/${revisionLink("web", old.digest)}`]);
    });

    it("removes signatures with the manifest that they sign, and theirs", async () => {
        const tagOf = (digest: string) => digest.replace(":", "-");
        const signature = bucket.image("web", `${tagOf(old.digest)}.sig`, "signature");
        bucket.image("web", tagOf(signature.digest), "of the signature");
        bucket.image("web", tagOf(`sha256:${"0".repeat(64)}`), "of a manifest that does not exist");
        assert.deepEqual(
            names(await bucket.read(policies)).sort(),
            ["web:old", `web:${tagOf(signature.digest)}`, `web:${tagOf(old.digest)}.sig`].sort(),
        );
        bucket.manifest("web", { manifests: [{ digest: old.digest }] });
        assert.deepEqual(names(await bucket.read(policies)), ["web:old"]);
    });

    it("removes nothing that was written lately, or was pushed again since it was planned", async () => {
        const only = pushTimes((await bucket.read(policies)).removals.tags);
        assert.deepEqual(names(await bucket.read(policies, false, { only })), ["web:old"]);
        bucket.age("web", "old", 45);
        assert.deepEqual(names(await bucket.read(policies, false, { only })), []);
        bucket.age("web", "new", 0.1);
        bucket.age("web", "old", 0.9);
        assert.deepEqual(names(await bucket.read(policies)), []);
    });

    it("removes no tag with a manifest that was pushed again lately, as for a new index", async () => {
        const index = bucket.manifest("web", { manifests: [{ digest: old.digest }] });
        bucket.tag("web", "old", index.digest);
        assert.deepEqual(names(await bucket.read(policies)), ["web:old"]);
        const link = revisionLink("web", old.digest);
        bucket.written.set(link, new Date(bucket.now));
        const inventory = await bucket.read(policies);
        assert.deepEqual([names(inventory), inventory.garbage, inventory.unneededLinks], [[], [], []]);
    });

    it("keeps the layers of an untagged manifest that was pushed lately, also with deleteUntagged", async () => {
        const { digest } = bucket.manifest("web", { layers: [bucket.blob("old layer of a new manifest")] });
        assert.ok((await garbageOf([], true)).has(digest));
        const link = revisionLink("web", digest);
        bucket.written.set(link, new Date(bucket.now));
        assert.deepEqual(await garbageOf([], true), new Set());
    });

    it("keeps the signature of a manifest that an untagged index needs, if that was pushed lately", async () => {
        const signature = old.digest.replace(":", "-");
        bucket.image("web", signature, "signature");
        bucket.age("web", signature, 50);
        const index = bucket.manifest("web", { manifests: [{ digest: old.digest }] });
        assert.deepEqual(names(await bucket.read(policies, true)).sort(), ["web:old", `web:${signature}`]);
        const link = revisionLink("web", index.digest);
        bucket.written.set(link, new Date(bucket.now));
        assert.deepEqual(names(await bucket.read(policies, true)), ["web:old"]);
    });

    it("removes nothing of a repository with an index that lacks a manifest", async () => {
        bucket.tag(
            "web",
            "latest",
            bucket.manifest("web", { manifests: [{ digest: `sha256:${"1".repeat(64)}` }] }).digest,
        );
        bucket.image("other", "1", "other old");
        bucket.image("other", "2", "other new");
        bucket.age("other", "1", 50);
        assert.deepEqual(names(await bucket.read(policies)), ["other:1"]);
    });

    it("continues what an interrupted collection has begun, and no push under way", async () => {
        bucket.remove("repositories/web/_manifests/tags/old/current/link");
        const under = `repositories/web/_manifests/tags/pushing/index/sha256/${old.digest.slice(7)}/link`;
        bucket.put(under, old.digest);
        bucket.written.set(under, new Date(bucket.now));
        assert.deepEqual(await garbageOf(policies), new Set());
        bucket.remove(under);
        bucket.written.delete(under);
        assert.deepEqual(await garbageOf(policies), new Set([old.digest, old.layer, old.config]));
        // A tag of this name was never removed by these policies.
        assert.deepEqual(await garbageOf([{ ...policies[0]!, keepPatterns: ["o*"] }]), new Set());
        assert.deepEqual(await garbageOf([{ ...policies[0]!, tags: ["pr-*"] }]), new Set());
        assert.deepEqual(await garbageOf([{ ...policies[0]!, repositories: ["other"] }]), new Set());
    });

    it("keeps the images of a tag that had several, and that a client began to delete, or whose link is lost", async () => {
        bucket.image("web", "old", "newer layer");
        bucket.remove("repositories/web/_manifests/tags/old/current/link");
        assert.deepEqual(await garbageOf(policies), new Set());
    });

    it("leaves nothing that blocks a repository, if an index is pushed to its tag after any interruption", async () => {
        for (let limit = 0; ; limit++) {
            bucket = new AgedBucket();
            bucket.image("web", "new", "new layer");
            const pushIndex = (layer: string) => {
                const platforms = ["amd64", "arm64"].map((platform) =>
                    bucket.manifest("web", { layers: [bucket.blob(`${layer} for ${platform}`)] }),
                );
                bucket.tag("web", "old", bucket.manifest("web", { manifests: platforms }).digest);
            };
            pushIndex("old");
            bucket.age("web", "old", 50);
            const inventory = await bucket.read(policies);
            sweep(bucket, inventory, limit);
            pushIndex("pushed again");
            const { notes, problems, spared } = await bucket.read([]);
            assert.deepEqual([notes, problems, [...spared]], [[], [], []], `after ${limit} deletions`);
            if (limit === stepsOf(inventory.garbage, inventory).flat(2).length) {
                assert.ok(limit > 8);
                return;
            }
        }
    });

    it("removes no tag whose manifest is not in its repository", async () => {
        bucket.remove(revisionLink("web", old.digest));
        const inventory = await bucket.read(policies);
        assert.deepEqual(
            [names(inventory), inventory.garbage, inventory.brokenTags, inventory.oddObjects],
            [[], [], ["web:old"], 1],
        );
    });

    it("names an image that is broken, although its tag would go", async () => {
        bucket.remove(`blobs/sha256/${old.layer.slice(7, 9)}/${old.layer.slice(7)}/data`);
        assert.deepEqual((await bucket.read(policies)).problems, [`web:old: the layer ${old.layer} is missing`]);
    });

    it("is reported with the repository, age, size and policy of each tag", async () => {
        const report = removalReport(await bucket.read(policies), policies);
        assert.deepEqual(
            report.map((line) => line.replace(/ +/g, " ").replace(/\d+ B/g, "N B")),
            [
                `retention[0]: ${describePolicy(policies[0]!)}`,
                "REPOSITORY TAG PUSHED SIZE POLICY",
                "web old 2026-11-23T22:00Z N B [0]",
                "The policies select 1 tag. Nothing else needs N B of what they refer to.",
            ],
        );
    });

    it("is reported with the time until which tags count as equally old, while ten or more of these are left", async () => {
        const equallyOld = async () =>
            removalReport(await bucket.read(policies), policies).find((line) => line.includes("equally old"));
        for (let i = 0; i < 10; i++) {
            bucket.tag("web", `copied-${i}`, old.digest);
            bucket.age("web", `copied-${i}`, 100 - i / 60);
            bucket.tag("ci", `daily-${i}`, old.digest);
            bucket.age("ci", `daily-${i}`, 24 * (i % 4) + i);
        }
        assert.equal(
            await equallyOld(),
            "Tags until 2026-11-21T21:00Z count as equally old, as if a copy began the bucket.",
        );
        bucket.age("web", "copied-9", 0);
        assert.equal(await equallyOld(), undefined);
    });
});

describe("Whatever the policies and the images are, retention", () => {
    const globs = fc.array(fc.constantFrom("*", "**", "a*", "b*", "latest", "c"), { maxLength: 3 });
    const policies = fc.array(
        fc.record({
            repositories: fc.array(fc.constantFrom("**", "web", "team/*"), { minLength: 1, maxLength: 2 }),
            tags: globs,
            keepPatterns: globs,
            mostRecentlyPushedCount: fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined }),
            pushedWithin: fc.constantFrom("1h", "5h", "20h"),
        }),
        { minLength: 1, maxLength: 3 },
    );
    const repository = fc.constantFrom("web", "team/app");
    const pushes = fc.array(
        fc.record({
            repository,
            name: fc.constantFrom("latest", "a1", "a2", "b1", "b2", "c", "d"),
            hours: fc.integer({ min: 2, max: 30 }),
            layer: fc.constantFrom("one", "two", "three", "four", "five", "six"),
            kind: fc.constantFrom("image", "index", "signed"),
        }),
        { minLength: 1, maxLength: 25 },
    );
    type Push = typeof pushes extends fc.Arbitrary<(infer P)[]> ? P : never;

    /** What was pushed: the manifests that each manifest refers to, and the manifest of each tag; by `repository@digest`. */
    class Pushed {
        readonly bucket = new AgedBucket();
        readonly children = new Map<string, string[]>();
        readonly tags = new Map<string, string>();

        constructor(pushes: Push[]) {
            pushes.forEach((one) => this.push(one));
        }

        private push({ repository, name, hours, layer, kind }: Push): void {
            const { bucket } = this;
            const note = (tag: string, digest: string, children: string[] = []) => {
                this.tags.set(`${repository}:${tag}`, `${repository}@${digest}`);
                this.children.set(`${repository}@${digest}`, children);
            };
            const image = bucket.image(repository, name, layer);
            note(name, image.digest);
            if (kind === "index") {
                const other = bucket.manifest(repository, { layers: [bucket.blob(`${layer} for arm`)] });
                note(name, other.digest);
                const manifests = [image, other].map(({ digest }) => ({ digest }));
                const index = bucket.manifest(repository, { manifests });
                bucket.tag(repository, name, index.digest);
                note(
                    name,
                    index.digest,
                    manifests.map(({ digest }) => `${repository}@${digest}`),
                );
            } else if (kind === "signed") {
                const signature = image.digest.replace(":", "-");
                note(signature, bucket.image(repository, signature, `signature of ${layer}`).digest);
            }
            bucket.age(repository, name, hours);
        }

        /** The manifests that these tags need, and those without a tag. */
        manifestsOf(tags: Inventory["tags"], deleteUntagged: boolean): Set<string> {
            const tagged = this.reach([...this.tags.values()]);
            const untagged = deleteUntagged ? [] : [...this.children.keys()].filter((link) => !tagged.has(link));
            return this.reach([
                ...tags.map(({ repository, name }) => this.tags.get(`${repository}:${name}`)!),
                ...untagged,
            ]);
        }

        private reach = (links: string[]) => new Set(links.flatMap((link) => [link, ...this.children.get(link)!]));
    }

    const firstTime = (tags: PushedTag[]) => Math.min(...tags.map(({ pushed }) => pushed.getTime()));
    const hasCopiedHour = (tags: PushedTag[]) =>
        tags.filter(({ pushed }) => pushed.getTime() <= firstTime(tags) + hour).length >= 10;

    /** By a second way to say what a policy keeps: one tag at a time. */
    function isKept(policies: RetentionPolicy[], tags: Inventory["tags"], tag: Inventory["tags"][number], now: number) {
        const ages = tags.filter((other) => other.repository === tag.repository && !other.name.startsWith("sha256-"));
        // Tags that a copy wrote count as equally old.
        const accuracy = seemCopied(tags) ? hour : 0;
        const firstHour = firstTime(tags) + hour;
        const isOfCopy = hasCopiedHour(tags) && tag.pushed.getTime() <= firstHour;
        const time = (isOfCopy ? firstHour : tag.pushed.getTime()) + accuracy;
        const isNewer = ({ pushed }: PushedTag) => pushed.getTime() > time;
        const isNewest = !ages.some(isNewer);
        const applicable = policies.filter((policy) =>
            policy.repositories.some((glob) => matchesGlob(glob, tag.repository)),
        );
        const matches = (globs: string[], name: string) => globs.some((glob) => matchesGlob(glob, name));
        const candidates = (policy: RetentionPolicy) =>
            ages.filter(({ name }) => matches(policy.tags, name) && !matches(policy.keepPatterns, name));
        const keeps = (policy: RetentionPolicy) =>
            matches(policy.keepPatterns, tag.name) ||
            (matches(policy.tags, tag.name) &&
                (now - tag.pushed.getTime() < parseGoDuration(policy.pushedWithin ?? "0s")! ||
                    candidates(policy).filter(isNewer).length < (policy.mostRecentlyPushedCount ?? 0)));
        return isNewest || applicable.some(keeps) || !applicable.some((policy) => matches(policy.tags, tag.name));
    }

    it("removes exactly the tags that no policy keeps, and nothing that a retained manifest needs", async () => {
        await fc.assert(
            fc.asyncProperty(pushes, policies, fc.boolean(), async (pushes, policies, deleteUntagged) => {
                const pushed = new Pushed(pushes);
                const { bucket } = pushed;
                const { tags } = await bucket.read([], deleteUntagged);
                const inventory = await bucket.read(policies, deleteUntagged);
                const gone = new Set(inventory.removals.tags.map(({ repository, name }) => `${repository}:${name}`));
                for (const tag of tags.filter(({ name }) => !name.startsWith("sha256-"))) {
                    const id = `${tag.repository}:${tag.name}`;
                    assert.equal(gone.has(id), !isKept(policies, tags, tag, bucket.now), id);
                }
                sweep(bucket, inventory);
                const left = await bucket.read([], deleteUntagged);
                assert.deepEqual(
                    [left.problems, left.notes, left.garbage, left.removals.interrupted],
                    [[], [], [], []],
                );
                assert.equal(left.tags.length, tags.length - gone.size);
                assert.deepEqual(left.revisions, pushed.manifestsOf(left.tags, deleteUntagged));
            }),
            { numRuns: 200 },
        );
    }).timeout("2m");

    it("is continued after an interruption anywhere, and ends as without it", async () => {
        // A link to a layer, or from the history of a tag, may dangle.
        const keysOf = ({ objects }: AgedBucket) =>
            new Set([...objects.keys()].filter((key) => !/\/(_layers|index)\//.test(key)));
        await fc.assert(
            fc.asyncProperty(
                pushes,
                policies,
                fc.boolean(),
                fc.nat(60),
                async (pushes, policies, deleteUntagged, limit) => {
                    const { bucket: whole } = new Pushed(pushes);
                    const { bucket: interrupted } = new Pushed(pushes);
                    const before = await interrupted.read([]);
                    sweep(whole, await whole.read(policies, deleteUntagged));
                    sweep(interrupted, await interrupted.read(policies, deleteUntagged), limit);
                    // A client may push an index for any manifest that is left.
                    const { notes } = await interrupted.read([]);
                    assert.deepEqual(
                        notes.filter((note) => note.includes("layer")),
                        [],
                    );
                    const between = await interrupted.read(policies, deleteUntagged);
                    // What counts as a copy may change with the number of tags.
                    fc.pre(![before.tags, between.tags].some((tags) => seemCopied(tags) || hasCopiedHour(tags)));
                    assert.deepEqual(between.problems, []);
                    sweep(interrupted, between);
                    assert.deepEqual(keysOf(interrupted), keysOf(whole));
                    assert.deepEqual((await interrupted.read(policies, deleteUntagged)).removals, {
                        tags: [],
                        interrupted: [],
                    });
                },
            ),
            { numRuns: 200 },
        );
    }).timeout("2m");
});

describe("A garbage collection with retention", () => {
    let world: CollectionWorld;
    let old: FakeImage;
    beforeEach(() => {
        world = new CollectionWorld();
        world.retention = [policy({ mostRecentlyPushedCount: 1 })];
        old = world.bucket.image("web", "0", "old layer");
        world.bucket.written.set(tagLink("0"), new Date(world.clock.now() - 50 * hour));
        world.findGarbage = markAndSweep;
    });
    const tagLink = (tag: string) => `repositories/web/_manifests/tags/${tag}/current/link`;
    const isTagged = (tag = "0") => world.bucket.objects.has(`docker/registry/v2/${tagLink(tag)}`);
    const push = (tag: string, age: number, digest = old.digest) => {
        world.bucket.tag("web", tag, digest);
        world.bucket.written.set(tagLink(tag), new Date(world.clock.now() - age));
    };
    /** Tags by their age in days; the first one exists. */
    const days = Array.from({ length: 11 }, (_, day) => `${day}`);
    const pushEachDay = () => days.slice(1).forEach((day) => push(day, Number(day) * 24 * hour));
    /** Writes their links again, one after the other. */
    const copyBucket = () =>
        days.forEach((day, i) => world.bucket.written.set(tagLink(day), new Date(world.clock.now() - 2 * hour + i)));
    const reported = () => world.log.some((line) => line.startsWith("Retention is new or has changed"));

    it("only reports first, also in the Job's next pod; the next collection removes the tag and its image", async () => {
        for (const pod of ["first-1", "first-2"]) {
            world.log.length = 0;
            const { removedTags } = await world.collect(pod);
            assert.equal(removedTags, 0);
            assert.ok(isTagged() && reported());
            assert.ok(world.log.some((line) => /^web +0 +\S+Z +\d+ B +\[0\]$/.test(line)));
        }
        world.log.length = 0;
        const { removedTags } = await world.collect("second-1");
        assert.equal(removedTags, 1);
        assert.ok(!isTagged() && !reported());
        assert.ok([old.digest, old.layer, old.config].every((digest) => !world.bucket.has(digest)));
        assert.ok(![...world.bucket.objects.keys()].some((key) => key.includes("/tags/0/")));
        assert.ok(world.log.includes("Removed 1 tag."));
        await world.assertRecovers(0);
    });

    it("reports again after the policies have changed", async () => {
        await world.collect("first-1");
        world.retention = [policy({ mostRecentlyPushedCount: 1, pushedWithin: "1h" })];
        await world.collect("second-1");
        assert.ok(isTagged());
        await world.collect("third-1");
        assert.ok(!isTagged());
    });

    it("reports again after the policies were removed, and came back", async () => {
        const { retention } = world;
        await world.collect("first-1");
        world.retention = [];
        await world.collect("second-1");
        world.retention = retention;
        await world.collect("third-1");
        assert.ok(isTagged() && reported());
    });

    it("reports again after the bucket was copied, as all tags are of the same age then", async () => {
        pushEachDay();
        await world.collect("first-1");
        copyBucket();
        world.log.length = 0;
        await world.collect("second-1");
        assert.ok(
            isTagged() && world.log.some((line) => line.startsWith("Most tags were written within the same hour, or ")),
        );
        // Nobody knows which of them was pushed last: all stay, until a newer one is pushed.
        await world.collect("third-1");
        assert.deepEqual(days.filter(isTagged), days);
        push("new", 0, world.kept.digest);
        await world.collect("fourth-1");
        assert.deepEqual(days.filter(isTagged), []);
    });

    it("removes tags of a copy by the time of the copy, if the owner asks for it", async () => {
        pushEachDay();
        copyBucket();
        world.applyRetention = true;
        await world.collect();
        assert.ok(!isTagged());
    });

    it("does not report again because many tags that were pushed within an hour have become older", async () => {
        Array.from({ length: 10 }, (_, i) => push(`new-${i}`, 2 * hour + i));
        await world.collect("first-1");
        Array.from({ length: 11 }, (_, i) => push(`older-${i}`, (i + 3) * 24 * hour));
        await world.collect("second-1");
        assert.ok(!isTagged());
    });

    it("removes at once if the owner asks for it", async () => {
        world.applyRetention = true;
        await world.collect();
        assert.ok(!isTagged() && !reported());
    });

    it("keeps the registry writable if nothing goes", async () => {
        world.bucket.removeBlobs(world.garbage);
        world.retention = [policy({ pushedWithin: "1000h" })];
        world.applyRetention = true;
        assert.equal((await world.collect()).removedTags, 0);
        assert.deepEqual(world.cluster.leases, []);
    });

    it("refuses if it would take too long", async () => {
        for (let i = 0; i < 1000; i++) {
            world.bucket.tag("web", `0.${i}`, old.digest);
            world.bucket.written.set(tagLink(`0.${i}`), new Date(world.clock.now() - 50 * hour));
        }
        world.maxReadOnlyMinutes = 0.4;
        world.applyRetention = true;
        await assert.rejects(world.collect(), PermanentError);
        assert.deepEqual(world.deleted, []);
    });

    it("says that a bucket with versioning keeps what is deleted", async () => {
        world.bucket.hasVersions = true;
        await world.collect();
        assert.ok(world.log.some((line) => line.startsWith("The bucket has versioning: ")));
    });

    const pushes: [string, () => void][] = [
        ["again", () => world.bucket.written.set(tagLink("0"), new Date(world.clock.now()))],
        ["with another image", () => void world.bucket.image("web", "0", "another layer")],
    ];
    for (const [how, push] of pushes) {
        it(`keeps a tag that is pushed ${how} during the rollout`, async () => {
            world.applyRetention = true;
            world.on(/^annotatePods/, () => {
                push();
                world.bucket.written.set(tagLink("0"), new Date(world.clock.now()));
            });
            assert.equal((await world.collect()).removedTags, 0);
            assert.ok(isTagged());
            assert.ok(world.log.includes("web:0 stays, because of a change since it was selected."));
            await world.assertRecovers(0);
        });
    }

    it("keeps a tag that would go only because of a push during the rollout", async () => {
        world.applyRetention = true;
        world.on(/^annotatePods/, () => {
            world.bucket.image("web", "2", "newest");
            world.bucket.written.set(tagLink("2"), new Date(world.clock.now()));
        });
        await world.collect();
        assert.ok(!isTagged() && isTagged("1") && isTagged("2"));
    });

    it("that is killed at any second is followed by one that succeeds, and loses nothing but the tag", async () => {
        for (let second = 0; second < 70; second++) {
            world = new CollectionWorld();
            world.retention = [policy({ mostRecentlyPushedCount: 1 })];
            world.applyRetention = true;
            old = world.bucket.image("web", "0", "old layer");
            const index = world.bucket.manifest("web", { manifests: [{ digest: old.digest }] });
            world.bucket.tag("web", "0", index.digest);
            world.bucket.written.set(tagLink("0"), new Date(world.clock.now() - 50 * hour));
            world.findGarbage = markAndSweep;
            const { bucket } = world;
            await world.collectKilledAfter(second);
            const rest = [old.digest, old.layer, old.config, index.digest].filter((digest) => bucket.has(digest));
            assert.deepEqual([rest, isTagged()], [[], false], `killed after ${second} s`);
            assert.ok(![...bucket.objects.keys()].some((key) => key.includes("/tags/0/")));
            await world.assertRecovers(0);
        }
    }).timeout("1m");
});
