import * as assert from "node:assert/strict";
import * as fs from "node:fs";

import { parse, stringify } from "yaml";

import { nodes } from "../../../sandbox/paths";
import { daemon } from "../../faults/support/daemons";
import { OtherRegistry } from "../support/otherRegistry";
import { eventually } from "../support/run";
import { keysOf, kubectl, loginStatus, outputs, pods, putObject } from "../support/sandbox";
import { assertUnnoticed } from "../support/traffic";

/**
 * In the sandbox, a changed Secret or ConfigMap reaches the pods within seconds, so that other tests need not wait for it.
 * These tests restore Kubernetes' default, with which owners wait for up to two minutes.
 */
describe("A registry on kubelets with Kubernetes' default syncFrequency", () => {
    const registry = new OtherRegistry("paced");
    const file = (suffix: string) => `/etc/kubernetes/kubelet${suffix}.yaml`;
    const sandboxFiles = new Map<string, string>();

    /** Restarts a kubelet, and waits until it uses a `syncFrequency`. Its pods keep running. */
    async function restartKubelet(node: string, suffix: string, syncFrequency: string): Promise<void> {
        await daemon(`kubelet${suffix}`).stop();
        await daemon(`kubelet${suffix}`).start();
        await eventually(async () => {
            const { kubeletconfig } = JSON.parse(
                await kubectl("get", "--raw", `/api/v1/nodes/${node}/proxy/configz`),
            ) as { kubeletconfig: { syncFrequency: string } };
            return kubeletconfig.syncFrequency === syncFrequency;
        });
    }

    before(async () => {
        for (const { name, suffix } of nodes) {
            const content = fs.readFileSync(file(suffix), "utf8");
            sandboxFiles.set(suffix, content);
            const { syncFrequency, ...others } = parse(content) as Record<string, unknown>;
            assert.ok(syncFrequency, "the sandbox no longer sets syncFrequency");
            fs.writeFileSync(file(suffix), stringify(others));
            await restartKubelet(name, suffix, "1m0s");
        }
        await registry.configure({
            "users[1].name": "ci",
            collectionSchedule: "0 4 * * 0",
            collectionMinAgeMinutes: "0",
        });
        await registry.up();
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
        await registry.remove();
    });

    it("accepts a rotated password in running pods, without a failed push or pull", async () => {
        const me = await registry.client();
        const passwordOf = async () => (await outputs(registry.name)).passwords.ci!;
        const status = async (password: string) => loginStatus({ ...me, user: "ci", password });
        const old = await passwordOf();
        await eventually(async () => (await status(old)) === 200, { seconds: 600 });
        const before = (await pods(registry.name)).map(({ metadata }) => metadata.uid);
        await registry.configure({ "users[1].rotation": "2" });
        await assertUnnoticed(me, async () => {
            await registry.up();
            const rotated = await passwordOf();
            assert.notEqual(rotated, old);
            await eventually(async () => (await status(rotated)) === 200, { seconds: 600 });
        });
        assert.equal(await status(old), 401);
        assert.deepEqual(
            (await pods(registry.name)).map(({ metadata }) => metadata.uid),
            before,
        );
    });

    it("collects garbage without a failed pull, and accepts pushes afterwards", async () => {
        // Without garbage the registry would stay writable.
        const key = `docker/registry/v2/blobs/sha256/00/${"0".repeat(64)}/data`;
        await putObject(registry.name, key, "garbage");
        await assertUnnoticed(
            await registry.client(),
            async () => {
                const { code, stdout, stderr } = await registry.script("collect");
                assert.equal(code, 0, stdout + stderr);
            },
            { pushRetries: 30 },
        );
        assert.ok(!(await keysOf(registry.name)).includes(key));
    });
});
