import * as assert from "node:assert/strict";

import { interruptUp } from "../support/interrupt";
import { OtherRegistry } from "../support/otherRegistry";
import { eventually } from "../support/run";
import {
    accessKey,
    kubectl,
    loginStatus,
    minioRoot,
    mounted,
    previewed,
    request,
    s3,
    settled,
} from "../support/sandbox";
import { assertUnnoticed } from "../support/traffic";

describe("Rotation:", function () {
    this.timeout("20m");

    const registry = new OtherRegistry("keys");
    before(async () => {
        await registry.configure();
        await registry.up();
    });
    after(() => registry.remove());

    describe("the access key", () => {
        /** Access keys from before. */
        const old: Awaited<ReturnType<typeof accessKey>>[] = [];
        let rotation = 1;

        /** Increases the rotation by one. */
        async function increase(): Promise<void> {
            old.push(await accessKey("keys"));
            await registry.configure({ bucketKeyRotation: String(++rotation) });
        }

        /** Fails unless the rotation is complete, whatever happened during it. */
        async function assertRotated(): Promise<void> {
            await registry.pulumi("preview", "--expect-no-changes");
            await settled(1, "keys");
            assert.equal(
                await kubectl("get", "deployments", "--namespace", "keys", "--output", "name"),
                `deployment.apps/registry-${rotation}\n`,
            );
            assert.equal((await registry.configSecrets()).length, 1);
            assert.equal((await s3(await accessKey("keys"), "GET", "keys?location=")).status, 200);
            for (const key of old) {
                assert.equal((await s3(key, "GET", "keys?location=")).status, 403);
            }
            assert.equal(await loginStatus(await registry.client()), 200);
        }

        it("is replaced when bucketKeyRotation is increased, and the preview shows only that", async () => {
            await increase();
            assert.deepEqual(await previewed(registry.pulumi), [
                "replace kubernetes:apps/v1:Deployment::registry metadata.name spec.selector.matchLabels.homelab-registry/key-rotation " +
                    "spec.template.metadata.labels.homelab-registry/key-rotation spec.template.spec.volumes[0].secret.secretName",
                "replace kubernetes:core/v1:Secret::registry-config data stringData",
                "replace minio:index/iamServiceAccount:IamServiceAccount::registry",
            ]);
        });

        // A push may use a connection that is just being closed: docs/reliability.md lists this limitation.
        it("is replaced without a failed pull and with at most one retry of a push, with a single replica", async () => {
            await assertUnnoticed(await registry.client(), registry.up, { pushRetries: 1 });
            await assertRotated();
        });

        /** Completes a deletion that MinIO was asked for by a client that did not wait for the answer. */
        async function deleteOldKey(): Promise<void> {
            await s3(
                await minioRoot(),
                "DELETE",
                `minio/admin/v3/delete-service-account?accessKey=${old.at(-1)!.user}`,
            );
            assert.equal((await s3(old.at(-1)!, "GET", "keys?location=")).status, 403);
        }

        const steps: [
            what: string,
            at: RegExp,
            signal: "SIGINT" | "SIGKILL",
            retries?: number,
            meanwhile?: () => Promise<void>,
        ][] = [
            ["stopped after the new key is made", /IamServiceAccount registry created replacement/, "SIGINT"],
            // If the new key is not in Pulumi's state, all keys are replaced, which causes errors for some seconds.
            ["killed after the new key is made", /IamServiceAccount registry created replacement/, "SIGKILL", 4],
            ["stopped while the new pods start", /Deployment registry creating replacement/, "SIGINT"],
            ["killed while the new pods start", /Deployment registry creating replacement/, "SIGKILL"],
            ["stopped while the old pods end", /Deployment registry deleting original/, "SIGINT"],
            ["killed while the old pods end", /Deployment registry deleting original/, "SIGKILL"],
            [
                "killed while the old key is deleted",
                /IamServiceAccount registry deleting original/,
                "SIGKILL",
                1,
                deleteOldKey,
            ],
        ];
        for (const [what, at, signal, retries = 1, meanwhile] of steps) {
            it(`is replaced completely by a second run if the first one is ${what}`, async () => {
                await increase();
                await assertUnnoticed(
                    await registry.client(),
                    async () => {
                        assert.ok(
                            await interruptUp((line) => at.test(line), signal, registry.name),
                            "it was not interrupted",
                        );
                        await meanwhile?.();
                        // Resources created while Pulumi was killed are not in its state.
                        await (signal === "SIGKILL" ? registry.recover() : registry.up());
                    },
                    { retries },
                );
                await assertRotated();
            });
        }
    });

    describe("the access key of read-only replicas", () => {
        const publicHost = "public.keys.registry.homelab.test";

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
            await eventually(300, async () => (await request(`https://${publicHost}/v2/`)).status === 200);
            assert.equal(
                (await s3(await accessKey("keys", "registry-anonymous"), "GET", "keys?location=")).status,
                200,
            );
            const secrets = (await kubectl("get", "secrets", "--namespace", "keys", "--output", "name")).split("\n");
            assert.equal(secrets.filter((name) => name.startsWith("secret/registry-anonymous-config-")).length, 1);
        });

        it("is deleted with the replicas", async () => {
            const key = await accessKey("keys", "registry-anonymous");
            await registry.configure({ anonymousPullHost: "" });
            await registry.up();
            assert.equal((await s3(key, "GET", "keys?location=")).status, 403);
        });
    });

    describe("the secret that signs uploads in progress", () => {
        const httpSecret = async () =>
            /^ {2}secret: "(.*)"/m.exec((await mounted("config", "keys"))["config.yml"]!)![1];

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
                    await settled(1, "keys");
                },
                { retries: 1 },
            );
            assert.notEqual(await httpSecret(), before);
        });
    });
});
