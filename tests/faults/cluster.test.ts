import * as assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";

import { attempt, eventually } from "../e2e/support/run";
import { client, kubectl, output, settled, tryPulumi } from "../e2e/support/sandbox";
import { assertUnnoticed } from "../e2e/support/traffic";
import { daemon } from "./support/daemons";
import { inForm, itInFull } from "./support/form";
import { restarts } from "./support/processes";

describe("The cluster", function () {
    this.timeout("10m");

    const kubelets = ["kubelet", "kubelet-2"];
    const isApiUp = async () => (await attempt("kubectl", ["get", "--raw", "/readyz"])).code === 0;
    after(async () => {
        for (const name of [...kubelets, "etcd", "kube-apiserver"]) {
            await daemon(name).start();
        }
        await eventually(60, isApiUp);
        await kubectl("wait", "nodes", "--all", "--for=condition=Ready", "--timeout=60s");
    });

    it("may lose etcd for some seconds without a failed push or pull, and takes an update as soon as it has it again", async () => {
        const restarted = await restarts();
        await assertUnnoticed(await client(), async () => {
            await daemon("etcd").stop();
            await sleep(inForm(20, 5) * 1000);
            await daemon("etcd").start();
            await eventually(30, isApiUp);
            await eventually(30, async () => (await tryPulumi("preview", "--expect-no-changes")).code === 0);
        }, { checkAll: true });
        assert.equal(await restarts(), restarted);
    });

    itInFull("may be without its API server for a minute without a failed push or pull; an update meanwhile says so, and changes nothing", async () => {
        const host = await output<string>("host");
        await assertUnnoticed(await client(), async () => {
            await daemon("kube-apiserver").stop();
            try {
                const { code, stdout, stderr } = await tryPulumi("up", "--yes", "--skip-preview");
                assert.notEqual(code, 0);
                assert.match(stdout + stderr, /does not answer at \S+ \(ECONNREFUSED\)/);
                await sleep(45_000);
            } finally {
                await daemon("kube-apiserver").start();
            }
            await eventually(60, isApiUp);
            await eventually(60, async () => (await tryPulumi("preview", "--expect-no-changes")).code === 0);
        }, { checkAll: true });
        assert.equal(await output<string>("host"), host);
    });

    itInFull("may lose every kubelet for half a minute, as in their update, without a failed push or pull", async () => {
        const restarted = await restarts();
        await assertUnnoticed(await client(), async () => {
            await Promise.all(kubelets.map((name) => daemon(name).stop()));
            await sleep(30_000);
            await Promise.all(kubelets.map((name) => daemon(name).start()));
            await kubectl("wait", "nodes", "--all", "--for=condition=Ready", "--timeout=60s");
            await settled(1);
        }, { checkAll: true });
        assert.equal(await restarts(), restarted);
    });

    itInFull("that is without kubelets for longer takes the pods for lost; they serve again as soon as the kubelets are back", async () => {
        const me = await client();
        await assertUnnoticed(me, async () => {
            await Promise.all(kubelets.map((name) => daemon(name).stop()));
            await sleep(90_000);
            const started = Date.now();
            await Promise.all(kubelets.map((name) => daemon(name).start()));
            await settled(1);
            console.log(`      ready ${Math.round((Date.now() - started) / 1000)} s after the start`);
        }, { retries: 15, checkAll: true });
    });
});
