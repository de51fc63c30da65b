import * as assert from "node:assert/strict";
import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import * as readline from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

import { OtherRegistry } from "../../e2e/support/otherRegistry";
import { processesOf } from "../../e2e/support/processes";
import { eventually, run } from "../../e2e/support/run";
import { get, kubectl } from "../../e2e/support/sandbox";
import { assertUnnoticed, Client, makeImage, makeImageOf, tryPush } from "../../e2e/support/traffic";
import { describeInFull, isShort } from "../support/shortMode";

/** The line that garbage collection prints when it begins a step. */
const steps: [string, RegExp][] = [
    ["has read every image", /^In the bucket/],
    ["makes the registry read-only", /^Making the registry read-only/],
    ["deletes", /^It is read-only/],
    ["has deleted", /^Freed/],
];

describe("Garbage collection", function () {
    this.timeout("20m");

    const registry = new OtherRegistry("collecting");
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "collecting-"));
    const settings = {
        collectionSchedule: "0 4 * * 0",
        collectionMinAgeMinutes: "0",
        "collectionRetention[0].repositories[0]": "garbage",
        "collectionRetention[0].mostRecentlyPushedCount": "1",
    };
    let me: Client;
    let pushed = 0;

    before(async () => {
        await registry.configure(settings);
        await registry.up();
        me = await registry.client();
        // Enough images that reading and marking them takes seconds.
        const image = path.join(folder, "many");
        for (let number = 1; number <= 60; number++) {
            makeImageOf(image, [1024]);
            assert.equal((await tryPush(image, me, `many:${number}`)).code, 0);
            fs.rmSync(image, { recursive: true });
        }
        // The first collection only reports what policies select.
        assert.equal((await registry.script("collect")).code, 0);
    });
    after(async () => {
        await registry.remove();
        fs.rmSync(folder, { recursive: true });
    });

    interface Pod {
        metadata: { name: string; uid: string };
    }
    /** The pod that collects garbage. */
    async function collector(): Promise<Pod | undefined> {
        const { items } = await get<{ items: Pod[] }>(
            "pods",
            "--namespace",
            registry.name,
            "--selector",
            "app.kubernetes.io/name=container-registry-collection",
            "--field-selector",
            "status.phase=Running",
        );
        return items[0];
    }
    const kill = ({ metadata: { uid } }: Pod) => process.kill(processesOf([uid], "node")[0]!, "SIGKILL");

    const tags = async () =>
        JSON.parse(
            await run("skopeo", ["list-tags", "--creds", `${me.user}:${me.password}`, `docker://${me.host}/garbage`]),
        ) as { Tags: string[] };

    /**
     * Makes garbage: an image without a tag, and an older tag that retention removes. Starts a collection, and does
     * something at one of its steps. Returns the exit code of the collection.
     */
    async function collectAnd(step: RegExp, fault: (pod: Pod) => unknown): Promise<number> {
        const image = path.join(folder, "garbage");
        for (const tag of ["deleted", `old-${++pushed}`, `new-${pushed}`]) {
            makeImage(image);
            assert.equal((await tryPush(image, me, `garbage:${tag}`)).code, 0);
            fs.rmSync(image, { recursive: true });
        }
        await run("skopeo", ["delete", "--creds", `${me.user}:${me.password}`, `docker://${me.host}/garbage:deleted`]);

        const collection = spawn("scripts/collect", { env: registry.env, stdio: ["ignore", "pipe", "ignore"] });
        const ended = new Promise<number>((resolve) => collection.on("close", (code) => resolve(code ?? -1)));
        let pod: Pod | undefined, did: Promise<unknown> | undefined;
        for await (const line of readline.createInterface({ input: collection.stdout })) {
            console.log(`      ${line}`);
            // Found early, because a step may be over within a second.
            pod ??= await collector();
            if (!did && step.test(line)) {
                did = Promise.resolve(fault(pod!));
                did.catch(() => undefined);
            }
        }
        assert.ok(did, "the step never began");
        await did;
        if ((await ended) === 0) {
            assert.deepEqual((await tags()).Tags, [`new-${pushed}`]);
        }
        return ended;
    }

    /** Fails unless the registry accepts pushes again within some time, and every image is complete. */
    async function assertWhole(seconds: number): Promise<void> {
        const image = path.join(folder, "new");
        makeImage(image);
        const began = Date.now();
        await eventually(seconds, async () => (await tryPush(image, me, "new:1")).code === 0);
        console.log(`      accepted pushes again after ${Math.round((Date.now() - began) / 1000)} s`);
        fs.rmSync(image, { recursive: true });
        const { code, stdout } = await registry.script("collect", "--check");
        assert.equal(code, 0, stdout);
    }

    for (const [step, line] of isShort ? steps.slice(2, 3) : steps) {
        it(`releases its lease if its pod is deleted when it ${step}, and the Job's next pod continues, without a failed pull`, async () => {
            await assertUnnoticed(
                me,
                async () => {
                    assert.equal(
                        await collectAnd(line, (pod) =>
                            kubectl("delete", "pod", pod.metadata.name, "--namespace", registry.name, "--wait=false"),
                        ),
                        0,
                    );
                    await assertWhole(300);
                },
                { pushRetries: 30, checkAll: true },
            );
        });
    }

    const kills = isShort ? 3 : 42;
    /** In short mode mostly before the registry is read-only: after such a kill it takes minutes to be writable again. */
    const latestKill = isShort ? 1 : 20;

    /** Kills the collecting pod at a random second, and so the two that continue. Returns how many it has killed. */
    async function killAtRandom(): Promise<number> {
        const killed = new Set<number>();
        while (killed.size < 3) {
            const pod = await eventually(300, collector);
            const second = Math.random() * latestKill;
            await sleep(second * 1000);
            const [pid] = processesOf([pod.metadata.uid], "node");
            if (pid === undefined) {
                break;
            }
            process.kill(pid, "SIGKILL");
            killed.add(pid);
            console.log(`      killed after ${second.toFixed(1)} s: ${pod.metadata.name}`);
            await eventually(60, async () => (await collector())?.metadata.uid !== pod.metadata.uid);
        }
        return killed.size;
    }

    it(`loses no image in ${kills} kills at random times, and the Jobs' next pods continue`, async () => {
        for (let killed = 0; killed < kills;) {
            await assertUnnoticed(
                me,
                async () => {
                    const collecting = async () => (killed += await killAtRandom());
                    assert.equal(await collectAnd(/^In the bucket/, collecting), 0);
                    await assertWhole(300);
                },
                { pushRetries: 150, checkAll: true },
            );
        }
    }).timeout("90m");

    describeInFull("that is killed", () => {
        for (const [step, line] of steps) {
            it(`when it ${step} is continued by the Job's next pod, without a failed pull`, async () => {
                await assertUnnoticed(
                    me,
                    async () => {
                        assert.equal(await collectAnd(line, kill), 0);
                        await assertWhole(300);
                    },
                    { pushRetries: 75, checkAll: true },
                );
            });
        }

        it("and not continued leaves a registry that accepts pushes again after its lease expires", async () => {
            await assertUnnoticed(
                me,
                async () => {
                    await collectAnd(/^It is read-only/, async (pod) => {
                        kill(pod);
                        await kubectl("delete", "jobs", "--all", "--namespace", registry.name, "--wait=false");
                    });
                    await assertWhole(900);
                },
                { retries: 2, pushRetries: 75, checkAll: true },
            );
        });
    });

    describeInFull("that is stopped until its lease has expired", () => {
        it("deletes nothing that was pushed afterwards", async () => {
            const image = path.join(folder, "deleted");
            makeImage(image);
            assert.equal((await tryPush(image, me, "deleted:1")).code, 0);
            await run("skopeo", ["delete", "--creds", `${me.user}:${me.password}`, `docker://${me.host}/deleted:1`]);
            await assertUnnoticed(
                me,
                async () => {
                    await collectAnd(/^It is read-only/, async ({ metadata: { uid } }) => {
                        // Before it has found what is garbage now.
                        const [node] = processesOf([uid], "node");
                        process.kill(node!, "SIGSTOP");
                        // Its layers still exist, so they are not uploaded again.
                        await eventually(900, async () => (await tryPush(image, me, "deleted:1")).code === 0);
                        process.kill(node!, "SIGCONT");
                    });
                    await assertWhole(900);
                },
                { retries: 2, pushRetries: 75, checkAll: true },
            );
        });
    });

    describeInFull("during a change of the configuration", () => {
        it("continues or ends without a failed pull; the change is made, and pushes are accepted again", async () => {
            await assertUnnoticed(
                me,
                async () => {
                    await collectAnd(/^It is read-only/, async () => {
                        await run("pulumi", ["config", "set", "logLevel", "warn", "--stack", registry.name]);
                        await registry.up();
                    });
                    await assertWhole(300);
                    await registry.pulumi("preview", "--expect-no-changes");
                },
                { pushRetries: 75, checkAll: true },
            );
        });

        it("that removes it ends before any pod accepts a push regardless of the lease", async () => {
            await assertUnnoticed(
                me,
                async () => {
                    assert.equal(
                        await collectAnd(/^Making the registry read-only/, async () => {
                            for (const key of ["Schedule", "MinAgeMinutes", "Retention"]) {
                                await run("pulumi", ["config", "rm", `collection${key}`, "--stack", registry.name]);
                            }
                            await registry.up();
                        }),
                        1,
                    );
                    const image = path.join(folder, "after");
                    makeImage(image);
                    await eventually(300, async () => (await tryPush(image, me, "after:1")).code === 0);
                    await registry.configure(settings);
                    await registry.up();
                    await assertWhole(300);
                },
                { pushRetries: 75, checkAll: true },
            );
        });
    });

    it("is ended by the deadline of its Job, and the registry accepts pushes again", async () => {
        await assertUnnoticed(
            me,
            async () => {
                assert.equal(
                    await collectAnd(/^It is read-only/, async () => {
                        const [job] = (
                            await get<{ items: { metadata: { name: string }; status: { active?: number } }[] }>(
                                "jobs",
                                "--namespace",
                                registry.name,
                            )
                        ).items.filter(({ status }) => status.active);
                        await kubectl(
                            "patch",
                            "job",
                            job!.metadata.name,
                            "--namespace",
                            registry.name,
                            "--patch",
                            JSON.stringify({ spec: { activeDeadlineSeconds: 1 } }),
                        );
                    }),
                    1,
                );
                await assertWhole(300);
                await sleep(1000);
            },
            { pushRetries: 30, checkAll: true },
        );
    });
});
