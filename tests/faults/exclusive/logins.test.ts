import * as assert from "node:assert/strict";
import * as https from "node:https";
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";

import { OtherRegistry } from "../../e2e/support/otherRegistry";
import { run } from "../../e2e/support/run";
import { settled } from "../../e2e/support/sandbox";
import { assertUnnoticed, Client } from "../../e2e/support/traffic";
import { isShort } from "../support/shortMode";

/** Milliseconds of each attack. */
const duration = 60_000;
const connections = 20;
const loginsPerSecond = 100;

/** Sends a request that needs a login, on a connection of the agent. Returns the status, and the milliseconds. */
function login(agent: https.Agent, { host, user, password }: Client): Promise<{ status?: number; time: number }> {
    const began = performance.now();
    return new Promise((resolve, reject) => {
        const options = { host, path: "/v2/", auth: `${user}:${password}`, agent };
        https
            .get(options, (response) => {
                response.resume().on("end", () => {
                    resolve({ status: response.statusCode, time: performance.now() - began });
                });
            })
            .on("error", reject);
    });
}

/** Logs in on some connections, at most so often a second on all of them. Returns the times of the answers. */
async function logIn(client: Client, connections: number, perSecond: number, status: number): Promise<number[]> {
    const agent = new https.Agent({ keepAlive: true, maxSockets: connections });
    const times: number[] = [];
    const end = performance.now() + duration;
    const send = async () => {
        while (performance.now() < end) {
            const next = sleep((1000 / perSecond) * connections);
            const answer = await login(agent, client);
            assert.equal(answer.status, status);
            times.push(answer.time);
            await next;
        }
    };
    await Promise.all(Array.from({ length: connections }, send));
    agent.destroy();
    return times.sort((a, b) => a - b);
}

(isShort ? describe.skip : describe)("A hundred wrong logins a second", function () {
    this.timeout("20m");

    const registry = new OtherRegistry("guessed");
    let me: Client;
    before(async () => {
        await registry.configure({ "users[1].name": "chosen" });
        const password = ["config", "set", "--secret", "--path", "users[1].password", "--stack", registry.name];
        await run("pulumi", password, { input: "correct horse battery" });
        await registry.up();
        me = await registry.client();
    });
    after(() => registry.remove());

    const readiness = async () =>
        (await settled(1, registry.name)).map(({ metadata, status }) => ({
            pod: metadata.uid,
            // With the time since when it is ready.
            ready: status.conditions?.find(({ type }) => type === "Ready"),
        }));

    for (const [whom, user] of [
        ["of nobody, for comparison", undefined],
        ["for an unknown name", "nobody"],
        ["for a user with a generated password", "me"],
        ["for a user with a chosen password", "chosen"],
    ] as const) {
        it(`${whom} fail no push, no pull and no probe`, async () => {
            const before = await readiness();
            await assertUnnoticed(me, async () => {
                const [mine, wrong] = await Promise.all([
                    logIn(me, 1, 10, 200),
                    user ? logIn({ ...me, user, password: "wrong" }, connections, loginsPerSecond, 401) : [],
                ]);
                const of = (times: number[], part: number) => Math.round(times[Math.floor(times.length * part)] ?? 0);
                console.log(
                    `      ${wrong.length} wrong logins, half within ${of(wrong, 0.5)} ms; ${mine.length} right ones, ` +
                        `half within ${of(mine, 0.5)} ms, 99 of 100 within ${of(mine, 0.99)} ms`,
                );
            });
            assert.deepEqual(await readiness(), before);
        });
    }
});
