import * as assert from "node:assert/strict";
import * as fs from "node:fs";

import { parse, stringify } from "yaml";

import { nodes } from "../../../sandbox/paths";
import { daemon } from "../../faults/support/daemons";
import { eventually, run } from "../support/run";
import { client, configure, kubectl, loginStatus, output, pods, restoreConfiguration, up } from "../support/sandbox";
import { assertUnnoticed } from "../support/traffic";

/**
 * The sandbox's kubelets bring a changed Secret or ConfigMap to the pods within seconds, so that tests need not wait for
 * it. Here they have Kubernetes' default, as an owner's have: it takes up to two minutes.
 */
describe("A registry whose kubelets keep Kubernetes' own pace", function () {
    this.timeout("20m");

    const file = (suffix: string) => `/etc/kubernetes/kubelet${suffix}.yaml`;
    const sandboxFiles = new Map<string, string>();

    /** Restarts a kubelet, and waits until it has the configuration of its file; the pods run on meanwhile. */
    async function restartKubelet(node: string, suffix: string, syncFrequency: string): Promise<void> {
        await daemon(`kubelet${suffix}`).stop();
        await daemon(`kubelet${suffix}`).start();
        await eventually(300, async () => {
            const { kubeletconfig } = JSON.parse(
                await kubectl("get", "--raw", `/api/v1/nodes/${node}/proxy/configz`),
            ) as { kubeletconfig: { syncFrequency: string } };
            return kubeletconfig.syncFrequency === syncFrequency;
        });
    }

    restoreConfiguration();
    before(async () => {
        for (const { name, suffix } of nodes) {
            const content = fs.readFileSync(file(suffix), "utf8");
            sandboxFiles.set(suffix, content);
            const { syncFrequency, ...others } = parse(content) as Record<string, unknown>;
            assert.ok(syncFrequency, "the sandbox sets no syncFrequency any more");
            fs.writeFileSync(file(suffix), stringify(others));
            await restartKubelet(name, suffix, "1m0s");
        }
        await configure("users[1].name=ci", "collectionSchedule=0 4 * * 0");
        await up();
    });
    after(async () => {
        for (const { name, suffix } of nodes) {
            const content = sandboxFiles.get(suffix);
            if (content !== undefined) {
                fs.writeFileSync(file(suffix), content);
                await restartKubelet(name, suffix, (parse(content) as { syncFrequency: string }).syncFrequency);
            }
        }
        await kubectl("wait", "nodes", "--all", "--for=condition=Ready", "--timeout=300s");
    });

    it("replaces a rotated password in the pods that run, without a failed push or pull", async () => {
        const me = await client();
        const passwordOf = async () => (await output<Record<string, string>>("passwords")).ci!;
        const status = async (password: string) => loginStatus({ ...me, user: "ci", password });
        const old = await passwordOf();
        await eventually(600, async () => (await status(old)) === 200);
        const before = (await pods()).map(({ metadata }) => metadata.uid);
        await configure("users[1].rotation=2");
        await assertUnnoticed(me, async () => {
            await up();
            const rotated = await passwordOf();
            assert.notEqual(rotated, old);
            await eventually(600, async () => (await status(rotated)) === 200);
        });
        assert.equal(await status(old), 401);
        assert.deepEqual(
            (await pods()).map(({ metadata }) => metadata.uid),
            before,
        );
    });

    it("collects garbage without a failed pull, and then accepts pushes again", async () => {
        await assertUnnoticed(
            await client(),
            async () => {
                await run("env", ["PULUMI_STACK=sandbox", "scripts/collect"]);
            },
            { pushRetries: 30 },
        );
    });
});
