import * as assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

import { Bucket } from "../../components/collector/bucket";
import { Contents, readContents } from "../../components/collector/contents";
import { deleteGarbage, UnsettledDeletion } from "../../components/collector/garbage";
import { amount, tagTable, totals } from "../../components/collector/report";

const digestOf = (content: string) => `sha256:${createHash("sha256").update(content).digest("hex")}`;

/** When all that is in it was written. */
const written = new Date("2026-11-25T20:15:30Z");

/** A registry's bucket, as distribution keeps it. */
class Registry implements Bucket {
    readonly objects = new Map<string, string>();

    private put(key: string, content: string) {
        this.objects.set(`docker/registry/v2/${key}`, content);
    }
    blob(content: string): { digest: string; size: number } {
        const digest = digestOf(content);
        this.put(Registry.keyOf(digest), content);
        return { digest, size: content.length };
    }
    /** Pushes what refers to other things; the layers among them are known in the repository. */
    manifest(
        repository: string,
        body: { config?: { digest: string }; layers?: { digest: string }[] | null; manifests?: object[] | null },
    ): { digest: string; size: number } {
        const pushed = this.blob(JSON.stringify({ schemaVersion: 2, ...body }));
        for (const { digest } of [...(body.config ? [body.config] : []), ...(body.layers ?? [])]) {
            this.put(`repositories/${repository}/_layers/${digest.replace(":", "/")}/link`, digest);
        }
        this.put(
            `repositories/${repository}/_manifests/revisions/${pushed.digest.replace(":", "/")}/link`,
            pushed.digest,
        );
        return pushed;
    }
    tag(repository: string, tag: string, digest: string) {
        this.put(`repositories/${repository}/_manifests/tags/${tag}/current/link`, digest);
        this.put(`repositories/${repository}/_manifests/tags/${tag}/index/${digest.replace(":", "/")}/link`, digest);
    }
    /** Pushes an image of one layer. */
    image(repository: string, tag: string, layer: string): { digest: string; layer: string; config: string } {
        const [config, pushed] = [this.blob(`config of ${layer}`), this.blob(layer)];
        const { digest } = this.manifest(repository, { config, layers: [pushed] });
        this.tag(repository, tag, digest);
        return { digest, layer: pushed.digest, config: config.digest };
    }
    remove(key: string) {
        assert.ok(this.objects.delete(`docker/registry/v2/${key}`), key);
    }
    static keyOf = (digest: string) => `blobs/sha256/${digest.slice(7, 9)}/${digest.slice(7)}/data`;

    list = (prefix: string) =>
        Promise.resolve(
            new Map(
                [...this.objects].map(([key, content]) => [
                    key.slice(prefix.length),
                    { bytes: content.length, written },
                ]),
            ),
        );
    get = (key: string) => Promise.resolve(this.objects.has(key) ? Buffer.from(this.objects.get(key)!) : undefined);
    size = (key: string) => Promise.resolve(this.objects.get(key)?.length);
    delete = (key: string, assertMay: () => void): Promise<void> => {
        assertMay();
        assert.ok(this.objects.delete(key), key);
        return Promise.resolve();
    };
}

