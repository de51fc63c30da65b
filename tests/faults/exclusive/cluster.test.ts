import * as assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

import { restarts } from "../../e2e/support/processes";
import { attempt, eventually, run } from "../../e2e/support/run";
import {
    client,
    configure,
    kubectl,
    mounted,
    restoreConfiguration,
    settled,
    tryPulumi,
} from "../../e2e/support/sandbox";
import { assertUnnoticed, whilePodsStop } from "../../e2e/support/traffic";
import { daemon, without } from "../support/daemons";
import { fullOrShort, itInFull } from "../support/shortMode";

describe("The cluster", () => {
    const kubelets = ["kubelet", "kubelet-2"];
    const update = () => tryPulumi("up", "--yes", "--skip-preview");
    /** Waits until an update succeeds, and verifies the registry's configuration. */
    async function updated(logLevel: string): Promise<void> {
        await eventually(async () => (await update()).code === 0);
        assert.match((await mounted("config"))["config.yml"]!, new RegExp(`level: "?${logLevel}`));
    }
    /** Hash of the resources in Pulumi's state, which contains secrets. */
    async function state(): Promise<string> {
        const { deployment } = JSON.parse(
            await run("pulumi", ["stack", "export", "--show-secrets", "--stack", "sandbox"]),
        ) as { deployment: { resources: { urn: string; inputs: object; outputs: object }[] } };
        const resources = deployment.resources.map(({ urn, inputs, outputs }) => ({ urn, inputs, outputs }));
        return createHash("sha256").update(JSON.stringify(resources)).digest("hex");
    }

    const isApiUp = async () => (await attempt("kubectl", ["get", "--raw", "/readyz"])).code === 0;
    after(async () => {
        for (const name of [...kubelets, "etcd", "kube-apiserver"]) {
            await daemon(name).start();
        }
        await eventually(isApiUp);
        await kubectl("wait", "nodes", "--all", "--for=condition=Ready", "--timeout=300s");
    });
    // Its hook has to run after the one above, because it needs the API server.
    restoreConfiguration();

    it("can lose etcd for some seconds without a failed pull or a push that fails twice, and accepts an update afterwards", async () => {
        await configure("logLevel=warn");
        await assertUnnoticed(
            await client(),
            async () => {
                await without("etcd", () => sleep(fullOrShort(20, 5) * 1000));
                await updated("warn");
            },
            { ...whilePodsStop, checkAll: true },
        );
    });

    itInFull(
        "can lose its API server for a minute without a failed push or pull; an update in that time fails without a change",
        async () => {
            await configure("logLevel=error");
            const before = await state();
            await assertUnnoticed(
                await client(),
                () =>
                    without("kube-apiserver", async () => {
                        const { code, stdout, stderr } = await update();
                        assert.notEqual(code, 0);
                        assert.match(stdout + stderr, /does not respond at \S+ \(ECONNREFUSED\)/);
                        assert.equal(await state(), before);
                        await sleep(55_000);
                    }),
                { checkAll: true },
            );
        },
    );

    itInFull(
        "accepts an update as soon as its API server is back; pushes and pulls succeed within their retries",
        async () => {
            await assertUnnoticed(
                await client(),
                async () => {
                    await without("kube-apiserver", () => sleep(20_000));
                    await eventually(isApiUp);
                    const began = Date.now();
                    await updated("error");
                    console.log(`      updated within ${Math.round((Date.now() - began) / 1000)} s`);
                },
                { retries: 6, checkAll: true },
            );
        },
    );

    itInFull("can lose every kubelet for half a minute, as in an upgrade, without a failed push or pull", async () => {
        const restarted = await restarts();
        await assertUnnoticed(
            await client(),
            async () => {
                await Promise.all(kubelets.map((name) => daemon(name).stop()));
                await sleep(30_000);
                await Promise.all(kubelets.map((name) => daemon(name).start()));
                await kubectl("wait", "nodes", "--all", "--for=condition=Ready", "--timeout=300s");
                await settled(1);
            },
            { checkAll: true },
        );
        assert.equal(await restarts(), restarted);
    });

    itInFull(
        "marks pods as not ready if kubelets stop for longer; they serve again as soon as the kubelets are back",
        async () => {
            const me = await client();
            await assertUnnoticed(
                me,
                async () => {
                    await Promise.all(kubelets.map((name) => daemon(name).stop()));
                    await sleep(90_000);
                    const started = Date.now();
                    await Promise.all(kubelets.map((name) => daemon(name).start()));
                    await settled(1);
                    console.log(`      ready ${Math.round((Date.now() - started) / 1000)} s after the start`);
                },
                { retries: 15, checkAll: true },
            );
        },
    );
});
