import * as assert from "node:assert/strict";

import { documented } from "../support/docs";
import { run } from "../support/run";
import { client, configure, kubectl, restoreConfiguration, settled, up } from "../support/sandbox";
import { assertUnnoticed, whilePodsStop } from "../support/traffic";

describe("Two replicas of the registry, while a node is drained,", () => {
    // A failure may leave it cordoned.
    after(() => kubectl("uncordon", "homelab-2"));
    restoreConfiguration();
    before(async () => {
        await configure("replicas=2");
        await up();
    });

    it("leave it without a failed pull and with at most one retry of a push, and return with the next rollout", async () => {
        const commands = documented("docs/maintenance.md", "Restart a node", { NODE: "homelab-2" });
        const [drain, uncordon, spread] = commands.split("\n").filter((command) => command !== "");
        const drainAndReturn = async () => {
            await run("sh", ["-ec", drain!]);
            assert.deepEqual(
                (await settled(2)).map(({ spec }) => spec.nodeName),
                ["homelab", "homelab"],
            );
            await run("sh", ["-ec", uncordon!]);
            await run("sh", ["-ec", spread!]);
            await kubectl("rollout", "status", "deployment/registry", "--namespace", "registry", "--timeout=300s");
        };
        await assertUnnoticed(await client(), drainAndReturn, whilePodsStop);
        assert.deepEqual((await settled(2)).map(({ spec }) => spec.nodeName).sort(), ["homelab", "homelab-2"]);
    });
});