describe("The contents of a registry", () => {
    let registry: Registry;
    beforeEach(() => (registry = new Registry()));
    const read = (deleteUntagged = false) => readContents(registry, deleteUntagged, 0);

    it("are its tags, with what each needs", async () => {
        registry.image("apps/web", "1", "layer");
        const { tags, problems } = await read();
        assert.deepEqual(problems, []);
        assert.deepEqual(
            tags.map(({ repository, name, manifests, blobs }) => ({ repository, name, manifests, blobs })),
            [{ repository: "apps/web", name: "1", manifests: 1, blobs: 2 }],
        );
    });

    it("are none in a bucket that nobody has pushed to", async () => {
        assert.deepEqual(await read(), {
            tags: [],
            problems: [],
            blobs: new Map(),
            needed: new Set(),
            notes: [],
            links: new Map(),
            bytes: 0,
        });
    });

    it("count a layer that is there twice in an image once", async () => {
        const [config, layer] = [registry.blob("config"), registry.blob("layer")];
        registry.tag("web", "1", registry.manifest("web", { config, layers: [layer, layer] }).digest);
        const [tag] = (await read()).tags;
        assert.equal(tag!.blobs, 2);
    });

    it("have with each tag what others share with it", async () => {
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
                ["web:1", registry.objects.get(`docker/registry/v2/${Registry.keyOf(one)}`)!.length + first.size],
                ["web:2", 0],
                ["other:2", 0],
                ["web:3", tags[3]!.bytes],
            ],
        );
    });

    it("have an index's manifests with it", async () => {
        const one = registry.image("web", "one", "one");
        const index = registry.manifest("web", { manifests: [{ digest: one.digest, size: 1 }] });
        registry.tag("web", "all", index.digest);
        const { tags, problems } = await read();
        assert.deepEqual(problems, []);
        assert.equal(tags.find(({ name }) => name === "all")!.manifests, 2);
    });

    it("may have an index of layers, as BuildKit kept its cache, and lists that are null, as Go writes empty ones", async () => {
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

    it("need no layer that is got elsewhere", async () => {
        const config = registry.blob("config");
        const foreign = { digest: digestOf("foreign"), size: 7, urls: ["https://example.com/layer"] };
        registry.tag("web", "1", registry.manifest("web", { config, layers: [foreign] }).digest);
        assert.deepEqual((await read()).problems, []);
    });

    describe("are broken", () => {
        let image: ReturnType<Registry["image"]>;
        beforeEach(() => (image = registry.image("web", "1", "layer")));
        const link = (folder: string, digest: string) => `repositories/web/${folder}/${digest.replace(":", "/")}/link`;

        const cases: [what: string, breaks: () => void, problem: () => string][] = [
            [
                "where a layer is not there",
                () => registry.remove(Registry.keyOf(image.layer)),
                () => `the layer ${image.layer} is not there`,
            ],
            [
                "where a configuration is not there",
                () => registry.remove(Registry.keyOf(image.config)),
                () => `the layer ${image.config} is not there`,
            ],
            [
                "where a layer is cut off",
                () => registry.objects.set(`docker/registry/v2/${Registry.keyOf(image.layer)}`, "lay"),
                () => `the layer ${image.layer} has 3 bytes, not 5`,
            ],
            [
                "where a layer is not known in the repository",
                () => registry.remove(link("_layers", image.layer)),
                () => `the layer ${image.layer} is not known in this repository`,
            ],
            [
                "where a manifest is not there",
                () => registry.remove(Registry.keyOf(image.digest)),
                () => `the manifest ${image.digest} is not there`,
            ],
            [
                "where a manifest has another content",
                () => registry.objects.set(`docker/registry/v2/${Registry.keyOf(image.digest)}`, "{}"),
                () => `the manifest ${image.digest} has another content`,
            ],
            [
                "where a manifest is not known in the repository",
                () => registry.remove(link("_manifests/revisions", image.digest)),
                () => `the manifest ${image.digest} is not known in this repository`,
            ],
        ];
        for (const [what, breaks, problem] of cases) {
            it(what, async () => {
                breaks();
                assert.deepEqual((await read()).problems, [`web:1: ${problem()}`]);
            });
        }

        it("where a manifest is none, or of a version that distribution does not read", async () => {
            const [none, old] = [registry.blob("none"), registry.manifest("web", { schemaVersion: 1 } as object)];
            registry.objects.set(`docker/registry/v2/${link("_manifests/revisions", none.digest)}`, none.digest);
            registry.tag("web", "none", none.digest);
            registry.tag("web", "old", old.digest);
            assert.deepEqual((await read()).problems, [
                `web:none: the manifest ${none.digest} is none`,
                `web:old: the manifest ${old.digest} is of schema version 1, which distribution 3 does not read`,
            ]);
        });

        it("where a link is empty", async () => {
            registry.objects.set(`docker/registry/v2/${link("_layers", image.layer)}`, "");
            registry.objects.set("docker/registry/v2/repositories/web/_manifests/tags/2/current/link", "");
            assert.deepEqual((await read()).problems, [
                "web:2: its link is empty",
                `web:1: the layer ${image.layer} is not known in this repository`,
            ]);
        });

        it("where a manifest of an index is not there", async () => {
            const child = { digest: digestOf("child"), size: 5 };
            registry.tag("web", "all", registry.manifest("web", { manifests: [child] }).digest);
            assert.deepEqual((await read()).problems, [
                `web:all: the manifest ${child.digest} is not there`,
                `web:all: the manifest ${child.digest} is not known in this repository`,
            ]);
        });

        it("but not where no tag leads to it: that is only said", async () => {
            const { digest } = registry.manifest("web", { layers: [] });
            registry.remove(Registry.keyOf(digest));
            const { problems, notes } = await read();
            assert.deepEqual(problems, []);
            assert.deepEqual(notes, [`web@${digest}, which has no tag: the manifest ${digest} is not there`]);
        });

        it("but not where it was so for a moment only: half of a deletion", async () => {
            const key = link("_manifests/revisions", image.digest);
            registry.remove(key);
            const reading = readContents(registry, false, 20);
            setTimeout(() => registry.remove("repositories/web/_manifests/tags/1/current/link"), 10);
            assert.deepEqual((await reading).problems, []);
        });
    });

    it("that came while they were read are no problem", async () => {
        const image = registry.image("web", "1", "layer");
        const list = registry.list;
        registry.list = async (prefix) =>
            new Map([...(await list(prefix))].filter(([key]) => !key.startsWith("blobs/")));
        const { problems, needed } = await read();
        assert.deepEqual(problems, []);
        assert.ok(needed.has(image.layer));
    });
});

