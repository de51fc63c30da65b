import * as assert from "node:assert/strict";

import { readInventory } from "../../components/collector/inventory";
import { digestOf, FakeBucket, type FakeImage, keyOf } from "./support/fakeBucket";
import { FakeClock } from "./support/fakeClock";

describe("readInventory", () => {
    let registry: FakeBucket;
    beforeEach(() => (registry = new FakeBucket()));
    const read = (deleteUntagged = false) => {
        const clock = new FakeClock();
        return clock.run(readInventory(registry, clock, deleteUntagged));
    };

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
            blobs: new Map(),
            needed: new Set(),
            spared: new Set(),
            notes: [],
            links: new Map(),
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
            registry.remove(`repositories/web/_layers/${layer.digest.replace(":", "/")}/link`);
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
        const link = (folder: string, digest: string) => `repositories/web/${folder}/${digest.replace(":", "/")}/link`;

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
                () => registry.remove(link("_layers", image.layer)),
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
            [
                "if a manifest is not linked in the repository",
                () => registry.remove(link("_manifests/revisions", image.digest)),
                () => `the manifest ${image.digest} is not linked in this repository`,
            ],
        ];
        for (const [what, breaks, problem] of cases) {
            it(what, async () => {
                breaks();
                assert.deepEqual((await read()).problems, [`web:1: ${problem()}`]);
            });
        }

        it("if a manifest is not JSON, or has a schema version that distribution does not support", async () => {
            const [none, old] = [registry.blob("none"), registry.manifest("web", { schemaVersion: 1 } as object)];
            registry.objects.set(`docker/registry/v2/${link("_manifests/revisions", none.digest)}`, none.digest);
            registry.tag("web", "none", none.digest);
            registry.tag("web", "old", old.digest);
            assert.deepEqual((await read()).problems, [
                `web:none: the manifest ${none.digest} is not JSON`,
                `web:old: the manifest ${old.digest} has schema version 1, which distribution 3 does not support`,
            ]);
        });

        it("if a link is empty", async () => {
            registry.objects.set(`docker/registry/v2/${link("_layers", image.layer)}`, "");
            registry.objects.set("docker/registry/v2/repositories/web/_manifests/tags/2/current/link", "");
            assert.deepEqual((await read()).problems, [
                `web:1: the layer ${image.layer} is not linked in this repository`,
                "web:2: its link is empty",
            ]);
        });

        it("if a manifest of an index is missing", async () => {
            const child = { digest: digestOf("child"), size: 5 };
            registry.tag("web", "all", registry.manifest("web", { manifests: [child] }).digest);
            assert.deepEqual((await read()).problems, [
                `web:all: the manifest ${child.digest} is missing`,
                `web:all: the manifest ${child.digest} is not linked in this repository`,
            ]);
        });

        it("as a note if the manifest has no tag", async () => {
            const { digest } = registry.manifest("web", { layers: [] });
            registry.remove(keyOf(digest));
            const { problems, notes } = await read();
            assert.deepEqual(problems, []);
            assert.deepEqual(notes, [`web@${digest}, which has no tag: the manifest ${digest} is missing`]);
        });
    });

    it("reports no problem that is gone after five seconds: half of a client's deletion", async () => {
        const clock = new FakeClock();
        const { digest } = registry.image("web", "1", "layer");
        registry.remove(`repositories/web/_manifests/revisions/${digest.replace(":", "/")}/link`);
        clock.after(4, () => registry.remove("repositories/web/_manifests/tags/1/current/link"));
        assert.deepEqual((await clock.run(readInventory(registry, clock, false))).problems, []);
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
