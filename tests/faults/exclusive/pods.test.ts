import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { memory, registryProcess, restarts } from "../../e2e/support/processes";
import { attempt, eventually, run } from "../../e2e/support/run";
import { client, kubectl, ofRegistry, settled } from "../../e2e/support/sandbox";
import { assertUnnoticed, makeImage } from "../../e2e/support/traffic";
import { fullOrShort, itInFull } from "../support/shortMode";

describe("The registry's only pod", () => {
    beforeEach(async () => {
        // A new pod, whose restart Kubernetes does not delay.
        await kubectl("delete", "pods", ...ofRegistry());
        await settled(1);
    });

    it("is killed during five pushes without loss of acknowledged data, and each client's retry succeeds", async () => {
        await assertUnnoticed(
            await client(),
            async () => {
                for (let kill = 1; kill <= fullOrShort(3, 1); kill++) {
                    process.kill(await registryProcess(), "SIGKILL");
                    await eventually(async () => (await restarts()) === kill);
                    await settled(1);
                    await sleep(5000);
                }
                // About as long as Docker retries by itself: five times, up to 25 s apart.
            },
            { retries: 7, pushers: 5, checkAll: true },
        );
    });

    itInFull("stays below its memory limit during sixteen simultaneous pushes", async () => {
        const { host, user, password } = await client();
        const folder = fs.mkdtempSync(path.join(os.tmpdir(), "memory-"));
        const before = memory(await registryProcess());
        const images = Array.from({ length: 16 }, (_, index) => path.join(folder, `image-${index}`));
        try {
            for (let round = 0; round < 3; round++) {
                // New layers, because existing ones would not be uploaded.
                images.forEach((image) => {
                    fs.rmSync(image, { recursive: true, force: true });
                    makeImage(image);
                });
                await Promise.all(
                    images.map((image, index) =>
                        run("skopeo", [
                            "copy",
                            "--quiet",
                            "--dest-creds",
                            `${user}:${password}`,
                            `dir:${image}`,
                            `docker://${host}/memory:${index}`,
                        ]),
                    ),
                );
            }
            const { peak } = memory(await registryProcess());
            console.log(`      ${before.now} MiB before, ${peak} MiB at the most`);
            assert.equal(await restarts(), 0);
            assert.ok(peak < 400, `${peak} MiB is too near to the limit of 512`);
        } finally {
            await Promise.all(
                images.map((_, index) =>
                    attempt("skopeo", ["delete", "--creds", `${user}:${password}`, `docker://${host}/memory:${index}`]),
                ),
            );
            fs.rmSync(folder, { recursive: true });
        }
    });
});
