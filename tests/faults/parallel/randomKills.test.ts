import * as assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";

import { eventually } from "../../e2e/support/run";
import { assertUnnoticed } from "../../e2e/support/traffic";
import { CollectedRegistry, kill } from "../support/collectedRegistry";
import { fullOrShort, isShort } from "../support/shortMode";

/**
 * Collections of several registries at a time: after a kill while a registry is read-only, it takes minutes until the
 * dead collection's lease expires.
 */
const registries = Array.from(
    { length: isShort ? 1 : 6 },
    (_, i) => new CollectedRegistry(`killed-${i + 1}`, i % 2 === 0),
);
const killsOfEach = isShort ? 3 : 7;
/** What a collection prints when it begins a step. In short mode, one that is over before it takes the lease. */
const steps = [
    /^In the bucket/,
    ...fullOrShort([/^Pushes will be refused/, /^Making the registry read-only/, /^It is read-only/, /^Freed/], []),
];
/** The latest second of a step at which a collection is killed. */
const latestSecond = fullOrShort(5, 0);

/** Kills the collecting pod in a random step, and so the two that continue. Returns how many it has killed. */
async function killAtRandom(registry: CollectedRegistry): Promise<number> {
    const killed = new Set<number>();
    while (killed.size < 3 && (await registry.begins(steps[Math.floor(Math.random() * steps.length)]!))) {
        const pod = await registry.collector();
        const second = Math.random() * latestSecond;
        await sleep(second * 1000);
        const pid = pod && kill(pod);
        if (!pod || !pid) {
            break;
        }
        killed.add(pid);
        console.log(`      ${registry.name}: killed after "${registry.printed.at(-1)}", and ${second.toFixed(1)} s`);
        await eventually(async () => (await registry.collector())?.metadata.uid !== pod.metadata.uid);
        registry.printed.length = 0;
    }
    return killed.size;
}

async function killMany(registry: CollectedRegistry): Promise<void> {
    for (let killed = 0; killed < killsOfEach;) {
        const collectAndKill = async () => {
            let hasEnded = false;
            let pushedAgain: Promise<number> | undefined;
            const collecting = async () => {
                pushedAgain = registry.pushGarbageAgain(() => hasEnded);
                pushedAgain.catch(() => undefined);
                killed += await killAtRandom(registry);
            };
            try {
                assert.equal(await registry.collectAnd(/^In the bucket/, collecting), 0);
            } finally {
                hasEnded = true;
                await pushedAgain?.catch(() => undefined);
            }
            console.log(`      ${registry.name}: garbage was pushed again ${await pushedAgain} times`);
            await registry.assertWhole();
        };
        // In the full run, collections of many registries keep the machine busy, so a pull may be repeated twice.
        const retries = fullOrShort(2, 0);
        await assertUnnoticed(registry.me, collectAndKill, { retries, pushRetries: 150, checkAll: true });
    }
}

describe("Collections that are killed at random times", function () {
    this.timeout("90m");

    before(async () => {
        for (const registry of registries) {
            await registry.deploy(fullOrShort(60, 15));
        }
    });
    after(async () => {
        for (const registry of registries) {
            await registry.remove();
        }
    });

    it(`lose no image in at least ${registries.length * killsOfEach} kills, and the Jobs' next pods continue`, async () => {
        // If one fails, the others must not go on while they are removed.
        const results = await Promise.allSettled(registries.map(killMany));
        const errors = results.flatMap((result) => (result.status === "rejected" ? [result.reason as Error] : []));
        assert.deepEqual(errors, []);
    });
});
