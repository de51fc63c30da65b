import * as assert from "node:assert/strict";

import { PermanentError } from "../../components/collector/errors";
import { readInventory } from "../../components/collector/inventory";
import { formatBytes, remarks } from "../../components/collector/report";
import { digestOf, FakeBucket, type FakeImage, keyOf, layerLink, revisionLink } from "./support/fakeBucket";
import { FakeClock } from "./support/fakeClock";

describe("readInventory", () => {
    let registry: FakeBucket;
    beforeEach(() => (registry = new FakeBucket()));
    const read = (deleteUntagged = false) => {
        const clock = new FakeClock();
        return clock.run(readInventory(registry, clock, { deleteUntagged }));
    };

    const toDelete = (repository: string, digest: string) =>
        `To delete it: curl --user NAME --request DELETE https://HOST/v2/${repository}/manifests/${digest}`;
    const toRemove = (key: string) => `To delete that link: mc rm ALIAS/BUCKET/docker/registry/v2/${key}`;

    it("lists each tag with the number of its manifests and blobs", async () => {
        registry.image("apps/web", "1", "layer");
        const { tags, problems } = await read();
        assert.deepEqual(problems, []);
        assert.deepEqual(
            tags.map(({ repository, name, manifests, blobs }) => ({ repository, name, manifests, blobs })),
            [{ repository: "apps/web", name: "1", manifests: 1, blobs: 2 }],
        );
    });

    it("lists nothing if the bucket is empty", async () => {
        assert.deepEqual(await read(), {
            tags: [],
            problems: [],
            brokenTags: [],
            blobs: new Map(),
            needed: new Set(),
            spared: new Set(),
            garbage: [],
            written: new Map(),
            revisions: new Set(),
            notes: [],
            oddObjects: 0,
            untagged: { manifests: 0, bytes: 0 },
            heldBackBytes: 0,
            emptyLinks: [],
            links: new Map(),
            removals: { tags: [], interrupted: [] },
            unneededLinks: [],
            bytes: 0,
        });
    });

    it("counts a layer once if an image has it twice", async () => {
        const [config, layer] = [registry.blob("config"), registry.blob("layer")];
        registry.tag("web", "1", registry.manifest("web", { config, layers: [layer, layer] }).digest);
        const [tag] = (await read()).tags;
        assert.equal(tag!.blobs, 2);
    });

    it("counts the bytes that a tag shares with other tags", async () => {
        const [first, second] = [registry.blob("first"), registry.blob("second layer")];
        const base = registry.blob("base");
        const image = (...layers: { digest: string; size: number }[]) => registry.manifest("web", { layers }).digest;
        const [one, two] = [image(base, first), image(base, second)];
        registry.tag("web", "1", one);
        registry.tag("web", "2", two);
        registry.tag("other", "2", registry.manifest("other", { layers: [base, second] }).digest);
        registry.tag("web", "3", image(registry.blob("alone")));
        const { tags } = await read();
        assert.deepEqual(
            tags.map(({ repository, name, bytes, sharedBytes }) => [`${repository}:${name}`, bytes - sharedBytes]),
            [
                ["web:1", registry.objects.get(`docker/registry/v2/${keyOf(one)}`)!.length + first.size],
                ["web:2", 0],
                ["other:2", 0],
                ["web:3", tags[3]!.bytes],
            ],
        );
    });

    it("counts the manifests of an index", async () => {
        const one = registry.image("web", "one", "one");
        const index = registry.manifest("web", { manifests: [{ digest: one.digest, size: 1 }] });
        registry.tag("web", "all", index.digest);
        const { tags, problems } = await read();
        assert.deepEqual(problems, []);
        assert.equal(tags.find(({ name }) => name === "all")!.manifests, 2);
    });

    it("accepts an index of layers, as in BuildKit's cache, and null for an empty list, as Go writes it", async () => {
        const layer = registry.blob("layer");
        registry.manifest("web", { layers: [layer] });
        registry.tag("web", "cache", registry.manifest("web", { layers: null, manifests: [layer] }).digest);
        registry.tag("web", "empty", registry.manifest("web", { layers: null, manifests: null }).digest);
        const { tags, problems, needed } = await read(true);
        assert.deepEqual(problems, []);
        assert.deepEqual(
            tags.map(({ manifests, blobs }) => [manifests, blobs]),
            [
                [1, 1],
                [1, 0],
            ],
        );
        assert.ok(needed.has(layer.digest));
    });

    describe("resolves a layer that was pushed by its sha512", () => {
        const push = () => {
            const [config, layer] = [registry.blob("config"), registry.layerBySha512("web", "layer")];
            const { digest } = registry.manifest("web", { config, layers: [layer, layer] });
            return { config, layer, digest };
        };

        it("through its link, and spares it, with a tag and without one", async () => {
            const { config, layer, digest } = push();
            const untagged = await read();
            registry.tag("web", "1", digest);
            const tagged = await read(true);
            for (const { problems, notes, needed, spared } of [untagged, tagged]) {
                assert.deepEqual([problems, notes], [[], []]);
                assert.deepEqual([needed, spared], [new Set([digest, config.digest]), new Set([layer.stored])]);
            }
            assert.deepEqual(
                tagged.tags.map(({ blobs, bytes }) => [blobs, bytes]),
                [[2, registry.objects.get(`docker/registry/v2/${keyOf(digest)}`)!.length + config.size + layer.size]],
            );
        });

        it("and not if its manifest is deleted", async () => {
            push();
            assert.deepEqual((await read(true)).spared, new Set());
        });

        it("and misses it if the blob, or the link is missing", async () => {
            const { layer, digest } = push();
            registry.tag("web", "1", digest);
            registry.remove(keyOf(layer.stored));
            const missing = [`web:1: the layer ${layer.digest} is missing`];
            assert.deepEqual((await read()).problems, missing);
            registry.blob("layer");
            registry.remove(layerLink("web", layer.digest));
            assert.deepEqual((await read()).problems, missing);
        });
    });

    it("requires no layer that has URLs", async () => {
        const config = registry.blob("config");
        const foreign = { digest: digestOf("foreign"), size: 7, urls: ["https://example.com/layer"] };
        registry.tag("web", "1", registry.manifest("web", { config, layers: [foreign] }).digest);
        assert.deepEqual((await read()).problems, []);
    });

    describe("reports a problem", () => {
        let image: FakeImage;
        beforeEach(() => (image = registry.image("web", "1", "layer")));
        const cases: [what: string, breaks: () => void, problem: () => string][] = [
            [
                "if a layer is missing",
                () => registry.remove(keyOf(image.layer)),
                () => `the layer ${image.layer} is missing`,
            ],
            [
                "if a configuration is missing",
                () => registry.remove(keyOf(image.config)),
                () => `the layer ${image.config} is missing`,
            ],
            [
                "if a layer is too short",
                () => registry.objects.set(`docker/registry/v2/${keyOf(image.layer)}`, "lay"),
                () => `the layer ${image.layer} has 3 bytes, not 5`,
            ],
            [
                "if a layer is not linked in the repository",
                () => registry.remove(layerLink("web", image.layer)),
                () => `the layer ${image.layer} is not linked in this repository`,
            ],
            [
                "if a manifest is missing",
                () => registry.remove(keyOf(image.digest)),
                () => `the manifest ${image.digest} is missing`,
            ],
            [
                "if a manifest does not match its digest",
                () => registry.objects.set(`docker/registry/v2/${keyOf(image.digest)}`, "{}"),
                () => `the manifest ${image.digest} does not match its digest`,
            ],
        ];
        for (const [what, breaks, problem] of cases) {
            it(what, async () => {
                breaks();
                assert.deepEqual((await read()).problems, [`web:1: ${problem()}`]);
            });
        }

        it("if a link is empty", async () => {
            registry.objects.set(`docker/registry/v2/${layerLink("web", image.layer)}`, "");
            assert.deepEqual((await read()).problems, [
                `web:1: the layer ${image.layer} is not linked in this repository`,
            ]);
        });

        it("if a layer is missing of a manifest that its tag has lost: no deletion by a client does that", async () => {
            registry.remove(revisionLink("web", image.digest));
            registry.remove(keyOf(image.layer));
            assert.deepEqual((await read()).problems, [`web:1: the layer ${image.layer} is missing`]);
        });

        it("if a manifest refers to something without a digest", async () => {
            const { digest } = registry.manifest("web", { manifests: [{ size: 1 }, null] as object[] });
            registry.tag("web", "all", digest);
            assert.deepEqual((await read()).problems, [
                `web:all: the manifest ${digest} refers to something without a digest`,
            ]);
        });
    });

    it("fails if no repository has a link, as the list may be incomplete", async () => {
        registry = new FakeBucket();
        registry.blob("layer");
        await assert.rejects(
            read(),
            new PermanentError(
                "The bucket has blobs (1), but no repository has a link to any: the list of its objects is not complete, " +
                    "or the links were lost. Restore the bucket from a copy. If it should have no image, push one.",
            ),
        );
    });

    describe("reports a note, and no problem,", () => {
        let other: FakeImage;
        beforeEach(() => {
            other = registry.image("other", "1", "other layer");
            registry.remove("repositories/other/_manifests/tags/1/current/link");
            registry.manifest("web", { layers: [registry.blob("layer that no manifest needs")] });
        });
        const orphan = digestOf("layer that no manifest needs");

        it("if distribution cannot read a manifest, and spares what its repository links", async () => {
            const [none, old] = [registry.blob("none"), registry.manifest("web", { schemaVersion: 1 } as object)];
            registry.put(revisionLink("web", none.digest), none.digest);
            registry.tag("web", "none", none.digest);
            registry.put(layerLink("web", registry.blob("layer of old").digest), digestOf("layer of old"));
            const { problems, notes, spared, garbage, revisions } = await read();
            const stays = "Until you delete it, no blob of web is deleted.";
            const oldNote = `the manifest ${old.digest} has schema version 1, which distribution 3 does not support.`;
            assert.deepEqual(problems, []);
            assert.deepEqual(notes, [
                `web:none: the manifest ${none.digest} is not JSON. ${stays} ${toDelete("web", none.digest)}`,
                `web@${old.digest}, which has no tag: ${oldNote} ${stays} ${toDelete("web", old.digest)}`,
            ]);
            assert.ok(spared.has(digestOf("layer of old")));
            assert.deepEqual(garbage, []);
            assert.ok(![none, old].some(({ digest }) => revisions.has(`web@${digest}`)));
            assert.equal(
                (await read(true)).notes[1],
                `web@${old.digest}, which has no tag: ${oldNote} ${toDelete("web", old.digest)}`,
            );
        });

        it("if the link to a manifest is empty, or a link is no digest, and spares what is linked there", async () => {
            const { digest, layer } = registry.image("lost", "1", "layer of lost");
            registry.put(revisionLink("lost", digest), "");
            registry.remove("repositories/lost/_manifests/tags/1/current/link");
            registry.put(layerLink("lost", digestOf("two")), "sha256:");
            const { problems, notes, emptyLinks, spared } = await read(true);
            const stays = "Until you delete that link, no blob of lost is deleted.";
            assert.deepEqual(
                [problems, notes],
                [
                    [],
                    [
                        `lost: its link to the manifest ${digest} is empty. ${stays} ${toRemove(revisionLink("lost", digest))}`,
                        `lost: its link to the layer ${digestOf("two")} is no digest. ${stays} ` +
                            toRemove(layerLink("lost", digestOf("two"))),
                    ],
                ],
            );
            assert.deepEqual(emptyLinks, []);
            assert.ok(spared.has(digest) && spared.has(layer));
        });

        for (const [content, what] of [
            ["", "empty"],
            ["nonsense", "no digest"],
        ] as const) {
            it(`if the link of a tag is ${what}, and spares what its repository links`, async () => {
                const { digest, layer } = registry.image("lost", "1", "layer of lost");
                registry.put("repositories/lost/_manifests/tags/1/current/link", content);
                const { problems, notes, spared } = await read(true);
                assert.deepEqual(problems, []);
                assert.deepEqual(notes, [
                    `lost:1: its link is ${what}. Until you push or delete the tag, no blob of lost is deleted. ` +
                        toDelete("lost", "1"),
                ]);
                assert.ok(spared.has(digest) && spared.has(layer));
            });
        }

        it("if the manifest of a tag is not in its repository, and spares what that needs, and is linked there", async () => {
            const { digest, layer, config } = registry.image("lost", "1", "layer of lost");
            registry.remove(revisionLink("lost", digest));
            registry.remove(layerLink("lost", layer));
            registry.put(layerLink("lost", registry.blob("another layer").digest), digestOf("another layer"));
            const { problems, notes, brokenTags, oddObjects, spared, needed, revisions } = await read(true);
            assert.deepEqual([problems, brokenTags, oddObjects], [[], ["lost:1"], 1]);
            assert.deepEqual(notes, [
                `lost:1: its manifest ${digest} is not in this repository. ` +
                    `Until you push or delete the tag, no blob of lost is deleted. ${toDelete("lost", "1")}`,
            ]);
            // Distribution does not see them, so its dry run calls them garbage.
            const blobs = [digest, layer, config];
            assert.ok(blobs.every((blob) => spared.has(blob) && !needed.has(blob)));
            assert.ok(spared.has(digestOf("another layer")));
            assert.ok(!revisions.has(`lost@${digest}`));
        });

        it("if the manifest of a tag is missing, and its link, too", async () => {
            const { digest } = registry.image("lost", "1", "layer of lost");
            registry.remove(revisionLink("lost", digest));
            registry.remove(keyOf(digest));
            const { problems, notes } = await read();
            assert.deepEqual([problems, notes.length], [[], 1]);
        });

        it("if the link to a tagged manifest has a line break, as by hand: distribution cannot read it", async () => {
            const { digest, layer } = registry.image("lost", "1", "layer of lost");
            registry.put(revisionLink("lost", digest), `${digest}\n`);
            const { problems, brokenTags, notes, spared, needed, revisions } = await read(true);
            assert.deepEqual([problems, brokenTags, notes.length], [[], ["lost:1"], 2]);
            assert.ok([digest, layer].every((blob) => spared.has(blob) && !needed.has(blob)));
            assert.ok(!revisions.has(`lost@${digest}`));
        });

        it("if distribution does not accept the name of a repository, and spares what that links", async () => {
            const images = ["Web-Backup", "_old/web"].map((name) => registry.image(name, "1", `layer of ${name}`));
            const { problems, notes, spared, needed, revisions } = await read(true);
            assert.deepEqual(problems, []);
            assert.deepEqual(
                notes,
                ["Web-Backup", "_old/web"].map(
                    (name) =>
                        `${name}: is no name of a repository. Until you delete it, no blob of it is deleted. ` +
                        `To delete it: mc rm --recursive --force ALIAS/BUCKET/docker/registry/v2/repositories/${name}/`,
                ),
            );
            for (const { digest, layer, config } of images) {
                assert.ok([digest, layer, config].every((blob) => spared.has(blob) && !needed.has(blob)));
                assert.ok(![...revisions].some((revision) => revision.endsWith(digest)));
            }
            registry.image("Registry.LAN:5000/a-b__c/d", "1", "layer");
            assert.equal((await read(true)).notes.length, 2);
        });

        it("if a manifest has a media type that distribution does not know", async () => {
            const { digest } = registry.manifest("web", { mediaType: "application/x-image" } as object);
            registry.tag("web", "odd", digest);
            const { problems, notes, spared } = await read();
            assert.deepEqual(problems, []);
            assert.deepEqual(notes.slice(0, 1), [
                `web:odd: the manifest ${digest} has the media type "application/x-image", which distribution 3 does not ` +
                    `support. Until you delete it, no blob of web is deleted. ${toDelete("web", digest)}`,
            ]);
            assert.ok(spared.has(orphan));
        });

        it("if a manifest without a tag is broken, or lacks a layer; and says how to delete it", async () => {
            const [broken, lacking] = ["broken", "lacking"].map((name) =>
                registry.image(name, "1", `layer of ${name}`),
            );
            registry.remove("repositories/broken/_manifests/tags/1/current/link");
            registry.remove("repositories/lacking/_manifests/tags/1/current/link");
            registry.put(keyOf(broken!.digest), "");
            registry.remove(keyOf(lacking!.layer));
            const { problems, notes, spared } = await read();
            const [one, two] = [
                `broken@${broken!.digest}, which has no tag: `,
                `lacking@${lacking!.digest}, which has no tag: `,
            ];
            assert.deepEqual(problems, []);
            assert.deepEqual(notes, [
                `${one}the manifest ${broken!.digest} does not match its digest`,
                `${one}until it is deleted, no blob of broken is. ${toDelete("broken", broken!.digest)}`,
                `${two}the layer ${lacking!.layer} is missing`,
                `${two}${toDelete("lacking", lacking!.digest)}`,
            ]);
            assert.ok(spared.has(broken!.layer) && !spared.has(lacking!.config));
        });

        it("if the link to a layer is empty, as nothing can be read through it", async () => {
            const digest = digestOf("nothing");
            registry.put(layerLink("web", digest), "");
            const { problems, notes, emptyLinks } = await read();
            assert.deepEqual([problems, emptyLinks], [[], [`docker/registry/v2/${layerLink("web", digest)}`]]);
            assert.deepEqual(notes, [
                `web: its link to the layer ${digest} is empty, so the next collection deletes that link`,
            ]);
        });

        it("if a manifest of an index was deleted; then all that the repository links is spared", async () => {
            const { digest: child, layer, config } = registry.image("web", "child", "layer of the child");
            const index = registry.manifest("web", { manifests: [{ digest: child, size: 1 }] }).digest;
            registry.tag("web", "all", index);
            registry.remove("repositories/web/_manifests/tags/child/current/link");
            registry.remove(revisionLink("web", child));
            // Even if its links are lost, too.
            registry.remove(layerLink("web", layer));
            const { problems, notes, spared, tags } = await read(true);
            assert.deepEqual(problems, []);
            assert.deepEqual(
                notes.filter((note) => note.startsWith("web:all")),
                [
                    `web:all: the manifest ${child} of an index is not in this repository: ` +
                        "it was deleted, or never copied. Until you push it or delete the index, " +
                        `no blob of web is deleted. ${toDelete("web", index).replace("delete it", "delete the index")}`,
                ],
            );
            assert.ok([child, layer, config, index, orphan].every((digest) => spared.has(digest)));
            assert.ok(![other.digest, other.layer].some((digest) => spared.has(digest)));
            assert.equal(tags.find(({ name }) => name === "all")!.manifests, 1);
        });

        it("if a manifest of an index was never copied", async () => {
            const index = registry.manifest("web", { manifests: [{ digest: digestOf("child"), size: 1 }] });
            registry.tag("web", "all", index.digest);
            const inventory = await read(true);
            const { problems, notes, spared, needed, blobs, untagged, heldBackBytes } = inventory;
            assert.deepEqual([problems, notes.length], [[], 1]);
            assert.ok(spared.has(orphan));
            const heldBack = [...spared].filter((digest) => blobs.has(digest) && !needed.has(digest));
            assert.deepEqual(
                [untagged.bytes, heldBackBytes],
                [0, heldBack.reduce((sum, digest) => sum + blobs.get(digest)!, 0)],
            );
            assert.equal(
                remarks(inventory).at(-1),
                `For these reasons ${formatBytes(heldBackBytes)} stay, although no known image needs them.`,
            );
        });

        it("if a manifest without a tag is missing; then all that the repository links is spared", async () => {
            const { digest } = registry.manifest("web", { layers: [] });
            registry.remove(keyOf(digest));
            const name = `web@${digest}, which has no tag`;
            const { problems, notes, oddObjects, spared } = await read();
            assert.deepEqual([problems, oddObjects], [[], 1]);
            assert.deepEqual(notes, [
                `${name}: the manifest ${digest} is missing`,
                `${name}: until its link is deleted, no blob of web is. ${toRemove(revisionLink("web", digest))}`,
            ]);
            assert.ok(spared.has(orphan) && !spared.has(other.layer));
        });

        it("if a manifest without a tag is missing and to be deleted; then nothing is spared", async () => {
            const { digest } = registry.manifest("web", { layers: [] });
            registry.remove(keyOf(digest));
            const { problems, notes, spared } = await read(true);
            assert.deepEqual([problems, [...spared]], [[], []]);
            assert.ok(notes.includes(`web@${digest}, which has no tag: the manifest ${digest} is missing`));
        });
    });

    it("reports no problem that is gone after five seconds: half of a client's deletion", async () => {
        const clock = new FakeClock();
        const { digest } = registry.image("web", "1", "layer");
        registry.remove(revisionLink("web", digest));
        clock.after(4, () => registry.remove("repositories/web/_manifests/tags/1/current/link"));
        const { problems, notes, brokenTags, spared } = await clock.run(
            readInventory(registry, clock, { deleteUntagged: false }),
        );
        assert.deepEqual([problems, notes, brokenTags, [...spared]], [[], [], [], []]);
    });

    describe("deletes no blob that a repository links", () => {
        const tag = "repositories/web/_manifests/tags/1/current/link";
        beforeEach(() => registry.image("web", "1", "layer"));
        const isSpared = async () => {
            const inventory = await read(true);
            assert.deepEqual([inventory.garbage, inventory.problems], [[], []]);
            assert.equal(inventory.spared.size, 3);
            assert.match(
                remarks(inventory).join(),
                /^A tag changed while it was read, or its link is lost: \d+ B stay, although no known image needs them\.$/,
            );
        };

        it("if a tag was listed, but does not exist: it may be lost", async () => {
            const { get } = registry;
            registry.get = (key) => (key.endsWith(tag) ? Promise.resolve(undefined) : get(key));
            await isSpared();
        });

        it("if a tag was not listed, but exists: the list may not be complete", async () => {
            const { list } = registry;
            registry.list = async (prefix) => new Map([...(await list(prefix))].filter(([key]) => key !== tag));
            await isSpared();
        });
    });

    it("accepts blobs that are newer than the list of the bucket", async () => {
        const image = registry.image("web", "1", "layer");
        const list = registry.list;
        registry.list = async (prefix) =>
            new Map([...(await list(prefix))].filter(([key]) => !key.startsWith("blobs/")));
        const { problems, needed } = await read();
        assert.deepEqual(problems, []);
        assert.ok(needed.has(image.layer));
    });

    describe("retains", () => {
        let tagged: FakeImage;
        let untagged: FakeImage;
        beforeEach(() => {
            untagged = registry.image("web", "1", "old");
            tagged = registry.image("web", "1", "new");
        });

        it("what any manifest refers to", async () => {
            const { needed } = await read();
            assert.deepEqual(
                needed,
                new Set([tagged, untagged].flatMap(({ digest, layer, config }) => [digest, layer, config])),
            );
        });

        it("only what a tag refers to, if untagged manifests are deleted", async () => {
            const { needed } = await read(true);
            assert.deepEqual(needed, new Set([tagged.digest, tagged.layer, tagged.config]));
        });

        it("what any repository refers to, even if another one has it without a tag", async () => {
            const elsewhere = registry.image("other", "1", "old");
            const { needed } = await read(true);
            assert.ok([elsewhere.digest, elsewhere.layer, elsewhere.config].every((digest) => needed.has(digest)));
        });
    });
});
