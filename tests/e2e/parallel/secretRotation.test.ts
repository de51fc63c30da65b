import * as assert from "node:assert/strict";

import { interruptUp } from "../support/interrupt";
import { OtherRegistry } from "../support/otherRegistry";
import { eventually } from "../support/run";
import { accessKey, kubectl, mounted, previewed, request, s3, settled } from "../support/sandbox";
import { assertUnnoticed } from "../support/traffic";

describe("Rotation:", () => {
    const registry = new OtherRegistry("secrets");
    before(async () => {
        await registry.configure();
        await registry.up();
    });
    after(() => registry.remove());

    describe("the access key of read-only replicas", () => {
        const publicHost = "public.secrets.registry.homelab.test";

        it("is recovered by scripts/recover after Pulumi was killed, without a failed push or pull", async () => {
            await registry.configure({ anonymousPullHost: publicHost });
            await assertUnnoticed(await registry.client(), async () => {
                assert.ok(
                    await interruptUp(
                        (line) => /IamServiceAccount registry-reader created/.test(line),
                        "SIGKILL",
                        registry.name,
                    ),
                    "it was not interrupted",
                );
                await registry.recover();
            });
            await registry.pulumi("preview", "--expect-no-changes");
            await eventually(async () => (await request(`https://${publicHost}/v2/`)).status === 200);
            assert.equal(
                (await s3(await accessKey("secrets", "registry-anonymous"), "GET", "secrets?location=")).status,
                200,
            );
            const secrets = (await kubectl("get", "secrets", "--namespace", "secrets", "--output", "name")).split("\n");
            assert.equal(secrets.filter((name) => name.startsWith("secret/registry-anonymous-config-")).length, 1);
        });

        it("is deleted with the replicas", async () => {
            const key = await accessKey("secrets", "registry-anonymous");
            await registry.configure({ anonymousPullHost: "" });
            await registry.up();
            assert.equal((await s3(key, "GET", "secrets?location=")).status, 403);
        });
    });

    describe("the secret that signs uploads in progress", () => {
        const httpSecret = async () =>
            /^ {2}secret: "(.*)"/m.exec((await mounted("config", "secrets"))["config.yml"]!)![1];

        it("is replaced when httpSecretRotation is increased, with at most one retry of an upload", async () => {
            const before = await httpSecret();
            await registry.configure({ httpSecretRotation: "2" });
            assert.deepEqual(await previewed(registry.pulumi), [
                "replace kubernetes:core/v1:Secret::registry-config data stringData",
                "replace random:index/randomPassword:RandomPassword::registry-http-secret",
                "update kubernetes:apps/v1:Deployment::registry spec.template.spec.volumes[0].secret.secretName",
            ]);
            await assertUnnoticed(
                await registry.client(),
                async () => {
                    await registry.up();
                    await settled(1, "secrets");
                },
                { pushRetries: 1 },
            );
            assert.notEqual(await httpSecret(), before);
        });
    });
});
