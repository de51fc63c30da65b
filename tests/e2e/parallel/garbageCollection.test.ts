import * as assert from "node:assert/strict";
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { schedules, timeZones } from "../../support/schedules";
import { runDocumented } from "../support/docs";
import { OtherRegistry } from "../support/otherRegistry";
import { attempt, eventually, run } from "../support/run";
import { deleteObject, keysOf, kubectl, previewed, putObject, request } from "../support/sandbox";
import {
    assertUnnoticed,
    Client,
    makeImage,
    makeImageOf,
    makeImages,
    statusesWhilePodsStop,
    tryPush,
    whilePodsStop,
} from "../support/traffic";
import { assertInTroubleshooting } from "../support/troubleshooting";

describe("Garbage collection", () => {
    const registry = new OtherRegistry("collected");
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "collected-"));
    const MiB = 1024 * 1024;
    let me: Client;
    let bySha512: string;

    const collect = (...args: string[]) => registry.script("collect", ...args);
    const collectorLabel = "app.kubernetes.io/name=container-registry-collection";
    const lease = () =>
        kubectl("get", "configmap/registry-lock", "--namespace", registry.name, "--output", "jsonpath={.data}");
    const image = (name: string) => path.join(folder, name);
    const push = async (name: string, reference = `${name}:1`) =>
        assert.equal((await tryPush(image(name), me, reference)).code, 0);
    const pull = (reference: string) => {
        const into = fs.mkdtempSync(image("pulled-"));
        return attempt("skopeo", [
            "copy",
            "--quiet",
            "--all",
            "--src-creds",
            `${me.user}:${me.password}`,
            `docker://${me.host}/${reference}`,
            `dir:${into}`,
        ]);
    };
    const remove = (reference: string) =>
        run("skopeo", ["delete", "--creds", `${me.user}:${me.password}`, `docker://${me.host}/${reference}`]);
    /** The digests of an image's layers. All images have the same configuration. */
    const layersOf = (name: string): string[] =>
        (
            JSON.parse(fs.readFileSync(path.join(image(name), "manifest.json"), "utf8")) as {
                layers: { digest: string }[];
            }
        ).layers.map(({ digest }) => digest);
    const keyOf = (digest: string) => `docker/registry/v2/blobs/sha256/${digest.slice(7, 9)}/${digest.slice(7)}/data`;
    const areInBucket = async (name: string) => {
        const keys = await keysOf(registry.name);
        return new Set(layersOf(name).map((digest) => keys.includes(keyOf(digest))));
    };

    const api = (path: string, ...options: string[]) =>
        request(`https://${me.host}/v2/${path}`, "--user", `${me.user}:${me.password}`, ...options);
    /** Pushes an image without a tag whose layer has a sha512 digest. Returns that digest. */
    async function pushBySha512(repository: string): Promise<string> {
        const manifest = JSON.parse(fs.readFileSync(path.join(image(repository), "manifest.json"), "utf8")) as {
            layers: object[];
        };
        const layer = "a layer by its sha512";
        const digest = `sha512:${createHash("sha512").update(layer).digest("hex")}`;
        const begun = await api(`${repository}/blobs/uploads/`, "--request", "POST", "--include");
        const [, location = ""] = /^location: (\S+)/im.exec(begun.body) ?? [];
        const sent = await request(
            `${location}&digest=${digest}`,
            ...["--user", `${me.user}:${me.password}`, "--request", "PUT"],
            // Otherwise the registry reads it as a form.
            ...["--header", "Content-Type: application/octet-stream", "--data-binary", layer],
        );
        assert.equal(sent.status, 201, sent.body);
        const layers = [{ ...manifest.layers[0], digest, size: layer.length }];
        const body = JSON.stringify({ ...manifest, layers });
        const pushed = await api(
            `${repository}/manifests/sha256:${createHash("sha256").update(body).digest("hex")}`,
            ...["--request", "PUT", "--header", "Content-Type: application/vnd.oci.image.manifest.v1+json"],
            ...["--data-binary", body],
        );
        assert.equal(pushed.status, 201, pushed.body);
        return digest;
    }

    before(async () => {
        await registry.configure({
            collectionSchedule: "0 4 * * 0",
            collectionMinAgeMinutes: "0",
            sparseIndexes: "true",
        });
        await registry.up();
        me = await registry.client();
        for (const name of ["kept", "deleted", "other"]) {
            makeImage(image(name));
        }
        makeImageOf(image("pushed over"), [MiB]);
        for (const name of ["for all", "sparse"]) {
            makeImages(image(name), ["amd64", "arm64"]);
        }
        await push("kept");
        await push("deleted");
        await push("pushed over", "over:1");
        await push("other", "over:1");
        bySha512 = await pushBySha512("kept");
        for (const [name, reference] of [
            ["for all", "all:1"],
            ["sparse", "sparse:1"],
        ] as const) {
            const to = [
                "--dest-creds",
                `${me.user}:${me.password}`,
                `dir:${image(name)}`,
                `docker://${me.host}/${reference}`,
            ];
            await run("skopeo", ["copy", "--quiet", "--all", ...to]);
        }
    });
    after(async () => {
        await registry.remove();
        fs.rmSync(folder, { recursive: true });
    });

    it("deletes unreferenced blobs without a failed pull; pushes are rejected with the reason, and previews show no change", async () => {
        await remove("deleted:1");
        let output = "";
        const refused: { status: number; body: string }[] = [];
        let printed = "";
        const previews: string[][] = [];
        await assertUnnoticed(
            me,
            async () => {
                const collection = collect();
                let isOver = false;
                const ended = collection.finally(() => (isOver = true));
                while (!isOver) {
                    const answer = await request(
                        `https://${me.host}/v2/kept/blobs/uploads/`,
                        "--request",
                        "POST",
                        "--user",
                        `${me.user}:${me.password}`,
                        "--include",
                    );
                    if (![202, ...statusesWhilePodsStop].includes(answer.status)) {
                        refused.push(answer);
                        printed ||= (await tryPush(image("other"), me, "refused:1")).stderr;
                        previews.push(await previewed(registry.pulumi));
                    }
                }
                const { code, stdout, stderr } = await ended;
                output = stdout;
                assert.equal(code, 0, stdout + stderr);
            },
            { pushRetries: 30, checkAll: true },
        );
        console.log(output.replace(/^/gm, "      "));
        assert.match(
            output,
            /^In the bucket: \d+ tags in 5 repositories, .* no manifest needs \d+ blobs of \d\d\.\d MiB\.$/m,
        );
        assert.match(
            output,
            /^\d+ manifests without a tag hold .* MiB, which a collection with deleteUntagged reclaims\.$/m,
        );
        // Blobs of pushes whose manifests were rejected are deleted as well.
        assert.match(output, /^Freed \d\d\.\d MiB of \d+(\.\d)? [MG]iB, \d+ blobs; it took \d+ s\.$/m);
        assert.match(output, /^The registry accepts pushes again\.$/m);
        assert.ok(refused.length > 0);
        for (const { status, body } of refused) {
            assert.equal(status, 405);
            assert.match(
                body,
                /^warning: 299 - "Garbage is being collected\. Pulls go on; push again in some minutes\."\r$/im,
            );
        }
        assertInTroubleshooting("405 … Method Not Allowed", printed);
        assert.deepEqual(previews.flat(), []);
        assert.deepEqual(await areInBucket("deleted"), new Set([false]));
        await registry.pulumi("preview", "--refresh", "--expect-no-changes");
    });

    it("keeps every image that has a tag or a digest", async () => {
        for (const reference of ["kept:1", "over:1", "all:1"]) {
            assert.equal((await pull(reference)).code, 0, reference);
        }
        assert.deepEqual(await areInBucket("pushed over"), new Set([true]));
        assert.equal((await api(`kept/blobs/${bySha512}`)).body, "a layer by its sha512");
    });

    it("leaves no stale cache: a deleted layer is uploaded again by the next push", async () => {
        await push("deleted");
        assert.deepEqual(await areInBucket("deleted"), new Set([true]));
        assert.equal((await pull("deleted:1")).code, 0);
    });

    it("goes on if distribution cannot read a manifest, and names the command that deletes it", async () => {
        const manifest = JSON.stringify({ schemaVersion: 1, name: "kept", tag: "old", fsLayers: [], history: [] });
        const hash = createHash("sha256").update(manifest).digest("hex");
        await putObject(registry.name, keyOf(`sha256:${hash}`), manifest);
        const link = `docker/registry/v2/repositories/kept/_manifests/revisions/sha256/${hash}/link`;
        await putObject(registry.name, link, `sha256:${hash}`);
        await remove("deleted:1");
        const { stdout } = await collect();
        assert.deepEqual(await areInBucket("deleted"), new Set([false]));
        await push("deleted");
        const images = await registry.script("images");
        assert.equal(images.code, 0);
        assert.match(images.stdout, /^Every image is whole, apart from what is named above\.$/m);
        const [note, command = ""] = /^.* schema version 1, .*\. To delete it: (curl .*)\.$/m.exec(stdout) ?? [];
        assert.ok(images.stdout.includes(`${note}\n`), images.stdout);
        assert.equal(command, `curl --user NAME --request DELETE https://HOST/v2/kept/manifests/sha256:${hash}`);
        const filled = command.replace("NAME", `${me.user}:${me.password}`).replace("HOST", me.host);
        await run("sh", ["-c", `${filled} --fail --silent --show-error`]);
        const { code: now, stdout: whole } = await registry.script("images");
        assert.equal(now, 0);
        assert.match(whole, /^Every image is whole\.$/m);
    });

    it("deletes untagged manifests with collectionDeleteUntagged, except those of an index", async () => {
        await registry.configure({ collectionDeleteUntagged: "true" });
        assert.deepEqual(await previewed(registry.pulumi), [
            "update kubernetes:batch/v1:CronJob::registry-collection spec.jobTemplate.spec.template.spec.containers[0].args[22]",
        ]);
        await registry.up();
        const { code, stdout, stderr } = await collect();
        assert.equal(code, 0, stdout + stderr);
        assert.deepEqual(await areInBucket("pushed over"), new Set([false]));
        assert.equal((await pull("all:1")).code, 0);
    });

    it("goes on if a link is empty, a name is none, or the manifest of a tag or of an index was deleted", async () => {
        const file = path.join(image("sparse"), "manifest.json");
        const index = JSON.parse(fs.readFileSync(file, "utf8")) as {
            mediaType: string;
            manifests: { digest: string }[];
        };
        const [kept, deleted] = index.manifests.map(({ digest }) => digest) as [string, string];
        assert.equal((await api(`sparse/manifests/${deleted}`, "--request", "DELETE")).status, 202);
        // Only with sparseIndexes.
        const contentType = ["--header", `Content-Type: ${index.mediaType}`];
        const again = await api("sparse/manifests/1", "--request", "PUT", ...contentType, "--data-binary", `@${file}`);
        assert.equal(again.status, 201, again.body);
        const link = `docker/registry/v2/repositories/kept/_layers/sha256/${"0".repeat(64)}/link`;
        await putObject(registry.name, link, "");
        const linkTag = (tag: string, content: string) =>
            putObject(
                registry.name,
                `docker/registry/v2/repositories/sparse/_manifests/tags/${tag}/current/link`,
                content,
            );
        await linkTag("none", "");
        await linkTag("cut", deleted);
        // Distribution's own dry run fails at such a name.
        const odd = `docker/registry/v2/repositories/Odd/_manifests/revisions/${kept.replace(":", "/")}/link`;
        await putObject(registry.name, odd, kept);
        await remove("deleted:1");
        const { code, stdout, stderr } = await collect();
        assert.equal(code, 0, stdout + stderr);
        assert.match(
            stdout,
            /^kept: its link to the layer sha256:0+ is empty, so the next collection deletes that link\.$/m,
        );
        assert.match(
            stdout,
            new RegExp(`^sparse:1: the manifest ${deleted} of an index is not in this repository: `, "m"),
        );
        assert.match(stdout, /^Odd: is no name of a repository\. /m);
        assert.match(
            stdout,
            /^sparse:none: its link is empty\. .* --request DELETE \S+\/v2\/sparse\/manifests\/none\.$/m,
        );
        assert.match(stdout, new RegExp(`^sparse:cut: its manifest ${deleted} is not in this repository\\. `, "m"));
        for (const tag of ["none", "cut"]) {
            assert.equal((await api(`sparse/manifests/${tag}`, "--request", "DELETE")).status, 202);
        }
        await deleteObject(registry.name, odd);
        assert.ok(!(await keysOf(registry.name)).includes(link));
        assert.deepEqual(await areInBucket("deleted"), new Set([false]));
        const accept = ["--header", "Accept: application/vnd.oci.image.manifest.v1+json"];
        assert.equal((await api(`sparse/manifests/${kept}`, ...accept)).status, 200);
        await push("deleted");
    });

    it("lists each tag, and reports that every image is whole, with --check", async () => {
        const { code, stdout } = await collect("--check");
        assert.equal(code, 0);
        assert.match(
            stdout.replace(/\b\d{4}-\d\d-\d\dT\d\d:\d\dZ/g, "TIME"),
            new RegExp(
                [
                    "^REPOSITORY +TAG +PUSHED +MANIFESTS +BLOBS +SIZE +SHARED",
                    "all +1 +TIME +3 +6 +24\\.\\d MiB +\\d+ B",
                    ...["deleted", "kept", "over"].map((name) => `${name} +1 +TIME +1 +3 +12\\.1 MiB +\\d+ B`),
                    "sparse +1 +TIME +2 +3 +12\\.1 MiB +\\d+ B",
                    "",
                    "In the bucket: 5 tags in 5 repositories, .*",
                    "sparse:1: the manifest .*",
                    "Every image is whole, apart from what is named above\\.",
                ].join("\n"),
                "m",
            ),
        );
    });

    it("prints the same list as scripts/images", async () => {
        const table = (output: string) => output.slice(output.indexOf("REPOSITORY")).replace(/\n*$/, "");
        const { code, stdout, stderr } = await registry.script("images");
        assert.equal(code, 0, stderr);
        assert.equal(stdout.trimEnd(), table((await collect("--check")).stdout));
    });

    it("ends before it acquires the lease, if the clock of its node is behind that of the pods", async () => {
        const program = ["configmap/registry-collection", "--namespace", registry.name];
        const patch = async (from: string, to: string) => {
            const clock = await kubectl("get", ...program, "--output", "jsonpath={.data.clock\\.ts}");
            assert.ok(clock.includes(from), clock);
            await kubectl(
                "patch",
                ...program,
                "--patch",
                JSON.stringify({ data: { "clock.ts": clock.replace(from, to) } }),
            );
        };
        const before = await lease();
        // The Pod of an earlier Job may have failed.
        await kubectl("delete", "jobs", "--all", "--namespace", registry.name, "--cascade=foreground");
        await patch("Date.now()", "Date.now() - 360_000");
        const ended = collect();
        const inNamespace = ["--namespace", registry.name];
        const ofFailedPods = [...inNamespace, "--selector", collectorLabel, "--field-selector", "status.phase=Failed"];
        // Its first pod is enough: the Job would start six more.
        const failed = await eventually(
            async () => (await kubectl("get", "pods", ...ofFailedPods, "--output", "name")).split("\n")[0],
        );
        // scripts/collect may not have read it before the pod is deleted.
        const log = await kubectl("logs", failed, ...inNamespace, "--container", "collector");
        await kubectl("delete", "jobs", "--all", "--namespace", registry.name);
        await patch("Date.now() - 360_000", "Date.now()");
        assert.equal((await ended).code, 1);
        assert.match(
            log,
            /^The clock of the pod registry-\S+ is 3[56]\d s ahead of this node's\. Synchronize the clocks of all nodes \(NTP\)\.$/m,
        );
        assert.equal(await lease(), before);
    });

    describe("of a bucket with a broken image", () => {
        const lost = () => layersOf("kept")[0]!;
        before(() => deleteObject(registry.name, keyOf(lost())));

        it("deletes nothing, and reports the tag", async () => {
            await remove("deleted:1");
            const before = await lease();
            const { code, stdout } = await collect();
            assert.equal(code, 1);
            const problem = `  - kept:1: the layer ${lost()} is missing\n`;
            const message = "Nothing was collected, because an image is already broken. 1 problem:\n";
            // The log of a container may have a line of stdout between those of stderr.
            assert.ok(stdout.replace(/^In the bucket.*\n/m, "").includes(message + problem), stdout);
            assert.deepEqual(await areInBucket("deleted"), new Set([true]));
            assert.equal(await lease(), before);
            const check = await collect("--check");
            assert.equal(check.code, 1);
            assert.ok(check.stdout.includes(problem), check.stdout);
            const images = await registry.script("images");
            assert.equal(images.code, 1);
            assert.ok(images.stderr.includes(problem), images.stderr);
            assertInTroubleshooting("fetching blob: … 404", (await pull("kept:1")).stderr);
        });

        it("works again after the image is pushed again", async () => {
            await push("kept");
            const output = await runDocumented(
                "docs/maintenance.md",
                "Garbage collection",
                { "--namespace registry": `--namespace ${registry.name}` },
                registry.name,
            );
            assert.match(output, /^Freed /m);
            assert.match(output, /^registry-check-\d+ +Complete\b/m);
            assert.deepEqual(await areInBucket("deleted"), new Set([false]));
        });
    });

    describe("with policies of retention", () => {
        const at = (tag: string) => `${me.host}/retained:${tag}`;
        const tags = async () => (JSON.parse((await api("retained/tags/list")).body) as { tags: string[] }).tags.sort();
        const digestOf = (name: string) =>
            createHash("sha256")
                .update(fs.readFileSync(path.join(image(name), "manifest.json")))
                .digest("hex");
        let env: Record<string, string>;
        let signature: string;
        let lines: (output: string) => string[];

        /** Ten tags of the same hour would count as a copy of the bucket, of which none goes. */
        async function removeOtherTags(): Promise<void> {
            const { repositories } = JSON.parse((await api("_catalog")).body) as { repositories: string[] };
            for (const repository of repositories) {
                const { body } = await api(`${repository}/tags/list`);
                const { tags } = JSON.parse(body) as { tags?: string[] | null };
                for (const tag of tags ?? []) {
                    if (!["kept:1", "over:1", "all:1"].includes(`${repository}:${tag}`)) {
                        await remove(`${repository}:${tag}`);
                    }
                }
            }
        }

        before(async () => {
            await removeOtherTags();
            assert.equal((await collect()).code, 0);
            const auth = Buffer.from(`${me.user}:${me.password}`).toString("base64");
            fs.mkdirSync(image("login"));
            fs.writeFileSync(
                path.join(image("login"), "config.json"),
                JSON.stringify({ auths: { [me.host]: { auth } } }),
            );
            env = { ...registry.env, DOCKER_CONFIG: image("login") };
            makeImage(image("by skopeo"));
            makeImage(image("newest"));
            await push("by skopeo", "retained:skopeo");
            signature = `sha256-${digestOf("by skopeo")}.sig`;
            await push("other", `retained:${signature}`);
            await run("tar", ["--create", "--file", image("layer.tar"), "--directory", image("login"), "."]);
            const layer = ["--oci-empty-base", "--new_layer", image("layer.tar")];
            await run("crane", ["append", ...layer, "--new_tag", at("crane")], { env });
            await run("docker", ["import", image("layer.tar"), at("docker")], { env });
            await run("docker", ["push", "--quiet", at("docker")], { env });
            await push("kept", "retained:v1");
            await push("newest", "retained:newest");
            const nowhere = JSON.stringify({ spec: { nodeSelector: { "example.com/none": "none" } } });
            // The registry's namespace accepts no such Pod.
            await kubectl("run", registry.name, "--image", at("crane"), "--overrides", nowhere);
            lines = (output) => output.split("\n").filter((line) => line.startsWith("retained "));
        });

        after(() => kubectl("delete", "pod", registry.name, "--ignore-not-found"));

        it("says them in words, and shows in a dry run which tags would go, and which of these Pods run", async () => {
            const here = { "mostRecentlyPushedCount' 10": "mostRecentlyPushedCount' 1" };
            const output = await runDocumented("docs/maintenance.md", "Remove old tags", here, registry.name);
            assert.match(
                output,
                / collection\.retention: Of the tags pr-\* in each repository, a garbage collection keeps /,
            );
            assert.match(output, /^retention\[1\]: Of all tags in each repository, .* the 1 newest, latest and v\*, /m);
            assert.deepEqual(
                lines(output).map((line) => line.replace(/\S+Z +\S+ \S*B/, "TIME SIZE").split(/ {2,}| (?=TIME)/)),
                [
                    ["retained", "crane", "TIME SIZE", "[1]"],
                    ["retained", "docker", "TIME SIZE", "[1]"],
                    ["retained", signature, "TIME SIZE", "with its subject"],
                    ["retained", "skopeo", "TIME SIZE", "[1]"],
                ],
            );
            assert.match(
                output,
                /^The policies select 4 tags\. Nothing else needs 12\.\d MiB of what they refer to\.$/m,
            );
            assert.match(output, /^A Pod of this cluster runs retained:crane, which would be removed\.$/m);
            assert.equal([...output.matchAll(/^A Pod of /gm)].length, 1);
            assert.match(
                output,
                /^A collection that removes these tags would free 12\.\d MiB\. Nothing was deleted\.$/m,
            );
        });

        it("only reports the tags in the first collection, and removes them in the next one", async () => {
            const before = await tags();
            const first = await collect();
            assert.equal(first.code, 0, first.stdout + first.stderr);
            assert.match(first.stdout, /[Rr]etention is new or has changed, so no tag goes yet\. /);
            assert.equal(lines(first.stdout).length, 4);
            assert.deepEqual(await tags(), before);
            const { code, stdout, stderr } = await collect();
            assert.equal(code, 0, stdout + stderr);
            assert.match(stdout, /^Removed 4 tags\.$/m);
            assert.deepEqual(await tags(), ["newest", "v1"]);
        });

        it("leaves nothing of these tags, and everything of the others, for skopeo, crane and docker", async () => {
            assert.deepEqual(await areInBucket("by skopeo"), new Set([false]));
            assert.equal((await api(`retained/manifests/sha256:${digestOf("by skopeo")}`)).status, 404);
            for (const reference of ["retained:newest", "retained:v1", "kept:1", "over:1", "all:1"]) {
                assert.equal((await pull(reference)).code, 0, reference);
            }
            assert.deepEqual((await run("crane", ["ls", `${me.host}/retained`], { env })).trim().split("\n").sort(), [
                "newest",
                "v1",
            ]);
            assert.notEqual((await attempt("docker", ["pull", "--quiet", at("docker")], { env })).code, 0);
            await run("docker", ["push", "--quiet", at("docker")], { env });
            await run("docker", ["image", "rm", at("docker")], { env });
            await run("docker", ["pull", "--quiet", at("docker")], { env });
            await run("docker", ["image", "rm", at("docker")], { env });
            assert.equal((await collect("--check")).code, 0);
        });

        it("removes at once with --apply-retention what a changed policy selects", async () => {
            await run("pulumi", [
                "config",
                "rm",
                "--path",
                "collectionRetention[1].keepPatterns[1]",
                "--stack",
                registry.name,
            ]);
            await registry.up();
            const { code, stdout, stderr } = await collect("--apply-retention");
            assert.equal(code, 0, stdout + stderr);
            assert.deepEqual(await tags(), ["docker"]);
        });
    });

    it("accepts the same schedules and time zones as Kubernetes", async () => {
        const cronJob = { apiVersion: "batch/v1", kind: "CronJob" };
        const template = {
            spec: { restartPolicy: "Never", containers: [{ name: "collector", image: "node" }] },
        };
        const cronJobs = (kind: "accepted" | "refused") =>
            [
                ...schedules[kind].map((schedule) => ({ schedule })),
                ...timeZones[kind].map((timeZone) => ({ schedule: "@daily", timeZone })),
            ].map((times, i) => ({
                ...cronJob,
                metadata: { name: `${kind}-${i}`, namespace: registry.name },
                spec: { ...times, jobTemplate: { spec: { template } } },
            }));
        const list = (items: object[]) => JSON.stringify({ apiVersion: "v1", kind: "List", items });
        const refused = cronJobs("refused");
        const { stdout, stderr } = await attempt("kubectl", ["create", "--dry-run=server", "--filename", "-"], {
            input: list([...cronJobs("accepted"), ...refused]),
        });
        const names = [...stderr.matchAll(/CronJob.batch "(.*?)" is invalid/g)].map(([, name]) => name);
        assert.deepEqual(
            names,
            refused.map(({ metadata }) => metadata.name),
            stdout + stderr,
        );
    });

    describe("has a ServiceAccount that", () =>
        it("has exactly these permissions", async () => {
            const rules = await kubectl(
                "auth",
                "can-i",
                "--list",
                "--no-headers",
                `--as=system:serviceaccount:${registry.name}:registry-collection`,
                "--namespace",
                registry.name,
            );
            const own = rules
                .split("\n")
                .filter((rule) => rule && !/selfsubject|^\s*\[\/|system:/.test(rule))
                .map((rule) =>
                    rule
                        .trim()
                        .split(/\s{2,}/)
                        .join(" "),
                );
            assert.deepEqual(own.sort(), [
                "configmaps [] [registry-lock] [get patch]",
                "deployments.apps [] [] [list]",
                "deployments.apps [] [registry-2] [patch]",
                "deployments.apps [] [registry] [patch]",
                "pods [] [] [list]",
            ]);
        }));

    describe("without collectionSchedule", () =>
        it("is removed without a failed pull and with at most one retry of a push", async () => {
            const removeCollection = async () => {
                for (const key of ["Schedule", "TimeZone", "MinAgeMinutes", "DeleteUntagged", "Retention"]) {
                    await run("pulumi", ["config", "rm", `collection${key}`, "--stack", registry.name]);
                }
                await registry.up();
                await eventually(
                    async () =>
                        (await request(`https://${me.host}/v2/`, "--user", `${me.user}:${me.password}`)).status === 200,
                );
            };
            await assertUnnoticed(me, removeCollection, whilePodsStop);
            await registry.pulumi("preview", "--expect-no-changes");
            assert.equal(
                (await attempt("kubectl", ["get", "cronjob", "--namespace", registry.name, "--output", "name"])).stdout,
                "",
            );
        }));
});
