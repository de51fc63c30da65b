import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { restarts } from "../../e2e/support/processes";
import { eventually, run } from "../../e2e/support/run";
import { request } from "../../e2e/support/sandbox";
import { assertUnnoticed, Client, makeImage, tryPush } from "../../e2e/support/traffic";
import { assertInTroubleshooting } from "../../e2e/support/troubleshooting";
import { pollDuring, summary } from "../support/poll";
import { RegistryWithMinio } from "../support/registryWithMinio";
import { describeInFull, fullOrShort } from "../support/shortMode";

describe("MinIO", () => {
    const manifest = ({ host, user, password }: Client, name: string) =>
        run("skopeo", ["inspect", "--raw", "--creds", `${user}:${password}`, `docker://${host}/${name}`]);

    describe("that is stopped", () => {
        const registry = new RegistryWithMinio("minio-stopped");
        before(async () => {
            await registry.makeMinio();
            await registry.configure();
            await registry.up();
        });
        after(async () => {
            try {
                await registry.scaleMinio(1);
            } finally {
                await registry.remove();
            }
        });

        it("makes the registry answer 503; it recovers without a restart, and keeps every image", async () => {
            const me = await registry.client();
            const image = path.join(registry.folder, "known");
            makeImage(image);
            assert.equal((await tryPush(image, me, "known:1")).code, 0);
            const restarted = await restarts(registry.name);
            await assertUnnoticed(
                me,
                async () => {
                    await registry.scaleMinio(0);
                    const stopped = Date.now();
                    const answers = await pollDuring(
                        me,
                        [["known/manifests/1"], ["known/blobs/uploads/", "--request", "POST"]],
                        async () => {
                            // While Kubernetes removes MinIO's pod, nothing refuses connections, so they take half a minute to fail.
                            await eventually(async () => (await request(`https://${me.host}/`)).status === 503);
                            assertInTroubleshooting(
                                "503 … Service Unavailable",
                                (await tryPush(image, me, "known:2")).stderr,
                            );
                            // Longer than the timeout of 20 s of a request that was sent before.
                            await sleep(fullOrShort(30, 25) * 1000);
                        },
                    );
                    await registry.scaleMinio(1);
                    const started = Date.now();
                    await eventually(async () => (await tryPush(image, me, "known:2")).code === 0);

                    const noticed = Math.min(
                        ...answers.filter(({ status }) => status === "503").map(({ ended }) => ended),
                    );
                    const seconds = (from: number, to = Date.now()) => `${Math.round((to - from) / 1000)} s`;
                    console.log(
                        `      503 after ${seconds(stopped, noticed)}, answers ${seconds(started)} after the start`,
                    );
                    console.log(
                        summary(answers)
                            .map((line) => `      ${line}`)
                            .join("\n"),
                    );
                    // Until then each request is retried for some seconds before it fails.
                    assert.deepEqual(
                        answers.filter(
                            ({ began, status }) => began < noticed && !["000", "500", "503"].includes(status),
                        ),
                        [],
                    );
                    assert.deepEqual(
                        new Set(answers.filter(({ began }) => began >= noticed).map(({ status }) => status)),
                        new Set(["503"]),
                    );
                },
                { retries: 30, checkAll: true },
            );
            assert.equal(await restarts(registry.name), restarted);
            assert.equal(await manifest(me, "known:1"), fs.readFileSync(path.join(image, "manifest.json"), "utf8"));
        });
    });

    describeInFull("with a full disk", () => {
        const registry = new RegistryWithMinio("disk-full");
        let me: Client;
        before(async () => {
            await registry.makeMinio({ emptyDir: { medium: "Memory", sizeLimit: "256Mi" } });
            await registry.configure();
            await registry.up();
            me = await registry.client();
        });
        after(() => registry.remove());

        it("makes pushes fail with a clear answer while pulls work; after space is freed pushes work again", async () => {
            const [image, other, filler, chunk] = ["image", "other", "filler", "chunk"].map((name) =>
                path.join(registry.folder, name),
            ) as [string, string, string, string];
            makeImage(image);
            makeImage(other);
            fs.writeFileSync(filler, Buffer.alloc(16 * 1024 * 1024));
            // Slightly more than a chunk of the registry, so that everything is sent before the answer comes.
            fs.writeFileSync(chunk, Buffer.alloc(5 * 1024 * 1024 + 1));
            assert.equal((await tryPush(image, me, "kept:1")).code, 0);

            const pulls = await pollDuring(me, [["kept/manifests/1"]], async () => {
                let fillers = 0;
                while ((await registry.s3("PUT", `filler-${fillers}`, "--upload-file", filler)).status === 200) {
                    fillers++;
                }
                const refused = await tryPush(other, me, "other:1");
                console.log(`      after ${fillers} × 16 MiB: ${refused.stderr.trim()}`);
                assert.match(refused.stderr, /500 Internal Server Error/);
                // Docker and skopeo show only that, but the answer contains the reason.
                const [url, headers] = [
                    `https://${me.host}/v2/other/blobs/uploads/`,
                    path.join(registry.folder, "headers"),
                ];
                await request(
                    url,
                    "--request",
                    "POST",
                    "--user",
                    `${me.user}:${me.password}`,
                    "--dump-header",
                    headers,
                );
                const { body } = await request(
                    /^location: (.*)\r$/im.exec(fs.readFileSync(headers, "utf8"))![1]!,
                    "--request",
                    "PATCH",
                    "--user",
                    `${me.user}:${me.password}`,
                    "--header",
                    "Content-Type: application/octet-stream",
                    "--data-binary",
                    `@${chunk}`,
                );
                console.log(`      ${body.trim()}`);
                assertInTroubleshooting("XMinioStorageFull", body);
                for (let number = 0; number < fillers; number++) {
                    await registry.s3("DELETE", `filler-${number}`);
                }
                await eventually(async () => (await tryPush(other, me, "other:1")).code === 0);
            });
            assert.deepEqual([...new Set(pulls.map(({ status }) => status))], ["200"]);
            assert.equal(await manifest(me, "kept:1"), fs.readFileSync(path.join(image, "manifest.json"), "utf8"));
            assert.equal(await manifest(me, "other:1"), fs.readFileSync(path.join(other, "manifest.json"), "utf8"));
            assert.equal(await restarts(registry.name), 0);
        });
    });
});
