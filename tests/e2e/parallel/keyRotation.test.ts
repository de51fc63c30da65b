import * as assert from "node:assert/strict";

import { interruptUp } from "../support/interrupt";
import { OtherRegistry } from "../support/otherRegistry";
import { accessKey, kubectl, loginStatus, minioRoot, previewed, s3, settled } from "../support/sandbox";
import { assertUnnoticed, whilePodsStop } from "../support/traffic";

describe("Rotation:", () => {
    const registry = new OtherRegistry("keys");
    before(async () => {
        await registry.configure();
        await registry.up();
    });
    after(() => registry.remove());

    describe("the access key", () => {
        type Key = Awaited<ReturnType<typeof accessKey>>;
        /** What opened the bucket before: access keys, and the name and secret of their MinIO user. */
        const old: Key[] = [];
        let oldAccessKey: Key;
        let rotation = 1;

        /** Increases the rotation by one. */
        async function increase(): Promise<void> {
            oldAccessKey = await accessKey("keys");
            const keys = await registry.bucketKeys();
            assert.deepEqual(keys.map(({ user }) => user).sort(), [oldAccessKey.user, "registry-keys"]);
            old.push(...keys);
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
            assert.deepEqual(await registry.tryKeys([await accessKey("keys"), ...old]), [200, ...old.map(() => 403)]);
            assert.equal(await loginStatus(await registry.client()), 200);
        }

        it("is replaced when bucketKeyRotation is increased, and the preview shows only that", async () => {
            await increase();
            assert.deepEqual(await previewed(registry.pulumi), [
                "replace kubernetes:apps/v1:Deployment::registry metadata.name spec.selector.matchLabels.homelab-registry/key-rotation " +
                    "spec.template.metadata.labels.homelab-registry/key-rotation spec.template.spec.volumes[0].secret.secretName",
                "replace kubernetes:core/v1:Secret::registry-config data stringData",
                "replace minio:index/iamServiceAccount:IamServiceAccount::registry",
                "update minio:index/iamUser:IamUser::registry tags updateSecret",
            ]);
        });

        it("is replaced without a failed pull and with at most one retry of a push, with a single replica", async () => {
            await assertUnnoticed(await registry.client(), registry.up, whilePodsStop);
            await assertRotated();
        });

        /** Completes a deletion that MinIO was asked for by a client that did not wait for the answer. */
        async function deleteOldKey(): Promise<void> {
            await s3(
                await minioRoot(),
                "DELETE",
                `minio/admin/v3/delete-service-account?accessKey=${oldAccessKey.user}`,
            );
            assert.equal((await s3(oldAccessKey, "GET", "keys?location=")).status, 403);
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
            ["killed after the new key is made", /IamServiceAccount registry created replacement/, "SIGKILL", 10],
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
});
