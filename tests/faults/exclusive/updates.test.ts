import { setTimeout as sleep } from "node:timers/promises";

import { eventually } from "../../e2e/support/run";
import { assertUnnoticed } from "../../e2e/support/traffic";
import { ConvergingRegistry } from "../support/convergingRegistry";
import { without } from "../support/daemons";
import { describeInFull } from "../support/shortMode";

describeInFull("An update of a registry in use", () => {
    const registry = new ConvergingRegistry("interrupted");
    before(async () => {
        await registry.makeMinio();
        await registry.configure({ "users[1].name": "alice" });
        await registry.up();
    });
    after(() => registry.remove());

    it("that loses the API server for 20 s is completed by the next one; pushes and pulls succeed within their retries", async () => {
        const me = await registry.client();
        const [before] = await registry.configSecrets();
        await registry.configure({ "users[1].name": "alice", logLevel: "error" });
        await assertUnnoticed(
            me,
            async () => {
                const update = registry.tryPulumi("up", "--yes", "--skip-preview");
                // The new configuration exists, and the pods are updated next.
                await eventually(async () => (await registry.configSecrets()).some((name) => name !== before));
                await without("kube-apiserver", () => sleep(20_000));
                const { code, stdout } = await update;
                console.log(`      it ended with ${code}${/error: .*/.exec(stdout)?.[0] ?? ""}`);
                await registry.up();
            },
            { retries: 6, checkAll: true },
        );
        await registry.assertConverged();
    });
});
