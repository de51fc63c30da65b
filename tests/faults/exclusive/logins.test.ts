import * as assert from "node:assert/strict";
import * as https from "node:https";
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";

import { OtherRegistry } from "../../e2e/support/otherRegistry";
import { run } from "../../e2e/support/run";
import { settled } from "../../e2e/support/sandbox";
import { assertUnnoticed, Client } from "../../e2e/support/traffic";
import { send } from "../support/send";
import { describeInFull } from "../support/shortMode";

/** Milliseconds of each attack. */
const duration = 60_000;
const connections = 20;
const loginsPerSecond = 100;

/** Logs in on some connections, at most so often a second on all of them. Returns the times of the answers. */
async function logIn(client: Client, connections: number, perSecond: number, status: number): Promise<number[]> {
    const agent = new https.Agent({ keepAlive: true, maxSockets: connections });
    const times: number[] = [];
    const end = performance.now() + duration;
    const repeat = async () => {
        while (performance.now() < end) {
            const next = sleep((1000 / perSecond) * connections);
            const began = performance.now();
            const answer = await send(agent, client, "GET", "/v2/");
            assert.equal(answer.status, status);
            times.push(performance.now() - began);
            await next;
        }
    };
    await Promise.all(Array.from({ length: connections }, repeat));
    agent.destroy();
    return times.sort((a, b) => a - b);
}

/** The time within which a part of the requests was answered. */
const within = (part: number, times: number[]) => times[Math.floor(times.length * part)]!;

describe("A hundred wrong logins a second", () => {
    describeInFull("for a minute", () => {
        const registry = new OtherRegistry("guessed");
        let me: Client;
        let quiet: number[];
        before(async () => {
            await registry.configure({ "users[1].name": "chosen" });
            const password = ["config", "set", "--secret", "--path", "users[1].password", "--stack", registry.name];
            await run("pulumi", password, { input: "correct horse battery" });
            await registry.up();
            me = await registry.client();
            // The first requests of new pods take longer.
            await rightLogins();
            quiet = await rightLogins();
        });
        after(() => registry.remove());

        /** Logs in ten times a second while clients push and pull, and while wrong logins are sent. Returns the times. */
        async function rightLogins(wrongUser?: string): Promise<number[]> {
            let right: number[] = [];
            await assertUnnoticed(me, async () => {
                const wrongLogins = (user: string) =>
                    logIn({ ...me, user, password: "wrong" }, connections, loginsPerSecond, 401);
                const [mine, wrong] = await Promise.all([
                    logIn(me, 1, 10, 200),
                    wrongUser === undefined ? [] : wrongLogins(wrongUser),
                ]);
                const [half, most] = [within(0.5, mine), within(0.99, mine)].map(Math.round);
                console.log(`      wrong: ${wrong.length}; right: half within ${half} ms, 99 of 100 within ${most} ms`);
                right = mine;
            });
            return right;
        }

        const readiness = async () =>
            (await settled(1, registry.name)).map(({ metadata, status }) => ({
                pod: metadata.uid,
                // With the time since when it is ready.
                ready: status.conditions?.find(({ type }) => type === "Ready"),
            }));

        for (const [whose, user] of [
            ["an unknown name", "nobody"],
            ["a user with a generated password", "me"],
            ["a user with a chosen password", "chosen"],
        ] as const) {
            it(`with ${whose} fail no push, pull or probe, and make right logins at most three times as slow`, async () => {
                const before = await readiness();
                const right = await rightLogins(user);
                assert.ok(within(0.99, right) <= 3 * within(0.99, quiet));
                assert.deepEqual(await readiness(), before);
            });
        }
    });
});