describe("What is to stay", () => {
    let registry: Registry;
    let tagged: ReturnType<Registry["image"]>;
    let untagged: ReturnType<Registry["image"]>;
    beforeEach(() => {
        registry = new Registry();
        untagged = registry.image("web", "1", "old");
        tagged = registry.image("web", "1", "new");
    });

    it("is what any manifest needs", async () => {
        const { needed } = await readContents(registry, false, 0);
        assert.deepEqual(
            needed,
            new Set([tagged, untagged].flatMap(({ digest, layer, config }) => [digest, layer, config])),
        );
    });

    it("is only what a tag leads to, when untagged manifests are to go", async () => {
        const { needed } = await readContents(registry, true, 0);
        assert.deepEqual(needed, new Set([tagged.digest, tagged.layer, tagged.config]));
    });

    it("is what any repository needs: one that has it untagged leaves it", async () => {
        const elsewhere = registry.image("other", "1", "old");
        const { needed } = await readContents(registry, true, 0);
        assert.ok([elsewhere.digest, elsewhere.layer, elsewhere.config].every((digest) => needed.has(digest)));
    });
});

describe("Garbage", () => {
    let registry: Registry;
    let image: ReturnType<Registry["image"]>;
    beforeEach(() => {
        registry = new Registry();
        image = registry.image("web", "1", "old");
        registry.image("web", "1", "new");
        registry.manifest("copy", { config: { digest: image.config }, layers: [{ digest: image.layer }] });
    });
    const garbage = () => [image.digest, image.layer, image.config];
    const rest = () =>
        [...registry.objects.keys()].filter((key) => garbage().some((digest) => key.includes(digest.slice(7))));

    it("is deleted with all by which repositories know it: manifests first, so that no link to one leads nowhere", async () => {
        const deleted: string[] = [];
        const { delete: original } = registry;
        registry.delete = (key, assertMay) => {
            deleted.push(key.replace("docker/registry/v2/", ""));
            return original(key, assertMay);
        };
        const contents = await readContents(registry, true, 0);
        await deleteGarbage(registry, garbage(), contents, () => undefined);
        assert.deepEqual(rest(), []);
        const revision = `repositories/web/_manifests/revisions/sha256/${image.digest.slice(7)}/link`;
        assert.ok(deleted.indexOf(revision) < deleted.indexOf(Registry.keyOf(image.digest)));
        assert.ok(
            deleted.indexOf(Registry.keyOf(image.layer)) <
                deleted.indexOf(`repositories/copy/_layers/sha256/${image.layer.slice(7)}/link`),
        );
        const { problems, notes, tags } = await readContents(registry, true, 0);
        assert.deepEqual([problems, notes.length, tags.length], [[], 2, 1]);
    });

    it("stays from where on no more may be deleted", async () => {
        const contents = await readContents(registry, true, 0);
        const before = registry.objects.size;
        let left = 3;
        const ended = deleteGarbage(registry, garbage(), contents, () => {
            if (left-- <= 0) {
                throw new Error("The lock was not renewed in time.");
            }
        });
        await assert.rejects(
            ended,
            (error: Error) =>
                !(error instanceof UnsettledDeletion) && error.message === "The lock was not renewed in time.",
        );
        assert.equal(registry.objects.size, before - 3);
    });

    describe("of which a deletion is not answered", () => {
        let many: string[];
        let contents: Contents;
        let refusals: number;
        beforeEach(async () => {
            many = Array.from({ length: 100 }, (_, i) => registry.blob(`garbage ${i}`).digest);
            contents = await readContents(registry, true, 0);
            const { delete: original } = registry;
            registry.delete = async (key, assertMay) => {
                await sleep(1);
                if (key.endsWith(Registry.keyOf(many[20]!)) && refusals-- > 0) {
                    assertMay();
                    throw new Error("The bucket answers 503.");
                }
                return original(key, assertMay);
            };
        });

        it("goes all the same if it is once it is tried again", async () => {
            refusals = 2;
            await deleteGarbage(registry, many, contents, () => undefined, 5);
            assert.ok(many.every((digest) => !registry.objects.has(`docker/registry/v2/${Registry.keyOf(digest)}`)));
        });

        it("ends with that if it never is, or if no more may be deleted meanwhile: it may yet be carried out", async () => {
            refusals = Infinity;
            let may = true;
            setTimeout(() => (may = false), 30);
            await assert.rejects(
                deleteGarbage(registry, many, contents, () => assert.ok(may, "It was told to stop."), 5),
                UnsettledDeletion,
            );
            await assert.rejects(
                deleteGarbage(registry, many.slice(20, 21), contents, () => undefined, 5),
                UnsettledDeletion,
            );
        });
    });
});

describe("The report", () => {
    it("has amounts that read well", () => {
        assert.deepEqual([0, 1, 1023, 1024, 1536, 150 * 1024, 5 * 1024 ** 3].map(amount), [
            "0 B",
            "1 B",
            "1023 B",
            "1.0 KiB",
            "1.5 KiB",
            "150 KiB",
            "5.0 GiB",
        ]);
    });

    it("is a table of tags, in the order of their numbers, and totals", async () => {
        const registry = new Registry();
        registry.image("web", "10", "ten");
        registry.image("web", "9", "nine");
        registry.blob("garbage");
        const contents = await readContents(registry, false, 0);
        assert.deepEqual(
            tagTable(contents).map((line) => line.replace(/ +/g, " ").replace(/\d+ B (?=0 B$)/, "N B ")),
            [
                "REPOSITORY TAG PUSHED MANIFESTS BLOBS SIZE SHARED",
                "web 9 2026-11-25T20:15Z 1 2 N B 0 B",
                "web 10 2026-11-25T20:15Z 1 2 N B 0 B",
            ],
        );
        assert.match(
            totals(contents),
            /^2 tags in 1 repository, 7 blobs, \d(\.\d)? KiB in all; no manifest needs 1 blob of 7 B$/,
        );
    });
});
