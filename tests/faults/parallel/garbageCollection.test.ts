import * as assert from "node:assert/strict";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { processesOf } from "../../e2e/support/processes";
import { eventually, run } from "../../e2e/support/run";
import { get, kubectl } from "../../e2e/support/sandbox";
import { assertUnnoticed, Client, makeImage, tryPush } from "../../e2e/support/traffic";
import { CollectedRegistry, kill } from "../support/collectedRegistry";
import { describeInFull, isShort, itInFull } from "../support/shortMode";

/** The line that garbage collection prints when it begins a step. */
const allSteps: [string, RegExp][] = [
    ["has read every image", /^In the bucket/],
    ["makes the registry read-only", /^Making the registry read-only/],
    ["deletes", /^It is read-only/],
    ["has deleted", /^Freed/],
];
/** In short mode, only the most dangerous one. */
const steps = isShort ? allSteps.filter(([step]) => step === "deletes") : allSteps;

describe("Garbage collection", () => {
    const registry = new CollectedRegistry("collecting");
    const { folder, settings } = registry;
    let me: Client;

    before(async () => {
        await registry.deploy(60);
        ({ me } = registry);
    });
    after(() => registry.remove());

    for (const [step, line] of steps) {
        it(`releases its lease if its pod is deleted when it ${step}, and the Job's next pod continues, without a failed pull`, async () => {
            await assertUnnoticed(
                me,
                async () => {
                    assert.equal(
                        await registry.collectAnd(line, (pod) =>
                            kubectl("delete", "pod", pod.metadata.name, "--namespace", registry.name, "--wait=false"),
                        ),
                        0,
                    );
                    await registry.assertWhole();
                },
                { pushRetries: 30, checkAll: true },
            );
        });
    }

    describe("that is killed", () => {
        for (const [step, line] of steps) {
            it(`when it ${step} is continued by the Job's next pod, without a failed pull`, async () => {
                await assertUnnoticed(
                    me,
                    async () => {
                        assert.equal(await registry.collectAnd(line, (pod) => assert.ok(kill(pod), "it has ended")), 0);
                        registry.assertContinued();
                        await registry.assertWhole();
                    },
                    { pushRetries: 75, checkAll: true },
                );
            });
        }

        itInFull("and not continued leaves a registry that accepts pushes again after its lease expires", async () => {
            await assertUnnoticed(
                me,
                async () => {
                    await registry.collectAnd(/^It is read-only/, async (pod) => {
                        assert.ok(kill(pod), "it has ended");
                        await kubectl("delete", "jobs", "--all", "--namespace", registry.name, "--wait=false");
                    });
                    await registry.assertWhole({ seconds: 900 });
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
                    await registry.collectAnd(/^It is read-only/, async ({ metadata: { uid } }) => {
                        // Before it has found what is garbage now.
                        const [node] = processesOf([uid], "node");
                        process.kill(node!, "SIGSTOP");
                        // Its layers still exist, so they are not uploaded again.
                        await eventually(async () => (await tryPush(image, me, "deleted:1")).code === 0, {
                            seconds: 900,
                        });
                        process.kill(node!, "SIGCONT");
                    });
                    await registry.assertWhole({ seconds: 900 });
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
                    await registry.collectAnd(/^It is read-only/, async () => {
                        await run("pulumi", ["config", "set", "logLevel", "warn", "--stack", registry.name]);
                        await registry.up();
                    });
                    await registry.assertWhole();
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
                        await registry.collectAnd(/^Making the registry read-only/, async () => {
                            for (const key of ["Schedule", "MinAgeMinutes", "Retention"]) {
                                await run("pulumi", ["config", "rm", `collection${key}`, "--stack", registry.name]);
                            }
                            await registry.up();
                        }),
                        1,
                    );
                    const image = path.join(folder, "after");
                    makeImage(image);
                    await eventually(async () => (await tryPush(image, me, "after:1")).code === 0);
                    await registry.configure(settings);
                    await registry.up();
                    await registry.assertWhole();
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
                    await registry.collectAnd(/^It is read-only/, async () => {
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
                await registry.assertWhole();
                await sleep(1000);
            },
            { pushRetries: 30, checkAll: true },
        );
    });
});
